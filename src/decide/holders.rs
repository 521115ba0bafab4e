//! How each holder stands in the rotation of its credentials of one kind.
//!
//! ```text
//!   old    |===============================|
//!   new                   |===============================|
//!          steady   rotation_due  overlap, or old_in_use, or retire_ready    steady    rotation_due ...     lapsed
//!                   ^ reminders   ^ the new one is valid  ^ the old one ends  ^ the next plan's reminders    ^ nothing valid left
//! ```
//! The most pressing state of any of its credentials is the holder's.

use super::calendar::Calendar;
use super::explain::{Context, rotation_in_words, use_in_words};
use super::rotation;
use super::usage::{OldUse, RECENT, Usage};
use super::verdict::{Code, Status, Verdict};
use crate::domain::{Credential, Policy};
use crate::inventory::Inventory;
use jiff::Timestamp;
use std::ops::Range;

/// The rotation state of a holder, the most pressing last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Nothing has begun yet, or nothing is known.
    Unknown,
    /// A valid credential, none of them being replaced.
    Steady,
    /// A successor is valid, the old one still runs and has not been used lately.
    RetireReady,
    /// A successor is valid, the old one still runs; whether it is used is not known, or it is too early to say.
    Overlap,
    /// The newest is old enough to be replaced.
    RotationDue,
    /// A successor is valid, and the old one is used all the same.
    OldInUse,
    /// Nothing valid is left.
    Lapsed,
}

impl State {
    pub const ALL: &[Self] = &[
        Self::Unknown,
        Self::Steady,
        Self::RetireReady,
        Self::Overlap,
        Self::RotationDue,
        Self::OldInUse,
        Self::Lapsed,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Steady => "steady",
            Self::RetireReady => "retire_ready",
            Self::Overlap => "overlap",
            Self::RotationDue => "rotation_due",
            Self::OldInUse => "old_in_use",
            Self::Lapsed => "lapsed",
        }
    }
}

/// One holder and kind, over its credentials that are there.
#[derive(Clone, Debug)]
pub struct HolderState {
    /// Indices into the verdicts; never empty.
    pub verdicts: Range<usize>,
    pub state: State,
    /// Since when it has been in this state, as far as that is known.
    pub since: Option<Timestamp>,
    /// The verdict that the state follows from.
    about: u32,
}

/// What a holder's state follows from: its verdicts, beside each other.
pub struct Group<'a> {
    pub inventory: &'a Inventory,
    pub policy: &'a Policy,
    pub calendar: &'a Calendar<'a>,
    pub usage: Usage<'a>,
    pub verdicts: &'a [Verdict],
}

impl Group<'_> {
    /// `first` is the index of the first of the verdicts.
    #[must_use]
    pub fn state(&self, first: usize) -> HolderState {
        let covered = valid(self.verdicts, self.inventory, self.calendar.now).next().is_some();
        let (state, since, about) = if !covered {
            self.without_cover()
        } else {
            let pressing = (0..self.verdicts.len()).filter_map(|index| self.pressing(index));
            pressing.reduce(|a, b| if b.0 > a.0 { b } else { a }).unwrap_or_else(|| self.steady())
        };
        let about = u32::try_from(first + about).unwrap_or(u32::MAX);
        HolderState { verdicts: first..first + self.verdicts.len(), state, since, about }
    }

    fn of(&self, verdict: &Verdict) -> &Credential {
        verdict.credential(self.inventory)
    }

    fn without_cover(&self) -> (State, Option<Timestamp>, usize) {
        let ended = |(index, verdict): (usize, &Verdict)| {
            Some((self.of(verdict).expires_at.filter(|end| *end < self.calendar.now)?, index))
        };
        if let Some((end, index)) = self.verdicts.iter().enumerate().filter_map(ended).max() {
            return (State::Lapsed, Some(end), index);
        }
        let off = |verdict: &Verdict| verdict.code != Code::Unknown && self.of(verdict).has_begun_at(self.calendar.now);
        match self.verdicts.iter().position(off) {
            Some(index) => (State::Lapsed, None, index),
            None => (State::Unknown, None, 0),
        }
    }

    /// What one credential makes of its holder, beyond being there.
    fn pressing(&self, index: usize) -> Option<(State, Option<Timestamp>, usize)> {
        let verdict = &self.verdicts[index];
        let credential = self.of(verdict);
        let now = self.calendar.now;
        if verdict.status == Status::Superseded && !credential.has_ended_at(now) && credential.has_begun_at(now) {
            let began = verdict.covered_since(self.inventory);
            let idle_since = || self.usage.last(credential).and_then(|known| known.last.checked_add(RECENT).ok());
            return Some(match verdict.place.old_use {
                OldUse::InUse => (State::OldInUse, began, index),
                OldUse::Idle => (State::RetireReady, began.max(idle_since()), index),
                OldUse::Unasked | OldUse::Unknown | OldUse::Settling => (State::Overlap, began, index),
            });
        }
        let treatment = verdict.treatment(self.policy);
        let newest = verdict.place.newest && verdict.status != Status::Ignored;
        let since = newest.then(|| rotation::due_since(credential, treatment, self.calendar)).flatten()?;
        Some((State::RotationDue, Some(since), index))
    }

    /// Since its newest began, or the last of the old ones ended.
    fn steady(&self) -> (State, Option<Timestamp>, usize) {
        let valid = |(_, verdict): &(usize, &Verdict)| self.of(verdict).is_valid_at(self.calendar.now);
        let newest = self.verdicts.iter().enumerate().filter(valid).max_by_key(|(_, one)| self.of(one).not_before);
        let ended = |verdict: &&Verdict| {
            verdict.status == Status::Superseded && self.of(verdict).has_ended_at(self.calendar.now)
        };
        let ends = self.verdicts.iter().filter(ended).filter_map(|verdict| self.of(verdict).expires_at);
        let began = newest.and_then(|(_, verdict)| self.of(verdict).not_before);
        (State::Steady, began.max(ends.max()), newest.map_or(0, |(index, _)| index))
    }
}

/// The valid ones. What could never be read says nothing about its holder.
fn valid<'a>(
    verdicts: &'a [Verdict],
    inventory: &'a Inventory,
    now: Timestamp,
) -> impl Iterator<Item = &'a Credential> + Clone {
    let known = verdicts.iter().filter(|verdict| verdict.code != Code::Unknown);
    known.map(|verdict| verdict.credential(inventory)).filter(move |credential| credential.is_valid_at(now))
}

impl HolderState {
    /// The latest end among its valid credentials, of all `verdicts`; `None` where there is none, or one that never ends.
    #[must_use]
    pub fn covered_until(&self, verdicts: &[Verdict], inventory: &Inventory, now: Timestamp) -> Option<Timestamp> {
        let valid = valid(verdicts.get(self.verdicts.clone())?, inventory, now);
        let endless = valid.clone().any(|credential| credential.expires_at.is_none());
        valid.filter_map(|credential| credential.expires_at).max().filter(|_| !endless)
    }

    /// Why it is in this state, as a sentence.
    #[must_use]
    pub fn explain(&self, verdicts: &[Verdict], context: Context<'_>) -> String {
        let Context { inventory, policy, calendar } = context;
        let Some(verdict) = verdicts.get(self.about as usize) else { return String::new() };
        self.explain_one(verdict, &Usage { inventory, now: calendar.now, foreseen_from: None }, policy, calendar)
    }

    /// The same, of the verdict that it follows from.
    pub(super) fn explain_one(
        &self,
        verdict: &Verdict,
        usage: &Usage<'_>,
        policy: &Policy,
        calendar: &Calendar<'_>,
    ) -> String {
        let inventory = usage.inventory;
        let credential = verdict.credential(inventory);
        let date = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| calendar.date(at).to_string());
        match self.state {
            State::Unknown => "nothing has begun yet".to_owned(),
            State::Lapsed => match self.since {
                Some(since) => format!("nothing valid is left since {}", calendar.date(since)),
                None => "nothing valid is left: what is there is switched off".to_owned(),
            },
            State::RotationDue => rotation_in_words(credential, verdict.treatment(policy), calendar),
            State::Steady => {
                let valid = match credential.expires_at {
                    Some(end) => format!("the newest is valid until {}", calendar.date(end)),
                    None => "the newest never expires".to_owned(),
                };
                match rotation::plan(credential, verdict.treatment(policy), calendar) {
                    Some(plan) if verdict.place.newest => {
                        format!("{valid}, and to be replaced by {}", calendar.date(plan.end))
                    }
                    _ => format!("{valid}, and no replacement has begun"),
                }
            }
            State::RetireReady | State::Overlap | State::OldInUse => {
                let new = verdict.successor(inventory);
                let both = format!(
                    "a new one is valid since {}, the last until {}; the old one still runs until {}",
                    date(verdict.covered_since(inventory)),
                    date(new.and_then(|new| new.expires_at)),
                    date(credential.expires_at)
                );
                match use_in_words(verdict.place.old_use, credential, usage, calendar) {
                    Some(used) => format!("{both}; the old one: {used}"),
                    None => both,
                }
            }
        }
    }

    /// The index, among all verdicts, of the one that the state follows from.
    pub(super) fn about(&self) -> usize {
        self.about as usize
    }
}
