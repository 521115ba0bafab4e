//! The decision as a whole: life stories, and the promises it keeps for any world.

mod certificates;
mod decade;
mod promises;
mod rotation;
mod stories;

use super::testing::{at, policy};
use super::{Decision, Ledger, Wanted, World, decide_for};
use crate::domain::{Credential, LastUse, Notice, Policy, SourceName, Text};
use crate::inventory::{Inventory, Reading, SourceState, reconcile};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::sync::Arc;

/// A watch without a process: an inventory, what has been told, and a policy. Each [`run`](Self::run) is a poll and a notify.
pub struct Life {
    pub policy: Policy,
    pub inventory: Inventory,
    pub ledger: Ledger,
    /// What the configuration names: `entra` at first.
    pub sources: Vec<SourceState>,
}

impl Life {
    pub fn new(policy: Policy) -> Self {
        let sources = vec![SourceState::unknown(SourceName::new("entra"), "entra")];
        Self { policy, inventory: Inventory::default(), ledger: Ledger::default(), sources }
    }

    /// Told to `ccaas` by default.
    pub fn with_defaults() -> Self {
        Self::new(policy(&["ccaas"]))
    }

    pub fn poll(&mut self, now: Timestamp, outcome: Result<Vec<Credential>, &str>) {
        self.poll_all(now, vec![reading("entra", now, outcome)]);
    }

    pub fn poll_all(&mut self, now: Timestamp, readings: Vec<Reading>) {
        self.inventory = reconcile(&self.inventory, &self.sources, readings, now).0;
    }

    pub fn decide(&self, now: Timestamp) -> Decision {
        self.decide_for(now, Wanted::All)
    }

    pub fn decide_for(&self, now: Timestamp, wanted: Wanted) -> Decision {
        let (inventory, policy, ledger) = (&self.inventory, &self.policy, &self.ledger);
        decide_for(&World { inventory, policy, ledger, foreseen_from: None }, now, wanted)
    }

    /// Polls, decides, and counts what was owed as told.
    pub fn run(&mut self, now: Timestamp, outcome: Result<Vec<Credential>, &str>) -> Vec<Notice> {
        self.run_all(now, vec![reading("entra", now, outcome)])
    }

    pub fn run_all(&mut self, now: Timestamp, readings: Vec<Reading>) -> Vec<Notice> {
        self.poll_all(now, readings);
        let notices = self.decide(now).notices;
        self.ledger.extend(notices.iter().map(|notice| notice.key.clone()));
        notices
    }

    /// One run a day at the hour of `from`, `days` times; each notice as "day kind threshold", the day counted from `from`.
    pub fn days(&mut self, from: &str, days: i64, present: impl Fn(i64) -> Vec<Credential>) -> Vec<String> {
        let mut told = Vec::new();
        for day in 0..days {
            let now = at(from) + SignedDuration::from_hours(24 * day);
            told.extend(self.run(now, Ok(present(day))).iter().map(|notice| format!("{day} {}", short(notice))));
        }
        told
    }

    /// `hour`:`minute` on the policy's clocks, so many days after `first`.
    pub fn on_day(&self, first: Date, day: i64, hour: i8, minute: i8) -> Timestamp {
        let date = first.checked_add(day.days()).unwrap();
        date.at(hour, minute, 0, 0).to_zoned(self.policy.zone.clone()).unwrap().timestamp()
    }

    /// One run each morning at eight on the policy's clocks, on the days from `first`: what was told, with its day.
    pub fn mornings(
        &mut self,
        first: Date,
        days: std::ops::Range<i64>,
        read: impl Fn(i64, Timestamp) -> Vec<Reading>,
    ) -> Vec<(i64, Notice)> {
        let mut told = Vec::new();
        for day in days {
            let now = self.on_day(first, day, 8, 0);
            told.extend(self.run_all(now, read(day, now)).into_iter().map(|notice| (day, notice)));
        }
        told
    }
}

/// What reading a directory (`entra`) or a vault (any other) gave.
pub fn reading(source: &str, now: Timestamp, outcome: Result<Vec<Credential>, &str>) -> Reading {
    Reading {
        source: SourceName::new(source),
        system: if source == "entra" { "entra" } else { "key_vault" },
        at: now,
        outcome: outcome.map(|read| read.into_iter().map(Arc::new).collect()).map_err(Text::clean),
        unreadable: Vec::new(),
        last_use: None,
    }
}

/// The same with a report of sign-ins.
pub fn with_use(reading: Reading, last_use: LastUse) -> Reading {
    Reading { last_use: Some(Arc::new(last_use)), ..reading }
}

/// "kind threshold", or "kind" where the threshold says the same.
pub fn short(notice: &Notice) -> String {
    let (kind, step) = (notice.key.kind.to_string(), notice.key.step.to_string());
    if kind == step { kind } else { format!("{kind} {step}") }
}
