//! What people read: notices become letters, letters become messages, and dates become entries of a calendar.
//!
//! Owns every word of a mail and its bytes on the wire. It is pure: the instant, the zone and the sender are arguments, so that a
//! message which is rendered when it is enqueued never has to be rendered again. Refuses to know who is owed what (that is decided)
//! and how a message travels (that is delivery).
//!
//! A letter's text and HTML are two layouts of one list of facts ([`item::Item`]), which is why they cannot disagree. Gmail cuts what
//! is larger than 102 KB, so every letter is laid out as fully as fits below that, and what does not fit is counted.

mod bar;
mod calendar;
mod compose;
mod facts;
mod group;
mod html;
mod invitation;
mod item;
mod summary;
mod text;
mod when;
mod wording;

pub use calendar::{feed, folded};
pub use compose::{ComposeError, compose, compose_invitation};
pub use invitation::invitation;
pub use summary::{Change, Summary, SummaryHolder, SummaryItem, SummarySource, What, summary, test_letter};

use crate::domain::{Address, CredentialId, Notice, Team, TeamId, Text};
use item::Item;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use url::form_urlencoded::Serializer;

/// The most bytes that a message takes on the wire.
const LARGEST: usize = 100_000;

/// Headers of odd identifiers may leave little of that; a message says at least this much.
const LEAST: usize = 40_000;

/// A digest of up to so many notices shows each as a card.
const ALL_CARDS: usize = 20;

/// In a longer one the first few are cards, and the others carry the same facts in groups.
const FIRST_CARDS: usize = 3;

/// So many notices are shown at most, however short they are.
const SHOWN: usize = 400;

/// So many are named in the overview at the top of a digest, and from so many on there is one.
const GLANCE: usize = 10;
const GLANCE_FROM: usize = 3;

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
    /// Where people reach the status page, without a slash at the end.
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

/// Where on the status page a credential's story stands. Ids hold slashes and colons, which a query may.
#[must_use]
pub fn page_of(id: &CredentialId) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("id", &id.to_string());
    format!("/credential?{}", query.finish())
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
struct Digest<'a> {
    subject: String,
    /// What a list of messages shows beneath the subject.
    glimpse: String,
    intro: String,
    glance: &'a [Item],
    /// How many stand below that the overview leaves out.
    beyond_glance: usize,
    cards: &'a [Item],
    compact: &'a [Item],
    /// What is only counted, in words.
    more: Option<String>,
    footer: Vec<String>,
}

/// All that is owed to one address in one run, the most urgent first. What is owed to several of the recipient's teams is told once.
#[must_use]
pub fn digest(stationery: &Stationery, recipient: &Address, notices: &[&Notice], now: Timestamp) -> Letter {
    let told = item::told_once(notices);
    let items: Vec<Item> = told.iter().map(|told| Item::new(stationery, recipient, told, now)).collect();
    let footer = footer(stationery, now);
    let room = LARGEST.saturating_sub(compose::head_weight(notices)).max(LEAST);
    let fits = |letter: &Letter| compose::weight(letter) <= room;
    let lay_out = |cards, shown| {
        let digest = sheet(&items, cards, shown, stationery, footer.clone());
        Letter { text: text::digest(&digest), html: html::digest(&digest), subject: digest.subject }
    };
    let cards = if items.len() <= ALL_CARDS { items.len() } else { FIRST_CARDS };
    let most = items.len().min(SHOWN);
    // Rather all in less space than some of them at length.
    let all = [cards, 1, 0].into_iter().filter(|cards| *cards <= most).map(|cards| lay_out(cards, most)).find(fits);
    all.or_else(|| largest(most, |shown| Some(lay_out(1.min(shown), shown)).filter(fits)))
        .unwrap_or_else(|| lay_out(0, 0))
}

/// What `attempt` makes of the largest number up to `most` that it makes anything of, where it makes nothing of any larger one.
fn largest<T>(most: usize, attempt: impl Fn(usize) -> Option<T>) -> Option<T> {
    let mut best = attempt(most);
    if best.is_some() {
        return best;
    }
    let (mut fits, mut fails) = (0, most);
    while fails > fits + 1 {
        let middle = fits.midpoint(fails);
        match attempt(middle) {
            Some(found) => (best, fits) = (Some(found), middle),
            None => fails = middle,
        }
    }
    best
}

/// A digest of which the first `cards` are shown at length, and `shown` in all.
fn sheet<'a>(
    items: &'a [Item],
    cards: usize,
    shown: usize,
    stationery: &Stationery,
    footer: Vec<String>,
) -> Digest<'a> {
    let (calm, urgent): (Vec<&Item>, Vec<&Item>) = items.iter().partition(|item| item.tone.is_calm());
    let glance = if items.len() < GLANCE_FROM { 0 } else { GLANCE.min(items.len()) };
    Digest {
        subject: subject(items),
        glimpse: items.first().map(Item::glimpse).unwrap_or_default(),
        intro: intro(urgent.len(), calm.len()),
        glance: &items[..glance],
        beyond_glance: if glance > 0 { items.len() - glance } else { 0 },
        cards: &items[..cards],
        compact: &items[cards..shown],
        more: more(&items[shown..], stationery.public_url),
        footer,
    }
}

/// What did not fit: how many of what, and where it can be read.
fn more(items: &[Item], public_url: Option<&str>) -> Option<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for item in items {
        match counts.iter_mut().find(|(headline, _)| *headline == item.headline) {
            Some((_, count)) => *count += 1,
            None => counts.push((&item.headline, 1)),
        }
    }
    let of_what: Vec<String> =
        counts.iter().take(GLANCE).map(|(headline, count)| format!("{count} x {headline}")).collect();
    let others = if counts.len() > GLANCE { ", and others" } else { "" };
    let place = match public_url {
        Some(url) => format!("All of them: {url}"),
        None => "`expiry-watch check` lists all of them.".to_owned(),
    };
    let (count, less) = (items.len(), of_what.join("; "));
    (count > 0)
        .then(|| format!("And {count} more, less urgent, that would make this mail too long: {less}{others}. {place}"))
}

fn footer(stationery: &Stationery, now: Timestamp) -> Vec<String> {
    let mut lines = vec![
        "Each threshold is told once; what has expired may be told again until it is replaced. When something told here is no longer true, you \
         will hear that too, and then nothing more."
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
