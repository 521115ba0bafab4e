//! What people read: notices become letters, and letters become messages.
//!
//! Owns every word of a mail and its bytes on the wire. It is pure: the instant, the zone and the sender are arguments, so that a
//! message which is rendered when it is enqueued never has to be rendered again. Refuses to know who is owed what (that is decided)
//! and how a message travels (that is delivery).
//!
//! A letter's text and HTML are two layouts of one list of facts ([`item::Item`]), which is why they cannot disagree.

mod compose;
mod html;
mod item;
mod summary;
mod text;
mod when;
mod wording;

pub use compose::{ComposeError, compose};
pub use summary::{SummaryItem, SummarySource, summary, test_letter};

use crate::domain::{Address, Notice, Team, TeamId, Text};
use item::Item;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// A digest of up to so many notices shows each as a card in HTML.
const ALL_CARDS: usize = 20;

/// In a longer one the first few are cards, and the others carry the same facts run on: Gmail and others cut an HTML part at
/// 102 KB, and a hundred notices stay below that.
const FIRST_CARDS: usize = 3;

/// So many notices are told with all their facts; further ones get one line each, the most urgent having come first.
const DETAILED: usize = 300;

/// So many notices are named at all; the rest is counted. A server refuses a message of several megabytes, which would be silence.
const NAMED: usize = 2_000;

/// The longest subject, in characters.
const SUBJECT: usize = 180;

/// Who writes, and how times and teams are spelt.
#[derive(Clone, Copy, Debug)]
pub struct Stationery<'a> {
    /// Local times and "today" are those of this zone.
    pub zone: &'a TimeZone,
    /// The display name before the sender's address; may be empty.
    pub from_name: &'a Text,
    pub from: &'a Address,
    pub reply_to: Option<&'a Address>,
    /// Where people reach the status page.
    pub public_url: Option<&'a str>,
    pub teams: &'a BTreeMap<TeamId, Team>,
    /// The version of this program, for the footer.
    pub version: &'a str,
}

impl Stationery<'_> {
    /// What people call a team; its key, where it is no longer configured.
    fn team_name<'t>(&'t self, id: &'t TeamId) -> &'t str {
        match self.teams.get(id) {
            Some(team) => team.name.as_str(),
            None if id.is_owner() => "the owners of the holder",
            None => id.as_str(),
        }
    }

    /// The lines at the foot of every letter.
    fn footer(&self, now: Timestamp) -> Vec<String> {
        let mut lines = vec![format!(
            "Written {} by Expiry Watch {}. Local times are those of {}.",
            when::local(now, self.zone),
            self.version,
            self.zone.iana_name().unwrap_or("the configured zone"),
        )];
        lines.extend(self.public_url.map(|url| format!("Everything watched, and what was sent: {url}")));
        lines
    }
}

/// What a person reads; the same facts twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line of at most 180 characters.
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What a digest says, before it is laid out.
struct Digest {
    subject: String,
    intro: String,
    items: Vec<Item>,
    /// Those that are only named, one line each.
    lines: Vec<String>,
    /// Those that are only counted.
    uncounted: usize,
    footer: Vec<String>,
}

/// All that is owed to one address in one run, the most urgent first. What is owed to several of the recipient's teams is told once.
#[must_use]
pub fn digest(stationery: &Stationery, recipient: &Address, notices: &[&Notice], now: Timestamp) -> Letter {
    let told = item::told_once(notices);
    let items: Vec<Item> = told.iter().map(|told| Item::new(stationery, recipient, told, now)).collect();
    let (calm, urgent): (Vec<&Item>, Vec<&Item>) = items.iter().partition(|item| item.tone.is_calm());
    let digest = Digest {
        subject: subject(&items),
        intro: intro(urgent.len(), calm.len()),
        lines: items.iter().skip(DETAILED).take(NAMED - DETAILED).map(Item::line).collect(),
        uncounted: items.len().saturating_sub(NAMED),
        footer: footer(stationery, now),
        items: items.into_iter().take(DETAILED).collect(),
    };
    Letter { text: text::digest(&digest), html: html::digest(&digest), subject: digest.subject }
}

fn footer(stationery: &Stationery, now: Timestamp) -> Vec<String> {
    let mut lines = vec![
        "Each threshold is told once. When something told here is no longer true, you will hear that too, and then nothing more."
            .to_owned(),
    ];
    lines.extend(stationery.footer(now));
    lines
}

fn intro(urgent: usize, calm: usize) -> String {
    let notices = |n: usize| if n == 1 { "1 notice".to_owned() } else { format!("{n} notices") };
    let need = if urgent == 1 { "needs" } else { "need" };
    let is = if calm == 1 { "is" } else { "are" };
    match (urgent, calm) {
        (0, n) => format!("{} for your information: nothing needs to be done at once.", notices(n)),
        (n, 0) => format!("{} {need} attention.", notices(n)),
        (n, calm) => format!("{} {need} attention; {calm} {is} for your information.", notices(n)),
    }
}

/// What, which and when, of the most urgent one; the others are counted.
fn subject(items: &[Item]) -> String {
    let Some(first) = items.first() else { return "Expiry Watch".to_owned() };
    let more = match items.len() - 1 {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let head = format!("{}: ", first.headline);
    let tail = format!("{}{more}", shortened(&first.aside(), 60));
    let room = SUBJECT.saturating_sub(head.chars().count() + tail.chars().count());
    readable(&format!("{head}{}{tail}", shortened(&first.title, room)))
}

/// At most `room` characters; a cut one ends in `…`.
fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// Identifiers and reasons are not all [`Text`]: whatever they hold, a line stays one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// For what people read: without the marks that hide or reorder, too, by [`Text`]'s own judgement of each character.
fn readable(text: &str) -> String {
    let is_shown = |c: &char| c.is_ascii() || c.is_whitespace() || !Text::clean(c.encode_utf8(&mut [0; 4])).is_empty();
    one_line(text).chars().filter(is_shown).collect()
}

#[cfg(test)]
mod tests;
