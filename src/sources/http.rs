//! Asking one question over HTTP, until there is an answer or a reason why there is none.
//!
//! Owns what opens the door to each request, retries and their waiting, limits, and the wording of what went wrong. Token or key go
//! to the configured host alone: redirects are refused, and whoever follows a link pins it first. What differs from one system to
//! the next stands in its [`Manner`]. Refuses to know what the answers mean.

mod access;
mod link;
mod trouble;

pub(super) use self::access::{Access, Key};
pub(super) use self::link::pinned;
pub(super) use crate::http::pacer::{Budget, Pacer};
pub(super) use crate::http::{Explanation, identifier};

use self::trouble::{Remedy, Trouble};
use super::ReadError;
use crate::clock::Clock;
use crate::http;
use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::header::ACCEPT;
use reqwest::{Client, StatusCode};
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

/// What a try may take in any case, sign-in included, however little may be waited.
const LEAST_PATIENCE: Duration = Duration::from_secs(5);

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
        let client = http::client(base, limits.request).build()?;
        let (access, requests) = (Arc::new(access), Arc::default());
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
            return http::receive(&mut response, self.limits.answer, body).await.map_err(Trouble::broken);
        }
        let retry_after = http::retry_after(&response, self.clock.now());
        let explanation = Explanation::of(&mut response, self.manner.explain, body, &opener.value).await;
        let (status, serial) = (response.status(), opener.serial);
        Err(Trouble::status(status, explanation, self.manner.advise, retry_after, serial))
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
