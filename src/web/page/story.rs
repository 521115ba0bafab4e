//! What happened to a credential, in order: when it began and was first seen, what was told to whom, what it was replaced by, when it
//! ends, and what comes next.

use super::forecast::{look as look_of_notice, words};
use super::scene::{One, Scene, count_of, listed, look};
use super::watch::state_of;
use crate::domain::{NoticeKind, TeamId};
use crate::observe::{History, Sent, SentState, Told};
use crate::render::page_of;
use jiff::Timestamp;
use maud::{Markup, html};

/// One line of the story.
struct Happening {
    at: Timestamp,
    look: &'static str,
    what: Markup,
}

pub fn section(one: &One<'_>, history: Option<&History>) -> Markup {
    let mut story = life(one);
    story.extend(history.into_iter().flat_map(told));
    story.extend(next(one));
    story.sort_by_key(|happening| happening.at);
    let scene = one.scene;
    let past = story.partition_point(|happening| happening.at <= scene.now);
    html! {
        section id="story" aria-labelledby="story-title" {
            h2 id="story-title" { "Its story" }
            @match history {
                None => p class="alarm" { "What was told about it cannot be read at this moment; the page tries again by itself." },
                Some(history) if history.more => p class="quiet" { "Only the latest notices are listed." },
                Some(history) if history.told.is_empty() => p class="quiet" { "Nobody has been told anything about it yet." },
                Some(_) => {}
            }
            ol class="story" {
                @for happening in &story[..past] { (line(scene, happening)) }
                li class="now" { (scene.time(scene.now)) span { "now" } }
                @for happening in &story[past..] { (line(scene, happening)) }
            }
        }
    }
}

fn line(scene: &Scene<'_>, happening: &Happening) -> Markup {
    html! { li class=(happening.look) { (scene.time(happening.at)) span { (happening.what) } } }
}

/// What its dates, its source and its siblings say.
fn life(one: &One<'_>) -> Vec<Happening> {
    let (credential, entry) = (one.credential(), one.entry);
    let view = one.scene.view;
    let mut story = vec![Happening { at: entry.first_seen, look: "calm", what: html! { "First seen by this watch." } }];
    let mut add = |at: Option<Timestamp>, look, what: Markup| {
        story.extend(at.map(|at| Happening { at, look, what }));
    };
    add(credential.not_before, "calm", html! { "It begins to be valid." });
    let is_past = credential.has_ended_at(one.scene.now);
    let end_look = one.verdict().map_or("calm", look);
    add(credential.expires_at, end_look, html! { b { @if is_past { "It ended." } @else { "It ends." } } });
    let successor = one.verdict().and_then(|verdict| verdict.successor(&view.inventory));
    if let Some(successor) = successor {
        let what = html! {
            "Replaced: " a href=(page_of(&successor.id)) {
                @if successor.label.is_empty() { "its successor" } @else { bdi { "“" (successor.label) "”" } }
            } " begins"
            @if let Some(end) = successor.expires_at { ", and ends on " (one.scene.calendar.date(end)) }
            "."
        };
        add(successor.not_before, "fine", what);
    }
    add(entry.missing_since, "near", html! { "Its source no longer lists it." });
    for condition in one.verdict().iter().flat_map(|verdict| &verdict.conditions) {
        let what = html! { b { (super::scene::spoken(condition.kind.as_str())) } " seen: " (condition.reason) "." };
        add(Some(condition.since), "gone", what);
    }
    story
}

/// What was told: one line a fact and run, however many teams heard it.
fn told(history: &History) -> Vec<Happening> {
    let mut groups: Vec<(&Told, Vec<TeamId>)> = Vec::new();
    for told in &history.told {
        let key = |told: &Told| (told.at, told.kind, told.step);
        match groups.iter_mut().find(|(first, _)| key(first) == key(told)) {
            Some((_, teams)) => teams.push(told.team.clone()),
            None => groups.push((told, vec![told.team.clone()])),
        }
    }
    let happening = |(first, teams): (&Told, Vec<TeamId>)| {
        let mail: Vec<&Sent> = history.mail.iter().filter(|sent| sent.enqueued_at == first.at).collect();
        let what = html! {
            "Told " (listed(&teams)) ": "
            b class="status" { @if first.kind == NoticeKind::Resolved { "resolved" } @else { (words(first.kind, first.step)) } }
            @if first.episode > 0 && first.kind != NoticeKind::Resolved { " (anew: an earlier notice had been resolved)" }
            (carried(&mail))
        };
        Happening { at: first.at, look: look_of_notice(first.kind), what }
    };
    groups.into_iter().map(happening).collect()
}

/// What became of the messages, and what the mail system's administrators need to find them.
fn carried(mail: &[&Sent]) -> Markup {
    let delivered = mail.iter().filter(|sent| sent.state == SentState::Delivered).count();
    html! {
        @if mail.is_empty() { small { "Its message is no longer kept, or there was none to send." } }
        @else {
            @for sent in mail.iter().filter(|sent| sent.state != SentState::Delivered) {
                small { (state_of(sent).1) ": " (sent.address) @if let Some(error) = &sent.last_error { ": " (error) } }
            }
            details {
                summary {
                    @if delivered < mail.len() { (delivered) " of " }
                    (count_of(mail.len(), "message")) " delivered"
                }
                @for sent in mail { small { (sent.address) ", Message-ID " code { (sent.message_id) } } }
            }
        }
    }
}

/// What will be told next if nothing changes.
fn next(one: &One<'_>) -> Option<Happening> {
    let view = one.scene.view;
    let verdict = one.verdict()?;
    let rung = verdict.next(&view.inventory, &view.policy, &one.scene.calendar)?;
    let what = html! { "If nothing changes, " (listed(&verdict.teams)) " will be told: " b { (words(rung.kind, rung.step)) } "." };
    (!verdict.teams.is_empty()).then_some(Happening { at: rung.crossed_at, look: look_of_notice(rung.kind), what })
}
