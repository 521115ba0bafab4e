//! One credential: how it stands and why, its facts, its story, its siblings, and the mail about it.

use super::attention::{rotation, status};
use super::lives;
use super::scene::{One, days, link_to, spoken};
use super::story;
use super::watch;
use crate::decide::{Status, Verdict};
use crate::domain::Text;
use crate::inventory::Entry;
use crate::observe::{History, Sent};
use crate::render::page_of;
use maud::{Markup, html};

/// What is said about an id that is not known. The id is not repeated: whoever made the link chose it.
pub fn unknown() -> Markup {
    html! {
        p { "No credential of this id is known. It may have been deleted a while ago, or the link may have been cut short." }
    }
}

pub fn page(one: &One<'_>, history: Option<&History>) -> Markup {
    let credential = one.credential();
    html! {
        nav class="crumbs" aria-label="Where this is" { a href="/" { "Everything" } " › " (credential.kind.spoken()) }
        section id="stand" class={ "answer " (one.look()) } aria-labelledby="stand-title" {
            h1 id="stand-title" { bdi { @if credential.holder.name.is_empty() { "(no name)" } @else { (credential.holder.name) } } }
            p { (one.what()) }
            (stand(one))
        }
        section id="facts" aria-labelledby="facts-title" {
            h2 id="facts-title" { "Its facts" }
            (facts(one))
        }
        (story::section(one, history))
        (siblings(one))
        @if let Some(history) = history.filter(|history| !history.mail.is_empty()) {
            section id="mail" aria-labelledby="mail-title" {
                h2 id="mail-title" { "The messages that told of it" }
                (watch::messages(one.scene, &history.mail.iter().collect::<Vec<&Sent>>()))
            }
        }
    }
}

/// How it stands, and the whole sentence why.
fn stand(one: &One<'_>) -> Markup {
    let scene = one.scene;
    let Some(verdict) = one.verdict() else {
        return html! {
            p { strong { "Gone: " }
                "its source no longer lists it"
                @if let Some(since) = one.entry.missing_since { " since " (scene.minute(since)) }
                ". It is kept here for a while."
            }
        };
    };
    html! {
        p class="big" { (status(one, verdict)) }
        @for condition in &verdict.conditions {
            p { b { (spoken(condition.kind.as_str())) } " since " (scene.time(condition.since)) ": " (condition.reason) "." }
        }
        p { (one.sentence()) "." }
        (drawing(verdict))
    }
}

/// Its end on the line through time, where it has a place there.
fn drawing(verdict: &Verdict) -> Markup {
    html! {
        @if verdict.days_left.is_some() && !matches!(verdict.status, Status::Ignored) {
            div class={ "time alone " (super::scene::look(verdict)) } {
                (super::timeline::axis())
                (super::timeline::track(verdict))
            }
        }
    }
}

fn facts(one: &One<'_>) -> Markup {
    let (scene, credential) = (one.scene, one.credential());
    let fact = |name: &str, value: &Markup| html! { div { dt { (name) } dd { (value) } } };
    let text = |name: &str, value: &str| html! { @if !value.is_empty() { (fact(name, &html! { bdi { (value) } })) } };
    let source = scene.view.inventory.source(&credential.source);
    html! {
        dl class="facts" {
            (fact("Ends", &html! {
                @match credential.expires_at {
                    Some(end) => {
                        (scene.both_times(end))
                        @if let Some(left) = one.verdict().and_then(|verdict| verdict.days_left) { " · " (days(i64::from(left))) }
                    }
                    None => @if one.verdict().is_some_and(Verdict::was_never_read) { "not known: it was never read" }
                        @else { "never, or nobody wrote it down" },
                }
            }))
            (fact("Begins", &html! { @match credential.not_before { Some(start) => (scene.both_times(start)), None => "not known" } }))
            (text("Label", credential.label.as_str()))
            (text("Environment", one.environment()))
            (fact("Source", &html! {
                (credential.source)
                @if let Some(read) = source.and_then(|source| source.last_success) { ", read " (scene.ago(read)) }
                @if let Some(error) = source.and_then(|source| source.last_error.as_ref()) { ". Its last read failed: " (error) }
            }))
            (told(one))
            @if let Some(runbook) = one.runbook() { (fact("What to do", &link_to(runbook))) }
            @if !credential.holder.enabled { (text("Holder", "may not sign in at present")) }
            @if !credential.enabled { (text("Switched off", "its source says that it is disabled")) }
            @if let Some(app_id) = &credential.holder.app_id { (fact("Application id", &html! { code { (app_id) } })) }
            (fact("Credential id", &html! { code { (credential.id) } }))
            @if let Some(x509) = &credential.x509 {
                (text("Covers", &x509.names.iter().map(Text::as_str).collect::<Vec<_>>().join(", ")))
                (text("Issuer", x509.issuer.as_ref().map_or("", Text::as_str)))
                (fact("Serial number", &html! { code { (x509.serial) } }))
            }
        }
    }
}

/// Which teams, and what decided that.
fn told(one: &One<'_>) -> Markup {
    use crate::decide::TeamsFrom;
    let Some(verdict) = one.verdict() else { return html! {} };
    let rule = verdict.rule_name(&one.scene.view.policy);
    let by = match verdict.teams_from {
        TeamsFrom::Rule => "by the rule",
        TeamsFrom::Tag => "by a tag of its holder",
        TeamsFrom::Defaults => "by [defaults]",
    };
    html! {
        div { dt { "Told" } dd { (one.teams()) ", " (by) } }
        div { dt { "Rule" } dd { @match rule { Some(rule) => bdi { "“" (rule) "”" }, None => "none matches; [defaults] decide" } } }
    }
}

/// All of its holder's credentials of the same kind, and how they follow each other.
fn siblings(one: &One<'_>) -> Markup {
    let (scene, own) = (one.scene, one.credential());
    let entries = scene.view.inventory.entries();
    let is_sibling = |entry: &Entry| {
        let other = &entry.credential;
        other.kind == own.kind && other.source == own.source && other.holder.id == own.holder.id
    };
    let first = entries.partition_point(|entry| {
        let other = &entry.credential;
        (&other.source, &other.holder.id, other.kind) < (&own.source, &own.holder.id, own.kind)
    });
    let siblings =
        (first..entries.len()).take_while(|index| is_sibling(&entries[*index])).map(|index| scene.one(index));
    let siblings: Vec<One<'_>> = siblings.collect();
    html! {
        section id="siblings" aria-labelledby="siblings-title" {
            h2 id="siblings-title" { "Its holder’s " (own.kind.spoken()) "s" }
            @if let Some(holder) = one.holder() { (rotation(scene, holder)) }
            (lives::lives(scene, &siblings, &own.id))
            @if let Some(successor) = one.verdict().and_then(|verdict| verdict.successor(&scene.view.inventory)) {
                p { "This one is replaced by " a href=(page_of(&successor.id)) {
                    @if successor.label.is_empty() { (successor.id) } @else { (successor.label) }
                } "." }
            }
        }
    }
}
