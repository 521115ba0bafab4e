//! Microsoft Graph's `sendMail`, with the message as MIME: <https://learn.microsoft.com/graph/api/user-sendmail>.
//!
//! Exchange takes the recipients from the message's own header, so that is held against the envelope before anything is sent. An
//! answer that was lost may stand for an accepted message: the next try sends the same bytes, and whoever receives two sees one
//! Message-ID.

mod answer;

use super::pace::Pace;
use super::{ConnectError, SendError, signing_in};
use crate::azure::{Bearer, Surroundings, Tokens};
use crate::clock::Clock;
use crate::config::{self, Azure, Unusable};
use crate::domain::Address;
use crate::http::{self, Explanation, explained_by_graph};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use lettre::message::Mailboxes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, StatusCode};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// The longest that handing over one message may take in all, signing in included.
const DEADLINE: Duration = Duration::from_secs(60);

/// The longest that Graph can make us leave it alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// One mailbox of Exchange Online.
pub struct Graph {
    client: Client,
    /// Where messages are posted to. It names the mailbox, so it is not for show.
    url: Url,
    tokens: Tokens,
    pace: Pace,
    clock: Clock,
    /// Until when Graph asked to be left alone. That counts for every message of the mailbox.
    busy_until: Mutex<Option<Timestamp>>,
    deadline: Duration,
}

impl Graph {
    /// # Errors
    /// When signing in cannot be set up.
    pub fn connect(
        config: &config::GraphMail,
        azure: &Azure,
        clock: &Clock,
        surroundings: &Surroundings,
    ) -> Result<Self, ConnectError> {
        let tokens = Tokens::connect(azure, azure.cloud.graph_url(), clock, surroundings)?;
        let client = http::client(&config.graph_url, DEADLINE).build();
        let client = client.map_err(|error| Unusable::new("mail.transport", error.without_url()))?;
        let mut url = config.graph_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1.0", "users", config.mailbox.as_str(), "sendMail"]);
        }
        let (pace, busy_until) = (Pace::new(clock), Mutex::default());
        Ok(Self { client, url, tokens, pace, clock: clock.clone(), busy_until, deadline: DEADLINE })
    }

    /// With another limit on the time that one message may take.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// # Errors
    /// See [`SendError`].
    pub async fn send(&self, to: &Address, raw: &[u8]) -> Result<(), SendError> {
        if !is_addressed_to(raw, to) {
            return Err(SendError::Rejected(format!(
                "{self}: the message's header names other recipients than it is meant for; it was not sent"
            )));
        }
        if let Some(pause) = self.busy() {
            let why = format!("{self}: left alone for another {} s, as was asked", pause.as_secs());
            return Err(SendError::Busy { why, pause });
        }
        let sent = match tokio::time::timeout(self.deadline, self.hand_over(raw)).await {
            Ok(sent) => sent,
            Err(_) => Err(SendError::Deferred(format!("{self} did not finish within {:?}", self.deadline))),
        };
        if let Err(SendError::Busy { pause, .. }) = &sent {
            self.leave_alone(*pause);
        }
        sent
    }

    /// Posts the message; where the token is refused, once more with a new one.
    async fn hand_over(&self, raw: &[u8]) -> Result<(), SendError> {
        let body = STANDARD.encode(raw);
        let mut renewed = false;
        loop {
            self.pace.turn().await;
            let bearer = self.tokens.bearer().await.map_err(signing_in)?;
            match self.post(body.clone(), &bearer).await? {
                answer::Answer::Accepted => return Ok(()),
                answer::Answer::Refused { status: StatusCode::UNAUTHORIZED, .. } if !renewed => {
                    renewed = true;
                    self.tokens.forget(bearer.serial).await;
                }
                refused => return refused.into_result(&self.to_string()),
            }
        }
    }

    async fn post(&self, body: String, bearer: &Bearer) -> Result<answer::Answer, SendError> {
        let request = self.client.post(self.url.clone()).timeout(self.deadline);
        let request = request.header(AUTHORIZATION, bearer.header.clone()).header(CONTENT_TYPE, "text/plain");
        let sent = request.body(body).send().await;
        let mut response =
            sent.map_err(|error| SendError::Deferred(format!("{self}: {}", http::no_answer(&error.without_url()))))?;
        let status = response.status();
        if status == StatusCode::ACCEPTED {
            return Ok(answer::Answer::Accepted);
        }
        let pause = http::retry_after(&response, self.clock.now()).map(|asked| asked.min(LONGEST_PAUSE));
        let said = Explanation::of(&mut response, explained_by_graph, &mut Vec::new(), &bearer.header).await;
        Ok(answer::Answer::Refused { status, said, pause })
    }

    /// For how long Graph still is to be left alone.
    fn busy(&self) -> Option<Duration> {
        let until = (*self.busy_until.lock().unwrap_or_else(PoisonError::into_inner))?;
        let left = Duration::try_from(until.duration_since(self.clock.now())).ok()?;
        // A clock that stepped back must not make this longer than it can have been.
        (!left.is_zero()).then_some(left.min(LONGEST_PAUSE))
    }

    fn leave_alone(&self, pause: Duration) {
        let pause = SignedDuration::try_from(pause).unwrap_or_default();
        let until = self.clock.now().saturating_add(pause).ok();
        *self.busy_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Gives up the token: it holds the permissions of the time when it was issued.
    pub(super) async fn sign_in_anew(&self) {
        self.tokens.renew_next().await;
    }
}

/// Whether the message's header names this recipient and nobody else.
fn is_addressed_to(raw: &[u8], to: &Address) -> bool {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(raw.len());
    let head = String::from_utf8_lossy(&raw[..end]).replace("\r\n ", " ").replace("\r\n\t", " ");
    let mut named = Vec::new();
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if ["to", "cc", "bcc"].iter().any(|kind| name.trim_end().eq_ignore_ascii_case(kind)) {
            let Ok(mailboxes) = value.trim().parse::<Mailboxes>() else { return false };
            named.extend(mailboxes.into_iter().map(|mailbox| mailbox.email.to_string()));
        }
    }
    matches!(&named[..], [only] if only == to.as_str())
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.host_str().unwrap_or_default())
    }
}

/// Shows the server, and neither the mailbox nor what opens it.
impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph({self})")
    }
}

#[cfg(test)]
mod tests;
