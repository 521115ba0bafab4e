//! Notices, filled in: everything that a mail says, taken from where it is known.

use super::calendar::Calendar;
use super::ladder::Rung;
use super::owed::Closing;
use super::verdict::Verdict;
use crate::domain::{
    Credential, Notice, NoticeKey, NoticeKind, Period, Policy, Step, Subject, TeamId, Text, Treatment,
};
use crate::inventory::{Entry, Inventory, SourceState};
use jiff::{SignedDuration, Timestamp};

/// Where notices are written from.
pub struct Desk<'a> {
    pub inventory: &'a Inventory,
    pub policy: &'a Policy,
    pub calendar: &'a Calendar<'a>,
}

impl Desk<'_> {
    /// A rung of a credential's ladder, for one team.
    #[must_use]
    pub fn rung(&self, verdict: &Verdict, rung: Rung, team: &TeamId, episode: u32) -> Notice {
        let entry = verdict.entry(self.inventory);
        let key = NoticeKey {
            credential: entry.credential.id.clone(),
            expires_at: entry.credential.expires_at,
            kind: rung.kind,
            step: rung.step,
            team: team.clone(),
            episode,
        };
        let on = self.calendar.date(rung.crossed_at);
        let reason = match rung.step {
            Step::Expired(None) => format!("it ended on {on}"),
            Step::Expired(Some(since)) => format!("it ended {since} ago or more and is still there"),
            _ => format!("{} threshold crossed on {on}", rung.step),
        };
        // Nobody could have been told before it was seen.
        let crossed_at = rung.crossed_at.max(entry.first_seen);
        let urgent = is_urgent(rung, &entry.credential, self.policy.urgent_within, self.calendar.now);
        self.about(entry, Some(verdict), key, crossed_at, reason, verdict.teams.to_vec(), urgent)
    }

    /// "No longer true", for one of the teams that had been told.
    #[must_use]
    pub fn resolved(
        &self,
        entry: &Entry,
        verdict: Option<&Verdict>,
        closing: Closing,
        told: &NoticeKey,
        teams: Vec<TeamId>,
    ) -> Notice {
        let reason = match (closing, entry.credential.expires_at) {
            (Closing::Deleted, _) => format!("it is no longer listed by {}", entry.credential.source),
            (Closing::Moved, Some(end)) => format!("it now ends on {}", self.calendar.date(end)),
            (Closing::NoLongerExpires | Closing::Moved, _) => "it no longer expires".to_owned(),
            (Closing::Rotated, _) => "rotated: a newer one has taken over".to_owned(),
        };
        let key = NoticeKey { kind: NoticeKind::Resolved, step: Step::Resolved, ..told.clone() };
        self.about(entry, verdict, key, self.calendar.now, reason, teams, false)
    }

    #[allow(clippy::too_many_arguments, reason = "one place that fills in every field")]
    fn about(
        &self,
        entry: &Entry,
        verdict: Option<&Verdict>,
        key: NoticeKey,
        crossed_at: Timestamp,
        reason: String,
        told: Vec<TeamId>,
        urgent: bool,
    ) -> Notice {
        let treatment = verdict.map(|verdict| verdict.treatment(self.policy));
        let field = |get: fn(&Treatment) -> &Option<Text>| treatment.and_then(|treatment| get(treatment).clone());
        Notice {
            key,
            crossed_at,
            urgent,
            subject: self.subject(entry, verdict),
            reason,
            rule: verdict.and_then(|verdict| verdict.rule_name(self.policy)).cloned(),
            environment: field(|treatment| &treatment.environment),
            runbook: field(|treatment| &treatment.runbook),
            told,
        }
    }

    fn subject(&self, entry: &Entry, verdict: Option<&Verdict>) -> Subject {
        let credential = &entry.credential;
        let successor = verdict.and_then(|verdict| verdict.superseded_by);
        Subject::Credential {
            source: credential.source.clone(),
            kind: credential.kind,
            holder: credential.holder.name.clone(),
            holder_id: credential.holder.id.clone(),
            app_id: credential.holder.app_id.clone(),
            label: credential.label.clone(),
            holder_enabled: credential.holder.enabled,
            not_before: credential.not_before,
            days_left: credential.expires_at.map(|end| self.calendar.days_until(end)),
            successor: successor.map(|index| {
                let successor = &self.inventory.entries()[index].credential;
                (successor.label.clone(), successor.expires_at)
            }),
        }
    }

    /// A notice about a source itself, to one of the default teams.
    #[must_use]
    pub fn source(&self, source: &SourceState, key: NoticeKey, crossed_at: Timestamp, teams: Vec<TeamId>) -> Notice {
        let reason = match (key.kind, source.last_success) {
            (NoticeKind::Resolved, _) => "it answers again".to_owned(),
            (_, Some(at)) => format!("no complete read since {}", self.calendar.date(at)),
            (_, None) => "it has never been read completely".to_owned(),
        };
        Notice {
            key,
            crossed_at,
            urgent: false,
            subject: Subject::Source {
                name: source.name.clone(),
                system: source.system,
                last_success: source.last_success,
                last_error: source.last_error.clone(),
            },
            reason,
            rule: None,
            environment: None,
            runbook: None,
            told: teams,
        }
    }
}

/// What ends soon does not wait for the morning; that it is still expired a week later does.
fn is_urgent(rung: Rung, credential: &Credential, within: Period, now: Timestamp) -> bool {
    let soon = now.saturating_add(SignedDuration::from_secs(within.seconds())).unwrap_or(Timestamp::MAX);
    !matches!(rung.step, Step::Expired(Some(_))) && credential.expires_at.is_some_and(|end| end <= soon)
}
