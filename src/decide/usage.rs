//! Whether an old credential is still used, as far as its source's report of sign-ins tells.
//!
//! The report is advisory and often late. What it does not say is unknown: neither "used" nor "safe to let go".

use crate::domain::{Credential, LastUse};
use crate::inventory::Inventory;
use jiff::{SignedDuration, Timestamp};

/// A use that is older than this is no sign that anybody depends on it still (contract, section 4.4). A report that is older says
/// nothing about today.
pub const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The last use that is known, and of when that knowledge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub last: Timestamp,
    pub as_of: Timestamp,
}

/// Whether a superseded credential is still used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OldUse {
    /// Nobody asks for it, or it has no successor.
    #[default]
    Unasked,
    /// The report could not be read, is too old, or does not list it.
    Unknown,
    /// Used since its successor began, and lately.
    InUse,
    /// Used lately, though not since its successor began: too early to say that it is not needed.
    Settling,
    /// Not used lately.
    Idle,
}

/// What is known of uses at one instant.
#[derive(Clone, Copy)]
pub struct Usage<'a> {
    pub inventory: &'a Inventory,
    pub now: Timestamp,
    /// From this instant on nothing but time changes: what was used lately goes on being used.
    pub foreseen_from: Option<Timestamp>,
}

impl Usage<'_> {
    /// Whether `old` is still used, though since `covered_since` another could be.
    #[must_use]
    pub fn of_old(&self, old: &Credential, covered_since: Option<Timestamp>) -> OldUse {
        if self.report(old).is_none() {
            return OldUse::Unasked;
        }
        let Some(Known { last, as_of }) = self.last(old) else { return OldUse::Unknown };
        let since_successor = covered_since.is_none_or(|start| last >= start);
        match (as_of.duration_since(last) <= RECENT, since_successor) {
            (true, true) => OldUse::InUse,
            (true, false) => OldUse::Settling,
            (false, _) => OldUse::Idle,
        }
    }

    /// The last use, where the report is recent and lists it.
    #[must_use]
    pub fn last(&self, credential: &Credential) -> Option<Known> {
        let report = self.report(credential)?;
        let (last, read_at) = (report.of(credential.id.key_id()?)?, report.read_at?);
        let foreseen = self.foreseen_from.map_or(SignedDuration::ZERO, |from| self.now.duration_since(from));
        let as_of = later(read_at, foreseen);
        (self.now.duration_since(as_of) <= RECENT).then_some(())?;
        let goes_on = read_at.duration_since(last) <= RECENT;
        Some(Known { last: if goes_on { later(last, foreseen) } else { last }, as_of })
    }

    /// What its source has read; `None` where it reads no such thing.
    #[must_use]
    pub fn report(&self, credential: &Credential) -> Option<&LastUse> {
        self.inventory.source(&credential.source)?.last_use.as_deref()
    }
}

fn later(instant: Timestamp, by: SignedDuration) -> Timestamp {
    instant.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{at, secret};
    use crate::domain::{Ident, SourceName, Text};
    use crate::inventory::SourceState;
    use std::sync::Arc;

    const READ: &str = "2026-11-21T16:00:00Z";

    fn inventory(last_use: Option<LastUse>) -> Inventory {
        let source =
            SourceState { last_use: last_use.map(Arc::new), ..SourceState::unknown(SourceName::new("entra"), "entra") };
        Inventory::new(Vec::new(), vec![source])
    }

    /// The old secret's use, when its successor began on 2026-11-10.
    #[track_caller]
    fn check(last_use: Option<LastUse>, now: &str, foreseen_from: Option<&str>, expected: OldUse) {
        let old = secret("old", "2026-06-01T00:00:00Z", "2026-12-01T00:00:00Z");
        let inventory = inventory(last_use);
        let usage = Usage { inventory: &inventory, now: at(now), foreseen_from: foreseen_from.map(at) };
        assert_eq!(usage.of_old(&old, Some(at("2026-11-10T00:00:00Z"))), expected, "{now}");
    }

    fn used(when: &str) -> Option<LastUse> {
        Some(LastUse::read(at(READ), [(Ident::new("old"), at(when))]))
    }

    #[test]
    fn used_since_the_successor_began_and_within_seven_days_is_in_use() {
        check(used("2026-11-20T00:00:00Z"), READ, None, OldUse::InUse);
        check(used("2026-11-14T16:00:00Z"), READ, None, OldUse::InUse);
        check(used("2026-11-14T15:59:59Z"), READ, None, OldUse::Idle);
        check(used("2026-11-01T00:00:00Z"), READ, None, OldUse::Idle);
        let read_early = LastUse::read(at("2026-11-11T00:00:00Z"), [(Ident::new("old"), at("2026-11-09T00:00:00Z"))]);
        check(Some(read_early), "2026-11-11T00:00:00Z", None, OldUse::Settling);
    }

    #[test]
    fn what_nobody_asks_is_not_unknown_and_what_is_unknown_is_not_idle() {
        check(None, READ, None, OldUse::Unasked);
        check(Some(LastUse::default().refused(Text::clean("403"))), READ, None, OldUse::Unknown);
        check(Some(LastUse::read(at(READ), [])), READ, None, OldUse::Unknown);
    }

    #[test]
    fn a_report_counts_as_of_when_it_was_read_and_for_seven_days() {
        let then_refused = used("2026-11-20T00:00:00Z").unwrap().refused(Text::clean("429"));
        check(Some(then_refused.clone()), "2026-11-28T16:00:00Z", None, OldUse::InUse);
        check(Some(then_refused), "2026-11-28T16:00:01Z", None, OldUse::Unknown);
    }

    #[test]
    fn in_a_forecast_use_goes_on_as_it_was_and_idleness_too() {
        check(used("2026-11-20T00:00:00Z"), "2027-03-01T00:00:00Z", Some(READ), OldUse::InUse);
        check(used("2026-11-01T00:00:00Z"), "2027-03-01T00:00:00Z", Some(READ), OldUse::Idle);
    }
}
