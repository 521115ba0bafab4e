//! Notices, filled in: everything that a mail says, taken from where it is known.

use super::calendar::Calendar;
use super::explain::{order_in_words, rotation_in_words, use_in_words};
use super::holders::HolderState;
use super::ladder::Rung;
use super::owed::Closing;
use super::rotation;
use super::routing::Route;
use super::usage::Usage;
use super::verdict::{Condition, Verdict};
use crate::domain::{
    Credential, Escalation, Families, Family, Notice, NoticeKey, NoticeKind, Owners, Period, Policy, Rotation, Step,
    Subject, TeamId,
};
use crate::inventory::{Entry, SourceState};
use jiff::{SignedDuration, Timestamp};

/// What a notice is about.
pub struct About<'a> {
    pub entry: &'a Entry,
    pub route: &'a Route<'a>,
    pub successor: Option<&'a Credential>,
    /// How its holder stands, and the verdict that this follows from.
    pub state: Option<(&'a HolderState, &'a Verdict)>,
}

/// All who are told of a rung.
pub struct Told<'a> {
    pub teams: Vec<TeamId>,
    /// What brought some of them in.
    pub escalation: Option<&'a Escalation>,
}

/// One of them, and its part of the story.
#[derive(Clone, Copy)]
pub struct Own<'a> {
    pub team: &'a TeamId,
    pub episode: u32,
}

/// Which of the notices that are owed somebody will read. What is owed is marked on the verdicts in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    All,
    /// Those that end too soon to wait for the notify run.
    Urgent,
    /// For whoever looks on and tells nobody.
    Nothing,
}

/// Where notices are written from: none that nobody wants.
pub struct Desk<'a> {
    pub wanted: Wanted,
    pub policy: &'a Policy,
    pub calendar: &'a Calendar<'a>,
    pub usage: Usage<'a>,
}

impl Desk<'_> {
    #[must_use]
    pub fn wants(&self, urgent: bool) -> bool {
        match self.wanted {
            Wanted::All => true,
            Wanted::Urgent => urgent,
            Wanted::Nothing => false,
        }
    }

    /// A rung of a credential's ladder, for one team of all that are told.
    #[must_use]
    pub fn rung(
        &self,
        case: &About<'_>,
        rung: Rung,
        verdict: &Verdict,
        told: &Told<'_>,
        own: Own<'_>,
    ) -> Option<Notice> {
        let Own { team, episode } = own;
        let credential = &case.entry.credential;
        let urgent = is_urgent(rung, credential, self.policy.urgent_within, self.calendar.now);
        self.wants(urgent).then_some(())?;
        let key = NoticeKey {
            credential: credential.id.clone(),
            expires_at: credential.expires_at,
            kind: rung.kind,
            step: rung.step,
            team: team.clone(),
            episode,
            closes: Families::default(),
        };
        let on = self.calendar.date(rung.crossed_at);
        let reason = match rung.step {
            Step::Expired(None) => format!("it ended on {on}"),
            Step::Expired(Some(since)) => format!("it ended {since} ago or more and is still there"),
            _ => format!("{} threshold crossed on {on}", rung.step),
        };
        let escalation = told.escalation.map(|escalation| added(escalation, &told.teams, &case.route.teams));
        let plan = || rotation_in_words(credential, case.route.treatment, self.calendar);
        let used = || use_in_words(verdict.place.old_use, credential, &self.usage, self.calendar);
        let more = [
            (rung.kind == NoticeKind::RotationDue).then(plan),
            matches!(rung.kind, NoticeKind::Retiring | NoticeKind::StillInUse).then(used).flatten(),
            escalation.as_ref().map(|escalation| self.escalated(escalation)),
        ];
        let reason = reason + &order_in_words(rung.kind, credential, self.calendar);
        let reason = more.into_iter().flatten().fold(reason, |reason, more| format!("{reason}; {more}"));
        // Nobody could have been told before it was seen.
        let crossed_at = rung.crossed_at.max(case.entry.first_seen);
        let notice = self.about(case, key, reason, told.teams.to_vec());
        let planned = (rung.kind == NoticeKind::RotationDue)
            .then(|| rotation::plan(credential, case.route.treatment, self.calendar))
            .flatten();
        let due_by = planned.map(|plan| plan.end).or(notice.due_by);
        Some(Notice { urgent, crossed_at, due_by, escalation, ..notice })
    }

    fn escalated(&self, escalation: &Escalation) -> String {
        let name = |team: &TeamId| self.policy.teams.get(team).map_or(team.to_string(), |team| team.name.to_string());
        let teams: Vec<String> = escalation.teams.iter().map(name).collect();
        format!("escalated to {}, who are told from {} on", teams.join(", "), escalation.at)
    }

    /// Something that is wrong beside the dates, for one team.
    #[must_use]
    pub fn condition(&self, case: &About<'_>, condition: &Condition, team: &TeamId, episode: u32) -> Option<Notice> {
        self.wants(false).then_some(())?;
        let credential = &case.entry.credential;
        let key = NoticeKey {
            credential: credential.id.clone(),
            expires_at: credential.expires_at,
            kind: condition.kind,
            step: Step::Now,
            team: team.clone(),
            episode,
            closes: Families::default(),
        };
        Some(Notice {
            crossed_at: condition.since,
            ..self.about(case, key, condition.reason.clone(), case.route.teams.to_vec())
        })
    }

    /// "No longer true", for one of the teams that had been told: `closed` is the last of what it was told, with what is closed.
    #[must_use]
    pub fn resolved(
        &self,
        case: &About<'_>,
        closing: Closing,
        closed: NoticeKey,
        teams: Vec<TeamId>,
    ) -> Option<Notice> {
        self.wants(false).then_some(())?;
        let reason = match (closing, case.entry.credential.expires_at) {
            (Closing::Deleted, _) => format!("it is no longer listed by {}", case.entry.credential.source),
            (Closing::Mended(Family::Trust), _) => "what is served is trusted again".to_owned(),
            (Closing::Mended(Family::Deployment), _) => "what is served is the newest that was issued".to_owned(),
            (Closing::Mended(Family::Agreement), _) => "the vault and the directory agree again".to_owned(),
            (Closing::Unmarked, _) => "the vault no longer says what it keeps, or until when".to_owned(),
            (Closing::Unused, _) => "it has not been used lately: its consumer has moved".to_owned(),
            (Closing::Mended(_), _) => "it can be read again".to_owned(),
            (Closing::Rotated, _) => "rotated: a newer one has taken over".to_owned(),
            (Closing::Moved, Some(end)) => format!("it now ends on {}", self.calendar.date(end)),
            (Closing::Moved | Closing::NoLongerExpires, _) => "it no longer expires".to_owned(),
        };
        let key = NoticeKey { kind: NoticeKind::Resolved, step: Step::Resolved, ..closed };
        Some(self.about(case, key, reason, teams))
    }

    /// True from now on, and not urgent, unless the caller knows better.
    fn about(&self, case: &About<'_>, key: NoticeKey, reason: String, told: Vec<TeamId>) -> Notice {
        let treatment = case.route.treatment;
        let gap = case.route.owner_gap.map(|gap| format!("; told in the place of its owners: {}", gap.as_str()));
        let owners = match case.entry.credential.holder.owners.as_deref() {
            Some(Owners::Reachable(addresses)) if key.team.is_owner() => addresses.clone(),
            _ => Box::default(),
        };
        let reason = reason + gap.as_deref().unwrap_or_default();
        Notice {
            due_by: key.expires_at,
            key,
            crossed_at: self.calendar.now,
            urgent: false,
            subject: self.subject(case),
            reason,
            rule: case.route.rule.map(|index| self.policy.rules[index].name.clone()),
            environment: treatment.environment.clone(),
            runbook: treatment.runbook.clone(),
            told,
            escalation: None,
            owners,
        }
    }

    fn subject(&self, case: &About<'_>) -> Subject {
        let credential = &case.entry.credential;
        let rotation = |(state, verdict): (&HolderState, &Verdict)| Rotation {
            state: state.state.as_str(),
            since: state.since,
            why: state.explain_one(verdict, &self.usage, self.policy, self.calendar),
        };
        Subject::Credential {
            source: credential.source.clone(),
            kind: credential.kind,
            holder: credential.holder.name.clone(),
            holder_id: credential.holder.id.clone(),
            app_id: credential.holder.app_id.clone(),
            label: credential.label.clone(),
            holder_enabled: credential.holder.enabled,
            not_before: credential.not_before,
            successor: case.successor.map(|successor| (successor.label.clone(), successor.expires_at)),
            rotation: case.state.map(rotation),
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
            due_by: None,
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
            escalation: None,
            owners: Box::default(),
        }
    }
}

/// The teams that are told by the escalation alone.
fn added(escalation: &Escalation, told: &[TeamId], anyway: &[TeamId]) -> Escalation {
    Escalation { at: escalation.at, teams: told.iter().filter(|team| !anyway.contains(team)).cloned().collect() }
}

/// What ends soon does not wait for the morning; that it is still expired a week later does.
fn is_urgent(rung: Rung, credential: &Credential, within: Period, now: Timestamp) -> bool {
    let soon = now.saturating_add(SignedDuration::from_secs(within.seconds())).unwrap_or(Timestamp::MAX);
    !matches!(rung.step, Step::Expired(Some(_))) && credential.expires_at.is_some_and(|end| end <= soon)
}
