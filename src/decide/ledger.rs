//! What has been told already: the only memory that the decision has.

use crate::domain::{CredentialId, Family, NoticeKey, NoticeKind, TeamId};
use std::collections::HashMap;

/// Every notice ever enqueued, by credential.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    told: HashMap<CredentialId, Vec<NoticeKey>>,
}

impl FromIterator<NoticeKey> for Ledger {
    fn from_iter<I: IntoIterator<Item = NoticeKey>>(keys: I) -> Self {
        let mut ledger = Self::default();
        ledger.extend(keys);
        ledger
    }
}

impl Extend<NoticeKey> for Ledger {
    fn extend<I: IntoIterator<Item = NoticeKey>>(&mut self, keys: I) {
        for key in keys {
            self.told.entry(key.credential.clone()).or_default().push(key);
        }
    }
}

impl Ledger {
    #[must_use]
    pub fn of(&self, credential: &CredentialId) -> &[NoticeKey] {
        self.told.get(credential).map_or(&[], Vec::as_slice)
    }

    /// Whether it was told before. What a `resolved` closes is no part of a notice's identity.
    #[must_use]
    pub fn holds(&self, key: &NoticeKey) -> bool {
        let story = |key: &NoticeKey| (key.expires_at, key.kind, key.step, key.episode);
        self.of(&key.credential).iter().any(|told| story(told) == story(key) && told.team == key.team)
    }

    /// The credentials (and sources) that somebody has been told about.
    pub fn subjects(&self) -> impl Iterator<Item = &CredentialId> {
        self.told.keys()
    }
}

/// One team's part of one credential's history, as far as one family of notices goes.
#[derive(Clone, Debug)]
pub struct Story<'a> {
    /// How often the team has been told `resolved` about the credential: the episode of whatever it is told next.
    pub episode: u32,
    /// What it has been told of this family and was not resolved since.
    pub open: Vec<&'a NoticeKey>,
}

impl<'a> Story<'a> {
    #[must_use]
    pub fn of(told: &'a [NoticeKey], team: &TeamId, family: Family) -> Self {
        let of_team = || told.iter().filter(|key| key.team == *team);
        let resolved = || of_team().filter(|key| key.kind == NoticeKind::Resolved);
        let episode = resolved().map(|key| key.episode + 1).max().unwrap_or(0);
        let closed_before =
            resolved().filter(|key| key.closes.contains(family)).map(|key| key.episode + 1).max().unwrap_or(0);
        let open = of_team().filter(|key| key.kind.family() == Some(family) && key.episode >= closed_before).collect();
        Self { episode, open }
    }
}

/// The teams that have been told anything, each once, in order.
#[must_use]
pub fn teams_told(told: &[NoticeKey]) -> Vec<TeamId> {
    let mut teams: Vec<TeamId> = told.iter().map(|key| key.team.clone()).collect();
    teams.sort();
    teams.dedup();
    teams
}
