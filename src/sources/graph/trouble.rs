//! What can go wrong with one try, what may help, and how it is told.

use super::Refusal;
use crate::sources::ReadError;
use crate::sources::azure::SignInError;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::error::Error;
use std::time::Duration;

/// One try that failed.
pub(super) struct Trouble {
    /// What happened, for people.
    problem: String,
    /// Graph's error code; empty where there is none.
    code: String,
    advice: &'static str,
    pub remedy: Remedy,
}

/// What may help.
pub(super) enum Remedy {
    None,
    /// To sign in again: the token with this serial number was refused.
    SignIn(u64),
    /// To wait, perhaps for as long as the server said.
    Wait(Option<Duration>),
}

impl Trouble {
    fn new(problem: String, remedy: Remedy) -> Self {
        Self { problem, code: String::new(), advice: "", remedy }
    }

    /// The refusal that is handed up: what was asked, what happened, why it ends here.
    pub fn told(self, what: &str, end: &str) -> Refusal {
        Refusal { error: ReadError::new(&format!("{what}: {}{end}{}", self.problem, self.advice)), code: self.code }
    }

    pub fn signing_in(error: SignInError) -> Self {
        Self::new(error.problem, if error.passing { Remedy::Wait(error.retry_after) } else { Remedy::None })
    }

    pub fn network(error: &reqwest::Error) -> Self {
        let problem = match error {
            error if error.is_timeout() => "no complete answer in time".to_owned(),
            error if error.is_connect() => format!("no connection ({})", root(error)),
            error => format!("the answer broke off ({})", root(error)),
        };
        Self::new(problem, Remedy::Wait(None))
    }

    pub fn too_large(limit: usize) -> Self {
        Self::new(format!("the answer is larger than {} KiB and was not read on", limit >> 10), Remedy::None)
    }

    pub fn status(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        retry_after: Option<Duration>,
        serial: u64,
    ) -> Self {
        let (code, request) = explanation(body);
        let request = request.or_else(|| identifier(headers.get("request-id")?.to_str().ok()?));
        let mut problem = status.as_u16().to_string();
        match (code.is_empty(), status.canonical_reason()) {
            (false, _) => problem.push_str(&format!(" {code}")),
            (true, Some(reason)) => problem.push_str(&format!(" {reason}")),
            (true, None) => {}
        }
        if let Some(request) = request {
            problem.push_str(&format!(", request-id {request}"));
        }
        let (remedy, advice) = remedy(status, retry_after, serial);
        Self { problem, code, advice, remedy }
    }
}

fn remedy(status: StatusCode, retry_after: Option<Duration>, serial: u64) -> (Remedy, &'static str) {
    match status.as_u16() {
        401 => {
            (Remedy::SignIn(serial), "; the token is refused: check tenant_id, and that graph_url belongs to `cloud`")
        }
        403 => (
            Remedy::None,
            "; grant Application.Read.All with admin consent (a managed identity's tokens are cached: up to 24 h until it shows)",
        ),
        404 => (Remedy::None, "; check graph_url"),
        408 | 429 | 500 | 502 | 503 | 504 => (Remedy::Wait(retry_after), ""),
        300..=399 => (Remedy::None, "; redirects are refused, the token was sent nowhere else: check graph_url"),
        _ => (Remedy::None, ""),
    }
}

/// Graph's error code and request id, from its error envelope; the casing of `innerError` varies.
fn explanation(body: &[u8]) -> (String, Option<String>) {
    let Ok(envelope) = serde_json::from_slice::<Value>(body) else { return (String::new(), None) };
    let error = &envelope["error"];
    let code = error["code"].as_str().and_then(identifier).unwrap_or_default();
    let inner = [&error["innerError"], &error["innererror"]];
    let request = inner.iter().find_map(|inner| identifier(inner["request-id"].as_str()?));
    (code, request)
}

/// A code or an id, as far as it looks like one: what a server makes up does not get far, nor does a token that it sends back.
fn identifier(written: &str) -> Option<String> {
    let plain = written.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    (plain && (1..=64).contains(&written.len())).then(|| written.to_owned())
}

/// The innermost cause; the outer ones name the URL, whose query is not for show.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => "no more is known".to_owned(),
        None => cause.to_string(),
    }
}
