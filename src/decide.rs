//! Who must hear what: `(&World, now) -> Decision`.
//!
//! The heart of the watch, and a function: it reads no clock, does no I/O, keeps nothing. The same call answers the daemon, `check`,
//! `check --as-of` and every simulated year of the tests. What has been told before is part of the world it is given
//! ([`Ledger`]), so asking twice owes nothing twice.
//!
//! For each credential: [`routing`] finds whose it is; [`succession`] who stands in for it; [`judge`] goes through the rules, the
//! first that applies deciding; [`ladder`] finds the tightest threshold crossed; [`owed`] takes away what has been told and adds
//! what has stopped being true.

mod calendar;
mod holders;
mod judge;
mod ladder;
mod ledger;
mod notices;
mod owed;
mod routing;
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
pub use verdict::{Code, Reason, Status, Verdict};

use crate::domain::{Notice, NoticeKey, Policy, TeamId};
use crate::inventory::{Entry, Inventory};
use jiff::Timestamp;
use judge::Case;
use ledger::{Story, teams_told};
use notices::{About, Desk};

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
            if entry.missing_since.is_some() && route.treatment.ignore.is_some() {
                continue;
            }
            if entry.missing_since.is_some() {
                settle(None, &about, told, &desk, &mut decision.notices);
                continue;
            }
            let case = Case { entry, successor, route: &route, calendar: &calendar };
            let mut verdict = case.judge().into_verdict(first + index, successor.map(|sibling| first + sibling), &case);
            if settle(Some(&verdict), &about, told, &desk, &mut decision.notices) {
                verdict.code = Code::Noticed;
            } else if verdict.code == Code::Due {
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

/// Adds what is owed to each team, and says whether every team has been told of the verdict's rung already.
fn settle(
    verdict: Option<&Verdict>,
    about: &About<'_>,
    told: &[NoticeKey],
    desk: &Desk<'_>,
    owed: &mut Vec<Notice>,
) -> bool {
    let rung = verdict.and_then(|verdict| verdict.rung().map(|rung| (verdict, rung)));
    if rung.is_none() && told.is_empty() {
        return false;
    }
    let closings: Vec<(TeamId, Story<'_>, owed::Closing)> = teams_told(told)
        .into_iter()
        .filter_map(|team| {
            let story = Story::of(told, &team);
            let closing = owed::closing(&story, about.entry, verdict, desk.calendar.now)?;
            Some((team, story, closing))
        })
        .collect();
    let closed_teams: Vec<TeamId> = closings.iter().map(|(team, ..)| team.clone()).collect();
    for (_, story, closing) in &closings {
        if let Some(last) = story.open.iter().max_by_key(|key| key.expires_at) {
            owed.push(desk.resolved(about, *closing, last, closed_teams.clone()));
        }
    }
    let Some((verdict, rung)) = rung else { return false };
    let mut all_told = !verdict.teams.is_empty();
    for team in verdict.teams.iter() {
        let mut story = Story::of(told, team);
        if closed_teams.contains(team) {
            story = Story { episode: story.episode + 1, open: Vec::new() };
        }
        if !owed::is_told(&story, rung, &about.entry.credential, desk.calendar) {
            all_told = false;
            owed.push(desk.rung(about, rung, team, story.episode));
        }
    }
    all_told
}
