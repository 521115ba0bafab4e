//! CertCentral's dates, which are days: when in UTC they begin, and when what is valid until then ends.

use super::document::{Certificate, Word};
use crate::domain::Credential;
use jiff::Timestamp;
use jiff::civil::{Date, time};
use jiff::tz::TimeZone;

/// When it begins; a reissue's entry has no `valid_from`, but the day it was issued, which is the day on which it begins.
pub(super) fn start_of(certificate: &Certificate) -> Result<Option<Timestamp>, ()> {
    match certificate.valid_from.text() {
        Some(_) => day_of(&certificate.valid_from).map(Some).ok_or(()),
        None => Ok(day_of(&certificate.date_issued)),
    }
}

/// The beginning of the day that is written, in UTC.
pub(super) fn day_of(word: &Word) -> Option<Timestamp> {
    at(date(word.text()?)?, false)
}

/// The last second of the day that is written, in UTC: a certificate ends with its day. `None` for "never", which is an end in a
/// year that nobody plans for, and for nothing written.
pub(super) fn end_of(word: &Word) -> Result<Option<Timestamp>, ()> {
    let Some(written) = word.text() else { return Ok(None) };
    let day = date(written).ok_or(())?;
    if day.year() >= Credential::NEVER_FROM_YEAR {
        return Ok(None);
    }
    // Should a whole instant be written one day, it is that one.
    if let Ok(instant) = written.parse::<Timestamp>() {
        return Ok(Some(instant));
    }
    at(day, true).map(Some).ok_or(())
}

fn at(day: Date, end: bool) -> Option<Timestamp> {
    let time = if end { time(23, 59, 59, 0) } else { time(0, 0, 0, 0) };
    Some(day.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The date that a text is or begins with.
fn date(written: &str) -> Option<Date> {
    let rest = written.get(10..)?;
    if !(rest.is_empty() || rest.starts_with(['T', ' '])) {
        return None;
    }
    written.get(..10)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(written: &str) -> Word {
        serde_json::from_value(written.into()).unwrap()
    }

    #[test]
    fn a_date_ends_with_its_last_second_and_begins_with_its_first_in_utc() {
        for (written, end) in [
            ("2027-05-29", Ok(Some("2027-05-29T23:59:59Z"))),
            ("2028-02-29", Ok(Some("2028-02-29T23:59:59Z"))),
            ("2027-05-29T12:00:00+00:00", Ok(Some("2027-05-29T12:00:00Z"))),
            ("2027-05-29 12:00:00", Ok(Some("2027-05-29T23:59:59Z"))),
            ("2199-12-31", Ok(Some("2199-12-31T23:59:59Z"))),
            ("2200-01-01", Ok(None)),
            ("9999-12-31", Ok(None)),
            ("", Ok(None)),
            ("2027-02-29", Err(())),
            ("0000-00-00", Err(())),
            ("2027-05-291", Err(())),
            ("29/05/2027", Err(())),
            ("soon", Err(())),
            ("ééééééé", Err(())),
        ] {
            let read = end_of(&word(written)).map(|end| end.map(|end| end.to_string()));
            assert_eq!(read.as_ref().map(|end| end.as_deref()), end.as_ref().map(|end| *end), "{written}");
        }
        assert_eq!(day_of(&word("2026-11-11")).unwrap().to_string(), "2026-11-11T00:00:00Z");
        assert_eq!(day_of(&word("2026-05-05T00:01:00+00:00")).unwrap().to_string(), "2026-05-05T00:00:00Z");
    }
}
