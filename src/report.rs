//! What `check` and `forecast` print, and what the web shows of it: the inventory, why each credential is or is not due, and what
//! will be told of it.
//!
//! Pure: a [`View`] in, text out. Decides nothing; every status, verdict and sentence in it was decided before. Refuses to know
//! who asks, and where the text goes.

mod forecast;
mod json;
mod lifetimes;
mod table;
#[cfg(test)]
pub(crate) mod testing;

pub use forecast::{ForecastReport, calendar as forecast_calendar, table as forecast_table};
pub use json::{PIECE, Report, pieces};
pub use table::{count_of, table};

use crate::decide::{Code, Status, Verdict};
use crate::domain::Text;
use crate::observe::View;
use std::collections::BTreeMap;

/// The verdicts' indices in order of expiry: the soonest end first, what never ends last, then by id.
#[must_use]
pub fn order_of_expiry(view: &View) -> Vec<u32> {
    let indices = 0..u32::try_from(view.verdicts.len()).unwrap_or(u32::MAX);
    sorted_by_expiry(view, indices.collect())
}

/// Those of `indices` (into the verdicts) in order of expiry.
#[must_use]
pub fn sorted_by_expiry(view: &View, indices: Vec<u32>) -> Vec<u32> {
    let end = |index: u32| view.verdicts[index as usize].credential(&view.inventory).expires_at;
    // The ends stand beside the indices, so that sorting a hundred thousand does not chase two hundred thousand pointers.
    let mut keyed: Vec<_> = indices.into_iter().map(|index| (end(index).is_none(), end(index), index)).collect();
    keyed.sort_unstable_by(|a, b| {
        let id = |index: u32| &view.verdicts[index as usize].credential(&view.inventory).id;
        (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| id(a.2).cmp(id(b.2)))
    });
    keyed.into_iter().map(|(.., index)| index).collect()
}

/// The names of the rules that match no credential: each is a typo, or a wish about something that is not there. One whose
/// credentials are all decided by earlier rules does match.
#[must_use]
pub fn unmatched_rules(view: &View) -> Vec<&Text> {
    let present = || view.verdicts.iter().map(|verdict| verdict.credential(&view.inventory));
    let unmatched = view.policy.rules.iter().filter(|rule| !present().any(|one| rule.matching.matches(one)));
    unmatched.map(|rule| &rule.name).collect()
}

/// `team:` tags that name no team, each once with the first holder that has it: whoever wrote it believes that somebody is told.
#[must_use]
pub fn unknown_tags(view: &View) -> BTreeMap<&str, &Text> {
    let mut unknown = BTreeMap::new();
    for verdict in &view.verdicts {
        let holder = &verdict.credential(&view.inventory).holder;
        for tag in holder.team_tags.iter().filter(|tag| view.policy.team_of_tag(tag).is_none()) {
            unknown.entry(&**tag).or_insert(&holder.name);
        }
    }
    unknown
}

/// How many verdicts and conditions are due: what `--fail-on due` asks.
#[must_use]
pub fn count_due(view: &View) -> usize {
    let due = |verdict: &Verdict| {
        usize::from(verdict.code == Code::Due) + verdict.conditions.iter().filter(|condition| condition.due).count()
    };
    view.verdicts.iter().map(due).sum()
}

/// How many have the status `expired`, told or not: what `--fail-on expired` asks. A superseded or ignored one has another status.
#[must_use]
pub fn count_expired(view: &View) -> usize {
    view.verdicts.iter().filter(|verdict| verdict.status == Status::Expired).count()
}

#[cfg(test)]
mod tests {
    use super::testing::{Case, rule_for, view};
    use super::*;

    #[test]
    fn the_soonest_end_comes_first_what_never_ends_last_and_equal_ends_by_id() {
        let view = view(&[
            Case::new("c", "z", Some("2027-01-01T00:00:00Z")),
            Case::new("a", "n", None),
            Case::new("b", "y", Some("2027-01-01T00:00:00Z")),
            Case::new("d", "x", Some("2026-12-01T00:00:00Z")),
        ]);
        let ids = order_of_expiry(&view);
        let ids: Vec<String> =
            ids.iter().map(|index| view.verdicts[*index as usize].credential(&view.inventory).id.to_string()).collect();
        assert_eq!(
            ids,
            ["entra:application:d:x", "entra:application:b:y", "entra:application:c:z", "entra:application:a:n"]
        );
    }

    #[test]
    fn a_rule_without_a_credential_is_named_and_a_shadowed_one_is_not() {
        let cases = [Case::new("a", "1", Some("2027-01-01T00:00:00Z"))];
        let view = testing::view_with(&cases, |policy| {
            policy.rules = vec![rule_for("all", "*"), rule_for("shadowed", "holder a"), rule_for("typo", "holder b")];
        });
        let unmatched: Vec<&str> = unmatched_rules(&view).iter().map(|name| name.as_str()).collect();
        assert_eq!(unmatched, ["typo"]);
    }

    #[test]
    fn a_tag_that_names_no_team_is_named_with_its_holder() {
        let tagged = Case { tags: &["ccaas", "cccaas"], ..Case::new("a", "1", Some("2027-01-01T00:00:00Z")) };
        let view = view(&[tagged]);
        let unknown: Vec<_> = unknown_tags(&view).into_iter().map(|(tag, holder)| (tag, holder.as_str())).collect();
        assert_eq!(unknown, [("cccaas", "holder a")]);
    }

    #[test]
    fn what_is_due_and_what_is_expired_is_counted() {
        let view = view(&[
            Case::new("a", "1", Some("2026-11-20T00:00:00Z")),
            Case::new("b", "1", Some("2026-11-24T00:00:00Z")),
            Case::new("c", "1", Some("2025-01-01T00:00:00Z")),
            Case::new("d", "1", Some("2028-01-01T00:00:00Z")),
        ]);
        assert_eq!((count_due(&view), count_expired(&view)), (2, 2));
    }
}
