//! What every part of the page is written from, and the few words and signs that they share.

use super::horizon::Horizon;
use crate::decide::{Calendar, Code, Context, HolderState, State, Status, Verdict};
use crate::domain::{Credential, CredentialId, TeamId, Text};
use crate::inventory::Entry;
use crate::observe::View;
use crate::render::page_of;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use url::Url;

/// A view, and the instant at which somebody looks at it.
pub struct Scene<'a> {
    pub view: &'a View,
    pub now: Timestamp,
    pub calendar: Calendar<'a>,
}

impl<'a> Scene<'a> {
    pub fn new(view: &'a View, now: Timestamp) -> Self {
        Self { view, now, calendar: Calendar::new(&view.policy.zone, view.at) }
    }

    pub fn context(&self) -> Context<'_> {
        Context { inventory: &self.view.inventory, policy: &self.view.policy, calendar: &self.calendar }
    }

    pub fn zone_name(&self) -> &str {
        self.view.policy.zone.iana_name().unwrap_or("local time")
    }

    /// `2026-11-28 12:00`, as the zone's clocks show it.
    pub fn minute(&self, instant: Timestamp) -> String {
        self.view.policy.zone.to_datetime(instant).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// The same, for machines too.
    pub fn time(&self, instant: Timestamp) -> Markup {
        html! { time datetime=(instant) { (self.minute(instant)) } }
    }

    /// Local time, and beside it UTC.
    pub fn both_times(&self, instant: Timestamp) -> Markup {
        let utc = instant.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string();
        html! { (self.time(instant)) " " small { (utc) " UTC" } }
    }

    /// `12 min ago`
    pub fn ago(&self, then: Timestamp) -> String {
        let seconds = self.now.duration_since(then).as_secs();
        match seconds {
            ..=59 => "just now".to_owned(),
            60..=7_199 => format!("{} min ago", seconds / 60),
            7_200..=172_799 => format!("{} h ago", seconds / 3_600),
            _ => format!("{} days ago", seconds / 86_400),
        }
    }

    /// Where a credential stands in the inventory, gone ones among them.
    pub fn entry(&self, id: &CredentialId) -> Option<usize> {
        self.view.inventory.entries().iter().position(|entry| entry.credential.id == *id)
    }

    /// The credential at an index of the inventory.
    pub fn one(&self, index: usize) -> One<'_> {
        let at = self.view.verdicts.partition_point(|verdict| verdict.entry < index);
        let at = self.view.verdicts.get(at).is_some_and(|verdict| verdict.entry == index).then_some(at);
        One { scene: self, entry: &self.view.inventory.entries()[index], at }
    }

    /// The credential that a verdict is about.
    pub fn judged(&self, at: u32) -> One<'_> {
        let verdict = &self.view.verdicts[at as usize];
        One { scene: self, entry: verdict.entry(&self.view.inventory), at: Some(at as usize) }
    }
}

/// One credential.
#[derive(Clone, Copy)]
pub struct One<'a> {
    pub scene: &'a Scene<'a>,
    pub entry: &'a Entry,
    /// The index of its verdict; what is gone has none.
    pub at: Option<usize>,
}

impl<'a> One<'a> {
    pub fn credential(&self) -> &'a Credential {
        &self.entry.credential
    }

    pub fn verdict(&self) -> Option<&'a Verdict> {
        self.at.map(|at| &self.scene.view.verdicts[at])
    }

    pub fn holder(&self) -> Option<&'a HolderState> {
        holder_of(self.scene.view, self.at?)
    }

    /// The sentence that says why it is or is not due.
    pub fn sentence(&self) -> String {
        let view = self.scene.view;
        let sentence =
            self.verdict().map(|verdict| verdict.explain(&view.inventory, &view.policy, &self.scene.calendar));
        capitalised(&sentence.unwrap_or_default())
    }

    pub fn environment(&self) -> &'a str {
        self.verdict().map_or("", |verdict| environment(self.scene.view, verdict))
    }

    /// Its holder's name, leading to its own page.
    pub fn link(&self) -> Markup {
        let credential = self.credential();
        html! { a class="holder" href=(page_of(&credential.id)) { (named(&credential.holder.name)) } }
    }

    /// What it is: kind, label, environment.
    pub fn what(&self) -> Markup {
        let credential = self.credential();
        html! {
            (credential.kind.spoken())
            @if !credential.label.is_empty() { " " bdi { "“" (credential.label) "”" } }
            @if !self.environment().is_empty() { " · " (self.environment()) }
        }
    }

    pub fn teams(&self) -> Markup {
        let teams = self.verdict().map(|verdict| &*verdict.teams).unwrap_or_default();
        html! { @if teams.is_empty() { em { "nobody" } } @else { (listed(teams)) } }
    }

    pub fn runbook(&self) -> Option<&'a Text> {
        self.verdict()?.treatment(&self.scene.view.policy).runbook.as_ref()
    }

    /// How urgent it looks. The words beside it say the same.
    pub fn look(&self) -> &'static str {
        self.verdict().map_or("calm", look)
    }
}

/// A name that is made of nothing would be a link that nobody can see.
fn named(name: &Text) -> &str {
    if name.is_empty() { "(no name)" } else { name.as_str() }
}

pub fn listed(teams: &[TeamId]) -> String {
    teams.iter().map(TeamId::as_str).collect::<Vec<_>>().join(", ")
}

/// A link only for the web; anything else is shown as text, so that no script can hide in it.
pub fn link_to(runbook: &Text) -> Markup {
    let is_web = Url::parse(runbook.as_str()).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    html! {
        @if is_web { a href=(runbook) rel="noreferrer" { "runbook" } } @else { "runbook: " (runbook) }
    }
}

fn capitalised(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// `rotation_due` as people write it.
pub fn spoken(word: &str) -> String {
    word.replace('_', " ")
}

/// `1 credential`, `2 credentials`.
pub fn count_of(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// `10 000`, with a narrow space that does not break.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202F}');
        }
        out.push(digit);
    }
    out
}

pub fn days(left: i64) -> String {
    match left {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        -1 => "yesterday".to_owned(),
        days if days < 0 => format!("{} days ago", grouped(usize::try_from(days.unsigned_abs()).unwrap_or(usize::MAX))),
        days => format!("in {} days", grouped(usize::try_from(days).unwrap_or(usize::MAX))),
    }
}

pub fn environment<'a>(view: &'a View, verdict: &Verdict) -> &'a str {
    verdict.treatment(&view.policy).environment.as_ref().map_or("", Text::as_str)
}

/// The holder that the verdict at an index belongs to.
pub fn holder_of(view: &View, at: usize) -> Option<&HolderState> {
    let index = view.holders.partition_point(|holder| holder.verdicts.end <= at);
    view.holders.get(index).filter(|holder| holder.verdicts.contains(&at))
}

pub fn look(verdict: &Verdict) -> &'static str {
    match verdict.status {
        Status::Expired if verdict.code == Code::Ignored => "calm",
        Status::Expired | Status::Unreachable => "gone",
        Status::Expiring if verdict.days_left.is_some_and(|days| days <= Horizon::WEEK) => "soon",
        Status::Expiring => "near",
        Status::Valid => "fine",
        Status::Superseded | Status::NotYetValid | Status::NoExpiry | Status::Ignored => "calm",
    }
}

pub fn look_of_state(state: State) -> &'static str {
    match state {
        State::Lapsed => "gone",
        State::OldInUse => "soon",
        State::RotationDue => "near",
        State::Overlap | State::RetireReady | State::Unknown => "calm",
        State::Steady => "fine",
    }
}
