//! What has been logged about something that is asked with every poll.
//!
//! A licence that is not there is missing at each poll; it is told when it is met, and when it has changed.

use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Said(Mutex<Option<String>>);

impl Said {
    /// Whether this is another outcome than the one before, and so worth a line.
    pub fn is_news(&self, outcome: &str) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = last.as_deref() != Some(outcome);
        *last = Some(outcome.to_owned());
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_changed_is_news() {
        let said = Said::default();
        let news = ["", "403", "403", "429", "", ""].map(|outcome| said.is_news(outcome));
        assert_eq!(news, [true, true, false, true, true, false]);
    }
}
