//! The rules by which a credential is judged, in order: the first that applies decides.

use super::calendar::{Calendar, Span};
use super::ladder::{self, Rung, Standing};
use super::rotation;
use super::usage::OldUse;
use super::verdict::{Code, Reason, Status};
use crate::domain::{Credential, NoticeKind, Step, Treatment, Trouble};
use crate::inventory::Entry;
use jiff::SignedDuration;

/// One credential with all that its judgement depends on, but for what has been told.
pub struct Case<'a> {
    pub entry: &'a Entry,
    pub treatment: &'a Treatment,
    pub place: Place,
    pub calendar: &'a Calendar<'a>,
}

/// What a credential is among the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The index of the successor that began first, where one covers it: since then it has been covered.
    pub first_successor: Option<u32>,
    /// Whether it is used all the same.
    pub old_use: OldUse,
    /// Whether it is the newest valid one of its kind, whose age counts for the next rotation.
    pub newest: bool,
    /// How far its word could be held against the directory's, for a vault's entry.
    pub compared: Compared,
    /// The index of the directory's credential that tells the same end to the same teams, for a vault's entry.
    pub told_by: Option<u32>,
}

/// Whether a vault's entry could be compared with what it keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compared {
    /// It does not say what it keeps, or until when.
    #[default]
    Unmarked,
    /// What it keeps may stand in a directory that has not been read.
    Unread,
    Yes,
}

/// What a rule found.
pub struct Finding {
    pub status: Status,
    pub code: Code,
    pub reason: Reason,
    /// What comes next if nothing changes.
    pub next: Option<Rung>,
}

impl Finding {
    fn quiet(status: Status, code: Code, reason: Reason) -> Option<Self> {
        Some(Self { status, code, reason, next: None })
    }

    /// What stands on a ladder is due once a rung has been crossed. Whether it has been told is for the ledger to say.
    fn on_ladder(status: Status, standing: Standing, otherwise: (Code, Reason)) -> Self {
        let (code, reason) = standing.rung.map_or(otherwise, |rung| (Code::Due, Reason::Crossed(rung)));
        Self { status, code, reason, next: standing.next }
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
        self.as_far_as_known(self.told_once(finding))
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

    /// Make sure that one end is not told twice: a vault's entry leaves it to the credential that it keeps.
    fn told_once(&self, finding: Finding) -> Finding {
        match self.place.told_by.filter(|_| finding.status != Status::Ignored) {
            Some(index) => Finding { code: Code::Ignored, reason: Reason::ToldBy(index), next: None, ..finding },
            None => finding,
        }
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
        self.treatment.ignore.as_ref()?;
        Finding::quiet(Status::Ignored, Code::Ignored, Reason::IgnoredByRule)
    }

    fn never_expires(&self) -> Option<Finding> {
        self.credential().expires_at.is_none().then_some(())?;
        // Without an end, age alone calls for a replacement.
        Some(Finding::on_ladder(Status::NoExpiry, self.rotation(), (Code::NoExpiry, Reason::NeverExpires)))
    }

    /// Make sure that nothing is said of what has not begun: it waits for its beginning, or for its first rung after that.
    fn not_yet_valid(&self) -> Option<Finding> {
        let start = self.credential().not_before.filter(|start| *start > self.calendar.now)?;
        // Dates the wrong way round: what has ended will not begin any more.
        if self.credential().has_ended_at(self.calendar.now) {
            return None;
        }
        let standing = self.ladder();
        // A rung that is crossed already is told when it begins.
        let at_once = standing.rung.map(|rung| Rung { crossed_at: start, ..rung });
        let first = at_once.or(standing.next.map(|next| Rung { crossed_at: next.crossed_at.max(start), ..next }));
        let next = first.or_else(|| self.end());
        Some(Finding { status: Status::NotYetValid, code: Code::Waiting, reason: Reason::NotYetValid, next })
    }

    /// Make sure that a planned end is announced as one, and that its passing is not announced at all; but that what is used to the
    /// last is no planned end.
    fn superseded(&self) -> Option<Finding> {
        self.place.first_successor?;
        let quiet = (Code::Superseded, Reason::Superseded);
        let life = Span::of_life(self.credential()).filter(|life| life.end >= self.calendar.now);
        let Some(life) = life else { return Finding::quiet(Status::Superseded, quiet.0, quiet.1) };
        let standing = match self.place.old_use {
            OldUse::InUse => ladder::before_end(
                NoticeKind::StillInUse,
                self.treatment.ladder(self.credential().kind),
                life,
                self.calendar,
            ),
            _ => ladder::before_end(NoticeKind::Retiring, &self.treatment.retire_remind, life, self.calendar),
        };
        Some(Finding::on_ladder(Status::Superseded, standing, quiet))
    }

    /// Make sure that what was dead long before we came is listed, not mailed.
    fn ended_long_ago(&self) -> Option<Finding> {
        let end = self.credential().expires_at?;
        let limit = SignedDuration::from_secs(self.treatment.forget_expired_after.seconds());
        if self.entry.first_seen.duration_since(end) <= limit {
            return None;
        }
        Finding::quiet(Status::Expired, Code::Ignored, Reason::EndedLongAgo)
    }

    fn expired(&self) -> Option<Finding> {
        let end = self.credential().expires_at.filter(|end| *end < self.calendar.now)?;
        let standing = ladder::after_end(end, self.treatment.after_expiry, self.calendar);
        Some(Finding::on_ladder(Status::Expired, standing, (Code::Waiting, Reason::NothingCrossed)))
    }

    /// Make sure that what runs out is told, and otherwise that what is due for its planned replacement is: never both at once,
    /// since it takes the same act.
    fn running(&self) -> Finding {
        let nothing = (Code::Waiting, Reason::NothingCrossed);
        let (expiring, rotation) = (self.ladder(), self.rotation());
        // After the last rung comes the end itself.
        let next = expiring.next.or_else(|| self.end());
        if expiring.rung.is_some() {
            return Finding::on_ladder(Status::Expiring, Standing { next, ..expiring }, nothing);
        }
        let next = rotation.next.map_or(next, |rung| Some(rung.sooner(next)));
        Finding::on_ladder(Status::Valid, Standing { rung: rotation.rung, next }, nothing)
    }

    fn ladder(&self) -> Standing {
        let ladder = self.treatment.ladder(self.credential().kind);
        Span::of_life(self.credential())
            .map_or(Standing::default(), |life| ladder::before_end(NoticeKind::Expiring, ladder, life, self.calendar))
    }

    fn rotation(&self) -> Standing {
        let newest = self.place.newest.then(|| rotation::standing(self.credential(), self.treatment, self.calendar));
        newest.unwrap_or_default()
    }

    /// The end itself, as what comes after the last rung.
    fn end(&self) -> Option<Rung> {
        let crossed_at = self.credential().expires_at?;
        Some(Rung { kind: NoticeKind::Expired, step: Step::Expired(None), crossed_at })
    }
}
