//! What is wrong again and again is said once a minute, not each time that it is tried.

use jiff::{SignedDuration, Timestamp};

const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// When something was last said to be wrong.
#[derive(Debug, Default)]
pub struct Said(Option<Timestamp>);

impl Said {
    /// Whether a failure is to be logged at `now`. A clock that stepped back is no reason to be silent.
    pub fn is_due(&mut self, now: Timestamp) -> bool {
        let due = self.0.is_none_or(|said| now < said || now.duration_since(said) >= AGAIN_AFTER);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_goes_on_is_said_once_a_minute() {
        let mut said = Said::default();
        let at = |second| Timestamp::from_second(1_000 + second).unwrap();
        let logged: Vec<i64> = (0..150).filter(|second| said.is_due(at(*second))).collect();
        assert_eq!(logged, [0, 60, 120]);
        assert!(said.is_due(at(0)), "the clock stepped back");
    }
}
