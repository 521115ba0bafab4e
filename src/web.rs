//! What the service answers over HTTP: health, metrics, the report, a page to read, and feeds for calendars.
//!
//! Reads the observed state, and asks the archive what was told about a credential: no request waits for a poll, starts one, or
//! changes anything. Only GET and HEAD are answered. Knows no store and no source.

mod access;
mod body;
mod exposition;
mod feed;
mod gzip;
mod health;
mod metrics;
mod page;
mod series;
#[cfg(test)]
mod tests;

pub use feed::Feeds;
pub use health::{Health, Level, assess};
pub use metrics::{Metrics, Outcome};

use crate::clock::Clock;
use crate::config::Secret;
use crate::observe::{Archive, Observed};
use crate::report;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// What the answers are made from.
#[derive(Clone)]
pub struct App {
    pub observed: Arc<Observed>,
    /// Who knows what was told.
    pub archive: Archive,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub version: &'static str,
    /// The commit that was built; empty where unknown.
    pub revision: &'static str,
    /// `None`: everybody may look.
    pub access_token: Option<Secret>,
    pub feeds: Arc<Feeds>,
    /// Whether `/demo/mail` is served too, by a router that is merged with this one.
    pub demo_mail: bool,
}

/// The main listener.
pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    Router::new()
        .route("/", get(page::page))
        .route("/credential", get(page::credential))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/page.svg", get(page::icon))
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1/credentials", get(credentials))
        .route("/calendar/{*path}", get(feed::feed))
        .fallback(page::not_found)
        .layer(axum::middleware::from_fn_with_state(app.clone(), access::guard))
        .with_state(app)
}

/// The second listener, which may face further out: liveness and the feeds, and nothing else.
pub fn feed_router(app: App) -> Router {
    Router::new()
        .route("/health/live", get(health::live))
        .route("/calendar/{*path}", get(feed::feed))
        .fallback(feed::nothing)
        .layer(axum::middleware::map_response(access::hardened))
        .with_state(Arc::new(app))
}

/// `GET /api/v1/credentials`: the report of the last view.
async fn credentials(State(app): State<Arc<App>>) -> Response {
    let pieces = Box::new(report::pieces(app.observed.view()).map(Bytes::from));
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body::streamed(pieces)).into_response()
}
