//! `/`: the state of everything, for people. Works without scripts, in light and in dark, on a telephone.
//!
//! All text passes through maud, which escapes it; nothing is written past it. Colour never says what words do not.

mod filter;
mod tables;

use super::App;
use super::health::{Health, Level, assess};
use crate::decide::Calendar;
use crate::observe::View;
use crate::report::sorted_by_expiry;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use filter::Filter;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::sync::Arc;

const STYLE: &str = include_str!("page/style.css");

/// How many credentials a page shows.
pub const PER_PAGE: usize = 500;

/// What every part of the page is written from.
struct Scene<'a> {
    view: &'a View,
    now: Timestamp,
    calendar: Calendar<'a>,
}

impl Scene<'_> {
    fn minute(&self, instant: Timestamp) -> String {
        self.view.policy.zone.to_datetime(instant).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// `12 min ago`
    fn ago(&self, then: Timestamp) -> String {
        let seconds = self.now.duration_since(then).as_secs();
        match seconds {
            ..=59 => "just now".to_owned(),
            60..=7_199 => format!("{} min ago", seconds / 60),
            7_200..=172_799 => format!("{} h ago", seconds / 3_600),
            _ => format!("{} days ago", seconds / 86_400),
        }
    }
}

/// `GET /`
pub async fn page(State(app): State<Arc<App>>, Query(filter): Query<Filter>) -> Response {
    let view = app.observed.view();
    let (outbox, pulse, now) = (app.observed.outbox(), app.observed.pulse(), app.clock.now());
    let scene = Scene { view: &view, now, calendar: Calendar::new(&view.policy.zone, view.at) };
    let found = sorted_by_expiry(&view, filter.select(&view));
    let body = html! {
        (heading(&scene, &app))
        (health(&assess(&view, &outbox, &pulse, now)))
        main {
            (tables::tiles(&scene, &filter))
            section aria-labelledby="credentials" {
                h2 id="credentials" { "Credentials, the soonest end first" }
                (filter.form(&view))
                (tables::credentials(&scene, &filter, &found))
            }
            section aria-labelledby="sources" {
                h2 id="sources" { "Sources" }
                (tables::sources(&scene))
            }
            section aria-labelledby="mail" {
                h2 id="mail" { "Mail" }
                @if app.demo_mail { p { a href="/demo/mail" { "Read the mails that the demo has sent" } } }
                (tables::outbox(&scene, &outbox))
            }
        }
        footer {
            "Expiry Watch " (app.version) " · "
            a href="/api/v1/credentials" { "JSON" } " · " a href="/metrics" { "metrics" } " · " a href="/health" { "health" }
        }
    };
    layout("Expiry Watch", &body).into_response()
}

/// Any other path.
pub async fn not_found(uri: Uri) -> Response {
    let body = html! {
        main {
            h1 { "Nothing is here" }
            p { "There is no page " code { (uri.path()) } "." }
            p { a href="/" { "To the status page" } }
        }
    };
    (StatusCode::NOT_FOUND, layout("Nothing is here", &body)).into_response()
}

fn layout(title: &str, body: &Markup) -> Html<String> {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    Html(document.into_string())
}

fn heading(scene: &Scene<'_>, app: &App) -> Markup {
    let zone = scene.view.policy.zone.iana_name().unwrap_or("local time");
    html! {
        header {
            h1 { a href="/" { "Expiry Watch" } }
            p {
                "As of " time datetime=(scene.view.at) { (scene.minute(scene.view.at)) } " (" (scene.ago(scene.view.at)) "), "
                "times in " (zone)
                @if app.demo_mail { " · " a href="/demo/mail" { "mails sent by the demo" } }
            }
        }
    }
}

fn health(health: &Health) -> Markup {
    let words = match health.level {
        Level::Ok => "The watch is well: sources are read and mail goes out.",
        Level::Degraded => "Something is held up.",
        Level::Failing => "The watch cannot be relied upon at present.",
    };
    html! {
        div class={ "health " (health.level.as_str()) } role="status" {
            strong { (health.level.as_str()) } " " (words)
            @if !health.reasons.is_empty() {
                ul { @for reason in &health.reasons { li { (reason) } } }
            }
        }
    }
}
