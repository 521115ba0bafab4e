//! The forecast against the slow and honest way: to decide about everything at every single run, and to tell what is owed.

use super::*;
use crate::decide::decide;
use crate::decide::testing::{at, policy, rule, secret, team_ids, thresholds};
use crate::domain::{
    Credential, CredentialId, Escalation, Glob, Holder, Ident, Kind, LastUse, Mark, Match, NoticeKind, Owners, Period,
    Policy, Serial, SourceName, Successor, TeamId, Text, Treatment, Trouble, X509,
};
use crate::inventory::{Inventory, SourceState};
use crate::schedule::Cron;
use jiff::SignedDuration;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Within the days that follow, clocks change in Berlin, Vancouver, New York, Lord Howe and Santiago.
const FROM: &str = "2026-09-20T16:20:00Z";
const DAYS: i64 = 60;

#[derive(Debug)]
struct Place {
    inventory: Inventory,
    policy: Policy,
    ledger: Ledger,
    poll: &'static str,
    notify: &'static str,
    /// Whether a run that tells all is owed already.
    is_owed: bool,
}

/// A notice as its mail tells it: when, who, what.
type Line = (Timestamp, NoticeKey, String);

impl Place {
    fn from(&self) -> Timestamp {
        at(FROM)
    }

    fn to(&self) -> Timestamp {
        self.from() + SignedDuration::from_hours(24 * DAYS)
    }

    fn next<'a>(&'a self, cron: &str) -> impl Fn(Timestamp) -> Option<Timestamp> + use<'a> {
        let cron = Cron::parse(cron).unwrap();
        move |after| cron.next_after(after, &self.policy.zone)
    }

    fn first_notify(&self) -> Timestamp {
        if self.is_owed { self.from() } else { self.next(self.notify)(self.from()).unwrap() }
    }

    fn foreseen(&self) -> Vec<Line> {
        let (poll, notify) = (self.next(self.poll), self.next(self.notify));
        let (polls, notifies) = (Rounds::new(self.from(), &poll), Rounds::new(self.first_notify(), &notify));
        let forecast = forecast(&self.world(&self.ledger), self.to(), &polls, &notifies).unwrap();
        assert!(forecast.notices.is_sorted_by_key(|notice| notice.at));
        for notice in &forecast.notices {
            let entry = notice.entry.map(|entry| &self.inventory.entries()[entry].credential.id);
            assert_eq!(*entry.unwrap_or(&notice.key.credential), notice.key.credential);
        }
        sorted(forecast.notices.into_iter().map(|notice| (notice.at, notice.key, notice.reason)).collect())
    }

    fn world<'a>(&'a self, ledger: &'a Ledger) -> World<'a> {
        World { inventory: &self.inventory, policy: &self.policy, ledger, foreseen_from: Some(self.from()) }
    }

    /// What the daemon does, one run after another.
    fn lived(&self) -> Vec<Line> {
        let chain = |first: Timestamp, next: &dyn Fn(Timestamp) -> Option<Timestamp>| {
            std::iter::successors(Some(first), |run| next(*run))
                .take_while(|run| *run <= self.to())
                .collect::<BTreeSet<_>>()
        };
        let polls = chain(self.from(), &self.next(self.poll));
        let notifies = chain(self.first_notify(), &self.next(self.notify));
        let (mut ledger, mut told, mut ever) = (self.ledger.clone(), Vec::new(), BTreeSet::new());
        for run in polls.union(&notifies) {
            // Whoever answers goes on answering.
            let sources = self.inventory.sources().iter().cloned().map(|source| match source.is_up() {
                true => SourceState { last_success: Some(*run), ..source },
                false => source,
            });
            let inventory = Inventory::new(self.inventory.entries().to_vec(), sources.collect());
            for notice in decide(&World { inventory: &inventory, ..self.world(&ledger) }, *run).notices {
                let is_told = notice.urgent || notifies.contains(run);
                let is_silence = notice.key.kind == NoticeKind::SourceStale;
                // The store's own guard: an identity is enqueued once, and what it closes is no part of it.
                let identity = NoticeKey { closes: Default::default(), ..notice.key.clone() };
                if is_told && !is_silence && !self.ledger.holds(&notice.key) && ever.insert(identity) {
                    ledger.extend([notice.key.clone()]);
                    told.push((*run, notice.key, notice.reason));
                }
            }
        }
        sorted(told)
    }
}

fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|a, b| (a.0, &a.1, &a.2).cmp(&(b.0, &b.1, &b.2)));
    lines
}

fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

fn any_instant(hours: std::ops::Range<i64>) -> impl Strategy<Value = Timestamp> {
    // Odd minutes, whole minutes, and the very instants of runs.
    (hours, 0..4i64, prop_oneof![Just(0), Just(1), Just(-1), 0..3_600_000_000_000i64]).prop_map(
        |(hour, part, nanos)| {
            at("2026-09-20T16:00:00Z")
                + self::hours(hour)
                + SignedDuration::new(part * 600, 0)
                + SignedDuration::from_nanos(nanos)
        },
    )
}

const KINDS: [Kind; 7] = [
    Kind::ClientSecret,
    Kind::ClientSecret,
    Kind::ClientCertificate,
    Kind::VaultSecret,
    Kind::ServedCertificate,
    Kind::IssuedCertificate,
    Kind::Declared,
];

prop_compose! {
    fn any_credential()(
        kind in proptest::sample::select(&KINDS), holder in 0..2u8, label in 0..2u8, key in 0..6u32,
        start in any_instant(-150 * 24..50 * 24), end in any_instant(-40 * 24..100 * 24),
        odd in 0..40u8, mark in 0..6u32, mark_app in any::<bool>(), marked in any::<bool>(), seen in -30..1i64,
        trouble in 0..12u8, since in any_instant(-60..1), missing in proptest::bool::weighted(0.08),
    ) -> Entry {
        let name = if matches!(kind, Kind::ServedCertificate | Kind::IssuedCertificate) { "a.example.ca".to_owned() } else { format!("app{holder}") };
        let id = match kind {
            Kind::ClientSecret | Kind::ClientCertificate => format!("entra:application:{name}:{key}"),
            Kind::VaultSecret => format!("key_vault:secret:vault/{key}"),
            Kind::ServedCertificate => format!("tls:{name}:10.0.0.{key}:443"),
            Kind::IssuedCertificate => format!("digicert:{label}:{key}"),
            _ => format!("declared:hand:{name}/{key}"),
        };
        let source = match kind {
            Kind::ClientSecret | Kind::ClientCertificate => "entra",
            Kind::VaultSecret => "vault",
            Kind::ServedCertificate => "nodes",
            _ => "others",
        };
        let is_tls = kind.is_certificate();
        let mark_of = Mark { app_id: mark_app.then(|| Ident::new(&format!("id-app{holder}"))), key_id: (!mark_app).then(|| Ident::new(&mark.to_string())) };
        let trouble = match trouble {
            0 => Some(Trouble::Unreachable(Text::clean("timed out"))),
            1 => Some(Trouble::Untrusted(Text::clean("incomplete chain"))),
            _ => None,
        }.filter(|_| is_tls).map(Box::new);
        let credential = Credential {
            id: CredentialId::parse(&id),
            source: SourceName::new(source),
            kind,
            holder: Arc::new(Holder {
                name: Text::clean(&name), id: Ident::new(&name), app_id: Some(Ident::new(&format!("id-{name}"))), team_tags: Box::default(), enabled: true,
                owners: (odd < 10).then(|| Arc::new(Owners::Reachable(["a@example.ca".parse().unwrap()].into()))),
            }),
            label: Text::clean(&format!("label{label}")),
            not_before: (odd != 1).then_some(start),
            expires_at: (odd != 2).then_some(end),
            enabled: odd != 3,
            x509: is_tls.then(|| Arc::new(X509 {
                serial: Serial::parse(&format!("0A0{key}")).unwrap(), issuer: None, sha1: None, names: [Text::clean("a.example.ca")].into(), paid_until: None,
            })),
            mark: (kind == Kind::VaultSecret && marked).then(|| Box::new(mark_of)),
            trouble: trouble.clone(),
            ..secret("x", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
        };
        Entry {
            credential: Arc::new(credential),
            first_seen: at(FROM) + hours(24 * seen),
            trouble_since: trouble.map(|_| Box::new(since.min(at(FROM)))),
            missing_since: missing.then(|| at(FROM) - hours(5)),
        }
    }
}

fn any_treatment() -> impl Strategy<Value = Treatment> {
    const LADDERS: [&[&str]; 5] = [
        &["60d", "30d", "14d", "7d", "3d", "1d", "0d"],
        &["33%", "16%", "8%", "3d", "0d"],
        &["36h", "5h", "90m"],
        &["50%", "10d", "30h", "0d"],
        &[],
    ];
    let ladder = || proptest::sample::select(&LADDERS).prop_map(thresholds);
    let period =
        |all: &'static [&'static str]| proptest::sample::select(all).prop_map(|one| one.parse::<Period>().ok());
    let escalation = proptest::option::of(proptest::sample::select(&["3d", "20h", "25%", "500d"]));
    let teams = proptest::sample::subsequence(vec!["ccaas", "idim", "owner"], 0..3);
    let successor = prop_oneof![Just(Successor::Label), Just(Successor::Holder), Just(Successor::None)];
    let rest = (
        period(&["7d", "1d", "30h", "never"]),
        period(&["60d", "90d", "1000h", "never"]),
        escalation,
        teams,
        successor,
        proptest::bool::weighted(0.05),
    );
    (ladder(), ladder(), ladder(), ladder(), rest).prop_map(
        |(remind, remind_certificates, retire_remind, remind_rotation, rest)| {
            let (after_expiry, rotate_every, escalate, teams, successor, is_ignored) = rest;
            let escalate =
                escalate.map(|at| Escalation { at: at.parse().unwrap(), teams: team_ids(&["oversight", "owner"]) });
            let ignore = is_ignored.then(|| Text::clean("renews itself"));
            let forget_expired_after = Period::days(20);
            Treatment {
                teams: teams.into_iter().map(TeamId::new).collect(),
                remind,
                remind_certificates,
                retire_remind,
                remind_rotation,
                after_expiry,
                rotate_every,
                escalate,
                successor,
                ignore,
                forget_expired_after,
                ..Treatment::default()
            }
        },
    )
}

prop_compose! {
    fn any_source(name: &'static str)(silent in prop_oneof![4 => Just(0i64), 1 => 0..30i64], read in 0..200i64, uses in proptest::collection::vec((0..6u32, 0..400i64), 0..6)) -> SourceState {
        let read_at = at(FROM) - hours(read);
        let system = if name == "vault" { "key_vault" } else { name };
        let rows = uses.into_iter().map(|(key, ago)| (Ident::new(&key.to_string()), read_at - hours(ago)));
        let last_use = (read > 10).then(|| Arc::new(LastUse::read(read_at, rows)));
        let last = Some(at(FROM) - hours(silent));
        let last_error = (silent > 0).then(|| Text::clean("503"));
        SourceState { last_error, first_attempt: last, last_attempt: last, last_success: last, last_use, ..SourceState::unknown(SourceName::new(name), system) }
    }
}

prop_compose! {
    fn any_place()(
        entries in proptest::collection::vec(any_credential(), 1..9),
        sources in (any_source("entra"), any_source("vault"), any_source("nodes"), any_source("others")),
        defaults in any_treatment(), of_secrets in proptest::option::of(any_treatment()),
        zone in proptest::sample::select(&["UTC", "America/Vancouver", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"]),
        poll in proptest::sample::select(&["0 */30 * * * *", "0 17 */5 * * *", "0 0 3 * * *", "30 0 0 * * Mon"]),
        notify in proptest::sample::select(&["0 0 8 * * *", "0 0 8,20 * * Mon-Fri", "0 30 2 * * *", "0 0 0 * * *", "0 */50 * * * *"]),
        urgent_within in proptest::sample::select(&["24h", "0d", "2d", "90m"]), is_owed in any::<bool>(), told_before in 0..4i64,
    ) -> Place {
        let mut seen = BTreeSet::new();
        let entries: Vec<Entry> = entries.into_iter().filter(|entry| seen.insert(entry.credential.id.clone())).collect();
        let (a, b, c, d) = sources;
        let sources: Vec<SourceState> = vec![a, b, c, d];
        let inventory = Inventory::new(entries, sources);
        let secrets = Match { kind: Some(vec![Glob::new("client_*")]), ..Match::default() };
        let mut policy = Policy {
            zone: TimeZoneDatabase::bundled().get(zone).unwrap(), defaults, urgent_within: urgent_within.parse().unwrap(), ..policy(&[])
        };
        policy.rules = of_secrets.into_iter().map(|treatment| crate::domain::Rule { treatment, ..rule(secrets.clone(), &[]) }).collect();
        policy.stale_after = ["entra", "vault", "nodes", "others"].map(|name| (SourceName::new(name), Period::hours(7))).into();
        // Part of it has been told before, when things may have looked otherwise.
        let before = at(FROM) - hours(24 * told_before);
        let present: Vec<Entry> = inventory.entries().iter().map(|entry| Entry { missing_since: None, ..entry.clone() }).collect();
        let earlier = Inventory::new(present, inventory.sources().to_vec());
        let told = decide(&World { inventory: &earlier, policy: &policy, ledger: &Ledger::default(), foreseen_from: None }, before).notices;
        let told = told.into_iter().map(|notice| notice.key).filter(|_| told_before > 0);
        let silence = (told_before > 2).then(|| crate::domain::NoticeKey {
            credential: CredentialId::source("entra"), expires_at: None, kind: NoticeKind::SourceStale, step: crate::domain::Step::Stale(0),
            team: TeamId::new("ccaas"), episode: 0, closes: Default::default(),
        });
        Place { ledger: told.chain(silence).collect(), inventory, policy, poll, notify, is_owed }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_foreseen_is_what_deciding_at_every_run_tells(place in any_place()) {
        let (foreseen, lived) = (place.foreseen(), place.lived());
        for (foreseen, lived) in foreseen.iter().zip(&lived) {
            prop_assert_eq!(foreseen, lived);
        }
        prop_assert_eq!(foreseen.len(), lived.len(), "{:?}", foreseen.get(lived.len()).or(lived.get(foreseen.len())));
    }
}

/// A place with these credentials, polled each half hour, that tells all at eight in the morning.
fn place_of(credentials: Vec<Credential>, sources: Vec<SourceState>) -> Place {
    let entry = |credential| crate::decide::testing::entry(credential, "2026-09-01T00:00:00Z");
    let inventory = Inventory::new(credentials.into_iter().map(entry).collect(), sources);
    let (policy, ledger) = (policy(&["ccaas"]), Ledger::default());
    Place { inventory, policy, ledger, poll: "0 */30 * * * *", notify: "0 0 8 * * *", is_owed: true }
}

#[track_caller]
fn assert_told(place: &Place, kind: NoticeKind, when: &str) {
    let foreseen = place.foreseen();
    assert_eq!(foreseen, place.lived());
    let first = foreseen.iter().find(|(_, key, _)| key.kind == kind).map(|(when, ..)| *when);
    assert_eq!(first, Some(at(when)), "{kind}");
}

#[test]
fn a_use_that_goes_on_becomes_one_since_the_successor_began() {
    let old = secret("1", "2026-06-01T00:00:00Z", "2026-10-12T12:00:00Z");
    let new = secret("2", "2026-09-18T16:20:00Z", "2027-03-01T00:00:00Z");
    let used = (Ident::new("1"), at("2026-09-15T16:20:00Z"));
    let last = Some(at(FROM));
    let source = SourceState {
        first_attempt: last,
        last_attempt: last,
        last_success: last,
        last_use: Some(Arc::new(LastUse::read(at(FROM), [used]))),
        ..SourceState::unknown(SourceName::new("entra"), "entra")
    };
    // Used five days before, begun two days before: in three days it will have been used since.
    assert_told(&place_of(vec![old, new], vec![source]), NoticeKind::StillInUse, "2026-09-24T15:00:00Z");
}

#[test]
fn a_certificate_that_is_issued_for_a_later_day_is_missed_where_it_is_served_from_that_day_on() {
    let certificate = |kind, id: &str, serial: &str, from, until| {
        let x509 = X509 {
            serial: Serial::parse(serial).unwrap(),
            issuer: None,
            sha1: None,
            names: [Text::clean("app")].into(),
            paid_until: None,
        };
        Credential { kind, id: CredentialId::parse(id), x509: Some(Arc::new(x509)), ..secret("x", from, until) }
    };
    let (old, new) =
        (("2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z"), ("2026-09-26T10:00:00Z", "2027-09-01T00:00:00Z"));
    let served = certificate(Kind::ServedCertificate, "tls:app:10.0.0.1:443", "0A01", old.0, old.1);
    let issued = certificate(Kind::IssuedCertificate, "digicert:1:2", "0A02", new.0, new.1);
    assert_told(&place_of(vec![served, issued], Vec::new()), NoticeKind::NotDeployed, "2026-09-26T15:00:00Z");
}

#[test]
fn a_vault_disagrees_from_the_day_on_which_what_it_keeps_is_superseded() {
    let old = secret("1", "2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z");
    let new = secret("2", "2026-09-26T10:00:00Z", "2027-09-01T00:00:00Z");
    let kept = Credential {
        kind: Kind::VaultSecret,
        id: CredentialId::parse("key_vault:secret:vault/name"),
        mark: Some(Box::new(Mark { app_id: None, key_id: Some(Ident::new("1")) })),
        ..old.clone()
    };
    assert_told(&place_of(vec![old, new, kept], Vec::new()), NoticeKind::DateMismatch, "2026-09-26T15:00:00Z");
}
