//! The same decision once more, in whole days: what should stand in the ledger on a morning.

use super::script::{Holder, Secret};
use crate::domain::{Families, Family, NoticeKind, Period, Step, Threshold};
use jiff::{SignedDuration, Timestamp};

pub const TEAMS: [&str; 3] = ["ccaas", "idim", "oversight"];
const OVERSIGHT: usize = 2;
const NOTHING: i32 = i32::MAX;

/// The tightest rung of each kind that a team was told and that was not resolved: days before the end, or weeks after it, negated.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    expiring: i32,
    expired: i32,
    still_in_use: i32,
    retiring: i32,
    rotation_due: i32,
}

impl Default for Told {
    fn default() -> Self {
        let none = NOTHING;
        Self { expiring: none, expired: none, still_in_use: none, retiring: none, rotation_due: none }
    }
}

impl Told {
    fn of(&mut self, kind: NoticeKind) -> &mut i32 {
        match kind {
            NoticeKind::Expiring => &mut self.expiring,
            NoticeKind::Expired => &mut self.expired,
            NoticeKind::StillInUse => &mut self.still_in_use,
            NoticeKind::Retiring => &mut self.retiring,
            NoticeKind::RotationDue => &mut self.rotation_due,
            kind => panic!("nothing in this decade is {kind}"),
        }
    }

    pub fn tell(&mut self, kind: NoticeKind, step: i32) {
        let known = self.of(kind);
        assert!(step < *known, "{kind} {step} after {known}");
        *known = step;
    }

    pub fn resolve(&mut self, closes: Families) {
        let before = *self;
        if closes.contains(Family::Dates) {
            *self = Self { rotation_due: self.rotation_due, ..Self::default() };
        }
        if closes.contains(Family::Rotation) {
            self.rotation_due = NOTHING;
        }
        assert!(format!("{before:?}") != format!("{self:?}"), "resolved what nobody had been told");
    }
}

pub fn step(step: Step) -> i32 {
    match step {
        Step::Before(Threshold::Before(Period { amount, .. })) => amount.cast_signed(),
        Step::Expired(None) => 0,
        Step::Expired(Some(since)) => -(since.amount / 7).cast_signed(),
        step => panic!("nothing in this decade stands on {step}"),
    }
}

/// What a secret owes.
#[derive(Debug, Default)]
pub struct Due {
    dates: Option<(NoticeKind, i32)>,
    rotation: Option<i32>,
    planned: bool,
}

impl Due {
    fn all(&self) -> impl Iterator<Item = (NoticeKind, i32)> {
        self.dates.into_iter().chain(self.rotation.map(|step| (NoticeKind::RotationDue, step)))
    }

    /// Whether this team is told this today.
    pub fn includes(&self, kind: NoticeKind, step: i32, team: usize) -> bool {
        self.all().any(|due| due == (kind, step)) && self.tells(kind, step, team)
    }

    fn tells(&self, kind: NoticeKind, step: i32, team: usize) -> bool {
        match team {
            OVERSIGHT => kind == NoticeKind::Expired || (kind != NoticeKind::Retiring && step <= 3),
            0 => true,
            _ => self.planned,
        }
    }
}

/// What the watch can know: what its source last said.
#[derive(Default)]
pub struct Memory {
    read_on: Option<i32>,
    /// The same of the report of sign-ins.
    report_of: Option<i32>,
}

impl Memory {
    pub fn read(&mut self, day: i32, now: Timestamp, holders: &mut [Holder]) {
        (self.read_on, self.report_of) = (Some(day), Some(day));
        for secret in holders.iter_mut().flat_map(Holder::current_mut) {
            if secret.is_there(day) {
                secret.first_seen.get_or_insert(now);
            }
        }
    }

    /// What a process loses that is started again: the report of sign-ins is kept nowhere else.
    pub fn restart(&mut self) {
        self.report_of = None;
    }

    /// All but what has been told: who was told of what is gone by now will never hear that it is.
    pub fn forget(&mut self, holders: &mut [Holder]) {
        (self.read_on, self.report_of) = (None, None);
        for secret in holders.iter_mut().flat_map(|holder| &mut holder.secrets) {
            secret.first_seen = None;
        }
    }

    fn is_there(&self, secret: &Secret) -> bool {
        self.read_on.is_some_and(|day| secret.is_there(day))
    }

    pub fn due(&self, holder: &Holder, index: usize, day: i32) -> Due {
        let secret = &holder.secrets[index];
        let planned = holder.planned;
        if !self.is_there(secret) {
            return Due { planned, ..Due::default() };
        }
        let there = || holder.current().iter().filter(|other| self.is_there(other));
        let took_over = |other: &&Secret| {
            began(other) >= began(secret)
                && end(other) > end(secret)
                && (!other.has_ended(day) || (secret.has_ended(day) && began(other) <= end(secret)))
        };
        let covered_since = there().filter(took_over).map(|other| other.made).min();
        let rung = |ladder: &[i32], end: i32, life: i32| {
            ladder.iter().copied().filter(|rung| *rung <= life && day >= end - rung).min()
        };
        let life = secret.ends - secret.made;
        let remind = rung(&[60, 30, 14, 7, 3, 1, 0], secret.ends, life);
        let dates = match covered_since {
            Some(_) if secret.has_ended(day) => None,
            Some(since) if self.is_used(secret, since) => remind.map(|rung| (NoticeKind::StillInUse, rung)),
            Some(_) => rung(&[7], secret.ends, life).map(|rung| (NoticeKind::Retiring, rung)),
            None if secret.has_ended(day) => {
                (!ended_long_ago(secret)).then_some((NoticeKind::Expired, -((day - secret.ends) / 7)))
            }
            None => remind.map(|rung| (NoticeKind::Expiring, rung)),
        };
        let newest = there().filter(|other| !other.has_ended(day)).all(|other| began(other) <= began(secret));
        let runs = planned && newest && covered_since.is_none() && !secret.has_ended(day) && dates.is_none();
        let rotation = if runs { rung(&[14, 7, 0], secret.made + 90, 90) } else { None };
        Due { dates, rotation, planned }
    }

    /// Used on a later day than that on which another could be, and within a week before the report.
    fn is_used(&self, secret: &Secret, since: i32) -> bool {
        let report = self.report_of.and_then(|day| Some((day, secret.last_used(day)?)));
        report.is_some_and(|(day, last)| last > since && day - last < 7)
    }

    fn is_known_to_be_idle(&self, secret: &Secret) -> bool {
        let report = self.report_of.and_then(|day| Some((day, secret.last_used(day)?)));
        report.is_some_and(|(day, last)| day - last >= 7)
    }

    /// Make sure that each team has been told what is due, and that no alarm it has been told is over without its hearing so.
    pub fn check(&self, holder: &Holder, day: i32) {
        for (index, secret) in holder.current.clone().zip(holder.current()) {
            // Not seen yet, or not since the watch began anew.
            if secret.first_seen.is_none() {
                continue;
            }
            let due = self.due(holder, index, day);
            for (team, name) in TEAMS.iter().enumerate() {
                let mut told = secret.told[team];
                for (kind, step) in due.all().filter(|(kind, step)| due.tells(*kind, *step, team)) {
                    assert!(
                        *told.of(kind) <= step,
                        "day {day}: {name} was not told {kind} {step} of {}",
                        secret.credential.label
                    );
                }
                let over = self.over(holder, secret, &due, day);
                assert!(
                    over.into_iter().all(|kind| *told.of(kind) == NOTHING),
                    "day {day}: {name} was not told that something is over: {told:?} of {}, which owes {due:?}",
                    secret.credential.label
                );
            }
        }
    }

    /// The alarms that are no longer true.
    fn over(&self, holder: &Holder, secret: &Secret, due: &Due, day: i32) -> Vec<NoticeKind> {
        if !self.is_there(secret) {
            let alarms = [NoticeKind::Expiring, NoticeKind::Expired, NoticeKind::RotationDue];
            return if self.read_on.is_some() { alarms.into() } else { Vec::new() };
        }
        let newer = holder
            .secrets
            .iter()
            .any(|other| self.is_there(other) && !other.has_ended(day) && began(other) > began(secret));
        let mut over = Vec::new();
        let is_listed_only = secret.has_ended(day) && ended_long_ago(secret);
        if !is_listed_only && !matches!(due.dates, Some((NoticeKind::Expiring | NoticeKind::Expired, _))) {
            over.extend([NoticeKind::Expiring, NoticeKind::Expired]);
        }
        if newer && !secret.has_ended(day) {
            over.push(NoticeKind::RotationDue);
        }
        if !secret.has_ended(day) && self.is_known_to_be_idle(secret) && due.dates.is_none() {
            over.push(NoticeKind::StillInUse);
        }
        over
    }
}

/// It had ended a month before it was first seen, for all that the watch can know.
fn ended_long_ago(secret: &Secret) -> bool {
    let end = secret.credential.expires_at.unwrap();
    secret.first_seen.is_some_and(|seen| seen.duration_since(end) > SignedDuration::from_hours(30 * 24))
}

/// Days and halves of them, so that the afternoon comes after the morning.
fn began(secret: &Secret) -> i32 {
    2 * secret.made + i32::from(secret.afternoon)
}

fn end(secret: &Secret) -> i32 {
    2 * secret.ends + i32::from(secret.afternoon)
}
