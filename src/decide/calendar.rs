//! Days as people count them: calendar days of the configured zone, and when they begin.

use crate::domain::{Credential, Period, Threshold, Unit};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// What thresholds are measured on: a credential's life, or its part up to the planned replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Unknown for some.
    pub start: Option<Timestamp>,
    pub end: Timestamp,
}

impl Span {
    /// The whole life; `None` for what never ends.
    #[must_use]
    pub fn of_life(credential: &Credential) -> Option<Self> {
        Some(Self { start: credential.not_before, end: credential.expires_at? })
    }
}

/// A span in whole days of the calendar.
#[derive(Clone, Copy, Debug)]
pub struct Days {
    pub last: Date,
    /// From today to the last one: 0 = today, negative = past.
    pub left: i64,
    /// From the first one to the last, where the first is known.
    pub all: Option<i64>,
}

/// One instant, seen from one zone.
pub struct Calendar<'a> {
    pub zone: &'a TimeZone,
    pub now: Timestamp,
    today: Date,
}

impl<'a> Calendar<'a> {
    #[must_use]
    pub fn new(zone: &'a TimeZone, now: Timestamp) -> Self {
        Self { zone, now, today: zone.to_datetime(now).date() }
    }

    #[must_use]
    pub fn date(&self, instant: Timestamp) -> Date {
        self.zone.to_datetime(instant).date()
    }

    /// Calendar days from today to the day of `instant`: 0 = today, negative = past.
    #[must_use]
    pub fn days_until(&self, instant: Timestamp) -> i64 {
        days_between(self.today, self.date(instant))
    }

    /// When `threshold` is crossed; `None` where it does not apply: longer than the whole span, or a share of a span of unknown
    /// length.
    #[must_use]
    pub fn crossing(&self, threshold: Threshold, span: Span) -> Option<Timestamp> {
        let Span { start, end } = span;
        match threshold {
            Threshold::Before(Period { amount, unit: Unit::Days }) => {
                let days = self.days(span);
                days.all.is_none_or(|all| i64::from(amount) <= all).then(|| self.days_before(days.last, amount))
            }
            Threshold::Before(period) => {
                let crossing =
                    end.saturating_sub(SignedDuration::from_secs(period.seconds())).unwrap_or(Timestamp::MIN);
                start.is_none_or(|start| start <= crossing).then_some(crossing)
            }
            Threshold::Share(percent) => {
                let life = end.duration_since(start?).as_secs();
                let before_end =
                    SignedDuration::from_secs(life / 100 * i64::from(percent) + life % 100 * i64::from(percent) / 100);
                (life > 0).then(|| end.saturating_sub(before_end).unwrap_or(Timestamp::MIN))
            }
        }
    }

    #[must_use]
    pub fn days(&self, span: Span) -> Days {
        let last = self.date(span.end);
        let all = span.start.map(|start| days_between(self.date(start), last));
        Days { last, left: days_between(self.today, last), all }
    }

    /// The first instant of the day that lies `amount` days before `day`.
    #[must_use]
    pub fn days_before(&self, day: Date, amount: u32) -> Timestamp {
        self.start_of_day(day, -i64::from(amount))
    }

    /// When `n` periods have passed since `end`: days by the calendar, other units by the clock.
    #[must_use]
    pub fn after(&self, end: Timestamp, period: Period) -> Timestamp {
        match period.unit {
            Unit::Days => self.start_of_day(self.date(end), i64::from(period.amount)),
            _ => end.saturating_add(SignedDuration::from_secs(period.seconds())).unwrap_or(Timestamp::MAX),
        }
    }

    /// The first instant of the day that lies `days` after `day`.
    fn start_of_day(&self, day: Date, days: i64) -> Timestamp {
        let date = day.saturating_add(days.clamp(-4_000_000, 4_000_000).days());
        let midnight = date.to_datetime(Time::midnight());
        // A midnight that the zone skips is the instant at which the clock moved on; out of range, it is never.
        self.zone.to_ambiguous_timestamp(midnight).compatible().unwrap_or(if days < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }
}

fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{at, secret, vancouver};

    fn life(credential: &Credential) -> Span {
        Span::of_life(credential).unwrap()
    }

    #[test]
    fn days_are_counted_by_the_calendar_of_the_zone() {
        let zone = vancouver();
        for (now, end, days) in [
            ("2026-11-21T16:00:00Z", "2026-11-28T07:30:00Z", 7), // 00:30 on the 28th there
            ("2026-11-21T16:00:00Z", "2026-11-28T06:30:00Z", 6), // 23:30 on the 27th there
            ("2026-11-21T06:59:00Z", "2026-11-21T07:00:00Z", 1), // one minute, across midnight
            ("2026-11-21T16:00:00Z", "2026-11-21T16:00:00Z", 0),
            ("2026-11-21T16:00:00Z", "2026-11-20T16:00:00Z", -1),
            ("2026-03-01T16:00:00Z", "2026-04-01T16:00:00Z", 31), // across a change of the clock
        ] {
            assert_eq!(Calendar::new(&zone, at(now)).days_until(at(end)), days, "{now} to {end}");
        }
    }

    #[test]
    fn thresholds_are_crossed_when_their_day_begins_or_at_their_instant() {
        let zone = vancouver();
        let calendar = Calendar::new(&zone, at("2026-11-21T16:00:00Z"));
        for (threshold, from, until, crossing) in [
            ("7d", "2026-06-01T00:00:00Z", "2026-11-28T20:00:00Z", Some("2026-11-21T07:00:00Z")),
            ("0d", "2026-06-01T00:00:00Z", "2026-11-28T20:00:00Z", Some("2026-11-28T07:00:00Z")),
            ("12h", "2026-06-01T00:00:00Z", "2026-11-28T20:00:00Z", Some("2026-11-28T08:00:00Z")),
            ("50%", "2026-11-01T00:00:00Z", "2026-11-11T00:00:00Z", Some("2026-11-06T00:00:00Z")),
            ("60d", "2026-11-01T00:00:00Z", "2026-11-28T20:00:00Z", None),
            ("27d", "2026-11-01T20:00:00Z", "2026-11-28T20:00:00Z", Some("2026-11-01T07:00:00Z")),
            ("48h", "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", None),
        ] {
            let credential = secret("a", from, until);
            assert_eq!(
                calendar.crossing(threshold.parse().unwrap(), life(&credential)),
                crossing.map(at),
                "{threshold}"
            );
        }
        let mut unknown_start = secret("a", "2026-06-01T00:00:00Z", "2026-11-28T20:00:00Z");
        unknown_start.not_before = None;
        assert_eq!(calendar.crossing(Threshold::Share(33), life(&unknown_start)), None);
        assert!(calendar.crossing(Threshold::Before(Period::days(9999)), life(&unknown_start)).is_some());
    }

    #[test]
    fn ends_at_the_edge_of_time_do_not_overflow() {
        let zone = vancouver();
        for now in [Timestamp::MIN, Timestamp::MAX, at("2026-11-21T16:00:00Z")] {
            let calendar = Calendar::new(&zone, now);
            for end in [Timestamp::MIN, Timestamp::MAX] {
                let mut credential = secret("a", "2026-06-01T00:00:00Z", "2026-11-28T20:00:00Z");
                (credential.not_before, credential.expires_at) = (Some(Timestamp::MIN), Some(end));
                for threshold in ["36500d", "876000h", "99%", "0d"] {
                    let _ = calendar.crossing(threshold.parse().unwrap(), life(&credential));
                }
                let _ = calendar.after(end, Period::days(u32::MAX));
                let _ = calendar.days_until(end);
            }
        }
    }
}
