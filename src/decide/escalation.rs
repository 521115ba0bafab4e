//! Who else is told once it becomes serious: `escalate = { at, teams }`.

use super::calendar::{Calendar, Span};
use super::ladder::Rung;
use super::rotation;
use crate::domain::{Credential, Escalation, NoticeKind, Owners, TeamId, Threshold, Treatment};
use std::cmp::Ordering;

/// The escalation that is in force for `rung`; `None` where there is none, or it has not come to that.
#[must_use]
pub fn in_force<'t>(
    rung: Rung,
    credential: &Credential,
    treatment: &'t Treatment,
    calendar: &Calendar<'_>,
) -> Option<&'t Escalation> {
    let escalation = treatment.escalate.as_ref()?;
    let span = match rung.kind {
        NoticeKind::Expired => return Some(escalation),
        NoticeKind::Expiring | NoticeKind::StillInUse => Span::of_life(credential)?,
        NoticeKind::RotationDue => rotation::plan(credential, treatment, calendar)?,
        _ => return None,
    };
    let reached = match calendar.crossing(escalation.at, span) {
        Some(from) => rung.crossed_at.cmp(&from) != Ordering::Less,
        // Longer than the whole span: every rung of it is nearer to the end.
        None => matches!(escalation.at, Threshold::Before(_)),
    };
    reached.then_some(escalation)
}

/// Whom it adds: the default teams in the place of owners that cannot be reached.
#[must_use]
pub fn teams(escalation: &Escalation, credential: &Credential, defaults: &Treatment) -> Vec<TeamId> {
    let reachable = matches!(credential.holder.owners.as_deref(), Some(Owners::Reachable(_)));
    let of = |team: &TeamId| match team.is_owner() && !reachable {
        true => defaults.teams.iter().filter(|team| !team.is_owner()).cloned().collect(),
        false => vec![team.clone()],
    };
    escalation.teams.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{at, secret, team_ids, vancouver};
    use crate::domain::Step;

    /// Whether a rung of a secret that ends on 2026-12-01 (and is to be replaced on 2026-11-30) is escalated.
    #[track_caller]
    fn check(at_threshold: &str, kind: NoticeKind, step: &str, expected: bool) {
        let treatment = Treatment {
            escalate: Some(Escalation { at: at_threshold.parse().unwrap(), teams: team_ids(&["oversight"]) }),
            rotate_every: Some("90d".parse().unwrap()),
            ..Treatment::default()
        };
        let credential = secret("a", "2026-09-01T20:00:00Z", "2026-12-01T20:00:00Z");
        let (zone, now) = (vancouver(), at("2026-11-30T20:00:00Z"));
        let calendar = Calendar::new(&zone, now);
        let span = match kind {
            NoticeKind::RotationDue => rotation::plan(&credential, &treatment, &calendar).unwrap(),
            _ => Span::of_life(&credential).unwrap(),
        };
        let crossed_at = match step.parse().unwrap() {
            Step::Before(threshold) => calendar.crossing(threshold, span).unwrap(),
            _ => span.end,
        };
        let rung = Rung { kind, step: step.parse().unwrap(), crossed_at };
        let escalated = in_force(rung, &credential, &treatment, &calendar).is_some();
        assert_eq!(escalated, expected, "at {at_threshold}: {kind} {step}");
    }

    #[test]
    fn oversight_is_told_from_the_threshold_on() {
        for (step, expected) in [("7d", false), ("3d", true), ("1d", true), ("0d", true)] {
            for kind in [NoticeKind::Expiring, NoticeKind::StillInUse, NoticeKind::RotationDue] {
                check("3d", kind, step, expected);
            }
        }
        check("3d", NoticeKind::Expired, "expired+7d", true);
        check("3d", NoticeKind::Retiring, "1d", false);
        check("5d", NoticeKind::Expiring, "3d", true);
        check("5d", NoticeKind::Expiring, "7d", false);
    }

    #[test]
    fn a_threshold_longer_than_the_whole_life_is_in_force_from_the_first_notice_on() {
        check("365d", NoticeKind::Expiring, "60d", true);
        check("10%", NoticeKind::Expiring, "14d", false);
        check("10%", NoticeKind::Expiring, "7d", true);
    }
}
