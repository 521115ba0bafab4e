//! What can go wrong with one try, what may help, and how it is told.

use super::{Explanation, Refusal};
use crate::sources::ReadError;
use crate::sources::azure::SignInError;
use reqwest::StatusCode;
use std::error::Error;
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
        let problem = match error {
            error if error.is_timeout() => "no complete answer in time".to_owned(),
            error if error.is_connect() => format!("no connection ({})", root(error)),
            error => format!("the answer broke off ({})", root(error)),
        };
        Self::new(problem, Remedy::Wait(None))
    }

    pub fn too_large(limit: usize) -> Self {
        Self::new(format!("the answer is larger than {} KiB and was not read on", limit >> 10), Remedy::None)
    }

    pub fn status(
        status: StatusCode,
        said: Explanation,
        advise: fn(u16, &str) -> &'static str,
        retry_after: Option<Duration>,
        serial: u64,
    ) -> Self {
        let code = said.code.unwrap_or_default();
        let mut problem = status.as_u16().to_string();
        match (code.is_empty(), status.canonical_reason()) {
            (false, _) => problem.push_str(&format!(" {code}")),
            (true, Some(reason)) => problem.push_str(&format!(" {reason}")),
            (true, None) => {}
        }
        if let Some(request) = said.request {
            problem.push_str(&format!(", request-id {request}"));
        }
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

/// A code or an id, as far as it looks like one: what a server makes up does not get far, nor does a token that it sends back.
pub(in crate::sources) fn identifier(written: &str) -> Option<String> {
    let plain = written.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'|'));
    (plain && (1..=64).contains(&written.len())).then(|| written.to_owned())
}

/// The innermost cause; the outer ones name the URL, whose query is not for show.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => "no more is known".to_owned(),
        None => cause.to_string(),
    }
}
