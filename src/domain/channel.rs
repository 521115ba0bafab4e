//! In which way something reaches people.

use std::str::FromStr;

/// What a message is to its reader: something to read, or a change in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Mail,
    Calendar,
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Mail, Self::Calendar];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Calendar => "calendar",
        }
    }
}

impl FromStr for Channel {
    type Err = ();

    fn from_str(written: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == written).ok_or(())
    }
}
