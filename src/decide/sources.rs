//! Watching the watch: a source that has been silent for longer than its limit is news, and so is its return.

use super::ledger::{Ledger, Story, teams_told};
use super::notices::Desk;
use crate::domain::{CredentialId, Families, Family, Notice, NoticeKey, NoticeKind, Policy, Step, TeamId};
use crate::inventory::SourceState;
use jiff::{SignedDuration, Timestamp};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Since when `source` has been stale at `now`; `None` while it is within its limit, or was never asked.
#[must_use]
pub fn stale_since(source: &SourceState, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let limit = SignedDuration::from_secs(policy.stale_after.get(&source.name)?.seconds());
    let since = source.silent_since()?.saturating_add(limit).unwrap_or(Timestamp::MAX);
    (since < now).then_some(since)
}

/// The notices owed about one source: `stale`, then one for each further day, then `resolved`.
#[must_use]
pub fn notices(source: &SourceState, desk: &Desk<'_>, ledger: &Ledger) -> Vec<Notice> {
    let now = desk.calendar.now;
    let subject = CredentialId::source(source.name.as_str());
    let told = ledger.of(&subject);
    let key = |kind, step, team: &TeamId, episode| NoticeKey {
        credential: subject.clone(),
        expires_at: None,
        kind,
        step,
        team: team.clone(),
        episode,
        closes: if kind == NoticeKind::Resolved { Family::Source.into() } else { Families::default() },
    };
    let Some(since) = stale_since(source, desk.policy, now) else {
        let open = |team: &TeamId| !Story::of(told, team, Family::Source).open.is_empty();
        let teams: Vec<TeamId> = teams_told(told).into_iter().filter(open).collect();
        let resolved =
            |team| key(NoticeKind::Resolved, Step::Resolved, team, Story::of(told, team, Family::Source).episode);
        return teams.iter().map(|team| desk.source(source, resolved(team), now, teams.clone())).collect();
    };
    let days = u32::try_from(now.duration_since(since).as_hours() / 24).unwrap_or(u32::MAX);
    let crossed_at = since.saturating_add(DAY.saturating_mul(i32::try_from(days).unwrap_or(i32::MAX))).unwrap_or(now);
    let mut owed = Vec::new();
    // A source has no owner in any directory.
    let teams: Vec<TeamId> = desk.policy.defaults.teams.iter().filter(|team| !team.is_owner()).cloned().collect();
    for team in &teams {
        let story = Story::of(told, team, Family::Source);
        let is_told = story.open.iter().any(|key| matches!(key.step, Step::Stale(told) if told >= days));
        if !is_told {
            let key = key(NoticeKind::SourceStale, Step::Stale(days), team, story.episode);
            owed.push(desk.source(source, key, crossed_at, teams.clone()));
        }
    }
    owed
}
