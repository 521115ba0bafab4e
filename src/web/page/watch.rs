//! The watch's own state: its sources with their age and last error, and the mail that waits or was refused.

use super::filter::Filter;
use super::scene::{Scene, grouped};
use crate::decide::stale_since;
use crate::domain::SourceName;
use crate::inventory::SourceState;
use crate::observe::{Outbox, Sent, SentState};
use maud::{Markup, html};
use std::collections::BTreeMap;

pub fn sources(scene: &Scene<'_>) -> Markup {
    let view = scene.view;
    let mut listed: BTreeMap<&SourceName, usize> = BTreeMap::new();
    for verdict in &view.verdicts {
        *listed.entry(&verdict.credential(&view.inventory).source).or_default() += 1;
    }
    html! {
        section id="sources" aria-labelledby="sources-title" {
            h2 id="sources-title" { "Sources" }
            @if view.inventory.sources().is_empty() { p class="quiet" { "None is configured." } } @else {
                table class="cards" {
                    thead { tr {
                        th scope="col" { "Source" } th scope="col" { "State" } th scope="col" { "Last complete read" }
                        th scope="col" { "Credentials" }
                    } }
                    tbody { @for one in view.inventory.sources() {
                        (source(scene, one, listed.get(&one.name).copied().unwrap_or_default()))
                    } }
                }
            }
        }
    }
}

fn source(scene: &Scene<'_>, source: &SourceState, listed: usize) -> Markup {
    let stale = stale_since(source, &scene.view.policy, scene.now).is_some();
    let (look, state) = match (source.is_up(), stale, source.last_attempt) {
        (_, true, _) => ("gone", "stale"),
        (true, ..) => ("fine", "up"),
        (false, _, Some(_)) => ("soon", "down"),
        (false, _, None) => ("calm", "not read yet"),
    };
    let link = Filter::default().link("all", |next| next.source = source.name.to_string());
    html! {
        tr class=(look) {
            td data-name="Source" {
                a href=(link) { (source.name) }
                @if source.name.as_str() != source.system { small { (source.system) } }
            }
            td data-name="State" {
                span class="status" { (state) }
                @if let Some(error) = &source.last_error { small { (error) } }
            }
            td data-name="Last complete read" {
                @match source.last_success {
                    Some(at) => { (scene.time(at)) small { (scene.ago(at)) } }
                    None => "never",
                }
            }
            td data-name="Credentials" { (grouped(listed)) }
        }
    }
}

pub fn mail(scene: &Scene<'_>, outbox: &Outbox, demo: bool) -> Markup {
    let count = |count: u64| grouped(usize::try_from(count).unwrap_or(usize::MAX));
    let (troubled, fine): (Vec<&Sent>, Vec<&Sent>) =
        outbox.recent.iter().partition(|sent| sent.state != SentState::Delivered);
    html! {
        section id="mail" aria-labelledby="mail-title" {
            h2 id="mail-title" { "Mail" }
            @if let Some(why) = &outbox.paused { p class="alarm" { "All mail is paused: " (why) } }
            p {
                @match outbox.pending { 0 => "Nothing waits", waiting => { (count(waiting)) " waiting" } }
                @if let Some(oldest) = outbox.oldest { ", the oldest since " (scene.minute(oldest)) }
                @match outbox.rejected { 0 => "; nothing was refused", refused => { "; " (count(refused)) " refused and given up" } }
                "."
                @if demo { " " a href="/demo/mail" { "Read the mails that the demo has sent" } "." }
            }
            @if !troubled.is_empty() { (messages(scene, &troubled)) }
            @if !fine.is_empty() {
                details id="mail-sent" {
                    summary { "The last " (fine.len()) " delivered" }
                    (messages(scene, &fine))
                }
            }
        }
    }
}

pub fn messages(scene: &Scene<'_>, messages: &[&Sent]) -> Markup {
    html! {
        table class="cards" {
            thead { tr {
                th scope="col" { "Written" } th scope="col" { "State" } th scope="col" { "To" } th scope="col" { "Subject" }
            } }
            tbody { @for one in messages { (message(scene, one)) } }
        }
    }
}

pub fn state_of(sent: &Sent) -> (&'static str, &'static str) {
    match sent.state {
        SentState::Delivered => ("fine", "delivered"),
        SentState::Pending => ("near", "waiting"),
        SentState::Rejected => ("gone", "refused"),
    }
}

fn message(scene: &Scene<'_>, sent: &Sent) -> Markup {
    let (look, state) = state_of(sent);
    html! {
        tr class=(look) {
            td data-name="Written" { (scene.time(sent.enqueued_at)) }
            td data-name="State" {
                span class="status" { (state) }
                @if sent.attempts > 1 { small { (sent.attempts) " attempts" } }
                @if let Some(error) = &sent.last_error { small { (error) } }
            }
            td data-name="To" { (sent.address) }
            td data-name="Subject" { (sent.subject) }
        }
    }
}
