//! Previous inventory + this poll's readings -> the next inventory, and what changed for the store.

use super::{Entry, Inventory, SourceState};
use crate::domain::{ById, Credential, CredentialId, SourceName, Text, Trouble};
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How long a missing credential is remembered: long enough for whoever was told of it to hear that it is gone, after any outage
/// of the mail system that is still survivable, and for a deleted application to come back from the directory's bin (30 days).
const REMEMBERED: SignedDuration = SignedDuration::from_hours(45 * 24);

/// What one attempt to read a source gave: a complete snapshot, or why there is none.
#[derive(Debug)]
pub struct Reading {
    pub source: SourceName,
    /// The source's `type`.
    pub system: &'static str,
    /// When the attempt began.
    pub at: Timestamp,
    pub outcome: Result<Vec<Arc<Credential>>, Text>,
}

/// What the store has to write so that it holds the new inventory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub upserts: Vec<Entry>,
    pub removals: Vec<CredentialId>,
}

/// Lays `readings` over `previous`.
///
/// Make sure that: a failed reading leaves its source's credentials exactly as they were; what a successful one lacks is marked
/// missing, not dropped; what comes back keeps its first sighting; a source that is no longer configured goes, with all it had.
#[must_use]
pub fn reconcile(
    previous: &Inventory,
    configured: &[SourceState],
    readings: Vec<Reading>,
    now: Timestamp,
) -> (Inventory, Changes) {
    let mut sources = source_states(previous, configured);
    let mut changes = Changes::default();
    let mut known: HashMap<&CredentialId, &Entry> = HashMap::with_capacity(previous.entries().len());
    known.extend(previous.entries().iter().map(|entry| (&entry.credential.id, entry)));

    let mut entries: Vec<Entry> = Vec::with_capacity(previous.entries().len());
    let mut placed: HashSet<ById> = HashSet::new();
    let mut read: HashSet<SourceName> = HashSet::new();
    for reading in readings {
        let Some(state) = sources.iter_mut().find(|state| state.name == reading.source) else { continue };
        state.first_attempt.get_or_insert(reading.at);
        state.last_attempt = Some(reading.at);
        match reading.outcome {
            Err(error) => state.last_error = Some(error),
            Ok(credentials) => {
                state.last_success = Some(reading.at);
                state.last_error = None;
                read.insert(reading.source);
                for credential in credentials {
                    // What could not even be told apart stands for all that its holder had.
                    let had = unresolved(previous, &credential);
                    if !had.is_empty() {
                        for credential in had {
                            placed.insert(ById(Arc::clone(&credential)));
                            entries.push(sighted(known.remove(&credential.id), credential, now, &mut changes));
                        }
                        continue;
                    }
                    // One id, one entry: where two sources list the same thing, the first keeps it.
                    if placed.insert(ById(Arc::clone(&credential))) {
                        entries.push(sighted(known.remove(&credential.id), credential, now, &mut changes));
                    }
                }
            }
        }
    }

    for entry in known.into_values() {
        let source = &entry.credential.source;
        if !sources.iter().any(|state| state.name == *source) {
            changes.removals.push(entry.credential.id.clone());
        } else if !read.contains(source) {
            entries.push(entry.clone());
        } else {
            match entry.missing_since {
                None => {
                    let gone = Entry { missing_since: Some(now), ..entry.clone() };
                    changes.upserts.push(gone.clone());
                    entries.push(gone);
                }
                Some(since) if now.duration_since(since) <= REMEMBERED => entries.push(entry.clone()),
                Some(_) => changes.removals.push(entry.credential.id.clone()),
            }
        }
    }
    entries.shrink_to_fit();
    changes.removals.sort();
    (Inventory::new(entries, sources), changes)
}

/// An entry for what is there now: the old one where nothing about it changed. It takes the source's own copy in any case, which
/// the source may hand out again at the next poll, so that there are never two for long.
fn sighted(known: Option<&Entry>, credential: Arc<Credential>, now: Timestamp, changes: &mut Changes) -> Entry {
    let credential = remembering_dates(known, credential);
    match known {
        Some(entry) if entry.credential == credential && entry.missing_since.is_none() => {
            Entry { credential, ..entry.clone() }
        }
        known => {
            let first_seen = known.map_or(now, |entry| entry.first_seen);
            let trouble_since = credential.trouble.as_ref().map(|trouble| since(trouble, known, now));
            let entry = Entry { credential, first_seen, trouble_since, missing_since: None };
            changes.upserts.push(entry.clone());
            entry
        }
    }
}

/// What `fresh`'s holder had, as unreachable, where `fresh` only says that its holder could not be looked up. Nothing for any
/// other credential.
fn unresolved(previous: &Inventory, fresh: &Credential) -> Vec<Arc<Credential>> {
    let Some(Trouble::Unresolved(why)) = &fresh.trouble else { return Vec::new() };
    let siblings = previous.entries().iter().filter(|entry| {
        let known = &entry.credential;
        entry.missing_since.is_none()
            && known.id != fresh.id
            && (known.kind, &known.source, &known.holder.id) == (fresh.kind, &fresh.source, &fresh.holder.id)
    });
    let silent = |entry: &Entry| {
        let trouble = Some(Trouble::Unreachable(why.clone()));
        Arc::new(Credential { trouble, ..(*entry.credential).clone() })
    };
    siblings.map(silent).collect()
}

/// What could not be read keeps the dates of the last time it could.
fn remembering_dates(known: Option<&Entry>, fresh: Arc<Credential>) -> Arc<Credential> {
    match (&fresh.trouble, known.map(|entry| &*entry.credential)) {
        (Some(trouble), Some(known)) if trouble.is_unreachable() => Arc::new(Credential {
            not_before: known.not_before,
            expires_at: known.expires_at,
            x509: known.x509.clone(),
            label: known.label.clone(),
            ..(*fresh).clone()
        }),
        _ => fresh,
    }
}

/// Since when: a trouble of the same sort goes on, whatever words its source finds for it today.
fn since(trouble: &Trouble, known: Option<&Entry>, now: Timestamp) -> Timestamp {
    let goes_on = |entry: &&Entry| {
        entry.credential.trouble.as_ref().is_some_and(|known| known.is_unreachable() == trouble.is_unreachable())
    };
    known.filter(goes_on).and_then(|entry| entry.trouble_since).unwrap_or(now)
}

/// The configured sources with what was known of them.
fn source_states(previous: &Inventory, configured: &[SourceState]) -> Vec<SourceState> {
    configured
        .iter()
        .map(|fresh| match previous.source(&fresh.name) {
            Some(known) => SourceState { system: fresh.system, ..known.clone() },
            None => fresh.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Holder, Ident, Kind};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn secret(source: &str, id: &str, end: &str) -> Credential {
        Credential {
            id: CredentialId::parse(id),
            source: SourceName::new(source),
            kind: Kind::ClientSecret,
            holder: Arc::new(Holder {
                name: Text::clean("app"),
                id: Ident::new("app"),
                app_id: None,
                team_tags: Box::default(),
                enabled: true,
            }),
            label: Text::clean(id),
            not_before: None,
            expires_at: Some(at(end)),
            enabled: true,
            in_use: false,
            x509: None,
            trouble: None,
        }
    }

    fn states(names: &[&str]) -> Vec<SourceState> {
        names.iter().map(|name| SourceState::unknown(SourceName::new(name), "entra")).collect()
    }

    fn reading(source: &str, when: &str, outcome: Result<Vec<Credential>, &str>) -> Reading {
        Reading {
            source: SourceName::new(source),
            system: "entra",
            at: at(when),
            outcome: outcome.map(|read| read.into_iter().map(Arc::new).collect()).map_err(Text::clean),
        }
    }

    const DAY1: &str = "2026-11-01T00:00:00Z";
    const DAY2: &str = "2026-11-02T00:00:00Z";
    const DAY3: &str = "2026-11-03T00:00:00Z";
    const END: &str = "2027-01-01T00:00:00Z";

    fn one_secret_seen_on_day_1() -> Inventory {
        let readings = vec![reading("a", DAY1, Ok(vec![secret("a", "x", END)]))];
        reconcile(&Inventory::default(), &states(&["a"]), readings, at(DAY1)).0
    }

    #[test]
    fn a_failed_read_changes_nothing_but_the_sources_health() {
        let before = one_secret_seen_on_day_1();
        let (after, changes) = reconcile(&before, &states(&["a"]), vec![reading("a", DAY2, Err("503"))], at(DAY2));
        assert_eq!(after.entries(), before.entries());
        assert_eq!(changes, Changes::default());
        let source = &after.sources()[0];
        assert_eq!((source.last_success, source.last_attempt), (Some(at(DAY1)), Some(at(DAY2))));
        assert!(!source.is_up());
    }

    #[test]
    fn what_a_snapshot_lacks_is_missing_and_what_comes_back_keeps_its_first_sighting() {
        let before = one_secret_seen_on_day_1();
        let (gone, _) = reconcile(&before, &states(&["a"]), vec![reading("a", DAY2, Ok(vec![]))], at(DAY2));
        assert_eq!(gone.entries()[0].missing_since, Some(at(DAY2)));
        let again = vec![reading("a", DAY3, Ok(vec![secret("a", "x", END)]))];
        let (back, changes) = reconcile(&gone, &states(&["a"]), again, at(DAY3));
        assert_eq!(back, Inventory::new(before.entries().to_vec(), back.sources().to_vec()));
        assert_eq!(changes.upserts.len(), 1);
    }

    #[test]
    fn an_unchanged_poll_writes_nothing_and_holds_what_the_source_holds() {
        let before = one_secret_seen_on_day_1();
        let again = Arc::new(secret("a", "x", END));
        let reading = Reading { outcome: Ok(vec![again.clone()]), ..reading("a", DAY2, Ok(vec![])) };
        let (after, changes) = reconcile(&before, &states(&["a"]), vec![reading], at(DAY2));
        assert_eq!(changes, Changes::default());
        assert_eq!(after.entries(), before.entries());
        assert!(Arc::ptr_eq(&again, &after.entries()[0].credential));
    }

    #[test]
    fn a_name_that_cannot_be_looked_up_leaves_its_nodes_where_they_were_as_unreachable() {
        let node = |address: &str| secret("a", &format!("tls:name:{address}:443"), END);
        let readings = vec![reading("a", DAY1, Ok(vec![node("10.0.0.1"), node("10.0.0.2")]))];
        let before = reconcile(&Inventory::default(), &states(&["a"]), readings, at(DAY1)).0;
        let lost = Credential {
            id: CredentialId::parse("tls:name:name:443"),
            expires_at: None,
            trouble: Some(Trouble::Unresolved(Text::clean("no such name"))),
            ..node("x")
        };
        let readings = vec![reading("a", DAY2, Ok(vec![lost]))];
        let after = reconcile(&before, &states(&["a"]), readings, at(DAY2)).0;
        assert_eq!(after.entries().len(), 2);
        for entry in after.entries() {
            assert_eq!((entry.missing_since, entry.trouble_since), (None, Some(at(DAY2))));
            assert_eq!(entry.credential.expires_at, Some(at(END)));
        }
    }

    #[test]
    fn the_missing_are_forgotten_in_the_end_and_a_source_that_left_the_configuration_at_once() {
        let before = one_secret_seen_on_day_1();
        let (gone, _) = reconcile(&before, &states(&["a"]), vec![reading("a", DAY2, Ok(vec![]))], at(DAY2));
        let later = "2026-12-20T00:00:00Z";
        let (after, changes) = reconcile(&gone, &states(&["a"]), vec![reading("a", later, Ok(vec![]))], at(later));
        assert!(after.entries().is_empty());
        assert_eq!(changes.removals, [CredentialId::parse("x")]);
        let (after, changes) = reconcile(&before, &states(&["b"]), vec![], at(DAY2));
        assert!(after.entries().is_empty() && after.source(&SourceName::new("a")).is_none());
        assert_eq!(changes.removals, [CredentialId::parse("x")]);
    }

    #[test]
    fn one_id_listed_by_two_sources_is_one_credential() {
        let readings = vec![
            reading("a", DAY1, Ok(vec![secret("a", "x", END)])),
            reading("b", DAY1, Ok(vec![secret("b", "x", END)])),
        ];
        let (inventory, _) = reconcile(&Inventory::default(), &states(&["a", "b"]), readings, at(DAY1));
        assert_eq!(inventory.entries().len(), 1);
        assert_eq!(inventory.entries()[0].credential.source, SourceName::new("a"));
    }
}
