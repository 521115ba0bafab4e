//! The answer to "is everything all right?", in one sentence with numbers; then whether the watch itself can be believed.

use super::attention::{Need, is_broken};
use super::filter::Filter;
use super::horizon::Horizon;
use super::scene::{Scene, count_of, days, grouped, holder_of};
use crate::decide::{State, Status};
use crate::observe::Outbox;
use crate::web::health::{Health, Level};
use maud::{Markup, html};
use std::collections::BTreeSet;

pub struct Answer<'a> {
    health: &'a Health,
    look: &'static str,
    short: String,
    sentence: String,
}

/// What the sentence counts.
#[derive(Default)]
struct Counts {
    watched: usize,
    expired: usize,
    soon: usize,
    near: usize,
    broken: usize,
    /// Rotations that wait for somebody, by holder.
    rotations: usize,
    concerned: usize,
}

impl<'a> Answer<'a> {
    pub fn new(scene: &Scene<'_>, filter: &Filter, found: &[u32], needs: &[Need<'_>], health: &'a Health) -> Self {
        let mut counts = Counts::of(scene, found);
        counts.concerned = needs.iter().map(Need::size).sum();
        let (look, verdict) = counts.verdict(health.level);
        let rest = counts.in_words(scene, found);
        let about = if filter.is_empty() { "" } else { "of what you chose to see, " };
        Self { health, look, short: verdict.to_owned(), sentence: format!("{about}{rest}") }
    }

    /// For the browser's tab.
    pub fn title(&self) -> String {
        format!("{}: {}", self.short, self.sentence)
    }

    pub fn markup(&self, scene: &Scene<'_>, outbox: &Outbox) -> Markup {
        html! {
            section id="answer" class={ "answer " (self.look) } aria-labelledby="answer-title" {
                h1 id="answer-title" { span class="unseen" { "Is everything all right? " } strong { (self.short) ":" } " " (self.sentence) }
                (self.watch(scene, outbox))
            }
        }
    }

    fn watch(&self, scene: &Scene<'_>, outbox: &Outbox) -> Markup {
        let oldest = scene.view.inventory.sources().iter().map(|source| source.last_success).min().flatten();
        html! {
            @match self.health.level {
                Level::Ok => p class="quiet" {
                    "The watch is well: "
                    (count_of(scene.view.inventory.sources().len(), "source")) " read"
                    @if let Some(oldest) = oldest { ", the least recent " (scene.ago(oldest)) }
                    "; "
                    @match outbox.pending { 0 => "no mail waits", waiting => { (grouped(usize::try_from(waiting).unwrap_or(usize::MAX))) " in the outbox" } }
                    "."
                },
                level => {
                    p { strong {
                        @if level == Level::Failing { "The watch cannot be relied upon at present:" } @else { "The watch is held up:" }
                    } }
                    ul { @for reason in &self.health.reasons { li { (reason) } } }
                }
            }
        }
    }
}

impl Counts {
    fn of(scene: &Scene<'_>, found: &[u32]) -> Self {
        let view = scene.view;
        let mut counts = Self { watched: found.len(), ..Self::default() };
        let mut rotations = BTreeSet::new();
        for at in found {
            let verdict = &view.verdicts[*at as usize];
            match (verdict.status, Horizon::of(verdict)) {
                (Status::Expired, Some(_)) => counts.expired += 1,
                (Status::Expiring, Some(Horizon::Ended | Horizon::Week)) => counts.soon += 1,
                (Status::Expiring, _) => counts.near += 1,
                _ => {}
            }
            counts.broken += usize::from(is_broken(verdict));
            let holder = holder_of(view, *at as usize);
            let waits = |state| matches!(state, State::RotationDue | State::OldInUse);
            rotations.extend(holder.filter(|holder| waits(holder.state)).map(|holder| holder.verdicts.start));
        }
        Self { rotations: rotations.len(), ..counts }
    }

    fn verdict(&self, level: Level) -> (&'static str, &'static str) {
        let ok = level == Level::Ok;
        if level == Level::Failing {
            ("gone", "Nobody knows")
        } else if self.expired > 0 {
            ("gone", "No")
        } else if self.soon + self.broken > 0 {
            ("soon", "Not quite")
        } else if self.watched == 0 {
            ("calm", "Nothing to say")
        } else if self.near + self.rotations > 0 {
            ("near", if ok { "Yes, for now" } else { "Yes, as far as is known" })
        } else {
            ("fine", if ok { "Yes" } else { "Yes, as far as is known" })
        }
    }

    fn in_words(&self, scene: &Scene<'_>, found: &[u32]) -> String {
        if self.watched == 0 {
            return "nothing is watched here.".to_owned();
        }
        let has = |count: usize, one: &str, many: &str| {
            (count > 0).then(|| format!("{} {}", grouped(count), if count == 1 { one } else { many }))
        };
        let parts = [
            has(self.expired, "has expired", "have expired"),
            has(self.soon, "runs out within 7 days", "run out within 7 days"),
            has(self.near, "more is inside its reminders", "more are inside their reminders"),
            has(self.broken, "has something else wrong", "have something else wrong"),
            has(self.rotations, "rotation waits for somebody", "rotations wait for somebody"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let fine = self.watched.saturating_sub(self.concerned);
        if parts.is_empty() {
            return format!("all {} are in order{}.", grouped(self.watched), next(scene, found));
        }
        format!("{}. The other {} of {} are in order.", joined(&parts), grouped(fine), grouped(self.watched))
    }
}

/// `a, b and c`
fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// When the first of those that count ends.
fn next(scene: &Scene<'_>, found: &[u32]) -> String {
    let verdicts = found.iter().map(|at| &scene.view.verdicts[*at as usize]);
    let left = verdicts.filter(|verdict| Horizon::of(verdict).is_some()).find_map(|verdict| verdict.days_left);
    left.map_or(String::new(), |left| format!("; the next one ends {}", days(i64::from(left))))
}
