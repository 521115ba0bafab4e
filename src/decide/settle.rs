//! Settling up with each team: what is owed and was not told, and what was told and no longer holds.

use super::escalation;
use super::ladder::Rung;
use super::ledger::{Story, teams_told};
use super::notices::{About, Desk, Own, Told};
use super::owed::{self, Closing};
use super::verdict::{Code, Status, Verdict};
use crate::domain::{Families, Family, Notice, NoticeKey, NoticeKind, TeamId};

/// The families of notices that a credential's own story consists of.
const FAMILIES: [Family; 6] =
    [Family::Dates, Family::Rotation, Family::Trust, Family::Deployment, Family::Agreement, Family::Reach];

/// Whether there is nothing to settle: nothing crossed, nothing wrong, nothing told.
#[must_use]
pub fn is_quiet(verdict: &Verdict, told: &[NoticeKey]) -> bool {
    told.is_empty() && (verdict.status == Status::Ignored || is_content(verdict))
}

/// Adds what is owed to each team, and marks the verdict and its conditions as told or due. `verdict` is `None` for a credential
/// that is missing.
pub fn settle(
    mut verdict: Option<&mut Verdict>,
    about: &About<'_>,
    told: &[NoticeKey],
    desk: &Desk<'_>,
    owed: &mut Vec<Notice>,
) {
    let closed: Vec<Closed<'_>> =
        teams_told(told).into_iter().filter_map(|team| close(team, verdict.as_deref(), about, told, desk)).collect();
    let closed_teams: Vec<TeamId> = closed.iter().map(|closed| closed.team.clone()).collect();
    for closed in &closed {
        let key = NoticeKey { closes: closed.closes, episode: closed.episode, ..closed.last.clone() };
        let notice = desk.resolved(about, closed.why, key, closed_teams.clone());
        let still_wrong = still_wrong(verdict.as_deref(), closed.closes);
        owed.extend(notice.map(|notice| Notice { reason: notice.reason + &still_wrong, ..notice }));
    }
    let Some(verdict) = &mut verdict else { return };
    if verdict.status == Status::Ignored {
        return;
    }
    let closes = |team: &TeamId| {
        closed.iter().find(|closed| closed.team == *team).map(|closed| closed.closes).unwrap_or_default()
    };
    if let Some(rung) = verdict.rung() {
        let all = everybody(rung, verdict, about, desk);
        let mut all_told = !all.teams.is_empty();
        for team in &all.teams {
            let family = rung.kind.family().unwrap_or(Family::Dates);
            let story = story(told, team, family, closes(team));
            if !owed::is_told(&story, rung, &about.entry.credential, about.route.treatment, desk.calendar) {
                all_told = false;
                let own = Own { team, episode: story.episode };
                owed.extend(desk.rung(about, rung, verdict, &all, own));
            }
        }
        verdict.code = if all_told { Code::Noticed } else { Code::Due };
    }
    let teams = verdict.teams.clone();
    for condition in &mut verdict.conditions {
        condition.due = teams.is_empty();
        let Some(family) = condition.kind.family() else { continue };
        for team in teams.iter() {
            let story = story(told, team, family, closes(team));
            // What is wrong with another certificate is another story; that nobody answers is the same one.
            let is_told = |key: &&NoticeKey| {
                let same_story =
                    condition.kind == NoticeKind::Unreachable || key.expires_at == about.entry.credential.expires_at;
                key.kind == condition.kind && same_story
            };
            if !story.open.iter().any(is_told) {
                condition.due = true;
                owed.extend(desk.condition(about, condition, team, story.episode));
            }
        }
    }
}

/// The credential's teams, and those that an escalation adds.
fn everybody<'a>(rung: Rung, verdict: &Verdict, about: &About<'a>, desk: &Desk<'_>) -> Told<'a> {
    let (credential, treatment) = (&about.entry.credential, about.route.treatment);
    let escalation = escalation::in_force(rung, credential, treatment, desk.calendar);
    let mut teams = verdict.teams.to_vec();
    let added = escalation.map(|escalation| escalation::teams(escalation, credential, &desk.policy.defaults));
    for team in added.into_iter().flatten() {
        if !teams.contains(&team) {
            teams.push(team);
        }
    }
    Told { escalation: escalation.filter(|_| teams.len() > verdict.teams.len()), teams }
}

/// Make sure that the end of one story is not taken for the end of all: what else is wrong goes on.
fn still_wrong(verdict: Option<&Verdict>, closes: Families) -> String {
    let conditions = verdict.iter().flat_map(|verdict| &verdict.conditions);
    let others = conditions.filter(|condition| condition.kind.family().is_some_and(|family| !closes.contains(family)));
    let others: Vec<String> = others.map(|condition| condition.kind.as_str().replace('_', " ")).collect();
    if others.is_empty() { String::new() } else { format!("; but it is still {}", others.join(" and ")) }
}

/// Nothing crossed, nothing wrong.
fn is_content(verdict: &Verdict) -> bool {
    verdict.rung().is_none() && verdict.conditions.is_empty()
}

/// What one team hears is over, all of it in one `resolved`.
struct Closed<'a> {
    team: TeamId,
    closes: Families,
    why: Closing,
    last: &'a NoticeKey,
    episode: u32,
}

fn close<'a>(
    team: TeamId,
    verdict: Option<&Verdict>,
    about: &About<'_>,
    told: &'a [NoticeKey],
    desk: &Desk<'_>,
) -> Option<Closed<'a>> {
    let mut closes = Families::default();
    let mut first: Option<(Closing, &NoticeKey, u32)> = None;
    for family in FAMILIES {
        let story = Story::of(told, &team, family);
        let Some(last) = story.open.iter().max_by_key(|key| key.expires_at) else { continue };
        let why = match family {
            Family::Dates => owed::closing(&story, about.entry, verdict, desk.calendar.now),
            Family::Rotation => {
                owed::closing_of_rotation(about.entry, verdict, about.route.treatment, desk.calendar.now)
            }
            family => owed::closing_of_condition(family, about.entry, verdict),
        };
        if let Some(why) = why {
            closes = closes.with(family);
            first.get_or_insert((why, last, story.episode));
        }
    }
    let (why, last, episode) = first?;
    Some(Closed { team, closes, why, last, episode })
}

/// A team's story as it stands once what is closed now has been closed.
fn story<'a>(told: &'a [NoticeKey], team: &TeamId, family: Family, closes: Families) -> Story<'a> {
    let mut story = Story::of(told, team, family);
    if !closes.is_empty() {
        story.episode += 1;
    }
    if closes.contains(family) {
        story.open.clear();
    }
    story
}
