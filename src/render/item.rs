//! One notice as its reader gets it: a headline and a list of facts, which text and HTML then lay out.

use super::wording::{Tone, wording};
use super::{Stationery, readable, when};
use crate::domain::{Address, Notice, NoticeKind, Rotation, Step, Subject, TeamId};
use jiff::Timestamp;
use url::Url;

/// A fact with its name. Those that were not known are left out rather than shown empty.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Whether the value may be clicked: a web address, and nothing else.
    pub(super) is_link: bool,
}

pub(super) struct Item {
    pub(super) tone: Tone,
    /// `Expires in 7 days`
    pub(super) headline: String,
    /// What it is about: the holder, or the source.
    pub(super) title: String,
    /// Which one of the holder's, in a word or two: the kind and the environment.
    which: Vec<String>,
    pub(super) facts: Vec<Fact>,
}

const STALE_MEANS: &str = "Until it answers again, all dates from this source are those of its last complete read, and notices go on by them. What was rotated or made since then is not known here.";

/// A notice, and the recipient's teams to which it is owed.
pub(super) struct Told<'a> {
    notice: &'a Notice,
    owed_to: Vec<&'a TeamId>,
    told: Vec<&'a TeamId>,
}

/// Sorts by urgency and joins what is owed to several teams of one address.
pub(super) fn told_once<'a>(notices: &[&'a Notice]) -> Vec<Told<'a>> {
    let mut sorted = notices.to_vec();
    // Behind the rank: whatever makes the order total, so that the same notices always make the same mail.
    sorted.sort_by_key(|notice| (notice.rank(), &notice.key));
    let mut told: Vec<Told> = Vec::with_capacity(sorted.len());
    for notice in sorted {
        match told.last_mut().filter(|last| is_same_fact(last.notice, notice)) {
            Some(last) => last.join(notice),
            None => told.push(Told { notice, owed_to: vec![&notice.key.team], told: notice.told.iter().collect() }),
        }
    }
    told
}

fn is_same_fact(a: &Notice, b: &Notice) -> bool {
    (a.rank(), a.key.step) == (b.rank(), b.key.step)
}

impl<'a> Told<'a> {
    fn join(&mut self, notice: &'a Notice) {
        let unknown = |known: &[&TeamId], team: &&TeamId| !known.contains(team);
        let told: Vec<_> = notice.told.iter().filter(|team| unknown(&self.told, team)).collect();
        self.told.extend(told);
        if unknown(&self.owed_to, &&notice.key.team) {
            self.owed_to.push(&notice.key.team);
        }
    }
}

impl Item {
    pub(super) fn new(stationery: &Stationery, recipient: &Address, told: &Told, now: Timestamp) -> Self {
        let notice = told.notice;
        let kind = match &notice.subject {
            Subject::Credential { kind, .. } => Some(*kind),
            Subject::Source { .. } => None,
        };
        let wording = wording(notice.key.kind, kind);
        let end = notice.key.expires_at;
        let headline = if end.is_some_and(|end| end < now) { wording.headline_past } else { wording.headline };
        let in_words = notice.due_by.map(|due| when::in_words(when::days_until(due, now, stationery.zone)));
        let mut facts = Facts::default();
        facts.of_subject(notice, stationery, now);
        facts.of_decision(notice, wording.advice);
        facts.of_teams(told, stationery, recipient);
        Self {
            tone: wording.tone,
            headline: headline
                .replace("{when}", in_words.as_deref().unwrap_or(""))
                .replace(" ,", ",")
                .trim()
                .to_owned(),
            title: title(notice),
            which: kind.map(|kind| kind.spoken().to_owned()).into_iter().chain(environment(notice)).collect(),
            facts: facts.0,
        }
    }

    /// ` (client secret, prod)`; empty for a source.
    pub(super) fn aside(&self) -> String {
        if self.which.is_empty() { String::new() } else { format!(" ({})", self.which.join(", ")) }
    }

    /// All of it in one line, for the long tail of a very long digest.
    pub(super) fn line(&self) -> String {
        let fact = |name| self.facts.iter().find(|fact| fact.name == name).map(|fact| format!(", {}", fact.value));
        let more: String = ["Label", "Ends", "Ended", "Credential id"].into_iter().filter_map(fact).collect();
        format!("{}: {}{}{more}", self.headline, self.title, self.aside())
    }
}

/// Whether a runbook for this credential is about this very thing, and says it better than our own advice.
fn is_routine(kind: NoticeKind) -> bool {
    matches!(kind, NoticeKind::Expired | NoticeKind::Expiring | NoticeKind::RotationDue)
}

fn title(notice: &Notice) -> String {
    match &notice.subject {
        Subject::Credential { holder, holder_id, .. } if holder.is_empty() => readable(&holder_id.to_string()),
        Subject::Credential { holder, .. } => holder.to_string(),
        Subject::Source { name, .. } => readable(name.as_str()),
    }
}

fn environment(notice: &Notice) -> Option<String> {
    notice.environment.as_ref().filter(|name| !name.is_empty()).map(ToString::to_string)
}

#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    fn add(&mut self, name: &'static str, value: impl ToString) {
        self.0.push(Fact { name, value: readable(&value.to_string()), is_link: false });
    }

    fn of_subject(&mut self, notice: &Notice, stationery: &Stationery, now: Timestamp) {
        match &notice.subject {
            Subject::Credential { kind, app_id, label, holder_enabled, successor, rotation, .. } => {
                self.add("Holder", title(notice));
                self.add("Label", if label.is_empty() { "(none)" } else { label.as_str() });
                self.add("Kind", kind.spoken());
                if let Some(environment) = environment(notice) {
                    self.add("Environment", environment);
                }
                if let Some(app_id) = app_id {
                    self.add("Application id", app_id);
                }
                self.add("Credential id", &notice.key.credential);
                self.of_end(notice.key.expires_at, stationery, now);
                if !holder_enabled {
                    self.add("Sign-in", "disabled for this holder at present; the credential runs out all the same");
                }
                if let Some((label, end)) = successor {
                    self.add("Successor", successor_in_words(label.as_str(), *end, stationery));
                }
                if let Some(rotation) = rotation {
                    self.add("Rotation", rotation_in_words(rotation, stationery));
                }
            }
            Subject::Source { name, system, last_success, last_error } => {
                self.add("Source", format!("{name} (type {system})"));
                self.add("Credential id", &notice.key.credential);
                let said = |at| format!("{} = {}", when::local(at, stationery.zone), when::utc(at));
                self.add("Last complete read", last_success.map_or("never".to_owned(), said));
                if let Some(error) = last_error {
                    self.add("Last error", error);
                }
                if notice.key.kind == NoticeKind::SourceStale {
                    self.add("What it means", STALE_MEANS);
                }
            }
        }
    }

    fn of_end(&mut self, end: Option<Timestamp>, stationery: &Stationery, now: Timestamp) {
        let Some(end) = end else { return self.add("Ends", "never") };
        let days = when::days_until(end, now, stationery.zone);
        let (local, utc) = if end < now { ("Ended", "Ended (UTC)") } else { ("Ends", "Ends (UTC)") };
        self.add(local, when::local(end, stationery.zone));
        self.add(utc, when::utc(end));
        self.add("Days left", format!("{days} ({})", when::in_words(days)));
    }

    fn of_decision(&mut self, notice: &Notice, advice: &str) {
        self.add("Why", &notice.reason);
        let rule = notice.rule.as_ref().map_or("[defaults]".to_owned(), |rule| format!("“{rule}”"));
        self.add(
            "Rule",
            match notice.key.step {
                Step::Resolved => rule,
                step => format!("{rule}, threshold {step}"),
            },
        );
        let Some(runbook) = notice.runbook.as_ref().filter(|runbook| !runbook.is_empty()) else {
            return self.add("What to do", advice);
        };
        self.add("What to do", if is_routine(notice.key.kind) { "follow the runbook" } else { advice });
        let is_link = is_web_address(runbook.as_str());
        self.0.push(Fact { name: "Runbook", value: readable(runbook.as_str()), is_link });
    }

    fn of_teams(&mut self, told: &Told, stationery: &Stationery, recipient: &Address) {
        let is_own = |team: &TeamId| {
            told.owed_to.contains(&team)
                || stationery.teams.get(team).is_some_and(|team| team.addresses.contains(recipient))
        };
        let names = |teams: Vec<&TeamId>| {
            teams.into_iter().map(|team| stationery.team_name(team)).collect::<Vec<_>>().join(", ")
        };
        let others: Vec<&TeamId> = told.told.iter().copied().filter(|team| !is_own(team)).collect();
        self.add("Sent to", names(told.owed_to.clone()));
        self.add("Also told", if others.is_empty() { "nobody else".to_owned() } else { names(others) });
    }
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
