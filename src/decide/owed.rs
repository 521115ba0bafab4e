//! From what is true to what is owed: minus what has been told, plus `resolved` for what was told and no longer holds.

use super::calendar::{Calendar, Span};
use super::judge::Compared;
use super::ladder::Rung;
use super::ledger::Story;
use super::rotation;
use super::usage::OldUse;
use super::verdict::{Status, Verdict};
use crate::domain::{Credential, Family, NoticeKey, NoticeKind, Step, Treatment, Trouble};
use crate::inventory::Entry;
use jiff::Timestamp;

/// Why something that was told no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// A complete snapshot lacks it.
    Deleted,
    /// A successor covers it.
    Rotated,
    /// Its end was moved, out of reach of every threshold.
    Moved,
    NoLongerExpires,
    /// Its successor is used in its place.
    Unused,
    /// There is no word left that could disagree.
    Unmarked,
    /// It is trusted, served, in agreement, read again.
    Mended(Family),
}

/// Whether the team has been told of `rung`, or of a tighter one of the same story.
#[must_use]
pub fn is_told(
    story: &Story<'_>,
    rung: Rung,
    credential: &Credential,
    treatment: &Treatment,
    calendar: &Calendar<'_>,
) -> bool {
    let same_story = |key: &&&NoticeKey| key.expires_at == credential.expires_at;
    story.open.iter().filter(same_story).any(|key| match (key.kind, rung.kind) {
        (NoticeKind::Expired, NoticeKind::Expiring) => true,
        (told, owed) if told == owed => {
            let span = match owed {
                NoticeKind::RotationDue => rotation::plan(credential, treatment, calendar),
                _ => Span::of_life(credential),
            };
            let crossed_at = || crossed_at(key.step, span?, calendar);
            key.step == rung.step || crossed_at().is_some_and(|at| at >= rung.crossed_at)
        }
        _ => false,
    })
}

fn crossed_at(step: Step, span: Span, calendar: &Calendar<'_>) -> Option<Timestamp> {
    match step {
        Step::Before(threshold) => calendar.crossing(threshold, span),
        Step::Expired(None) => Some(span.end),
        Step::Expired(Some(since)) => Some(calendar.after(span.end, since)),
        Step::Stale(_) | Step::Now | Step::Resolved => None,
    }
}

/// Whether what the team was told has stopped being true. `verdict` is `None` for a missing credential.
///
/// Make sure that: an alarm is closed by rotation, deletion or a later end, and by nothing else; a planned end that came as planned
/// is not closed at all; what is ignored by now is never mailed about again.
#[must_use]
pub fn closing(story: &Story<'_>, entry: &Entry, verdict: Option<&Verdict>, now: Timestamp) -> Option<Closing> {
    let credential = &entry.credential;
    let has = |kinds: &[NoticeKind]| story.open.iter().any(|key| kinds.contains(&key.kind));
    let alarmed = has(&[NoticeKind::Expiring, NoticeKind::Expired]);
    // Once it has ended, nothing more can be said about its use.
    let in_use = has(&[NoticeKind::StillInUse]) && !credential.has_ended_at(now);
    let announced = !story.open.is_empty();
    let Some(verdict) = verdict else {
        let ended_as_planned = !alarmed && credential.has_ended_at(now);
        return (announced && !ended_as_planned).then_some(Closing::Deleted);
    };
    let of_this_end = story.open.iter().any(|key| key.expires_at == credential.expires_at);
    match verdict.status {
        Status::Ignored => None,
        Status::Superseded if alarmed => Some(Closing::Rotated),
        Status::Superseded => (in_use && verdict.place.old_use == OldUse::Idle).then_some(Closing::Unused),
        Status::NoExpiry => announced.then_some(Closing::NoLongerExpires),
        _ if announced && !of_this_end && verdict.rung().is_none() => Some(Closing::Moved),
        _ => None,
    }
}

/// The same for a planned replacement: it is over once a newer one is there, whichever of them ends later, and not because the plan
/// was changed.
#[must_use]
pub fn closing_of_rotation(
    entry: &Entry,
    verdict: Option<&Verdict>,
    treatment: &Treatment,
    now: Timestamp,
) -> Option<Closing> {
    let Some(verdict) = verdict else { return Some(Closing::Deleted) };
    let planned = treatment.rotate_every.is_some() && verdict.status != Status::Ignored;
    let replaced = planned && !verdict.place.newest && entry.credential.is_valid_at(now);
    (replaced || verdict.status == Status::Superseded).then_some(Closing::Rotated)
}

/// The same for what is wrong beside the dates: it is over when it is no longer seen, though not while nothing can be seen.
#[must_use]
pub fn closing_of_condition(family: Family, entry: &Entry, verdict: Option<&Verdict>) -> Option<Closing> {
    let Some(verdict) = verdict else { return Some(Closing::Deleted) };
    let goes_on = verdict.conditions.iter().any(|condition| condition.kind.family() == Some(family));
    // Whatever is wrong with what has ended, or cannot be seen, is not mended.
    let unseen = match entry.credential.trouble.as_deref() {
        Some(Trouble::Untrusted(_)) => family == Family::Trust,
        trouble => trouble.is_some_and(Trouble::is_unreachable),
    };
    (!goes_on && !unseen && verdict.status != Status::Ignored).then_some(())?;
    match (family, verdict.place.compared) {
        (Family::Agreement, Compared::Unread) => None,
        (Family::Agreement, Compared::Unmarked) => Some(Closing::Unmarked),
        _ => Some(Closing::Mended(family)),
    }
}
