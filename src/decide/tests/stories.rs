//! Lives of credentials, told day by day.

use super::{Life, short};
use crate::decide::testing::{at, policy, rule, secret, team_ids};
use crate::decide::{Code, Status};
use crate::domain::{Credential, Glob, Match, NoticeKind, Successor, Text, Treatment};
use jiff::SignedDuration;

const EIGHT: &str = "2026-11-21T15:00:00Z"; // 08:00 in Vancouver
const FROM: &str = "2026-06-01T00:00:00Z";

/// Ends on the 10th day after EIGHT, at noon.
fn ending() -> Credential {
    secret("old", FROM, "2026-12-01T19:00:00Z")
}

fn rotated() -> Credential {
    secret("new", "2026-11-20T00:00:00Z", "2027-11-20T00:00:00Z")
}

#[test]
fn a_secret_that_nobody_rotates_is_told_once_at_each_threshold_and_weekly_after_its_end() {
    let told = Life::with_defaults().days(EIGHT, 30, |_| vec![ending()]);
    assert_eq!(
        told,
        [
            "0 expiring 14d",
            "3 expiring 7d",
            "7 expiring 3d",
            "9 expiring 1d",
            "10 expiring 0d",
            "11 expired",
            "17 expired expired+7d",
            "24 expired expired+14d"
        ]
    );
}

#[test]
fn after_a_downtime_there_is_one_notice_not_one_for_each_missed_threshold() {
    let mut life = Life::with_defaults();
    assert_eq!(life.days(EIGHT, 1, |_| vec![ending()]), ["0 expiring 14d"]);
    assert_eq!(life.days("2026-11-30T15:00:00Z", 1, |_| vec![ending()]), ["0 expiring 1d"]);
}

#[test]
fn a_rotated_secret_is_resolved_once_announced_as_retiring_and_ends_in_silence() {
    let told =
        Life::with_defaults().days(EIGHT, 30, |day| if day < 2 { vec![ending()] } else { vec![ending(), rotated()] });
    assert_eq!(told, ["0 expiring 14d", "2 resolved", "3 retiring 7d"]);
}

#[test]
fn a_rotation_before_anybody_was_told_needs_no_word_but_that_the_old_one_retires() {
    let told = Life::with_defaults().days(EIGHT, 30, |_| vec![ending(), rotated()]);
    assert_eq!(told, ["3 retiring 7d"]);
}

#[test]
fn a_deleted_secret_is_resolved_and_a_restored_one_is_told_again_where_it_stands() {
    let told = Life::with_defaults().days(EIGHT, 8, |day| if (2..5).contains(&day) { vec![] } else { vec![ending()] });
    assert_eq!(told, ["0 expiring 14d", "2 resolved", "5 expiring 7d", "7 expiring 3d"]);
}

#[test]
fn when_the_successor_disappears_the_ladder_resumes_where_it_stands() {
    let told = Life::with_defaults().days(EIGHT, 12, |day| match day {
        0..=1 => vec![ending()],
        2..=7 => vec![ending(), rotated()],
        _ => vec![ending()],
    });
    assert_eq!(
        told,
        [
            "0 expiring 14d",
            "2 resolved",
            "3 retiring 7d",
            "8 expiring 3d",
            "9 expiring 1d",
            "10 expiring 0d",
            "11 expired"
        ]
    );
}

#[test]
fn a_successor_that_is_switched_off_covers_nothing() {
    let off = Credential { enabled: false, ..rotated() };
    let told = Life::with_defaults().days(EIGHT, 4, |_| vec![ending(), off.clone()]);
    assert_eq!(told, ["0 expiring 14d", "3 expiring 7d"]);
}

#[test]
fn a_later_end_resolves_the_old_story_and_begins_a_new_one() {
    let moved = |end: &str| Credential { expires_at: Some(at(end)), ..ending() };
    let told = Life::with_defaults().days(EIGHT, 60, |day| match day {
        0..=1 => vec![ending()],
        _ => vec![moved("2027-02-20T00:00:00Z")],
    });
    assert_eq!(told, ["0 expiring 14d", "2 resolved", "30 expiring 60d"]);
    let told = Life::with_defaults().days(EIGHT, 4, |day| match day {
        0..=1 => vec![ending()],
        _ => vec![moved("2026-11-29T00:00:00Z")],
    });
    assert_eq!(told, ["0 expiring 14d", "2 expiring 7d"], "a nearer end is told, not resolved");
}

#[test]
fn a_planned_end_that_was_announced_and_came_is_not_resolved_when_the_old_one_is_cleaned_up() {
    let told = Life::with_defaults().days(EIGHT, 30, |day| match day {
        0..=12 => vec![ending(), rotated()],
        _ => vec![rotated()],
    });
    assert_eq!(told, ["3 retiring 7d"]);
    let early =
        Life::with_defaults().days(EIGHT, 30, |day| if day < 6 { vec![ending(), rotated()] } else { vec![rotated()] });
    assert_eq!(early, ["3 retiring 7d", "6 resolved"], "one that was deleted before its time is");
}

#[test]
fn a_failed_source_goes_on_producing_notices_and_is_news_itself_daily_until_it_answers() {
    let mut life = Life::with_defaults();
    let mut told = Vec::new();
    for day in 0..7 {
        let now = at(EIGHT) + SignedDuration::from_hours(24 * day);
        let outcome = if (1..5).contains(&day) { Err("503") } else { Ok(vec![ending()]) };
        told.extend(life.run(now, outcome).iter().map(|notice| format!("{day} {}", short(notice))));
    }
    assert_eq!(
        told,
        [
            "0 expiring 14d",
            "1 source_stale stale",
            "2 source_stale stale+1d",
            "3 expiring 7d",
            "3 source_stale stale+2d",
            "4 source_stale stale+3d",
            "5 resolved"
        ]
    );
}

#[test]
fn a_source_that_never_answered_is_stale_after_its_limit_counted_from_the_first_attempt() {
    let mut life = Life::with_defaults();
    let hour = |h| at(EIGHT) + SignedDuration::from_hours(h);
    assert!(life.run(hour(0), Err("403")).is_empty());
    assert!(life.run(hour(6), Err("403")).is_empty());
    assert_eq!(life.run(hour(7), Err("403")).iter().map(short).collect::<Vec<_>>(), ["source_stale stale"]);
    assert!(life.run(hour(8), Err("403")).is_empty());
    assert_eq!(life.run(hour(9), Ok(vec![])).iter().map(short).collect::<Vec<_>>(), ["resolved"]);
    assert!(life.run(hour(10), Ok(vec![])).is_empty());
}

#[test]
fn what_ended_long_before_it_was_first_seen_is_listed_and_never_mailed() {
    let dead = secret("dead", FROM, "2026-10-01T00:00:00Z");
    let recent = secret("recent", FROM, "2026-11-10T00:00:00Z");
    let mut life = Life::with_defaults();
    let told =
        life.days(EIGHT, 40, |_| vec![dead.clone(), Credential { label: Text::clean("other"), ..recent.clone() }]);
    assert!(told.iter().all(|line| line.contains("expired")), "{told:?}");
    assert_eq!(told[0], "0 expired expired+7d", "the tightest rung only, counted from the end");
    let decision = life.decide(at(EIGHT));
    let dead = &decision.verdicts[0];
    assert_eq!((dead.status, dead.code), (Status::Expired, Code::Ignored));
}

#[test]
fn what_is_ignored_is_never_mailed_even_if_it_was_before() {
    let mut life = Life::with_defaults();
    assert_eq!(life.days(EIGHT, 1, |_| vec![ending()]).len(), 1);
    let mut ignore = rule(Match { holder: Some(vec![Glob::new("*")]), ..Match::default() }, &["ccaas"]);
    ignore.treatment.ignore = Some(Text::clean("renews itself"));
    life.policy.rules = vec![ignore];
    assert!(life.days(EIGHT, 40, |_| vec![ending()]).is_empty());
    let decision = life.decide(at(EIGHT));
    assert_eq!((decision.verdicts[0].status, decision.verdicts[0].code), (Status::Ignored, Code::Ignored));
    assert!(life.days(EIGHT, 2, |_| vec![]).is_empty(), "nor when it is deleted");
}

#[test]
fn what_nobody_owns_is_due_and_said_to_be_unowned_but_nobody_is_mailed() {
    let mut life = Life::new(policy(&[]));
    assert!(life.days(EIGHT, 20, |_| vec![ending()]).is_empty());
    let decision = life.decide(at(EIGHT));
    assert_eq!(decision.verdicts[0].code, Code::Due);
    let calendar = crate::decide::Calendar::new(&life.policy.zone, at(EIGHT));
    let sentence = decision.verdicts[0].explain(&life.inventory, &life.policy, &calendar);
    assert!(sentence.contains("no team owns it"), "{sentence}");
}

#[test]
fn every_team_is_told_once_and_a_team_that_joins_later_hears_where_it_stands() {
    let mut life = Life::new(policy(&["ccaas", "idim"]));
    let teams = |life: &mut Life, now| {
        life.run(at(now), Ok(vec![ending()])).iter().map(|notice| notice.key.team.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(teams(&mut life, EIGHT), ["ccaas", "idim"]);
    life.policy.defaults.teams = team_ids(&["ccaas", "idim", "oversight"]);
    assert_eq!(teams(&mut life, "2026-11-22T15:00:00Z"), ["oversight"]);
    life.policy.defaults.teams = team_ids(&["ccaas"]);
    let now = at("2026-11-23T15:00:00Z");
    let resolved = life.run(now, Ok(vec![ending(), rotated()]));
    let told: Vec<_> = resolved.iter().map(|notice| (notice.key.kind, notice.key.team.as_str())).collect();
    let kind = NoticeKind::Resolved;
    assert_eq!(told, [(kind, "ccaas"), (kind, "idim"), (kind, "oversight")], "whoever was told hears that it is over");
}

#[test]
fn what_has_not_begun_waits_for_its_beginning() {
    let mut life = Life::with_defaults();
    let future = secret("future", "2026-11-26T00:00:00Z", "2026-12-01T19:00:00Z");
    let told = life.days(EIGHT, 12, |_| vec![future.clone()]);
    assert_eq!(told, ["7 expiring 3d", "9 expiring 1d", "10 expiring 0d", "11 expired"]);
    life.ledger = Default::default();
    let verdict = &life.decide(at(EIGHT)).verdicts[0];
    assert_eq!((verdict.status, verdict.code), (Status::NotYetValid, Code::Waiting));
    let calendar = crate::decide::Calendar::new(&life.policy.zone, at(EIGHT));
    assert_eq!(verdict.next_at(&life.inventory, &life.policy, &calendar), Some(at("2026-11-28T07:00:00Z")));
}

#[test]
fn what_begins_after_its_own_end_has_ended_and_does_not_wait_for_what_is_past() {
    let mut life = Life::with_defaults();
    let reversed = secret("reversed", "2026-12-20T00:00:00Z", "2026-11-25T00:00:00Z");
    life.days(EIGHT, 6, |_| vec![reversed.clone()]);
    let now = at(EIGHT) + SignedDuration::from_hours(6 * 24);
    let verdict = &life.decide(now).verdicts[0];
    let calendar = crate::decide::Calendar::new(&life.policy.zone, now);
    let next = verdict.next_at(&life.inventory, &life.policy, &calendar);
    assert_eq!((verdict.status, next.filter(|next| *next < now)), (Status::Expired, None));
}

#[test]
fn what_ends_within_a_day_is_urgent_and_a_weekly_reminder_of_an_end_is_not() {
    let mut life = Life::with_defaults();
    let mut urgent = Vec::new();
    for day in 0..20 {
        let now = at(EIGHT) + SignedDuration::from_hours(24 * day);
        let told = life.run(now, Ok(vec![ending()]));
        urgent.extend(told.iter().filter(|notice| notice.urgent).map(|notice| format!("{day} {}", short(notice))));
    }
    assert_eq!(urgent, ["10 expiring 0d", "11 expired"]);
}

#[test]
fn a_clock_that_steps_back_makes_nobody_hear_anything_twice() {
    let mut life = Life::with_defaults();
    let forward = life.days(EIGHT, 13, |_| vec![ending()]);
    assert_eq!(forward.last().map(String::as_str), Some("11 expired"));
    assert!(life.days(EIGHT, 13, |_| vec![ending()]).is_empty());
}

#[test]
fn a_changed_ladder_does_not_repeat_what_was_told() {
    let mut life = Life::with_defaults();
    assert_eq!(life.days(EIGHT, 1, |_| vec![ending()]), ["0 expiring 14d"]);
    life.policy.defaults =
        Treatment { remind: crate::decide::testing::thresholds(&["20d", "12d", "3d"]), ..life.policy.defaults };
    assert_eq!(life.days(EIGHT, 1, |_| vec![ending()]), ["0 expiring 12d"], "a tighter rung than the one told");
    life.policy.defaults.remind = crate::decide::testing::thresholds(&["20d", "15d", "3d"]);
    assert!(life.days(EIGHT, 7, |_| vec![ending()]).is_empty(), "wider rungs count as told");
}

#[test]
fn two_secrets_with_labels_of_their_own_do_not_replace_each_other_unless_the_rule_says_so() {
    let second = Credential { label: Text::clean("second"), ..rotated() };
    let mut life = Life::with_defaults();
    assert_eq!(life.days(EIGHT, 1, |_| vec![ending(), second.clone()]), ["0 expiring 14d"]);
    let mut life = Life::with_defaults();
    life.policy.defaults.successor = Successor::Holder;
    assert!(life.days(EIGHT, 3, |_| vec![ending(), second.clone()]).is_empty());
}

#[test]
fn in_a_punctual_rotation_of_180_and_90_days_a_team_hears_of_each_planned_end_once_and_of_nothing_else() {
    let mut life = Life::with_defaults();
    let generation = |n: i64| {
        let start = at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(24 * 90 * n);
        let mut secret = secret(&n.to_string(), "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        (secret.not_before, secret.expires_at) = (Some(start), Some(start + SignedDuration::from_hours(24 * 180)));
        secret
    };
    let told = life.days("2026-01-01T15:00:00Z", 720, |day| (0..=day / 90).map(generation).collect());
    assert!(told.iter().all(|line| line.ends_with("retiring 7d")), "{told:?}");
    assert_eq!(told.len(), 6 + 1, "one for each of the generations that ended: {told:?}");
}
