//! CertCentral's documents, as far as they are used.
//!
//! Many fields are strings in one document and numbers or booleans in another, and those that describe an issued certificate are
//! missing before there is one. What is not used (`archived`, `is_multi_year_plan`, `days_remaining`) is not read, so it cannot
//! fail.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use std::fmt;

/// A page of `GET /order/certificate`.
#[derive(Deserialize)]
pub(super) struct OrderPage {
    orders: Option<Vec<Order>>,
    page: Option<Paging>,
}

#[derive(Deserialize, Default)]
struct Paging {
    #[serde(default)]
    total: Word,
}

impl OrderPage {
    /// The page's orders, and how many there are in all by the server's own word, which is not to be relied on.
    ///
    /// # Errors
    /// When it is no page at all: an empty object must not pass for an account without orders.
    pub fn parse(body: &[u8]) -> Result<(Vec<Order>, u64), String> {
        let page: Self = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        let total = page.page.as_ref().and_then(|page| page.total.number()).unwrap_or_default();
        match (page.orders, page.page) {
            (Some(orders), _) => Ok((orders, total)),
            (None, Some(_)) => Ok((Vec::new(), total)),
            (None, None) => Err("it has no orders".to_owned()),
        }
    }
}

/// An order with its primary certificate.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct Order {
    pub id: Word,
    #[serde(default)]
    pub status: Word,
    #[serde(default)]
    pub certificate: Option<Certificate>,
    #[serde(default)]
    pub product: Option<Product>,
    #[serde(default)]
    pub date_created: Word,
    /// The end of what was paid for: not an end of any certificate.
    #[serde(default)]
    pub order_valid_till: Word,
    #[serde(default)]
    pub has_duplicates: Word,
    #[serde(default)]
    pub duplicates_count: Word,
    #[serde(default)]
    pub has_reissues: Word,
    #[serde(default)]
    pub reissues_count: Word,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct Product {
    #[serde(default)]
    pub name: Word,
    #[serde(default)]
    pub name_id: Word,
}

/// A certificate, as the list of orders shows it or as an entry of an order's duplicates or reissues.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub(super) struct Certificate {
    #[serde(default)]
    pub id: Word,
    /// Only in an order's own lists.
    #[serde(default)]
    pub status: Word,
    #[serde(default)]
    pub thumbprint: Word,
    #[serde(default)]
    pub serial_number: Word,
    #[serde(default)]
    pub common_name: Word,
    #[serde(default)]
    pub dns_names: Option<Vec<Word>>,
    #[serde(default)]
    pub valid_from: Word,
    #[serde(default)]
    pub valid_till: Word,
    #[serde(default)]
    pub date_issued: Word,
}

/// What `/duplicate` and `/reissue` answer.
#[derive(Deserialize)]
struct CertificateList {
    certificates: Option<Vec<Certificate>>,
}

/// The certificates of such a list.
///
/// # Errors
/// When it is no such list.
pub(super) fn certificates(body: &[u8]) -> Result<Vec<Certificate>, String> {
    let list: CertificateList = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    list.certificates.ok_or_else(|| "it has no certificates".to_owned())
}

/// Where it went wrong, without the text itself.
fn unreadable(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let problem = match error.classify() {
        Category::Eof => "it ends too early",
        Category::Syntax => "it is not JSON",
        Category::Data | Category::Io => "a field is not what it should be",
    };
    format!("{problem} (line {}, column {})", error.line(), error.column())
}

/// A text, number or truth, whichever it was written as; nothing for what is null, missing or a structure.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Word(Option<Box<str>>);

impl Word {
    /// What is written, without outer blanks; `None` where that is nothing.
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    pub fn number(&self) -> Option<u64> {
        self.text()?.parse().ok()
    }

    /// `true`, `1` and the like; `None` where it is not said.
    pub fn truth(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            number => number.parse::<u64>().ok().map(|number| number > 0),
        }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any {
            Text(String),
            Whole(u64),
            Number(f64),
            Truth(bool),
            Other(IgnoredAny),
        }
        Ok(Self(match Any::deserialize(deserializer)? {
            Any::Text(text) => Some(text.into()),
            Any::Whole(number) => Some(number.to_string().into()),
            Any::Number(number) => Some(number.to_string().into()),
            Any::Truth(truth) => Some(truth.to_string().into()),
            Any::Other(_) => None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_however_it_is_written() {
        for (written, text, number, truth) in [
            (r#""1""#, Some("1"), Some(1), Some(true)),
            ("1", Some("1"), Some(1), Some(true)),
            (r#""0""#, Some("0"), Some(0), Some(false)),
            ("true", Some("true"), None, Some(true)),
            (r#""False""#, Some("False"), None, Some(false)),
            (r#"" ""#, None, None, None),
            ("null", None, None, None),
            ("-1", Some("-1"), None, None),
            (r#"{"a":[1]}"#, None, None, None),
        ] {
            let word: Word = serde_json::from_str(written).unwrap();
            assert_eq!((word.text(), word.number(), word.truth()), (text, number, truth), "{written}");
        }
    }

    #[test]
    fn a_page_without_orders_is_empty_only_where_it_says_that_it_is_a_page() {
        let empty = include_bytes!("../../../tests/fixtures/digicert/list_orders_offset_past_end.json");
        assert_eq!(OrderPage::parse(empty), Ok((vec![], 7)));
        assert_eq!(OrderPage::parse(br#"{"page":{"total":"0"}}"#), Ok((vec![], 0)));
        for (body, said) in [
            (include_str!("../../../tests/fixtures/digicert/status_changes_empty.json"), "it has no orders"),
            (r#"{"errors":[]}"#, "it has no orders"),
            ("", "it ends too early (line 1, column 0)"),
            ("<html>", "it is not JSON (line 1, column 1)"),
            (r#"{"orders":[{"status":"issued"}]}"#, "a field is not what it should be (line 1, column 30)"),
            (r#"{"orders":{}}"#, "a field is not what it should be (line 1, column 10)"),
        ] {
            assert_eq!(OrderPage::parse(body.as_bytes()), Err(said.to_owned()), "{body}");
        }
        assert_eq!(certificates(b"{}").unwrap_err(), "it has no certificates");
    }
}
