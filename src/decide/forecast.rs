//! What will be told, and when, if sources keep answering and nothing but time goes on.
//!
//! ```text
//!   from                                                                                  to
//!   |--poll--poll--poll--[notify]--poll--poll--poll--poll--[notify]--poll--poll--poll------|
//!                     ^ a threshold is crossed    ^ the end comes near
//!                          ^ told: all                ^ told at once: what is urgent
//! ```
//! The daemon's own decision, made at the daemon's own instants, with what it told fed back into the ledger; so it can say nothing
//! else than the daemon will. One holder after another, and only at the first poll and the first notify run after something about
//! that holder [changes]: in between, deciding again would owe nothing again.
//!
//! That a source falls silent is not foreseen; that one which was is back, is. Knows no schedule: when runs are made, it is told.

mod changes;
mod rounds;
#[cfg(test)]
mod tests;

pub use rounds::Rounds;

use super::{Bench, Calendar, Decision, Ledger, Lookup, Wanted, World, families, sources};
use crate::domain::{NoticeKey, NoticeKind};
use crate::inventory::Entry;
use changes::Changes;
use jiff::Timestamp;
use std::collections::BTreeMap;
use thiserror::Error;

/// More than this nobody reads, and not every machine holds: some 300 MB.
pub const MOST_FORESEEN: usize = 1_000_000;

/// What will be told up to `to`, in the order in which it goes out: at one instant, as a digest orders it.
#[derive(Debug)]
pub struct Forecast {
    pub from: Timestamp,
    pub to: Timestamp,
    pub notices: Vec<Foreseen>,
}

/// A notice to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// When it will be sent.
    pub at: Timestamp,
    pub key: NoticeKey,
    pub reason: String,
    /// Which credential it is about, as an index of the inventory; `None` for a source.
    pub entry: Option<usize>,
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error("more than {MOST_FORESEEN} notices would be sent in this time: ask for fewer days")]
pub struct TooMany;

/// Foresees what is told from the first of `polls` on, up to `to` and then as well.
///
/// # Errors
/// When there is too much to hold.
pub fn forecast(
    world: &World<'_>,
    to: Timestamp,
    polls: &Rounds<'_>,
    notifies: &Rounds<'_>,
) -> Result<Forecast, TooMany> {
    let from = polls.first();
    let world = World { foreseen_from: Some(from), ..*world };
    let lookup = Lookup::new(&world);
    let future = Future { world: &world, from, to, polls, notifies, lookup: &lookup };
    let mut notices = future.of_sources();
    for (first, siblings) in families(world.inventory) {
        future.of_siblings(first, siblings, &mut notices);
        if notices.len() > MOST_FORESEEN {
            return Err(TooMany);
        }
    }
    notices.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(Forecast { from, to, notices })
}

impl Foreseen {
    fn order(&self) -> impl Ord + '_ {
        let NoticeKey { credential, expires_at, kind, step: _, team, episode, .. } = &self.key;
        (self.at, *kind, expires_at.is_none(), *expires_at, credential, team, *episode)
    }
}

struct Future<'a> {
    world: &'a World<'a>,
    from: Timestamp,
    to: Timestamp,
    polls: &'a Rounds<'a>,
    notifies: &'a Rounds<'a>,
    lookup: &'a Lookup<'a>,
}

impl Future<'_> {
    /// Lives through what comes for one holder.
    fn of_siblings(&self, first: usize, siblings: &[Entry], notices: &mut Vec<Foreseen>) {
        let told = siblings.iter().flat_map(|entry| self.world.ledger.of(&entry.credential.id));
        let mut ledger: Ledger = told.cloned().collect();
        for (at, wanted) in self.runs_that_matter(siblings) {
            let calendar = Calendar::new(&self.world.policy.zone, at);
            let world = World { ledger: &ledger, ..*self.world };
            let mut decision = Decision::default();
            Bench::new(&world, &calendar, self.lookup, wanted).siblings(siblings, first, &mut decision);
            for notice in decision.notices {
                if !ledger.holds(&notice.key) {
                    ledger.extend([notice.key.clone()]);
                    let entry = siblings.iter().position(|entry| entry.credential.id == notice.key.credential);
                    let entry = entry.map(|index| first + index);
                    notices.push(Foreseen { at, key: notice.key, reason: notice.reason, entry });
                }
            }
        }
    }

    /// The runs that can find anything new about these, and what each of them tells: the first of all, and the first of each sort
    /// after each change.
    fn runs_that_matter(&self, siblings: &[Entry]) -> BTreeMap<Timestamp, Wanted> {
        let changes = Changes::of(siblings, self.world, self.lookup, self.from);
        let mut runs = BTreeMap::new();
        let mut next = Some(self.from);
        while let Some(change) = next.filter(|change| *change <= self.to) {
            let (poll, notify) = (self.polls.at_or_after(change), self.notifies.at_or_after(change));
            runs.extend(notify.map(|at| (at, Wanted::All)));
            poll.into_iter().for_each(|at| _ = runs.entry(at).or_insert(Wanted::Urgent));
            // Whatever else changes before the sooner of the two is seen by both.
            let seen = poll.into_iter().chain(notify).min();
            next = seen.and_then(|seen| changes.after(seen));
        }
        runs.retain(|at, _| *at <= self.to);
        runs
    }

    /// That a source answers again, for those who were told of its silence.
    fn of_sources(&self) -> Vec<Foreseen> {
        let Some(at) = self.notifies.at_or_after(self.from).filter(|at| *at <= self.to) else { return Vec::new() };
        let owed = self.world.inventory.sources().iter().flat_map(|source| {
            // One that answers now will have done so again by then.
            let asked_at = if source.is_up() { self.from } else { at };
            let calendar = Calendar::new(&self.world.policy.zone, asked_at);
            sources::notices(
                source,
                &Bench::new(self.world, &calendar, self.lookup, Wanted::All).desk,
                self.world.ledger,
            )
        });
        let back = owed.filter(|notice| notice.key.kind == NoticeKind::Resolved);
        back.map(|notice| Foreseen { at, key: notice.key, reason: notice.reason, entry: None }).collect()
    }
}
