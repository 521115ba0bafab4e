//! What a mail says about a notice, fact by fact: first what matters at once, then everything else that one may want to look up.

use super::item::{Told, environment};
use super::wording::steps;
use super::{Stationery, readable, shortened, when};
use crate::domain::{Address, Notice, NoticeKind, Rotation, Step, Subject, TeamId};
use jiff::Timestamp;
use url::Url;

/// The longest value, in characters: a list of all of somebody's teams is cut before it fills the mail.
const LONGEST: usize = 1_000;

/// Whether a fact is read at once, or looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Key,
    More,
}

/// A fact with its name. Those that were not known are left out rather than shown empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Whether the value may be clicked: a web address, and nothing else.
    pub(super) is_link: bool,
    pub(super) weight: Weight,
    /// Whether it is a sentence, which may be broken into lines; an identifier or a name may not.
    pub(super) is_prose: bool,
}

impl Fact {
    /// The lines that it is worth: one for each step of an advice.
    pub(super) fn lines(&self) -> Vec<&str> {
        if self.is_prose { steps(&self.value) } else { vec![&self.value] }
    }
}

const STALE_MEANS: &str = "Until it answers again, all dates from this source are those of its last complete read, and notices go on by them. What was rotated or made since then is not known here.";

/// All that is known of a notice, the key facts first.
pub(super) fn facts(
    stationery: &Stationery,
    recipient: &Address,
    told: &Told,
    advice: &str,
    now: Timestamp,
) -> Vec<Fact> {
    let notice = told.notice;
    let mut facts = Facts { list: Vec::with_capacity(16), weight: Weight::Key };
    facts.of_subject(notice, stationery, now);
    if tells_what_is_wrong(notice.key.kind) {
        facts.prose("Why", &notice.reason);
    }
    facts.prose("What to do", advice);
    facts.weight = Weight::More;
    facts.of_runbook(notice);
    facts.of_identity(notice, stationery, now);
    if !tells_what_is_wrong(notice.key.kind) {
        facts.prose("Why", &notice.reason);
    }
    facts.of_rule(notice);
    facts.of_teams(told, stationery, recipient);
    facts.list
}

/// Whether the reason is the news itself, rather than which threshold was crossed.
fn tells_what_is_wrong(kind: NoticeKind) -> bool {
    use NoticeKind as N;
    matches!(
        kind,
        N::StillInUse | N::Untrusted | N::NotDeployed | N::DateMismatch | N::Unreachable | N::SourceStale | N::Resolved
    )
}

struct Facts {
    list: Vec<Fact>,
    /// Of what is added next.
    weight: Weight,
}

impl Facts {
    fn add(&mut self, name: &'static str, value: impl ToString) {
        let value = shortened(&readable(&value.to_string()), LONGEST);
        self.list.push(Fact { name, value, is_link: false, weight: self.weight, is_prose: false });
    }

    fn prose(&mut self, name: &'static str, value: impl ToString) {
        self.add(name, value);
        self.list.last_mut().into_iter().for_each(|fact| fact.is_prose = true);
    }

    /// What one wants to know at once.
    fn of_subject(&mut self, notice: &Notice, stationery: &Stationery, now: Timestamp) {
        match &notice.subject {
            Subject::Credential { label, holder_enabled, successor, .. } => {
                if let Some(due) = notice.due_by.filter(|_| notice.key.kind == NoticeKind::RotationDue) {
                    self.add("Replace by", when::local(due, stationery.zone));
                }
                match notice.key.expires_at {
                    Some(end) => self.add(ends(end, now), when::local(end, stationery.zone)),
                    // What cannot be reached and has no end was never read.
                    None if notice.key.kind == NoticeKind::Unreachable => self.add("Ends", "not known"),
                    None => self.add("Ends", "never"),
                }
                self.add("Label", if label.is_empty() { "(none)" } else { label.as_str() });
                if let Some(environment) = environment(notice) {
                    self.add("Environment", environment);
                }
                if !holder_enabled {
                    self.prose("Sign-in", "disabled for this holder at present; the credential runs out all the same");
                }
                if let Some((label, end)) = successor {
                    self.prose("Successor", successor_in_words(label.as_str(), *end, stationery));
                }
            }
            Subject::Source { name, system, last_success, last_error } => {
                self.add("Source", format!("{name} (type {system})"));
                let said = |at| format!("{} = {}", when::local(at, stationery.zone), when::utc(at));
                self.prose("Last complete read", last_success.map_or("never".to_owned(), said));
                if let Some(error) = last_error {
                    self.prose("Last error", error);
                }
                if notice.key.kind == NoticeKind::SourceStale {
                    self.prose("What it means", STALE_MEANS);
                }
            }
        }
    }

    /// What one looks up.
    fn of_identity(&mut self, notice: &Notice, stationery: &Stationery, now: Timestamp) {
        let Subject::Credential { kind, app_id, rotation, .. } = &notice.subject else {
            return self.add("Credential id", &notice.key.credential);
        };
        self.add("Kind", kind.spoken());
        if let Some(app_id) = app_id {
            self.add("Application id", app_id);
        }
        self.add("Credential id", &notice.key.credential);
        if let Some(end) = notice.key.expires_at {
            let days = when::days_until(end, now, stationery.zone);
            self.add(if end < now { "Ended (UTC)" } else { "Ends (UTC)" }, when::utc(end));
            self.add("Days left", format!("{days} ({})", when::in_words(days)));
        }
        if let Some(rotation) = rotation {
            self.prose("Rotation", rotation_in_words(rotation, stationery));
        }
    }

    fn of_rule(&mut self, notice: &Notice) {
        let rule = notice.rule.as_ref().map_or("[defaults]".to_owned(), ToString::to_string);
        let threshold = match notice.key.step {
            Step::Resolved => String::new(),
            step => format!(" (threshold {step})"),
        };
        self.add("Rule", format!("{rule}{threshold}"));
    }

    fn of_runbook(&mut self, notice: &Notice) {
        if let Some(runbook) = notice.runbook.as_ref().filter(|runbook| !runbook.is_empty()) {
            self.add("Runbook", runbook);
            let is_link = is_web_address(runbook.as_str());
            self.list.last_mut().into_iter().for_each(|fact| fact.is_link = is_link);
        }
    }

    fn of_teams(&mut self, told: &Told, stationery: &Stationery, recipient: &Address) {
        let is_own = |team: &TeamId| {
            told.owed_to.contains(&team)
                || stationery.teams.get(team).is_some_and(|team| team.addresses.contains(recipient))
        };
        let name = |team: &TeamId| match told.is_added(team) {
            true => format!("{} (by escalation)", stationery.team_name(team)),
            false => stationery.team_name(team).to_owned(),
        };
        let names = |teams: &[&TeamId]| teams.iter().map(|team| name(team)).collect::<Vec<_>>().join(", ");
        let others: Vec<&TeamId> = told.told.iter().copied().filter(|team| !is_own(team)).collect();
        self.prose("Sent to", names(&told.owed_to));
        self.prose("Also told", if others.is_empty() { "nobody else".to_owned() } else { names(&others) });
    }
}

fn ends(end: Timestamp, now: Timestamp) -> &'static str {
    if end < now { "Ended" } else { "Ends" }
}

fn successor_in_words(label: &str, end: Option<Timestamp>, stationery: &Stationery) -> String {
    let label = if label.is_empty() { "(no label)" } else { label };
    match end {
        Some(end) => format!("{label}, ends {} = {}", when::local(end, stationery.zone), when::utc(end)),
        None => format!("{label}, never ends"),
    }
}

fn rotation_in_words(rotation: &Rotation, stationery: &Stationery) -> String {
    let since = rotation.since.map(|since| format!(" since {}", when::day(since, stationery.zone))).unwrap_or_default();
    format!("{}{since}: {}", rotation.state.replace('_', " "), rotation.why)
}

/// Whether it may become a link: what a browser would open as a page, nothing that runs.
pub(super) fn is_web_address(written: &str) -> bool {
    Url::parse(written).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
