//! Who is told: owners, tags, and who else once it becomes serious.

use super::*;
use crate::decide::testing::{at, team_ids};
use crate::domain::{Escalation, Holder, NoticeKind, Owners};
use std::sync::Arc;

fn escalating(at: &str) -> Life {
    let mut life = api();
    life.policy.rules[0].treatment.escalate =
        Some(Escalation { at: at.parse().unwrap(), teams: team_ids(&["oversight"]) });
    life
}

#[test]
fn oversight_hears_from_its_threshold_on_and_that_it_is_over() {
    let secrets = [(0, made("a", 0)), (185, made("b", 185))];
    let told = escalating("3d").mornings(FIRST, 0..200, |day, now| entra(now, so_far(day, &secrets)));
    assert_eq!(
        heard_by("oversight", &told),
        ["90 rotation_due 0d", "177 expiring 3d", "179 expiring 1d", "180 expired", "185 resolved"]
    );
    assert_eq!(heard_by("idim", &told).iter().filter(|line| line.ends_with("resolved")).count(), 1);
    let early = &on(173, "expiring", &told).reason;
    assert!(!early.contains("escalated"), "{early}");
    for (day, kind) in [(90, "rotation_due"), (177, "expiring"), (180, "expired")] {
        let notice = on(day, kind, &told);
        let reason = &notice.reason;
        assert!(reason.ends_with("; escalated to oversight, who are told from 3d on"), "{reason}");
        assert_eq!(notice.told, team_ids(&["ccaas", "idim", "oversight"]));
    }
}

#[test]
fn oversight_hears_of_a_consumer_that_has_not_moved_and_not_of_a_planned_end() {
    let secrets = [(0, made("a", 0)), (90, made("b", 90)), (180, made("c", 180))];
    let mut life = escalating("30d");
    let told = life.mornings(FIRST, 0..200, |day, now| {
        let last = if day < 155 { now } else { life_at(155) };
        vec![with_use(reading("entra", now, Ok(so_far(day, &secrets))), used(now, &[("a", last)]))]
    });
    assert_eq!(
        heard_by("oversight", &told),
        [
            "76 rotation_due 14d",
            "83 rotation_due 7d",
            "90 resolved",
            "150 still_in_use 30d",
            "163 resolved",
            "166 rotation_due 14d",
            "173 rotation_due 7d",
            "180 resolved"
        ]
    );
    assert!(heard_by("idim", &told).contains(&"173 retiring 7d".to_owned()));
}

fn life_at(day: i64) -> Timestamp {
    Life::with_defaults().on_day(FIRST, day, 8, 0)
}

#[test]
fn who_is_one_of_the_teams_already_is_told_once_and_is_no_escalation() {
    let mut life = api();
    life.policy.rules[0].treatment.escalate =
        Some(Escalation { at: "3d".parse().unwrap(), teams: team_ids(&["idim", "ccaas"]) });
    let told = life.mornings(FIRST, 0..91, |_, now| entra(now, vec![made("a", 0)]));
    assert_eq!(mails_to("idim", &told), [76, 83, 90]);
    assert!(told.iter().all(|(_, notice)| !notice.reason.contains("escalated")));
}

#[test]
fn what_nobody_owns_still_reaches_oversight() {
    let mut life = Life::new(policy(&[]));
    life.policy.defaults.escalate = Some(Escalation { at: "3d".parse().unwrap(), teams: team_ids(&["oversight"]) });
    let told = life.mornings(FIRST, 0..181, |_, now| entra(now, vec![made("a", 0)]));
    assert_eq!(told.len(), heard_by("oversight", &told).len());
    assert_eq!(heard_by("oversight", &told), ["177 expiring 3d", "179 expiring 1d", "180 expired"]);
}

fn owned_by(secret: Credential, owners: Option<Owners>) -> Credential {
    let holder = Holder { owners: owners.map(Arc::new), ..(*secret.holder).clone() };
    Credential { holder: Arc::new(holder), ..secret }
}

fn ada() -> Owners {
    Owners::Reachable(["ada@example.ca".parse().unwrap()].into())
}

/// What goes to the holder's owners.
fn owners_life() -> Life {
    let mut life = api();
    life.policy.rules[0].treatment.teams = team_ids(&["owner"]);
    life.policy.rules[0].treatment.rotate_every = None;
    life
}

#[test]
fn owners_that_become_known_later_hear_where_it_stands_and_all_who_were_told_hear_that_it_is_over() {
    let told = owners_life().mornings(FIRST, 0..180, |day, now| {
        let owners = if day < 155 { Owners::Hidden } else { ada() };
        let old = owned_by(made("a", 0), Some(owners.clone()));
        let new = owned_by(made("b", 168), Some(owners));
        entra(now, if day < 168 { vec![old] } else { vec![old, new] })
    });
    assert_eq!(heard_by("ccaas", &told), ["120 expiring 60d", "150 expiring 30d", "168 resolved"]);
    assert_eq!(
        heard_by("owner", &told),
        ["155 expiring 30d", "166 expiring 14d", "168 resolved", "173 retiring 7d"],
        "where it stood when they became known"
    );
    let reason = &on(120, "expiring", &told).reason;
    assert!(reason.ends_with("; told in the place of its owners: its owners' addresses may not be read"), "{reason}");
    for (_, notice) in &told {
        assert_eq!(notice.owners.len(), usize::from(notice.key.team.is_owner()), "{:?}", notice.key);
    }
}

#[test]
fn owners_whose_addresses_are_hidden_for_a_while_are_stood_in_for_and_hear_nothing_twice() {
    let told = owners_life().mornings(FIRST, 0..180, |day, now| {
        let owners = if (152..167).contains(&day) { None } else { Some(ada()) };
        entra(now, vec![owned_by(made("a", 0), owners)])
    });
    assert_eq!(
        heard_by("owner", &told),
        [
            "120 expiring 60d",
            "150 expiring 30d",
            "167 expiring 14d",
            "173 expiring 7d",
            "177 expiring 3d",
            "179 expiring 1d"
        ]
    );
    assert_eq!(heard_by("ccaas", &told), ["152 expiring 30d", "166 expiring 14d"]);
}

#[test]
fn an_escalation_to_owners_reaches_them_where_they_are_known_and_the_default_teams_where_not() {
    for (owners, expected) in [(Some(ada()), 3), (Some(Owners::Nobody), 0)] {
        let mut life = api();
        life.policy.defaults.teams = team_ids(&["oversight"]);
        life.policy.rules[0].treatment.rotate_every = None;
        life.policy.rules[0].treatment.escalate =
            Some(Escalation { at: "3d".parse().unwrap(), teams: team_ids(&["owner"]) });
        let told = life.mornings(FIRST, 0..181, |_, now| entra(now, vec![owned_by(made("a", 0), owners.clone())]));
        assert_eq!(heard_by("owner", &told).len(), expected);
        assert_eq!(heard_by("oversight", &told).len(), 3 - expected);
    }
}

#[test]
fn a_tag_names_the_team_where_the_rule_names_none() {
    let mut life = api();
    life.policy.rules[0].names_teams = false;
    life.policy.rules[0].treatment.teams = team_ids(&["ccaas"]);
    let tagged = |team: &str| {
        let holder = Holder { team_tags: [team.into()].into(), ..(*made("a", 0).holder).clone() };
        Credential { holder: Arc::new(holder), ..made("a", 0) }
    };
    let told =
        life.mornings(FIRST, 0..91, |day, now| entra(now, vec![tagged(if day < 80 { "idim" } else { "nobody" })]));
    assert_eq!(heard_by("idim", &told), ["76 rotation_due 14d"]);
    assert_eq!(heard_by("ccaas", &told), ["80 rotation_due 14d", "83 rotation_due 7d", "90 rotation_due 0d"]);
    assert!(told.iter().all(|(_, notice)| notice.key.kind == NoticeKind::RotationDue));
}

#[test]
fn the_sentence_says_who_is_told_by_escalation_and_what_comes_next() {
    let mut life = escalating("3d");
    life.poll(at("2026-07-01T15:00:00Z"), Ok(vec![made("a", 0)]));
    let now = at("2026-07-01T15:00:00Z");
    let decision = life.decide(now);
    let calendar = crate::decide::Calendar::new(&life.policy.zone, now);
    assert_eq!(
        decision.verdicts[0].explain(&life.inventory, &life.policy, &calendar),
        "3d threshold crossed on 2026-07-01; not yet noticed; make a new one before 2026-07-04; next: expiring 1d on \
         2026-07-03; the rule \"a rule\" tells ccaas, idim, and oversight by escalation"
    );
}
