//! What the reader asked to see: a plain form, and links that keep the rest of what was asked.

use super::PER_PAGE;
use super::attention::calls;
use super::horizon::Horizon;
use super::scene::{environment, grouped, holder_of, spoken};
use crate::decide::{State, Status, Verdict};
use crate::domain::{Kind, TeamId, Text};
use crate::observe::View;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeSet;
use url::form_urlencoded::Serializer;

/// The value of `team` that stands for what nobody owns; no team's key has brackets in it.
const NOBODY: &str = "(nobody)";

/// The query of the page; what is empty asks for everything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    pub q: String,
    pub team: String,
    pub environment: String,
    pub kind: String,
    pub status: String,
    pub rotation: String,
    pub source: String,
    /// A [`Horizon`].
    pub ends: String,
    /// Not empty: only what calls for somebody.
    pub attention: String,
    /// Counted from 1; what is no number is the first.
    pub page: String,
}

impl Filter {
    /// The indices of the verdicts that match.
    pub fn select(&self, view: &View) -> Vec<u32> {
        // As names are kept: what was copied from a portal, marks that nobody sees and all, finds what is listed here.
        let words = Text::clean(&self.q).as_str().to_lowercase();
        let indices = 0..u32::try_from(view.verdicts.len()).unwrap_or(u32::MAX);
        indices.filter(|index| self.matches(view, *index as usize, &words)).collect()
    }

    fn matches(&self, view: &View, at: usize, words: &str) -> bool {
        let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        let verdict = &view.verdicts[at];
        let credential = verdict.credential(&view.inventory);
        is(&self.kind, credential.kind.as_str())
            && is(&self.source, credential.source.as_str())
            && is(&self.status, verdict.status.as_str())
            && is(&self.environment, environment(view, verdict))
            && is(&self.ends, Horizon::of(verdict).map_or("", Horizon::as_str))
            && (self.rotation.is_empty()
                || holder_of(view, at).is_some_and(|holder| holder.state.as_str() == self.rotation))
            && (self.attention.is_empty() || calls(view, at))
            && self.is_teams(verdict)
            && (words.is_empty() || says(view, verdict, words))
    }

    fn is_teams(&self, verdict: &Verdict) -> bool {
        match self.team.as_str() {
            "" => true,
            NOBODY => verdict.teams.is_empty(),
            wanted => verdict.teams.iter().any(|team| team.as_str() == wanted),
        }
    }

    /// The first and the last shown of `count`, and the page's number.
    pub fn window(&self, count: usize) -> (std::ops::Range<usize>, usize) {
        let pages = count.div_ceil(PER_PAGE).max(1);
        let page = self.page.parse().unwrap_or(1_usize).clamp(1, pages);
        let start = (page - 1) * PER_PAGE;
        (start..count.min(start + PER_PAGE), page)
    }

    fn pairs(&self) -> [(&'static str, &String); 10] {
        [
            ("q", &self.q),
            ("team", &self.team),
            ("environment", &self.environment),
            ("kind", &self.kind),
            ("status", &self.status),
            ("rotation", &self.rotation),
            ("source", &self.source),
            ("ends", &self.ends),
            ("attention", &self.attention),
            ("page", &self.page),
        ]
    }

    /// Whether everything was asked for.
    pub fn is_empty(&self) -> bool {
        self.pairs().into_iter().all(|(name, value)| name == "page" || value.is_empty())
    }

    /// A link to this with `change`, on its first page unless the change says otherwise, at the section `anchor`.
    pub fn link(&self, anchor: &str, change: impl FnOnce(&mut Self)) -> String {
        let mut wanted = Self { page: String::new(), ..self.clone() };
        change(&mut wanted);
        let mut query = Serializer::new(String::new());
        query.extend_pairs(wanted.pairs().into_iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        let anchor = if anchor.is_empty() { String::new() } else { format!("#{anchor}") };
        if query.is_empty() { format!("/{anchor}") } else { format!("/?{query}{anchor}") }
    }

    pub fn form(&self, view: &View, found: usize) -> Markup {
        let teams = view.policy.teams.keys().map(TeamId::as_str).chain([NOBODY]);
        let kinds: BTreeSet<Kind> = view.verdicts.iter().map(|one| one.credential(&view.inventory).kind).collect();
        let statuses: BTreeSet<Status> = view.verdicts.iter().map(|one| one.status).collect();
        let states: BTreeSet<State> = view.holders.iter().map(|holder| holder.state).collect();
        let sources = view.inventory.sources().iter().map(|source| source.name.as_str());
        let finer = [&self.kind, &self.status, &self.rotation, &self.source].map(String::as_str).concat();
        html! {
            form id="filter" method="get" action="/" role="search" aria-label="Choose what to see" {
                label class="wide" for="q" {
                    "Search"
                    input id="q" type="search" name="q" value=(self.q) placeholder="name, label or id" maxlength="200";
                }
                (choice("team", "Team", &self.team, teams))
                (choice("environment", "Environment", &self.environment, environments(view).into_iter()))
                button type="submit" { "Show" }
                details id="filter-more" open[!finer.is_empty()] {
                    summary { "Kind, status, rotation, source" }
                    div {
                        (choice("kind", "Kind", &self.kind, kinds.iter().map(|kind| kind.as_str())))
                        (choice("status", "Status", &self.status, statuses.iter().map(|status| status.as_str())))
                        (choice("rotation", "Rotation", &self.rotation, states.iter().rev().map(|state| state.as_str())))
                        (choice("source", "Source", &self.source, sources))
                    }
                }
                @if !self.ends.is_empty() { input type="hidden" name="ends" value=(self.ends); }
                @if !self.attention.is_empty() { input type="hidden" name="attention" value=(self.attention); }
            }
            @if !self.is_empty() { (self.asked(found)) }
        }
    }

    /// What was asked, each part of it a link to the page without that part.
    fn asked(&self, found: usize) -> Markup {
        let asked = self.pairs().into_iter().filter(|(name, value)| *name != "page" && !value.is_empty());
        html! {
            p class="asked" {
                strong { (grouped(found)) @if found == 1 { " match" } @else { " matches" } } " for "
                @for (name, value) in asked {
                    a class="part" href=(self.link("", |next| next.forget(name))) {
                        (name) ": " bdi { (spoken(value)) } span class="away" aria-hidden="true" { " ×" }
                        span class="unseen" { ", take away" }
                    }
                    " "
                }
                a class="part" href="/" { "show everything" }
            }
        }
    }

    fn forget(&mut self, name: &str) {
        match name {
            "q" => self.q.clear(),
            "team" => self.team.clear(),
            "environment" => self.environment.clear(),
            "kind" => self.kind.clear(),
            "status" => self.status.clear(),
            "rotation" => self.rotation.clear(),
            "source" => self.source.clear(),
            "ends" => self.ends.clear(),
            _ => self.attention.clear(),
        }
    }
}

fn choice<'a>(name: &str, title: &str, chosen: &str, values: impl Iterator<Item = &'a str>) -> Markup {
    html! {
        label for={ "by-" (name) } {
            (title)
            select id={ "by-" (name) } name=(name) {
                option value="" { "all" }
                @for value in values {
                    option value=(value) selected[value == chosen] { (spoken(value)) }
                }
            }
        }
    }
}

fn environments(view: &View) -> BTreeSet<&str> {
    let treatments = view.policy.rules.iter().map(|rule| &rule.treatment).chain([&view.policy.defaults]);
    treatments.filter_map(|treatment| treatment.environment.as_ref()).map(Text::as_str).collect()
}

/// Whether `words`, in lower case, stand in its holder, label, application id, id or rule.
fn says(view: &View, verdict: &Verdict, words: &str) -> bool {
    let credential = verdict.credential(&view.inventory);
    let has = |text: &str| text.to_lowercase().contains(words);
    has(credential.holder.name.as_str())
        || has(credential.label.as_str())
        || credential.holder.app_id.as_ref().is_some_and(|app_id| has(&app_id.to_string()))
        || has(&credential.id.to_string())
        || verdict.rule_name(&view.policy).is_some_and(|rule| has(rule.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::small_place;

    #[test]
    fn a_filter_finds_what_matches_all_that_was_asked() {
        let view = small_place();
        let filter = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.select(&view).len()
        };
        assert_eq!(filter(|_| ()), 6);
        assert_eq!(filter(|filter| filter.q = " PEXIP ".to_owned()), 2);
        assert_eq!(filter(|filter| filter.q = "\u{202E}PE\u{200B}XIP\r\n".to_owned()), 2);
        assert_eq!(filter(|filter| filter.q = "33758b54".to_owned()), 6);
        assert_eq!(filter(|filter| filter.team = "idim".to_owned()), 2);
        assert_eq!(filter(|filter| filter.team = NOBODY.to_owned()), 0);
        assert_eq!(filter(|filter| filter.status = "superseded".to_owned()), 1);
        assert_eq!(filter(|filter| filter.environment = "prod".to_owned()), 2);
        assert_eq!(filter(|filter| filter.kind = "saml_signing_certificate".to_owned()), 0);
        let both = |filter: &mut Filter| (filter.team, filter.status) = ("idim".to_owned(), "expiring".to_owned());
        assert_eq!(filter(both), 1);
    }

    #[test]
    fn a_page_that_is_not_there_is_the_nearest_one() {
        for (page, count, window) in [
            ("", 0, (0..0, 1)),
            ("", 101, (0..100, 1)),
            ("2", 101, (100..101, 2)),
            ("0", 101, (0..100, 1)),
            ("99999999999999999999999", 101, (0..100, 1)),
            ("9", 101, (100..101, 2)),
            ("-1", 100, (0..100, 1)),
        ] {
            let filter = Filter { page: page.to_owned(), ..Filter::default() };
            assert_eq!(filter.window(count), window, "{page}");
        }
    }

    #[test]
    fn a_link_keeps_what_was_asked_and_escapes_it() {
        let filter = Filter { q: "a&b=\"c\" ü".to_owned(), ..Filter::default() };
        assert_eq!(filter.link("", |next| next.page = "2".to_owned()), "/?q=a%26b%3D%22c%22+%C3%BC&page=2");
        assert_eq!(filter.link("", |next| next.q.clear()), "/");
        assert_eq!(filter.link("all", |next| next.q = "x".to_owned()), "/?q=x#all");
    }
}
