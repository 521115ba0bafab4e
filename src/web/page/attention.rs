//! What calls for somebody: what has ended or soon will, what is wrong beside its dates, and rotations that wait for a person.
//!
//! One item a holder and kind, however many of its credentials are concerned: one person will look at all of them.

use super::filter::Filter;
use super::horizon::{Horizon, has_ended};
use super::scene::{One, Scene, count_of, days, holder_of, link_to, look_of_state, spoken};
use crate::decide::{HolderState, Reason, State, Status, Verdict};
use crate::observe::View;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// How many are shown; the rest is counted, and linked.
const SHOWN: usize = 15;

/// A holder, and what of it calls for somebody.
pub struct Need<'a> {
    holder: Option<&'a HolderState>,
    /// Indices of verdicts, the soonest end first; never empty.
    concerned: Vec<u32>,
    rank: Rank,
}

/// How pressing, the most pressing first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Gone,
    Soon,
    Near,
}

/// Whether the credential of the verdict at an index calls for somebody.
pub fn calls(view: &View, at: usize) -> bool {
    rank(view, at).is_some()
}

/// Whether something is wrong with it beside its dates.
pub fn is_broken(verdict: &Verdict) -> bool {
    verdict.status != Status::Ignored && (!verdict.conditions.is_empty() || verdict.status == Status::Unreachable)
}

fn rank(view: &View, at: usize) -> Option<Rank> {
    let verdict = &view.verdicts[at];
    // What another credential's notices tell is looked at there.
    let told_elsewhere = matches!(verdict.reason, Reason::ToldBy(_)) && verdict.conditions.is_empty();
    if verdict.status == Status::Ignored || told_elsewhere {
        return None;
    }
    let by_date = match (verdict.status, Horizon::of(verdict)) {
        (Status::Unreachable, _) | (Status::Expired, Some(Horizon::Ended)) => Some(Rank::Gone),
        (Status::Expiring, Some(Horizon::Ended | Horizon::Week)) => Some(Rank::Soon),
        (Status::Expiring, _) => Some(Rank::Near),
        _ => None,
    };
    let by_condition = is_broken(verdict).then_some(Rank::Soon);
    let still_runs = !verdict.credential(&view.inventory).has_ended_at(view.at);
    let by_rotation = holder_of(view, at).and_then(|holder| match (holder.state, verdict.status) {
        (State::OldInUse, Status::Superseded) if still_runs => Some(Rank::Soon),
        (State::RotationDue, Status::Superseded | Status::Expired) => None,
        (State::RotationDue, _) => Some(Rank::Near),
        _ => None,
    });
    [by_date, by_condition, by_rotation].into_iter().flatten().min()
}

/// Everything among `found` (in order of expiry) that calls for somebody, the most pressing first.
pub fn needs<'a>(scene: &'a Scene<'_>, found: &[u32]) -> Vec<Need<'a>> {
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut needs: Vec<Need<'a>> = Vec::new();
    for at in found {
        let Some(rank) = rank(scene.view, *at as usize) else { continue };
        let holder = holder_of(scene.view, *at as usize);
        let key = holder.map_or(*at as usize, |holder| holder.verdicts.start);
        let place = *places.entry(key).or_insert(needs.len());
        match needs.get_mut(place) {
            Some(need) => {
                need.concerned.push(*at);
                need.rank = need.rank.min(rank);
            }
            None => needs.push(Need { holder, concerned: vec![*at], rank }),
        }
    }
    needs.sort_by_key(|need| need.rank);
    needs
}

pub fn section(scene: &Scene<'_>, filter: &Filter, needs: &[Need<'_>]) -> Markup {
    html! {
        section id="attention" aria-labelledby="attention-title" {
            h2 id="attention-title" { "Needs attention" }
            @if needs.is_empty() {
                p class="quiet" { "Nothing at present." }
            } @else {
                ol class="needs" { @for need in needs.iter().take(SHOWN) { (item(scene, need)) } }
                @if needs.len() > SHOWN {
                    p { a href=(filter.link("all", |next| next.attention = "yes".to_owned())) {
                        "All " (count_of(needs.len(), "holder")) " that need attention"
                    } }
                }
            }
            (under_way(scene, filter))
        }
    }
}

fn item(scene: &Scene<'_>, need: &Need<'_>) -> Markup {
    let first = scene.judged(need.concerned[0]);
    let look = match need.rank {
        Rank::Gone => "gone",
        Rank::Soon => "soon",
        Rank::Near => "near",
    };
    html! {
        li class=(look) {
            h3 { (first.link()) }
            @for at in &need.concerned { (concerned(&scene.judged(*at))) }
            @if let Some(holder) = need.holder.filter(|holder| holder.state > State::Steady) { (rotation(scene, holder)) }
            @if let Some(runbook) = first.runbook() { p { (link_to(runbook)) } }
        }
    }
}

fn concerned(one: &One<'_>) -> Markup {
    html! {
        @if let Some(verdict) = one.verdict() {
            p {
                (status(one, verdict)) " " (one.what())
            }
            @for condition in &verdict.conditions {
                p class="why" { b { (spoken(condition.kind.as_str())) } ": " (condition.reason) "." }
            }
            p class="why" { (one.sentence()) "." }
        }
    }
}

/// `expiring, in 5 days`
pub fn status(one: &One<'_>, verdict: &Verdict) -> Markup {
    let ends = verdict.days_left.filter(|_| verdict.status != Status::Ignored).map(|left| days(i64::from(left)));
    html! {
        span class={ "status " (one.look()) } {
            (spoken(verdict.status.as_str()))
            @if let Some(ends) = ends {
                @match verdict.status {
                    Status::Expiring | Status::Expired => { " " (ends) }
                    _ if has_ended(verdict) => { ", ended " (ends) }
                    _ => { ", ends " (ends) }
                }
            }
        }
    }
}

/// How its holder stands, since when and why.
pub fn rotation(scene: &Scene<'_>, holder: &HolderState) -> Markup {
    html! {
        p class="why" {
            "Rotation: " b class={ "status " (look_of_state(holder.state)) } { (spoken(holder.state.as_str())) }
            @if let Some(since) = holder.since { " since " (scene.calendar.date(since)) }
            ": " (holder.explain(&scene.view.verdicts, scene.context())) "."
        }
    }
}

/// Rotations that go as planned: nobody need do anything, yet who wonders why there are two finds the answer.
fn under_way(scene: &Scene<'_>, filter: &Filter) -> Markup {
    let count = |state| scene.view.holders.iter().filter(|holder| holder.state == state).count();
    let (overlap, ready) = (count(State::Overlap), count(State::RetireReady));
    let link = |state: State| filter.link("all", |next| next.rotation = state.as_str().to_owned());
    html! {
        @if overlap + ready > 0 && filter.is_empty() {
            p class="quiet" {
                "Rotations that go as planned: "
                @if overlap > 0 { a href=(link(State::Overlap)) { (overlap) " in overlap" } }
                @if overlap > 0 && ready > 0 { ", " }
                @if ready > 0 { a href=(link(State::RetireReady)) { (ready) " ready to retire the old one" } }
                "."
            }
        }
    }
}

impl Need<'_> {
    /// How many credentials are concerned.
    pub fn size(&self) -> usize {
        self.concerned.len()
    }
}
