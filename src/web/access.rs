//! Who may look: everybody, or who knows the access token.

use super::App;
use crate::config::Secret;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The longest query that is looked at, in bytes.
const LONGEST_QUERY: usize = 2_048;

const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"expiry-watch\", charset=\"UTF-8\", Bearer");

/// Refuses what is too long or not allowed, and gives every answer the headers that keep a browser from doing more than show it.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = if request.uri().query().is_some_and(|query| query.len() > LONGEST_QUERY) {
        (StatusCode::URI_TOO_LONG, "The query is too long.\n").into_response()
    } else if is_open(request.uri().path()) || is_allowed(app.access_token.as_ref(), request.headers()) {
        next.run(request).await
    } else {
        let challenge = [(header::WWW_AUTHENTICATE, CHALLENGE)];
        (StatusCode::UNAUTHORIZED, challenge, "This needs the access token.\n").into_response()
    };
    harden(response.headers_mut());
    response
}

/// An answer as every listener gives it.
pub async fn hardened(mut response: Response) -> Response {
    harden(response.headers_mut());
    response
}

/// Probes carry no token, and a feed's address is its own.
fn is_open(path: &str) -> bool {
    path == "/health" || path == "/health/live" || path.starts_with("/calendar/")
}

fn is_allowed(token: Option<&Secret>, headers: &HeaderMap) -> bool {
    let Some(token) = token else { return true };
    presented(headers).is_some_and(|given| given.as_slice().ct_eq(token.expose().as_bytes()).into())
}

/// The token of `Bearer <token>`, or the password of `Basic <user:password>` whoever the user is.
fn presented(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(rest).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[colon + 1..].to_vec())
}

fn harden(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_as_bearer_or_as_any_users_password() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let token = Secret::new("s3cret:with colon");
        for (given, allowed) in [
            ("Bearer s3cret:with colon".to_owned(), true),
            ("bearer s3cret:with colon".to_owned(), true),
            (basic("anybody:s3cret:with colon"), true),
            (basic(":s3cret:with colon"), true),
            (basic("s3cret:with colon"), false),
            (basic("anybody:"), false),
            ("Bearer s3cret:with".to_owned(), false),
            ("Bearer ".to_owned(), false),
            ("Bearer".to_owned(), false),
            ("Basic !!!".to_owned(), false),
            ("Digest s3cret:with colon".to_owned(), false),
            (String::new(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, given.parse().unwrap());
            assert_eq!(is_allowed(Some(&token), &headers), allowed, "{given}");
            assert!(is_allowed(None, &headers));
        }
        assert!(!is_allowed(Some(&token), &HeaderMap::new()));
    }
}
