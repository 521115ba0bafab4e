//! Lengths of time as people write them: `30d`, `12h`, `33%`.
//!
//! A day is a calendar day of the configured zone, not twenty-four hours: `1d` and `24h` are crossed at different instants, so the
//! unit is part of the value and is shown again as it was written.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    Seconds,
    Minutes,
    Hours,
    /// Calendar days.
    Days,
}

impl Unit {
    fn letter(self) -> char {
        match self {
            Self::Seconds => 's',
            Self::Minutes => 'm',
            Self::Hours => 'h',
            Self::Days => 'd',
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Minutes => 60,
            Self::Hours => 3_600,
            Self::Days => 86_400,
        }
    }
}

/// A number of whole units, written `90d`, `12h`, `45m` or `10s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    pub amount: u32,
    pub unit: Unit,
}

impl Period {
    /// The largest amount accepted: about 100 years in days, more than any credential lives.
    pub const MOST: u32 = 36_500;

    #[must_use]
    pub const fn days(amount: u32) -> Self {
        Self { amount, unit: Unit::Days }
    }

    #[must_use]
    pub const fn hours(amount: u32) -> Self {
        Self { amount, unit: Unit::Hours }
    }

    /// Its length in seconds, a day counted as 24 hours: for time-outs and ages, where the calendar does not matter.
    #[must_use]
    pub fn seconds(self) -> i64 {
        i64::from(self.amount) * self.unit.seconds()
    }

    #[must_use]
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.seconds().unsigned_abs())
    }

    /// `n` of it one after another, capped so that it never wraps.
    #[must_use]
    pub fn times(self, n: u32) -> Self {
        Self { amount: self.amount.saturating_mul(n), ..self }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.amount, self.unit.letter())
    }
}

/// What was written is not a length of time; says what would be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PeriodError {
    #[error("`{0}` is not a duration: write a whole number and a unit, such as \"30d\", \"12h\", \"45m\" or \"10s\"")]
    NotAPeriod(String),
    #[error("`{0}` is too long: at most {max}", max = Period::MOST)]
    TooLong(String),
    #[error("`{0}` is not a share of the lifetime: write \"1%\" to \"99%\"")]
    NotAShare(String),
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(written: &str) -> Result<Self, PeriodError> {
        let not = || PeriodError::NotAPeriod(written.to_owned());
        let unit = match written.chars().last() {
            Some('s') => Unit::Seconds,
            Some('m') => Unit::Minutes,
            Some('h') => Unit::Hours,
            Some('d') => Unit::Days,
            _ => return Err(not()),
        };
        let digits = &written[..written.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(not());
        }
        let most = i64::from(Self::MOST) * Unit::Days.seconds() / unit.seconds();
        match digits.parse::<u32>() {
            Ok(amount) if i64::from(amount) <= most => Ok(Self { amount, unit }),
            _ => Err(PeriodError::TooLong(written.to_owned())),
        }
    }
}

/// How long before its end somebody is told: a period, or a share of the credential's own lifetime in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Threshold {
    Before(Period),
    /// 1 to 99.
    Share(u8),
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(period) => period.fmt(f),
            Self::Share(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Threshold {
    type Err = PeriodError;

    fn from_str(written: &str) -> Result<Self, PeriodError> {
        let Some(percent) = written.strip_suffix('%') else { return written.parse().map(Self::Before) };
        match percent.parse::<u8>() {
            Ok(share @ 1..=99) if percent.bytes().all(|b| b.is_ascii_digit()) => Ok(Self::Share(share)),
            _ => Err(PeriodError::NotAShare(written.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_reads_back_as_it_was_written() {
        for written in ["60d", "0d", "36h", "45m", "10s", "33%", "1%"] {
            assert_eq!(written.parse::<Threshold>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused_with_an_example() {
        for written in [
            "",
            "d",
            "7",
            "7 d",
            "-7d",
            "+7d",
            "7w",
            "1.5d",
            "½d",
            "100%",
            "0%",
            "%",
            "+5%",
            "99999999d",
            "5000000000s",
        ] {
            let error = written.parse::<Threshold>().unwrap_err().to_string();
            assert!(error.contains(written), "{error}");
        }
    }

    #[test]
    fn the_longest_period_is_the_same_in_every_unit() {
        assert!("36500d".parse::<Period>().is_ok());
        assert!("876000h".parse::<Period>().is_ok());
        assert!("36501d".parse::<Period>().is_err());
        assert!("876001h".parse::<Period>().is_err());
    }
}
