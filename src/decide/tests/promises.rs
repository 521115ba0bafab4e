//! What holds for any world: checked on random ones, with a second, naive computation of what should have been told.

mod year;

use super::Life;
use crate::decide::testing::at;
use crate::decide::{Decision, Ledger, Verdict, Wanted, World, decide};
use crate::domain::{Credential, CredentialId, Family, NoticeKey, NoticeKind, Step, Successor, TeamId, Threshold};
use crate::inventory::{Entry, Inventory};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::HashSet;
use year::{START, any_year, hours};

const REMIND: [i32; 7] = [60, 30, 14, 7, 3, 1, 0];

/// When the tightest of `ladder` that applies was crossed on the way from `start` to `end`, computed the slow and obvious way.
fn tightest(
    life: &Life,
    ladder: &[i32],
    start: Option<Timestamp>,
    end: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let zone = &life.policy.zone;
    let date = |instant: Timestamp| instant.to_zoned(zone.clone()).date();
    let days = start.map(|start| date(start).until(date(end)).unwrap().get_days());
    let applies = ladder.iter().filter(|rung| days.is_none_or(|days| **rung <= days));
    applies.map(|rung| before(life, end, *rung)).filter(|crossing| *crossing <= now).max()
}

/// The beginning of the day that lies so many days before that of `end`.
fn before(life: &Life, end: Timestamp, days: i32) -> Timestamp {
    let zone = &life.policy.zone;
    let date = end.to_zoned(zone.clone()).date() - jiff::Span::new().days(days);
    date.to_zoned(zone.clone()).unwrap().timestamp()
}

/// The tightest threshold that `credential` has crossed.
fn tightest_crossed(life: &Life, credential: &Credential, now: Timestamp) -> Option<Timestamp> {
    let end = credential.expires_at?;
    if end < now { Some(end) } else { tightest(life, &REMIND, credential.not_before, end, now) }
}

/// What a team was told of one family and has not been resolved since, in the order in which it was told.
fn open<'a>(life: &'a Life, id: &CredentialId, team: &TeamId, family: Family) -> Vec<&'a NoticeKey> {
    let mut open = Vec::new();
    for key in life.ledger.of(id).iter().filter(|key| key.team == *team) {
        if key.closes.contains(family) {
            open.clear();
        } else if key.kind.family() == Some(family) {
            open.push(key);
        }
    }
    open
}

/// Whether `team` has been told this kind at `crossing` or after it, of this end.
fn heard(
    life: &Life,
    credential: &Credential,
    team: &TeamId,
    kind: NoticeKind,
    end: Timestamp,
    crossing: Timestamp,
) -> bool {
    let keys = open(life, &credential.id, team, kind.family().unwrap());
    keys.iter().filter(|key| key.kind == kind && key.expires_at == credential.expires_at).any(|key| match key.step {
        Step::Before(Threshold::Before(period)) => before(life, end, period.amount.cast_signed()) >= crossing,
        Step::Expired(_) => true,
        _ => false,
    })
}

/// The others of its holder that are valid and could stand in for it.
fn others<'a>(life: &'a Life, verdict: &Verdict, now: Timestamp) -> Vec<&'a Credential> {
    let own = verdict.credential(&life.inventory);
    let rule = verdict.treatment(&life.policy).successor;
    let entries = life.inventory.entries().iter().filter(|entry| entry.missing_since.is_none());
    let could = |other: &&Credential| {
        other.id != own.id
            && other.kind == own.kind
            && other.holder.id == own.holder.id
            && other.is_valid_at(now)
            && (rule == Successor::Holder || (rule == Successor::Label && other.label == own.label))
    };
    entries.map(|entry| &*entry.credential).filter(could).collect()
}

/// Whether the directory's report says, recently, that it was used when another could have been, and recently.
fn is_used(life: &Life, verdict: &Verdict, now: Timestamp) -> bool {
    let own = verdict.credential(&life.inventory);
    let ends_later = |other: &&Credential| other.expires_at.is_none_or(|end| end > own.expires_at.unwrap());
    let covers = |other: &&Credential| other.not_before.is_some() && other.not_before >= own.not_before;
    let covering = others(life, verdict, now).into_iter().filter(covers).filter(ends_later);
    let since = covering.filter_map(|other| other.not_before).min();
    let report = life.inventory.source(&own.source).and_then(|source| source.last_use.as_deref());
    let known = report.and_then(|report| Some((report.of(own.id.key_id()?)?, report.read_at?)));
    known.zip(since).is_some_and(|((last, read_at), since)| {
        last >= since && read_at.duration_since(last) <= hours(168) && now.duration_since(read_at) <= hours(168)
    })
}

/// The kind of notice that should stand in the ledger of each of its teams, of what end, and since which crossing.
fn should_be_told(life: &Life, verdict: &Verdict, now: Timestamp) -> Option<(NoticeKind, Timestamp, Timestamp)> {
    let entry = verdict.entry(&life.inventory);
    let own = &*entry.credential;
    if verdict.place.told_by.is_some() || !own.has_begun_at(now) {
        return None;
    }
    if let Some(end) = own.expires_at {
        if entry.first_seen.duration_since(end) > hours(24 * 30) {
            return None;
        }
        let crossing = tightest_crossed(life, own, now);
        if verdict.superseded_by.is_some() {
            let runs = crossing.filter(|_| end >= now && is_used(life, verdict, now));
            return Some((NoticeKind::StillInUse, end, runs?));
        }
        let kind = if end < now { NoticeKind::Expired } else { NoticeKind::Expiring };
        if let Some(crossing) = crossing {
            return Some((kind, end, crossing));
        }
    }
    let (start, every) = (own.not_before?, verdict.treatment(&life.policy).rotate_every?);
    let is_newest = own.is_valid_at(now) && others(life, verdict, now).iter().all(|other| !is_newer(other, own));
    let end = before(life, start, -every.amount.cast_signed());
    let crossing = tightest(life, &[14, 7, 0], Some(start), end, now).filter(|_| is_newest);
    Some((NoticeKind::RotationDue, end, crossing?))
}

fn is_newer(other: &Credential, own: &Credential) -> bool {
    let age = |one: &Credential| (one.not_before, one.expires_at.is_none(), one.expires_at, one.id.clone());
    age(other) > age(own)
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
            for verdict in &life.decide(now).verdicts {
                let Some((kind, end, crossing)) = should_be_told(life, verdict, now) else { continue };
                let credential = verdict.credential(&life.inventory);
                for team in verdict.teams.iter() {
                    assert!(
                        heard(life, credential, team, kind, end, crossing),
                        "{now}: {team} did not hear {kind} of {:?}, crossed at {crossing}", credential.id
                    );
                }
            }
        });
    }

    #[test]
    fn every_credential_that_is_there_has_exactly_one_verdict_and_every_holder_one_state(year in any_year()) {
        year.live(|life, now, _| {
            let decision = life.decide(now);
            let judged: Vec<usize> = decision.verdicts.iter().map(|verdict| verdict.entry).collect();
            let there: Vec<usize> = (0..life.inventory.entries().len())
                .filter(|index| life.inventory.entries()[*index].missing_since.is_none()).collect();
            assert_eq!(judged, there);
            let held: Vec<usize> = decision.holders.iter().flat_map(|holder| holder.verdicts.clone()).collect();
            assert_eq!(held, (0..decision.verdicts.len()).collect::<Vec<_>>());
        });
    }

    #[test]
    fn whoever_wants_fewer_notices_gets_those_and_the_same_verdicts(year in any_year()) {
        year.live(|life, now, _| {
            let all = life.decide(now);
            let urgent = all.notices.iter().filter(|notice| notice.urgent).cloned().collect();
            for (wanted, notices) in [(Wanted::Urgent, urgent), (Wanted::Nothing, Vec::new())] {
                let some = life.decide_for(now, wanted);
                assert_eq!(some.notices, notices);
                let said = |decision: &Decision| format!("{:?} {:?}", decision.verdicts, decision.holders);
                assert_eq!(said(&some), said(&all));
            }
        });
    }

    #[test]
    fn a_failed_source_changes_no_verdict(year in any_year(), day in 0..365i64) {
        let mut life = year.life();
        let now = at(START) + hours(24 * day);
        life.poll_all(now, year.read(day));
        let later = now + hours(5);
        let said = |life: &Life| {
            let decision = life.decide(later);
            format!("{:?} {:?}", decision.verdicts, decision.holders)
        };
        let before = said(&life);
        let failed = ["entra", "vault"].map(|source| super::reading(source, later, Err("503")));
        life.poll_all(later, failed.into());
        prop_assert_eq!(before, said(&life));
    }

    #[test]
    fn the_order_in_which_things_are_read_changes_nothing(year in any_year(), day in 0..365i64, seed in any::<u64>()) {
        let mut life = year.life();
        let now = at(START) + hours(24 * day);
        life.poll_all(now, year.read(day));
        let entries: Vec<Entry> = life.inventory.entries().to_vec();
        let mut shuffled = entries.clone();
        let length = shuffled.len().max(1) as u64;
        for index in 0..shuffled.len() {
            shuffled.swap(index, (seed.rotate_left(index as u32 * 7) % length) as usize);
        }
        let told = |entries: Vec<Entry>| {
            let inventory = Inventory::new(entries, life.inventory.sources().to_vec());
            let world = World { inventory: &inventory, policy: &life.policy, ledger: &Ledger::default(), foreseen_from: None };
            let decision = decide(&world, now);
            format!("{:?} {:?} {:?}", decision.verdicts, decision.holders, decision.notices)
        };
        prop_assert_eq!(told(entries), told(shuffled));
    }

    #[test]
    fn an_alarm_that_was_told_is_resolved_by_the_end_or_still_true(year in any_year()) {
        year.live(|life, now, _| {
            let decision = life.decide(now);
            for entry in life.inventory.entries() {
                let verdict = decision.verdicts.iter().find(|verdict| verdict.entry(&life.inventory) == entry);
                for team in ["ccaas", "owner", "oversight"].map(TeamId::new) {
                    check_open_alarms(life, entry, verdict, &team, now);
                }
            }
        });
    }
}

/// Make sure that what `team` takes for true is.
fn check_open_alarms(life: &Life, entry: &Entry, verdict: Option<&Verdict>, team: &TeamId, now: Timestamp) {
    let id = &entry.credential.id;
    let told = |kind: NoticeKind| open(life, id, team, kind.family().unwrap()).iter().any(|key| key.kind == kind);
    let alarmed = told(NoticeKind::Expiring) || told(NoticeKind::Expired);
    let Some(verdict) = verdict else {
        assert!(!alarmed && !told(NoticeKind::RotationDue) && !told(NoticeKind::DateMismatch), "{now}: {id:?} is gone");
        return;
    };
    let is = |kind| verdict.rung().is_some_and(|rung| rung.kind == kind);
    // What the directory's credential tells by now is true all the same.
    let running_out = is(NoticeKind::Expiring) || is(NoticeKind::Expired) || verdict.place.told_by.is_some();
    assert!(!alarmed || running_out, "{now}: {team} still takes {id:?} for running out");
    let replaced = verdict.superseded_by.is_some()
        || (entry.credential.is_valid_at(now)
            && others(life, verdict, now).iter().any(|other| is_newer(other, &entry.credential)));
    assert!(!told(NoticeKind::RotationDue) || !replaced, "{now}: {team} still waits for {id:?} to be replaced");
    let idle = verdict.place.old_use == crate::decide::usage::OldUse::Idle && !entry.credential.has_ended_at(now);
    assert!(!told(NoticeKind::StillInUse) || !idle, "{now}: {team} still takes {id:?} for used");
    let differs = verdict.conditions.iter().any(|condition| condition.kind == NoticeKind::DateMismatch);
    let unread = verdict.place.compared == crate::decide::judge::Compared::Unread;
    assert!(!told(NoticeKind::DateMismatch) || differs || unread, "{now}: {team} still takes {id:?} for another's");
    assert!(!differs || told(NoticeKind::DateMismatch) || !verdict.teams.contains(team), "{now}: {team} missed {id:?}");
}
