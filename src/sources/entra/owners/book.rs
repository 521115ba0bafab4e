//! What is known of who owns what, and since when.
//!
//! Owns when a holder has to be asked about again, and that equal knowledge is one thing in memory: an unchanged credential must be
//! handed out again as it was, its holder's owners included. Asks nobody.

use crate::domain::{Credential, DirectoryObject, Holder, Ident, Owners};
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Owners change seldom, and each answer costs a request.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// A holder in the directory.
pub(in crate::sources::entra) type Key = (DirectoryObject, Ident);

/// A handle; clones share what is known.
#[derive(Clone, Debug, Default)]
pub(in crate::sources::entra) struct Book(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    kept: HashMap<Key, Kept>,
    /// Each set of owners once: a few people own most of a directory.
    pool: HashSet<Arc<Owners>>,
}

impl Pages {
    fn of(&mut self, key: &Key) -> &mut Kept {
        self.kept.entry(key.clone()).or_default()
    }

    /// The one that is equal to `owners`.
    fn shared(&mut self, owners: Arc<Owners>) -> Arc<Owners> {
        if let Some(known) = self.pool.get(&owners) {
            return Arc::clone(known);
        }
        self.pool.insert(Arc::clone(&owners));
        owners
    }
}

#[derive(Debug, Default)]
struct Kept {
    /// `None` also where the directory does not know the holder any more.
    owners: Option<Arc<Owners>>,
    /// When an answer came; `None` where what is known is not an answer of its own.
    answered: Option<Timestamp>,
    tried: Option<Timestamp>,
}

impl Kept {
    fn is_due(&self, now: Timestamp) -> bool {
        let age = |at: Timestamp| now.duration_since(at);
        !self.answered.is_some_and(|at| (SignedDuration::ZERO..KEPT_FOR).contains(&age(at)))
    }
}

/// The holder that a credential stands with.
fn key(credential: &Credential) -> Option<Key> {
    let (object, _, _) = credential.id.in_directory()?;
    Some((object, credential.holder.id.clone()))
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was known before this process began. All of it is asked about again, and stays until there is an answer.
    pub fn remember(&self, credentials: &[Arc<Credential>]) {
        let mut pages = self.pages();
        for credential in credentials {
            if let (Some(key), Some(owners)) = (key(credential), &credential.holder.owners) {
                let owners = pages.shared(Arc::clone(owners));
                pages.of(&key).owners.get_or_insert(owners);
            }
        }
    }

    pub fn of(&self, object: DirectoryObject, holder: &Ident) -> Option<Arc<Owners>> {
        self.pages().kept.get(&(object, holder.clone()))?.owners.clone()
    }

    /// The holders of `snapshot` that have to be asked about: those that wait longest first, so that one that never answers keeps no
    /// other waiting. All that hold nothing are forgotten.
    pub fn due(&self, snapshot: &[Arc<Credential>], now: Timestamp) -> Vec<Key> {
        let holders: HashSet<Key> = snapshot.iter().filter_map(|credential| key(credential)).collect();
        let mut pages = self.pages();
        pages.kept.retain(|key, _| holders.contains(key));
        pages.pool.retain(|owners| Arc::strong_count(owners) > 1);
        let mut due: Vec<(Option<Timestamp>, Key)> = Vec::new();
        for key in holders {
            let known = pages.of(&key);
            if known.is_due(now) {
                due.push((known.tried, key));
            }
        }
        due.sort();
        due.into_iter().map(|(_, key)| key).collect()
    }

    pub fn tried(&self, key: &Key, now: Timestamp) {
        self.pages().of(key).tried = Some(now);
    }

    /// An answer: these owners, or a holder that is not there any more.
    pub fn answered(&self, key: &Key, owners: Option<Owners>, now: Timestamp) {
        let mut pages = self.pages();
        let owners = owners.map(|owners| pages.shared(Arc::new(owners)));
        let known = pages.of(key);
        *known = Kept { owners, answered: Some(now), tried: known.tried };
    }

    /// Those of `asked` that got no answer may not be read. The next poll asks again: the permission may have been given.
    pub fn hide_unanswered(&self, asked: &[Key], now: Timestamp) {
        let mut pages = self.pages();
        let hidden = pages.shared(Arc::new(Owners::Hidden));
        for key in asked {
            let known = pages.of(key);
            if known.is_due(now) {
                known.owners = Some(Arc::clone(&hidden));
            }
        }
    }

    /// The snapshot with the owners as they are known now: the same credentials where nothing has changed, and one new holder for all
    /// siblings where something has.
    pub fn dress(&self, snapshot: Vec<Arc<Credential>>) -> Vec<Arc<Credential>> {
        let pages = self.pages();
        let mut dressed: HashMap<Key, Arc<Holder>> = HashMap::new();
        let dress = |credential: Arc<Credential>| {
            let Some(key) = key(&credential) else { return credential };
            let owners = pages.kept.get(&key).and_then(|known| known.owners.as_ref());
            if owners == credential.holder.owners.as_ref() {
                return credential;
            }
            let holder = || Arc::new(Holder { owners: owners.cloned(), ..(*credential.holder).clone() });
            let holder = Arc::clone(dressed.entry(key).or_insert_with(holder));
            Arc::new(Credential { holder, ..(*credential).clone() })
        };
        snapshot.into_iter().map(dress).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CredentialId, Kind, SourceName, Text};

    const NOW: &str = "2026-11-21T16:00:00Z";

    fn at(hours: i64) -> Timestamp {
        NOW.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    fn secret(holder: &str, owners: Option<Owners>) -> Arc<Credential> {
        let id = Ident::new(holder);
        let holder = Holder {
            name: Text::clean(holder),
            id: id.clone(),
            app_id: None,
            team_tags: Box::default(),
            enabled: true,
            owners: owners.map(Arc::new),
        };
        Arc::new(Credential {
            id: CredentialId::directory(DirectoryObject::Application, id, Ident::new("k")),
            source: SourceName::new("entra"),
            kind: Kind::ClientSecret,
            holder: Arc::new(holder),
            label: Text::clean(""),
            not_before: None,
            expires_at: None,
            enabled: true,
            in_use: false,
            x509: None,
            trouble: None,
            mark: None,
        })
    }

    fn key_of(holder: &str) -> Key {
        (DirectoryObject::Application, Ident::new(holder))
    }

    fn due(book: &Book, snapshot: &[Arc<Credential>], hours: i64) -> Vec<String> {
        book.due(snapshot, at(hours)).into_iter().map(|(_, id)| id.to_string()).collect()
    }

    #[test]
    fn an_answer_is_good_for_a_day_and_a_clock_that_stepped_back_makes_no_answer_last_longer() {
        let (book, snapshot) = (Book::default(), [secret("a", None)]);
        assert_eq!(due(&book, &snapshot, 0), ["a"]);
        book.answered(&key_of("a"), Some(Owners::Nobody), at(0));
        for (hours, is_due) in [(0, false), (23, false), (24, true), (-1, true)] {
            assert_eq!(!due(&book, &snapshot, hours).is_empty(), is_due, "{hours}");
        }
    }

    #[test]
    fn one_that_never_answers_keeps_no_other_waiting() {
        let (book, snapshot) = (Book::default(), ["a", "b", "c"].map(|holder| secret(holder, None)));
        book.tried(&key_of("a"), at(1));
        book.tried(&key_of("b"), at(0));
        assert_eq!(due(&book, &snapshot, 2), ["c", "b", "a"]);
    }

    #[test]
    fn what_a_restart_remembers_is_asked_about_again_and_what_holds_nothing_is_forgotten() {
        let book = Book::default();
        let snapshot = [secret("a", Some(Owners::Nobody))];
        book.remember(&snapshot);
        assert_eq!(due(&book, &snapshot, 0), ["a"]);
        let known = || book.of(DirectoryObject::Application, &Ident::new("a"));
        assert_eq!(known().as_deref(), Some(&Owners::Nobody));
        assert_eq!(due(&book, &[], 0), [""; 0]);
        assert_eq!(known(), None);
    }

    #[test]
    fn equal_owners_are_one_thing_in_memory() {
        let book = Book::default();
        let team = || Some(Owners::Reachable(["a@example.ca".parse().unwrap()].into()));
        book.answered(&key_of("a"), team(), at(0));
        book.answered(&key_of("b"), team(), at(0));
        let [a, b] = ["a", "b"].map(|id| book.of(DirectoryObject::Application, &Ident::new(id)).unwrap());
        assert!(Arc::ptr_eq(&a, &b));
    }
}
