//! Instants and distances in words: to the minute, 24 hours, always with their zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `Fri 2026-11-27 16:00 PST (UTC-08:00)`; without the abbreviation where the zone has none.
pub(super) fn local(at: Timestamp, zone: &TimeZone) -> String {
    let info = zone.to_offset_info(at);
    let there = at.to_zoned(zone.clone());
    let minute = there.strftime("%a %Y-%m-%d %H:%M");
    let offset = there.strftime("UTC%:z");
    match info.abbreviation() {
        name if name.starts_with(|c: char| c.is_ascii_alphabetic()) => format!("{minute} {name} ({offset})"),
        _ => format!("{minute} {offset}"),
    }
}

/// `2026-11-27`
pub(super) fn day(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(at).date().to_string()
}

/// `2026-11-28 00:00 UTC`
pub(super) fn utc(at: Timestamp) -> String {
    format!("{} UTC", at.strftime("%Y-%m-%d %H:%M"))
}

/// Calendar days in `zone` from the day of `now` to the day of `at`.
pub(super) fn days_until(at: Timestamp, now: Timestamp, zone: &TimeZone) -> i64 {
    let (from, to) = (zone.to_datetime(now).date(), zone.to_datetime(at).date());
    // Days between two dates that both exist always fit.
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

/// `in 7 days`, `today`, `2 days ago`
pub(super) fn in_words(days: i64) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "in 1 day".to_owned(),
        -1 => "1 day ago".to_owned(),
        n if n > 0 => format!("in {n} days"),
        n => format!("{} days ago", n.unsigned_abs()),
    }
}

/// `5 min ago`, `3 h ago`, `2 days ago`; what lies ahead is `just now`, as clocks differ.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(at).as_mins();
    match minutes {
        ..1 => "just now".to_owned(),
        1..120 => format!("{minutes} min ago"),
        120..2_880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
    }

    #[test]
    fn an_instant_is_given_in_the_zones_own_time_with_its_offset() {
        for (at, name, said) in [
            ("2026-07-01T15:04:59Z", "America/Vancouver", "Wed 2026-07-01 08:04 PDT (UTC-07:00)"),
            ("2026-01-21T15:00:00Z", "America/Vancouver", "Wed 2026-01-21 07:00 PST (UTC-08:00)"),
            ("2026-11-28T00:00:00Z", "UTC", "Sat 2026-11-28 00:00 UTC (UTC+00:00)"),
            ("2026-03-29T01:00:00Z", "Europe/Berlin", "Sun 2026-03-29 03:00 CEST (UTC+02:00)"),
            ("2026-11-28T00:00:00Z", "America/Sao_Paulo", "Fri 2026-11-27 21:00 UTC-03:00"),
            ("2026-11-28T00:00:00Z", "Asia/Kathmandu", "Sat 2026-11-28 05:45 UTC+05:45"),
        ] {
            assert_eq!(local(at.parse().unwrap(), &zone(name)), said);
        }
    }

    #[test]
    fn vancouver_stays_seven_hours_behind_in_the_winter_of_2026() {
        let said = local("2026-12-21T15:00:00Z".parse().unwrap(), &zone("America/Vancouver"));
        assert!(said.starts_with("Mon 2026-12-21 08:00") && said.contains("UTC-07:00"), "{said}");
    }

    #[test]
    fn days_are_those_of_the_calendar_in_the_zone() {
        let vancouver = zone("America/Vancouver");
        for (now, at, days) in [
            ("2026-11-21T16:00:00Z", "2026-11-28T00:00:00Z", 6),
            ("2026-11-21T06:59:00Z", "2026-11-28T00:00:00Z", 7),
            ("2026-11-21T16:00:00Z", "2026-11-21T16:00:01Z", 0),
            ("2026-11-21T16:00:00Z", "2026-11-19T16:00:00Z", -2),
            // A day of 23 hours counts as one.
            ("2026-03-08T07:30:00Z", "2026-03-09T06:45:00Z", 1),
        ] {
            assert_eq!(days_until(at.parse().unwrap(), now.parse().unwrap(), &vancouver), days, "{now} {at}");
        }
    }

    #[test]
    fn a_distance_is_said_in_words() {
        let said: Vec<String> = [7, 1, 0, -1, -2].into_iter().map(in_words).collect();
        assert_eq!(said, ["in 7 days", "in 1 day", "today", "1 day ago", "2 days ago"]);
    }

    #[test]
    fn an_age_is_said_in_the_largest_unit_that_is_fine_enough() {
        let now: Timestamp = "2026-11-21T16:00:00Z".parse().unwrap();
        for (at, said) in [
            ("2026-11-21T16:00:30Z", "just now"),
            ("2026-11-21T15:01:00Z", "59 min ago"),
            ("2026-11-21T12:30:00Z", "3 h ago"),
            ("2026-11-18T16:00:00Z", "3 days ago"),
        ] {
            assert_eq!(ago(at.parse().unwrap(), now), said);
        }
    }
}
