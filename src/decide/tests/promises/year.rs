//! Random years: what is made, used, marked and deleted on which day, under which rule, and who can be asked.

use crate::decide::testing::{at, secret, team_ids};
use crate::decide::tests::{Life, reading, with_use};
use crate::domain::{
    Credential, CredentialId, Escalation, Holder, Ident, Kind, LastUse, Mark, NoticeKey, Owners, Period, SourceName,
    Successor, Text,
};
use crate::inventory::{Reading, SourceState};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;

pub const START: &str = "2026-09-15T15:00:00Z"; // a year from here has changes of the clock in many zones

pub fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

prop_compose! {
    /// A secret of one of a few holders and labels, beginning and ending anywhere around the simulated year.
    fn any_secret()(
        holder in 0..3u8, label in 0..2u8, key in 0..1000u32, start in -400..300i64, life in 1..500i64,
        enabled in proptest::bool::weighted(0.9), endless in proptest::bool::weighted(0.05), known_start in proptest::bool::weighted(0.9),
    ) -> Credential {
        let begin = at(START) + hours(24 * start + i64::from(key % 24));
        let name = format!("app{holder}");
        Credential {
            id: CredentialId::parse(&format!("entra:application:{name}:{key}")),
            holder: Arc::new(Holder {
                name: Text::clean(&name), id: Ident::new(&name), app_id: Some(Ident::new(&name)), team_tags: Box::default(), enabled: true,
                owners: None,
            }),
            label: Text::clean(&format!("label{label}")),
            not_before: known_start.then_some(begin),
            expires_at: (!endless).then_some(begin + hours(24 * life)),
            enabled,
            ..secret("x", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
        }
    }
}

/// Something with the days on which it is created and deleted.
#[derive(Debug, Clone)]
struct Lifetime {
    credential: Credential,
    from: i64,
    to: i64,
    /// The last day on which somebody uses it.
    used_until: i64,
}

fn any_lifetime() -> impl Strategy<Value = Lifetime> {
    (any_secret(), -50..200i64, 20..400i64, -30..400i64).prop_map(|(credential, from, length, used_until)| Lifetime {
        credential,
        from,
        to: from + length,
        used_until,
    })
}

/// What a vault says that it keeps: one of the secrets, by its key or its application, under its date or so, on some of the days.
#[derive(Debug, Clone)]
struct Copied {
    of: usize,
    by_key: bool,
    hours_off: Option<i64>,
    from: i64,
    to: i64,
}

fn any_copy() -> impl Strategy<Value = Copied> {
    let off = prop_oneof![Just(Some(0)), Just(Some(20)), Just(Some(-900)), Just(Some(30)), Just(None)];
    (0..8usize, any::<bool>(), off, -50..200i64, 20..400i64).prop_map(|(of, by_key, hours_off, from, length)| Copied {
        of,
        by_key,
        hours_off,
        from,
        to: from + length,
    })
}

#[derive(Debug, Clone)]
pub struct Year {
    secrets: Vec<Lifetime>,
    copies: Vec<Copied>,
    /// Days on which the sources do not answer.
    pub outages: HashSet<i64>,
    /// Days on which the directory answers, and refuses its report of sign-ins.
    refusals: HashSet<i64>,
    /// Days on which the watch does not run at all.
    downtimes: HashSet<i64>,
    pub rule: Successor,
    rotate_every: Option<u32>,
    escalate: Option<&'static str>,
    /// From this day on the owners are known, to whom everything goes; `None` = it goes to a team.
    owners_known: Option<i64>,
}

pub fn any_year() -> impl Strategy<Value = Year> {
    let days = || proptest::collection::hash_set(0..365i64, 0..60);
    let rule = prop_oneof![Just(Successor::Label), Just(Successor::Holder), Just(Successor::None)];
    let things = (proptest::collection::vec(any_lifetime(), 1..8), proptest::collection::vec(any_copy(), 0..3));
    let escalate = prop_oneof![Just(None), Just(Some("3d")), Just(Some("30d")), Just(Some("10%"))];
    let wishes = (rule, proptest::option::of(5..150u32), escalate, proptest::option::of(-100..365i64));
    (things, days(), days(), days(), wishes).prop_map(
        |((mut secrets, copies), outages, refusals, downtimes, wishes)| {
            let (rule, rotate_every, escalate, owners_known) = wishes;
            let mut seen = HashSet::new();
            secrets.retain(|one| seen.insert(one.credential.id.clone()));
            Year { secrets, copies, outages, refusals, downtimes, rule, rotate_every, escalate, owners_known }
        },
    )
}

impl Year {
    /// A watch that begins.
    pub fn life(&self) -> Life {
        let mut life = Life::with_defaults();
        let vault = SourceName::new("vault");
        life.policy.stale_after.insert(vault.clone(), Period::hours(6));
        life.sources.push(SourceState::unknown(vault, "key_vault"));
        let treatment = &mut life.policy.defaults;
        treatment.successor = self.rule;
        treatment.rotate_every = self.rotate_every.map(Period::days);
        treatment.escalate =
            self.escalate.map(|at| Escalation { at: at.parse().unwrap(), teams: team_ids(&["oversight"]) });
        if self.owners_known.is_some() {
            let mut rule = crate::decide::testing::rule(Default::default(), &["owner"]);
            rule.treatment = crate::domain::Treatment { teams: team_ids(&["owner"]), ..life.policy.defaults.clone() };
            life.policy.rules = vec![rule];
        }
        life
    }

    fn directory(&self, day: i64) -> Vec<Credential> {
        let owners = self.owners_known.map(|known| match day >= known {
            true => Arc::new(Owners::Reachable(["ada@example.ca".parse().unwrap()].into())),
            false => Arc::new(Owners::Hidden),
        });
        let there = self.secrets.iter().filter(|one| (one.from..one.to).contains(&day));
        there
            .map(|one| {
                let holder = Arc::new(Holder { owners: owners.clone(), ..(*one.credential.holder).clone() });
                Credential { holder, ..one.credential.clone() }
            })
            .collect()
    }

    fn vault(&self, day: i64) -> Vec<Credential> {
        let there = self.copies.iter().enumerate().filter(|(_, copy)| (copy.from..copy.to).contains(&day));
        there
            .map(|(n, copy)| {
                let of = &self.secrets[copy.of % self.secrets.len()].credential;
                let key_id = of.id.key_id().filter(|_| copy.by_key).cloned();
                let name = format!("entry{n}");
                let holder = Holder { name: Text::clean(&name), id: Ident::new(&name), ..(*of.holder).clone() };
                Credential {
                    id: CredentialId::parse(&format!("key_vault:secret:vault/{name}")),
                    source: SourceName::new("vault"),
                    kind: Kind::VaultSecret,
                    holder: Arc::new(holder),
                    expires_at: copy.hours_off.and_then(|off| Some(of.expires_at? + hours(off))),
                    mark: Some(Box::new(Mark { app_id: of.holder.app_id.clone(), key_id })),
                    ..of.clone()
                }
            })
            .collect()
    }

    /// All that is read on a day.
    pub fn read(&self, day: i64) -> Vec<Reading> {
        let now = at(START) + hours(24 * day);
        if self.outages.contains(&day) {
            return vec![reading("entra", now, Err("503")), reading("vault", now, Err("503"))];
        }
        let rows = self.secrets.iter().filter(|one| one.used_until > -20).map(|one| {
            let last = at(START) + hours(24 * one.used_until.min(day) - 2);
            (one.credential.id.key_id().unwrap().clone(), last)
        });
        let directory = reading("entra", now, Ok(self.directory(day)));
        let directory =
            if self.refusals.contains(&day) { directory } else { with_use(directory, LastUse::read(now, rows)) };
        vec![directory, reading("vault", now, Ok(self.vault(day)))]
    }

    /// Lives it, calling `after_run` after each run.
    pub fn live(&self, mut after_run: impl FnMut(&Life, Timestamp, &[NoticeKey])) {
        let mut life = self.life();
        for day in (0..365).filter(|day| !self.downtimes.contains(day)) {
            let now = at(START) + hours(24 * day);
            let told: Vec<NoticeKey> = life.run_all(now, self.read(day)).into_iter().map(|notice| notice.key).collect();
            after_run(&life, now, &told);
        }
    }
}
