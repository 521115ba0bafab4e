//! Cron in a real time zone.
//!
//! The pattern is croner's, evaluated on civil time; the zone's rules are jiff's, which are current. A change of the clock follows
//! the usual cron rules: what runs at fixed hours runs once a day, late when its time is skipped and at the first of two when it is
//! repeated; what runs every so often (a `*` in its hours or minutes) keeps its rhythm through both.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use croner::JobType;
use croner::parser::{CronParser, Seconds};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// A checked pattern of six fields: second, minute, hour, day, month, weekday.
#[derive(Clone)]
pub struct Cron {
    pattern: croner::Cron,
}

impl Cron {
    /// # Errors
    /// When it is not a pattern of six fields; the message says what is wrong.
    pub fn parse(written: &str) -> Result<Self, String> {
        let fields = written.split_whitespace().count();
        if !written.starts_with('@') && fields != 6 {
            return Err(format!("{fields} fields instead of 6: second minute hour day month weekday"));
        }
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        let pattern = parser.parse(written).map_err(|error| error.to_string())?;
        Ok(Self { pattern })
    }

    /// The first instant after `after` at which it is due in `zone`; `None` when there is none (30 February).
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let once = self.next_at_first_pass(after, zone)?;
        match self.pattern.determine_job_type() {
            JobType::FixedTime => Some(once),
            JobType::IntervalWildcard => self.next_at_second_pass(after, zone).filter(|at| *at < once).or(Some(once)),
        }
    }

    /// Skipped times are run late by what was skipped, repeated ones at their first occurrence.
    fn next_at_first_pass(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut civil = zone.to_datetime(after);
        loop {
            civil = self.next_civil(civil)?;
            let instant = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// The next due time that lies in the second pass of a stretch that the clock repeats.
    fn next_at_second_pass(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let second = |civil| match zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Fold { after, .. } => after.to_timestamp(civil).ok(),
            _ => None,
        };
        let civil = zone.to_datetime(after);
        if second(civil) == Some(after) {
            return second(self.next_civil(civil)?);
        }
        let back = zone.following(after).next()?.timestamp();
        let just_before = zone.to_datetime(back).checked_sub(SignedDuration::from_secs(1)).ok()?;
        second(self.next_civil(just_before)?)
    }

    /// croner knows only chrono's zones: civil time travels through it dressed as UTC.
    fn next_civil(&self, civil: civil::DateTime) -> Option<civil::DateTime> {
        let date = NaiveDate::from_ymd_opt(civil.year().into(), u32_of(civil.month()), u32_of(civil.day()))?;
        let time = date.and_hms_opt(u32_of(civil.hour()), u32_of(civil.minute()), u32_of(civil.second()))?;
        let next: DateTime<Utc> = self.pattern.find_next_occurrence(&time.and_utc(), false).ok()?;
        civil::DateTime::new(
            i16::try_from(next.year()).ok()?,
            i8::try_from(next.month()).ok()?,
            i8::try_from(next.day()).ok()?,
            i8::try_from(next.hour()).ok()?,
            i8::try_from(next.minute()).ok()?,
            i8::try_from(next.second()).ok()?,
            0,
        )
        .ok()
    }
}

fn u32_of(field: i8) -> u32 {
    u32::from(field.unsigned_abs())
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({})", self.pattern.as_str())
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pattern.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(pattern: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone).unwrap();
        let cron = Cron::parse(pattern).unwrap();
        let mut at: Timestamp = from.parse().unwrap();
        let mut found = Vec::new();
        for _ in 0..count {
            at = cron.next_after(at, &zone).unwrap();
            found.push(at.to_string());
        }
        found
    }

    #[test]
    fn eight_in_the_morning_in_vancouver_is_fifteen_utc_all_year_from_november_2026() {
        assert_eq!(runs("0 0 8 * * *", "America/Vancouver", "2026-12-20T16:00:00Z", 1), ["2026-12-21T15:00:00Z"]);
        assert_eq!(runs("0 0 8 * * *", "America/Vancouver", "2026-07-01T16:00:00Z", 1), ["2026-07-02T15:00:00Z"]);
    }

    #[test]
    fn a_fixed_time_follows_the_clock_through_its_changes() {
        // Berlin: forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00.
        assert_eq!(
            runs("0 0 8 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 2),
            ["2026-03-28T07:00:00Z", "2026-03-29T06:00:00Z"]
        );
        assert_eq!(
            runs("0 0 8 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", 2),
            ["2026-10-24T06:00:00Z", "2026-10-25T07:00:00Z"]
        );
    }

    #[test]
    fn a_fixed_time_that_is_skipped_runs_late_and_one_that_is_repeated_runs_once() {
        assert_eq!(
            runs("0 30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", 2),
            ["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]
        );
        assert_eq!(
            runs("0 30 2 * * *", "Europe/Berlin", "2026-10-24T01:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn a_rhythm_is_kept_through_both_changes() {
        assert_eq!(
            runs("0 */30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 3),
            ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
        );
        assert_eq!(
            runs("0 */30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 6),
            [
                "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z",
                "2026-10-25T02:30:00Z"
            ]
        );
    }

    #[test]
    fn every_half_hour_of_two_years_is_met_exactly_once_in_zones_that_change_their_clocks() {
        for zone in ["Europe/Berlin", "America/St_Johns", "America/Vancouver", "UTC", "Asia/Kathmandu"] {
            let found = runs("0 */30 * * * *", zone, "2026-01-01T00:00:00Z", 2 * 24 * 730);
            for pair in found.windows(2) {
                let (a, b): (Timestamp, Timestamp) = (pair[0].parse().unwrap(), pair[1].parse().unwrap());
                assert_eq!(b.duration_since(a), SignedDuration::from_mins(30), "{zone}: {pair:?}");
            }
        }
    }

    #[test]
    fn a_daily_time_is_met_once_on_every_day_of_two_years() {
        for zone in ["Europe/Berlin", "America/St_Johns", "America/Vancouver", "Australia/Lord_Howe"] {
            let tz = jiff::tz::TimeZoneDatabase::bundled().get(zone).unwrap();
            for hour in ["0 15 1 * * *", "0 30 2 * * *", "0 0 8 * * *"] {
                let found = runs(hour, zone, "2026-01-01T18:00:00Z", 730);
                let days: Vec<civil::Date> =
                    found.iter().map(|at| tz.to_datetime(at.parse().unwrap()).date()).collect();
                for pair in days.windows(2) {
                    assert_eq!(pair[0].tomorrow().unwrap(), pair[1], "{zone} {hour}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_pattern_of_six_fields_is_refused() {
        for written in
            ["", "0 8 * * *", "0 0 8 * * * 2026", "0 0 25 * * *", "nonsense at eight o clock sharp", "@daily?"]
        {
            assert!(Cron::parse(written).is_err(), "{written:?}");
        }
        assert!(Cron::parse("0 0 8 * * Mon").is_ok());
        let never = Cron::parse("0 0 0 30 2 *").unwrap();
        assert_eq!(never.next_after("2026-01-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC), None);
    }
}
