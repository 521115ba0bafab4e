//! The weekly summaries: what each address is told of all that its teams own, and of what changed since the last one.

use super::letters::draft;
use crate::decide::{Calendar, Code, Context, Router, State, Verdict};
use crate::domain::{Address, CredentialId, NoticeKey, NoticeKind, TeamId, Text};
use crate::inventory::{Entry, SourceState};
use crate::observe::View;
use crate::outbox::Draft;
use crate::render::{self, Change, ComposeError, Stationery, Summary, SummaryHolder, SummaryItem, SummarySource, What};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// One for each address of each team. `told_since` is what was enqueued after `since`.
pub fn summaries(
    view: &View,
    since: Timestamp,
    told_since: &[(Timestamp, NoticeKey)],
    stationery: &Stationery<'_>,
) -> Result<Vec<Draft>, ComposeError> {
    let sources: Vec<SummarySource> = view.inventory.sources().iter().map(source).collect();
    let unowned = items(view, |teams| teams.is_empty());
    let seen = seen(view, since);
    let told = told(view, told_since);
    let mut addresses: BTreeMap<&Address, Vec<&TeamId>> = BTreeMap::new();
    for team in view.policy.teams.values() {
        for address in &team.addresses {
            addresses.entry(address).or_default().push(&team.id);
        }
    }
    let write = |(address, own): (&Address, Vec<&TeamId>)| {
        let is_own = |teams: &[TeamId]| teams.iter().any(|team| own.contains(&team));
        let owned = items(view, is_own);
        let holders = holders(view, is_own);
        let of_own = |(teams, change): &(Arc<[TeamId]>, Change)| is_own(teams).then(|| change.clone());
        let mut changes: Vec<Change> = began(view, since).into_iter().chain(seen.iter().filter_map(of_own)).collect();
        changes.extend(told_to(&told, &own));
        let summary = Summary {
            owned: &owned,
            unowned: &unowned,
            holders: &holders,
            changes: &changes,
            since,
            sources: &sources,
        };
        let letter = render::summary(stationery, address, &summary, view.at);
        draft(stationery, address, &letter, &[], view.at)
    };
    addresses.into_iter().map(write).collect()
}

fn items(view: &View, wanted: impl Fn(&[TeamId]) -> bool) -> Vec<SummaryItem> {
    let item = |verdict: &Verdict| {
        let credential = verdict.credential(&view.inventory);
        SummaryItem {
            holder: credential.holder.name.clone(),
            label: credential.label.clone(),
            kind: credential.kind,
            environment: verdict.treatment(&view.policy).environment.clone(),
            expires_at: credential.expires_at,
            days_left: verdict.days_left.map(i64::from),
            status: if verdict.code == Code::Ignored { "ignored" } else { verdict.status.as_str() },
            conditions: verdict.conditions.iter().map(|condition| condition.kind).collect(),
        }
    };
    view.verdicts.iter().filter(|verdict| wanted(&verdict.teams)).map(item).collect()
}

fn source(source: &SourceState) -> SummarySource {
    SummarySource {
        name: source.name.clone(),
        system: source.system,
        last_success: source.last_success,
        last_error: source.last_error.clone(),
    }
}

/// The holders that somebody has to do something about; not those that are left alone on purpose.
fn holders(view: &View, is_own: impl Fn(&[TeamId]) -> bool) -> Vec<SummaryHolder> {
    let calendar = Calendar::new(&view.policy.zone, view.at);
    let context = Context { inventory: &view.inventory, policy: &view.policy, calendar: &calendar };
    let mut found = Vec::new();
    for holder in &view.holders {
        let Some(verdicts) = view.verdicts.get(holder.verdicts.clone()) else { continue };
        let is_watched = |verdict: &&Verdict| verdict.code != Code::Ignored && is_own(&verdict.teams);
        let presses = matches!(holder.state, State::RotationDue | State::OldInUse | State::Lapsed);
        let Some(watched) = verdicts.iter().find(is_watched).filter(|_| presses) else { continue };
        let credential = watched.credential(&view.inventory);
        found.push(SummaryHolder {
            holder: credential.holder.name.clone(),
            kind: credential.kind,
            state: holder.state.as_str(),
            since: holder.since,
            why: holder.explain(&view.verdicts, context),
        });
    }
    found
}

/// In its first week, everything is new to the watch: that is said once.
fn began(view: &View, since: Timestamp) -> Option<Change> {
    let first = first_seen(view).filter(|first| *first > since)?;
    let name = Text::clean("all that is listed here was seen for the first time");
    Some(Change { at: first, what: What::Began, name, label: Text::default() })
}

fn first_seen(view: &View) -> Option<Timestamp> {
    view.inventory.entries().iter().map(|entry| entry.first_seen).min()
}

/// What appeared, was taken over or went, and whose it is.
fn seen(view: &View, since: Timestamp) -> Vec<(Arc<[TeamId]>, Change)> {
    let router = Router::new(&view.policy);
    let is_first_week = first_seen(view).is_some_and(|first| first > since);
    let mut changes = Vec::new();
    for entry in view.inventory.entries() {
        let gone = entry.missing_since.filter(|at| *at > since).map(|at| (at, What::Gone));
        let is_new = entry.missing_since.is_none() && entry.first_seen > since && !is_first_week;
        for (at, what) in gone.into_iter().chain(is_new.then_some((entry.first_seen, What::New))) {
            changes.push((router.route(&entry.credential).teams, change(entry, at, what)));
        }
    }
    for verdict in &view.verdicts {
        let new = verdict.superseded_by.map(|index| &view.inventory.entries()[index as usize]);
        let taken_over = new.map(|new| new.credential.not_before.max(Some(new.first_seen)).unwrap_or(new.first_seen));
        if let Some(at) = taken_over.filter(|at| *at > since && !is_first_week) {
            changes.push((verdict.teams.clone(), change(verdict.entry(&view.inventory), at, What::Superseded)));
        }
    }
    changes
}

fn change(entry: &Entry, at: Timestamp, what: What) -> Change {
    let credential = &entry.credential;
    Change { at, what, name: credential.holder.name.clone(), label: credential.label.clone() }
}

/// A notice that was enqueued, and how it is spoken of.
struct Told<'a> {
    key: &'a NoticeKey,
    change: Change,
}

fn told<'a>(view: &View, told_since: &'a [(Timestamp, NoticeKey)]) -> Vec<Told<'a>> {
    let wanted: HashSet<&CredentialId> = told_since.iter().map(|(_, key)| &key.credential).collect();
    let entries = view.inventory.entries().iter().filter(|entry| wanted.contains(&entry.credential.id));
    let known: HashMap<&CredentialId, &Entry> = entries.map(|entry| (&entry.credential.id, entry)).collect();
    let told = |(at, key): &'a (Timestamp, NoticeKey)| {
        let what = match key.kind {
            NoticeKind::Resolved => What::Resolved,
            kind => What::Told(kind, key.step),
        };
        let change = match known.get(&key.credential) {
            Some(entry) => change(entry, *at, what),
            // A source, or what has been forgotten since.
            None => Change { at: *at, what, name: Text::clean(&key.credential.to_string()), label: Text::default() },
        };
        Told { key, change }
    };
    told_since.iter().map(told).collect()
}

/// What an address was told, once where two of its teams were.
fn told_to(told: &[Told<'_>], own: &[&TeamId]) -> Vec<Change> {
    let mut seen = HashSet::new();
    let of_own = told.iter().filter(|told| own.contains(&&told.key.team));
    let once =
        of_own.filter(|told| seen.insert((&told.key.credential, told.key.kind, told.key.step, told.key.expires_at)));
    once.map(|told| told.change.clone()).collect()
}
