//! What the operators have decided: which credential is whose, and how it is watched. Built from the configuration, complete:
//! every rule carries the whole treatment, its own keys laid over the defaults.

use super::{Credential, Ident, Kind, Period, SourceName, Team, TeamId, Text, Threshold};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use uuid::Uuid;
use wildmatch::WildMatchPattern;

/// A pattern with `*` (any run) and `?` (one character), compared without case.
#[derive(Clone, Debug)]
pub struct Glob {
    pattern: WildMatchPattern<'*', '?'>,
    /// What stands between its `*`, where that is ASCII without `?`: nearly always, and each is compared with every credential.
    parts: Option<Box<[Box<str>]>>,
    /// The identifier that it is, in the one spelling that GUIDs are kept in.
    guid: Option<Uuid>,
}

impl Glob {
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let plain = pattern.is_ascii() && !pattern.contains('?');
        Self {
            pattern: WildMatchPattern::new_case_insensitive(pattern),
            parts: plain.then(|| pattern.split('*').map(Box::from).collect()),
            guid: Ident::new(&pattern.to_ascii_lowercase()).as_guid(),
        }
    }

    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.parts {
            // Beyond ASCII, case is the pattern's business.
            Some(parts) if text.is_ascii() => consists_of(parts, text.as_bytes()),
            _ => self.pattern.matches(text),
        }
    }

    /// The same for an identifier, without writing out the usual one: a GUID, beside a GUID.
    #[must_use]
    pub fn matches_ident(&self, ident: &Ident) -> bool {
        match (self.guid, ident.as_guid()) {
            (Some(wanted), Some(guid)) => wanted == guid,
            _ => self.matches(&ident.to_string()),
        }
    }
}

/// Whether `text` is made of `parts` in their order, with anything between them.
fn consists_of(parts: &[Box<str>], text: &[u8]) -> bool {
    let [first, middle @ .., last] = parts else { return matches!(parts, [all] if is_same(text, all)) };
    let begins = text.split_at_checked(first.len()).filter(|(begin, _)| is_same(begin, first));
    let Some((_, mut rest)) = begins else { return false };
    for part in middle {
        let found = (0..=rest.len()).find(|at| rest[*at..].get(..part.len()).is_some_and(|run| is_same(run, part)));
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.len().checked_sub(last.len()).is_some_and(|at| is_same(&rest[at..], last))
}

fn is_same(text: &[u8], part: &str) -> bool {
    text.eq_ignore_ascii_case(part.as_bytes())
}

/// What a rule asks of a credential: each key that is given must match one of its patterns. An empty one matches everything.
#[derive(Clone, Debug, Default)]
pub struct Match {
    pub source: Option<Vec<Glob>>,
    pub kind: Option<Vec<Glob>>,
    pub app_id: Option<Vec<Glob>>,
    pub holder: Option<Vec<Glob>>,
    pub label: Option<Vec<Glob>>,
}

impl Match {
    #[must_use]
    pub fn matches(&self, credential: &Credential) -> bool {
        let any = |globs: &Option<Vec<Glob>>, text: &str| {
            globs.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.matches(text)))
        };
        let app_id = |globs: &Vec<Glob>| {
            let app_id = credential.holder.app_id.as_ref();
            app_id.is_some_and(|app_id| globs.iter().any(|glob| glob.matches_ident(app_id)))
        };
        // First what tells most apart, and with the least work.
        self.app_id.as_ref().is_none_or(app_id)
            && any(&self.holder, credential.holder.name.as_str())
            && any(&self.label, credential.label.as_str())
            && any(&self.kind, credential.kind.as_str())
            && any(&self.source, credential.source.as_str())
    }
}

/// Which sibling may stand in for a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Successor {
    /// One with the same holder, kind and label.
    #[default]
    Label,
    /// One with the same holder and kind.
    Holder,
    None,
}

/// Who else is told from a threshold on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    pub at: Threshold,
    pub teams: Vec<TeamId>,
}

/// How a credential is watched.
#[derive(Clone, Debug)]
pub struct Treatment {
    pub teams: Vec<TeamId>,
    pub remind: Vec<Threshold>,
    /// The ladder of certificates, whose lives are too short for `remind`.
    pub remind_certificates: Vec<Threshold>,
    /// How often `expired` is repeated; `None` = never.
    pub after_expiry: Option<Period>,
    pub forget_expired_after: Period,
    /// The ladder of what is superseded.
    pub retire_remind: Vec<Threshold>,
    pub successor: Successor,
    pub escalate: Option<Escalation>,
    pub rotate_every: Option<Period>,
    pub remind_rotation: Vec<Threshold>,
    pub environment: Option<Text>,
    pub runbook: Option<Text>,
    /// Why it is listed and measured, but never mailed.
    pub ignore: Option<Text>,
}

impl Treatment {
    #[must_use]
    pub fn ladder(&self, kind: Kind) -> &[Threshold] {
        if kind.is_certificate() { &self.remind_certificates } else { &self.remind }
    }
}

impl Default for Treatment {
    /// The documented defaults, with nobody to tell.
    fn default() -> Self {
        let days = |days: &[u32]| days.iter().map(|n| Threshold::Before(Period::days(*n))).collect::<Vec<_>>();
        let shares = [33, 16, 8].map(Threshold::Share);
        Self {
            teams: Vec::new(),
            remind: days(&[60, 30, 14, 7, 3, 1, 0]),
            remind_certificates: shares.into_iter().chain(days(&[3, 1, 0])).collect(),
            after_expiry: Some(Period::days(7)),
            forget_expired_after: Period::days(30),
            retire_remind: days(&[7]),
            successor: Successor::Label,
            escalate: None,
            rotate_every: None,
            remind_rotation: days(&[14, 7, 0]),
            environment: None,
            runbook: None,
            ignore: None,
        }
    }
}

/// "What matches is watched like this." The first rule that matches decides.
#[derive(Clone, Debug)]
pub struct Rule {
    pub name: Text,
    pub matching: Match,
    /// Complete: the rule's own keys over those of the defaults.
    pub treatment: Treatment,
    /// Whether the rule itself names teams (an empty list counts). If not, a `team:` tag or the defaults do.
    pub names_teams: bool,
}

/// Everything that the decision needs to know of the operators' wishes.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Calendar days are days of this zone.
    pub zone: TimeZone,
    pub defaults: Treatment,
    pub rules: Vec<Rule>,
    pub teams: BTreeMap<TeamId, Team>,
    /// What ends within this is not held for the notify run.
    pub urgent_within: Period,
    /// How long each source may go without a complete read.
    pub stale_after: BTreeMap<SourceName, Period>,
}

impl Policy {
    /// The team that a tag names; case does not count, since tags are written by hand elsewhere.
    #[must_use]
    pub fn team_of_tag(&self, tag: &str) -> Option<&TeamId> {
        self.teams.keys().find(|team| team.as_str().eq_ignore_ascii_case(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GUID: &str = "33758b54-a9cb-48ef-a363-5aaf10888f80";

    #[test]
    fn a_pattern_is_compared_without_case_and_an_identifier_as_its_text() {
        for (pattern, text, expected) in [
            ("entra", "Entra", true),
            ("entra", "entra2", false),
            ("", "", true),
            ("", "a", false),
            ("prod-*", "PROD-billing", true),
            ("prod-?", "prod-1", true),
            ("Müller", "müller", true),
            ("k", "\u{212A}", WildMatchPattern::<'*', '?'>::new_case_insensitive("k").matches("\u{212A}")),
            (GUID, GUID, true),
            (GUID, "33758B54-A9CB-48EF-A363-5AAF10888F80", true),
            ("33758B54-A9CB-48EF-A363-5AAF10888F80", GUID, true),
            ("33758b54-*", GUID, true),
            (GUID, "33758b54-a9cb-48ef-a363-5aaf10888f81", false),
            ("app-1", "APP-1", true),
        ] {
            let glob = Glob::new(pattern);
            assert_eq!(glob.matches(text), expected, "{pattern:?} {text:?}");
            assert_eq!(glob.matches_ident(&Ident::new(text)), expected, "{pattern:?} {text:?} as an identifier");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_gives_what_the_pattern_gives(pattern in "[aAbB*?é-]{0,6}", text in "[aAbBé-]{0,8}") {
            let whole = WildMatchPattern::<'*', '?'>::new_case_insensitive(&pattern);
            prop_assert_eq!(Glob::new(&pattern).matches(&text), whole.matches(&text));
        }
    }
}
