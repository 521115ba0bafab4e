//! Last use: a consumer that moves late, or never, and a report that is not to be had.

use super::*;
use crate::domain::Text;

/// The secret `a` of day 0 and its successor `b` of day 90, whose consumer goes on using `a` until the morning of day `moves`.
fn moving(life: &mut Life, days: std::ops::Range<i64>, moves: i64) -> Vec<(i64, Notice)> {
    let secrets = [(0, made("a", 0)), (90, made("b", 90))];
    let clock = Life::with_defaults();
    life.mornings(FIRST, days, |day, now| {
        let last = clock.on_day(FIRST, day.min(moves), 5, 0);
        vec![with_use(reading("entra", now, Ok(so_far(day, &secrets))), used(now, &[("a", last)]))]
    })
}

/// From the rotation on.
fn since_rotation(told: &[(i64, Notice)]) -> Vec<String> {
    let later: Vec<(i64, Notice)> = told.iter().filter(|(day, _)| *day > 90).cloned().collect();
    heard_by("idim", &later)
}

#[test]
fn a_consumer_that_moves_late_is_told_of_on_the_ladder_of_ends_and_then_that_it_has_moved() {
    let told = moving(&mut api(), 0..190, 150);
    assert_eq!(
        since_rotation(&told),
        [
            "120 still_in_use 60d",
            "150 still_in_use 30d",
            "157 resolved",
            "166 rotation_due 14d",
            "173 retiring 7d",
            "173 rotation_due 7d",
            "180 rotation_due 0d"
        ]
    );
    let reason = |day, kind| on(day, kind, &told).reason.as_str();
    assert_eq!(
        reason(120, "still_in_use"),
        "60d threshold crossed on 2026-05-05; still in use: last used on 2026-05-05"
    );
    assert!(reason(157, "resolved").starts_with("it has not been used lately: its consumer has moved"));
    assert!(reason(173, "retiring").ends_with("not used for 23 days (last used on 2026-06-04), safe to let go"));
}

#[test]
fn a_consumer_that_never_moves_is_told_of_to_the_last_day_and_the_end_itself_is_not_announced_as_one() {
    let told = moving(&mut api(), 0..200, 200);
    let dates: Vec<String> = since_rotation(&told).into_iter().filter(|line| !line.contains("rotation_due")).collect();
    assert_eq!(
        dates,
        [
            "120 still_in_use 60d",
            "150 still_in_use 30d",
            "166 still_in_use 14d",
            "173 still_in_use 7d",
            "177 still_in_use 3d",
            "179 still_in_use 1d"
        ]
    );
}

#[test]
fn a_consumer_that_goes_back_is_told_of_again_where_it_stands() {
    let mut life = api();
    let mut told = moving(&mut life, 0..140, 121);
    assert_eq!(since_rotation(&told), ["120 still_in_use 60d", "128 resolved"]);
    told = moving(&mut life, 140..150, 200);
    assert_eq!(heard_by("idim", &told), ["140 still_in_use 60d"]);
}

#[test]
fn a_report_that_is_refused_leaves_the_old_one_to_retire_as_without_it_and_says_so() {
    let secrets = [(0, made("a", 0)), (90, made("b", 90))];
    let told = api().mornings(FIRST, 0..190, |day, now| {
        let refused = LastUse::default().refused(Text::clean("403: a licence is missing"));
        vec![with_use(reading("entra", now, Ok(so_far(day, &secrets))), refused)]
    });
    assert_eq!(
        since_rotation(&told),
        ["166 rotation_due 14d", "173 retiring 7d", "173 rotation_due 7d", "180 rotation_due 0d"]
    );
    let reason = &on(173, "retiring", &told).reason;
    assert!(reason.ends_with("whether it is still used is unknown: 403: a licence is missing"), "{reason}");
}

#[test]
fn what_was_told_of_a_use_is_not_resolved_by_ignorance() {
    let secrets = [(0, made("a", 0)), (90, made("b", 90))];
    for refused in [true, false] {
        let told = api().mornings(FIRST, 0..190, |day, now| {
            let read = reading("entra", now, Ok(so_far(day, &secrets)));
            match day {
                0..=130 => vec![with_use(read, used(now, &[("a", now)]))],
                _ if refused => {
                    vec![with_use(read, used(on_day(130), &[("a", on_day(130))]).refused(Text::clean("429")))]
                }
                // Read, but it does not list the secret.
                _ => vec![with_use(read, used(now, &[]))],
            }
        });
        let dates: Vec<String> =
            since_rotation(&told).into_iter().filter(|line| !line.contains("rotation_due")).collect();
        assert_eq!(dates, ["120 still_in_use 60d", "173 retiring 7d"], "refused: {refused}");
    }
}

fn on_day(day: i64) -> Timestamp {
    Life::with_defaults().on_day(FIRST, day, 8, 0)
}

#[test]
fn a_third_secret_is_not_taken_for_the_consumers_move_to_the_second() {
    let secrets = [(0, made("a", 0)), (90, made("b", 90)), (125, made("c", 125))];
    let mut life = api();
    let told = life.mornings(FIRST, 0..140, |day, now| {
        // Used each evening: when the third is made, not since then.
        vec![with_use(
            reading("entra", now, Ok(so_far(day, &secrets))),
            used(now, &[("a", now - SignedDuration::from_hours(10))]),
        )]
    });
    assert_eq!(since_rotation(&told), ["120 still_in_use 60d"]);
}

#[test]
fn a_use_of_which_it_is_too_early_to_say_anything_resolves_nothing() {
    // The second is withdrawn as the third is made: since then, the first has not been used yet.
    let (a, b, c) = (made("a", 0), made("b", 90), made("c", 125));
    let told = api().mornings(FIRST, 0..140, |day, now| {
        let read = match day {
            0..90 => vec![a.clone()],
            90..125 => vec![a.clone(), b.clone()],
            _ => vec![a.clone(), c.clone()],
        };
        vec![with_use(reading("entra", now, Ok(read)), used(now, &[("a", now - SignedDuration::from_hours(10))]))]
    });
    assert_eq!(since_rotation(&told), ["120 still_in_use 60d"]);
}

#[test]
fn an_old_one_that_is_in_use_when_its_successor_goes_is_simply_running_out() {
    let (a, b) = (made("a", 0), made("b", 90));
    let told = api().mornings(FIRST, 0..155, |day, now| {
        let read = if (90..145).contains(&day) { vec![a.clone(), b.clone()] } else { vec![a.clone()] };
        vec![with_use(reading("entra", now, Ok(read)), used(now, &[("a", now)]))]
    });
    assert_eq!(since_rotation(&told), ["120 still_in_use 60d", "145 expiring 60d", "150 expiring 30d"]);
}
