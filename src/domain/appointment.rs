//! A credential's date in a calendar, and what somebody's calendar has been told of it.

use super::{Address, Credential, CredentialId, Text};
use jiff::Timestamp;
use jiff::civil::Date;
use std::sync::Arc;

/// Why a day is the one to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The widest threshold of its ladder: from here on it should be renewed.
    Renew,
    /// The planned replacement (`rotate_every`).
    Replace,
    /// The end itself: nothing ahead of it is left.
    End,
}

/// The one all-day entry that a credential has in a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appointment {
    pub credential: Arc<Credential>,
    /// After this instant it no longer works.
    pub expires_at: Timestamp,
    /// A day of the configured zone.
    pub day: Date,
    pub occasion: Occasion,
    pub environment: Option<Text>,
    pub runbook: Option<Text>,
    pub first_seen: Timestamp,
}

/// What an address has been told of a credential's date, last. One for each credential and address, for good: its number only rises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    pub credential: CredentialId,
    pub address: Address,
    /// iCalendar's SEQUENCE (RFC 5546, section 2.1.4).
    pub sequence: u32,
    pub day: Date,
    pub expires_at: Timestamp,
    /// When that was written: its DTSTAMP, however often it is sent.
    pub stamped_at: Timestamp,
    /// The entry's title, kept for taking it back when nobody knows the credential any more.
    pub title: Text,
    pub is_cancelled: bool,
}

/// Why an entry is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// Another one has taken its place.
    Rotated,
    /// It is no longer there, or no longer watched.
    Gone,
    /// It is no longer this address's to renew, or this team wants no invitations any more.
    NotWanted,
}

/// What a calendar is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new, or it is back.
    Put(Appointment),
    /// It was on another day, or had another end.
    Move {
        from: Date,
        to: Appointment,
    },
    Withdraw(Withdrawal),
}

/// One calendar message: what it changes, and what the address will have been told by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub change: Change,
    pub entry: Invited,
}

impl Appointment {
    /// What the entry is called.
    #[must_use]
    pub fn title(&self) -> Text {
        let act = match self.occasion {
            Occasion::Renew => "Renew",
            Occasion::Replace => "Replace",
            Occasion::End => "Ends",
        };
        let kind = self.credential.kind.spoken();
        let environment = self.environment.iter().map(|environment| format!(", {environment}")).collect::<String>();
        Text::clean(&format!("{act}: {} ({kind}{environment})", self.credential.holder.name))
    }
}
