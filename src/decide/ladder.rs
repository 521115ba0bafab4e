//! Where a credential stands on its ladder of thresholds.
//!
//! ```text
//!   not_before                    60d        30d     7d  1d 0d  end      +7d      +14d
//!   |------------------------------|----------|-------|---|--|---|--------|--------|----> time
//!                 nothing           60d        30d     7d  1d 0d  expired  expired  expired
//!                                                                          +7d      +14d
//! ```
//! One rung at a time: only the tightest one that has been crossed counts. Whoever was told of a rung has been told of all wider
//! ones too.

use super::calendar::{Calendar, Span};
use crate::domain::{NoticeKind, Period, Step, Threshold, Unit};
use jiff::Timestamp;

/// A rung that has been crossed, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    pub kind: NoticeKind,
    pub step: Step,
    pub crossed_at: Timestamp,
}

impl Rung {
    /// This one, unless `other` comes before it.
    #[must_use]
    pub fn sooner(self, other: Option<Self>) -> Self {
        other.filter(|other| other.crossed_at < self.crossed_at).unwrap_or(self)
    }
}

/// The tightest rung crossed, and the next one ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub rung: Option<Rung>,
    pub next: Option<Rung>,
}

/// Before the end of `span`: the rungs of `ladder`, told as `kind`.
#[must_use]
pub fn before_end(kind: NoticeKind, ladder: &[Threshold], span: Span, calendar: &Calendar<'_>) -> Standing {
    let mut standing = Standing::default();
    let days = calendar.days(span);
    let (tightest, widest) = nearest_days(ladder, days.left, days.all.unwrap_or(i64::MAX));
    for threshold in ladder {
        let crossed_at = match threshold {
            // Among rungs in whole days only the nearest on either side can matter; the calendar is asked for no others.
            Threshold::Before(Period { amount, unit: Unit::Days }) => {
                [tightest, widest].contains(&Some(*amount)).then(|| calendar.days_before(days.last, *amount))
            }
            _ => calendar.crossing(*threshold, span),
        };
        let Some(crossed_at) = crossed_at else { continue };
        let rung = Rung { kind, step: Step::Before(*threshold), crossed_at };
        if crossed_at > calendar.now {
            standing.next = Some(rung.sooner(standing.next));
        } else if standing.rung.is_none_or(|tightest| tightest.crossed_at <= crossed_at) {
            standing.rung = Some(rung);
        }
    }
    standing
}

/// The smallest whole-day threshold that has been crossed and the largest that has not, of those that apply to such a life.
fn nearest_days(ladder: &[Threshold], days_left: i64, life: i64) -> (Option<u32>, Option<u32>) {
    let days = ladder.iter().filter_map(|threshold| match threshold {
        Threshold::Before(Period { amount, unit: Unit::Days }) => Some(*amount),
        _ => None,
    });
    days.filter(|amount| i64::from(*amount) <= life).fold((None, None), |(crossed, ahead), amount| {
        if i64::from(amount) >= days_left {
            (Some(crossed.map_or(amount, |least: u32| least.min(amount))), ahead)
        } else {
            (crossed, Some(ahead.map_or(amount, |most: u32| most.max(amount))))
        }
    })
}

/// After the end: `expired`, then again after each `repeat`.
#[must_use]
pub fn after_end(end: Timestamp, repeat: Option<Period>, calendar: &Calendar<'_>) -> Standing {
    let first = Rung { kind: NoticeKind::Expired, step: Step::Expired(None), crossed_at: end };
    let Some(period) = repeat.filter(|period| period.amount > 0) else {
        return Standing { rung: Some(first), next: None };
    };
    let crossing = |n| calendar.after(end, period.times(n));
    let repeat = |n| Rung { step: Step::Expired(Some(period.times(n))), crossed_at: crossing(n), ..first };
    let mut passed = repeats_before(calendar, end, period);
    while passed > 0 && crossing(passed) > calendar.now {
        passed -= 1;
    }
    let rung = match passed {
        0 => first,
        n => repeat(n),
    };
    Standing { rung: Some(rung), next: Some(repeat(passed.saturating_add(1))) }
}

/// At least the number of repeats that have passed; at most one or two more, where days differ in length.
fn repeats_before(calendar: &Calendar<'_>, end: Timestamp, period: Period) -> u32 {
    let passed = match period.unit {
        Unit::Days => -calendar.days_until(end) / i64::from(period.amount),
        _ => calendar.now.duration_since(end).as_secs() / period.seconds(),
    };
    u32::try_from(passed.max(0)).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{at, secret, thresholds, vancouver};

    const LADDER: &[&str] = &["60d", "30d", "14d", "7d", "3d", "1d", "0d"];

    fn rung_at(now: &str, ladder: &[&str], from: &str, until: &str) -> (Option<String>, Option<Timestamp>) {
        let zone = vancouver();
        let calendar = Calendar::new(&zone, at(now));
        let life = Span::of_life(&secret("a", from, until)).unwrap();
        let standing = before_end(NoticeKind::Expiring, &thresholds(ladder), life, &calendar);
        (standing.rung.map(|rung| rung.step.to_string()), standing.next.map(|rung| rung.crossed_at))
    }

    #[test]
    fn only_the_tightest_rung_that_was_crossed_counts() {
        let (from, until) = ("2026-01-01T00:00:00Z", "2026-12-31T20:00:00Z");
        for (now, rung, next) in [
            ("2026-10-01T20:00:00Z", None, Some("2026-11-01T07:00:00Z")),
            ("2026-11-01T06:59:59Z", None, Some("2026-11-01T07:00:00Z")),
            ("2026-11-01T07:00:00Z", Some("60d"), Some("2026-12-01T07:00:00Z")),
            ("2026-12-24T06:59:59Z", Some("14d"), Some("2026-12-24T07:00:00Z")),
            ("2026-12-24T07:00:00Z", Some("7d"), Some("2026-12-28T07:00:00Z")),
            ("2026-12-31T06:59:59Z", Some("1d"), Some("2026-12-31T07:00:00Z")),
            ("2026-12-31T20:00:00Z", Some("0d"), None),
        ] {
            assert_eq!(rung_at(now, LADDER, from, until), (rung.map(str::to_owned), next.map(at)), "{now}");
        }
    }

    #[test]
    fn the_order_in_which_thresholds_are_written_makes_no_difference() {
        let (from, until) = ("2026-01-01T00:00:00Z", "2026-12-31T20:00:00Z");
        let written_backwards: Vec<&str> = LADDER.iter().rev().copied().collect();
        for now in ["2026-10-01T20:00:00Z", "2026-11-15T07:00:00Z", "2026-12-29T07:00:00Z"] {
            assert_eq!(rung_at(now, LADDER, from, until), rung_at(now, &written_backwards, from, until));
        }
    }

    #[test]
    fn shares_days_and_hours_stand_on_one_ladder() {
        let ladder = ["33%", "16%", "8%", "3d", "1d", "6h"];
        let (from, until) = ("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z"); // 100 days
        for (now, rung) in [
            ("2026-03-08T23:59:59Z", None),
            ("2026-03-09T00:00:00Z", Some("33%")),
            ("2026-03-26T00:00:00Z", Some("16%")),
            ("2026-04-03T00:00:00Z", Some("8%")),
            ("2026-04-07T07:00:00Z", Some("3d")),
            ("2026-04-09T07:00:00Z", Some("1d")),
            ("2026-04-10T18:00:00Z", Some("6h")),
        ] {
            assert_eq!(rung_at(now, &ladder, from, until).0, rung.map(str::to_owned), "{now}");
        }
    }

    #[test]
    fn a_threshold_longer_than_the_whole_life_does_not_apply() {
        let (from, until) = ("2026-11-20T00:00:00Z", "2026-12-10T00:00:00Z");
        assert_eq!(rung_at("2026-11-20T00:00:01Z", LADDER, from, until).0, None);
        assert_eq!(rung_at("2026-11-26T00:00:00Z", LADDER, from, until).0, Some("14d".to_owned()));
    }

    #[test]
    fn an_expired_one_is_repeated_counting_from_its_end() {
        let zone = vancouver();
        let end = at("2026-11-21T20:00:00Z");
        for (now, repeat, step, next) in [
            ("2026-11-21T20:00:01Z", "7d", "expired", Some("2026-11-28T07:00:00Z")),
            ("2026-11-28T06:59:59Z", "7d", "expired", Some("2026-11-28T07:00:00Z")),
            ("2026-11-28T07:00:00Z", "7d", "expired+7d", Some("2026-12-05T07:00:00Z")),
            ("2026-12-20T07:00:00Z", "7d", "expired+28d", Some("2026-12-26T07:00:00Z")),
            ("2026-11-22T07:59:59Z", "12h", "expired", Some("2026-11-22T08:00:00Z")),
            ("2026-11-22T08:00:00Z", "12h", "expired+12h", Some("2026-11-22T20:00:00Z")),
            ("2027-11-22T08:00:00Z", "0d", "expired", None),
        ] {
            let calendar = Calendar::new(&zone, at(now));
            let standing = after_end(end, Some(repeat.parse().unwrap()), &calendar);
            assert_eq!(standing.rung.map(|rung| rung.step.to_string()).as_deref(), Some(step), "{now}");
            assert_eq!(standing.next.map(|rung| rung.crossed_at), next.map(at), "{now}");
        }
        let calendar = Calendar::new(&zone, at("2027-11-21T20:00:01Z"));
        assert_eq!(after_end(end, None, &calendar).rung.map(|rung| rung.step), Some(Step::Expired(None)));
    }
}
