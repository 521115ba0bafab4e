//! How a key vault refuses, and what to do about it.

use crate::sources::http::{Explanation, Manner, Refusal, identifier};
use reqwest::StatusCode;
use serde_json::Value;

pub(super) const MANNER: Manner = Manner { explain, advise, crowded: &[] };

/// The inner code says more than the outer one, which is `Forbidden` for whatever is forbidden.
fn explain(body: &Value) -> Explanation {
    let error = &body["error"];
    let inner = [&error["innererror"], &error["innerError"]].into_iter().find_map(|inner| inner["code"].as_str());
    Explanation { code: inner.or_else(|| error["code"].as_str()).and_then(identifier), request: None }
}

fn advise(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (401, _) => "; the token is refused: check tenant_id, and that vault_url belongs to `cloud`",
        (403, "ForbiddenByFirewall" | "ForbiddenByConnection") => {
            "; the vault's firewall does not let this machine in: allow its network there, or reach the vault by a private endpoint"
        }
        (403, "AccessDenied" | "ForbiddenByPolicy") => {
            "; allow List for secrets and for certificates in the vault's access policies (Get is not needed)"
        }
        (403, _) => "; grant Key Vault Reader on the vault, which cannot read values (it takes some minutes to show)",
        (404, _) => "; check vault_url",
        (300..=399, _) => "; redirects are refused, the token was sent nowhere else: check vault_url",
        _ => "",
    }
}

/// Whether the vault itself says that an entry is not there. A 404 without the vault's error code is somebody else's, such as a
/// proxy's, and says nothing about entries.
pub(super) fn is_gone(refusal: &Refusal) -> bool {
    refusal.status == Some(StatusCode::NOT_FOUND) && !refusal.code.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_code_counts_and_each_has_its_advice() {
        for (status, body, code, said) in [
            (
                403,
                r#"{"error":{"code":"Forbidden","message":"m","innererror":{"code":"ForbiddenByRbac"}}}"#,
                "ForbiddenByRbac",
                "grant Key Vault Reader",
            ),
            (
                403,
                r#"{"error":{"code":"Forbidden","innererror":{"code":"ForbiddenByFirewall"}}}"#,
                "ForbiddenByFirewall",
                "the vault's firewall",
            ),
            (
                403,
                r#"{"error":{"code":"Forbidden","innerError":{"code":"ForbiddenByConnection"}}}"#,
                "ForbiddenByConnection",
                "private endpoint",
            ),
            (
                403,
                r#"{"error":{"code":"Forbidden","innererror":{"code":"AccessDenied"}}}"#,
                "AccessDenied",
                "allow List",
            ),
            (403, r#"{"error":{"code":"Forbidden","innererror":null}}"#, "Forbidden", "grant Key Vault Reader"),
            (
                401,
                r#"{"error":{"code":"Unauthorized","message":"AKV10032: Invalid issuer."}}"#,
                "Unauthorized",
                "check tenant_id",
            ),
            (404, r#"{"error":{"code":"SecretNotFound"}}"#, "SecretNotFound", "check vault_url"),
            (403, r#"{"error":{"code":"<b>no code</b>"}}"#, "", "grant Key Vault Reader"),
            (403, "[]", "", "grant Key Vault Reader"),
            (429, r#"{"error":{"code":"Throttled"}}"#, "Throttled", ""),
        ] {
            let explained = explain(&serde_json::from_str(body).unwrap()).code.unwrap_or_default();
            assert_eq!(explained, code, "{body}");
            assert!(advise(status, &explained).contains(said), "{body}");
        }
    }
}
