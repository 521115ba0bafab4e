//! When keys were last used, from the directory's report of sign-ins by applications.
//!
//! Owns the asking, and what was last known. The report is a beta that needs a permission and a licence of its own, so all of it is
//! advisory: whatever goes wrong leaves the read of the directory as it is, and what is not known stays unknown. Refuses to know
//! whether a use matters.
//!
//! Reports give five answers in ten seconds, and a read of the directory must not wait for long. So a report that is too long for
//! one poll is read on by the next ones, from where it was left.

mod row;

use super::said::Said;
use super::trail::Trail;
use crate::config::Cloud;
use crate::domain::{Ident, LastUse, SourceName, Text};
use crate::sources::graph;
use crate::sources::http::{Budget, Http, Limits, Manner, Refusal, Waiting};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tracing::{info, warn};
use url::Url;

/// What Graph allows to whoever reads reports.
const BUDGET: &[Budget] = &[Budget { requests: 5, within: SignedDuration::from_secs(10) }];

/// The most that a poll waits for the report, answers included.
const PATIENCE: Duration = Duration::from_secs(30);

const LIMITS: Limits = Limits { request: Duration::from_secs(20), answer: 16 << 20, pages: 2_000 };

/// The most keys that are kept of one report.
const MOST_KEYS: usize = 500_000;

/// A report that was begun longer ago is begun again: its links have aged, and so have its first rows.
const LASTS: SignedDuration = SignedDuration::from_hours(12);

const NO_LICENCE: &str = "Authentication_RequestFromNonPremiumTenantOrB2CTenant";

const MANNER: Manner = Manner { advise, ..graph::MANNER };

fn advise(status: u16, code: &str) -> &'static str {
    match status {
        _ if code == NO_LICENCE => "; the report needs an Entra ID P1 or P2 licence: without one, set last_use = false",
        401 => "; the token is refused: check tenant_id, and that graph_url belongs to `cloud`",
        403 => {
            "; grant AuditLog.Read.All with admin consent (a managed identity's tokens are cached: up to 24 h until it shows), or \
             set last_use = false"
        }
        404 => "; the report is not there: check graph_url, or set last_use = false",
        300..=399 => "; redirects are refused, the token was sent nowhere else: check graph_url",
        408 | 429 | 500..=599 => "; the next poll tries again",
        _ => "; if it stays so, set last_use = false",
    }
}

#[derive(Debug)]
pub(super) struct Report {
    http: Http,
    first: Url,
    cloud: Cloud,
    /// The report that is being read, perhaps over several polls.
    walk: tokio::sync::Mutex<Option<Walk>>,
    known: Mutex<Option<Arc<LastUse>>>,
    said: Said,
}

/// A report that has not been read to its end yet.
#[derive(Debug)]
struct Walk {
    begun: Timestamp,
    trail: Trail,
    rows: HashMap<Ident, Timestamp>,
}

/// Why there is no new report.
struct Unread {
    why: String,
    /// What tells this reason from others, whatever ids and times its words hold.
    sort: String,
    then: Then,
}

/// What the next poll does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Begins again.
    Anew,
    /// Goes on from here; something was wrong.
    On,
    /// Goes on from here; nothing was wrong but that it is long.
    UnderWay,
}

impl Report {
    pub fn new(graph: &Http, base: &Url, cloud: Cloud) -> Self {
        let written = format!("{}/beta/reports/appCredentialSignInActivities", base.as_str().trim_end_matches('/'));
        Self {
            http: graph.beside(MANNER, LIMITS, BUDGET),
            // A URL with a known path after it is one still; should it not be, the base alone is asked and answers with an error.
            first: Url::parse(&written).unwrap_or_else(|_| base.clone()),
            cloud,
            walk: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            said: Said::default(),
        }
    }

    /// What is known; `None` until the first attempt.
    pub fn known(&self) -> Option<Arc<LastUse>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the report, or goes on with it. What comes of it is what is [`known`](Self::known) afterwards.
    pub async fn read(&self, source: &SourceName, patience: Duration, now: Timestamp) {
        let patience = patience.min(PATIENCE);
        let before = self.resume(now).await;
        let outcome = match self.cloud {
            Cloud::Public => {
                timeout(patience, self.walk_on(patience, now)).await.unwrap_or_else(|_| Err(Unread::slow()))
            }
            _ => Err(Unread::elsewhere()),
        };
        let known = match outcome {
            Ok(read) => {
                if self.said.is_news("") {
                    info!(source = source.as_str(), keys = read.len(), "the report of last uses has been read");
                }
                read
            }
            Err(unread) => {
                let so_far = self.passed().await;
                let unread = if unread.then == Then::On && so_far > before { Unread::long(so_far) } else { unread };
                self.without(unread, source)
            }
        };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(known));
    }

    /// What is known where this poll brought nothing new. That a long report is being read on is news of no kind, as long as an
    /// older one is there.
    fn without(&self, unread: Unread, source: &SourceName) -> LastUse {
        let mut known = (*self.known().unwrap_or_default()).clone();
        if unread.then == Then::UnderWay && known.read_at.is_some() {
            known.error = None;
            return known;
        }
        let error = Text::clean(&unread.why);
        if self.said.is_news(&unread.sort) {
            warn!(source = source.as_str(), %error, "the report of last uses could not be read; what is not known of it counts as unknown");
        }
        known.refused(error)
    }

    /// Lets go of a report that was begun too long ago; gives how many pages of the present one have been read.
    async fn resume(&self, now: Timestamp) -> usize {
        let lasts = |walk: &Walk| (SignedDuration::ZERO..LASTS).contains(&now.duration_since(walk.begun));
        let mut place = self.walk.lock().await;
        *place = place.take().filter(lasts);
        place.as_ref().map_or(0, |walk| walk.trail.passed())
    }

    async fn passed(&self) -> usize {
        self.walk.lock().await.as_ref().map_or(0, |walk| walk.trail.passed())
    }

    /// What has been read stays where it is when this is dropped.
    async fn walk_on(&self, patience: Duration, now: Timestamp) -> Result<LastUse, Unread> {
        let mut place = self.walk.lock().await;
        let begin = || Walk { begun: now, trail: Trail::new(self.first.clone()), rows: HashMap::new() };
        let walk = place.get_or_insert_with(begin);
        match self.pages(walk, Waiting { left: patience }, now).await {
            Err(unread) if unread.then != Then::Anew => Err(unread),
            outcome => {
                let walk = place.take();
                outcome.map(|()| walk.map(|walk| LastUse::read(walk.begun, walk.rows)).unwrap_or_default())
            }
        }
    }

    async fn pages(&self, walk: &mut Walk, mut waiting: Waiting, now: Timestamp) -> Result<(), Unread> {
        let mut returned = false;
        loop {
            let what = walk.trail.what();
            if walk.trail.passed() >= self.http.limits.pages || walk.rows.len() > MOST_KEYS {
                return Err(Unread::odd(&what, "the report does not end; what was read of it is not used"));
            }
            let answer = match self.http.get(walk.trail.next(), &what, &mut waiting, Vec::new()).await {
                Ok(answer) => answer,
                Err(refusal) if !returned && walk.trail.go_back(&refusal) => {
                    returned = true;
                    continue;
                }
                Err(refusal) => return Err(Unread::refused(&refusal)),
            };
            let sink = |key, at: Timestamp| {
                walk.rows.entry(key).and_modify(|known| *known = at.max(*known)).or_insert(at);
            };
            let link = row::read(&answer.body, now, sink)
                .map_err(|why| Unread::odd(&what, &format!("the answer is no page of the report: {why}")))?;
            let Some(link) = link else { return Ok(()) };
            walk.trail.follow(&link, answer.retried).map_err(|why| Unread::odd(&what, why))?;
        }
    }
}

impl Unread {
    fn elsewhere() -> Self {
        let why = "the report of last uses exists in the public cloud only: set last_use = false".to_owned();
        Self { sort: why.clone(), why, then: Then::Anew }
    }

    fn slow() -> Self {
        let seconds = PATIENCE.as_secs();
        let why = format!(
            "the report of last uses was not read to its end within {seconds} s; the next poll goes on with it"
        );
        Self { sort: why.clone(), why, then: Then::On }
    }

    fn long(pages: usize) -> Self {
        let why = format!(
            "the report of last uses is long: {pages} pages have been read so far; the next poll goes on with it"
        );
        Self { why, sort: "long".to_owned(), then: Then::UnderWay }
    }

    fn odd(what: &str, why: &str) -> Self {
        let sort = why.to_owned();
        Self { why: format!("{what}: {why}; if it stays so, set last_use = false"), sort, then: Then::Anew }
    }

    fn refused(refusal: &Refusal) -> Self {
        let status = refusal.status.map_or(0, |status| status.as_u16());
        let (then, advice) = match status {
            0 => (Then::On, "; the next poll tries again"),
            // Their advice stands in the error already.
            408 | 429 | 500..=599 => (Then::On, ""),
            _ => (Then::Anew, ""),
        };
        Self { why: format!("{}{advice}", refusal.error), sort: format!("{status} {}", refusal.code), then }
    }
}

#[cfg(fuzzing)]
pub(super) fn page_from_anybody(body: &[u8], now: Timestamp) {
    let _ = row::read(body, now, |_, _| {});
}
