//! Keeping the number of requests inside a budget, before the server has to say no.

use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many requests in any span of this length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub requests: usize,
    pub within: SignedDuration,
}

/// Clocks give whole seconds, so two instants can be this much closer than they look.
const GRAIN: SignedDuration = SignedDuration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Pacer {
    budgets: &'static [Budget],
    /// When the latest requests left, in order; as many as the largest budget counts.
    sent: Mutex<VecDeque<Timestamp>>,
}

impl Pacer {
    pub fn new(budgets: &'static [Budget]) -> Self {
        Self { budgets, sent: Mutex::default() }
    }

    /// Counts a request that leaves now and gives zero, or says how long it has to wait.
    pub fn reserve(&self, now: Timestamp) -> Duration {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that stepped back must not make anybody wait for what it calls the future.
        sent.retain(|at| *at <= now);
        let wait = self.budgets.iter().map(|budget| budget.wait(&sent, now)).max().unwrap_or_default();
        if wait.is_zero() {
            sent.push_back(now);
            let most = self.budgets.iter().map(|budget| budget.requests).max().unwrap_or_default();
            let spare = sent.len().saturating_sub(most);
            sent.drain(..spare);
        }
        wait
    }
}

impl Budget {
    fn wait(self, sent: &VecDeque<Timestamp>, now: Timestamp) -> Duration {
        // The request that has to be out of the span before the next may go.
        let Some(index) = sent.len().checked_sub(self.requests) else { return Duration::ZERO };
        let Some(at) = sent.get(index) else { return Duration::ZERO };
        let left = self.within.saturating_add(GRAIN).saturating_sub(now.duration_since(*at));
        Duration::try_from(left).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BUDGETS: &[Budget] = &[
        Budget { requests: 3, within: SignedDuration::from_secs(5) },
        Budget { requests: 7, within: SignedDuration::from_secs(60) },
    ];

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn a_full_span_is_waited_out_and_the_longer_one_too() {
        let pacer = Pacer::new(BUDGETS);
        let asked = |second: i64| pacer.reserve(at(second * 1000)).as_secs();
        assert_eq!([asked(0), asked(0), asked(1), asked(1), asked(6)], [0, 0, 0, 5, 0]);
        assert_eq!([asked(6), asked(6), asked(7), asked(7)], [0, 1, 0, 5]);
        assert_eq!([asked(12), asked(13), asked(61), asked(61)], [0, 48, 0, 0]);
    }

    #[test]
    fn a_clock_that_steps_back_holds_nobody_up() {
        let pacer = Pacer::new(BUDGETS);
        (0..3).for_each(|_| assert!(pacer.reserve(at(1_000_000)).is_zero()));
        assert!(pacer.reserve(at(0)).is_zero());
    }

    proptest! {
        #[test]
        fn no_span_ever_holds_more_than_its_budget(gaps in proptest::collection::vec(0_i64..4_000, 1..200)) {
            let pacer = Pacer::new(BUDGETS);
            let (mut real, mut left) = (0, Vec::new());
            for gap in gaps {
                real += gap;
                loop {
                    let wait = pacer.reserve(at(real - real.rem_euclid(1000)));
                    if wait.is_zero() {
                        break;
                    }
                    real += i64::try_from(wait.as_millis()).unwrap();
                }
                left.push(real);
            }
            for budget in BUDGETS {
                let span = i64::try_from(budget.within.as_millis()).unwrap();
                prop_assert!(left.windows(budget.requests + 1).all(|run| run[budget.requests] - run[0] >= span));
            }
        }
    }
}
