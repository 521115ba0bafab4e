//! What a summary says: all that a team owns, how it stands, what changed, how the watch itself is; so that silence is never
//! mistaken for safety. And the test letter.

mod layout;

use super::wording::Tone;
use super::{LARGEST, Letter, Stationery, compose, largest, readable, shortened, when};
use crate::domain::{Address, Kind, NoticeKind, SourceName, Step, Team, Text};
use jiff::Timestamp;
use layout::{Page, Section, lay_out};

/// So many rows a list has at most; what ends last is counted.
const ROWS: usize = 300;

/// So many changes of one sort are named.
const CHANGES: usize = 20;

/// Names are cut to this in a summary; the notices and the status page have them in full.
const NAME: usize = 100;

/// A credential in a summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryItem {
    pub holder: Text,
    pub label: Text,
    pub kind: Kind,
    pub environment: Option<Text>,
    /// `None`: it never expires.
    pub expires_at: Option<Timestamp>,
    /// Calendar days to the day of the end.
    pub days_left: Option<i64>,
    /// `valid`, `expiring`, `expired`...
    pub status: &'static str,
    /// What is wrong beside its dates.
    pub conditions: Vec<NoticeKind>,
}

/// A source in a summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummarySource {
    pub name: SourceName,
    /// Its `type`.
    pub system: &'static str,
    pub last_success: Option<Timestamp>,
    /// Why the last attempt failed; `None` after a success.
    pub last_error: Option<Text>,
}

/// A holder whose rotation calls for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryHolder {
    pub holder: Text,
    pub kind: Kind,
    /// As the API spells it, such as `old_in_use`.
    pub state: &'static str,
    pub since: Option<Timestamp>,
    /// A sentence.
    pub why: String,
}

/// What happened to a credential since the last summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub at: Timestamp,
    pub what: What,
    /// Of the holder or source.
    pub name: Text,
    pub label: Text,
}

/// In the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Nothing was known before.
    Began,
    New,
    /// A successor was seen that covers it.
    Superseded,
    /// A complete read of its source lacked it.
    Gone,
    Told(NoticeKind, Step),
    Resolved,
}

/// Everything that a summary for one address is made of.
#[derive(Clone, Debug, Default)]
pub struct Summary<'a> {
    pub owned: &'a [SummaryItem],
    pub unowned: &'a [SummaryItem],
    pub holders: &'a [SummaryHolder],
    pub changes: &'a [Change],
    /// Since when changes are told.
    pub since: Timestamp,
    pub sources: &'a [SummarySource],
}

/// Everything that a recipient's teams own, in order of expiry; what changed; what nobody owns; the health of the sources.
#[must_use]
pub fn summary(stationery: &Stationery, recipient: &Address, summary: &Summary<'_>, now: Timestamp) -> Letter {
    let health = Health::of(summary);
    let room = LARGEST.saturating_sub(compose::head_weight(&[]));
    let attempt = |rows: usize| {
        let page = Page {
            subject: health.subject(summary),
            intro: intro(stationery, recipient),
            word: health.in_words(summary),
            tone: health.tone(summary),
            sections: sections(stationery, summary, rows, now),
            footer: stationery.footer(now),
        };
        lay_out(page)
    };
    largest(ROWS, |rows| Some(attempt(rows)).filter(|letter| compose::weight(letter) <= room))
        .unwrap_or_else(|| attempt(0))
}

fn intro(stationery: &Stationery, recipient: &Address) -> String {
    let teams = stationery.teams.values().filter(|team| team.addresses.contains(recipient));
    let names: Vec<&str> = teams.map(|team| team.name.as_str()).collect();
    let whom = if names.is_empty() { String::new() } else { format!(" for {}", shortened(&names.join(", "), 300)) };
    format!("All that is watched{whom}, in order of expiry. What needs doing comes as a notice of its own.")
}

/// How things stand, in numbers.
struct Health {
    expired: usize,
    /// Inside their widest threshold.
    expiring: usize,
    /// Wrong beside their dates, or out of reach.
    troubled: usize,
    /// Their last attempt failed, or they were never read.
    failing: usize,
}

impl Health {
    fn of(summary: &Summary<'_>) -> Self {
        let of_status = |status: &str| summary.owned.iter().filter(|item| item.status == status).count();
        let is_troubled = |item: &&SummaryItem| !item.conditions.is_empty() || item.status == "unreachable";
        Self {
            expired: of_status("expired"),
            expiring: of_status("expiring"),
            troubled: summary.owned.iter().filter(is_troubled).count(),
            failing: summary.sources.iter().filter(|source| source.is_failing()).count(),
        }
    }

    fn is_well(&self, summary: &Summary<'_>) -> bool {
        let wrong = self.expired + self.expiring + self.troubled + self.failing + summary.holders.len();
        wrong == 0 && summary.unowned.is_empty() && !summary.owned.is_empty() && !summary.sources.is_empty()
    }

    fn tone(&self, summary: &Summary<'_>) -> Tone {
        match self.is_well(summary) {
            true => Tone::Calm,
            false if self.expired > 0 => Tone::Alarm,
            false => Tone::Task,
        }
    }

    fn subject(&self, summary: &Summary<'_>) -> String {
        let mut parts = vec![counted(summary.owned.len(), "credential")];
        parts.extend((self.expired > 0).then(|| format!("{} expired", self.expired)));
        parts.extend(self.is_well(summary).then(|| "all is well".to_owned()));
        let soonest = next_end(summary).and_then(|item| item.days_left);
        parts.extend(soonest.map(|days| format!("the next ends {}", when::in_words(days))));
        parts.extend((self.failing > 0).then(|| format!("{} not read", counted(self.failing, "source"))));
        parts.extend((!summary.unowned.is_empty()).then(|| format!("{} unowned", summary.unowned.len())));
        format!("Summary: {}", parts.join(", "))
    }

    /// The first sentence: whether one may close the mail.
    fn in_words(&self, summary: &Summary<'_>) -> String {
        let next = next_end(summary).map_or("nothing of it ends at all".to_owned(), |item| {
            let name = shortened(item.holder.as_str(), NAME);
            format!("the next to end is {name}, {}", when::in_words(item.days_left.unwrap_or_default()))
        });
        if self.is_well(summary) {
            return format!("All is well: nothing needs you, every source was read, and {next}.");
        }
        let mut wrong = Vec::new();
        let mut add = |count: usize, one: &str, many: &str| {
            wrong.extend((count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many })));
        };
        add(self.expired, "has expired", "have expired");
        add(self.expiring, "is to be renewed soon", "are to be renewed soon");
        add(self.troubled, "is wrong beside its dates or out of reach", "are wrong beside their dates or out of reach");
        add(summary.holders.len(), "rotation waits for somebody", "rotations wait for somebody");
        add(summary.unowned.len(), "has no owner", "have no owner");
        let stale = "not be read, so what is said here of it may be out of date";
        add(self.failing, &format!("source could {stale}"), &format!("sources could {stale}"));
        let nothing_owned = "You own nothing that is watched: no rule, tag or default names you. No mail from here would reach you \
                             about anything: if that is not what you expect, ask whoever runs Expiry Watch.";
        let no_sources = "No source has been asked yet: nothing is known.";
        let told = if wrong.is_empty() { String::new() } else { format!("Not all is well: {}.", wrong.join(", ")) };
        let parts = [
            summary.owned.is_empty().then_some(nothing_owned),
            summary.sources.is_empty().then_some(no_sources),
            Some(told.as_str()).filter(|told| !told.is_empty()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

impl SummarySource {
    fn is_failing(&self) -> bool {
        self.last_error.is_some() || self.last_success.is_none()
    }
}

fn next_end<'a>(summary: &Summary<'a>) -> Option<&'a SummaryItem> {
    let to_come =
        summary.owned.iter().filter(|item| item.days_left.is_some_and(|days| days >= 0) && item.status != "expired");
    to_come.min_by_key(|item| item.expires_at)
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn sections(stationery: &Stationery, summary: &Summary<'_>, rows: usize, now: Timestamp) -> Vec<Section> {
    let owned = |title: String, items: &[SummaryItem]| {
        let mut sorted: Vec<&SummaryItem> = items.iter().collect();
        sorted.sort_by_key(|item| (item.expires_at.is_none(), item.expires_at, &item.holder, &item.label));
        let ends: Vec<_> = sorted.iter().take(rows).map(|item| layout::end(item, stationery, now)).collect();
        Section::Ends { title, more: items.len() - ends.len(), ends }
    };
    let mut sections = vec![owned(format!("What you own ({})", summary.owned.len()), summary.owned)];
    if !summary.holders.is_empty() {
        let lines: Vec<String> = summary.holders.iter().take(rows).map(|holder| holder.line(stationery)).collect();
        let title = format!("Rotations that wait for somebody ({})", summary.holders.len());
        sections.push(Section::Lines { title, more: summary.holders.len() - lines.len(), lines });
    }
    sections.push(changes(stationery, summary, rows));
    if !summary.unowned.is_empty() {
        let title =
            format!("Unowned: no rule names a team for these, nobody hears of them ({})", summary.unowned.len());
        sections.push(owned(title, summary.unowned));
    }
    sections.push(health(stationery, summary, rows, now));
    sections
}

impl SummaryHolder {
    fn line(&self, stationery: &Stationery) -> String {
        let since = self.since.map(|at| format!(" since {}", when::day(at, stationery.zone))).unwrap_or_default();
        let name = shortened(self.holder.as_str(), NAME);
        let why = shortened(&readable(&self.why), 400);
        format!("{name} ({}): {}{since}: {why}", self.kind.spoken(), self.state.replace('_', " "))
    }
}

fn changes(stationery: &Stationery, summary: &Summary<'_>, rows: usize) -> Section {
    let mut sorted: Vec<&Change> = summary.changes.iter().collect();
    sorted.sort_by_key(|change| (change.what, change.at, &change.name, &change.label));
    let mut lines = Vec::new();
    for alike in sorted.chunk_by(|a, b| a.what.spoken() == b.what.spoken()) {
        let line = |change: &&Change| {
            let label = if change.label.is_empty() {
                String::new()
            } else {
                format!(" ({})", shortened(change.label.as_str(), NAME))
            };
            let step = match change.what {
                What::Told(kind, step) => format!(" {}, {step}:", kind.as_str().replace('_', " ")),
                _ => String::new(),
            };
            let name = shortened(change.name.as_str(), NAME);
            format!("{} {}:{step} {name}{label}", when::day(change.at, stationery.zone), change.what.spoken())
        };
        let named = CHANGES.min(rows);
        lines.extend(alike.iter().take(named).map(line));
        if alike.len() > named {
            lines.push(format!("and {} more: {}", alike.len() - named, alike[0].what.spoken()));
        }
    }
    if lines.is_empty() {
        lines.push("Nothing: nothing new, nothing rotated, nothing gone, nothing told.".to_owned());
    }
    Section::Lines { title: format!("Since {}", when::day(summary.since, stationery.zone)), lines, more: 0 }
}

impl What {
    fn spoken(self) -> &'static str {
        match self {
            Self::Began => "the watch began",
            Self::New => "new",
            Self::Superseded => "rotated, a newer one has taken over",
            Self::Gone => "gone, no longer listed",
            Self::Told(..) => "told",
            Self::Resolved => "resolved",
        }
    }
}

/// Those that fail come first.
fn health(stationery: &Stationery, summary: &Summary<'_>, rows: usize, now: Timestamp) -> Section {
    let mut sorted: Vec<&SummarySource> = summary.sources.iter().collect();
    sorted.sort_by_key(|source| (!source.is_failing(), &source.name));
    let line = |source: &&SummarySource| {
        let read = match source.last_success {
            Some(at) => format!("read {} ({})", when::ago(at, now), when::local(at, stationery.zone)),
            None => "never read completely".to_owned(),
        };
        let error = source.last_error.as_ref().map(|error| format!("; FAILING: {}", shortened(error.as_str(), 200)));
        let name = shortened(&readable(source.name.as_str()), NAME);
        format!("{name} (type {}): {read}{}", source.system, error.unwrap_or_default())
    };
    // However little room there is, the first that fail are named.
    let lines: Vec<String> = sorted.iter().take(rows.max(CHANGES)).map(line).collect();
    Section::Lines { title: "Sources".to_owned(), more: sorted.len() - lines.len(), lines }
}

/// What `mail test` sends.
#[must_use]
pub fn test_letter(stationery: &Stationery, team: &Team, now: Timestamp) -> Letter {
    let word = format!(
        "This is a test, sent by hand to the team “{}”. That you can read it means that notices will reach this address. There is nothing to do.",
        team.name
    );
    lay_out(Page {
        subject: format!("Test message from Expiry Watch for {}", shortened(team.name.as_str(), 100)),
        intro: String::new(),
        word,
        tone: Tone::Calm,
        sections: Vec::new(),
        footer: stationery.footer(now),
    })
}
