//! What the web answers, asked without a listener.

use axum::body::Body;
use axum::http::Request;
use expiry_watch::clock::Clock;
use expiry_watch::observe::{Archive, Observed};
use expiry_watch::web;
use http_body_util::BodyExt;
use std::sync::Arc;
use tower::ServiceExt;

pub fn app(observed: Arc<Observed>, metrics: Arc<web::Metrics>, feeds: web::Feeds, clock: &Clock) -> web::App {
    let (clock, feeds) = (clock.clone(), Arc::new(feeds));
    let archive = Archive::new().0;
    web::App {
        archive,
        observed,
        metrics,
        clock,
        version: "0",
        revision: "",
        access_token: None,
        feeds,
        demo_mail: false,
    }
}

pub async fn get(app: web::App, path: &str) -> String {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = web::router(app).oneshot(request).await.unwrap();
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}
