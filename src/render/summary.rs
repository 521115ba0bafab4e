//! What a summary says: all that a team owns, how it stands, what changed, how the watch itself is; so that silence is never
//! mistaken for safety. And the test letter.

mod health;
mod layout;
mod lists;

use super::wording::Tone;
use super::{LARGEST, Letter, Stationery, compose, largest, shortened};
use crate::domain::{Address, Kind, NoticeKind, SourceName, Step, Team, Text};
use health::Health;
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
    sections.push(lists::changes(stationery, summary, rows));
    if !summary.unowned.is_empty() {
        let title =
            format!("Unowned: no rule names a team for these, nobody hears of them ({})", summary.unowned.len());
        sections.push(owned(title, summary.unowned));
    }
    sections.push(lists::health(stationery, summary, rows, now));
    sections
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
