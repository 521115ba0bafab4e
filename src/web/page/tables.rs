//! The page's tables. On a narrow screen each row becomes a card; its cells then say themselves what they are (`data-name`).

use super::filter::{Filter, environment};
use super::{PER_PAGE, Scene};
use crate::decide::{Code, Status, Verdict};
use crate::domain::{TeamId, Text};
use crate::inventory::SourceState;
use crate::observe::{Outbox, Sent, SentState};
use maud::{Markup, html};
use url::Url;

/// What a reader looks for first, as links into the list.
pub fn tiles(scene: &Scene<'_>, filter: &Filter) -> Markup {
    const TILES: [(Status, &str, &str); 5] = [
        (Status::Expired, "expired", "gone"),
        (Status::Expiring, "expiring", "near"),
        (Status::Superseded, "superseded", "calm"),
        (Status::Valid, "valid", "fine"),
        (Status::Ignored, "ignored", "calm"),
    ];
    let count = |status| scene.view.verdicts.iter().filter(|verdict| verdict.status == status).count();
    html! {
        nav class="tiles" aria-label="By status" {
            a class="tile" href=(filter.link(|next| { next.status.clear(); next.page.clear(); })) {
                b { (scene.view.verdicts.len()) } " watched"
            }
            @for (status, word, look) in TILES {
                @let shown = status.as_str() == filter.status;
                a class={ "tile " (look) } aria-current=[shown.then_some("true")]
                    href=(filter.link(|next| { next.status = status.as_str().to_owned(); next.page.clear(); })) {
                    b { (count(status)) } " " (word)
                }
            }
        }
    }
}

pub fn credentials(scene: &Scene<'_>, filter: &Filter, found: &[u32]) -> Markup {
    let (window, page) = filter.window(found.len());
    html! {
        (pager(filter, found.len(), &window, page))
        @if !found.is_empty() {
            table class="credentials" {
                thead { tr {
                    th scope="col" { "Ends" } th scope="col" { "Status" } th scope="col" { "Holder" }
                    th scope="col" { "Kind" } th scope="col" { "Teams" } th scope="col" { "Why" }
                } }
                tbody { @for index in &found[window.clone()] { (credential(scene, &scene.view.verdicts[*index as usize])) } }
            }
        }
        @if found.len() > PER_PAGE { (pager(filter, found.len(), &window, page)) }
    }
}

fn pager(filter: &Filter, count: usize, window: &std::ops::Range<usize>, page: usize) -> Markup {
    let to = |page: usize| filter.link(|next| next.page = page.to_string());
    html! {
        p class="pager" {
            @match (count, filter.is_empty()) {
                (0, true) => "Nothing is known yet.",
                (0, false) => "Nothing matches.",
                _ => { (window.start + 1) "–" (window.end) " of " (count) }
            }
            @if page > 1 { " · " a rel="prev" href=(to(page - 1)) { "previous" } }
            @if window.end < count { " · " a rel="next" href=(to(page + 1)) { "next" } }
        }
    }
}

fn credential(scene: &Scene<'_>, verdict: &Verdict) -> Markup {
    let view = scene.view;
    let credential = verdict.credential(&view.inventory);
    let teams: Vec<&str> = verdict.teams.iter().map(TeamId::as_str).collect();
    html! {
        tr class=(look(verdict)) {
            td data-name="Ends" {
                @match credential.expires_at {
                    Some(end) => {
                        time datetime=(end) { (scene.minute(end)) }
                        small { (days(verdict.days_left.map(i64::from))) }
                    }
                    None => "never",
                }
            }
            td data-name="Status" {
                span class="status" { (verdict.status.as_str().replace('_', " ")) }
                @for condition in &verdict.conditions { " " b { (condition.kind.as_str().replace('_', " ")) } }
            }
            td data-name="Holder" {
                span class="holder" { (credential.holder.name) }
                @if !credential.holder.enabled { small { "may not sign in at present" } }
                @if let Some(app_id) = &credential.holder.app_id { small { code { (app_id) } } }
            }
            td data-name="Kind" {
                (credential.kind.spoken())
                @if !credential.label.is_empty() { small { (credential.label) } }
                small { (credential.source) @if !environment(view, verdict).is_empty() { ", " (environment(view, verdict)) } }
            }
            td data-name="Teams" { @if teams.is_empty() { em { "nobody" } } @else { (teams.join(", ")) } }
            td data-name="Why" {
                @if verdict.code == Code::Due { b { "due: " } }
                (verdict.explain_all(&view.inventory, &view.policy, &scene.calendar))
                small {
                    @match verdict.rule_name(&view.policy) {
                        Some(rule) => { "rule “" (rule) "”" }
                        None => "defaults",
                    }
                    @if let Some(runbook) = &verdict.treatment(&view.policy).runbook { " · " (link_to(runbook)) }
                }
            }
        }
    }
}

/// A link only for the web; anything else is shown as text, so that no script can hide in it.
fn link_to(runbook: &Text) -> Markup {
    let is_web = Url::parse(runbook.as_str()).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    html! {
        @if is_web { a href=(runbook) rel="noreferrer" { "runbook" } } @else { "runbook: " (runbook) }
    }
}

/// How urgent it looks. The words beside it say the same.
fn look(verdict: &Verdict) -> &'static str {
    match verdict.status {
        Status::Expired | Status::Unreachable => "gone",
        Status::Expiring if verdict.days_left.is_some_and(|days| days <= 7) => "soon",
        Status::Expiring => "near",
        Status::Valid => "fine",
        Status::Superseded | Status::NotYetValid | Status::NoExpiry | Status::Ignored => "calm",
    }
}

fn days(left: Option<i64>) -> String {
    match left {
        None => String::new(),
        Some(0) => "today".to_owned(),
        Some(1) => "tomorrow".to_owned(),
        Some(-1) => "yesterday".to_owned(),
        Some(days) if days < 0 => format!("{} days ago", days.unsigned_abs()),
        Some(days) => format!("in {days} days"),
    }
}

pub fn sources(scene: &Scene<'_>) -> Markup {
    let sources = scene.view.inventory.sources();
    html! {
        @if sources.is_empty() { p { "None is configured." } } @else {
            table class="sources" {
                thead { tr {
                    th scope="col" { "Source" } th scope="col" { "State" } th scope="col" { "Last complete read" }
                    th scope="col" { "Credentials" }
                } }
                tbody { @for one in sources { (source(scene, one)) } }
            }
        }
    }
}

fn source(scene: &Scene<'_>, source: &SourceState) -> Markup {
    let view = scene.view;
    let listed = view.verdicts.iter().filter(|one| one.credential(&view.inventory).source == source.name).count();
    let stale = crate::decide::stale_since(source, &view.policy, scene.now).is_some();
    let (look, state) = match (source.is_up(), stale, source.last_attempt) {
        (_, true, _) => ("gone", "stale"),
        (true, ..) => ("fine", "up"),
        (false, _, Some(_)) => ("soon", "down"),
        (false, _, None) => ("calm", "not read yet"),
    };
    html! {
        tr class=(look) {
            td data-name="Source" { (source.name) small { (source.system) } }
            td data-name="State" {
                span class="status" { (state) }
                @if let Some(error) = &source.last_error { small { (error) } }
            }
            td data-name="Last complete read" {
                @match source.last_success {
                    Some(at) => { time datetime=(at) { (scene.minute(at)) } small { (scene.ago(at)) } }
                    None => "never",
                }
            }
            td data-name="Credentials" { (listed) }
        }
    }
}

pub fn outbox(scene: &Scene<'_>, outbox: &Outbox) -> Markup {
    html! {
        @if let Some(why) = &outbox.paused { p class="alarm" { "All mail is paused: " (why) } }
        p {
            (outbox.pending) " waiting"
            @if let Some(oldest) = outbox.oldest { ", the oldest since " (scene.minute(oldest)) }
            @if outbox.rejected > 0 { "; " (outbox.rejected) " given up" }
            "."
        }
        @if !outbox.recent.is_empty() {
            table class="mail" {
                thead { tr {
                    th scope="col" { "Written" } th scope="col" { "State" } th scope="col" { "To" } th scope="col" { "Subject" }
                } }
                tbody { @for one in &outbox.recent { (sent(scene, one)) } }
            }
        }
    }
}

fn sent(scene: &Scene<'_>, sent: &Sent) -> Markup {
    let (look, state) = match sent.state {
        SentState::Delivered => ("fine", "delivered"),
        SentState::Pending => ("near", "waiting"),
        SentState::Rejected => ("gone", "given up"),
    };
    html! {
        tr class=(look) {
            td data-name="Written" { time datetime=(sent.enqueued_at) { (scene.minute(sent.enqueued_at)) } }
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
