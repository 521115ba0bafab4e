//! Who is to be replaced, and by when: a rule's `rotate_every`, counted from the beginning of the newest valid one.
//!
//! ```text
//!   newest |=====================================================|
//!          |--------- rotate_every ---------|                    its own end: no matter, if it is replaced in time
//!                              14d    7d    0d
//! ```

use super::calendar::{Calendar, Span};
use super::ladder::{self, Standing};
use crate::domain::{Credential, CredentialId, NoticeKind, Successor, Treatment};
use crate::inventory::Entry;
use jiff::Timestamp;

/// Whether `siblings[of]` is the newest valid one of those that could stand in for each other: the one whose age counts.
///
/// `siblings` are all entries of one holder and kind.
#[must_use]
pub fn is_newest(of: usize, siblings: &[Entry], rule: Successor, now: Timestamp) -> bool {
    let own = &siblings[of].credential;
    let counts = |entry: &&Entry| {
        entry.missing_since.is_none()
            && entry.credential.is_valid_at(now)
            && match rule {
                Successor::Label => entry.credential.label == own.label,
                Successor::Holder => true,
                Successor::None => entry.credential.id == own.id,
            }
    };
    let newest = siblings.iter().filter(counts).max_by(|a, b| age(&a.credential).cmp(&age(&b.credential)));
    newest.is_some_and(|newest| newest.credential.id == own.id)
}

/// Of two that began together, the one that ends later is newer; the id only makes it one of them.
fn age(credential: &Credential) -> (Option<Timestamp>, bool, Option<Timestamp>, &CredentialId) {
    (credential.not_before, credential.expires_at.is_none(), credential.expires_at, &credential.id)
}

/// From its beginning to its planned replacement. `None` where no replacement is planned, or nobody knows when it began.
#[must_use]
pub fn plan(credential: &Credential, treatment: &Treatment, calendar: &Calendar<'_>) -> Option<Span> {
    let start = credential.not_before?;
    Some(Span { start: Some(start), end: calendar.after(start, treatment.rotate_every?) })
}

/// Where it stands on the way to its replacement.
#[must_use]
pub fn standing(credential: &Credential, treatment: &Treatment, calendar: &Calendar<'_>) -> Standing {
    plan(credential, treatment, calendar).map_or(Standing::default(), |plan| {
        ladder::before_end(NoticeKind::RotationDue, &treatment.remind_rotation, plan, calendar)
    })
}

/// Since when a replacement is due: from the first reminder on, or from the planned day where there is none.
#[must_use]
pub fn due_since(credential: &Credential, treatment: &Treatment, calendar: &Calendar<'_>) -> Option<Timestamp> {
    let plan = plan(credential, treatment, calendar)?;
    let reminders = treatment.remind_rotation.iter().filter_map(|threshold| calendar.crossing(*threshold, plan));
    reminders.chain([plan.end]).min().filter(|since| *since <= calendar.now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{at, entry, secret, vancouver};
    use crate::domain::{Period, Text};

    const NOW: &str = "2026-11-21T16:00:00Z";

    fn every(period: &str) -> Treatment {
        Treatment { rotate_every: Some(period.parse().unwrap()), ..Treatment::default() }
    }

    #[test]
    fn a_replacement_is_due_counted_from_the_beginning_by_the_calendar_of_the_zone() {
        let zone = vancouver();
        let credential = secret("a", "2026-09-01T20:00:00Z", "2027-03-01T00:00:00Z");
        for (now, step, since) in [
            ("2026-11-16T06:59:59Z", None, None),
            ("2026-11-16T07:00:00Z", Some("14d"), Some("2026-11-16T07:00:00Z")),
            ("2026-11-23T07:00:00Z", Some("7d"), Some("2026-11-16T07:00:00Z")),
            ("2026-11-30T07:00:00Z", Some("0d"), Some("2026-11-16T07:00:00Z")),
            ("2027-02-01T08:00:00Z", Some("0d"), Some("2026-11-16T07:00:00Z")),
        ] {
            let calendar = Calendar::new(&zone, at(now));
            let standing = standing(&credential, &every("90d"), &calendar);
            assert_eq!(standing.rung.map(|rung| rung.step.to_string()).as_deref(), step, "{now}");
            assert_eq!(due_since(&credential, &every("90d"), &calendar), since.map(at), "{now}");
        }
    }

    #[test]
    fn without_reminders_it_is_due_on_the_planned_day_and_without_a_beginning_never() {
        let (zone, credential) = (vancouver(), secret("a", "2026-09-01T20:00:00Z", "2027-03-01T00:00:00Z"));
        let silent = Treatment { remind_rotation: Vec::new(), ..every("90d") };
        let calendar = Calendar::new(&zone, at("2026-12-01T00:00:00Z"));
        assert_eq!(due_since(&credential, &silent, &calendar), Some(at("2026-11-30T07:00:00Z")));
        let unknown = Credential { not_before: None, ..credential.clone() };
        assert_eq!(due_since(&unknown, &every("90d"), &calendar), None);
        assert_eq!(due_since(&credential, &Treatment::default(), &calendar), None, "no plan");
        let hourly = Treatment { rotate_every: Some(Period::hours(24)), ..Treatment::default() };
        assert_eq!(plan(&credential, &hourly, &calendar).unwrap().end, at("2026-09-02T20:00:00Z"));
    }

    #[test]
    fn the_newest_valid_one_is_the_one_whose_age_counts() {
        let old = secret("old", "2026-06-01T00:00:00Z", "2026-12-01T00:00:00Z");
        let new = secret("new", "2026-09-01T00:00:00Z", "2027-03-01T00:00:00Z");
        let newest = |siblings: &[Entry], rule| {
            (0..siblings.len()).filter(|index| is_newest(*index, siblings, rule, at(NOW))).collect::<Vec<_>>()
        };
        let other = Credential { label: Text::clean("other"), ..new.clone() };
        let later = secret("later", "2026-11-22T00:00:00Z", "2027-06-01T00:00:00Z");
        for (siblings, rule, expected) in [
            (vec![old.clone(), new.clone()], Successor::Label, vec![1]),
            (vec![old.clone(), other.clone()], Successor::Label, vec![0, 1]),
            (vec![old.clone(), other], Successor::Holder, vec![1]),
            (vec![old.clone(), new.clone()], Successor::None, vec![0, 1]),
            (vec![old.clone(), later], Successor::Label, vec![0]),
            (vec![old.clone(), Credential { enabled: false, ..new.clone() }], Successor::Label, vec![0]),
            (vec![secret("gone", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")], Successor::Label, vec![]),
        ] {
            let siblings: Vec<Entry> = siblings.into_iter().map(|credential| entry(credential, NOW)).collect();
            assert_eq!(newest(&siblings, rule), expected, "{siblings:?}");
        }
        let mut missing = entry(new, NOW);
        missing.missing_since = Some(at(NOW));
        assert_eq!(newest(&[entry(old, NOW), missing], Successor::Label), [0]);
    }
}
