//! What our HTTP clients have in common: how they are set up, and how an answer is read, or that there is none.
//!
//! Owns limits, the reading of refusals, and the wording of what went wrong on the way. Refuses to know who asks for what, when to
//! try again, and what an answer means.

pub(crate) mod pacer;
#[cfg(test)]
pub(crate) mod testing;

use crate::config;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Response, StatusCode, redirect};
use serde_json::Value;
use std::error::Error;
use std::time::Duration;
use url::Url;

/// The most that is read of an answer that only explains an error.
pub(crate) const EXPLANATION: usize = 64 << 10;

/// The most that is set aside for an answer because of its own word.
const SET_ASIDE: u64 = 4 << 20;

/// A client for requests to `base`, each of which will be given so long. Redirects are refused, since a token goes to the configured
/// host alone, and no proxy is asked for the way to this machine.
pub(crate) fn client(base: &Url, request: Duration) -> ClientBuilder {
    let client = Client::builder()
        .user_agent(concat!("expiry-watch/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10).min(request));
    if is_loopback(base) { client.no_proxy() } else { client }
}

/// Whether a URL leads to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    url.host().is_some_and(|host| config::is_loopback(&host))
}

/// Why an answer could not be read to its end.
pub(crate) enum Broken {
    Network(reqwest::Error),
    /// It is larger than this many bytes.
    TooLarge(usize),
}

/// Reads a whole body into `body`, up to `limit` bytes after unpacking.
pub(crate) async fn receive(response: &mut Response, limit: usize, body: &mut Vec<u8>) -> Result<(), Broken> {
    body.clear();
    let announced = response.content_length().unwrap_or_default().min(SET_ASIDE);
    body.reserve(usize::try_from(announced).unwrap_or_default());
    while let Some(chunk) = response.chunk().await.map_err(Broken::Network)? {
        if body.len() + chunk.len() > limit {
            return Err(Broken::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

/// What a refusal says of itself. Only what looks like an identifier gets here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub code: Option<String>,
    pub request: Option<String>,
}

impl Explanation {
    /// Reads the rest of a refusal, as far as it can be read, in the manner of the system that refuses. Never what opened the door,
    /// should the server send it back.
    pub async fn of(
        response: &mut Response,
        explain: fn(&Value) -> Self,
        body: &mut Vec<u8>,
        secret: &HeaderValue,
    ) -> Self {
        // An explanation that cannot be read leaves the status, which is the better half.
        let _ = receive(response, EXPLANATION, body).await;
        let said = serde_json::from_slice(body).map(|body| explain(&body)).unwrap_or_default();
        let header = |name: &str| identifier(response.headers().get(name)?.to_str().ok()?);
        let request = said.request.or_else(|| header("request-id")).or_else(|| header("x-ms-request-id"));
        let secret = secret.to_str().unwrap_or_default();
        let secret = secret.strip_prefix("Bearer ").unwrap_or(secret);
        let harmless = |word: &String| secret.is_empty() || !word.contains(secret);
        Self { code: said.code.filter(harmless), request: request.filter(harmless) }
    }

    /// `429 TooManyRequests, request-id 6b2c...`
    pub fn line(&self, status: StatusCode) -> String {
        let mut line = status.as_u16().to_string();
        match (&self.code, status.canonical_reason()) {
            (Some(code), _) => line.push_str(&format!(" {code}")),
            (None, Some(reason)) => line.push_str(&format!(" {reason}")),
            (None, None) => {}
        }
        if let Some(request) = &self.request {
            line.push_str(&format!(", request-id {request}"));
        }
        line
    }
}

/// Error code and request id, from Microsoft Graph's error envelope; the casing of `innerError` varies.
pub(crate) fn explained_by_graph(body: &Value) -> Explanation {
    let error = &body["error"];
    let inner = [&error["innerError"], &error["innererror"]];
    Explanation {
        code: error["code"].as_str().and_then(identifier),
        request: inner.iter().find_map(|inner| identifier(inner["request-id"].as_str()?)),
    }
}

/// A code or an id, as far as it looks like one: what a server makes up does not get far, nor does a token that it sends back.
pub(crate) fn identifier(written: &str) -> Option<String> {
    let plain = written.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'|'));
    (plain && (1..=64).contains(&written.len())).then(|| written.to_owned())
}

/// What `Retry-After` asks for (RFC 9110, section 10.2.3): seconds or a date. Zero counts as silence: what is tried again at once
/// counts against us.
pub(crate) fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let written = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match written.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = rfc2822::DateTimeParser::new().parse_timestamp(written).ok()?;
            Duration::try_from(at.duration_since(now)).ok()?
        }
    };
    (!asked.is_zero()).then_some(asked)
}

/// Why no answer came, in words.
pub(crate) fn no_answer(error: &reqwest::Error) -> String {
    match error {
        error if error.is_timeout() => "no complete answer in time".to_owned(),
        error if error.is_connect() => format!("no connection ({})", root(error)),
        error => format!("the answer broke off ({})", root(error)),
    }
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
