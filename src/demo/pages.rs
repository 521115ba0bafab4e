//! The pages that show what the simulated mail server kept: `/demo/mail` and `/demo/mail/{n}`.
//!
//! A mail's HTML is shown as a mail program would show it, but walled in: an iframe without rights, and a policy that forbids
//! scripts, images and every connection.

use super::letter::Letter;
use super::mail::{Mailbox, Message};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, html};

/// How many messages the list shows.
const MOST_LISTED: usize = 500;

const STYLE: &str = "
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
th, td.when { white-space: nowrap; } td { overflow-wrap: break-word; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); border-radius: 6px; padding: 1rem; }
iframe { width: 100%; height: 36rem; border: 1px solid var(--line); border-radius: 6px; }
";

/// What the pages may do: show themselves. The framed mail inherits it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The pages over a mailbox, to be merged into the service's own.
pub fn router(mailbox: Mailbox) -> Router {
    Router::new().route("/demo/mail", get(list)).route("/demo/mail/{number}", get(one)).with_state(mailbox)
}

async fn list(State(mailbox): State<Mailbox>) -> Response {
    let messages = mailbox.messages();
    let title = format!("Mail sent: {}", messages.len());
    page(
        &title,
        StatusCode::OK,
        &html! {
            p { "What the service handed to the simulated mail server, the newest first." }
            @if messages.is_empty() { p { "Nothing yet." } }
            @else {
                table {
                    thead { tr { th { "Time (UTC)" } th { "To" } th { "Subject" } } }
                    tbody { @for message in messages.iter().rev().take(MOST_LISTED) { (row(message)) } }
                }
            }
        },
    )
}

fn row(message: &Message) -> Markup {
    let subject = message.read().subject;
    html! {
        tr {
            td.when { (message.at.strftime("%Y-%m-%d %H:%M:%S").to_string()) }
            td { (message.to.join(", ")) }
            td { a href={ "/demo/mail/" (message.number) } {
                @if subject.is_empty() { "(no subject)" } @else { (subject) }
            } }
        }
    }
}

async fn one(State(mailbox): State<Mailbox>, Path(number): Path<String>) -> Response {
    let Some(message) = number.parse().ok().and_then(|number| mailbox.number(number)) else {
        let missing = html! { p { "There is no such message. " a href="/demo/mail" { "All messages" } } };
        return page("Not found", StatusCode::NOT_FOUND, &missing);
    };
    let letter = message.read();
    page(
        &letter.subject,
        StatusCode::OK,
        &html! {
            p { a href="/demo/mail" { "All messages" } }
            (headers(&message, &letter))
            @if let Some(body) = &letter.html {
                h2 { "HTML" }
                iframe sandbox="" title="The HTML part" srcdoc=(body) {}
            }
            @if let Some(text) = &letter.text { h2 { "Text" } pre { (text) } }
            @if let Some(calendar) = &letter.calendar { h2 { "Calendar" } pre { (calendar) } }
        },
    )
}

fn headers(message: &Message, letter: &Letter) -> Markup {
    html! {
        table { tbody {
            tr { th { "Envelope" } td { "from " (message.from) " to " (message.to.join(", ")) } }
            @for (name, value) in &letter.headers { tr { th { (name) } td { (value) } } }
        } }
    }
}

fn page(title: &str, status: StatusCode, content: &Markup) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body { h1 { (title) } (content) }
        }
    };
    let guards = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, guards, Html(document.into_string())).into_response()
}
