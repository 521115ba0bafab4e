//! The simulated Microsoft Graph and sign-in authority: who is let in, and what goes wrong on the way out.

use super::Options;
use super::answers;
use super::directory::{Collection, Directory};
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
use std::sync::Arc;

/// Everything that answers.
pub(super) struct Site {
    pub options: Options,
    pub faults: Faults,
    pub tokens: Tokens,
    pub traffic: Traffic,
    listing: Listing,
    throttle: Throttle,
    base: String,
}

impl Site {
    pub fn new(directory: Directory, options: Options, base: String) -> Arc<Self> {
        Arc::new(Self {
            faults: Faults::default(),
            tokens: Tokens::default(),
            traffic: Traffic::default(),
            listing: Listing::new(directory, base.clone()),
            throttle: Throttle::new(options.requests_per_minute),
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
    Router::new()
        .route("/v1.0/applications", list(Collection::Applications))
        .route("/v1.0/servicePrincipals", list(Collection::ServicePrincipals))
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
    async fn list(&self, collection: Collection, uri: &Uri, headers: &HeaderMap) -> Response {
        let _seen = self.traffic.enter(uri);
        let latency = self.faults.delay();
        if !latency.is_zero() {
            // The network's time is real whatever the tenant's clock says.
            Clock::System.sleep(latency).await;
        }
        if let Err(what) = self.tokens.check(headers, &sign_in::GRAPH) {
            self.traffic.wrong_token(uri, what);
            return answers::refusal(401, "InvalidAuthenticationToken", what, None);
        }
        if let Err(seconds) = self.throttle.admit(collection, self.options.clock.now()) {
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
