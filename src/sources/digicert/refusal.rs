//! How CertCentral refuses, and what to do about it.

use crate::sources::http::{Explanation, Manner, identifier};
use serde_json::Value;
use std::time::Duration;

/// 429 comes without a word on how long: first the short span of the budget, and in the end more than the long one.
pub(super) const MANNER: Manner = Manner {
    explain,
    advise,
    crowded: &[Duration::from_secs(5), Duration::from_secs(15), Duration::from_secs(45), Duration::from_secs(135)],
};

/// `errors` is a list, or the one error itself.
fn explain(body: &Value) -> Explanation {
    let errors = &body["errors"];
    let first = errors.get(0).unwrap_or(errors);
    Explanation { code: first["code"].as_str().and_then(identifier), request: None }
}

fn advise(status: u16, code: &str) -> &'static str {
    match status {
        401 => "; the key is refused: check api_key, and that url is that of the account's region",
        403 => "; check api_key, and that its user may see orders: the role View Only suffices",
        404 if code.is_empty() || code.ends_with("|route") => "; check url",
        300..=399 => "; redirects are refused, the key was sent nowhere else: check url",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_in_a_list_and_in_an_object_and_nowhere_else() {
        for (body, code) in [
            (include_str!("../../../tests/fixtures/digicert/error_403.json"), Some("access_denied|missing_permission")),
            (include_str!("../../../tests/fixtures/digicert/error_404_order.json"), Some("not_found|order")),
            (include_str!("../../../tests/fixtures/digicert/error_429.json"), Some("request_limit_exceeded")),
            (include_str!("../../../tests/fixtures/digicert/error_object_variant.json"), Some("not_found|route")),
            (r#"{"errors":[]}"#, None),
            (r#"{"errors":"broken"}"#, None),
            (r#"{"errors":[{"code":"<b>no code</b>"}]}"#, None),
            (r#"{"errors":[{"code":5}]}"#, None),
            ("[]", None),
        ] {
            let said = explain(&serde_json::from_str(body).unwrap());
            assert_eq!(said.code.as_deref(), code, "{body}");
        }
    }
}
