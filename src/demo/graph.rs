//! The simulated Microsoft Graph and sign-in authority: who is let in, and what goes wrong on the way out.

use super::Options;
use super::answers;
use super::directory::{Collection, Directory};
use super::facts;
use super::faults::{Fault, Faults, Place};
use super::listing::{BadQuery, Listing, Query};
use super::sign_in::{self, Tokens};
use super::throttle::Throttle;
use super::traffic::Traffic;
use crate::clock::Clock;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::SignedDuration;
use std::sync::Arc;

/// Everything that answers.
pub(super) struct Site {
    pub options: Options,
    pub faults: Faults,
    pub tokens: Tokens,
    pub traffic: Traffic,
    pub directory: Directory,
    /// What links begin with.
    pub base: String,
    pub report_throttle: Throttle,
    listing: Listing,
    throttles: [Throttle; 2],
}

/// What Graph lets anybody ask of its reports.
const REPORTS: (usize, SignedDuration) = (5, SignedDuration::from_secs(10));

impl Site {
    pub fn new(directory: Directory, options: Options, base: String) -> Arc<Self> {
        Arc::new(Self {
            faults: Faults::default(),
            tokens: Tokens::default(),
            traffic: Traffic::default(),
            listing: Listing::new(directory.clone(), base.clone()),
            throttles: Collection::ALL
                .map(|_| Throttle::new(options.requests_per_minute, SignedDuration::from_mins(1))),
            report_throttle: Throttle::new(Some(REPORTS.0), REPORTS.1),
            directory,
            base,
            options,
        })
    }
}

pub(super) fn router(site: Arc<Site>) -> Router {
    let list = |collection| {
        get(move |State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap| async move {
            site.list(collection, &uri, &headers).await
        })
    };
    let owners = |collection| {
        get(move |site: State<Arc<Site>>, id: Path<String>, uri: Uri, headers: HeaderMap| {
            facts::owners(site, collection, id, uri, headers)
        })
    };
    Router::new()
        .route("/v1.0/applications", list(Collection::Applications))
        .route("/v1.0/applications/{id}/owners", owners(Collection::Applications))
        .route("/v1.0/servicePrincipals", list(Collection::ServicePrincipals))
        .route("/v1.0/servicePrincipals/{id}/owners", owners(Collection::ServicePrincipals))
        .route("/beta/reports/appCredentialSignInActivities", get(facts::report))
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/msi/token", get(identity_token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .fallback(unknown)
        .with_state(site)
}

async fn token(State(site): State<Arc<Site>>, Path(tenant): Path<String>, uri: Uri, form: String) -> Response {
    let _seen = site.traffic.enter(&uri);
    match answers::get_through(site.faults.meet(Place::SignIn)).await {
        Some(fault) => answers::broken(&fault, b"{\"token_type\":\"Bearer\"}".to_vec()),
        None => sign_in::client_credentials(&site.options, &site.tokens, &tenant, &form),
    }
}

async fn identity_token(
    State(site): State<Arc<Site>>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let _seen = site.traffic.enter(&uri);
    match answers::get_through(site.faults.meet(Place::ManagedIdentity)).await {
        Some(fault) => answers::broken(&fault, b"{\"token_type\":\"Bearer\"}".to_vec()),
        None => sign_in::managed_identity(&site.options, &site.tokens, &query.unwrap_or_default(), &headers),
    }
}

async fn discovery(State(site): State<Arc<Site>>, Path(tenant): Path<String>, uri: Uri) -> Response {
    let _seen = site.traffic.enter(&uri);
    axum::Json(serde_json::json!({
        "issuer": format!("{}/{tenant}/v2.0", site.base),
        "token_endpoint": format!("{}/{tenant}/oauth2/v2.0/token", site.base),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
    }))
    .into_response()
}

async fn unknown(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    let _seen = site.traffic.enter(&uri);
    answers::refusal(404, "Request_ResourceNotFound", "Resource not found for the segment.", None)
}

impl Site {
    /// The way in: the network's time, then the token. A refusal where it is not a good one.
    pub async fn door(&self, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
        let latency = self.faults.delay();
        if !latency.is_zero() {
            // The network's time is real whatever the tenant's clock says.
            Clock::System.sleep(latency).await;
        }
        let what = self.tokens.check(headers, &sign_in::GRAPH).err()?;
        self.traffic.wrong_token(uri, what);
        Some(answers::refusal(401, "InvalidAuthenticationToken", what, None))
    }

    async fn list(&self, collection: Collection, uri: &Uri, headers: &HeaderMap) -> Response {
        let _seen = self.traffic.enter(uri);
        if let Some(refusal) = self.door(uri, headers).await {
            return refusal;
        }
        if let Err(seconds) = self.throttles[collection as usize].admit(self.options.clock.now()) {
            return answers::too_many_requests(Some(seconds));
        }
        let query = match Query::parse(collection, uri.query().unwrap_or_default()) {
            Ok(query) => query,
            Err(BadQuery::Token) => return answers::expired_page_token(),
            Err(BadQuery::Top) => {
                return answers::refusal(400, "Request_UnsupportedQuery", "Invalid page size specified.", None);
            }
        };
        match answers::get_through(self.faults.meet(collection.into())).await {
            None => self.page(&query, headers),
            Some(Fault::EmptyPage) => answers::json(self.listing.empty_page(&query).into()),
            Some(Fault::NextLinkTo(host)) => answers::json(self.listing.page_leading_to(&query, &host).into()),
            Some(fault) => answers::broken(&fault, self.listing.page(&query).body.to_vec()),
        }
    }

    fn page(&self, query: &Query, headers: &HeaderMap) -> Response {
        let page = self.listing.page(query);
        let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !(self.options.gzip && accepts.contains("gzip")) {
            return answers::json(page.body.clone());
        }
        let mut response = answers::json(page.compressed());
        response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
        response
    }
}

/// Another host, to which no token may ever be sent: it counts who comes, and with what.
pub(super) fn elsewhere(traffic: Arc<Traffic>) -> Router {
    let answer = |State(traffic): State<Arc<Traffic>>, uri: Uri, headers: HeaderMap| async move {
        let _seen = traffic.enter(&uri);
        if headers.contains_key(header::AUTHORIZATION) {
            traffic.wrong_token(&uri, "a token was sent to another host");
        }
        (StatusCode::OK, axum::Json(serde_json::json!({ "value": [] })))
    };
    Router::new().fallback(answer).with_state(traffic)
}
