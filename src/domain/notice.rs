//! What is owed to a team: one fact, once.

use super::{Address, CredentialId, Escalation, Ident, Kind, Period, PeriodError, SourceName, TeamId, Text, Threshold};
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;

macro_rules! notice_kinds {
    ($($variant:ident = $name:literal;)*) => {
        /// The sorts of fact that a team can be told, the most urgent first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum NoticeKind { $($variant,)* }

        impl NoticeKind {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

notice_kinds! {
    Expired = "expired";
    Untrusted = "untrusted";
    StillInUse = "still_in_use";
    NotDeployed = "not_deployed";
    Expiring = "expiring";
    DateMismatch = "date_mismatch";
    RotationDue = "rotation_due";
    Unreachable = "unreachable";
    SourceStale = "source_stale";
    Retiring = "retiring";
    Resolved = "resolved";
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for NoticeKind {
    type Err = ();

    fn from_str(written: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == written).ok_or(())
    }
}

/// Notices that are about the same question: a `resolved` answers one or several of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// When it ends.
    Dates,
    Rotation,
    Deployment,
    Trust,
    Agreement,
    Reach,
    Source,
}

impl Family {
    pub const ALL: &[Self] =
        &[Self::Dates, Self::Rotation, Self::Deployment, Self::Trust, Self::Agreement, Self::Reach, Self::Source];

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl NoticeKind {
    /// `None` for `resolved`, which says itself what it closes.
    #[must_use]
    pub fn family(self) -> Option<Family> {
        Some(match self {
            Self::Expired | Self::Expiring | Self::Retiring | Self::StillInUse => Family::Dates,
            Self::RotationDue => Family::Rotation,
            Self::NotDeployed => Family::Deployment,
            Self::Untrusted => Family::Trust,
            Self::DateMismatch => Family::Agreement,
            Self::Unreachable => Family::Reach,
            Self::SourceStale => Family::Source,
            Self::Resolved => return None,
        })
    }
}

/// A set of families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Families(u8);

impl Families {
    #[must_use]
    pub fn with(self, family: Family) -> Self {
        Self(self.0 | family.bit())
    }

    #[must_use]
    pub fn contains(self, family: Family) -> bool {
        self.0 & family.bit() != 0
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// For the store.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

impl From<Family> for Families {
    fn from(family: Family) -> Self {
        Self::default().with(family)
    }
}

/// Which rung of its ladder a notice stands on; shown as the `threshold` of headers, JSON and the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// A threshold before the end: `7d`, `33%`.
    Before(Threshold),
    /// The end itself (`None`: `expired`), or so long after it (`expired+7d`).
    Expired(Option<Period>),
    /// A source has been silent for longer than its limit (0: `stale`), and for so many days more (`stale+1d`).
    Stale(u32),
    /// A condition, due as soon as it is seen.
    Now,
    Resolved,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(threshold) => threshold.fmt(f),
            Self::Expired(None) => f.write_str("expired"),
            Self::Expired(Some(since)) => write!(f, "expired+{since}"),
            Self::Stale(0) => f.write_str("stale"),
            Self::Stale(days) => write!(f, "stale+{days}d"),
            Self::Now => f.write_str("now"),
            Self::Resolved => f.write_str("resolved"),
        }
    }
}

impl FromStr for Step {
    type Err = PeriodError;

    fn from_str(written: &str) -> Result<Self, PeriodError> {
        Ok(match written {
            "expired" => Self::Expired(None),
            "stale" => Self::Stale(0),
            "now" => Self::Now,
            "resolved" => Self::Resolved,
            _ => match written.split_once('+') {
                Some(("expired", since)) => Self::Expired(Some(since.parse()?)),
                Some(("stale", since)) => Self::Stale(since.parse::<Period>()?.amount),
                _ => Self::Before(written.parse()?),
            },
        })
    }
}

/// The identity of a notice: it is owed once, ever. The store's primary key, and the only guard against telling twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoticeKey {
    /// The credential, or `source:<name>`.
    pub credential: CredentialId,
    /// The end that it is about: a new end is a new story. `None` for what has none (a source).
    pub expires_at: Option<Timestamp>,
    pub kind: NoticeKind,
    pub step: Step,
    pub team: TeamId,
    /// How many times this team has been told `resolved` about this credential before.
    pub episode: u32,
    /// What a `resolved` closes; empty for every other kind, and no part of the identity that the store keeps.
    pub closes: Families,
}

/// What a notice is about, as it stood when the notice was decided; enough to write a mail without looking anything up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Credential {
        source: SourceName,
        kind: Kind,
        holder: Text,
        holder_id: Ident,
        app_id: Option<Ident>,
        label: Text,
        /// False where the holder may not sign in at present.
        holder_enabled: bool,
        not_before: Option<Timestamp>,
        /// The label and the end of the successor that covers it.
        successor: Option<(Text, Option<Timestamp>)>,
        /// How its holder stands in the rotation of its credentials.
        rotation: Option<Rotation>,
    },
    Source {
        name: SourceName,
        /// The `type` in the configuration.
        system: &'static str,
        last_success: Option<Timestamp>,
        last_error: Option<Text>,
    },
}

/// How a holder stands in the rotation of its credentials of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// As the API spells it, such as `overlap`.
    pub state: &'static str,
    pub since: Option<Timestamp>,
    /// A sentence.
    pub why: String,
}

/// One fact owed to one team, with everything that its mail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub key: NoticeKey,
    /// When it became true; delivery is measured against this.
    pub crossed_at: Timestamp,
    /// By when it calls for something: the planned replacement for `rotation_due`, the end for all others.
    pub due_by: Option<Timestamp>,
    /// Not to be held for the next notify run.
    pub urgent: bool,
    pub subject: Subject,
    /// A sentence that says why it was sent.
    pub reason: String,
    /// The rule that decided; `None` = `[defaults]`.
    pub rule: Option<Text>,
    pub environment: Option<Text>,
    pub runbook: Option<Text>,
    /// Every team that is told this, the recipient's own among them.
    pub told: Vec<TeamId>,
    /// What brought some of those in who would not be told otherwise: from when on, and which teams.
    pub escalation: Option<Escalation>,
    /// The addresses of the holder's owners, where the notice is owed to those; empty for every other team.
    pub owners: Box<[Address]>,
}

impl Notice {
    /// The order of notices in a digest: the most urgent kind first, then the soonest end, then the name.
    #[must_use]
    pub fn rank(&self) -> (NoticeKind, bool, Option<Timestamp>, &CredentialId) {
        (self.key.kind, self.key.expires_at.is_none(), self.key.expires_at, &self.key.credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_step_reads_back_as_it_is_spelt() {
        for kind in NoticeKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        for written in
            ["7d", "33%", "12h", "expired", "expired+7d", "expired+21d", "stale", "stale+3d", "now", "resolved"]
        {
            assert_eq!(written.parse::<Step>().unwrap().to_string(), written);
        }
        assert!("expired+".parse::<Step>().is_err());
    }

    #[test]
    fn expired_is_more_urgent_than_expiring_and_resolved_comes_last() {
        assert!(NoticeKind::Expired < NoticeKind::Expiring);
        assert_eq!(NoticeKind::ALL.last(), Some(&NoticeKind::Resolved));
    }
}
