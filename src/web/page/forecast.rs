//! What will be sent in the next days if nobody acts.

use super::filter::Filter;
use super::scene::{Scene, count_of, spoken};
use crate::domain::{CredentialId, NoticeKind, Step};
use crate::observe::ForecastRow;
use crate::render::page_of;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use std::collections::HashSet;

/// How far it looks.
const DAYS: i64 = 90;

/// How many are seen at once, and how many at all.
const OPEN: usize = 12;
const MOST: usize = 150;

/// One fact, to one or several teams.
struct Fact<'a> {
    first: &'a ForecastRow,
    teams: Vec<&'a str>,
}

/// The rows of the next 90 days, in their order, those of one fact in one line.
pub fn forecast_section(scene: &Scene<'_>, filter: &Filter, rows: &[ForecastRow]) -> Markup {
    let facts = facts(scene, filter, rows);
    let (open, more) = facts.split_at(facts.len().min(OPEN));
    let more = &more[..more.len().min(MOST - OPEN)];
    html! {
        section id="forecast" aria-labelledby="forecast-title" {
            h2 id="forecast-title" { "What will be sent in the next " (DAYS) " days if nobody acts" }
            @if facts.is_empty() { p class="quiet" { "Nothing." } } @else { (table(scene, open)) }
            @if !more.is_empty() {
                details id="forecast-more" {
                    summary { (count_of(more.len(), "more notice")) }
                    (table(scene, more))
                }
            }
            @if facts.len() > MOST {
                p class="quiet" { "And " (facts.len() - MOST) " later; " code { "expiry-watch forecast" } " lists them all." }
            }
        }
    }
}

fn facts<'a>(scene: &Scene<'_>, filter: &Filter, rows: &'a [ForecastRow]) -> Vec<Fact<'a>> {
    let until = scene.view.at.saturating_add(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MAX);
    let asked: Option<HashSet<&CredentialId>> = (!filter.is_empty()).then(|| {
        let found = filter.select(scene.view).into_iter();
        found.map(|at| &scene.view.verdicts[at as usize].credential(&scene.view.inventory).id).collect()
    });
    let is_asked = |row: &&ForecastRow| {
        row.at <= until
            && asked.as_ref().is_none_or(|asked| asked.contains(&row.credential))
            && (filter.team.is_empty() || filter.team == row.team.as_str())
    };
    let mut facts: Vec<Fact<'a>> = Vec::new();
    for row in rows.iter().filter(is_asked) {
        let key = |row: &'a ForecastRow| (row.at, row.kind, row.step, &row.credential);
        match facts.last_mut().filter(|last| key(last.first) == key(row)) {
            Some(last) => last.teams.push(row.team.as_str()),
            None => facts.push(Fact { first: row, teams: vec![row.team.as_str()] }),
        }
    }
    facts
}

fn table(scene: &Scene<'_>, facts: &[Fact<'_>]) -> Markup {
    html! {
        table class="cards forecast" {
            thead { tr {
                th scope="col" { "When" } th scope="col" { "Notice" } th scope="col" { "Credential" } th scope="col" { "To" }
                th scope="col" { "Why" }
            } }
            tbody { @for fact in facts { (row(scene, fact)) } }
        }
    }
}

fn row(scene: &Scene<'_>, fact: &Fact<'_>) -> Markup {
    let ForecastRow { at, kind, step, credential, holder, label, reason, .. } = fact.first;
    let name = if holder.is_empty() { "(no name)" } else { holder.as_str() };
    html! {
        tr class=(look(*kind)) {
            td data-name="When" { (scene.time(*at)) }
            td data-name="Notice" { span class="status" { (words(*kind, *step)) } }
            td data-name="Credential" {
                @if *kind == NoticeKind::SourceStale { (name) } @else { a class="holder" href=(page_of(credential)) { (name) } }
                @if !label.is_empty() { small { (label) } }
            }
            td data-name="To" { (fact.teams.join(", ")) }
            td data-name="Why" { (reason) }
        }
    }
}

/// `expiring, 7d`; `expired`, where the threshold says no more than the kind.
pub fn words(kind: NoticeKind, step: Step) -> String {
    let (kind, step) = (spoken(kind.as_str()), step.to_string());
    if step == "now" || kind.starts_with(&step) {
        kind
    } else if step.starts_with(&kind) {
        step
    } else {
        format!("{kind}, {step}")
    }
}

pub fn look(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Expired | NoticeKind::Untrusted | NoticeKind::SourceStale => "gone",
        NoticeKind::StillInUse | NoticeKind::NotDeployed | NoticeKind::DateMismatch | NoticeKind::Unreachable => "soon",
        NoticeKind::Expiring | NoticeKind::RotationDue => "near",
        NoticeKind::Retiring => "calm",
        NoticeKind::Resolved => "fine",
    }
}
