//! When runs of one sort are made.

use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A first run, and for each instant the first run after it.
///
/// What was worked out once is kept: a day's thresholds are crossed at midnight by everybody, and a schedule is slow to ask.
pub struct Rounds<'a> {
    first: Timestamp,
    next_after: &'a dyn Fn(Timestamp) -> Option<Timestamp>,
    /// Runs, each with the soonest instant of which it is known to be the first run after.
    known: RefCell<BTreeMap<Timestamp, Timestamp>>,
}

impl<'a> Rounds<'a> {
    #[must_use]
    pub fn new(first: Timestamp, next_after: &'a dyn Fn(Timestamp) -> Option<Timestamp>) -> Self {
        Self { first, next_after, known: RefCell::default() }
    }

    #[must_use]
    pub fn first(&self) -> Timestamp {
        self.first
    }

    /// The first run that sees what is so from `instant` on.
    pub(super) fn at_or_after(&self, instant: Timestamp) -> Option<Timestamp> {
        if instant <= self.first {
            return Some(self.first);
        }
        let mut known = self.known.borrow_mut();
        if let Some((run, since)) = known.range(instant..).next()
            && *since <= instant
        {
            return Some(*run);
        }
        let before = instant.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        let run = (self.next_after)(before)?.max(self.first);
        known.entry(run).and_modify(|since| *since = instant.min(*since)).or_insert(instant);
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::at;
    use std::cell::Cell;

    #[test]
    fn each_change_is_seen_by_the_first_run_that_is_not_before_it_and_a_run_is_worked_out_once() {
        let asked = Cell::new(0);
        let on_the_hour = |after: Timestamp| {
            asked.set(asked.get() + 1);
            Timestamp::from_second((after.as_second().div_euclid(3600) + 1) * 3600).ok()
        };
        let rounds = Rounds::new(at("2026-11-21T16:20:00Z"), &on_the_hour);
        for (change, run, questions) in [
            ("2026-01-01T00:00:00Z", "2026-11-21T16:20:00Z", 0),
            ("2026-11-21T16:20:00Z", "2026-11-21T16:20:00Z", 0),
            ("2026-11-21T16:20:00.000000001Z", "2026-11-21T17:00:00Z", 1),
            ("2026-11-21T17:00:00Z", "2026-11-21T17:00:00Z", 1),
            ("2026-11-21T17:00:00.000000001Z", "2026-11-21T18:00:00Z", 2),
            ("2026-11-21T17:30:00Z", "2026-11-21T18:00:00Z", 2),
            ("2026-11-21T16:40:00Z", "2026-11-21T17:00:00Z", 2),
        ] {
            assert_eq!((rounds.at_or_after(at(change)), asked.get()), (Some(at(run)), questions), "{change}");
        }
        assert_eq!(Rounds::new(at("2026-11-21T16:20:00Z"), &|_| None).at_or_after(at("2027-01-01T00:00:00Z")), None);
    }
}
