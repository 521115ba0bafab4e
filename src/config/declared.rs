//! Dates kept by hand: `type = "declared"`.
//!
//! A bare date stands for a day of the configured zone: what is good "until 31 March" is good until that day is over where the
//! people are. An instant is taken as written. TOML's own dates and the same in quotes mean the same.

use super::Declaration;
use super::read::{Item, Table};
use crate::domain::{Credential, CredentialId, Text};
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use toml::de::DeValue;
use toml::value::Datetime;

const LIST: &str = "[ { holder = \"SIP trunk password\", label = \"carrier\", expires_at = \"2027-03-31\" } ]";
const ENTRY: &str = "{ holder = \"SIP trunk password\", label = \"carrier\", expires_at = \"2027-03-31\" }";
const DAY: &str = "\"2027-03-31\"";

pub(super) fn declarations(t: &Table, source: &str, zone: &TimeZone) -> Vec<Declaration> {
    let Some(list) = t.need("credentials", LIST) else { return Vec::new() };
    let items = list.elements();
    if items.is_empty() {
        list.wrong("it declares nothing", LIST);
    }
    let mut seen = BTreeSet::new();
    let mut declared = Vec::new();
    for item in items {
        let Some(one) = item.table(ENTRY, |t| declaration(t, zone)).flatten() else { continue };
        // By id, since that is what would collide: "a/b" + "c" is "a" + "b/c".
        let id = CredentialId::declared(source, one.holder.as_str(), one.label.as_str()).to_string();
        if !seen.insert(id) {
            item.place.problem("another entry has the same holder and label; tell them apart by `label`", ENTRY);
        }
        declared.push(one);
    }
    declared
}

fn declaration(t: &Table, zone: &TimeZone) -> Option<Declaration> {
    let holder = t.need("holder", "\"SIP trunk password\"").and_then(|item| item.text("\"SIP trunk password\""));
    let label = t.get("label").map_or_else(|| Some(Text::default()), |item| item.text("\"carrier\""));
    let start = t.get("not_before").map(|item| (date(&item, zone, Edge::Begin), item));
    let end = t.get("expires_at").map(|item| (date(&item, zone, Edge::End), item));
    if end.is_none() {
        t.at("expires_at").warn("is not given, so this never expires");
    }
    if let Some((Some(When::Never), item)) = &start {
        item.wrong("it would never begin", "\"2026-01-01\"");
    }
    let instant = |when: Option<When>| when.and_then(When::instant);
    let not_before = start.and_then(|(when, _)| instant(when));
    let expires_at = end.as_ref().and_then(|(when, _)| instant(*when));
    if let (Some(start), Some(stop), Some((_, item))) = (not_before, expires_at, &end)
        && start >= stop
    {
        item.wrong("it ends before it begins (`not_before`)", DAY);
    }
    Some(Declaration { holder: holder?, label: label?, not_before, expires_at })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    At(Timestamp),
    /// In 2200 or later, which is what people write for "never".
    Never,
}

impl When {
    fn instant(self) -> Option<Timestamp> {
        match self {
            Self::At(instant) => Some(instant),
            Self::Never => None,
        }
    }
}

/// Which end of a day a bare date means.
#[derive(Clone, Copy)]
enum Edge {
    Begin,
    End,
}

fn date(item: &Item, zone: &TimeZone, edge: Edge) -> Option<When> {
    let written: Option<Datetime> = match item.value {
        DeValue::Datetime(datetime) => Some(*datetime),
        DeValue::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let when = written.ok_or(NO_DATE).and_then(|written| resolve(written, zone, edge));
    when.map_err(|why| item.wrong(why, DAY)).ok()
}

const NO_DATE: &str = "a date such as \"2027-03-31\" or an instant such as \"2027-03-31T17:00:00-07:00\" is wanted";

fn resolve(written: Datetime, zone: &TimeZone, edge: Edge) -> Result<When, &'static str> {
    let day = written.date.ok_or(NO_DATE)?;
    let year = i16::try_from(day.year).map_err(|_| NO_DATE)?;
    let no_such_day = "there is no such day";
    let date = Date::new(year, small(day.month), small(day.day)).map_err(|_| no_such_day)?;
    // Before anything is converted: the latest instants that can be written are past what a timestamp can hold.
    if year >= Credential::NEVER_FROM_YEAR {
        return Ok(When::Never);
    }
    let at = match (written.time, written.offset) {
        (None, _) => edge_of(date, zone, edge).ok_or(no_such_day)?,
        (Some(_), None) => return Err("a time of day needs its offset from UTC, as in \"2027-03-31T17:00:00-07:00\""),
        (Some(time), Some(offset)) => {
            // A leap second (60) is taken for the second before it.
            let second = small(time.second.unwrap_or(0).min(59));
            let nanosecond = i32::try_from(time.nanosecond.unwrap_or(0)).unwrap_or(0);
            let time = Time::new(small(time.hour), small(time.minute), second, nanosecond).map_err(|_| NO_DATE)?;
            offset_of(offset).and_then(|offset| offset.to_timestamp(date.to_datetime(time)).ok()).ok_or(NO_DATE)?
        }
    };
    let late = at.to_zoned(TimeZone::UTC).year() >= Credential::NEVER_FROM_YEAR;
    Ok(if late { When::Never } else { When::At(at) })
}

/// The day's first second, or its last: a second before the next day begins, also where the clock changes at midnight.
fn edge_of(date: Date, zone: &TimeZone, edge: Edge) -> Option<Timestamp> {
    let start = |date: Date| date.to_zoned(zone.clone()).map(|start| start.timestamp()).ok();
    match edge {
        Edge::Begin => start(date),
        Edge::End => start(date.tomorrow().ok()?)?.checked_sub(SignedDuration::from_secs(1)).ok(),
    }
}

fn offset_of(offset: toml::value::Offset) -> Option<Offset> {
    match offset {
        toml::value::Offset::Z => Some(Offset::UTC),
        toml::value::Offset::Custom { minutes } => Offset::from_seconds(i32::from(minutes) * 60).ok(),
    }
}

fn small(field: u8) -> i8 {
    i8::try_from(field).unwrap_or(i8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(written: &str, zone: &str, edge: Edge) -> Result<String, &'static str> {
        let zone = super::super::zone::lookup(zone).unwrap();
        let written = written.parse::<Datetime>().map_err(|_| NO_DATE)?;
        resolve(written, &zone, edge)
            .map(|when| when.instant().map_or_else(|| "never".to_owned(), |instant| instant.to_string()))
    }

    #[test]
    fn a_bare_date_begins_and_ends_with_that_day_where_the_people_are() {
        for (written, zone, begins, ends) in [
            ("2027-03-31", "UTC", "2027-03-31T00:00:00Z", "2027-03-31T23:59:59Z"),
            ("2027-01-31", "America/Vancouver", "2027-01-31T07:00:00Z", "2027-02-01T06:59:59Z"),
            // Twenty-three and twenty-five hours.
            ("2027-03-28", "Europe/Berlin", "2027-03-27T23:00:00Z", "2027-03-28T21:59:59Z"),
            ("2027-10-31", "Europe/Berlin", "2027-10-30T22:00:00Z", "2027-10-31T22:59:59Z"),
            ("2199-12-31", "UTC", "2199-12-31T00:00:00Z", "2199-12-31T23:59:59Z"),
        ] {
            assert_eq!(resolved(written, zone, Edge::Begin).unwrap(), begins);
            assert_eq!(resolved(written, zone, Edge::End).unwrap(), ends);
        }
    }

    #[test]
    fn an_instant_is_taken_as_written_and_the_far_future_is_never() {
        for (written, instant) in [
            ("2027-03-31T17:00:00Z", "2027-03-31T17:00:00Z"),
            ("2027-03-31 17:00:00.5-07:00", "2027-04-01T00:00:00.5Z"),
            ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59Z"),
            ("2299-12-31T00:00:00Z", "never"),
            ("9999-12-31T23:59:59Z", "never"),
            ("9999-12-31", "never"),
            ("2199-12-31T23:00:00-07:00", "never"),
        ] {
            assert_eq!(resolved(written, "UTC", Edge::End).as_deref(), Ok(instant), "{written}");
        }
    }

    #[test]
    fn what_is_no_date_or_leaves_its_offset_open_is_refused() {
        for written in
            ["", "soon", "2027-02-30", "2027-13-01", "17:00:00", "2027-03-31T17:00:00", "2027-03-31T25:00:00Z"]
        {
            assert!(resolved(written, "UTC", Edge::End).is_err(), "{written:?}");
        }
    }
}
