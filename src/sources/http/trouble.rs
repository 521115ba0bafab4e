//! What can go wrong with one try, what may help, and how it is told.

use super::{Explanation, Refusal};
use crate::azure::SignInError;
use crate::http::{self, Broken};
use crate::sources::ReadError;
use reqwest::StatusCode;
use std::time::Duration;

/// One try that failed.
pub(super) struct Trouble {
    /// What happened, for people.
    problem: String,
    /// The system's error code; empty where there is none.
    code: String,
    status: Option<StatusCode>,
    advice: &'static str,
    pub remedy: Remedy,
}

/// What may help.
pub(super) enum Remedy {
    None,
    /// To sign in again: the token with this serial number was refused.
    SignIn(u64),
    /// To wait, perhaps for as long as the server said.
    Wait(Option<Duration>),
    /// To wait until there is room again; the server did not say how long.
    MakeRoom,
}

impl Trouble {
    fn new(problem: String, remedy: Remedy) -> Self {
        Self { problem, code: String::new(), status: None, advice: "", remedy }
    }

    /// The refusal that is handed up: what was asked, what happened, why it ends here.
    pub fn told(self, what: &str, end: &str) -> Refusal {
        let error = ReadError::new(&format!("{what}: {}{end}{}", self.problem, self.advice));
        Refusal { code: self.code, status: self.status, error }
    }

    pub fn signing_in(error: SignInError) -> Self {
        Self::new(error.problem, if error.passing { Remedy::Wait(error.retry_after) } else { Remedy::None })
    }

    pub fn no_key(why: String) -> Self {
        Self::new(why, Remedy::None)
    }

    pub fn out_of_budget(pause: Duration) -> Self {
        let seconds = pause.as_secs_f64().ceil();
        Self::new(
            format!("not asked yet: the number of requests that is allowed is used up for another {seconds} s"),
            Remedy::None,
        )
    }

    pub fn silent(after: Duration) -> Self {
        Self::new(format!("no complete answer within {} s", after.as_secs()), Remedy::Wait(None))
    }

    pub fn network(error: &reqwest::Error) -> Self {
        Self::new(http::no_answer(error), Remedy::Wait(None))
    }

    pub fn broken(broken: Broken) -> Self {
        match broken {
            Broken::Network(error) => Self::network(&error),
            Broken::TooLarge(limit) => {
                Self::new(format!("the answer is larger than {} KiB and was not read on", limit >> 10), Remedy::None)
            }
        }
    }

    pub fn status(
        status: StatusCode,
        said: Explanation,
        advise: fn(u16, &str) -> &'static str,
        retry_after: Option<Duration>,
        serial: u64,
    ) -> Self {
        let problem = said.line(status);
        let code = said.code.unwrap_or_default();
        let advice = advise(status.as_u16(), &code);
        Self { problem, code, status: Some(status), advice, remedy: remedy(status, retry_after, serial) }
    }
}

fn remedy(status: StatusCode, retry_after: Option<Duration>, serial: u64) -> Remedy {
    match status.as_u16() {
        401 => Remedy::SignIn(serial),
        429 if retry_after.is_none() => Remedy::MakeRoom,
        408 | 429 | 500 | 502 | 503 | 504 => Remedy::Wait(retry_after),
        _ => Remedy::None,
    }
}
