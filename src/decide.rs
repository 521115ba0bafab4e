//! Who must hear what: `(&World, now) -> Decision`.
//!
//! The heart of the watch, and a function: it reads no clock, does no I/O, keeps nothing. The same call answers the daemon, `check`,
//! `check --as-of`, `forecast` and every simulated year of the tests. What has been told before is part of the world it is given
//! ([`Ledger`]), so asking twice owes nothing twice.
//!
//! For each credential: [`routing`] finds whose it is; [`succession`] who stands in for it, and [`usage`] whether it is used all the
//! same; [`judge`] goes through the rules, the first that applies deciding; [`ladder`] finds the tightest threshold crossed, on the
//! way to its end or to its planned [`rotation`]; [`conditions`] what is wrong beside the dates, [`agreement`] among it. From all of
//! a holder's verdicts follows its state ([`holders`]). [`settle()`] takes away what has been told and adds what has stopped being
//! true ([`owed`]). [`forecast()`] makes the same decision at the instants to come.

mod agenda;
mod agreement;
mod calendar;
mod conditions;
mod escalation;
mod explain;
mod forecast;
mod holders;
mod invitations;
mod judge;
mod ladder;
mod ledger;
mod notices;
mod owed;
mod rotation;
mod routing;
mod settle;
mod sources;
mod succession;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod usage;
mod verdict;

pub use agenda::{Dated, agenda};
pub use calendar::{Calendar, Span};
pub use explain::Context;
pub use forecast::{Forecast, Foreseen, MOST_FORESEEN, Rounds, TooMany, forecast};
pub use holders::{HolderState, State};
pub use invitations::{Invitations, MOST_IN_A_RUN, invitations};
pub use ladder::Rung;
pub use ledger::Ledger;
pub use notices::Wanted;
pub use routing::{OwnerGap, Router, TeamsFrom};
pub use sources::stale_since;
pub use verdict::{Code, Condition, Reason, Status, Verdict};

use crate::domain::{Notice, Policy};
use crate::inventory::{Entry, Inventory};
use agreement::{Agreement, Directory};
use conditions::Issued;
use holders::Group;
use jiff::Timestamp;
use judge::{Case, Place};
use notices::{About, Desk};
use routing::Route;
use settle::settle;
use usage::Usage;

/// Everything that the decision depends on, but for the instant.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    pub inventory: &'a Inventory,
    pub policy: &'a Policy,
    pub ledger: &'a Ledger,
    /// From this instant on nothing but time is taken to change, so that what was used lately goes on being used. For forecasts;
    /// `None` where the world is as it was read.
    pub foreseen_from: Option<Timestamp>,
}

/// What follows from the world at one instant.
#[derive(Debug, Default)]
pub struct Decision {
    /// One for each credential that is there, in the inventory's order.
    pub verdicts: Vec<Verdict>,
    /// One for each holder and kind that has a credential there, in the same order.
    pub holders: Vec<HolderState>,
    /// What is owed and has not been told, as far as it was wanted, in no particular order.
    pub notices: Vec<Notice>,
}

/// Judges every credential and every source at `now`.
#[must_use]
pub fn decide(world: &World<'_>, now: Timestamp) -> Decision {
    decide_for(world, now, Wanted::All)
}

/// The same, without writing the notices that are not wanted.
#[must_use]
pub fn decide_for(world: &World<'_>, now: Timestamp, wanted: Wanted) -> Decision {
    let calendar = Calendar::new(&world.policy.zone, now);
    let lookup = Lookup::new(world);
    let bench = Bench::new(world, &calendar, &lookup, wanted);
    let mut decision = Decision::default();
    // Room for all at once: what grows leaves holes behind that a large directory feels.
    decision.verdicts.reserve_exact(world.inventory.entries().len());
    decision.holders.reserve_exact(world.inventory.entries().len());
    for (first, siblings) in families(world.inventory) {
        bench.siblings(siblings, first, &mut decision);
    }
    if bench.desk.wants(false) {
        let owed = |source| sources::notices(source, &bench.desk, world.ledger);
        decision.notices.extend(world.inventory.sources().iter().flat_map(owed));
    }
    decision
}

/// All credentials of each holder and kind, with the index of the first.
fn families(inventory: &Inventory) -> impl Iterator<Item = (usize, &[Entry])> {
    let mut first = 0;
    inventory.entries().chunk_by(are_siblings).map(move |siblings| {
        first += siblings.len();
        (first - siblings.len(), siblings)
    })
}

fn are_siblings(a: &Entry, b: &Entry) -> bool {
    let (a, b) = (&a.credential, &b.credential);
    a.kind == b.kind && a.source == b.source && a.holder.id == b.holder.id
}

/// What is looked up in a world, whatever the instant.
struct Lookup<'a> {
    router: Router<'a>,
    issued: Issued<'a>,
    directory: Directory<'a>,
}

impl<'a> Lookup<'a> {
    fn new(world: &World<'a>) -> Self {
        Self {
            router: Router::new(world.policy),
            issued: Issued::of(world.inventory),
            directory: Directory::of(world.inventory),
        }
    }
}

/// Where everything is judged at one instant.
struct Bench<'a> {
    world: &'a World<'a>,
    calendar: &'a Calendar<'a>,
    lookup: &'a Lookup<'a>,
    usage: Usage<'a>,
    desk: Desk<'a>,
}

impl<'a> Bench<'a> {
    fn new(world: &'a World<'a>, calendar: &'a Calendar<'a>, lookup: &'a Lookup<'a>, wanted: Wanted) -> Self {
        let World { inventory, policy, foreseen_from, .. } = *world;
        let usage = Usage { inventory, now: calendar.now, foreseen_from };
        Self { world, calendar, lookup, usage, desk: Desk { wanted, policy, calendar, usage } }
    }

    /// Judges all credentials of one holder and kind, of which the first stands at `first` in the inventory, and settles what each
    /// is owed.
    fn siblings(&self, siblings: &'a [Entry], first: usize, decision: &mut Decision) {
        let first_verdict = decision.verdicts.len();
        for (index, entry) in siblings.iter().enumerate() {
            if entry.missing_since.is_none() {
                let verdict = self.judge(index, siblings, first);
                decision.verdicts.push(verdict);
            }
        }
        let state = self.state(&decision.verdicts[first_verdict..], first_verdict);
        // What the state follows from; copied once somebody is told something. Settling changes nothing that it says.
        let mut leading: Option<Verdict> = None;
        let mut next = first_verdict;
        for entry in siblings {
            let at = entry.missing_since.is_none().then_some(next);
            next += usize::from(at.is_some());
            let told = self.world.ledger.of(&entry.credential.id);
            if at.map_or(told.is_empty(), |at| settle::is_quiet(&decision.verdicts[at], told)) {
                continue;
            }
            let route = match at {
                Some(at) => decision.verdicts[at].route(self.world.policy),
                None => self.lookup.router.route(&entry.credential),
            };
            if at.is_none() && route.treatment.ignore.is_some() {
                continue;
            }
            if leading.is_none() {
                leading = state.as_ref().and_then(|state| decision.verdicts.get(state.about()).cloned());
            }
            let verdict = at.map(|at| &mut decision.verdicts[at]);
            let successor = verdict.as_ref().and_then(|verdict| verdict.successor(self.world.inventory));
            let state_there = state.as_ref().zip(leading.as_ref()).filter(|_| verdict.is_some());
            let about = About { entry, route: &route, successor, state: state_there };
            settle(verdict, &about, told, &self.desk, &mut decision.notices);
        }
        decision.holders.extend(state);
    }

    fn judge(&self, index: usize, siblings: &[Entry], first: usize) -> Verdict {
        let entry = &siblings[index];
        let now = self.calendar.now;
        let route = self.lookup.router.route(&entry.credential);
        let successor = succession::successor(index, siblings, route.treatment.successor, now);
        let first_successor = succession::first_successor(index, siblings, route.treatment.successor, now);
        let covered_since = first_successor.and_then(|sibling| siblings[sibling].credential.not_before);
        let mut conditions = conditions::conditions(entry, &self.lookup.issued, self.world.policy, self.calendar);
        let agreement = self.lookup.directory.compare(entry, &self.lookup.router, self.calendar);
        let place = Place {
            first_successor: first_successor.and_then(|sibling| u32::try_from(first + sibling).ok()),
            old_use: successor.map(|_| self.usage.of_old(&entry.credential, covered_since)).unwrap_or_default(),
            newest: route.treatment.rotate_every.is_some()
                && successor.is_none()
                && rotation::is_newest(index, siblings, route.treatment.successor, now),
            compared: agreement.compared(),
            told_by: match agreement {
                Agreement::Unmarked | Agreement::Unread => None,
                Agreement::Same(index) => self.tells_for(index, &route),
                Agreement::Differs { since, reason } => {
                    conditions.push(Condition::date_mismatch(since, reason));
                    None
                }
            },
        };
        let case = Case { entry, treatment: route.treatment, place, calendar: self.calendar };
        let successor = successor.map(|sibling| first + sibling);
        let mut verdict = Verdict::new(first + index, case.judge(), successor, &case, &route);
        verdict.conditions = conditions.into();
        verdict.from_elsewhere = self.lookup.issued.is_foreign(&entry.credential);
        verdict
    }

    /// The directory's credential at `index`, if whoever would be told by `route` is told of it.
    fn tells_for(&self, index: usize, route: &Route<'_>) -> Option<u32> {
        let told = self.lookup.router.route(&self.world.inventory.entries()[index].credential);
        let all_are = route.teams.iter().all(|team| told.teams.contains(team));
        let escalation = &route.treatment.escalate;
        let escalates_alike = escalation.is_none() || *escalation == told.treatment.escalate;
        (told.treatment.ignore.is_none() && all_are && escalates_alike).then(|| u32::try_from(index).ok())?
    }

    fn state(&self, verdicts: &[Verdict], first: usize) -> Option<HolderState> {
        let World { inventory, policy, .. } = *self.world;
        let group = Group { inventory, policy, calendar: self.calendar, usage: self.usage, verdicts };
        (!verdicts.is_empty()).then(|| group.state(first))
    }
}
