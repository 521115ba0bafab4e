//! The status page: `/` for everything, `/credential` for the story of one.
//!
//! Written whole on the server, and whole without scripts: what `page.js` adds is that it stays up to date. All text passes through
//! maud, which escapes it; nothing is written past it. Colour never says what words do not.

mod answer;
mod assets;
mod attention;
mod credential;
mod filter;
mod forecast;
mod horizon;
mod list;
mod lives;
mod scene;
mod story;
#[cfg(test)]
mod tests;
mod timeline;
mod watch;

pub use assets::{icon, script, style};

use super::App;
use super::health::assess;
use super::metrics::accepts_gzip;
use crate::domain::CredentialId;
use crate::observe::Pulse;
use crate::report::sorted_by_expiry;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use filter::Filter;
use flate2::Compression;
use flate2::write::GzEncoder;
use maud::{DOCTYPE, Markup, html};
use scene::Scene;
use serde::Deserialize;
use std::io::Write;
use std::sync::Arc;

/// How many credentials a page lists.
pub const PER_PAGE: usize = 100;

/// `GET /`
pub async fn page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<Filter>, QueryRejection>,
) -> Response {
    // A query that cannot be read asks for nothing in particular.
    let filter = query.map(|Query(filter)| filter).unwrap_or_default();
    let view = app.observed.view();
    let (outbox, pulse, now) = (app.observed.outbox(), app.observed.pulse(), app.clock.now());
    let scene = Scene::new(&view, now);
    let found = sorted_by_expiry(&view, filter.select(&view));
    let needs = attention::needs(&scene, &found);
    let health = assess(&view, &outbox, &pulse, now);
    let answer = answer::Answer::new(&scene, &filter, &found, &needs, &health);
    let forecast = app.observed.forecast();
    let main = html! {
        (answer.markup(&scene, &outbox))
        (filter.form(&view, found.len()))
        (timeline::section(&scene, &filter, &found))
        (attention::section(&scene, &filter, &needs))
        (list::section(&scene, &filter, &found))
        @if let Some(rows) = &forecast { (forecast::forecast_section(&scene, &filter, rows)) }
        (watch::sources(&scene))
        (watch::mail(&scene, &outbox, app.demo_mail))
    };
    let body = frame(&app, Some((&scene, &pulse)), &main);
    sent(&headers, StatusCode::OK, &layout(&answer.title(), &body))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Which {
    id: String,
}

/// `GET /credential?id=<id>`. Ids hold slashes and colons, which a query may.
pub async fn credential(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<Which>, QueryRejection>,
) -> Response {
    let view = app.observed.view();
    let scene = Scene::new(&view, app.clock.now());
    let id = query.map(|Query(which)| CredentialId::parse(&which.id)).ok();
    let Some(index) = id.as_ref().and_then(|id| scene.entry(id)) else {
        return missing(&app, &headers, &credential::unknown());
    };
    let one = scene.one(index);
    let history = app.archive.history(one.credential().id.clone()).await;
    let body = frame(&app, Some((&scene, &app.observed.pulse())), &credential::page(&one, history.as_ref()));
    sent(&headers, StatusCode::OK, &layout(one.credential().holder.name.as_str(), &body))
}

/// Any other path. It is not repeated: whoever made the link chose its words.
pub async fn not_found(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let words = html! { p { "There is no page at this address." } };
    missing(&app, &headers, &words)
}

fn missing(app: &App, headers: &HeaderMap, words: &Markup) -> Response {
    let main = html! {
        h1 { "Nothing is here" }
        (words)
        p { a href="/" { "To everything that is watched" } }
    };
    sent(headers, StatusCode::NOT_FOUND, &layout("Nothing is here", &frame(app, None, &main)))
}

fn layout(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Expiry Watch" }
                link rel="icon" type="image/svg+xml" href=(assets::ICON.link());
                link rel="stylesheet" href=(assets::STYLE.link());
                script src=(assets::SCRIPT.link()) defer {}
            }
            body { (body) }
        }
    }
}

/// What stands around every page's own part.
fn frame(app: &App, shown: Option<(&Scene<'_>, &Pulse)>, main: &Markup) -> Markup {
    html! {
        a class="skip" href="#main" { "To the content" }
        header {
            a class="brand" href="/" { "Expiry Watch" }
            @if let Some((scene, pulse)) = shown { (as_of(scene, pulse)) }
        }
        main id="main" tabindex="-1" { (main) }
        footer {
            p {
                "Expiry Watch " (app.version) " · "
                a href="/api/v1/credentials" { "JSON" } " · " a href="/metrics" { "metrics" } " · " a href="/health" { "health" }
                @if app.demo_mail { " · " a href="/demo/mail" { "mails sent by the demo" } }
            }
        }
    }
}

/// How old the page's facts are. `page.js` says in the empty paragraph that it could not fetch newer ones.
fn as_of(scene: &Scene<'_>, pulse: &Pulse) -> Markup {
    html! {
        p id="as-of" {
            "As of " (scene.time(scene.view.at)) " (" (scene.ago(scene.view.at)) "), times in " (scene.zone_name())
            @if pulse.polling_since.is_some() { " · reading anew at this moment" }
        }
        p id="behind" role="status" {}
    }
}

/// The page, compressed for whoever can read that.
fn sent(headers: &HeaderMap, status: StatusCode, page: &Markup) -> Response {
    let vary = [(header::VARY, HeaderValue::from_static("accept-encoding"))];
    if accepts_gzip(headers) {
        let mut encoder = GzEncoder::new(Vec::with_capacity(page.0.len() / 6), Compression::fast());
        // Writing to memory cannot fail; if it did, the page would go out as it is.
        if let Ok(packed) = encoder.write_all(page.0.as_bytes()).and_then(|()| encoder.finish()) {
            let coding = [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (header::CONTENT_ENCODING, HeaderValue::from_static("gzip")),
            ];
            return (status, vary, coding, packed).into_response();
        }
    }
    (status, vary, Html(page.0.clone())).into_response()
}
