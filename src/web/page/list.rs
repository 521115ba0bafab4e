//! Everything, in order of expiry. On a narrow screen each row becomes a card; its cells then say themselves what they are
//! (`data-name`).

use super::PER_PAGE;
use super::attention::status;
use super::filter::Filter;
use super::scene::{One, Scene, grouped, link_to, look_of_state, spoken};
use crate::decide::{Code, State};
use maud::{Markup, html};

pub fn section(scene: &Scene<'_>, filter: &Filter, found: &[u32]) -> Markup {
    let (window, page) = filter.window(found.len());
    html! {
        section id="all" aria-labelledby="all-title" {
            h2 id="all-title" { "Everything, the soonest end first" }
            (pager(filter, found.len(), &window, page, "Pages"))
            @if !found.is_empty() {
                table class="cards all" {
                    thead { tr {
                        th scope="col" { "Ends" } th scope="col" { "Credential" } th scope="col" { "State" }
                        th scope="col" { "Teams" } th scope="col" { "Why" }
                    } }
                    tbody { @for at in &found[window.clone()] { (row(&scene.judged(*at))) } }
                }
            }
            @if found.len() > PER_PAGE { (pager(filter, found.len(), &window, page, "Pages, again")) }
        }
    }
}

fn pager(filter: &Filter, count: usize, window: &std::ops::Range<usize>, page: usize, name: &str) -> Markup {
    let to = |page: usize| filter.link("all", |next| next.page = page.to_string());
    let last = count.div_ceil(PER_PAGE);
    html! {
        nav class="pager" aria-label=(name) {
            @match (count, filter.is_empty()) {
                (0, true) => "Nothing is known yet.",
                (0, false) => "Nothing matches.",
                _ => { (grouped(window.start + 1)) "–" (grouped(window.end)) " of " (grouped(count)) }
            }
            @if page > 1 {
                @if page > 2 { " " a href=(to(1)) { "first" } }
                " " a rel="prev" href=(to(page - 1)) { "previous" }
            }
            @if window.end < count {
                " " a rel="next" href=(to(page + 1)) { "next" }
                @if page + 1 < last { " " a href=(to(last)) { "last" } }
            }
        }
    }
}

fn row(one: &One<'_>) -> Markup {
    let Some(verdict) = one.verdict() else { return html! {} };
    let credential = one.credential();
    html! {
        tr class=(one.look()) {
            td data-name="Ends" {
                @match credential.expires_at {
                    Some(end) => (one.scene.time(end)),
                    None => @if verdict.was_never_read() { "not known" } @else { "never" },
                }
            }
            td data-name="Credential" {
                (one.link())
                small { (one.what()) }
                @if !credential.holder.enabled { small { "may not sign in at present" } }
                @if let Some(app_id) = &credential.holder.app_id { small { code { (app_id) } } }
            }
            td data-name="State" {
                (status(one, verdict))
                @for condition in &verdict.conditions { small { b { (spoken(condition.kind.as_str())) } } }
                @if let Some(holder) = one.holder().filter(|holder| holder.state != State::Unknown && holder.state != State::Steady) {
                    small { "rotation: " span class={ "status " (look_of_state(holder.state)) } { (spoken(holder.state.as_str())) } }
                }
            }
            td data-name="Teams" { (one.teams()) }
            td data-name="Why" {
                @if verdict.code == Code::Due { b { "Due: " } }
                @for condition in &verdict.conditions { (spoken(condition.kind.as_str())) ": " (condition.reason) "; " }
                (one.sentence())
                @if let Some(runbook) = one.runbook() { " · " (link_to(runbook)) }
            }
        }
    }
}
