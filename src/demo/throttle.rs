//! The limit on requests a minute that the real service enforces on each collection.

use super::directory::Collection;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// When requests came in, within the last minute.
pub(super) struct Throttle {
    limit: Option<usize>,
    seen: Mutex<[VecDeque<Timestamp>; 2]>,
}

impl Throttle {
    /// `None` = no limit.
    pub fn new(limit: Option<usize>) -> Self {
        Self { limit, seen: Mutex::default() }
    }

    /// Lets a request in, or says how many seconds from `now` the next will be. One that is turned away does not count.
    pub fn admit(&self, collection: Collection, now: Timestamp) -> Result<(), i64> {
        let Some(limit) = self.limit else { return Ok(()) };
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = &mut all[collection as usize];
        while seen.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            seen.pop_front();
        }
        if seen.len() < limit {
            seen.push_back(now);
            return Ok(());
        }
        let left = seen.front().map_or(WINDOW, |oldest| WINDOW - now.duration_since(*oldest));
        Err((left.as_millis() as i64 + 999) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minutes_budget_is_spent_and_comes_back_a_minute_after_it_was_spent() {
        let throttle = Throttle::new(Some(2));
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let asked = |second| throttle.admit(Collection::Applications, at(second));
        assert_eq!([asked(0), asked(10), asked(20), asked(59)], [Ok(()), Ok(()), Err(40), Err(1)]);
        assert_eq!(throttle.admit(Collection::ServicePrincipals, at(20)), Ok(()), "each collection has its own");
        assert_eq!([asked(60), asked(61), asked(70)], [Ok(()), Err(9), Ok(())]);
        assert!((0..1000).all(|n| Throttle::new(None).admit(Collection::Applications, at(n)).is_ok()));
    }
}
