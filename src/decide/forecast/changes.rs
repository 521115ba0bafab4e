//! The instants at which anything about a holder can change by time alone.
//!
//! Too many cost a decision that owes nothing; one too few would lose a notice. So whatever a rule looks at is listed here, whether
//! it applies or not. Held against deciding at every single run by the tests of [`forecast`](super).

use super::super::calendar::{Calendar, Span};
use super::super::{Lookup, World, ladder, rotation, usage::Usage};
use crate::domain::{Credential, Kind, Period, Treatment};
use crate::inventory::Entry;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Each is the first instant at which something new is so.
pub struct Changes<'a> {
    /// In order.
    once: Vec<Timestamp>,
    /// Ends, after which `expired` is repeated.
    again: Vec<(Timestamp, Option<Period>)>,
    zone: &'a TimeZone,
}

impl<'a> Changes<'a> {
    /// What can change after `from` about `siblings`, who are all of one holder and kind.
    pub fn of(siblings: &[Entry], world: &World<'a>, lookup: &Lookup<'_>, from: Timestamp) -> Self {
        let calendar = Calendar::new(&world.policy.zone, from);
        let usage = Usage { inventory: world.inventory, now: from, foreseen_from: Some(from) };
        let mut changes = Self { once: Vec::new(), again: Vec::new(), zone: &world.policy.zone };
        for entry in siblings {
            let credential = &*entry.credential;
            let treatment = lookup.router.route(credential).treatment;
            changes.once.extend(bounds(credential));
            changes.once.extend(ladders(credential, treatment, &calendar));
            changes.once.extend(urgency(credential, world.policy.urgent_within));
            changes.once.extend(patience(entry, world));
            changes.once.extend(overlap(credential, siblings, &usage));
            changes.once.extend(elsewhere(credential, lookup));
            changes.again.extend(credential.expires_at.map(|end| (end, treatment.after_expiry)));
        }
        changes.once.retain(|change| *change > from);
        changes.once.sort_unstable();
        changes
    }

    /// The next one after `instant`.
    pub fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        let once = self.once.get(self.once.partition_point(|change| *change <= instant)).copied();
        let calendar = Calendar::new(self.zone, instant);
        let repeat = |(end, period): &(Timestamp, Option<Period>)| {
            (*end < instant).then(|| ladder::after_end(*end, *period, &calendar).next)?.map(|rung| rung.crossed_at)
        };
        let again = self.again.iter().filter_map(repeat).filter(|change| *change > instant);
        again.chain(once).min()
    }
}

/// From its beginning on it is valid; at its end it still is.
fn bounds(credential: &Credential) -> impl Iterator<Item = Timestamp> {
    credential.not_before.into_iter().chain(credential.expires_at.and_then(just_after))
}

/// Every threshold on every ladder that it may come to stand on. Those at which somebody else is told need none of their own: they
/// are looked at with a rung.
fn ladders(credential: &Credential, treatment: &Treatment, calendar: &Calendar<'_>) -> Vec<Timestamp> {
    let life = Span::of_life(credential).map(|life| (life, treatment.ladder(credential.kind)));
    let retirement = Span::of_life(credential).map(|life| (life, &*treatment.retire_remind));
    let plan = rotation::plan(credential, treatment, calendar).map(|plan| (plan, &*treatment.remind_rotation));
    let all = [life, retirement, plan].into_iter().flatten();
    all.flat_map(|(span, ladder)| ladder.iter().filter_map(move |rung| calendar.crossing(*rung, span))).collect()
}

/// When what it owes begins to be urgent.
fn urgency(credential: &Credential, within: Period) -> Option<Timestamp> {
    credential.expires_at?.checked_sub(SignedDuration::from_secs(within.seconds())).ok()
}

/// When its source's patience with what cannot be read is over.
fn patience(entry: &Entry, world: &World<'_>) -> Option<Timestamp> {
    let limit = world.policy.stale_after.get(&entry.credential.source)?;
    let end = entry.trouble_since.as_ref()?.checked_add(SignedDuration::from_secs(limit.seconds())).ok()?;
    just_after(end)
}

/// When a use that goes on will have gone on since a successor began.
fn overlap(old: &Credential, siblings: &[Entry], usage: &Usage<'_>) -> Vec<Timestamp> {
    let Some(known) = usage.last(old) else { return Vec::new() };
    let starts = siblings.iter().filter_map(|new| new.credential.not_before);
    starts.filter_map(|start| usage.now.checked_add(start.duration_since(known.last)).ok()).collect()
}

/// What changes about those it is compared with: the certificates issued for what is served, the credentials a vault's entry keeps.
fn elsewhere(credential: &Credential, lookup: &Lookup<'_>) -> Vec<Timestamp> {
    let is_served = credential.kind == Kind::ServedCertificate;
    let issued = is_served.then(|| lookup.issued.covering(credential.holder.name.as_str()));
    let kept = credential.mark.as_deref().map(|mark| lookup.directory.looked_at(mark));
    let others = issued.into_iter().flatten().chain(kept.into_iter().flatten());
    others.flat_map(|entry| bounds(&entry.credential)).collect()
}

fn just_after(instant: Timestamp) -> Option<Timestamp> {
    instant.checked_add(SignedDuration::from_nanos(1)).ok()
}
