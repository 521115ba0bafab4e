//! The limit on requests in any span of time that the real service enforces on each of its parts.

use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// When requests came in, within the last span.
pub(super) struct Throttle {
    limit: Option<usize>,
    span: SignedDuration,
    seen: Mutex<VecDeque<Timestamp>>,
}

impl Throttle {
    /// `None` = no limit.
    pub fn new(limit: Option<usize>, span: SignedDuration) -> Self {
        Self { limit, span, seen: Mutex::default() }
    }

    /// Lets a request in, or says how many seconds from `now` the next will be. One that is turned away does not count.
    pub fn admit(&self, now: Timestamp) -> Result<(), i64> {
        let Some(limit) = self.limit else { return Ok(()) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while seen.front().is_some_and(|at| now.duration_since(*at) >= self.span) {
            seen.pop_front();
        }
        if seen.len() < limit {
            seen.push_back(now);
            return Ok(());
        }
        let left = seen.front().map_or(self.span, |oldest| self.span - now.duration_since(*oldest));
        Err((left.as_millis() as i64 + 999) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spans_budget_is_spent_and_comes_back_a_span_after_it_was_spent() {
        let minute = SignedDuration::from_mins(1);
        let throttle = Throttle::new(Some(2), minute);
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let asked = |second| throttle.admit(at(second));
        assert_eq!([asked(0), asked(10), asked(20), asked(59)], [Ok(()), Ok(()), Err(40), Err(1)]);
        assert_eq!([asked(60), asked(61), asked(70)], [Ok(()), Err(9), Ok(())]);
        assert!((0..1000).all(|n| Throttle::new(None, minute).admit(at(n)).is_ok()));
    }
}
