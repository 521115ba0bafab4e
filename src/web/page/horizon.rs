//! How far away an end is: the stretches of the time line, and where on it a day lies.
//!
//! ```text
//!   per cent  0      10             33             56            76         91     100
//!             | ended |  a week      | to 30 days   | to 90 days  | to a year | later |
//!                   today            7 d            30 d          90 d        1 y
//! ```
//! Each stretch is linear in itself and has about as much room as the one before, so that the near gets the most a day.

use crate::decide::{Code, Status, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Horizon {
    Ended,
    Week,
    Month,
    Quarter,
    Year,
    Later,
}

/// Days from today, and how many per cent of the line lie before them.
const STOPS: [(f64, f64); 7] =
    [(-30.0, 2.0), (0.0, 10.0), (7.0, 33.0), (30.0, 56.0), (90.0, 76.0), (365.0, 91.0), (1_095.0, 98.5)];

/// The stops that are written on the line.
pub const TICKS: [(f64, &str); 5] = [(10.0, "today"), (33.0, "7 d"), (56.0, "30 d"), (76.0, "90 d"), (91.0, "1 y")];

impl Horizon {
    pub const ALL: [Self; 6] = [Self::Ended, Self::Week, Self::Month, Self::Quarter, Self::Year, Self::Later];

    /// The last day that counts as soon.
    pub const WEEK: i32 = 7;

    /// Where it ends, if anybody has to care: what is covered, ignored or was never news has no place on the line.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        let days = verdict.days_left?;
        match verdict.status {
            Status::Superseded | Status::Ignored | Status::NoExpiry => None,
            Status::Expired => (verdict.code != Code::Ignored).then_some(Self::Ended),
            _ => Some(match days {
                ..0 => Self::Ended,
                0..=Self::WEEK => Self::Week,
                8..=30 => Self::Month,
                31..=90 => Self::Quarter,
                91..=365 => Self::Year,
                _ => Self::Later,
            }),
        }
    }

    /// As addresses spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
            Self::Year => "1y",
            Self::Later => "later",
        }
    }

    pub fn spoken(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Week => "within 7 days",
            Self::Month => "8 to 30 days",
            Self::Quarter => "31 to 90 days",
            Self::Year => "to a year",
            Self::Later => "later",
        }
    }

    pub fn look(self) -> &'static str {
        match self {
            Self::Ended => "gone",
            Self::Week => "soon",
            Self::Month => "near",
            Self::Quarter | Self::Year => "fine",
            Self::Later => "calm",
        }
    }
}

/// Where on the line the end that a verdict is about lies, in per cent of its width.
pub fn place(verdict: &Verdict) -> f64 {
    let days = f64::from(verdict.days_left.unwrap_or(i32::MAX));
    place_of_day(if has_ended(verdict) { days.min(-1.0) } else { days })
}

/// What ended earlier today has ended, too.
pub fn has_ended(verdict: &Verdict) -> bool {
    verdict.status == Status::Expired || verdict.days_left.is_some_and(|days| days < 0)
}

fn place_of_day(days: f64) -> f64 {
    let (first, last) = (STOPS[0], STOPS[STOPS.len() - 1]);
    let days = days.clamp(first.0, last.0);
    let stretch = STOPS.windows(2).find(|pair| days <= pair[1].0).map_or((first, last), |pair| (pair[0], pair[1]));
    let ((from, left), (to, right)) = stretch;
    left + (days - from) / (to - from) * (right - left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_begins_with_what_has_ended_and_never_turns_back() {
        assert_eq!(
            [-400.0, 0.0, 7.0, 30.0, 90.0, 365.0, 99_999.0].map(place_of_day),
            [2.0, 10.0, 33.0, 56.0, 76.0, 91.0, 98.5]
        );
        let places: Vec<f64> = (-40..1_200).map(|day| place_of_day(f64::from(day))).collect();
        assert!(places.is_sorted());
    }

    #[test]
    fn the_near_has_more_room_a_day_than_the_far() {
        let room = |day: f64| place_of_day(day + 1.0) - place_of_day(day);
        assert!([3.0, 15.0, 60.0, 200.0, 900.0].map(room).is_sorted_by(|near, far| near > far));
    }
}
