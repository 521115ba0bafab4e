//! Small views for the tests of the report and the web.

use crate::decide::{Decision, Forecast, Ledger, Rounds, World, decide, forecast};
use crate::domain::{
    Address, CalendarChoice, Credential, CredentialId, Glob, Holder, Ident, Kind, Match, Period, Policy, Rule,
    SourceName, Team, TeamId, Text, Treatment,
};
use crate::inventory::{Entry, Inventory, SourceState};
use crate::observe::View;
use jiff::tz::TimeZoneDatabase;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// When every view of the tests was taken.
pub const NOW: &str = "2026-11-21T16:00:00Z";

#[track_caller]
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One credential, most of it by default.
#[derive(Clone, Debug)]
pub struct Case {
    pub source: &'static str,
    pub holder_id: String,
    pub holder: String,
    pub key_id: String,
    pub label: String,
    pub kind: Kind,
    pub tags: &'static [&'static str],
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Case {
    pub fn new(holder_id: &str, key_id: &str, until: Option<&str>) -> Self {
        Self {
            source: "entra",
            holder_id: holder_id.to_owned(),
            holder: format!("holder {holder_id}"),
            key_id: key_id.to_owned(),
            label: "login".to_owned(),
            kind: Kind::ClientSecret,
            tags: &[],
            from: Some(at("2024-06-01T00:00:00Z")),
            until: until.map(at),
        }
    }

    fn entry(&self) -> Entry {
        let credential = Credential {
            id: CredentialId::parse(&format!("entra:application:{}:{}", self.holder_id, self.key_id)),
            source: SourceName::new(self.source),
            kind: self.kind,
            holder: Arc::new(Holder {
                name: Text::clean(&self.holder),
                id: Ident::new(&self.holder_id),
                app_id: Some(Ident::new("33758b54-a9cb-48ef-a363-5aaf10888f80")),
                team_tags: self.tags.iter().map(|tag| Box::from(*tag)).collect(),
                enabled: true,
                owners: None,
            }),
            label: Text::clean(&self.label),
            not_before: self.from,
            expires_at: self.until,
            enabled: true,
            in_use: false,
            x509: None,
            trouble: None,
            mark: None,
        };
        Entry { credential: Arc::new(credential), first_seen: at(NOW), trouble_since: None, missing_since: None }
    }
}

pub fn policy() -> Policy {
    let team = |id: &str| Team {
        id: TeamId::new(id),
        name: Text::clean(id),
        addresses: vec![format!("{id}@example.ca").parse::<Address>().unwrap()],
        calendar: CalendarChoice::Feed,
    };
    Policy {
        zone: TimeZoneDatabase::bundled().get("America/Vancouver").unwrap(),
        defaults: Treatment { teams: vec![TeamId::new("ccaas")], ..Treatment::default() },
        rules: vec![],
        teams: ["ccaas", "idim"].map(|id| (TeamId::new(id), team(id))).into_iter().collect::<BTreeMap<_, _>>(),
        urgent_within: Period::hours(24),
        stale_after: BTreeMap::from([(SourceName::new("entra"), Period::hours(6))]),
    }
}

/// A rule for the holders that `pattern` matches, told to `idim`.
pub fn rule_for(name: &str, pattern: &str) -> Rule {
    Rule {
        name: Text::clean(name),
        matching: Match { holder: Some(vec![Glob::new(pattern)]), ..Match::default() },
        treatment: Treatment {
            teams: vec![TeamId::new("idim"), TeamId::new("ccaas")],
            environment: Some(Text::clean("prod")),
            runbook: Some(Text::clean("https://docs.example.ca/rotate")),
            ..Treatment::default()
        },
        names_teams: true,
    }
}

/// The source `entra`, read at [`NOW`].
pub fn source_that_is_up() -> SourceState {
    SourceState {
        first_attempt: Some(at(NOW)),
        last_attempt: Some(at(NOW)),
        last_success: Some(at(NOW)),
        ..SourceState::unknown(SourceName::new("entra"), "entra")
    }
}

pub fn view(cases: &[Case]) -> View {
    view_with(cases, |_| ())
}

pub fn view_with(cases: &[Case], change: impl FnOnce(&mut Policy)) -> View {
    view_of(cases, vec![source_that_is_up()], change)
}

pub fn view_of(cases: &[Case], sources: Vec<SourceState>, change: impl FnOnce(&mut Policy)) -> View {
    let mut policy = policy();
    change(&mut policy);
    let inventory = Inventory::new(cases.iter().map(Case::entry).collect(), sources);
    let ledger = Ledger::default();
    let world = World { inventory: &inventory, policy: &policy, ledger: &ledger, foreseen_from: None };
    let Decision { verdicts, holders, .. } = decide(&world, at(NOW));
    View { at: at(NOW), inventory: Arc::new(inventory), policy: Arc::new(policy), verdicts, holders }
}

/// The place that a mail about Pexip comes from: an overlap, an end in a week, something expired, something hostile.
pub fn small_place() -> View {
    let pexip = |environment: &str, key: &str, until: &str| Case {
        holder: format!("Verify-by-Video Platform - {environment} - Pexip Administration OICD"),
        label: "Pexip Administration OICD client secret".to_owned(),
        ..Case::new(&format!("pexip-{environment}"), key, Some(until))
    };
    let api = |key: &str, from: &str, until: &str| Case {
        holder: "sec_bcgov_v1".to_owned(),
        label: "MaxConf API".to_owned(),
        from: Some(at(from)),
        ..Case::new("api", key, Some(until))
    };
    let cases = [
        pexip("Test", "k1", "2026-11-28T20:00:00Z"),
        pexip("Prod", "k2", "2027-05-01T06:30:00Z"),
        api("old", "2026-05-25T00:00:00Z", "2026-12-21T00:00:00Z"),
        api("new", "2026-10-23T00:00:00Z", "2027-04-21T00:00:00Z"),
        Case {
            holder: "<script>alert(1)</script>\u{202E}\u{1b}[31m\r\nBcc: x".to_owned(),
            label: "\"quoted\" \\ <b>".to_owned(),
            ..Case::new("hostile", "k", Some("2026-11-19T20:00:00Z"))
        },
        Case { label: String::new(), ..Case::new("endless", "k", None) },
    ];
    let quiet = SourceState {
        last_error: Some(Text::clean("vault: listing secrets failed (503); keeping the snapshot of 06:00")),
        first_attempt: Some(at("2026-11-20T14:00:00Z")),
        last_attempt: Some(at("2026-11-21T15:30:00Z")),
        last_success: Some(at("2026-11-21T14:00:00Z")),
        ..SourceState::unknown(SourceName::new("vault"), "key_vault")
    };
    view_of(&cases, vec![source_that_is_up(), quiet], |policy| policy.rules = vec![rule_for("Pexip OIDC", "*Pexip*")])
}

/// What comes in the days after `view`: a poll every hour, a run that tells all every twelve, the first of each at once.
pub fn foreseen(view: &View, days: i64) -> Forecast {
    let every = |hours: i64| {
        let next = move |after: Timestamp| after.as_second().div_euclid(hours * 3600) + 1;
        move |after| Timestamp::from_second(next(after) * hours * 3600).ok()
    };
    let ledger = Ledger::default();
    let world = World { inventory: &view.inventory, policy: &view.policy, ledger: &ledger, foreseen_from: None };
    let to = view.at + SignedDuration::from_hours(24 * days);
    forecast(&world, to, &Rounds::new(view.at, &every(1)), &Rounds::new(view.at, &every(12))).unwrap()
}

pub fn small_forecast() -> (View, Forecast) {
    let view = small_place();
    let forecast = foreseen(&view, 30);
    (view, forecast)
}
