//! Who stands in for whom.
//!
//! ```text
//!   old    |=====================|            the old one is superseded while the new one covers it
//!   new               |=====================|
//!          ^ steady   ^ overlap  ^ the old one ends as planned: nobody is told `expired`
//! ```

use crate::domain::{Credential, Successor};
use crate::inventory::Entry;
use jiff::Timestamp;

/// The index within `siblings` of the one that supersedes `siblings[of]`, the longest-lived where there are several.
///
/// `siblings` are all entries of one holder and kind.
#[must_use]
pub fn successor(of: usize, siblings: &[Entry], rule: Successor, now: Timestamp) -> Option<usize> {
    covering(of, siblings, rule, now)
        .max_by_key(|(_, entry)| (entry.credential.expires_at.is_none(), entry.credential.expires_at))
        .map(|(index, _)| index)
}

/// The first that began of those that supersede `siblings[of]`: since then it could have been used in its place.
#[must_use]
pub fn first_successor(of: usize, siblings: &[Entry], rule: Successor, now: Timestamp) -> Option<usize> {
    covering(of, siblings, rule, now).min_by_key(|(_, entry)| entry.credential.not_before).map(|(index, _)| index)
}

/// All that supersede `siblings[of]`.
fn covering(of: usize, siblings: &[Entry], rule: Successor, now: Timestamp) -> impl Iterator<Item = (usize, &Entry)> {
    let old = &siblings[of].credential;
    let covers = move |entry: &Entry| {
        let new = &entry.credential;
        entry.missing_since.is_none()
            && (rule == Successor::Holder || new.label == old.label)
            && (new.in_use || !old.in_use)
            && started_and_ends_later(new, old)
            && took_over(new, old, now)
    };
    let others = if rule == Successor::None { &[] } else { siblings };
    others.iter().enumerate().filter(move |(index, entry)| *index != of && covers(entry))
}

/// Of two that started together, the one that ends later succeeds. Without a known start nothing can be said.
fn started_and_ends_later(new: &Credential, old: &Credential) -> bool {
    let ends_later = match (new.expires_at, old.expires_at) {
        (None, Some(_)) => true,
        (Some(new), Some(old)) => new > old,
        (_, None) => false,
    };
    match (new.not_before, old.not_before) {
        (Some(new), Some(old)) => new >= old && ends_later,
        (Some(_), None) => ends_later,
        (None, _) => false,
    }
}

/// Valid now, or valid when the old one ended: its use had moved by then, and if the new one has since lapsed, that is the new
/// one's story to tell.
fn took_over(new: &Credential, old: &Credential, now: Timestamp) -> bool {
    new.is_valid_at(now) || old.expires_at.is_some_and(|end| end < now && new.is_valid_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{at, entry, secret};

    const NOW: &str = "2026-11-21T16:00:00Z";

    /// Whether the second of two siblings supersedes the first.
    #[track_caller]
    fn check(rule: Successor, old: Credential, new: Credential, expected: bool) {
        let siblings = [entry(old, NOW), entry(new, NOW)];
        assert_eq!(successor(0, &siblings, rule, at(NOW)), expected.then_some(1));
        assert_eq!(successor(1, &siblings, rule, at(NOW)), None, "nothing succeeds its own successor");
    }

    fn old() -> Credential {
        secret("old", "2026-06-01T00:00:00Z", "2026-12-01T00:00:00Z")
    }

    fn new() -> Credential {
        secret("new", "2026-09-01T00:00:00Z", "2027-03-01T00:00:00Z")
    }

    #[test]
    fn a_valid_one_that_started_later_and_ends_later_supersedes() {
        check(Successor::Label, old(), new(), true);
        check(Successor::Holder, old(), new(), true);
    }

    #[test]
    fn nobody_succeeds_where_the_rule_says_none() {
        check(Successor::None, old(), new(), false);
    }

    #[test]
    fn another_label_succeeds_only_under_the_holder_rule() {
        let other = Credential { label: crate::domain::Text::clean("other"), ..new() };
        check(Successor::Label, old(), other.clone(), false);
        check(Successor::Holder, old(), other, true);
    }

    #[test]
    fn one_that_is_not_yet_valid_or_switched_off_or_missing_covers_nothing() {
        check(Successor::Label, old(), secret("new", "2026-11-22T00:00:00Z", "2027-03-01T00:00:00Z"), false);
        check(Successor::Label, old(), Credential { enabled: false, ..new() }, false);
        let mut missing = entry(new(), NOW);
        missing.missing_since = Some(at(NOW));
        assert_eq!(successor(0, &[entry(old(), NOW), missing], Successor::Label, at(NOW)), None);
    }

    #[test]
    fn one_that_ends_sooner_or_started_at_an_unknown_time_covers_nothing() {
        check(Successor::Label, old(), secret("new", "2026-09-01T00:00:00Z", "2026-11-30T00:00:00Z"), false);
        check(Successor::Label, old(), Credential { not_before: None, ..new() }, false);
    }

    #[test]
    fn of_two_that_started_together_the_one_that_ends_later_succeeds() {
        check(Successor::Label, old(), secret("new", "2026-06-01T00:00:00Z", "2027-03-01T00:00:00Z"), true);
        check(Successor::Label, old(), Credential { expires_at: None, ..new() }, true);
    }

    #[test]
    fn a_signing_certificate_in_use_is_only_superseded_by_one_in_use() {
        let in_use = |credential| Credential { in_use: true, ..credential };
        check(Successor::Label, in_use(old()), new(), false);
        check(Successor::Label, in_use(old()), in_use(new()), true);
        check(Successor::Label, old(), in_use(new()), true);
    }

    #[test]
    fn what_was_covered_at_its_end_stays_superseded_when_its_successor_lapses_in_turn() {
        let old = secret("old", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z");
        let lapsed = secret("new", "2026-04-01T00:00:00Z", "2026-11-01T00:00:00Z");
        check(Successor::Label, old.clone(), lapsed, true);
        let too_late = secret("new", "2026-08-01T00:00:00Z", "2026-11-01T00:00:00Z");
        check(Successor::Label, old, too_late, false);
    }

    #[test]
    fn of_several_successors_the_longest_lived_is_named() {
        let third = secret("third", "2026-10-01T00:00:00Z", "2027-06-01T00:00:00Z");
        let siblings = [entry(old(), NOW), entry(third, NOW), entry(new(), NOW)];
        assert_eq!(successor(0, &siblings, Successor::Label, at(NOW)), Some(1));
        let first = first_successor(0, &siblings, Successor::Label, at(NOW));
        assert_eq!(first, Some(2), "and its use could have moved since the first of them began");
    }
}
