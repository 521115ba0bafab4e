//! What is said of a credential: one status, one verdict, and a sentence that says why.

use super::calendar::Calendar;
use super::ladder::Rung;
use super::routing::TeamsFrom;
use crate::domain::{Credential, NoticeKind, Policy, TeamId, Text, Trouble};
use crate::inventory::{Entry, Inventory};
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;

/// What state a credential is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    Valid,
    /// Inside its widest threshold.
    Expiring,
    Expired,
    Superseded,
    NotYetValid,
    NoExpiry,
    Ignored,
    Unreachable,
}

impl Status {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::NotYetValid => "not_yet_valid",
            Self::NoExpiry => "no_expiry",
            Self::Ignored => "ignored",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A notice is owed and has not been enqueued yet.
    Due,
    /// Nothing is owed yet.
    Waiting,
    /// What is owed has been enqueued.
    Noticed,
    Superseded,
    Ignored,
    NoExpiry,
    /// Never read yet.
    Unknown,
}

impl Code {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Waiting => "waiting",
            Self::Noticed => "noticed",
            Self::Superseded => "superseded",
            Self::Ignored => "ignored",
            Self::NoExpiry => "no_expiry",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a verdict is what it is. A sentence only once somebody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule says so, with a reason of its own.
    IgnoredByRule,
    NeverExpires,
    NotYetValid,
    /// Covered, and no notice about its planned end is owed.
    Superseded,
    /// It ended longer before it was first seen than anybody wants to hear of.
    EndedLongAgo,
    Crossed(Rung),
    NothingCrossed,
    /// It could not be read even once.
    NeverRead,
}

/// Something that is wrong with a credential beside its dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `untrusted`, `not_deployed` or `unreachable`.
    pub kind: NoticeKind,
    pub since: Timestamp,
    pub reason: String,
    /// Whether a notice about it is owed and has not been enqueued yet.
    pub due: bool,
}

/// The verdict on one credential.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its index in the inventory.
    pub entry: usize,
    pub status: Status,
    pub code: Code,
    pub reason: Reason,
    pub next_at: Option<Timestamp>,
    /// `None` = it never expires.
    pub days_left: Option<i32>,
    /// What is wrong beside its dates.
    pub conditions: Box<[Condition]>,
    /// It is served, and no authority that is read has issued it.
    pub from_elsewhere: bool,
    /// The index of its successor in the inventory.
    pub superseded_by: Option<u32>,
    /// The deciding rule's index in the policy; `None` = the defaults.
    pub rule: Option<u32>,
    /// May be empty: unowned.
    pub teams: Arc<[TeamId]>,
    pub teams_from: TeamsFrom,
}

impl Verdict {
    /// The rung that is owed or has been told.
    #[must_use]
    pub fn rung(&self) -> Option<Rung> {
        match self.reason {
            Reason::Crossed(rung) => Some(rung),
            _ => None,
        }
    }

    #[must_use]
    pub fn credential<'a>(&self, inventory: &'a Inventory) -> &'a Credential {
        &self.entry(inventory).credential
    }

    #[must_use]
    pub fn entry<'a>(&self, inventory: &'a Inventory) -> &'a Entry {
        &inventory.entries()[self.entry]
    }

    /// Who covers it.
    #[must_use]
    pub fn successor<'a>(&self, inventory: &'a Inventory) -> Option<&'a Credential> {
        self.superseded_by.map(|index| &*inventory.entries()[index as usize].credential)
    }

    #[must_use]
    pub fn rule_name<'a>(&self, policy: &'a Policy) -> Option<&'a Text> {
        self.rule.map(|index| &policy.rules[index as usize].name)
    }

    /// The sentence.
    #[must_use]
    pub fn explain(&self, inventory: &Inventory, policy: &Policy, calendar: &Calendar<'_>) -> String {
        let credential = self.credential(inventory);
        let sentence = match self.reason {
            Reason::IgnoredByRule => {
                let rule = &policy.rules[self.rule.unwrap_or_default() as usize];
                let why = rule.treatment.ignore.as_ref().map_or("", Text::as_str);
                return format!("ignored by the rule \"{}\": {why}", rule.name);
            }
            Reason::NeverRead => match credential.trouble.as_deref().and_then(Trouble::why_unreachable) {
                Some(why) => format!("it could not be read yet: {why}"),
                None => "it could not be read yet".to_owned(),
            },
            Reason::NeverExpires => return "it never expires".to_owned(),
            Reason::NotYetValid => match credential.not_before {
                Some(start) => format!("not valid before {}", calendar.date(start)),
                None => "not valid yet".to_owned(),
            },
            Reason::EndedLongAgo => {
                return format!(
                    "it had ended more than {} before it was first seen on {}",
                    self.treatment(policy).forget_expired_after,
                    calendar.date(self.entry(inventory).first_seen)
                );
            }
            Reason::Superseded => self.superseded(inventory, calendar),
            Reason::Crossed(rung) => {
                self.crossed(rung, inventory, calendar) + &order_in_words(rung.kind, credential, calendar)
            }
            Reason::NothingCrossed => {
                "no threshold crossed yet".to_owned() + &order_in_words(NoticeKind::Expiring, credential, calendar)
            }
        };
        let sentence =
            if self.from_elsewhere { format!("{sentence}; served, but not from this account") } else { sentence };
        match (self.next_at, self.teams.is_empty()) {
            (_, true) => format!("{sentence}; no team owns it, so only the summaries tell"),
            (Some(next), false) if self.code == Code::Waiting => format!("{sentence}; next on {}", calendar.date(next)),
            _ => sentence,
        }
    }

    /// What is wrong beside the dates, then the sentence.
    #[must_use]
    pub fn explain_all(&self, inventory: &Inventory, policy: &Policy, calendar: &Calendar<'_>) -> String {
        let wrong = self.conditions.iter().map(|condition| format!("{}: {}; ", condition.kind, condition.reason));
        wrong.collect::<String>() + &self.explain(inventory, policy, calendar)
    }

    fn crossed(&self, rung: Rung, inventory: &Inventory, calendar: &Calendar<'_>) -> String {
        let on = calendar.date(rung.crossed_at);
        let told = if self.code == Code::Noticed { "already noticed" } else { "not yet noticed" };
        match rung.kind {
            NoticeKind::Expired => format!("it ended on {}; {told}", self.end(inventory, calendar)),
            NoticeKind::Retiring => {
                format!("{}; {} threshold crossed on {on}; {told}", self.superseded(inventory, calendar), rung.step)
            }
            _ => format!("{} threshold crossed on {on}; {told}", rung.step),
        }
    }

    fn superseded(&self, inventory: &Inventory, calendar: &Calendar<'_>) -> String {
        let Some(successor) = self.successor(inventory) else {
            return "superseded".to_owned();
        };
        match successor.expires_at {
            Some(end) => format!("superseded by one that ends on {}", calendar.date(end)),
            None => "superseded by one that never expires".to_owned(),
        }
    }

    fn end(&self, inventory: &Inventory, calendar: &Calendar<'_>) -> String {
        self.credential(inventory)
            .expires_at
            .map_or_else(|| "an unknown day".to_owned(), |end| calendar.date(end).to_string())
    }

    #[must_use]
    pub fn treatment<'a>(&self, policy: &'a Policy) -> &'a crate::domain::Treatment {
        self.rule.map_or(&policy.defaults, |index| &policy.rules[index as usize].treatment)
    }
}

/// How an issued certificate that somebody has to renew is renewed: within its order, or by a new one. Empty where nothing is known.
#[must_use]
pub fn order_in_words(kind: NoticeKind, credential: &Credential, calendar: &Calendar<'_>) -> String {
    let known = credential.x509.as_deref().and_then(|x509| x509.paid_until).zip(credential.expires_at);
    match (kind, known) {
        (NoticeKind::Expiring | NoticeKind::Expired, Some((paid, end))) if paid > end && paid > calendar.now => {
            format!("; its order is paid for until {}, so a reissue will do", calendar.date(paid))
        }
        (NoticeKind::Expiring | NoticeKind::Expired, Some((paid, end))) if paid <= end => {
            "; its order ends with it, so it takes a purchase".to_owned()
        }
        _ => String::new(),
    }
}
