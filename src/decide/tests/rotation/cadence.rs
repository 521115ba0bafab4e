//! `rotate_every`: the API's secret, replaced in time, late, or never.

use super::*;
use crate::domain::NoticeKind;

/// Two years in which the secret is replaced every `cycle` days.
fn two_years(
    cycle: i64,
    report: impl Fn(i64, Timestamp, &[(i64, Credential)]) -> Option<LastUse>,
) -> Vec<(i64, Notice)> {
    let secrets: Vec<(i64, Credential)> =
        (0..=730 / cycle).map(|n| (n * cycle, made(&n.to_string(), n * cycle))).collect();
    api().mornings(FIRST, 0..730, |day, now| {
        let read = reading("entra", now, Ok(so_far(day, &secrets)));
        vec![match report(day, now, &secrets) {
            Some(report) => with_use(read, report),
            None => read,
        }]
    })
}

/// What a punctual cycle tells: two reminders, on the day of the second of which the old one's planned end is a week ahead, and that
/// it is done.
fn punctual() -> Vec<String> {
    let mut expected = Vec::new();
    for cycle in (0..).map(|n| 90 * n).take_while(|day| *day < 730) {
        expected.push(format!("{} rotation_due 14d", cycle + 76));
        if cycle > 0 {
            expected.push(format!("{} retiring 7d", cycle + 83));
        }
        expected.push(format!("{} rotation_due 7d", cycle + 83));
        expected.push(format!("{} resolved", cycle + 90));
    }
    expected.retain(|line| line.split_once(' ').unwrap().0.parse::<i64>().unwrap() < 730);
    expected
}

#[test]
fn a_secret_of_180_days_that_is_replaced_every_90_costs_each_team_three_mails_a_cycle() {
    let told = two_years(90, |_, _, _| None);
    for team in ["ccaas", "idim"] {
        assert_eq!(heard_by(team, &told), punctual(), "{team}");
        let mails = mails_to(team, &told);
        for cycle in 0..8 {
            let own: Vec<i64> = mails.iter().map(|day| day - 90 * cycle).filter(|day| (1..=90).contains(day)).collect();
            assert_eq!(own, [76, 83, 90], "{team}, cycle {cycle}");
        }
    }
}

#[test]
fn a_consumer_that_moves_within_three_weeks_adds_no_mail_and_the_old_one_is_said_to_be_safe_to_let_go() {
    let told = two_years(90, |day, now, secrets| {
        // Of each new secret, the consumer takes 20 days to make use.
        let newest = (day - 20).max(0) / 90;
        let last = |n: i64| if n == newest { now - hours(3) } else { now - hours(24 * (day - 90 * (n + 1) - 19) + 3) };
        let rows: Vec<(String, Timestamp)> =
            (0..=newest).filter(|n| (*n as usize) < secrets.len()).map(|n| (n.to_string(), last(n))).collect();
        let rows: Vec<(&str, Timestamp)> = rows.iter().map(|(key, at)| (key.as_str(), *at)).collect();
        Some(used(now, &rows))
    });
    assert_eq!(heard_by("idim", &told), punctual());
    let retiring = &on(173, "retiring", &told).reason;
    // Moved on day 110: last used on day 109.
    assert!(retiring.ends_with("; not used for 64 days (last used on 2026-04-24), safe to let go"), "{retiring}");
}

fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

#[test]
fn a_rotation_that_comes_late_is_reminded_of_on_its_day_and_resolved_when_it_comes() {
    let told = two_years(100, |_, _, _| None);
    assert_eq!(
        heard_by("idim", &told)[..9],
        [
            "76 rotation_due 14d",
            "83 rotation_due 7d",
            "90 rotation_due 0d",
            "100 resolved",
            "173 retiring 7d",
            "176 rotation_due 14d",
            "183 rotation_due 7d",
            "190 rotation_due 0d",
            "200 resolved"
        ]
    );
    assert!(told.iter().all(|(_, notice)| !matches!(notice.key.kind, NoticeKind::Expiring | NoticeKind::Expired)));
}

#[test]
fn a_rotation_that_comes_when_the_end_is_near_is_resolved_in_one_word() {
    let secrets = [(0, made("a", 0)), (130, made("b", 130))];
    let told = api().mornings(FIRST, 0..190, |day, now| entra(now, so_far(day, &secrets)));
    assert_eq!(
        heard_by("ccaas", &told),
        [
            "76 rotation_due 14d",
            "83 rotation_due 7d",
            "90 rotation_due 0d",
            "120 expiring 60d",
            "130 resolved",
            "173 retiring 7d"
        ]
    );
    assert!(on(130, "resolved", &told).reason.starts_with("rotated: a newer one has taken over"));
}

#[test]
fn a_secret_that_nobody_ever_replaces_goes_from_one_ladder_to_the_other() {
    let told = api().mornings(FIRST, 0..196, |_, now| entra(now, vec![made("a", 0)]));
    assert_eq!(
        heard_by("ccaas", &told),
        [
            "76 rotation_due 14d",
            "83 rotation_due 7d",
            "90 rotation_due 0d",
            "120 expiring 60d",
            "150 expiring 30d",
            "166 expiring 14d",
            "173 expiring 7d",
            "177 expiring 3d",
            "179 expiring 1d",
            "180 expired",
            "187 expired expired+7d",
            "194 expired expired+14d"
        ]
    );
}

#[test]
fn a_reminder_says_by_when_and_why_then() {
    let told = api().mornings(FIRST, 0..91, |_, now| entra(now, vec![made("a", 0)]));
    for (day, reason) in [
        (
            76,
            "14d threshold crossed on 2026-03-22; it is to be replaced by 2026-04-05, 90d since it began on 2026-01-05",
        ),
        (
            90,
            "0d threshold crossed on 2026-04-05; it is to be replaced by 2026-04-05, 90d since it began on 2026-01-05",
        ),
    ] {
        assert_eq!(on(day, "rotation_due", &told).reason, reason);
    }
}

#[test]
fn a_successor_that_is_deleted_or_switched_off_in_the_overlap_rearms_the_ladder_the_same_day() {
    let off = |secret: Credential| Credential { enabled: false, ..secret };
    for deleted in [true, false] {
        let (a, b) = (made("a", 0), made("b", 90));
        let told = api().mornings(FIRST, 0..170, |day, now| {
            let successor = match day {
                0..90 => vec![],
                90..140 => vec![b.clone()],
                _ if deleted => vec![],
                _ => vec![off(b.clone())],
            };
            entra(now, [vec![a.clone()], successor].concat())
        });
        let expected =
            ["76 rotation_due 14d", "83 rotation_due 7d", "90 resolved", "140 expiring 60d", "150 expiring 30d"];
        assert_eq!(heard_by("ccaas", &told)[..5], expected, "deleted: {deleted}");
    }
}

#[test]
fn a_successor_that_is_deleted_early_in_the_overlap_makes_the_rotation_due_again() {
    let (a, b) = (made("a", 0), made("b", 90));
    let told = api().mornings(FIRST, 0..125, |day, now| {
        entra(now, if (90..100).contains(&day) { vec![a.clone(), b.clone()] } else { vec![a.clone()] })
    });
    assert_eq!(
        heard_by("ccaas", &told),
        ["76 rotation_due 14d", "83 rotation_due 7d", "90 resolved", "100 rotation_due 0d", "120 expiring 60d"]
    );
}

#[test]
fn a_successor_whose_end_is_moved_before_the_old_ones_covers_nothing_from_that_day_on() {
    let (a, b) = (made("a", 0), made("b", 90));
    let short = living("b", 90, 80); // ends on day 170, ten days before the old one
    let told = api().mornings(FIRST, 0..185, |day, now| {
        let second = if day < 155 { b.clone() } else { short.clone() };
        entra(now, if day < 90 { vec![a.clone()] } else { vec![a.clone(), second] })
    });
    assert_eq!(
        heard_by("idim", &told)[3..],
        [
            "155 expiring 30d", // the old one, where it stands
            "155 expiring 30d", // and the new one, which ends in 15 days
            "156 expiring 14d",
            "163 expiring 7d",
            "166 expiring 14d",
            "167 expiring 3d",
            "169 expiring 1d",
            "170 expired",
            "173 expiring 7d",
            "177 expiring 3d",
            "177 expired expired+7d",
            "179 expiring 1d",
            "180 expired",
            "184 expired expired+14d"
        ]
    );
}

#[test]
fn a_secret_without_an_end_is_due_for_replacement_by_its_age_alone_and_that_is_resolved_when_it_is_replaced() {
    let endless = |key: &str, day| Credential { expires_at: None, ..made(key, day) };
    let secrets = [(0, endless("a", 0)), (95, endless("b", 95))];
    let told = api().mornings(FIRST, 0..180, |day, now| entra(now, so_far(day, &secrets)));
    assert_eq!(
        heard_by("ccaas", &told),
        [
            "76 rotation_due 14d",
            "83 rotation_due 7d",
            "90 rotation_due 0d",
            "95 resolved",
            "171 rotation_due 14d",
            "178 rotation_due 7d"
        ]
    );
}

#[test]
fn a_replacement_that_ends_before_the_old_one_is_a_replacement_as_far_as_age_goes() {
    let secrets = [(0, living("a", 0, 365)), (95, living("b", 95, 60))];
    let told = api().mornings(FIRST, 0..160, |day, now| entra(now, so_far(day, &secrets)));
    assert_eq!(
        heard_by("ccaas", &told),
        [
            "76 rotation_due 14d",
            "83 rotation_due 7d",
            "90 rotation_due 0d",
            "95 resolved",
            "95 expiring 60d",
            "125 expiring 30d",
            "141 expiring 14d",
            "148 expiring 7d",
            "152 expiring 3d",
            "154 expiring 1d",
            // With the short one gone, the old one is the newest there is, and old.
            "155 rotation_due 0d",
            "155 expired"
        ]
    );
}

#[test]
fn a_plan_that_is_given_up_or_changed_is_not_a_rotation() {
    let mut life = api();
    let told = life.mornings(FIRST, 0..80, |_, now| entra(now, vec![made("a", 0)]));
    assert_eq!(heard_by("ccaas", &told), ["76 rotation_due 14d"]);
    life.policy.rules[0].treatment.rotate_every = None;
    assert!(life.mornings(FIRST, 80..90, |_, now| entra(now, vec![made("a", 0)])).is_empty());
    life.policy.rules[0].treatment.rotate_every = Some(Period::days(100));
    let told = life.mornings(FIRST, 90..101, |_, now| entra(now, vec![made("a", 0)]));
    assert_eq!(heard_by("ccaas", &told), ["93 rotation_due 7d", "100 rotation_due 0d"], "tighter rungs only");
}
