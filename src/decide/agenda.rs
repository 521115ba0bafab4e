//! Which date of a credential belongs into whose calendar.
//!
//! One all-day entry for each credential that somebody has to renew, on the next day that counts:
//!
//! ```text
//!   not_before                 rotate_every      60d                        end
//!   |-------------------------------|-------------|--------------------------|----> time
//!    Replace (where it is planned)   Renew         End                        End, until it is renewed or gone
//! ```
//! That is the day of its planned replacement or of the widest threshold of its ladder, whichever comes first and is not past; when
//! both are, the day of its end. So the entry of a replacement that is overdue does not lie in the past, where nobody looks.
//!
//! Has no date: what is superseded (its end is planned), ignored, without an end, or told with the credential that a vault's entry
//! keeps. The holder's owners get no calendar: they are different for each holder, and there is nobody to ask whether they want one.

use super::calendar::{Calendar, Span};
use super::rotation;
use super::verdict::{Reason, Status, Verdict};
use crate::domain::{Appointment, Occasion, Policy, TeamId};
use crate::inventory::Inventory;
use jiff::Timestamp;
use jiff::civil::Date;
use std::sync::Arc;

/// A credential's date, and the teams that have it.
#[derive(Clone, Debug)]
pub struct Dated {
    pub appointment: Appointment,
    pub teams: Arc<[TeamId]>,
}

/// The dates of the teams that `wanted` names, in the inventory's order: what has ended and is still an alarm among them.
pub fn agenda<'a>(
    inventory: &'a Inventory,
    policy: &'a Policy,
    verdicts: &'a [Verdict],
    now: Timestamp,
    wanted: impl Fn(&TeamId) -> bool + 'a,
) -> impl Iterator<Item = Dated> + 'a {
    let is_wanted = move |verdict: &&Verdict| verdict.teams.iter().any(|team| !team.is_owner() && wanted(team));
    verdicts.iter().filter(is_wanted).filter_map(move |verdict| {
        let calendar = Calendar::new(&policy.zone, now);
        Some(Dated { appointment: appointment(verdict, inventory, policy, &calendar)?, teams: verdict.teams.clone() })
    })
}

fn appointment(
    verdict: &Verdict,
    inventory: &Inventory,
    policy: &Policy,
    calendar: &Calendar<'_>,
) -> Option<Appointment> {
    let is_silent = verdict.is_covered()
        || verdict.status == Status::Ignored
        || matches!(verdict.reason, Reason::ToldBy(_) | Reason::EndedLongAgo);
    let (entry, treatment) = (verdict.entry(inventory), verdict.treatment(policy));
    let expires_at = entry.credential.expires_at.filter(|_| !is_silent)?;
    let (day, occasion) = day(verdict, inventory, policy, calendar)?;
    Some(Appointment {
        credential: entry.credential.clone(),
        expires_at,
        day,
        occasion,
        environment: treatment.environment.clone(),
        runbook: treatment.runbook.clone(),
        first_seen: entry.first_seen,
    })
}

fn day(verdict: &Verdict, inventory: &Inventory, policy: &Policy, calendar: &Calendar<'_>) -> Option<(Date, Occasion)> {
    let (credential, treatment) = (verdict.credential(inventory), verdict.treatment(policy));
    let life = Span::of_life(credential)?;
    let ladder = treatment.ladder(credential.kind).iter();
    let widest = ladder.filter_map(|threshold| calendar.crossing(*threshold, life)).min();
    let plan = verdict.place.newest.then(|| rotation::plan(credential, treatment, calendar)).flatten();
    let (today, end) = (calendar.date(calendar.now), calendar.date(life.end));
    let ahead = [(plan.map(|plan| plan.end), Occasion::Replace), (widest, Occasion::Renew)]
        .into_iter()
        .filter_map(|(at, occasion)| Some((calendar.date(at?), occasion)))
        .filter(|(day, _)| (today..end).contains(day))
        .min_by_key(|(day, _)| *day);
    Some(ahead.unwrap_or((end, Occasion::End)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{at, entry, policy, secret, team_ids, thresholds};
    use crate::decide::{Ledger, World, decide};
    use crate::domain::{Credential, Glob, Match, Rule, Successor, Text, Treatment};
    use crate::inventory::Entry;

    const FROM: &str = "2026-06-01T20:00:00Z";
    const END: &str = "2026-12-01T20:00:00Z";

    /// Each date as `key day occasion`.
    fn dates(entries: Vec<Entry>, change: impl FnOnce(&mut Policy), now: &str) -> Vec<String> {
        let mut policy = policy(&["ccaas"]);
        change(&mut policy);
        let inventory = Inventory::new(entries, Vec::new());
        let ledger = Ledger::default();
        let world = World { inventory: &inventory, policy: &policy, ledger: &ledger, foreseen_from: None };
        let verdicts = decide(&world, at(now)).verdicts;
        let all = agenda(&inventory, &policy, &verdicts, at(now), |team| team.as_str() == "ccaas");
        let line = |dated: Dated| {
            let id = dated.appointment.credential.id.to_string();
            let key = id.rsplit(':').next().unwrap().to_owned();
            format!("{key} {} {:?}", dated.appointment.day, dated.appointment.occasion)
        };
        all.map(line).collect()
    }

    #[track_caller]
    fn check(credential: Credential, change: impl FnOnce(&mut Policy), now: &str, expected: &[&str]) {
        assert_eq!(dates(vec![entry(credential, FROM)], change, now), expected, "at {now}");
    }

    #[test]
    fn an_entry_stands_on_the_day_of_the_widest_threshold_and_once_that_has_passed_on_the_day_of_the_end() {
        for (now, expected) in [
            ("2026-06-02T00:00:00Z", "k 2026-10-02 Renew"),
            ("2026-10-03T06:59:59Z", "k 2026-10-02 Renew"), // still that day in Vancouver
            ("2026-10-03T07:00:00Z", "k 2026-12-01 End"),
            ("2026-12-01T20:00:01Z", "k 2026-12-01 End"),
            ("2027-06-01T00:00:00Z", "k 2026-12-01 End"), // still an alarm
        ] {
            check(secret("k", FROM, END), |_| (), now, &[expected]);
        }
    }

    #[test]
    fn days_are_those_of_the_zone() {
        // 23:30 on 30 November in Vancouver.
        let credential = secret("k", FROM, "2026-12-01T06:30:00Z");
        check(credential.clone(), |_| (), "2026-06-02T00:00:00Z", &["k 2026-10-01 Renew"]);
        check(credential, |_| (), "2026-11-25T00:00:00Z", &["k 2026-11-30 End"]);
    }

    #[test]
    fn only_a_threshold_that_applies_counts_and_shares_and_hours_have_a_day_too() {
        let short = secret("k", "2026-11-01T20:00:00Z", END);
        check(short.clone(), |_| (), "2026-11-01T21:00:00Z", &["k 2026-11-01 Renew"]);
        check(short.clone(), |_| (), "2026-11-02T21:00:00Z", &["k 2026-12-01 End"]);
        for (ladder, expected) in
            [(&["50%", "1d"][..], "k 2026-11-16 Renew"), (&["36h"], "k 2026-11-30 Renew"), (&[], "k 2026-12-01 End")]
        {
            let change = |policy: &mut Policy| policy.defaults.remind = thresholds(ladder);
            check(short.clone(), change, "2026-11-02T21:00:00Z", &[expected]);
        }
    }

    #[test]
    fn a_planned_replacement_has_the_day_that_is_planned_if_it_comes_first() {
        let rotated = |policy: &mut Policy| policy.defaults.rotate_every = Some("90d".parse().unwrap());
        for (now, expected) in [
            ("2026-06-02T20:00:00Z", "k 2026-08-30 Replace"),
            ("2026-08-31T07:00:00Z", "k 2026-10-02 Renew"), // overdue
            ("2026-10-03T07:00:00Z", "k 2026-12-01 End"),
        ] {
            check(secret("k", FROM, END), rotated, now, &[expected]);
        }
        let slow = |policy: &mut Policy| policy.defaults.rotate_every = Some("150d".parse().unwrap());
        check(secret("k", FROM, END), slow, "2026-06-02T20:00:00Z", &["k 2026-10-02 Renew"]);
        check(secret("k", FROM, END), slow, "2026-10-03T07:00:00Z", &["k 2026-10-29 Replace"]);
        let never = |policy: &mut Policy| policy.defaults.rotate_every = Some("400d".parse().unwrap());
        check(secret("k", FROM, END), never, "2026-10-03T07:00:00Z", &["k 2026-12-01 End"]);
    }

    #[test]
    fn what_nobody_has_to_renew_has_no_date() {
        let now = "2026-11-21T16:00:00Z";
        let ignored = |policy: &mut Policy| policy.defaults.ignore = Some(Text::clean("managed"));
        check(secret("k", FROM, END), ignored, now, &[]);
        check(Credential { expires_at: None, ..secret("k", FROM, END) }, |_| (), now, &[]);
        check(secret("k", "2025-06-01T00:00:00Z", "2025-12-01T00:00:00Z"), |_| (), now, &[]);
        let gone = Entry { missing_since: Some(at(now)), ..entry(secret("k", FROM, END), FROM) };
        assert!(dates(vec![gone], |_| (), now).is_empty());
        let next = secret("n", "2026-11-01T00:00:00Z", "2027-11-01T20:00:00Z");
        let both = vec![entry(secret("k", FROM, END), FROM), entry(next.clone(), FROM)];
        assert_eq!(dates(both.clone(), |_| (), now), ["n 2027-09-02 Renew"], "the old one's end is planned");
        let alone = |policy: &mut Policy| policy.defaults.successor = Successor::None;
        assert_eq!(dates(both, alone, now), ["k 2026-12-01 End", "n 2027-09-02 Renew"]);
        // It has not begun, and the old one is not covered yet.
        let early = vec![entry(secret("k", FROM, END), FROM), entry(next, FROM)];
        assert_eq!(dates(early, |_| (), "2026-10-20T00:00:00Z"), ["k 2026-12-01 End", "n 2027-09-02 Renew"]);
    }

    #[test]
    fn a_date_is_in_the_calendars_of_its_teams_and_never_in_those_of_owners() {
        let now = "2026-06-02T20:00:00Z";
        let told_to = |teams: &'static [&'static str]| {
            move |policy: &mut Policy| {
                let treatment = Treatment { teams: team_ids(teams), ..Treatment::default() };
                let matching = Match { holder: Some(vec![Glob::new("*")]), ..Match::default() };
                policy.rules = vec![Rule { name: Text::clean("r"), matching, treatment, names_teams: true }];
            }
        };
        check(secret("k", FROM, END), told_to(&["idim", "ccaas"]), now, &["k 2026-10-02 Renew"]);
        check(secret("k", FROM, END), told_to(&["idim"]), now, &[]);
        check(secret("k", FROM, END), told_to(&[]), now, &[]);
        // Its owners are not read, so the default teams stand in for them.
        check(secret("k", FROM, END), told_to(&["owner"]), now, &["k 2026-10-02 Renew"]);
    }
}
