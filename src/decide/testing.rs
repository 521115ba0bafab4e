//! Small worlds for the tests of this module.

use crate::domain::{
    Address, CalendarChoice, Credential, CredentialId, Holder, Ident, Kind, Match, Period, Policy, Rule, SourceName,
    Team, TeamId, Text, Threshold, Treatment,
};
use crate::inventory::Entry;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::collections::BTreeMap;
use std::sync::Arc;

#[track_caller]
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn vancouver() -> TimeZone {
    TimeZoneDatabase::bundled().get("America/Vancouver").unwrap()
}

pub fn thresholds(written: &[&str]) -> Vec<Threshold> {
    written.iter().map(|threshold| threshold.parse().unwrap()).collect()
}

/// A client secret of the holder `app` with the label `secret`.
pub fn secret(key_id: &str, from: &str, until: &str) -> Credential {
    Credential {
        id: CredentialId::parse(&format!("entra:application:app:{key_id}")),
        source: SourceName::new("entra"),
        kind: Kind::ClientSecret,
        holder: Arc::new(Holder {
            name: Text::clean("app"),
            id: Ident::new("app"),
            app_id: None,
            team_tags: Box::default(),
            enabled: true,
            owners: None,
        }),
        label: Text::clean("secret"),
        not_before: Some(at(from)),
        expires_at: Some(at(until)),
        enabled: true,
        in_use: false,
        x509: None,
        trouble: None,
        mark: None,
    }
}

pub fn entry(credential: Credential, first_seen: &str) -> Entry {
    Entry { credential: Arc::new(credential), first_seen: at(first_seen), trouble_since: None, missing_since: None }
}

pub fn team_ids(teams: &[&str]) -> Vec<TeamId> {
    teams.iter().map(|team| TeamId::new(team)).collect()
}

/// The documented defaults in Vancouver, told to `default_teams`; `ccaas`, `idim` and `oversight` exist.
pub fn policy(default_teams: &[&str]) -> Policy {
    let team = |id: &str| Team {
        id: TeamId::new(id),
        name: Text::clean(id),
        addresses: vec![format!("{id}@example.ca").parse::<Address>().unwrap()],
        calendar: CalendarChoice::Feed,
    };
    Policy {
        zone: vancouver(),
        defaults: Treatment { teams: team_ids(default_teams), ..Treatment::default() },
        rules: Vec::new(),
        teams: ["ccaas", "idim", "oversight"]
            .map(|id| (TeamId::new(id), team(id)))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        urgent_within: Period::hours(24),
        stale_after: BTreeMap::from([(SourceName::new("entra"), Period::hours(6))]),
    }
}

/// The defaults for what matches, told to `teams`.
pub fn rule(matching: Match, teams: &[&str]) -> Rule {
    Rule {
        name: Text::clean("a rule"),
        matching,
        treatment: Treatment { teams: team_ids(teams), ..Treatment::default() },
        names_teams: true,
    }
}
