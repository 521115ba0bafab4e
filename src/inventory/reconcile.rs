//! Previous inventory + this poll's readings -> the next inventory, and what changed for the store.

use super::{Entry, Inventory, SourceState};
use crate::domain::{ById, Credential, CredentialId, Kind, LastUse, SourceName, Text, Trouble, X509};
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
    /// What a failed attempt could name one by one as unreadable.
    pub unreadable: Vec<Arc<Credential>>,
    /// When its credentials were last used, where the source reads that.
    pub last_use: Option<Arc<LastUse>>,
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
        state.last_use = reading.last_use.or_else(|| state.last_use.take());
        let credentials = match reading.outcome {
            Err(error) => {
                state.last_error = Some(error);
                reading.unreadable
            }
            Ok(credentials) => {
                state.last_success = Some(reading.at);
                state.last_error = None;
                read.insert(reading.source);
                credentials
            }
        };
        // What was read comes first: only what is then left can be what could not be told apart.
        let (lost, found): (Vec<_>, Vec<_>) = credentials.into_iter().partition(|credential| is_unresolved(credential));
        for credential in found.into_iter().chain(lost) {
            for credential in what_it_stands_for(previous, credential, &placed) {
                // One id, one entry: where two sources list the same thing, the first keeps it.
                if placed.insert(ById(Arc::clone(&credential))) {
                    entries.push(sighted(known.remove(&credential.id), credential, now, &mut changes));
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
                None if let Some(absent) = absent(entry, now) => {
                    entries.push(sighted(Some(entry), absent, now, &mut changes))
                }
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
            let trouble_since = credential
                .trouble
                .as_ref()
                .map(|trouble| Box::new(since(trouble, credential.x509.clone(), known, now)));
            let entry = Entry { credential, first_seen, trouble_since, missing_since: None };
            changes.upserts.push(entry.clone());
            entry
        }
    }
}

fn is_unresolved(credential: &Credential) -> bool {
    matches!(credential.trouble.as_deref(), Some(Trouble::Unresolved(_)))
}

/// `fresh` itself; or, where it only says that its holder could not be looked up, what was known there and was not read otherwise.
fn what_it_stands_for(previous: &Inventory, fresh: Arc<Credential>, placed: &HashSet<ById>) -> Vec<Arc<Credential>> {
    let Some(Trouble::Unresolved(why)) = fresh.trouble.as_deref() else { return vec![fresh] };
    let siblings = previous.entries().iter().filter(|entry| {
        let known = &entry.credential;
        entry.missing_since.is_none()
            && (known.kind, &known.source, &known.holder.id) == (fresh.kind, &fresh.source, &fresh.holder.id)
            && (fresh.kind != Kind::ServedCertificate || port(known) == port(&fresh))
            && !placed.contains(&ById(Arc::clone(known)))
    });
    let had: Vec<Arc<Credential>> = siblings.map(|entry| silent(&entry.credential, why.clone())).collect();
    if had.is_empty() { vec![fresh] } else { had }
}

fn silent(known: &Credential, why: Text) -> Arc<Credential> {
    Arc::new(Credential { trouble: Some(Box::new(Trouble::Unreachable(why))), ..known.clone() })
}

/// The last part of a served certificate's id.
fn port(credential: &Credential) -> Option<String> {
    credential.id.to_string().rsplit_once(':').map(|(_, port)| port.to_owned())
}

/// How long an address may be absent from a name's before it counts as gone: where names are given out in turn, it comes back.
const ABSENT_FOR: SignedDuration = SignedDuration::from_hours(1);

const ABSENT: &str = "its name does not lead to this address at present";

/// A served certificate whose address its name has only just stopped to give, for as long as it may come back.
fn absent(entry: &Entry, now: Timestamp) -> Option<Arc<Credential>> {
    let credential = &entry.credential;
    let is_absent = matches!(credential.trouble.as_deref(), Some(Trouble::Unreachable(why)) if why.as_str() == ABSENT);
    let since = entry.trouble_since.as_deref().copied().filter(|_| is_absent).unwrap_or(now);
    let may_come_back = credential.kind == Kind::ServedCertificate && now.duration_since(since) < ABSENT_FOR;
    may_come_back.then(|| silent(credential, Text::clean(ABSENT)))
}

/// What could not be read keeps the dates of the last time it could.
fn remembering_dates(known: Option<&Entry>, fresh: Arc<Credential>) -> Arc<Credential> {
    match (fresh.trouble.as_deref(), known.map(|entry| &*entry.credential)) {
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

/// Since when: a trouble of the same sort goes on, whatever words its source finds for it today; another certificate has its own.
fn since(trouble: &Trouble, x509: Option<Arc<X509>>, known: Option<&Entry>, now: Timestamp) -> Timestamp {
    let goes_on = |entry: &&Entry| {
        (trouble.is_unreachable() || entry.credential.x509 == x509)
            && entry.credential.trouble.as_ref().is_some_and(|known| known.is_unreachable() == trouble.is_unreachable())
    };
    known.filter(goes_on).and_then(|entry| entry.trouble_since.as_deref().copied()).unwrap_or(now)
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
                owners: None,
            }),
            label: Text::clean(id),
            not_before: None,
            expires_at: Some(at(end)),
            enabled: true,
            in_use: false,
            x509: None,
            trouble: None,
            mark: None,
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
            unreadable: Vec::new(),
            last_use: None,
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

    fn node(address: &str, port: u16) -> Credential {
        Credential { kind: Kind::ServedCertificate, ..secret("a", &format!("tls:name:{address}:{port}"), END) }
    }

    #[test]
    fn what_was_read_behind_a_name_is_not_touched_by_a_failure_to_look_it_up_elsewhere() {
        let readings =
            vec![reading("a", DAY1, Ok(vec![node("10.0.0.1", 443), node("10.0.0.2", 443), node("10.0.0.1", 5061)]))];
        let before = reconcile(&Inventory::default(), &states(&["a"]), readings, at(DAY1)).0;
        let lost = |host: &str, port| Credential {
            expires_at: None,
            trouble: Some(Box::new(Trouble::Unresolved(Text::clean("no such name")))),
            ..node(host, port)
        };
        let read = vec![lost("one", 443), node("10.0.0.2", 443), node("10.0.0.1", 5061), lost("two", 443)];
        let after = reconcile(&before, &states(&["a"]), vec![reading("a", DAY2, Ok(read))], at(DAY2)).0;
        let shown: Vec<(String, bool)> = after
            .entries()
            .iter()
            .filter(|entry| entry.missing_since.is_none())
            .map(|entry| (entry.credential.id.to_string(), entry.credential.trouble.is_some()))
            .collect();
        let expected = [
            ("tls:name:10.0.0.1:443", true),
            ("tls:name:10.0.0.1:5061", false),
            ("tls:name:10.0.0.2:443", false),
            ("tls:name:two:443", true),
        ];
        assert_eq!(shown, expected.map(|(id, troubled)| (id.to_owned(), troubled)));
    }

    #[test]
    fn where_nothing_could_be_read_each_is_shown_as_unreachable_and_nothing_else_changes() {
        let readings = vec![reading("a", DAY1, Ok(vec![node("10.0.0.1", 443), node("10.0.0.2", 443)]))];
        let before = reconcile(&Inventory::default(), &states(&["a"]), readings, at(DAY1)).0;
        let trouble = || Some(Box::new(Trouble::Unreachable(Text::clean("refused"))));
        let silent = Credential { expires_at: None, trouble: trouble(), ..node("10.0.0.1", 443) };
        let failed = Reading { unreadable: vec![Arc::new(silent)], ..reading("a", DAY2, Err("not one of 1")) };
        let after = reconcile(&before, &states(&["a"]), vec![failed], at(DAY2)).0;
        let [one, other] = after.entries() else { panic!("{after:?}") };
        assert_eq!((&one.credential.trouble, one.credential.expires_at), (&trouble(), Some(at(END))));
        assert_eq!(other, &before.entries()[1]);
        assert_eq!(after.sources()[0].last_success, Some(at(DAY1)));
    }

    #[test]
    fn an_address_that_comes_and_goes_with_its_name_is_not_missing_until_it_stays_away() {
        let both = vec![node("10.0.0.1", 443), node("10.0.0.2", 443)];
        let mut inventory =
            reconcile(&Inventory::default(), &states(&["a"]), vec![reading("a", DAY1, Ok(both))], at(DAY1)).0;
        for (minutes, missing) in [(1, false), (30, false), (70, true)] {
            let now = at(DAY1) + SignedDuration::from_mins(minutes);
            let one = vec![reading("a", DAY1, Ok(vec![node("10.0.0.1", 443)]))];
            inventory = reconcile(&inventory, &states(&["a"]), one, now).0;
            let gone: Vec<bool> = inventory.entries().iter().map(|entry| entry.missing_since.is_some()).collect();
            assert_eq!(gone, [false, missing], "after {minutes} minutes");
        }
    }

    #[test]
    fn a_name_that_cannot_be_looked_up_leaves_its_nodes_where_they_were_as_unreachable() {
        let node = |address: &str| node(address, 443);
        let readings = vec![reading("a", DAY1, Ok(vec![node("10.0.0.1"), node("10.0.0.2")]))];
        let before = reconcile(&Inventory::default(), &states(&["a"]), readings, at(DAY1)).0;
        let lost = Credential {
            id: CredentialId::parse("tls:name:name:443"),
            expires_at: None,
            trouble: Some(Box::new(Trouble::Unresolved(Text::clean("no such name")))),
            ..node("x")
        };
        let readings = vec![reading("a", DAY2, Ok(vec![lost]))];
        let after = reconcile(&before, &states(&["a"]), readings, at(DAY2)).0;
        assert_eq!(after.entries().len(), 2);
        for entry in after.entries() {
            assert_eq!((entry.missing_since, entry.trouble_since.clone()), (None, Some(Box::new(at(DAY2)))));
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
