//! Who is told: teams and their addresses.

use super::Text;
use lettre::Address as Mailbox;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// A team's key in the configuration, such as `ccaas`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TeamId(Arc<str>);

impl TeamId {
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(Text::clean(key).as_str().into())
    }

    /// The reserved team: whoever owns the holder in its directory. No team of the configuration has this name.
    pub const OWNER: &'static str = "owner";

    #[must_use]
    pub fn is_owner(&self) -> bool {
        &*self.0 == Self::OWNER
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TeamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address that mail can be sent to (RFC 5321 `Mailbox`, without a display name); compared without case, as every mail
/// system in use does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Box<str>);

#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{written}` is not a mail address: write it as \"name@example.ca\"")]
pub struct AddressError {
    written: String,
}

impl Address {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(written: &str) -> Result<Self, AddressError> {
        match written.parse::<Mailbox>() {
            Ok(mailbox) if written.is_ascii() => Ok(Self(mailbox.to_string().to_ascii_lowercase().into())),
            _ => Err(AddressError { written: written.to_owned() }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a team gets its dates into a calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CalendarChoice {
    /// An invitation for each date, by mail.
    Invite,
    /// A feed to subscribe to.
    #[default]
    Feed,
    None,
}

/// Somebody who is responsible.
#[derive(Clone, Debug)]
pub struct Team {
    pub id: TeamId,
    /// What people call it.
    pub name: Text,
    pub addresses: Vec<Address>,
    pub calendar: CalendarChoice,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_address_cannot_exist() {
        for written in [
            "",
            "ops",
            "ops@",
            "@example.ca",
            "a@b@c",
            "Ops <ops@example.ca>",
            "ops@example.ca\r\nBcc: x@y.ca",
            "a b@c.ca",
        ] {
            assert!(written.parse::<Address>().is_err(), "{written:?}");
        }
    }

    #[test]
    fn one_mailbox_written_in_two_cases_is_one_address() {
        assert_eq!("Ops@Example.CA".parse::<Address>().unwrap(), "ops@example.ca".parse().unwrap());
    }
}
