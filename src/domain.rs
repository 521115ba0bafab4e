//! The nouns of the watch, parsed: a value of one of these types is valid by construction.
//!
//! Owns what a credential, a threshold, a team, a notice *is*. Refuses to know where any of them came from, what time it is, or
//! what ought to be done about it. Nothing here does I/O, and nothing here imports another module of the crate.

mod appointment;
mod channel;
mod credential;
mod ident;
mod last_use;
mod notice;
mod period;
mod policy;
mod team;
mod text;
mod x509;

pub use appointment::{Appointment, Change, Invitation, Invited, Occasion, Withdrawal};
pub use channel::Channel;
pub use credential::{ById, Credential, Holder, Kind, Mark, Owners, SourceName, Trouble};
pub use ident::{CredentialId, DirectoryObject, Ident};
pub use last_use::LastUse;
pub use notice::{Families, Family, Notice, NoticeKey, NoticeKind, Rotation, Step, Subject};
pub use period::{Period, PeriodError, Threshold, Unit};
pub use policy::{Escalation, Glob, Match, Policy, Rule, Successor, Treatment};
pub use team::{Address, AddressError, CalendarChoice, Team, TeamId};
pub use text::Text;
pub use x509::{Serial, X509};
