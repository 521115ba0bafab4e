//! How a command ends.

use std::process::ExitCode;

/// The exit codes that scripts rely on. Where several apply, the order of declaration decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 2: wrong usage or configuration.
    Configuration,
    /// 5: the state could not be opened or written.
    State,
    /// 3: at least one source could not be read.
    Source,
    /// 4: mail could not be handed over, or was refused.
    Mail,
    /// 1: `--fail-on` found something, or the service is unhealthy.
    Found,
    /// 0
    Done,
}

impl Exit {
    /// The one that counts where both apply.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Found => 1,
            Self::Configuration => 2,
            Self::Source => 3,
            Self::Mail => 4,
            Self::State => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_several_codes_apply_they_count_in_the_documented_order() {
        let order = [Exit::Configuration, Exit::State, Exit::Source, Exit::Mail, Exit::Found, Exit::Done];
        assert_eq!(order.map(Exit::code), [2, 5, 3, 4, 1, 0]);
        for pair in order.windows(2) {
            assert_eq!(pair[0].and(pair[1]), pair[0]);
            assert_eq!(pair[1].and(pair[0]), pair[0]);
        }
    }
}
