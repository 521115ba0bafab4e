//! One page of a vault's listing, as Key Vault writes it.
//!
//! Owns the wire format. What is not named here is skipped without being looked at; there is no field for `value`.

use crate::sources::entra::{Written, without_quotes};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::fmt;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    /// Must be there, so that an answer of another kind cannot pass for an empty listing.
    #[serde(borrow)]
    value: Vec<Item<'a>>,
    #[serde(borrow)]
    next_link: Option<Written<'a>>,
}

/// An entry, or a version of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item<'a> {
    /// `https://<vault>/secrets/<name>`, and `/<version>` where it is one.
    #[serde(borrow)]
    pub id: Written<'a>,
    #[serde(default)]
    attributes: Option<Attributes>,
    #[serde(borrow)]
    pub content_type: Option<Written<'a>>,
    #[serde(borrow)]
    tags: Option<Tags<'a>>,
    /// True for the secret that stands behind a certificate.
    managed: Option<bool>,
}

/// Dates in Unix seconds.
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Attributes {
    pub enabled: Option<bool>,
    pub nbf: Option<i64>,
    pub exp: Option<i64>,
    pub created: Option<i64>,
}

impl Item<'_> {
    pub fn attributes(&self) -> Attributes {
        self.attributes.unwrap_or_default()
    }

    pub fn is_managed(&self) -> bool {
        self.managed.unwrap_or(false)
    }

    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags.iter().flat_map(|tags| tags.0.iter().map(|(name, value)| (&**name, &**value)))
    }
}

/// Names and values, in the order of the page.
struct Tags<'a>(Vec<(Written<'a>, Written<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Tags<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsWritten;

        impl<'de> Visitor<'de> for AsWritten {
            type Value = Tags<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tags")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut tags = Vec::new();
                while let Some((name, value)) = map.next_entry::<Written<'de>, Option<Written<'de>>>()? {
                    tags.extend(value.map(|value| (name, value)));
                }
                Ok(Tags(tags))
            }
        }
        deserializer.deserialize_map(AsWritten)
    }
}

/// The items of a page and the link to the next one; null and empty both mean that there is none.
///
/// # Errors
/// When it is no page; in words that quote nothing of it.
pub(super) fn read(body: &[u8]) -> Result<(Vec<Item<'_>>, Option<String>), String> {
    let page: Page<'_> = serde_json::from_slice(body).map_err(|error| without_quotes(&error))?;
    let link = page.next_link.as_deref().filter(|link| !link.is_empty()).map(str::to_owned);
    Ok((page.value, link))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str) -> Result<(Vec<String>, Option<String>), String> {
        read(body.as_bytes()).map(|(items, link)| (items.iter().map(|item| item.id.to_string()).collect(), link))
    }

    #[test]
    fn a_page_is_its_items_and_its_link_which_may_be_null_or_empty() {
        for (link, followed) in
            [(r#""https:\/\/kv:443/secrets?a=b""#, Some("https://kv:443/secrets?a=b")), ("null", None), (r#""""#, None)]
        {
            let body = format!(r#"{{"value":[{{"id":"a","surplus":{{}}}},{{"id":"b"}}],"nextLink":{link}}}"#);
            assert_eq!(ids(&body), Ok((vec!["a".to_owned(), "b".to_owned()], followed.map(str::to_owned))));
        }
        assert_eq!(ids(r#"{"value":[]}"#), Ok((vec![], None)));
    }

    #[test]
    fn what_is_not_a_page_is_an_error_that_quotes_nothing_and_never_an_empty_page() {
        for body in [
            "",
            "<html>",
            "{}",
            "[]",
            r#"{"error":{"code":"s3cret"}}"#,
            r#"{"value":null}"#,
            r#"{"value":[{"id":"a"}"#,
            r#"{"value":[]} s3cret"#,
            r#"{"value":[],"value":[]}"#,
            r#"{"value":[{"name":"s3cret"}]}"#,
            r#"{"value":[{"id":"a","attributes":{"exp":"s3cret"}}]}"#,
            r#"{"value":[{"id":"a","attributes":{"exp":1e40}}]}"#,
            r#"{"value":[{"id":"a","attributes":"s3cret"}]}"#,
            r#"{"value":[{"id":"a","tags":["s3cret"]}]}"#,
        ] {
            let said = ids(body).unwrap_err();
            assert!(said.contains("line") && !said.contains("s3cret"), "{body}: {said}");
        }
    }

    #[test]
    fn what_is_absent_or_odd_beside_the_dates_hides_nothing() {
        let body = r#"{"value":[{"id":"a","contentType":"\ud83d alone","tags":{"n":null,"\udc00":"x","keyId":"k"},"managed":null,
            "attributes":{"enabled":null,"exp":1831536764,"nbf":null}},{"id":"b","attributes":null,"tags":null}]}"#;
        let (items, _) = read(body.as_bytes()).unwrap();
        assert_eq!(items[0].tags().collect::<Vec<_>>(), [("\u{fffd}\u{fffd}\u{fffd}", "x"), ("keyId", "k")]);
        assert_eq!((items[0].attributes().exp, items[0].attributes().enabled), (Some(1_831_536_764), None));
        assert_eq!((items[1].attributes().exp, items[1].tags().count(), items[1].is_managed()), (None, 0, false));
    }
}
