//! One page of the report of last uses, and how its dates are written.
//!
//! The report is a beta: what of it cannot be understood is left out, row by row, and its key's last use stays unknown. Refuses to
//! know what else stands in a row.

use crate::domain::Ident;
use crate::sources::entra::page::without_quotes;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// How far ahead of ours the directory's clock is believed to be.
const SKEW: SignedDuration = SignedDuration::from_hours(24);

/// What some write for "none" (`0001-01-01`) is no use; keys have been about for less long than this.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(rename = "@odata.nextLink")]
    link: Option<String>,
    #[serde(borrow)]
    value: Vec<Lenient<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<'a> {
    #[serde(borrow)]
    Row(Row<'a>),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sign_in_activity: Option<Activity<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Activity<'a> {
    #[serde(borrow)]
    last_sign_in_date_time: Option<Cow<'a, str>>,
}

/// Hands each key's last use to `sink` and gives the link to the next page. A page without `value` is none.
pub(super) fn read(
    body: &[u8],
    now: Timestamp,
    mut sink: impl FnMut(Ident, Timestamp),
) -> Result<Option<String>, String> {
    let page: Page<'_> = serde_json::from_slice(body).map_err(|error| without_quotes(&error))?;
    for row in page.value {
        if let Lenient::Row(Row { key_id: Some(key), sign_in_activity: Some(activity) }) = row
            && let Some(at) = activity.last_sign_in_date_time.and_then(|written| instant(&written))
            && !key.is_empty()
            && believable(at, now)
        {
            sink(Ident::new(&key), at);
        }
    }
    Ok(page.link)
}

fn believable(at: Timestamp, now: Timestamp) -> bool {
    (EARLIEST..=now.saturating_add(SKEW).unwrap_or(Timestamp::MAX)).contains(&at)
}

/// RFC 3339, and offsets whose hour has one digit (`-8:00`), as the documentation's own example has them.
fn instant(written: &str) -> Option<Timestamp> {
    written.parse().ok().or_else(|| {
        let (local, hour, minutes) = short_offset(written)?;
        format!("{local}0{hour}:{minutes}").parse().ok()
    })
}

/// `…-8:00` as (`…-`, `8`, `00`).
fn short_offset(written: &str) -> Option<(&str, &str, &str)> {
    let (rest, minutes) = written.rsplit_once(':')?;
    let (local, hour) = rest.split_at_checked(rest.len().checked_sub(1)?)?;
    local.ends_with(['+', '-']).then_some((local, hour, minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T16:00:00Z";

    fn rows(body: &str) -> Result<Vec<String>, String> {
        let mut rows = Vec::new();
        read(body.as_bytes(), NOW.parse().unwrap(), |key, at| rows.push(format!("{key} {at}")))?;
        Ok(rows)
    }

    #[test]
    fn the_documented_page_and_the_documentations_own_odd_example_are_read() {
        let page = include_str!("../../../../tests/fixtures/graph/beta-appcredentialsigninactivities-page.json");
        insta::assert_snapshot!(rows(page).unwrap().join("\n"), @r"
        ee06ee2e-e53a-5942-be7e-e124a434151b 2026-01-30T00:00:00Z
        f1333a52-10f0-5bb7-9e63-0347ba696272 2026-10-01T00:00:00Z
        41fa8ea4-91ef-53c0-958c-783944cf91d0 2026-09-29T00:00:00Z
        ");
        let link = read(page.as_bytes(), NOW.parse().unwrap(), |_, _| {}).unwrap();
        assert!(link.unwrap().ends_with("appCredentialSignInActivities?$skiptoken=MADEUP"));
        let quirks =
            include_str!("../../../../tests/fixtures/graph/beta-appcredentialsigninactivities-docexample-quirks.json");
        assert_eq!(rows(quirks).unwrap(), ["ee06ee2e-e53a-5942-be7e-e124a434151b 2026-01-30T08:00:00Z"]);
    }

    #[test]
    fn dates_have_any_fraction_and_any_offset_and_what_is_none_is_unknown() {
        for (written, read) in [
            ("2026-01-30T00:00:00Z", Some("2026-01-30T00:00:00Z")),
            ("2026-01-30T00:00:00.5Z", Some("2026-01-30T00:00:00.5Z")),
            ("2026-01-30T00:00:00.1234567Z", Some("2026-01-30T00:00:00.1234567Z")),
            ("2026-01-30T00:00:00-08:00", Some("2026-01-30T08:00:00Z")),
            ("2026-01-30T00:00:00-8:00", Some("2026-01-30T08:00:00Z")),
            ("2026-01-30T00:00:00.1234567+5:30", Some("2026-01-29T18:30:00.1234567Z")),
            ("2026-01-30T00:00:00", None),
            ("2026-01-30", None),
            ("30/01/2026 00:00", None),
            ("-8:00", None),
            ("é:00", None),
            (":", None),
            ("", None),
        ] {
            assert_eq!(instant(written), read.map(|read| read.parse().unwrap()), "{written}");
        }
    }

    #[test]
    fn a_row_that_says_nothing_certain_is_left_out_and_hides_no_other() {
        let row = |fields: &str| format!(r#"{{"value":[{{{fields}}},{GOOD}]}}"#);
        const GOOD: &str = r#"{"keyId":"good","signInActivity":{"lastSignInDateTime":"2026-11-20T00:00:00Z"}}"#;
        let with = |key: &str, activity: &str| row(&format!(r#""keyId":{key},"signInActivity":{activity}"#));
        let used = |at: &str| format!(r#"{{"lastSignInDateTime":{at}}}"#);
        for body in [
            row(r#""signInActivity":{"lastSignInDateTime":"2026-11-20T00:00:00Z"}"#),
            row(r#""keyId":"k""#),
            with("null", &used(r#""2026-11-20T00:00:00Z""#)),
            with(r#""""#, &used(r#""2026-11-20T00:00:00Z""#)),
            with("7", &used(r#""2026-11-20T00:00:00Z""#)),
            with(r#""k""#, "null"),
            with(r#""k""#, "{}"),
            with(r#""k""#, "[]"),
            with(r#""k""#, &used("null")),
            with(r#""k""#, &used("1764000000")),
            with(r#""k""#, &used(r#""soon""#)),
            with(r#""k""#, &used(r#""0001-01-01T00:00:00Z""#)),
            with(r#""k""#, &used(r#""2026-11-22T16:00:01Z""#)),
            with(r#""k""#, &used(r#""9999-12-31T23:59:59Z""#)),
            format!(r#"{{"value":[7,null,"text",[],{GOOD}]}}"#),
        ] {
            assert_eq!(rows(&body).unwrap(), ["good 2026-11-20T00:00:00Z"], "{body}");
        }
        let ahead = with(r#""k""#, &used(r#""2026-11-22T16:00:00Z""#));
        assert_eq!(rows(&ahead).unwrap().len(), 2, "a day ahead may be the clock's fault");
    }

    #[test]
    fn what_is_not_a_page_is_an_error_that_quotes_nothing() {
        for body in
            ["", "<html>s3cret</html>", "{}", r#"{"value":null}"#, r#"{"value":"s3cret"}"#, r#"{"value":[{"keyId":"s"#]
        {
            assert!(!rows(body).unwrap_err().contains("s3cret"), "{body}");
        }
    }
}
