//! Asking one question over HTTP, until there is an answer or a reason why there is none.
//!
//! Owns what opens the door to each request, retries and their waiting, limits, and the wording of what went wrong. Token or key go
//! to the configured host alone: redirects are refused, and whoever follows a link pins it first. What differs from one system to
//! the next stands in its [`Manner`]. Refuses to know what the answers mean.

mod access;
mod link;
mod pacer;
mod trouble;

pub(super) use self::access::{Access, Key};
pub(super) use self::link::pinned;
pub(super) use self::pacer::{Budget, Pacer};
pub(super) use self::trouble::identifier;

use self::trouble::{Remedy, Trouble};
use super::ReadError;
use crate::clock::Clock;
use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use url::Url;

/// How often one request is tried (contract, section 4.6).
const TRIES: u32 = 5;

/// What a server can make us spend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The time for one try, from the connection to the last byte.
    pub request: Duration,
    /// The bytes of one answer, unpacked.
    pub answer: usize,
    /// The pages of one listing.
    pub pages: usize,
}

impl Default for Limits {
    /// A full page of Graph has 999 objects, of CertCentral 1000 orders: five million.
    fn default() -> Self {
        Self { request: Duration::from_secs(60), answer: 64 << 20, pages: 5_000 }
    }
}

/// How a system refuses, and what helps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// The error code and the request's id in the body of a refusal, as far as they are there.
    pub explain: fn(&Value) -> Explanation,
    /// What whoever runs the service can do about this status and code; begins with `; `, or is empty.
    pub advise: fn(u16, &str) -> &'static str,
    /// The pauses after a 429 that does not say how long, one after the other; then those after any other failure.
    pub crowded: &'static [Duration],
}

/// What a refusal says of itself. Only what looks like an identifier gets here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Explanation {
    pub code: Option<String>,
    pub request: Option<String>,
}

/// What a try may take in any case, sign-in included, however little may be waited.
const LEAST_PATIENCE: Duration = Duration::from_secs(5);

/// The most that is read of an answer that only explains an error.
const EXPLANATION: usize = 64 << 10;

/// The most that is set aside for an answer because of its own word.
const SET_ASIDE: u64 = 4 << 20;

/// What is left of a read's patience.
#[derive(Debug)]
pub(super) struct Waiting {
    pub left: Duration,
}

/// An answer with its whole body.
pub(super) struct Answer {
    pub body: Vec<u8>,
    /// Whether it took more than one try: the server may then not know the link in it.
    pub retried: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The system's error code, which is what a caller may branch on.
    pub code: String,
    /// None = no answer came, or it broke off.
    pub status: Option<StatusCode>,
    pub error: ReadError,
}

#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    access: Arc<Access>,
    /// A budget of its own, where the access's does not count.
    pacer: Option<Pacer>,
    manner: Manner,
    clock: Clock,
    pub limits: Limits,
    requests: Arc<Mutex<BTreeMap<u16, u64>>>,
}

/// The key in `requests` for what got no answer.
const NO_ANSWER: u16 = 0;

impl Http {
    pub fn new(
        base: &Url,
        access: Access,
        manner: Manner,
        clock: &Clock,
        limits: Limits,
    ) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder()
            .user_agent(concat!("expiry-watch/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10).min(limits.request));
        if is_loopback(base) {
            client = client.no_proxy();
        }
        let (client, access, requests) = (client.build()?, Arc::new(access), Arc::default());
        Ok(Self { client, access, pacer: None, manner, clock: clock.clone(), limits, requests })
    }

    /// For other questions to the same system: over the same connections, by the same access and counted together, but with limits,
    /// a budget and advice of their own.
    pub fn beside(&self, manner: Manner, limits: Limits, budgets: &'static [Budget]) -> Self {
        Self {
            client: self.client.clone(),
            access: Arc::clone(&self.access),
            pacer: Some(Pacer::new(budgets)),
            manner,
            clock: self.clock.clone(),
            limits,
            requests: Arc::clone(&self.requests),
        }
    }

    /// Asks for `url`; `what` names the request in errors (its query can hold a token and is never shown). `body` is a buffer to
    /// fill.
    pub async fn get(
        &self,
        url: &Url,
        what: &str,
        waiting: &mut Waiting,
        mut body: Vec<u8>,
    ) -> Result<Answer, Refusal> {
        let mut pauses = backoff().build();
        let mut crowded = self.manner.crowded.iter().copied();
        let mut signed_in_again = false;
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.pace(what, waiting).await?;
            let begun = Instant::now();
            let patience = waiting.left.max(LEAST_PATIENCE);
            let trouble = match timeout(patience, self.attempt(url, &mut body)).await {
                Ok(Ok(())) => return Ok(Answer { body, retried: attempt > 1 }),
                Ok(Err(trouble)) => trouble,
                Err(_) => Trouble::silent(patience),
            };
            // To wait for an answer that never comes is waiting, too.
            waiting.left = waiting.left.saturating_sub(Duration::from_secs(begun.elapsed().as_secs()));
            let pause = match trouble.remedy {
                Remedy::None => return Err(trouble.told(what, "")),
                Remedy::SignIn(_) if signed_in_again || !self.access.renews() => return Err(trouble.told(what, "")),
                _ if attempt == TRIES => return Err(trouble.told(what, &format!("; gave up after {TRIES} tries"))),
                Remedy::SignIn(refused) => {
                    signed_in_again = true;
                    self.access.forget(refused).await;
                    Duration::ZERO
                }
                Remedy::MakeRoom => crowded.next().or_else(|| pauses.next()).unwrap_or(LONGEST_PAUSE),
                Remedy::Wait(asked) => asked.or_else(|| pauses.next()).unwrap_or(LONGEST_PAUSE),
            };
            let left = waiting.left.checked_sub(pause).filter(|_| !waiting.left.is_zero());
            let Some(left) = left else {
                let (pause, left) = (pause.as_secs_f64().ceil(), waiting.left.as_secs());
                let why = format!("; the next try would be in {pause} s, but only {left} s may be waited");
                return Err(trouble.told(what, &why));
            };
            waiting.left = left;
            self.clock.sleep(pause).await;
        }
    }

    /// Waits for the next request's place in the budget, where there is one.
    async fn pace(&self, what: &str, waiting: &mut Waiting) -> Result<(), Refusal> {
        loop {
            let now = self.clock.now();
            let pause = self.pacer.as_ref().map_or_else(|| self.access.reserve(now), |pacer| pacer.reserve(now));
            if pause.is_zero() {
                return Ok(());
            }
            let Some(left) = waiting.left.checked_sub(pause) else {
                return Err(Trouble::out_of_budget(pause)
                    .told(what, &format!("; only {} s may be waited", waiting.left.as_secs())));
            };
            waiting.left = left;
            self.clock.sleep(pause).await;
        }
    }

    /// One try.
    async fn attempt(&self, url: &Url, body: &mut Vec<u8>) -> Result<(), Trouble> {
        let opener = self.access.opener().await?;
        let request = self.client.get(url.clone()).timeout(self.limits.request);
        let request = request.header(opener.name, opener.value.clone());
        let sent = request.header(ACCEPT, "application/json").send().await;
        self.count(sent.as_ref().map_or(NO_ANSWER, |response| response.status().as_u16()));
        let mut response = sent.map_err(|error| Trouble::network(&error))?;
        if response.status() == StatusCode::OK {
            return receive(&mut response, self.limits.answer, body).await;
        }
        let retry_after = retry_after(&response, self.clock.now());
        // An explanation that cannot be read leaves the status, which is the better half.
        let _ = receive(&mut response, EXPLANATION, body).await;
        let explanation = self.explanation(&response, body, &opener.value);
        let (status, serial) = (response.status(), opener.serial);
        Err(Trouble::status(status, explanation, self.manner.advise, retry_after, serial))
    }

    /// What the refusal says of itself; never what opened the door, should the server send it back.
    fn explanation(&self, response: &Response, body: &[u8], secret: &HeaderValue) -> Explanation {
        let mut said = serde_json::from_slice(body).map(|body| (self.manner.explain)(&body)).unwrap_or_default();
        let header = |name: &str| identifier(response.headers().get(name)?.to_str().ok()?);
        said.request = said.request.or_else(|| header("request-id")).or_else(|| header("x-ms-request-id"));
        let harmless = |word: &String| !secret.to_str().is_ok_and(|secret| word.contains(secret));
        Explanation { code: said.code.filter(harmless), request: said.request.filter(harmless) }
    }

    fn count(&self, outcome: u16) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }

    pub fn requests(&self) -> Vec<(String, u64)> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |code: u16| if code == NO_ANSWER { "error".to_owned() } else { code.to_string() };
        requests.iter().map(|(code, count)| (name(*code), *count)).collect()
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pauses where the server names none: about 0.5, 1, 2 and 4 s, each up to doubled at random, so that many of us do not come
/// back together.
fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(4)
        .with_jitter()
}

/// What `Retry-After` asks for (RFC 9110, section 10.2.3): seconds or a date. Zero counts as silence: what is tried again at once
/// counts against us.
fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let written = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match written.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = rfc2822::DateTimeParser::new().parse_timestamp(written).ok()?;
            Duration::try_from(at.duration_since(now)).ok()?
        }
    };
    (!asked.is_zero()).then_some(asked)
}

/// Reads a whole body into `body`, up to `limit` bytes after unpacking.
async fn receive(response: &mut Response, limit: usize, body: &mut Vec<u8>) -> Result<(), Trouble> {
    body.clear();
    let announced = response.content_length().unwrap_or_default().min(SET_ASIDE);
    body.reserve(usize::try_from(announced).unwrap_or_default());
    while let Some(chunk) = response.chunk().await.map_err(|error| Trouble::network(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(Trouble::too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

/// Whether a URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
