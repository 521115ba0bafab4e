//! One page of a listing, as Graph writes it (OData JSON).
//!
//! Owns the wire format. Objects are handed on one by one while the page is parsed and borrow their text from it, so that there is
//! never a second copy of a page. What is not named here is skipped without being looked at: above all `hint`, `secretText` and
//! `key`, which are parts of secrets. None of these types has a `Debug`.

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

const NEXT_LINK: &str = "@odata.nextLink";

/// An application or a service principal.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object<'a> {
    #[serde(borrow)]
    pub id: Written<'a>,
    #[serde(borrow)]
    pub app_id: Option<Written<'a>>,
    #[serde(borrow)]
    pub display_name: Option<Written<'a>>,
    #[serde(borrow)]
    pub tags: Option<Vec<Option<Written<'a>>>>,
    #[serde(borrow)]
    pub password_credentials: Option<Vec<Key<'a>>>,
    #[serde(borrow)]
    pub key_credentials: Option<Vec<Key<'a>>>,
    #[serde(borrow)]
    pub service_principal_type: Option<Written<'a>>,
    #[serde(borrow)]
    pub app_owner_organization_id: Option<Written<'a>>,
    pub account_enabled: Option<bool>,
    #[serde(borrow)]
    pub preferred_token_signing_key_end_date_time: Option<Written<'a>>,
}

/// A password or a key. What is secret of it is not here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key<'a> {
    #[serde(borrow)]
    pub key_id: Option<Written<'a>>,
    #[serde(borrow)]
    pub display_name: Option<Written<'a>>,
    #[serde(borrow)]
    pub start_date_time: Option<Written<'a>>,
    #[serde(borrow)]
    pub end_date_time: Option<Written<'a>>,
    /// Says which entries are one certificate. Written in several encodings: compared, never decoded.
    #[serde(borrow)]
    pub custom_key_identifier: Option<Written<'a>>,
    /// `Sign` or `Verify`; absent on passwords.
    #[serde(borrow)]
    pub usage: Option<Written<'a>>,
}

/// Text of the page, borrowed where nothing in it is escaped. Read as bytes, since a lone surrogate (`\ud83d`) in one display
/// name must not make the whole page unreadable: it becomes U+FFFD.
#[derive(PartialEq, Eq)]
pub(in crate::sources) struct Written<'a>(Cow<'a, str>);

impl std::ops::Deref for Written<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Written<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsWritten;

        impl<'de> Visitor<'de> for AsWritten {
            type Value = Written<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Written(String::from_utf8_lossy(bytes)))
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Written(Cow::Owned(String::from_utf8_lossy(bytes).into_owned())))
            }
        }
        deserializer.deserialize_bytes(AsWritten)
    }
}

/// What is wrong with a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PageError {
    /// It is not JSON, or not of the shape that Graph documents.
    Unreadable(String),
    /// It is well-formed, but something in it cannot be true.
    Invalid(String),
}

/// Parses a page, hands each object to `sink` in order, and gives the link to the next page. A page without `value` is none, so
/// that an answer of another kind cannot pass for an empty listing.
pub(super) fn read<'p>(
    body: &'p [u8],
    sink: &mut dyn FnMut(Object<'p>) -> Result<(), String>,
) -> Result<Option<String>, PageError> {
    // One check for the whole page instead of one for each text in it.
    let text = std::str::from_utf8(body).map_err(|error| PageError::Unreadable(error.to_string()))?;
    let mut invalid = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = Page { sink, invalid: &mut invalid }.deserialize(&mut json).and_then(|link| json.end().map(|()| link));
    match (parsed, invalid) {
        (_, Some(invalid)) => Err(PageError::Invalid(invalid)),
        (Ok(link), None) => Ok(link),
        (Err(error), None) => Err(PageError::Unreadable(without_quotes(&error))),
    }
}

/// The link to the next page where it stands before the objects, as it usually does: then the next page can be asked for while
/// this one is parsed. `None` says nothing: [`read`] knows.
pub(super) fn early_link(body: &[u8]) -> Option<String> {
    let mut link = None;
    // The error that stops at `value` is the way out, not a fault; a real fault is met again by `read`.
    let _ = Head(&mut link).deserialize(&mut serde_json::Deserializer::from_slice(body));
    link
}

/// serde's messages may quote what they found; what was found may be a secret.
pub(in crate::sources) fn without_quotes(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "a value is not of the documented shape",
        _ => "it is not JSON",
    };
    format!("{kind} (line {}, column {})", error.line(), error.column())
}

struct Page<'s, 'p> {
    sink: &'s mut dyn FnMut(Object<'p>) -> Result<(), String>,
    invalid: &'s mut Option<String>,
}

impl<'p> DeserializeSeed<'p> for Page<'_, 'p> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'p>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'p> Visitor<'p> for Page<'_, 'p> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of a listing")
    }

    fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut link, mut listed) = (None, false);
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                NEXT_LINK if link.is_none() => link = map.next_value::<Option<String>>()?,
                "value" if !listed => {
                    map.next_value_seed(Objects { sink: &mut *self.sink, invalid: &mut *self.invalid })?;
                    listed = true;
                }
                NEXT_LINK | "value" => return Err(de::Error::custom("twice the same key")),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        if listed { Ok(link) } else { Err(de::Error::missing_field("value")) }
    }
}

struct Objects<'s, 'p> {
    sink: &'s mut dyn FnMut(Object<'p>) -> Result<(), String>,
    invalid: &'s mut Option<String>,
}

impl<'p> DeserializeSeed<'p> for Objects<'_, 'p> {
    type Value = ();

    fn deserialize<D: Deserializer<'p>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'p> Visitor<'p> for Objects<'_, 'p> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'p>>(self, mut objects: A) -> Result<(), A::Error> {
        while let Some(object) = objects.next_element::<Object<'p>>()? {
            if let Err(why) = (self.sink)(object) {
                *self.invalid = Some(why);
                return Err(de::Error::custom("invalid object"));
            }
        }
        Ok(())
    }
}

struct Head<'s>(&'s mut Option<String>);

impl<'de> DeserializeSeed<'de> for Head<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Head<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of a listing")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "value" => return Err(de::Error::custom("far enough")),
                NEXT_LINK => *self.0 = map.next_value()?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str) -> Result<(Vec<String>, Option<String>), PageError> {
        let mut ids = Vec::new();
        let mut sink = |object: Object<'_>| {
            ids.push(object.id.to_string());
            Ok(())
        };
        let link = read(body.as_bytes(), &mut sink)?;
        Ok((ids, link))
    }

    #[test]
    fn a_page_is_its_objects_and_its_link_wherever_the_link_stands() {
        let link = Some("https://g/next".to_owned());
        for (body, early) in [
            (r#"{"@odata.context":"c","@odata.nextLink":"https://g/next","value":[{"id":"a"},{"id":"b"}]}"#, true),
            (r#"{"value":[{"id":"a"},{"id":"b"}],"@odata.nextLink":"https:\/\/g\/next"}"#, false),
        ] {
            assert_eq!(ids(body), Ok((vec!["a".to_owned(), "b".to_owned()], link.clone())));
            assert_eq!(early_link(body.as_bytes()).is_some(), early);
        }
        assert_eq!(ids(r#"{"value":[],"@odata.nextLink":null}"#), Ok((vec![], None)));
    }

    #[test]
    fn what_is_not_a_page_is_an_error_and_never_an_empty_page() {
        for (body, said) in [
            ("", "it ends too early (line 1, column 0)"),
            ("<html>502</html>", "it is not JSON (line 1, column 1)"),
            ("{}", "a value is not of the documented shape (line 1, column 2)"),
            (r#"{"error":{"code":"x"}}"#, "a value is not of the documented shape (line 1, column 22)"),
            (r#"{"value":null}"#, "a value is not of the documented shape (line 1, column 13)"),
            (r#"{"value":[{"id":"a"}"#, "it ends too early (line 1, column 20)"),
            (r#"{"value":[]} trailing"#, "it is not JSON (line 1, column 14)"),
            (r#"{"value":[],"value":[]}"#, "a value is not of the documented shape (line 1, column 19)"),
            (r#"{"value":[{"displayName":"no id"}]}"#, "a value is not of the documented shape (line 1, column 33)"),
            (r#"{"value":[{"id":7}]}"#, "a value is not of the documented shape (line 1, column 17)"),
            (r#"[]"#, "a value is not of the documented shape (line 1, column 0)"),
        ] {
            assert_eq!(ids(body), Err(PageError::Unreadable(said.to_owned())), "{body}");
        }
    }

    #[test]
    fn one_odd_name_does_not_hide_the_others() {
        let body = r#"{"value":[{"id":"a","displayName":"\ud83d alone","hint":"\udc00"},{"id":"b"}]}"#;
        assert_eq!(ids(body).unwrap().0, ["a", "b"]);
    }

    #[test]
    fn an_error_does_not_quote_what_it_met() {
        let body = r#"{"value":[{"id":"a","passwordCredentials":"s3cret"}]}"#;
        assert!(!format!("{:?}", ids(body)).contains("s3cret"));
    }

    proptest::proptest! {
        #[test]
        fn no_damage_to_a_page_makes_it_panic_or_pass_for_a_shorter_one(at in 0_usize..3_000, byte in 0_u8..) {
            let whole = include_bytes!("../../../tests/fixtures/graph/applications-page1.json");
            let at = at.min(whole.len() - 2);
            let mut broken = whole.to_vec();
            broken[at] = byte;
            let _ = (read(&broken, &mut |_| Ok(())), early_link(&broken));
            proptest::prop_assert!(read(&whole[..at], &mut |_| Ok(())).is_err());
        }
    }
}
