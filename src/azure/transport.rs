//! The HTTP client under `azure_identity`: limited in time and size, without redirects.
//!
//! `azure_identity` insists on an https authority. For one on this machine that speaks plain http (tests, the demo), it is told the
//! https form, and this door leads back to the real one.

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, RawResponse, Request, StatusCode};
use reqwest::{Client, ClientBuilder, redirect};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use url::Url;

/// The most that is read of an answer; a token is a few KiB.
const LARGEST: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Door {
    /// For https; by way of a proxy where the environment names one.
    client: Client,
    /// For plain http: the platform's own identity endpoints, which no proxy can reach.
    direct: Client,
    /// As `azure_identity` is told it.
    authority: Url,
    /// Whether that stands for plain http.
    plain: bool,
}

impl Door {
    pub fn new(authority: &Url) -> Result<Self, reqwest::Error> {
        let plain = authority.scheme() == "http";
        let mut told = authority.clone();
        if plain {
            // Without a port it would become the one of https; both changes are valid for any http URL.
            let _ = told.set_scheme("https");
            let _ = told.set_port(authority.port_or_known_default());
        }
        let direct = builder().no_proxy().build()?;
        Ok(Self { client: builder().build()?, direct, authority: told, plain })
    }

    pub fn authority(&self) -> &Url {
        &self.authority
    }

    /// Where the request really goes, and through which client.
    fn way(&self, url: &Url) -> (Url, &Client) {
        let mut url = url.clone();
        if self.plain && url.origin() == self.authority.origin() {
            let port = url.port_or_known_default();
            let _ = url.set_scheme("http");
            let _ = url.set_port(port);
        }
        let client = if url.scheme() == "http" { &self.direct } else { &self.client };
        (url, client)
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(15))
}

#[async_trait]
impl HttpClient for Door {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse, Error> {
        let (url, client) = self.way(request.url());
        let mut sent = match request.method() {
            Method::Post => client.post(url),
            _ => client.get(url),
        };
        for (name, value) in request.headers().iter() {
            sent = sent.header(name.as_str(), value.as_str());
        }
        if let Body::Bytes(bytes) = request.body() {
            sent = sent.body(bytes.clone());
        }
        let mut response = sent.send().await.map_err(network)?;
        let status = StatusCode::from(response.status().as_u16());
        let headers = headers(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(network)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(Error::with_message(ErrorKind::Other, "the answer of the sign-in service is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(refused(status, headers, &body));
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// An answer that refuses. `azure_identity` would read it too, but it gives up on a description with an escaped line break in it,
/// and on what is not JSON, and then loses the status.
fn refused(status: StatusCode, headers: Headers, body: &[u8]) -> Error {
    let explained = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let said = explained["error_description"].as_str().or(explained["message"].as_str());
    let said = said.map_or_else(|| status.canonical_reason().into_owned(), str::to_owned);
    let raw_response = Some(Box::new(RawResponse::from_bytes(status, headers, Vec::new())));
    Error::new(ErrorKind::HttpResponse { status, error_code: None, raw_response }, said)
}

fn network(error: reqwest::Error) -> Error {
    let kind = if error.is_connect() { ErrorKind::Connection } else { ErrorKind::Io };
    Error::new(kind, error.without_url())
}

fn headers(received: &reqwest::header::HeaderMap) -> Headers {
    let text = received.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?)));
    let pairs = text.map(|(name, value)| (HeaderName::from(name), HeaderValue::from(value.to_owned())));
    Headers::from(pairs.collect::<HashMap<_, _>>())
}
