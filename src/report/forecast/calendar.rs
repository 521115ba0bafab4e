//! A forecast as a calendar file (RFC 5545): an entry over the whole day for each credential and day on which something goes out.
//!
//! The same world gives the same bytes: nothing in it is of the moment at which it was written.

use super::{by_teams, short, subject, teams};
use crate::decide::{Forecast, Foreseen};
use crate::domain::CredentialId;
use crate::observe::View;
use crate::render::folded;
use chrono::{DateTime, NaiveDate, Utc};
use icalendar::{Calendar, Component, Event, EventLike, Property};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// The whole file.
#[must_use]
pub fn calendar(view: &View, forecast: &Forecast) -> String {
    let mut days: BTreeMap<(Date, &CredentialId), Vec<Foreseen>> = BTreeMap::new();
    for notice in &forecast.notices {
        let day = view.policy.zone.to_datetime(notice.at).date();
        days.entry((day, &notice.key.credential)).or_default().push(notice.clone());
    }
    let mut calendar = Calendar::empty();
    for (name, value) in [
        ("VERSION", "2.0"),
        ("PRODID", concat!("-//Expiry Watch//", env!("CARGO_PKG_VERSION"), "//EN")),
        ("CALSCALE", "GREGORIAN"),
        ("METHOD", "PUBLISH"),
    ] {
        calendar.append_property(Property::new(name, value));
    }
    calendar.name("Expiry Watch: what is to come");
    let stamp = DateTime::<Utc>::from_timestamp(forecast.from.as_second(), 0).unwrap_or_default();
    calendar.extend(days.iter().filter_map(|((day, _), notices)| event(view, *day, notices, stamp)));
    folded(&calendar.to_string())
}

/// `None` for a day that no calendar has.
fn event(view: &View, day: Date, notices: &[Foreseen], stamp: DateTime<Utc>) -> Option<Event> {
    let id = &notices[0].key.credential;
    let mut event = Event::new();
    event
        .uid(&format!("{id}/{day}@forecast.expiry-watch"))
        .timestamp(stamp)
        .summary(&summary(view, notices))
        .description(&description(view, notices))
        .starts(civil(day)?)
        .ends(civil(day.tomorrow().ok()?)?)
        .add_property("TRANSP", "TRANSPARENT")
        .add_property("X-MICROSOFT-CDO-ALLDAYEVENT", "TRUE")
        .add_property("X-MICROSOFT-CDO-BUSYSTATUS", "FREE");
    Some(event.done())
}

/// `expiring 7d: HOLDER (team)`
fn summary(view: &View, notices: &[Foreseen]) -> String {
    let mut what: Vec<String> = notices.iter().map(short).collect();
    what.dedup();
    let mut whom: Vec<&str> = notices.iter().map(|notice| notice.key.team.as_str()).collect();
    whom.sort_unstable();
    whom.dedup();
    format!("{}: {} ({})", what.join(", "), subject(view, &notices[0]).0, whom.join(", "))
}

fn description(view: &View, notices: &[Foreseen]) -> String {
    let line = |group: &[Foreseen]| {
        let at = view.policy.zone.to_datetime(group[0].at).strftime("%H:%M");
        format!("{at} {} to {}: {}", short(&group[0]), teams(group), group[0].reason)
    };
    let label = subject(view, &notices[0]).1;
    let label = Some(label.to_owned()).filter(|label| !label.is_empty());
    let id = notices[0].key.credential.to_string();
    label.into_iter().chain([id]).chain(by_teams(notices).map(line)).collect::<Vec<_>>().join("\n")
}

fn civil(day: Date) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(day.year().into(), day.month().unsigned_abs().into(), day.day().unsigned_abs().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Case, foreseen, small_forecast, view};

    #[test]
    fn each_credential_has_one_entry_a_day() {
        let (view, forecast) = small_forecast();
        insta::assert_snapshot!(calendar(&view, &forecast).replace("\r\n", "\n"));
    }

    #[test]
    fn no_line_is_longer_than_75_octets_whatever_the_names_and_what_is_unfolded_is_whole() {
        for length in 0..200 {
            let mut case = Case::new("a", "k", Some("2026-11-28T00:00:00Z"));
            case.holder = "é, \\; \"x\" 証".chars().cycle().take(length).collect();
            let view = view(&[case]);
            let written = calendar(&view, &foreseen(&view, 3));
            assert!(written.ends_with("END:VCALENDAR\r\n") && !written.replace("\r\n", "").contains(['\r', '\n']));
            assert!(written.split("\r\n").all(|line| line.len() <= 75), "{written}");
            let name = view.inventory.entries()[0].credential.holder.name.as_str();
            let escaped = name.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;");
            assert!(written.replace("\r\n ", "").contains(&format!("SUMMARY:expiring 7d: {escaped} (ccaas)\r\n")));
        }
    }
}
