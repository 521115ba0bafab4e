//! The decision as a whole: life stories, and the promises it keeps for any world.

mod certificates;
mod promises;
mod stories;

use super::testing::{at, policy};
use super::{Decision, Ledger, World, decide};
use crate::domain::{Credential, Notice, Policy, SourceName, Text};
use crate::inventory::{Inventory, Reading, SourceState, reconcile};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// A watch without a process: an inventory, what has been told, and a policy. Each [`run`](Self::run) is a poll and a notify.
pub struct Life {
    pub policy: Policy,
    pub inventory: Inventory,
    pub ledger: Ledger,
}

impl Life {
    pub fn new(policy: Policy) -> Self {
        Self { policy, inventory: Inventory::default(), ledger: Ledger::default() }
    }

    /// Told to `ccaas` by default.
    pub fn with_defaults() -> Self {
        Self::new(policy(&["ccaas"]))
    }

    pub fn poll(&mut self, now: Timestamp, outcome: Result<Vec<Credential>, &str>) {
        let source = SourceName::new("entra");
        let configured = [SourceState::unknown(source.clone(), "entra")];
        let outcome = outcome.map(|read| read.into_iter().map(Arc::new).collect()).map_err(Text::clean);
        let reading = Reading { source, system: "entra", at: now, outcome, unreadable: Vec::new(), last_use: None };
        self.inventory = reconcile(&self.inventory, &configured, vec![reading], now).0;
    }

    pub fn decide(&self, now: Timestamp) -> Decision {
        decide(
            &World { inventory: &self.inventory, policy: &self.policy, ledger: &self.ledger, foreseen_from: None },
            now,
        )
    }

    /// Polls, decides, and counts what was owed as told.
    pub fn run(&mut self, now: Timestamp, outcome: Result<Vec<Credential>, &str>) -> Vec<Notice> {
        self.poll(now, outcome);
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
}

/// "kind threshold", or "kind" where the threshold says the same.
pub fn short(notice: &Notice) -> String {
    let (kind, step) = (notice.key.kind.to_string(), notice.key.step.to_string());
    if kind == step { kind } else { format!("{kind} {step}") }
}
