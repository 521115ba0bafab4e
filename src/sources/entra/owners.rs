//! Who owns each holder, asked one by one.
//!
//! Owns the asking: a day's knowledge is enough, so a poll asks only about holders that are new. It begins when the listing is
//! complete and cannot fail it: what cannot be asked stays as it was known. `$expand=owners` would cost fewer requests, but stops
//! at twenty owners without a word. An owner's name or address appears in no log and no error.

mod answer;
mod book;

pub(super) use book::Book;

use super::said::Said;
use super::trail::Trail;
use crate::domain::{Credential, DirectoryObject, Owners, SourceName};
use crate::sources::http::{Http, Limits, Manner, Refusal, Waiting};
use crate::sources::{ReadError, graph};
use answer::Owned;
use book::Key;
use jiff::Timestamp;
use reqwest::StatusCode;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tracing::warn;
use url::Url;

const LIMITS: Limits = Limits { request: Duration::from_secs(20), answer: 1 << 20, pages: 20 };

/// After so many holders that could not be asked about, the rest wait for the next poll.
const MOST_FAILURES: usize = 3;

const MANNER: Manner = Manner { advise, ..graph::MANNER };

fn advise(status: u16, _code: &str) -> &'static str {
    match status {
        403 => "; grant Application.Read.All and User.ReadBasic.All with admin consent, or set owners = false",
        401 => "; the token is refused: check tenant_id, and that graph_url belongs to `cloud`",
        300..=399 => "; redirects are refused, the token was sent nowhere else: check graph_url",
        _ => "",
    }
}

#[derive(Debug)]
pub(super) struct Registrar {
    http: Http,
    base: Url,
    book: Book,
    said: Said,
}

/// Those who are asked about in one poll, and how it goes.
struct Round {
    queue: Mutex<VecDeque<Key>>,
    tally: Mutex<Tally>,
    patience: Duration,
    now: Timestamp,
}

#[derive(Default)]
struct Tally {
    answered: usize,
    /// Answers that hold ids and no more.
    hidden: usize,
    failed: usize,
    first_failure: Option<Refusal>,
    /// No owners may be read at all.
    denied: Option<Refusal>,
}

impl Registrar {
    pub fn new(graph: &Http, base: &Url) -> Self {
        let http = graph.beside(MANNER, LIMITS, &[]);
        Self { http, base: base.clone(), book: Book::default(), said: Said::default() }
    }

    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Asks about the holders of `snapshot` that nothing fresh is known of, for no longer than `patience`.
    pub async fn refresh(&self, source: &SourceName, snapshot: &[Arc<Credential>], patience: Duration, now: Timestamp) {
        let due = self.book.due(snapshot, now);
        if due.is_empty() {
            return;
        }
        let round = Round::new(&due, patience, now);
        // What was answered by then has been kept; the next poll asks about the rest.
        let in_time = timeout(patience, self.ask_all(&round)).await.is_ok();
        let tally = std::mem::take(&mut *round.tally());
        if tally.denied.is_some() {
            self.book.hide_unanswered(&due, now);
        }
        self.say(source, &tally, due.len(), in_time);
    }

    /// The first goes alone, so that a permission that is missing costs one request a poll; then eight at once.
    async fn ask_all(&self, round: &Round) {
        self.ask_next(round).await;
        let clerk = async || while self.ask_next(round).await {};
        tokio::join!(clerk(), clerk(), clerk(), clerk(), clerk(), clerk(), clerk(), clerk());
    }

    /// Asks about one holder; false where nobody is left to ask about.
    async fn ask_next(&self, round: &Round) -> bool {
        let Some(key) = round.next() else { return false };
        self.book.tried(&key, round.now);
        let outcome = self.ask(&key, Waiting { left: round.patience }).await;
        let mut tally = round.tally();
        match outcome {
            Ok(owners) => {
                tally.answered += 1;
                tally.hidden += usize::from(owners == Owners::Hidden);
                self.book.answered(&key, Some(owners), round.now);
            }
            Err(refusal) if refusal.status == Some(StatusCode::NOT_FOUND) => {
                tally.answered += 1;
                self.book.answered(&key, None, round.now);
            }
            Err(refusal) if refusal.status == Some(StatusCode::FORBIDDEN) => _ = tally.denied.get_or_insert(refusal),
            Err(refusal) => {
                tally.failed += 1;
                tally.first_failure.get_or_insert(refusal);
            }
        }
        true
    }

    /// The owners of one holder, to the last page.
    async fn ask(&self, key: &Key, mut waiting: Waiting) -> Result<Owners, Refusal> {
        let mut trail = Trail::new(self.address(key));
        let mut owned = Owned::default();
        loop {
            let what = trail.what();
            let odd = |why: &str| Refusal {
                code: String::new(),
                status: None,
                error: ReadError::new(&format!("{what}: {why}")),
            };
            if trail.passed() >= self.http.limits.pages {
                return Err(odd("the list of owners does not end"));
            }
            let answer = self.http.get(trail.next(), &what, &mut waiting, Vec::new()).await?;
            let link =
                owned.page(&answer.body).map_err(|why| odd(&format!("the answer is no list of owners: {why}")))?;
            let Some(link) = link else { return Ok(owned.read()) };
            trail.follow(&link, answer.retried).map_err(odd)?;
        }
    }

    /// Only what is used is asked for.
    fn address(&self, (object, id): &Key) -> Url {
        let collection = match object {
            DirectoryObject::Application => "applications",
            DirectoryObject::ServicePrincipal => "servicePrincipals",
        };
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            // Whatever stands in the id becomes one segment of the path.
            path.pop_if_empty().extend(["v1.0", collection, &id.to_string(), "owners"]);
        }
        url.set_query(Some("$select=id,displayName,mail"));
        url
    }

    fn say(&self, source: &SourceName, tally: &Tally, due: usize, in_time: bool) {
        let source = source.as_str();
        let left = due - tally.answered;
        let sort = |refusal: &Refusal| format!("{:?} {}", refusal.status, refusal.code);
        if let Some(refusal) = &tally.denied {
            if self.said.is_news(&sort(refusal)) {
                warn!(source, holders = left, error = %refusal.error, "owners may not be read, and nobody can be told as an owner");
            }
        } else if let Some(refusal) = &tally.first_failure {
            if self.said.is_news(&sort(refusal)) {
                warn!(source, holders = left, error = %refusal.error, "some owners could not be asked for; they stay as they were known, and the next poll asks again");
            }
        } else if !in_time {
            if self.said.is_news("in time") {
                warn!(source, holders = left, "not all owners could be asked for in time; the next poll goes on");
            }
        } else if tally.hidden > 0 {
            if self.said.is_news("hidden") {
                warn!(
                    source,
                    holders = tally.hidden,
                    "owners' addresses may not be read: grant User.ReadBasic.All or Directory.Read.All, or set owners = false"
                );
            }
        } else {
            self.said.is_news("");
        }
    }
}

impl Round {
    fn new(due: &[Key], patience: Duration, now: Timestamp) -> Self {
        Self { queue: Mutex::new(due.iter().cloned().collect()), tally: Mutex::default(), patience, now }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to ask about now.
    fn next(&self) -> Option<Key> {
        let tally = self.tally();
        if tally.denied.is_some() || tally.failed >= MOST_FAILURES {
            return None;
        }
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

#[cfg(fuzzing)]
pub(super) fn page_from_anybody(body: &[u8]) {
    let mut owned = Owned::default();
    let _ = owned.page(body);
    let _ = owned.read();
}
