//! Whether a vault and the directory agree: a vault's entry that says which credential it keeps is held against that credential.
//!
//! A vault's date is what somebody wrote there. Only an entry with a mark is compared: a likeness of names proves nothing.

use super::calendar::Calendar;
use super::judge::Compared;
use super::routing::Router;
use super::succession;
use crate::domain::{Credential, Ident, Kind, Mark};
use crate::inventory::{Entry, Inventory};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// Ends further apart than this are different ends: a vault's is often written by hand, as a day.
const TOLERANCE: SignedDuration = SignedDuration::from_hours(24);

/// What came of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub enum Agreement {
    /// There is nothing to compare: no mark, or no date.
    Unmarked,
    /// What it names has not been seen, in directories of which not all have been read.
    Unread,
    /// It keeps the credential at this index of the inventory, under the same date.
    Same(usize),
    Differs {
        since: Timestamp,
        reason: String,
    },
}

impl Agreement {
    #[must_use]
    pub fn compared(&self) -> Compared {
        match self {
            Self::Unmarked => Compared::Unmarked,
            Self::Unread => Compared::Unread,
            Self::Same(_) | Self::Differs { .. } => Compared::Yes,
        }
    }
}

/// All credentials that a mark can name. Empty where nothing has a mark: nobody would look anything up.
pub struct Directory<'a> {
    inventory: &'a Inventory,
    by_key: HashMap<&'a Ident, usize>,
    by_app: HashMap<&'a Ident, Vec<usize>>,
    /// Whether every directory has been read, so that what is not here is not there.
    complete: bool,
}

impl<'a> Directory<'a> {
    #[must_use]
    pub fn of(inventory: &'a Inventory) -> Self {
        let mut directory = Self { inventory, by_key: HashMap::new(), by_app: HashMap::new(), complete: false };
        if !inventory.entries().iter().any(|entry| entry.credential.mark.is_some()) {
            return directory;
        }
        for (index, entry) in inventory.entries().iter().enumerate() {
            let credential = &entry.credential;
            let Some(key) = credential.id.key_id() else { continue };
            directory.by_key.insert(key, index);
            if let Some(app) = &credential.holder.app_id {
                directory.by_app.entry(app).or_default().push(index);
            }
        }
        let mut directories = inventory.sources().iter().filter(|source| source.system == "entra").peekable();
        directory.complete = directories.peek().is_some() && directories.all(|source| source.last_success.is_some());
        directory
    }

    /// Holds a vault's entry against what it says that it keeps.
    #[must_use]
    pub fn compare(&self, vault: &Entry, router: &Router<'_>, calendar: &Calendar<'_>) -> Agreement {
        match vault.credential.mark.as_deref() {
            Some(mark @ Mark { key_id: Some(key), .. }) => self.compare_key(vault, mark, key, router, calendar),
            Some(Mark { app_id: Some(app), .. }) => self.compare_application(vault, app, router, calendar),
            _ => Agreement::Unmarked,
        }
    }

    /// The credential with this key, of the application that the mark names beside it where that has one: whoever uploads one
    /// certificate to several applications may give it one key id everywhere.
    fn keyed(&self, mark: &Mark, key: &Ident) -> Option<usize> {
        let of_application = mark.app_id.as_ref().and_then(|app| self.by_app.get(app)).into_iter().flatten().copied();
        let keyed = |index: &usize| self.inventory.entries()[*index].credential.id.key_id() == Some(key);
        let gone = |index: &usize| self.inventory.entries()[*index].missing_since.is_some();
        of_application.filter(keyed).min_by_key(gone).or_else(|| self.by_key.get(key).copied())
    }

    /// Make sure that a vault that keeps what is gone or replaced is an alarm, and one whose date is another's too.
    fn compare_key(
        &self,
        vault: &Entry,
        mark: &Mark,
        key: &Ident,
        router: &Router<'_>,
        calendar: &Calendar<'_>,
    ) -> Agreement {
        let found = self.keyed(mark, key).map(|index| (index, &self.inventory.entries()[index]));
        let (index, entry) = match found {
            Some((index, entry)) if entry.missing_since.is_none() => (index, entry),
            Some((_, gone)) => {
                let since = gone.missing_since.unwrap_or(vault.first_seen).max(vault.first_seen);
                return differs(since, format!("it keeps the key {key}, which is no longer in the directory"));
            }
            None if self.complete => {
                return differs(vault.first_seen, format!("it keeps the key {key}, which is not in the directory"));
            }
            None => return Agreement::Unread,
        };
        if let Some(newer) = self.successor(index, router, calendar.now) {
            let since = newer.credential.not_before.unwrap_or(newer.first_seen).max(vault.first_seen);
            let reason = format!(
                "it keeps {}, which is superseded; the newest, {}, has not reached the vault",
                named(&entry.credential, calendar),
                named(&newer.credential, calendar)
            );
            return differs(since, reason);
        }
        self.compare_dates(vault, index, calendar)
    }

    /// A mark that names the application alone: one of its current credentials must have the vault's date.
    fn compare_application(
        &self,
        vault: &Entry,
        app: &Ident,
        router: &Router<'_>,
        calendar: &Calendar<'_>,
    ) -> Agreement {
        if vault.credential.expires_at.is_none() {
            return Agreement::Unmarked;
        }
        let there = |index: &&usize| {
            let entry = &self.inventory.entries()[**index];
            entry.missing_since.is_none() && keeps(vault.credential.kind, entry.credential.kind)
        };
        let all: Vec<usize> = self.by_app.get(app).into_iter().flatten().filter(there).copied().collect();
        let current = || all.iter().copied().filter(|index| self.successor(*index, router, calendar.now).is_none());
        let entry = |index: &usize| &self.inventory.entries()[*index];
        if let Some(same) = current().find(|index| is_same_end(&vault.credential, &entry(index).credential)) {
            return Agreement::Same(same);
        }
        let Some(newest) = current().max_by_key(|index| entry(index).credential.not_before) else {
            let reason = format!("it names the application {app}, of which the directory has no such credential");
            return if self.complete { differs(vault.first_seen, reason) } else { Agreement::Unread };
        };
        let newest = entry(&newest);
        let reason = format!(
            "its date is {}, that of no current credential of the application; the newest, {}, has not reached the vault",
            end(&vault.credential, calendar),
            named(&newest.credential, calendar)
        );
        differs(newest.first_seen.max(vault.first_seen), reason)
    }

    fn compare_dates(&self, vault: &Entry, index: usize, calendar: &Calendar<'_>) -> Agreement {
        let entry = &self.inventory.entries()[index];
        if vault.credential.expires_at.is_none() {
            return Agreement::Unmarked;
        }
        if is_same_end(&vault.credential, &entry.credential) {
            return Agreement::Same(index);
        }
        let reason = format!(
            "the vault says that it ends on {}, the directory says {}",
            end(&vault.credential, calendar),
            end(&entry.credential, calendar)
        );
        differs(entry.first_seen.max(vault.first_seen), reason)
    }

    /// Who supersedes the credential at `index`.
    fn successor(&self, index: usize, router: &Router<'_>, now: Timestamp) -> Option<&'a Entry> {
        let (first, siblings) = self.siblings(index);
        let rule = router.route(&siblings[index - first].credential).treatment.successor;
        succession::successor(index - first, siblings, rule, now).map(|sibling| &siblings[sibling])
    }

    /// The credential at `index` among all of its holder and kind, with the index of the first of these.
    fn siblings(&self, index: usize) -> (usize, &'a [Entry]) {
        let entries = self.inventory.entries();
        let is_sibling = |entry: &Entry| super::are_siblings(entry, &entries[index]);
        let first = index - entries[..index].iter().rev().take_while(|entry| is_sibling(entry)).count();
        let after = entries[index..].iter().take_while(|entry| is_sibling(entry)).count();
        (first, &entries[first..index + after])
    }

    /// Everything that a comparison of what bears `mark` looks at.
    pub fn looked_at(&self, mark: &Mark) -> impl Iterator<Item = &'a Entry> {
        let named = match mark {
            Mark { key_id: Some(key), .. } => self.keyed(mark, key).into_iter().collect(),
            Mark { app_id: Some(app), .. } => self.by_app.get(app).cloned().unwrap_or_default(),
            _ => Vec::new(),
        };
        named.into_iter().flat_map(|index| self.siblings(index).1)
    }
}

/// Whether a vault's entry of one kind can keep a directory's credential of the other.
fn keeps(vault: Kind, directory: Kind) -> bool {
    match vault {
        Kind::VaultSecret => directory == Kind::ClientSecret,
        _ => matches!(directory, Kind::ClientCertificate | Kind::SamlSigningCertificate),
    }
}

fn is_same_end(a: &Credential, b: &Credential) -> bool {
    matches!((a.expires_at, b.expires_at), (Some(a), Some(b)) if a.duration_since(b).abs() <= TOLERANCE)
}

fn differs(since: Timestamp, reason: String) -> Agreement {
    Agreement::Differs { since, reason }
}

/// `"label" (ends 2026-12-01)`, or by its key id where it has no label.
fn named(credential: &Credential, calendar: &Calendar<'_>) -> String {
    let ends = end(credential, calendar);
    match credential.id.key_id() {
        Some(key) if credential.label.is_empty() => format!("the key {key} (ends {ends})"),
        _ => format!("\"{}\" (ends {ends})", credential.label),
    }
}

fn end(credential: &Credential, calendar: &Calendar<'_>) -> String {
    credential.expires_at.map_or("never".to_owned(), |end| calendar.date(end).to_string())
}
