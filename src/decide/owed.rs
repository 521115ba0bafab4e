//! From what is true to what is owed: minus what has been told, plus `resolved` for what was told and no longer holds.

use super::calendar::Calendar;
use super::ladder::Rung;
use super::ledger::Story;
use super::verdict::{Status, Verdict};
use crate::domain::{Credential, Family, NoticeKey, NoticeKind, Step, Trouble};
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
    /// It is trusted, served, read again.
    Mended(Family),
}

/// Whether the team has been told of `rung`, or of a tighter one of the same story.
#[must_use]
pub fn is_told(story: &Story<'_>, rung: Rung, credential: &Credential, calendar: &Calendar<'_>) -> bool {
    let same_story = |key: &&&NoticeKey| key.expires_at == credential.expires_at;
    story.open.iter().filter(same_story).any(|key| match (key.kind, rung.kind) {
        (NoticeKind::Expired, NoticeKind::Expiring) => true,
        (told, owed) if told == owed => {
            key.step == rung.step || crossed_at(key.step, credential, calendar).is_some_and(|at| at >= rung.crossed_at)
        }
        _ => false,
    })
}

fn crossed_at(step: Step, credential: &Credential, calendar: &Calendar<'_>) -> Option<Timestamp> {
    match step {
        Step::Before(threshold) => calendar.crossing(threshold, credential),
        Step::Expired(None) => credential.expires_at,
        Step::Expired(Some(since)) => credential.expires_at.map(|end| calendar.after(end, since)),
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
    let alarmed = story.open.iter().any(|key| key.kind != NoticeKind::Retiring);
    let announced = !story.open.is_empty();
    let Some(verdict) = verdict else {
        let ended_as_planned = !alarmed && credential.has_ended_at(now);
        return (announced && !ended_as_planned).then_some(Closing::Deleted);
    };
    let of_this_end = story.open.iter().any(|key| key.expires_at == credential.expires_at);
    match verdict.status {
        Status::Ignored => None,
        Status::Superseded => alarmed.then_some(Closing::Rotated),
        Status::NoExpiry => announced.then_some(Closing::NoLongerExpires),
        _ if announced && !of_this_end && verdict.rung().is_none() => Some(Closing::Moved),
        _ => None,
    }
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
    (!goes_on && !unseen && verdict.status != Status::Ignored).then_some(Closing::Mended(family))
}
