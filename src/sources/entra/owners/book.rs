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
