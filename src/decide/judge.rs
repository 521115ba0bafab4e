//! The rules by which a credential is judged, in order: the first that applies decides.

use super::calendar::Calendar;
use super::ladder::{self, Standing};
use super::routing::Route;
use super::verdict::{Code, Reason, Status, Verdict};
use crate::domain::{Credential, NoticeKind, Trouble};
use crate::inventory::Entry;
use jiff::{SignedDuration, Timestamp};

/// One credential with all that its verdict depends on, but for what has been told.
pub struct Case<'a> {
    pub entry: &'a Entry,
    /// Index within the siblings.
    pub successor: Option<usize>,
    pub route: &'a Route<'a>,
    pub calendar: &'a Calendar<'a>,
}

/// What a rule found.
pub struct Finding {
    pub status: Status,
    pub code: Code,
    pub reason: Reason,
    pub next_at: Option<Timestamp>,
}

impl Finding {
    fn quiet(status: Status, code: Code, reason: Reason) -> Option<Self> {
        Some(Self { status, code, reason, next_at: None })
    }

    /// What stands on a ladder is due once a rung has been crossed. Whether it has been told is for the ledger to say.
    fn on_ladder(status: Status, standing: Standing, otherwise: (Code, Reason)) -> Option<Self> {
        let (code, reason) = standing.rung.map_or(otherwise, |rung| (Code::Due, Reason::Crossed(rung)));
        Some(Self { status, code, reason, next_at: standing.next_at })
    }
}

impl Case<'_> {
    /// Goes through the rules.
    #[must_use]
    pub fn judge(&self) -> Finding {
        let finding = self
            .ignored()
            .or_else(|| self.never_read())
            .or_else(|| self.never_expires())
            .or_else(|| self.not_yet_valid())
            .or_else(|| self.superseded())
            .or_else(|| self.ended_long_ago())
            .or_else(|| self.expired())
            .unwrap_or_else(|| self.running());
        self.as_far_as_known(finding)
    }

    fn is_unreachable(&self) -> bool {
        self.credential().trouble.as_deref().is_some_and(Trouble::is_unreachable)
    }

    /// Make sure that what could never be read is not taken for something that never expires.
    fn never_read(&self) -> Option<Finding> {
        let nothing_known = self.credential().expires_at.is_none() && self.credential().x509.is_none();
        (self.is_unreachable() && nothing_known).then_some(())?;
        Finding::quiet(Status::Unreachable, Code::Unknown, Reason::NeverRead)
    }

    /// What cannot be read at present is shown as that; the dates of the last time go on counting.
    fn as_far_as_known(&self, finding: Finding) -> Finding {
        let status = if self.is_unreachable() && finding.status != Status::Ignored {
            Status::Unreachable
        } else {
            finding.status
        };
        Finding { status, ..finding }
    }

    fn credential(&self) -> &Credential {
        &self.entry.credential
    }

    /// Make sure that what the operators chose to ignore is listed and never mailed.
    fn ignored(&self) -> Option<Finding> {
        self.route.treatment.ignore.as_ref()?;
        Finding::quiet(Status::Ignored, Code::Ignored, Reason::IgnoredByRule)
    }

    fn never_expires(&self) -> Option<Finding> {
        if self.credential().expires_at.is_some() {
            return None;
        }
        Finding::quiet(Status::NoExpiry, Code::NoExpiry, Reason::NeverExpires)
    }

    /// Make sure that nothing is said of what has not begun: it waits for its beginning, or for its first rung after that.
    fn not_yet_valid(&self) -> Option<Finding> {
        let start = self.credential().not_before.filter(|start| *start > self.calendar.now)?;
        let first = self.ladder().next_at.map_or(start, |next| next.max(start));
        let next_at = Some(if self.ladder().rung.is_some() { start } else { first });
        Some(Finding { status: Status::NotYetValid, code: Code::Waiting, reason: Reason::NotYetValid, next_at })
    }

    /// Make sure that a planned end is announced as one, and that its passing is not announced at all.
    fn superseded(&self) -> Option<Finding> {
        self.successor?;
        let quiet = (Code::Superseded, Reason::Superseded);
        if self.credential().has_ended_at(self.calendar.now) {
            return Finding::quiet(Status::Superseded, quiet.0, quiet.1);
        }
        let ladder = &self.route.treatment.retire_remind;
        let standing = ladder::before_end(NoticeKind::Retiring, ladder, self.credential(), self.calendar);
        Finding::on_ladder(Status::Superseded, standing, quiet)
    }

    /// Make sure that what was dead long before we came is listed, not mailed.
    fn ended_long_ago(&self) -> Option<Finding> {
        let end = self.credential().expires_at?;
        let limit = SignedDuration::from_secs(self.route.treatment.forget_expired_after.seconds());
        if self.entry.first_seen.duration_since(end) <= limit {
            return None;
        }
        Finding::quiet(Status::Expired, Code::Ignored, Reason::EndedLongAgo)
    }

    fn expired(&self) -> Option<Finding> {
        let end = self.credential().expires_at.filter(|end| *end < self.calendar.now)?;
        let standing = ladder::after_end(end, self.route.treatment.after_expiry, self.calendar);
        Finding::on_ladder(Status::Expired, standing, (Code::Waiting, Reason::NothingCrossed))
    }

    fn running(&self) -> Finding {
        let standing = self.ladder();
        let status = if standing.rung.is_some() { Status::Expiring } else { Status::Valid };
        let (code, reason) = match standing.rung {
            Some(rung) => (Code::Due, Reason::Crossed(rung)),
            None => (Code::Waiting, Reason::NothingCrossed),
        };
        // After the last rung comes the end itself.
        let next_at = standing.next_at.or(self.credential().expires_at);
        Finding { status, code, reason, next_at }
    }

    fn ladder(&self) -> Standing {
        let ladder = self.route.treatment.ladder(self.credential().kind);
        ladder::before_end(NoticeKind::Expiring, ladder, self.credential(), self.calendar)
    }
}

impl Finding {
    #[must_use]
    pub fn into_verdict(self, entry: usize, superseded_by: Option<usize>, case: &Case<'_>) -> Verdict {
        let days_left = case.credential().expires_at.map(|end| case.calendar.days_until(end));
        Verdict {
            entry,
            status: self.status,
            code: self.code,
            reason: self.reason,
            next_at: self.next_at,
            days_left: days_left.map(|days| i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX })),
            conditions: Box::default(),
            from_elsewhere: false,
            superseded_by: superseded_by.and_then(|index| u32::try_from(index).ok()),
            rule: case.route.rule.and_then(|index| u32::try_from(index).ok()),
            teams: case.route.teams.clone(),
            teams_from: case.route.teams_from,
        }
    }
}
