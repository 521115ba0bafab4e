//! Who must hear what: `(&World, now) -> Decision`.
//!
//! The heart of the watch, and a function: it reads no clock, does no I/O, keeps nothing. The same call answers the daemon, `check`,
//! `check --as-of` and every simulated year of the tests. What has been told before is part of the world it is given
//! ([`Ledger`]), so asking twice owes nothing twice.
//!
//! For each credential: [`routing`] finds whose it is; [`succession`] who stands in for it; [`judge`] goes through the rules, the
//! first that applies deciding; [`ladder`] finds the tightest threshold crossed; [`conditions`] what is wrong beside the dates;
//! [`settle()`] takes away what has been told and adds what has stopped being true ([`owed`]).

mod calendar;
mod conditions;
mod holders;
mod judge;
mod ladder;
mod ledger;
mod notices;
mod owed;
mod routing;
mod settle;
mod sources;
mod succession;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verdict;

pub use calendar::Calendar;
pub use holders::{HolderState, State, holders};
pub use ladder::Rung;
pub use ledger::Ledger;
pub use routing::{Router, TeamsFrom};
pub use sources::stale_since;
pub use verdict::{Code, Condition, Reason, Status, Verdict};

use crate::domain::{Notice, Policy};
use crate::inventory::{Entry, Inventory};
use conditions::Issued;
use jiff::Timestamp;
use judge::Case;
use notices::{About, Desk};
use settle::settle;

/// Everything that the decision depends on, but for the instant.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    pub inventory: &'a Inventory,
    pub policy: &'a Policy,
    pub ledger: &'a Ledger,
}

/// What follows from the world at one instant.
#[derive(Debug, Default)]
pub struct Decision {
    /// One for each credential that is there, in the inventory's order.
    pub verdicts: Vec<Verdict>,
    /// What is owed and has not been told, in no particular order.
    pub notices: Vec<Notice>,
}

/// Judges every credential and every source at `now`.
#[must_use]
pub fn decide(world: &World<'_>, now: Timestamp) -> Decision {
    let calendar = Calendar::new(&world.policy.zone, now);
    let router = Router::new(world.policy);
    let desk = Desk { policy: world.policy, calendar: &calendar };
    let issued = Issued::of(world.inventory, now);
    let mut decision = Decision::default();
    decision.verdicts.reserve_exact(world.inventory.entries().len());
    let mut first = 0;
    for siblings in world.inventory.entries().chunk_by(are_siblings) {
        for (index, entry) in siblings.iter().enumerate() {
            let told = world.ledger.of(&entry.credential.id);
            if entry.missing_since.is_some() && told.is_empty() {
                continue;
            }
            let route = router.route(&entry.credential);
            let successor = succession::successor(index, siblings, route.treatment.successor, now);
            let about =
                About { entry, route: &route, successor: successor.map(|sibling| &*siblings[sibling].credential) };
            if entry.missing_since.is_some() {
                if route.treatment.ignore.is_none() {
                    settle(None, &about, told, &desk, &mut decision.notices);
                }
                continue;
            }
            let case = Case { entry, successor, route: &route, calendar: &calendar };
            let mut verdict = case.judge().into_verdict(first + index, successor.map(|sibling| first + sibling), &case);
            verdict.conditions = conditions::conditions(entry, &issued, world.policy, &calendar).into();
            verdict.from_elsewhere = issued.is_foreign(&entry.credential);
            settle(Some(&mut verdict), &about, told, &desk, &mut decision.notices);
            if verdict.code == Code::Due {
                verdict.next_at = None;
            }
            decision.verdicts.push(verdict);
        }
        first += siblings.len();
    }
    for source in world.inventory.sources() {
        decision.notices.extend(sources::notices(source, &desk, world.ledger));
    }
    decision
}

fn are_siblings(a: &Entry, b: &Entry) -> bool {
    let (a, b) = (&a.credential, &b.credential);
    a.kind == b.kind && a.source == b.source && a.holder.id == b.holder.id
}
