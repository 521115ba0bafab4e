//! How a holder stands, day by day.

use super::*;
use crate::decide::{Calendar, Context, State};

/// The state of the only holder after the mornings up to `day`, since which day, and why.
struct Stand {
    state: State,
    since: Option<i64>,
    why: String,
}

fn stand(life: &Life, day: i64) -> Stand {
    let now = life.on_day(FIRST, day, 8, 0);
    let decision = life.decide(now);
    assert_eq!(decision.holders.len(), 1);
    let calendar = Calendar::new(&life.policy.zone, now);
    let context = Context { inventory: &life.inventory, policy: &life.policy, calendar: &calendar };
    let holder = &decision.holders[0];
    let since = holder.since.map(|since| {
        let days = FIRST.until(calendar.date(since)).unwrap();
        i64::from(days.get_days())
    });
    Stand { state: holder.state, since, why: holder.explain(&decision.verdicts, context) }
}

/// Lives `days`, and says whenever the state or its beginning changes: the day, the state, since which day.
fn changes(
    life: &mut Life,
    days: i64,
    read: impl Fn(i64, Timestamp) -> Vec<Reading>,
) -> Vec<(i64, &'static str, Option<i64>)> {
    let mut changes: Vec<(i64, &'static str, Option<i64>)> = Vec::new();
    for day in 0..days {
        let now = life.on_day(FIRST, day, 8, 0);
        life.run_all(now, read(day, now));
        let Stand { state, since, .. } = stand(life, day);
        if changes.last().is_none_or(|(_, known, begun)| (*known, *begun) != (state.as_str(), since)) {
            changes.push((day, state.as_str(), since));
        }
    }
    changes
}

#[test]
fn a_holder_goes_through_the_states_of_a_whole_cycle_each_since_its_day() {
    let secrets = [(0, made("a", 0)), (90, made("b", 90)), (180, made("c", 180))];
    let clock = Life::with_defaults();
    let used_until = |day: i64, moves: i64| clock.on_day(FIRST, day.min(moves), 5, 0);
    let found = changes(&mut api(), 400, |day, now| {
        // The consumer of a moves on day 95, that of b on day 240, and nobody ever moves to anything after c.
        let rows = [("a", used_until(day, 95)), ("b", used_until(day, 240)), ("c", used_until(day, 400))];
        vec![with_use(reading("entra", now, Ok(so_far(day, &secrets))), used(now, &rows))]
    });
    assert_eq!(
        found,
        [
            (0, "steady", Some(0)),
            (76, "rotation_due", Some(76)),
            (90, "overlap", Some(90)), // made this morning; the old one was used before that
            (91, "old_in_use", Some(90)),
            (102, "retire_ready", Some(102)),
            (166, "rotation_due", Some(166)),
            (180, "overlap", Some(180)), // and the first one ends
            (181, "old_in_use", Some(180)),
            (247, "retire_ready", Some(247)),
            (256, "rotation_due", Some(256)),
            (360, "lapsed", Some(360)),
        ]
    );
}

#[test]
fn without_a_plan_and_without_a_report_there_is_overlap_and_then_rest() {
    let secrets = [(0, made("a", 0)), (90, made("b", 90))];
    let mut life = Life::with_defaults();
    let found = changes(&mut life, 280, |day, now| entra(now, so_far(day, &secrets)));
    assert_eq!(
        found,
        [(0, "steady", Some(0)), (90, "overlap", Some(90)), (180, "steady", Some(180)), (270, "lapsed", Some(270))]
    );
}

#[test]
fn a_successor_that_is_withdrawn_or_runs_out_takes_the_overlap_with_it() {
    let (a, b) = (made("a", 0), made("b", 60));
    let found = changes(&mut api(), 185, |day, now| {
        entra(now, if (60..120).contains(&day) { vec![a.clone(), b.clone()] } else { vec![a.clone()] })
    });
    assert_eq!(
        found,
        [
            (0, "steady", Some(0)),
            (60, "overlap", Some(60)),
            (120, "rotation_due", Some(76)),
            (180, "lapsed", Some(180))
        ]
    );
}

#[test]
fn with_three_at_once_the_overlap_is_as_old_as_the_first_successor() {
    let secrets = [(0, made("a", 0)), (50, made("b", 50)), (70, made("c", 70))];
    let found = changes(&mut api(), 100, |day, now| entra(now, so_far(day, &secrets)));
    assert_eq!(found, [(0, "steady", Some(0)), (50, "overlap", Some(50))]);
}

#[test]
fn what_is_switched_off_leaves_nothing_valid() {
    let off = || Credential { enabled: false, ..made("a", 0) };
    let mut life = api();
    life.poll_all(life.on_day(FIRST, 20, 8, 0), entra(life.on_day(FIRST, 20, 8, 0), vec![off()]));
    let Stand { state, since, why } = stand(&life, 20);
    assert_eq!(
        (state, since, why.as_str()),
        (State::Lapsed, None, "nothing valid is left: what is there is switched off")
    );
    // One that ended, and one that is switched off: nobody knows since when.
    let now = life.on_day(FIRST, 190, 8, 0);
    let second = Credential { enabled: false, ..made("b", 90) };
    life.poll_all(now, entra(now, vec![made("a", 0), second]));
    let Stand { state, since, why } = stand(&life, 190);
    assert_eq!((state, since, why.as_str()), (State::Lapsed, Some(180), "nothing valid is left since 2026-07-04"));
}

#[test]
fn what_has_not_begun_is_nothing_yet() {
    let mut life = api();
    life.poll_all(life.on_day(FIRST, 1, 8, 0), entra(life.on_day(FIRST, 1, 8, 0), vec![made("a", 10)]));
    let Stand { state, since, why } = stand(&life, 1);
    assert_eq!((state, since, why.as_str()), (State::Unknown, None, "nothing has begun yet"));
    // Though where one has lapsed, that the next one will begin does not help today.
    let now = life.on_day(FIRST, 185, 8, 0);
    life.poll_all(now, entra(now, vec![made("a", 0), made("b", 190)]));
    assert_eq!(stand(&life, 185).state, State::Lapsed);
}

#[test]
fn each_state_says_why() {
    let secrets = [(0, made("a", 0)), (95, made("b", 95))];
    let clock = Life::with_defaults();
    let mut life = api();
    let read = |day: i64, now: Timestamp| {
        let rows = [("a", clock.on_day(FIRST, day.min(110), 5, 0))];
        vec![with_use(reading("entra", now, Ok(so_far(day, &secrets))), used(now, &rows))]
    };
    for (day, state, why) in [
        (10, State::Steady, "the newest is valid until 2026-07-04, and to be replaced by 2026-04-05"),
        (80, State::RotationDue, "it is to be replaced by 2026-04-05, 90d since it began on 2026-01-05"),
        (94, State::RotationDue, "it was to be replaced by 2026-04-05, 90d since it began on 2026-01-05"),
        (
            95,
            State::Overlap,
            "a new one is valid since 2026-04-10, the last until 2026-10-07; the old one still runs until 2026-07-04; the old \
             one: last used on 2026-04-10, before its successor began",
        ),
        (
            110,
            State::OldInUse,
            "a new one is valid since 2026-04-10, the last until 2026-10-07; the old one still runs until 2026-07-04; the old \
             one: still in use: last used on 2026-04-25",
        ),
        (
            130,
            State::RetireReady,
            "a new one is valid since 2026-04-10, the last until 2026-10-07; the old one still runs until 2026-07-04; the old \
             one: not used for 20 days (last used on 2026-04-25), safe to let go",
        ),
        (280, State::Lapsed, "nothing valid is left since 2026-10-07"),
    ] {
        let now = life.on_day(FIRST, day, 8, 0);
        life.run_all(now, read(day, now));
        let found = stand(&life, day);
        assert_eq!((found.state, found.why.as_str()), (state, why), "{day}");
    }
}
