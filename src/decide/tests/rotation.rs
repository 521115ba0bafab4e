//! Lives of rotations, told as the runbook tells them: one secret beside the other, consumers that move, a vault that is kept up.

mod cadence;
mod table;
mod usage;
mod vault;
mod whom;

use super::{Life, reading, short, with_use};
use crate::decide::testing::{policy, rule, secret, thresholds};
use crate::domain::{Credential, Glob, Ident, LastUse, Match, Notice, Period, Successor};
use crate::inventory::Reading;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};

/// A Monday, on which the first secret of each story is made, early in the morning.
const FIRST: Date = date(2026, 1, 5);

/// The API's secret: lives 180 days, is replaced every 90, and its new one succeeds whatever its label; told to both teams.
fn api() -> Life {
    let mut policy = policy(&["ccaas"]);
    let mut rule = rule(Match { holder: Some(vec![Glob::new("app")]), ..Match::default() }, &["ccaas", "idim"]);
    rule.treatment.rotate_every = Some(Period::days(90));
    rule.treatment.remind_rotation = thresholds(&["14d", "7d", "0d"]);
    rule.treatment.successor = Successor::Holder;
    policy.rules = vec![rule];
    Life::new(policy)
}

/// A secret made on the morning of a day, before anybody is told anything; lives 180 days of 24 hours, as the directory counts.
fn made(key: &str, day: i64) -> Credential {
    living(key, day, 180)
}

fn living(key: &str, day: i64, days: i64) -> Credential {
    let from = Life::with_defaults().on_day(FIRST, day, 6, 30);
    let made = secret(key, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    Credential { not_before: Some(from), expires_at: Some(from + SignedDuration::from_hours(24 * days)), ..made }
}

/// Those of `secrets` that have been made by `day`; nobody deletes any.
fn so_far(day: i64, secrets: &[(i64, Credential)]) -> Vec<Credential> {
    secrets.iter().filter(|(from, _)| *from <= day).map(|(_, secret)| secret.clone()).collect()
}

/// A report of sign-ins read now, for secrets that were last used at these instants.
fn used(now: Timestamp, rows: &[(&str, Timestamp)]) -> LastUse {
    LastUse::read(now, rows.iter().map(|(key, last)| (Ident::new(key), *last)))
}

fn entra(now: Timestamp, read: Vec<Credential>) -> Vec<Reading> {
    vec![reading("entra", now, Ok(read))]
}

/// What one team was told, as "day kind threshold".
fn heard_by(team: &str, told: &[(i64, Notice)]) -> Vec<String> {
    let own = told.iter().filter(|(_, notice)| notice.key.team.as_str() == team);
    own.map(|(day, notice)| format!("{day} {}", short(notice))).collect()
}

/// The days on which a team got a mail.
fn mails_to(team: &str, told: &[(i64, Notice)]) -> Vec<i64> {
    let mut days: Vec<i64> =
        told.iter().filter(|(_, notice)| notice.key.team.as_str() == team).map(|(day, _)| *day).collect();
    days.dedup();
    days
}

/// What was told on a day, to whomever first.
#[track_caller]
fn on<'a>(day: i64, kind: &str, told: &'a [(i64, Notice)]) -> &'a Notice {
    let found = told.iter().find(|(on, notice)| *on == day && notice.key.kind.as_str() == kind);
    &found.unwrap_or_else(|| panic!("no {kind} on day {day}")).1
}
