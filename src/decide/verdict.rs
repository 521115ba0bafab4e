//! What is said of a credential: one status, one verdict. The sentence that says why is made in [`explain`](super::explain).

use super::judge::{Case, Finding, Place};
use super::ladder::Rung;
use super::routing::{OwnerGap, Route, TeamsFrom};
use crate::domain::{Credential, NoticeKind, Policy, TeamId, Text, Treatment};
use crate::inventory::{Entry, Inventory};
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;

/// What state a credential is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    Valid,
    /// Inside its widest threshold.
    Expiring,
    Expired,
    Superseded,
    NotYetValid,
    NoExpiry,
    Ignored,
    Unreachable,
}

impl Status {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::NotYetValid => "not_yet_valid",
            Self::NoExpiry => "no_expiry",
            Self::Ignored => "ignored",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A notice is owed and has not been enqueued yet.
    Due,
    /// Nothing is owed yet.
    Waiting,
    /// What is owed has been enqueued.
    Noticed,
    Superseded,
    Ignored,
    NoExpiry,
    /// Never read yet.
    Unknown,
}

impl Code {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Waiting => "waiting",
            Self::Noticed => "noticed",
            Self::Superseded => "superseded",
            Self::Ignored => "ignored",
            Self::NoExpiry => "no_expiry",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a verdict is what it is. A sentence only once somebody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule says so, with a reason of its own.
    IgnoredByRule,
    NeverExpires,
    NotYetValid,
    /// Covered, and no notice about its planned end is owed.
    Superseded,
    /// It ended longer before it was first seen than anybody wants to hear of.
    EndedLongAgo,
    Crossed(Rung),
    NothingCrossed,
    /// It could not be read even once.
    NeverRead,
    /// A vault's entry whose end is told with the credential that it keeps: the one at this index of the inventory.
    ToldBy(u32),
}

/// Something that is wrong with a credential beside its dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `untrusted`, `not_deployed`, `date_mismatch` or `unreachable`.
    pub kind: NoticeKind,
    pub since: Timestamp,
    pub reason: String,
    /// Whether a notice about it is owed and has not been enqueued yet.
    pub due: bool,
}

/// The verdict on one credential.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its index in the inventory.
    pub entry: usize,
    pub status: Status,
    pub code: Code,
    pub reason: Reason,
    /// `None` = it never expires.
    pub days_left: Option<i32>,
    /// What is wrong beside its dates.
    pub conditions: Box<[Condition]>,
    /// It is served, and no authority that is read has issued it.
    pub from_elsewhere: bool,
    /// The index of its successor in the inventory.
    pub superseded_by: Option<u32>,
    /// The deciding rule's index in the policy; `None` = the defaults.
    pub rule: Option<u32>,
    /// May be empty: unowned.
    pub teams: Arc<[TeamId]>,
    pub teams_from: TeamsFrom,
    pub owner_gap: Option<OwnerGap>,
    pub place: Place,
}

impl Condition {
    /// A vault and the directory disagree.
    #[must_use]
    pub fn date_mismatch(since: Timestamp, reason: String) -> Self {
        Self { kind: NoticeKind::DateMismatch, since, reason, due: false }
    }
}

impl Verdict {
    /// Whether nothing is known of it but that it should be there, so that an end that is missing is unknown.
    #[must_use]
    pub fn was_never_read(&self) -> bool {
        self.reason == Reason::NeverRead
    }

    /// What `finding` comes to for the credential at `entry`, before anybody looked at its conditions and at what has been told.
    #[must_use]
    pub fn new(
        entry: usize,
        finding: Finding,
        superseded_by: Option<usize>,
        case: &Case<'_>,
        route: &Route<'_>,
    ) -> Self {
        let days_left = case.entry.credential.expires_at.map(|end| case.calendar.days_until(end));
        Self {
            entry,
            status: finding.status,
            code: finding.code,
            reason: finding.reason,
            days_left: days_left.map(|days| i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX })),
            conditions: Box::default(),
            from_elsewhere: false,
            superseded_by: superseded_by.and_then(|index| u32::try_from(index).ok()),
            rule: route.rule.and_then(|index| u32::try_from(index).ok()),
            teams: route.teams.clone(),
            teams_from: route.teams_from,
            owner_gap: route.owner_gap,
            place: case.place,
        }
    }

    /// Whose it is and how it is watched, as it was found when it was judged.
    pub(super) fn route<'a>(&self, policy: &'a Policy) -> Route<'a> {
        Route {
            rule: self.rule.map(|index| index as usize),
            treatment: self.treatment(policy),
            teams: self.teams.clone(),
            teams_from: self.teams_from,
            owner_gap: self.owner_gap,
        }
    }

    /// The rung that is owed or has been told.
    #[must_use]
    pub fn rung(&self) -> Option<Rung> {
        match self.reason {
            Reason::Crossed(rung) => Some(rung),
            _ => None,
        }
    }

    #[must_use]
    pub fn credential<'a>(&self, inventory: &'a Inventory) -> &'a Credential {
        &self.entry(inventory).credential
    }

    #[must_use]
    pub fn entry<'a>(&self, inventory: &'a Inventory) -> &'a Entry {
        &inventory.entries()[self.entry]
    }

    /// Who covers it.
    #[must_use]
    pub fn successor<'a>(&self, inventory: &'a Inventory) -> Option<&'a Credential> {
        self.superseded_by.map(|index| &*inventory.entries()[index as usize].credential)
    }

    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.place.first_successor.is_some()
    }

    /// Since when a successor covers it: the first one, where there are several.
    #[must_use]
    pub fn covered_since(&self, inventory: &Inventory) -> Option<Timestamp> {
        inventory.entries()[self.place.first_successor? as usize].credential.not_before
    }

    #[must_use]
    pub fn rule_name<'a>(&self, policy: &'a Policy) -> Option<&'a Text> {
        self.rule.map(|index| &policy.rules[index as usize].name)
    }

    #[must_use]
    pub fn treatment<'a>(&self, policy: &'a Policy) -> &'a Treatment {
        self.rule.map_or(&policy.defaults, |index| &policy.rules[index as usize].treatment)
    }
}
