//! How Microsoft Graph refuses: its error envelope, and what to do about each refusal.

use super::http::{Explanation, Manner, identifier};
use serde_json::Value;

pub(super) const MANNER: Manner = Manner { explain, advise, crowded: &[] };

/// Error code and request id, from Graph's error envelope; the casing of `innerError` varies.
fn explain(body: &Value) -> Explanation {
    let error = &body["error"];
    let inner = [&error["innerError"], &error["innererror"]];
    Explanation {
        code: error["code"].as_str().and_then(identifier),
        request: inner.iter().find_map(|inner| identifier(inner["request-id"].as_str()?)),
    }
}

fn advise(status: u16, _code: &str) -> &'static str {
    match status {
        401 => "; the token is refused: check tenant_id, and that graph_url belongs to `cloud`",
        403 => {
            "; grant Application.Read.All with admin consent (a managed identity's tokens are cached: up to 24 h until it shows)"
        }
        404 => "; check graph_url",
        300..=399 => "; redirects are refused, the token was sent nowhere else: check graph_url",
        _ => "",
    }
}
