//! `[defaults]` and `[[rules]]`: whose a credential is, and how it is watched. Each rule is completed from the defaults here, so
//! that the decision reads one treatment and never asks where a value came from.

use super::read::{Item, Table};
use crate::domain::{
    Escalation, Glob, Kind, Match, Period, Rule, SourceName, Successor, Team, TeamId, Text, Threshold, Treatment,
};
use std::collections::BTreeMap;

const TEAMS: &str = "[ \"ccaas\" ]";
const LADDER: &str = "[ \"30d\", \"7d\", \"1d\", \"0d\" ]";

const SUCCESSORS: &[(&str, Successor)] =
    &[("label", Successor::Label), ("holder", Successor::Holder), ("none", Successor::None)];

/// The names that rules may refer to.
pub(super) struct Names<'n> {
    pub teams: &'n BTreeMap<TeamId, Team>,
    pub sources: Vec<&'n SourceName>,
    /// Whether any source reads who owns what it lists.
    pub owners_are_read: bool,
}

/// The keys of one `[defaults]` or `[[rules]]`, each as far as it is given.
#[derive(Default)]
struct Written {
    teams: Option<Vec<TeamId>>,
    remind: Option<Vec<Threshold>>,
    remind_certificates: Option<Vec<Threshold>>,
    after_expiry: Option<Option<Period>>,
    forget_expired_after: Option<Period>,
    retire_remind: Option<Vec<Threshold>>,
    successor: Option<Successor>,
    escalate: Option<Option<Escalation>>,
    rotate_every: Option<Period>,
    remind_rotation: Option<Vec<Threshold>>,
    environment: Option<Text>,
    runbook: Option<Text>,
    ignore: Option<Text>,
}

impl Written {
    fn over(self, base: &Treatment) -> Treatment {
        let base = base.clone();
        Treatment {
            teams: self.teams.unwrap_or(base.teams),
            remind: self.remind.unwrap_or(base.remind),
            remind_certificates: self.remind_certificates.unwrap_or(base.remind_certificates),
            after_expiry: self.after_expiry.unwrap_or(base.after_expiry),
            forget_expired_after: self.forget_expired_after.unwrap_or(base.forget_expired_after),
            retire_remind: self.retire_remind.unwrap_or(base.retire_remind),
            successor: self.successor.unwrap_or(base.successor),
            escalate: self.escalate.unwrap_or(base.escalate),
            rotate_every: self.rotate_every.or(base.rotate_every),
            remind_rotation: self.remind_rotation.unwrap_or(base.remind_rotation),
            environment: self.environment.or(base.environment),
            runbook: self.runbook.or(base.runbook),
            ignore: self.ignore.or(base.ignore),
        }
    }
}

pub(super) fn defaults(t: &Table, names: &Names) -> Treatment {
    let written = written(t, names);
    if written.ignore.is_some() {
        t.at("ignore").problem("as a default it would silence everything; say it in a rule with a `match`", "");
    }
    let defaults = written.over(&Treatment::default());
    warn_of_late_escalation(t, &defaults);
    if defaults.teams.is_empty() {
        t.at("teams").warn(
            "no team: what no rule gives to one is mailed to nobody, and stands in every team's summary as unowned",
        );
    } else if defaults.teams.iter().all(TeamId::is_owner) {
        t.at("teams").warn(
            "owners alone: where no owner's address is known, and of a source that is silent, nobody is told; name a team as well",
        );
    }
    defaults
}

pub(super) fn rules(root: &Table, names: &Names, defaults: &Treatment) -> Vec<Rule> {
    let example = "[[rules]]\nmatch = { kind = \"client_secret\" }";
    let Some(list) = root.get("rules") else { return Vec::new() };
    if list.value.as_array().is_none() {
        list.wrong("rules are a list: each begins with [[rules]] in two pairs of brackets", example);
        return Vec::new();
    }
    let items = list.elements();
    let mut catch_all: Option<String> = None;
    let mut rules = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(first) = &catch_all {
            item.place.warn(format_args!(
                "never decides anything, since {first} before it has no `match` and takes everything"
            ));
        }
        let Some(rule) = item.table(example, |t| rule(t, index + 1, names, defaults)) else { continue };
        if catch_all.is_none() && takes_everything(&rule.matching) {
            catch_all = Some(item.place.path().to_owned());
        }
        rules.push(rule);
    }
    rules
}

fn takes_everything(matching: &Match) -> bool {
    let Match { source, kind, app_id, holder, label } = matching;
    [source, kind, app_id, holder, label].iter().all(|globs| globs.is_none())
}

fn rule(t: &Table, number: usize, names: &Names, defaults: &Treatment) -> Rule {
    let name = t.get("name").and_then(|item| item.text("\"MaxConf API secrets\""));
    let example = "{ source = \"entra\", holder = \"sec_*\" }";
    let matching = t.table("match", example, |t| matching(t, names)).unwrap_or_default();
    let mut written = written(t, names);
    let names_teams = written.teams.is_some();
    // One ladder for whatever the rule matches, certificates too, unless it has one for them.
    written.remind_certificates = written.remind_certificates.or_else(|| written.remind.clone());
    let treatment = written.over(defaults);
    warn_of_late_escalation(t, &treatment);
    Rule { name: name.unwrap_or_else(|| Text::clean(&format!("rule {number}"))), matching, treatment, names_teams }
}

fn written(t: &Table, names: &Names) -> Written {
    Written {
        teams: t.get("teams").map(|item| teams(&item, names)),
        remind: ladder(t, "remind"),
        remind_certificates: ladder(t, "remind_certificates"),
        after_expiry: t.get("after_expiry").and_then(|item| after_expiry(&item)),
        forget_expired_after: t.get("forget_expired_after").and_then(|item| item.period("\"30d\"")),
        retire_remind: ladder(t, "retire_remind"),
        successor: t.get("successor").and_then(|item| item.choice(SUCCESSORS)),
        escalate: t.get("escalate").and_then(|item| escalation(&item, names)),
        rotate_every: t.get("rotate_every").and_then(|item| item.period_above_zero("\"90d\"")),
        remind_rotation: ladder(t, "remind_rotation"),
        environment: t.get("environment").and_then(|item| item.text("\"prod\"")),
        runbook: t.get("runbook").and_then(|item| item.text("\"https://docs.example.ca/rotate\"")),
        ignore: t.get("ignore").and_then(|item| item.text("\"managed by Azure\"")),
    }
}

/// Make sure that nobody relies on an escalation that no reminder reaches.
fn warn_of_late_escalation(t: &Table, treatment: &Treatment) {
    let Some(Escalation { at: Threshold::Before(at), .. }) = &treatment.escalate else { return };
    let reaches = |threshold: &Threshold| match threshold {
        Threshold::Before(before) => before.seconds() <= at.seconds(),
        Threshold::Share(_) => true,
    };
    if t.get("escalate").is_some() && !treatment.remind.iter().any(reaches) {
        t.at("escalate").warn(format_args!(
            "no reminder comes as late as {at} before the end, so only `expired` will be escalated; add \"{at}\" to `remind`"
        ));
    }
}

/// Thresholds in the order of the file, each once. An empty list means that nobody is reminded.
fn ladder(t: &Table, key: &'static str) -> Option<Vec<Threshold>> {
    let list = t.get(key)?;
    let mut ladder = Vec::new();
    for threshold in list.elements().iter().filter_map(|item| item.threshold(example_of(item, LADDER, "\"30d\""))) {
        if !ladder.contains(&threshold) {
            ladder.push(threshold);
        }
    }
    Some(ladder)
}

/// Within a list one element will do; a value that stands alone is better shown as the list it could be.
fn example_of<'e>(item: &Item, list: &'e str, element: &'e str) -> &'e str {
    if item.place.path().ends_with(']') { element } else { list }
}

fn after_expiry(item: &Item) -> Option<Option<Period>> {
    match item.value.as_str() {
        Some("never") => Some(None),
        _ => item.period_above_zero("\"7d\"  # or \"never\"").map(Some),
    }
}

fn escalation(item: &Item, names: &Names) -> Option<Option<Escalation>> {
    let example = "{ at = \"3d\", teams = [ \"oversight\" ] }";
    let (at, teams) = item.table(example, |t| {
        let at = t.need("at", "\"3d\"").and_then(|item| item.threshold("\"3d\""));
        (at, t.need("teams", TEAMS).map(|item| teams(&item, names)))
    })?;
    let (at, teams) = (at?, teams?);
    // Nobody to escalate to: a rule's way of leaving out what the defaults say.
    Some((!teams.is_empty()).then_some(Escalation { at, teams }))
}

fn teams(list: &Item, names: &Names) -> Vec<TeamId> {
    let mut teams: Vec<TeamId> = Vec::new();
    for item in list.elements() {
        teams.extend(team(&item, names).filter(|team| !teams.contains(team)));
    }
    teams
}

/// The team that is named: one of the file's, or a holder's owners.
fn team(item: &Item, names: &Names) -> Option<TeamId> {
    let written = item.string(example_of(item, TEAMS, "\"ccaas\""))?;
    if written == TeamId::OWNER {
        if !names.owners_are_read {
            item.place.warn(
                "no source reads owners, so the teams of [defaults] are told in their place; set `owners = true` at an `entra` source",
            );
        }
        return Some(TeamId::new(TeamId::OWNER));
    }
    if let Some((team, _)) = names.teams.get_key_value(&TeamId::new(written)) {
        return Some(team.clone());
    }
    let known: Vec<&str> = names.teams.keys().map(|team| team.as_str()).collect();
    note_unknown(item, "there is no such team", written, &known, "add [teams.<name>]");
    None
}

fn note_unknown(item: &Item, what: &str, written: &str, known: &[&str], remedy: &str) {
    match (item.place.nearest(written, known.iter().copied()), known) {
        (Some(meant), _) => item.wrong(what, &format!("{meant:?}")),
        (None, []) => item.wrong(format_args!("{what}; {remedy}"), ""),
        (None, known) => item.wrong(format_args!("{what}; there is {}", known[..known.len().min(20)].join(", ")), ""),
    }
}

fn matching(t: &Table, names: &Names) -> Match {
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let sources: Vec<&str> = names.sources.iter().map(|source| source.as_str()).collect();
    Match {
        source: globs(t, "source", "\"entra\"", Some(("it matches no source of this file", &sources))),
        kind: globs(t, "kind", "\"client_secret\"", Some(("it matches no kind of credential", &kinds))),
        app_id: globs(t, "app_id", "\"a154a158-92d0-4d3c-a756-95d811001574\"", None),
        holder: globs(t, "holder", "\"sec_*\"", None),
        label: globs(t, "label", "\"*\"", None),
    }
}

/// One pattern or several; where all that can be matched is known, each must match something.
fn globs(t: &Table, key: &'static str, example: &str, known: Option<(&str, &[&str])>) -> Option<Vec<Glob>> {
    let list = t.get(key)?;
    let items = list.elements();
    if items.is_empty() {
        list.wrong("an empty list matches nothing; leave the key out to match everything", example);
    }
    let mut globs = Vec::new();
    for item in items {
        // An empty pattern is a pattern: it matches an empty label.
        let Some(written) = item.value.as_str() else {
            item.wrong("a pattern in quotes is wanted", example);
            continue;
        };
        let glob = Glob::new(written);
        if let Some((what, known)) = known.filter(|(_, known)| !known.iter().any(|known| glob.matches(known))) {
            note_unknown(&item, what, written, known, "add [sources.<name>]");
        }
        globs.push(glob);
    }
    Some(globs)
}
