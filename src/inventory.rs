//! Everything that is known: what was seen, since when, and how fresh each source's word is.
//!
//! [`reconcile()`] lays the readings of one poll over what was known before. It is pure, and it holds the promise that a failed read
//! changes nothing: a source that failed keeps every credential it had. Refuses to know what any of it means for anybody.

mod reconcile;

pub use reconcile::{Changes, Reading, reconcile};

use crate::domain::{Credential, LastUse, SourceName, Text};
use jiff::Timestamp;
use std::sync::Arc;

/// A credential and its history with us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub credential: Arc<Credential>,
    pub first_seen: Timestamp,
    /// Since when its source has found the same thing wrong with it. Boxed, since few have any and all would pay.
    pub trouble_since: Option<Box<Timestamp>>,
    /// Since when successful snapshots of its source have been without it. Kept for a while, so that those who were told can be
    /// told that it is gone.
    pub missing_since: Option<Timestamp>,
}

/// What is known of a source's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceState {
    pub name: SourceName,
    /// Its `type` in the configuration.
    pub system: &'static str,
    /// When it was first asked; staleness counts from here until it has answered.
    pub first_attempt: Option<Timestamp>,
    pub last_attempt: Option<Timestamp>,
    /// When its last snapshot was taken.
    pub last_success: Option<Timestamp>,
    /// Why the last attempt failed; `None` after a success.
    pub last_error: Option<Text>,
    /// When its credentials were last used; `None` where nobody asks for that, or it has not been read since the start.
    pub last_use: Option<Arc<LastUse>>,
}

impl SourceState {
    #[must_use]
    pub fn unknown(name: SourceName, system: &'static str) -> Self {
        Self {
            name,
            system,
            first_attempt: None,
            last_attempt: None,
            last_success: None,
            last_error: None,
            last_use: None,
        }
    }

    /// Whether its last attempt succeeded.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.last_success.is_some() && self.last_error.is_none()
    }

    /// Since when there has been no new snapshot.
    #[must_use]
    pub fn silent_since(&self) -> Option<Timestamp> {
        self.last_success.or(self.first_attempt)
    }
}

/// All that is known, in a fixed order: by source, holder, kind and id, so that siblings stand side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    entries: Vec<Entry>,
    sources: Vec<SourceState>,
}

impl Inventory {
    /// Puts entries and sources into their order; the order they came in makes no difference.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>, mut sources: Vec<SourceState>) -> Self {
        entries.sort_by(|a, b| sibling_order(&a.credential, &b.credential));
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        Self { entries, sources }
    }

    /// Present and missing ones, siblings side by side.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    #[must_use]
    pub fn sources(&self) -> &[SourceState] {
        &self.sources
    }

    #[must_use]
    pub fn source(&self, name: &SourceName) -> Option<&SourceState> {
        self.sources.iter().find(|source| source.name == *name)
    }
}

fn sibling_order(a: &Credential, b: &Credential) -> std::cmp::Ordering {
    (&a.source, &a.holder.id, a.kind, &a.id).cmp(&(&b.source, &b.holder.id, b.kind, &b.id))
}
