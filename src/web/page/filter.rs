//! What the reader asked to see: a plain form, and links that keep the rest of what was asked.

use super::PER_PAGE;
use crate::decide::{Status, Verdict};
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
    pub kind: String,
    pub status: String,
    pub environment: String,
    /// Counted from 1; what is no number is the first.
    pub page: String,
}

impl Filter {
    /// The indices of the verdicts that match.
    pub fn select(&self, view: &View) -> Vec<u32> {
        let words = self.q.trim().to_lowercase();
        let indices = 0..u32::try_from(view.verdicts.len()).unwrap_or(u32::MAX);
        indices.filter(|index| self.matches(view, &view.verdicts[*index as usize], &words)).collect()
    }

    fn matches(&self, view: &View, verdict: &Verdict, words: &str) -> bool {
        let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        is(&self.kind, verdict.credential(&view.inventory).kind.as_str())
            && is(&self.status, verdict.status.as_str())
            && is(&self.environment, environment(view, verdict))
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

    pub fn is_empty(&self) -> bool {
        [&self.q, &self.team, &self.kind, &self.status, &self.environment].into_iter().all(String::is_empty)
    }

    /// A link to this with `change`.
    pub fn link(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut wanted = self.clone();
        change(&mut wanted);
        let mut query = Serializer::new(String::new());
        let pairs = [
            ("q", &wanted.q),
            ("team", &wanted.team),
            ("kind", &wanted.kind),
            ("status", &wanted.status),
            ("environment", &wanted.environment),
            ("page", &wanted.page),
        ];
        query.extend_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty()));
        match query.finish() {
            query if query.is_empty() => "/".to_owned(),
            query => format!("/?{query}"),
        }
    }

    pub fn form(&self, view: &View) -> Markup {
        let teams = view.policy.teams.keys().map(TeamId::as_str).chain([NOBODY]);
        let kinds: BTreeSet<Kind> = view.verdicts.iter().map(|one| one.credential(&view.inventory).kind).collect();
        let statuses: BTreeSet<Status> = view.verdicts.iter().map(|one| one.status).collect();
        html! {
            form method="get" action="/" role="search" {
                label { "Search " input type="search" name="q" value=(self.q) placeholder="holder, label, id" maxlength="200"; }
                (choice("team", "Team", &self.team, teams))
                (choice("kind", "Kind", &self.kind, kinds.iter().map(|kind| kind.as_str())))
                (choice("status", "Status", &self.status, statuses.iter().map(|status| status.as_str())))
                (choice("environment", "Environment", &self.environment, environments(view).into_iter()))
                button type="submit" { "Show" }
                @if !self.is_empty() { a href="/" { "Show everything" } }
            }
        }
    }
}

fn choice<'a>(name: &str, title: &str, chosen: &str, values: impl Iterator<Item = &'a str>) -> Markup {
    html! {
        label {
            (title) " "
            select name=(name) {
                option value="" { "all" }
                @for value in values {
                    option value=(value) selected[value == chosen] { (value.replace('_', " ")) }
                }
            }
        }
    }
}

fn environments(view: &View) -> BTreeSet<&str> {
    let treatments = view.policy.rules.iter().map(|rule| &rule.treatment).chain([&view.policy.defaults]);
    treatments.filter_map(|treatment| treatment.environment.as_ref()).map(Text::as_str).collect()
}

pub fn environment<'a>(view: &'a View, verdict: &Verdict) -> &'a str {
    verdict.treatment(&view.policy).environment.as_ref().map_or("", Text::as_str)
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
            ("", 501, (0..500, 1)),
            ("2", 501, (500..501, 2)),
            ("0", 501, (0..500, 1)),
            ("99999999999999999999999", 501, (0..500, 1)),
            ("9", 501, (500..501, 2)),
            ("-1", 500, (0..500, 1)),
        ] {
            let filter = Filter { page: page.to_owned(), ..Filter::default() };
            assert_eq!(filter.window(count), window, "{page}");
        }
    }

    #[test]
    fn a_link_keeps_what_was_asked_and_escapes_it() {
        let filter = Filter { q: "a&b=\"c\" ü".to_owned(), ..Filter::default() };
        assert_eq!(filter.link(|next| next.page = "2".to_owned()), "/?q=a%26b%3D%22c%22+%C3%BC&page=2");
        assert_eq!(filter.link(|next| next.q.clear()), "/");
    }
}
