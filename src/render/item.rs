//! One notice as its reader gets it: a headline, what it is about, and a list of facts, which text and HTML then lay out.

use super::facts::{Fact, Weight, facts};
use super::wording::{REPLACED, Tone, wording};
use super::{Stationery, page_of, readable, shortened, when};
use crate::domain::{Address, Notice, NoticeKind, Subject, TeamId};
use jiff::Timestamp;

/// The longest "which one", in characters.
const ASIDE: usize = 60;

/// The longest name in an overview, in characters.
const GLANCE: usize = 80;

pub(super) struct Item {
    pub(super) tone: Tone,
    /// `Expires in 7 days`
    pub(super) headline: String,
    /// What it is about: the holder, or the source.
    pub(super) title: String,
    /// Which one of the holder's, in a word or two: the kind and the environment.
    which: Vec<String>,
    /// Why it comes to somebody who is not told as a rule.
    pub(super) escalated: Option<String>,
    /// Those that matter at once, then the others.
    pub(super) facts: Vec<Fact>,
    /// Where the status page tells what was told of it, to whom, and what comes next; for the cards, since it is long.
    pub(super) story: Option<String>,
}

/// A notice, and the recipient's teams to which it is owed.
pub(super) struct Told<'a> {
    pub(super) notice: &'a Notice,
    pub(super) owed_to: Vec<&'a TeamId>,
    pub(super) told: Vec<&'a TeamId>,
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

    /// Whether `team` is told by an escalation alone.
    pub(super) fn is_added(&self, team: &TeamId) -> bool {
        self.notice.escalation.as_ref().is_some_and(|escalation| escalation.teams.contains(team))
    }

    /// For a reader all of whose teams were brought in by it.
    fn escalated(&self, stationery: &Stationery) -> Option<String> {
        let escalation = self.notice.escalation.as_ref()?;
        if !self.owed_to.iter().all(|team| self.is_added(team)) {
            return None;
        }
        let first: Vec<&str> =
            self.told.iter().filter(|team| !self.is_added(team)).map(|team| stationery.team_name(team)).collect();
        let whose = match first.is_empty() {
            true => "Nobody else is told of it.".to_owned(),
            false => format!("It is for {} to do.", first.join(", ")),
        };
        Some(readable(&format!("Escalated to you, from {} on. {whose}", escalation.at)))
    }
}

impl Item {
    pub(super) fn new(stationery: &Stationery, recipient: &Address, told: &Told, now: Timestamp) -> Self {
        let notice = told.notice;
        let (kind, is_replaced) = match &notice.subject {
            Subject::Credential { kind, successor, .. } => (Some(*kind), successor.is_some()),
            Subject::Source { .. } => (None, false),
        };
        let wording = wording(notice.key.kind, kind);
        let advice = if is_replaced && notice.key.kind == NoticeKind::Resolved { REPLACED } else { wording.advice };
        let end = notice.key.expires_at;
        let headline = if end.is_some_and(|end| end < now) { wording.headline_past } else { wording.headline };
        let in_words = notice.due_by.map(|due| when::in_words(when::days_until(due, now, stationery.zone)));
        Self {
            tone: wording.tone,
            headline: headline
                .replace("{when}", in_words.as_deref().unwrap_or(""))
                .replace(" ,", ",")
                .trim()
                .to_owned(),
            title: title(notice),
            which: kind.map(|kind| kind.spoken().to_owned()).into_iter().chain(environment(notice)).collect(),
            escalated: told.escalated(stationery),
            facts: facts(stationery, recipient, told, advice, now),
            story: stationery.public_url.zip(kind).map(|(url, _)| format!("{url}{}", page_of(&notice.key.credential))),
        }
    }

    /// `client secret, prod`; empty for a source. The environment stands in full among the facts.
    pub(super) fn which(&self) -> String {
        shortened(&self.which.join(", "), ASIDE)
    }

    /// ` (client secret, prod)`; empty for a source.
    pub(super) fn aside(&self) -> String {
        if self.which.is_empty() { String::new() } else { format!(" ({})", self.which()) }
    }

    /// What it is about, in little space: `the holder (client secret, prod)`
    pub(super) fn in_short(&self) -> String {
        format!("{}{}", shortened(&self.title, GLANCE), self.aside())
    }

    pub(super) fn of_weight(&self, weight: Weight) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |fact| fact.weight == weight)
    }

    /// Where to click for what to do, if there is anything to do.
    pub(super) fn link(&self) -> Option<&str> {
        if self.tone.is_calm() {
            return None;
        }
        self.facts.iter().find(|fact| fact.is_link).map(|fact| fact.value.as_str())
    }

    /// What a list of messages shows beneath the subject.
    pub(super) fn glimpse(&self) -> String {
        let key = self.of_weight(Weight::Key).take(2).map(|fact| format!("{}: {}", fact.name, fact.value));
        key.collect::<Vec<_>>().join(". ")
    }
}

pub(super) fn title(notice: &Notice) -> String {
    match &notice.subject {
        Subject::Credential { holder, holder_id, .. } if holder.is_empty() => readable(&holder_id.to_string()),
        Subject::Credential { holder, .. } => holder.to_string(),
        Subject::Source { name, .. } => readable(name.as_str()),
    }
}

pub(super) fn environment(notice: &Notice) -> Option<String> {
    notice.environment.as_ref().filter(|name| !name.is_empty()).map(ToString::to_string)
}
