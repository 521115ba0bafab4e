//! What holds for any world: checked on random ones, with a second, naive computation of what should have been told.

use super::Life;
use crate::decide::testing::{at, secret};
use crate::decide::{Calendar, Code, Ledger, Span, Verdict, World, decide};
use crate::domain::{Credential, CredentialId, Holder, Ident, NoticeKey, NoticeKind, Step, Successor, Text};
use crate::inventory::{Entry, Inventory};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;

const START: &str = "2026-09-15T15:00:00Z"; // a year from here has changes of the clock in many zones

fn hours(n: i64) -> SignedDuration {
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
                name: Text::clean(&name), id: Ident::new(&name), app_id: None, team_tags: Box::default(), enabled: true, owners: None,
            }),
            label: Text::clean(&format!("label{label}")),
            not_before: known_start.then_some(begin),
            expires_at: (!endless).then_some(begin + hours(24 * life)),
            enabled,
            ..secret("x", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
        }
    }
}

/// A credential with the days on which it is created and deleted.
fn any_lifetime() -> impl Strategy<Value = (Credential, i64, i64)> {
    (any_secret(), -50..200i64, 20..400i64).prop_map(|(credential, from, length)| (credential, from, from + length))
}

#[derive(Debug, Clone)]
struct Year {
    secrets: Vec<(Credential, i64, i64)>,
    /// Days on which the source does not answer.
    outages: HashSet<i64>,
    /// Days on which the watch does not run at all.
    downtimes: HashSet<i64>,
    rule: Successor,
}

fn any_year() -> impl Strategy<Value = Year> {
    let days = || proptest::collection::hash_set(0..365i64, 0..60);
    let rule = prop_oneof![Just(Successor::Label), Just(Successor::Holder), Just(Successor::None)];
    (proptest::collection::vec(any_lifetime(), 1..8), days(), days(), rule).prop_map(
        |(mut secrets, outages, downtimes, rule)| {
            let mut seen = HashSet::new();
            secrets.retain(|(credential, ..)| seen.insert(credential.id.clone()));
            Year { secrets, outages, downtimes, rule }
        },
    )
}

impl Year {
    fn present(&self, day: i64) -> Vec<Credential> {
        self.secrets
            .iter()
            .filter(|(_, from, to)| (*from..*to).contains(&day))
            .map(|(credential, ..)| credential.clone())
            .collect()
    }

    /// Lives it, calling `after_run` after each run.
    fn live(&self, mut after_run: impl FnMut(&Life, Timestamp, &[NoticeKey])) {
        let mut life = Life::with_defaults();
        life.policy.defaults.successor = self.rule;
        for day in 0..365 {
            if self.downtimes.contains(&day) {
                continue;
            }
            let now = at(START) + hours(24 * day);
            let outcome = if self.outages.contains(&day) { Err("503") } else { Ok(self.present(day)) };
            let told: Vec<NoticeKey> = life.run(now, outcome).into_iter().map(|notice| notice.key).collect();
            after_run(&life, now, &told);
        }
    }
}

/// The tightest threshold that `credential` has crossed, computed the slow and obvious way.
fn tightest_crossed(life: &Life, credential: &Credential, now: Timestamp) -> Option<Timestamp> {
    let zone = &life.policy.zone;
    let end = credential.expires_at?;
    if end < now {
        return Some(end);
    }
    let date = |instant: Timestamp| instant.to_zoned(zone.clone()).date();
    let life_in_days = credential.not_before.map(|start| date(start).until(date(end)).unwrap().get_days());
    [60, 30, 14, 7, 3, 1, 0]
        .iter()
        .filter(|days| life_in_days.is_none_or(|life| **days <= life))
        .map(|days| (date(end) - jiff::Span::new().days(*days)).to_zoned(zone.clone()).unwrap().timestamp())
        .filter(|crossing| *crossing <= now)
        .max()
}

fn is_alarm(verdict: &Verdict) -> bool {
    matches!(verdict.code, Code::Due | Code::Noticed)
        && verdict.rung().is_some_and(|rung| rung.kind != NoticeKind::Retiring)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_notice_is_owed_twice_and_asking_again_owes_nothing(year in any_year()) {
        let mut ever = HashSet::new();
        year.live(|life, now, told| {
            for key in told {
                assert!(ever.insert(key.clone()), "told twice: {key:?}");
            }
            assert!(life.decide(now).notices.is_empty(), "asking again owed something");
        });
    }

    #[test]
    fn nobody_is_left_in_silence_about_a_threshold_that_was_crossed(year in any_year()) {
        year.live(|life, now, _| {
            let decision = life.decide(now);
            let calendar = Calendar::new(&life.policy.zone, now);
            for verdict in &decision.verdicts {
                let entry = verdict.entry(&life.inventory);
                let credential = &entry.credential;
                let excused = verdict.superseded_by.is_some()
                    || !credential.has_begun_at(now)
                    || credential.expires_at.is_none_or(|end| entry.first_seen.duration_since(end) > hours(24 * 30));
                let Some(crossing) = tightest_crossed(life, credential, now).filter(|_| !excused) else { continue };
                let told = life.ledger.of(&credential.id).iter().any(|key| {
                    key.expires_at == credential.expires_at
                        && match key.step {
                            Step::Before(threshold) => key.kind == NoticeKind::Expiring
                                && calendar.crossing(threshold, Span::of_life(credential).unwrap()).is_some_and(|told| told >= crossing),
                            Step::Expired(_) => true,
                            _ => false,
                        }
                });
                assert!(told, "{now}: nobody heard of {:?}, crossed at {crossing}", credential.id);
            }
        });
    }

    #[test]
    fn every_credential_that_is_there_has_exactly_one_verdict(year in any_year()) {
        year.live(|life, now, _| {
            let decision = life.decide(now);
            let judged: Vec<usize> = decision.verdicts.iter().map(|verdict| verdict.entry).collect();
            let there: Vec<usize> = (0..life.inventory.entries().len())
                .filter(|index| life.inventory.entries()[*index].missing_since.is_none()).collect();
            assert_eq!(judged, there);
        });
    }

    #[test]
    fn a_failed_source_changes_no_verdict(year in any_year(), day in 0..365i64) {
        let mut life = Life::with_defaults();
        life.policy.defaults.successor = year.rule;
        let now = at(START) + hours(24 * day);
        life.poll(now, Ok(year.present(day)));
        let later = now + hours(5);
        let before: Vec<String> = life.decide(later).verdicts.iter().map(|verdict| format!("{verdict:?}")).collect();
        life.poll(later, Err("503"));
        let decision = life.decide(later);
        let after: Vec<String> = decision.verdicts.iter().map(|verdict| format!("{verdict:?}")).collect();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn the_order_in_which_things_are_read_changes_nothing(year in any_year(), day in 0..365i64, seed in any::<u64>()) {
        let now = at(START) + hours(24 * day);
        let entries: Vec<Entry> = year.present(day).into_iter()
            .map(|credential| Entry { credential: Arc::new(credential), first_seen: at(START), trouble_since: None, missing_since: None }).collect();
        let mut shuffled = entries.clone();
        let length = shuffled.len().max(1) as u64;
        for index in 0..shuffled.len() {
            shuffled.swap(index, (seed.rotate_left(index as u32 * 7) % length) as usize);
        }
        let life = Life::with_defaults();
        let told = |entries: Vec<Entry>| {
            let inventory = Inventory::new(entries, Vec::new());
            let world = World { inventory: &inventory, policy: &life.policy, ledger: &Ledger::default(), foreseen_from: None };
            let decision = decide(&world, now);
            format!("{:?} {:?}", decision.verdicts, decision.notices)
        };
        prop_assert_eq!(told(entries), told(shuffled));
    }

    #[test]
    fn an_alarm_that_was_told_is_resolved_by_the_end_or_still_true(year in any_year()) {
        year.live(|life, now, _| {
            let decision = life.decide(now);
            for entry in life.inventory.entries() {
                let told = life.ledger.of(&entry.credential.id);
                let resolved = told.iter().filter(|key| key.kind == NoticeKind::Resolved).map(|key| key.episode + 1).max().unwrap_or(0);
                let open_alarm = told.iter().any(|key| key.episode >= resolved
                    && matches!(key.kind, NoticeKind::Expiring | NoticeKind::Expired));
                let verdict = decision.verdicts.iter().find(|verdict| verdict.entry(&life.inventory) == entry);
                assert_eq!(open_alarm, verdict.is_some_and(is_alarm), "{now}: {:?}", entry.credential.id);
            }
        });
    }
}
