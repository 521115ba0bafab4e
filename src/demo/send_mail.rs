//! The simulated `sendMail` of Microsoft Graph, for messages in MIME: <https://learn.microsoft.com/graph/api/user-sendmail>.
//!
//! As strict as the real one where a mistake would show: a token for Graph, the mailbox in the path, base64 without anything beside
//! it, recipients in the message's own header, the sender's right to its From, the rate. What it takes lies in the same mailbox as
//! what came by SMTP.

use super::answers;
use super::faults::{Fault, Place};
use super::graph::Site;
use super::mail::{Mailbox, Message};
use super::throttle::Throttle;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use mail_parser::{Address, MessageParser};
use std::sync::Arc;

/// The largest request, in bytes.
const LARGEST: usize = 4 << 20;

/// Exchange's limit on what one mailbox sends.
const MESSAGES_PER_MINUTE: usize = 30;

/// Whoever takes messages.
#[derive(Clone)]
pub(super) struct Desk {
    pub site: Arc<Site>,
    pub mailbox: Mailbox,
    throttle: Arc<Throttle>,
}

impl Desk {
    pub fn new(site: Arc<Site>, mailbox: Mailbox) -> Self {
        let throttle = Arc::new(Throttle::new(Some(MESSAGES_PER_MINUTE), SignedDuration::from_mins(1)));
        Self { site, mailbox, throttle }
    }
}

pub(super) fn router(desk: Desk) -> Router {
    Router::new().route("/v1.0/users/{mailbox}/sendMail", post(send)).with_state(desk)
}

async fn send(
    State(desk): State<Desk>,
    Path(mailbox): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let site = &desk.site;
    let _seen = site.traffic.enter(&uri);
    if let Some(refusal) = site.door(&uri, &headers).await {
        return refusal;
    }
    let fault = site.faults.meet(Place::SendMail);
    // These lose the answer, not the message: the sender cannot know.
    let only_answer = matches!(fault, None | Some(Fault::Slow(_) | Fault::Silence | Fault::CutOff));
    if only_answer && let Some(refusal) = desk.take(&mailbox, &headers, body).await {
        return refusal;
    }
    match answers::get_through(fault).await {
        None => StatusCode::ACCEPTED.into_response(),
        Some(fault) => answers::broken(&fault, b"{\"value\":[]}".to_vec()),
    }
}

impl Desk {
    /// Keeps the message, or gives the refusal.
    async fn take(&self, mailbox: &str, headers: &HeaderMap, body: Body) -> Option<Response> {
        let refuse = |status, code, said| Some(answers::refusal(status, code, said, None));
        let Ok(body) = axum::body::to_bytes(body, LARGEST).await else {
            return refuse(413, "RequestEntityTooLarge", "The request is too large.");
        };
        let options = &self.site.options;
        if headers.get(header::CONTENT_TYPE).is_none_or(|kind| !kind.as_bytes().starts_with(b"text/plain")) {
            return refuse(400, "RequestBodyRead", "The content type is not supported for this request.");
        }
        if !mailbox.eq_ignore_ascii_case(&options.mailbox) {
            return refuse(404, "ErrorInvalidUser", "The requested user is invalid.");
        }
        let Ok(raw) = STANDARD.decode(&body) else {
            return refuse(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.");
        };
        let Some((from, to)) = envelope(&raw) else {
            return refuse(400, "ErrorInvalidRecipients", "At least one recipient isn't valid.");
        };
        if !from.eq_ignore_ascii_case(mailbox) {
            return refuse(
                403,
                "ErrorSendAsDenied",
                "The user account does not have the right to send as that sender.",
            );
        }
        let now = options.clock.now();
        if let Err(seconds) = self.throttle.admit(now) {
            return Some(answers::too_many_requests(Some(seconds)));
        }
        let (raw, user) = (Bytes::from(raw), Some(mailbox.to_owned()));
        self.mailbox.keep(Message { number: 0, at: now, from, to, raw, encrypted: false, user });
        None
    }
}

/// The sender, and everybody whom the header names.
fn envelope(raw: &[u8]) -> Option<(String, Vec<String>)> {
    let parsed = MessageParser::default().parse(raw)?;
    let addresses = |field: Option<&Address<'_>>| -> Vec<String> {
        let named = field.into_iter().flat_map(Address::iter);
        named.filter_map(|one| one.address()).map(str::to_owned).collect()
    };
    let to = [parsed.to(), parsed.cc(), parsed.bcc()].into_iter().flat_map(addresses).collect::<Vec<_>>();
    let from = addresses(parsed.from()).into_iter().next()?;
    (!to.is_empty() && to.iter().all(|address| address.contains('@'))).then_some((from, to))
}
