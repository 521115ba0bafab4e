//! The simulated Graph's answers: its envelope for errors, and every way in which an answer can be broken.

use super::faults::Fault;
use crate::clock::Clock;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use std::io;

/// One chunk of an answer without end, in bytes.
const CHUNK: usize = 64 * 1024;
const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

pub(super) fn json(body: Bytes) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    ([(header::CONTENT_TYPE, JSON), (header::HeaderName::from_static("request-id"), &*id)], body).into_response()
}

/// Waits out what only delays; what is left must be answered.
pub(super) async fn get_through(fault: Option<Fault>) -> Option<Fault> {
    match fault {
        Some(Fault::Slow(by)) => {
            Clock::System.sleep(by).await;
            None
        }
        Some(Fault::Silence) => std::future::pending().await,
        other => other,
    }
}

/// Graph's envelope for errors.
pub(super) fn refusal(status: u16, code: &str, message: &str, retry_after: Option<i64>) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let inner = json!({ "date": "2026-10-02T06:30:11", "request-id": id, "client-request-id": id });
    let body = json!({ "error": { "code": code, "message": message, "innerError": inner } });
    let mut response = json(body.to_string().into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

pub(super) fn too_many_requests(retry_after: Option<i64>) -> Response {
    refusal(429, "TooManyRequests", "Too many requests.", retry_after)
}

pub(super) fn expired_page_token() -> Response {
    let said = "The specified page token value has expired and can no longer be included in your request.";
    refusal(400, "Directory_ExpiredPageToken", said, None)
}

/// What `fault` makes of an answer that would have been `body`.
pub(super) fn broken(fault: &Fault, body: Vec<u8>) -> Response {
    match fault {
        Fault::TooManyRequests { retry_after } => too_many_requests(retry_after.map(Into::into)),
        Fault::Unavailable { retry_after } => {
            let said = "The service is temporarily unavailable.";
            refusal(503, "ServiceUnavailable", said, retry_after.map(Into::into))
        }
        Fault::Unauthorized => refusal(401, "InvalidAuthenticationToken", "Access token validation failure.", None),
        Fault::Denied => {
            refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", None)
        }
        Fault::NoLicence => {
            let said = "Neither tenant is B2C or tenant doesn't have premium license";
            refusal(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", said, None)
        }
        Fault::ExpiredPageToken => expired_page_token(),
        Fault::Refusal { status, code } => refusal(*status, code, "Refused by the script.", None),
        Fault::CutOff => cut_off(body),
        Fault::TruncatedJson => json(Bytes::copy_from_slice(&body[..body.len() / 2])),
        Fault::Html502 => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
            (StatusCode::BAD_GATEWAY, axum::response::Html(page)).into_response()
        }
        Fault::RedirectTo(address) => (StatusCode::FOUND, [(header::LOCATION, address.clone())]).into_response(),
        Fault::Endless => endless(),
        // These change a page, or have been waited out; on their own they leave the answer as it is.
        Fault::Pass | Fault::EmptyPage | Fault::NextLinkTo(_) | Fault::Slow(_) | Fault::Silence => json(body.into()),
    }
}

/// Announces all of `body`, sends half, and hangs up.
fn cut_off(body: Vec<u8>) -> Response {
    let length = body.len();
    let half = body[..length / 2].to_vec();
    let parts = stream::unfold(Some(half), |half| async move {
        let half = half?;
        if half.is_empty() {
            // Leaves the server time to send what it has before it learns of the end.
            tokio::task::yield_now().await;
            return Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None));
        }
        Some((Ok(half), Some(Vec::new())))
    });
    let mut response = json(Bytes::new());
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    *response.body_mut() = Body::from_stream(parts);
    response
}

/// A list of well-formed objects that goes on until the reader hangs up.
fn endless() -> Response {
    let object =
        r#"{"id":"0","appId":"0","displayName":"endless","tags":[],"passwordCredentials":[],"keyCredentials":[]},"#;
    let chunk = Bytes::from(object.repeat(CHUNK / object.len()));
    let parts = stream::unfold(Bytes::from_static(br#"{"value":["#), move |part| {
        let next = chunk.clone();
        async move { Some((Ok::<_, io::Error>(part), next)) }
    });
    let mut response = json(Bytes::new());
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from_stream(parts);
    response
}
