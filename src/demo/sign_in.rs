//! The simulated authority: hands out tokens, and knows which ones are good.
//!
//! Two doors, as in the real place: the authority's token endpoint for applications, and the managed identity's endpoint of App
//! Service and Container Apps. Tokens live by wall time, whatever the tenant's clock says, because the client library that asks for
//! them reads wall time too.

use super::Options;
use crate::clock::Clock;
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use url::form_urlencoded;

/// The audiences under which Graph is known, one a cloud.
pub(super) const GRAPH: [&str; 4] = [
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];

/// The audiences under which key vaults are known.
pub(super) const VAULTS: [&str; 3] =
    ["https://vault.azure.net", "https://vault.usgovcloudapi.net", "https://vault.azure.cn"];

/// What was handed out.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<String, Token>>);

struct Token {
    audience: String,
    expires: Timestamp,
    revoked: bool,
}

impl Tokens {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Token>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new token, shaped like a real one, and when it ends.
    fn issue(&self, audience: &str, lifetime: SignedDuration) -> (String, Timestamp) {
        let text = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.{}.", uuid::Uuid::new_v4().simple());
        let expires = Clock::System.now().saturating_add(lifetime).unwrap_or(Timestamp::MAX);
        let token = Token { audience: audience.trim_end_matches('/').to_owned(), expires, revoked: false };
        self.all().insert(text.clone(), token);
        (text, expires)
    }

    pub fn revoke_all(&self) {
        self.all().values_mut().for_each(|token| token.revoked = true);
    }

    pub fn issued(&self) -> Vec<String> {
        self.all().keys().cloned().collect()
    }

    /// Whether a service that is known by these audiences lets this request in; else what is wrong with its token.
    pub fn check(&self, headers: &HeaderMap, audiences: &[&str]) -> Result<(), &'static str> {
        let sent = headers.get(AUTHORIZATION).ok_or("Access token is empty.")?;
        let bearer = sent.to_str().ok().and_then(|sent| sent.strip_prefix("Bearer ")).unwrap_or_default();
        let all = self.all();
        let token = all.get(bearer).ok_or("Access token validation failure. The token was not issued here.")?;
        if token.revoked {
            return Err("The token has been revoked.");
        }
        if token.expires <= Clock::System.now() {
            return Err("Lifetime validation failed, the token is expired.");
        }
        if !audiences.contains(&token.audience.as_str()) {
            return Err("Access token validation failure. Invalid audience.");
        }
        Ok(())
    }
}

/// Answers `POST /{tenant}/oauth2/v2.0/token`.
pub(super) fn client_credentials(options: &Options, tokens: &Tokens, tenant: &str, form: &str) -> Response {
    let form: HashMap<_, _> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let field = |name| form.get(name).map(String::as_str).unwrap_or_default();
    let audience = field("scope").strip_suffix("/.default").unwrap_or_default();
    let proven = match form.get("client_assertion") {
        Some(assertion) => is_assertion(options, field("client_assertion_type"), assertion),
        None => field("client_secret") == options.client_secret,
    };
    if tenant != options.tenant_id {
        refusal(400, 90002, "invalid_request", "Tenant not found. Check to make sure you have the correct tenant ID.")
    } else if field("grant_type") != "client_credentials" {
        refusal(400, 70003, "unsupported_grant_type", "The app requested an unsupported grant type.")
    } else if field("client_id") != options.client_id {
        refusal(400, 700016, "unauthorized_client", "Application was not found in the directory.")
    } else if !proven && form.contains_key("client_assertion") {
        refusal(401, 700211, "invalid_client", "No matching federated identity record found for presented assertion.")
    } else if !proven {
        let said =
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value.";
        refusal(401, 7_000_215, "invalid_client", said)
    } else if audience.is_empty() {
        refusal(400, 70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid.")
    } else {
        let (token, _) = tokens.issue(audience, options.token_lifetime);
        let lives = options.token_lifetime.as_secs();
        Json(json!({ "token_type": "Bearer", "expires_in": lives, "ext_expires_in": lives, "access_token": token }))
            .into_response()
    }
}

/// A signed assertion is believed by its shape, unless the options name the one that is expected (a federated token's).
fn is_assertion(options: &Options, kind: &str, assertion: &str) -> bool {
    kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        && match &options.federated_token {
            Some(expected) => assertion == expected,
            None => assertion.split('.').filter(|part| !part.is_empty()).count() == 3,
        }
}

fn refusal(status: u16, code: u32, error: &str, description: &str) -> Response {
    let body = json!({
        "error": error,
        "error_description": format!("AADSTS{code}: {description}"),
        "error_codes": [code],
        "timestamp": Clock::System.now().strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        "trace_id": uuid::Uuid::new_v4().to_string(),
        "correlation_id": uuid::Uuid::new_v4().to_string(),
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), Json(body)).into_response()
}

/// Answers `GET /msi/token`.
pub(super) fn managed_identity(options: &Options, tokens: &Tokens, query: &str, headers: &HeaderMap) -> Response {
    let query: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let refuse = |status: StatusCode, message: &str| {
        (status, Json(json!({ "statusCode": status.as_u16(), "message": message }))).into_response()
    };
    if headers.get("x-identity-header").is_none_or(|sent| sent.as_bytes() != options.identity_header.as_bytes()) {
        return refuse(StatusCode::UNAUTHORIZED, "The identity header is missing or wrong.");
    }
    if query.get("api-version").is_none_or(|version| version != "2019-08-01") {
        return refuse(StatusCode::BAD_REQUEST, "The api-version is not supported.");
    }
    if query.get("client_id").is_some_and(|id| !id.eq_ignore_ascii_case(&options.client_id)) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "No User Assigned or Delegated Managed Identity found for specified ClientId.",
        );
    }
    let Some(resource) = query.get("resource").filter(|resource| !resource.is_empty()) else {
        return refuse(StatusCode::BAD_REQUEST, "The resource is missing.");
    };
    let (token, expires) = tokens.issue(resource, options.token_lifetime);
    Json(json!({
        "access_token": token,
        "expires_on": expires.as_second().to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": options.client_id.to_uppercase(),
    }))
    .into_response()
}
