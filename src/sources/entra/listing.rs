//! Turning the pages of one collection until the last one.
//!
//! The next page is asked for while the one before is parsed, on a thread of its own, so that neither waits for the other. Owns
//! what keeps a listing whole: no page is skipped, none is asked for twice without reason, and no link leads elsewhere.

use super::fold::Fold;
use super::page::{PageError, early_link};
use crate::domain::Credential;
use crate::sources::ReadError;
use crate::sources::graph::{Graph, Refusal, Waiting};
use std::collections::HashSet;
use tokio::task::JoinHandle;
use url::Url;

/// How often a listing may go back because Graph no longer knows where it was.
const RETURNS: u32 = 2;

/// Reads the collection that begins at `first`.
pub(super) async fn read(
    graph: &Graph,
    first: Url,
    fold: Fold,
    mut waiting: Waiting,
) -> Result<Vec<Credential>, ReadError> {
    let mut trail = Trail::new(first);
    let mut work = Work::Idle(Idle { fold, spare: Vec::new() });
    let mut returns = 0;
    loop {
        let what = trail.what();
        if trail.passed.len() >= graph.limits.pages {
            return Err(ReadError::new(&format!(
                "{what}: the listing does not end; {} pages were read",
                graph.limits.pages
            )));
        }
        let buffer = work.take_spare();
        let answer = match graph.get(&trail.next, &what, &mut waiting, buffer).await {
            Ok(answer) => answer,
            Err(refusal) if returns < RETURNS && trail.go_back(&refusal) => {
                returns += 1;
                continue;
            }
            Err(refusal) => return Err(refusal.error),
        };
        let early = early_link(&answer.body);
        work = work.begin(answer.body, what.clone()).await?;
        let link = match early {
            Some(link) => link,
            None => match work.finish().await? {
                (idle, Some(link)) => {
                    work = Work::Idle(idle);
                    link
                }
                (idle, None) => return Ok(idle.fold.credentials),
            },
        };
        trail.follow(&link, answer.retried).map_err(|why| ReadError::new(&format!("{what}: {why}")))?;
    }
}

/// The way through a listing.
struct Trail {
    first: Url,
    /// The page to ask for now.
    next: Url,
    /// The pages that were read, in order, and whether it took more than one try.
    passed: Vec<(Url, bool)>,
    seen: HashSet<String>,
}

impl Trail {
    fn new(first: Url) -> Self {
        Self { next: first.clone(), seen: HashSet::from([first.to_string()]), first, passed: Vec::new() }
    }

    /// Names the request for people; without the query, which holds Graph's page token.
    fn what(&self) -> String {
        format!("GET {} page {}", self.first.path(), self.passed.len() + 1)
    }

    /// Steps on to `link`, if it stays with the host that may have the token and has not been there before.
    fn follow(&mut self, link: &str, retried: bool) -> Result<(), &'static str> {
        let next = Url::parse(link).map_err(|_| "the link to the next page is not a URL")?;
        let plain = next.username().is_empty() && next.password().is_none();
        if next.origin() != self.first.origin() || !plain {
            return Err("the link to the next page leads to another host; refused, the token was not sent there");
        }
        if !self.seen.insert(next.to_string()) {
            return Err("the link to the next page leads back to one that was read: the listing runs in a circle");
        }
        self.passed.push((std::mem::replace(&mut self.next, next), retried));
        Ok(())
    }

    /// Where Graph does not know the page any more: back to the start if the token has aged, and if the link came out of a retried
    /// request, to that request, as it is documented. What is read twice by this counts once in the end.
    fn go_back(&mut self, refusal: &Refusal) -> bool {
        let gone = match refusal.code.as_str() {
            "Directory_ExpiredPageToken" => self.passed.len(),
            "DirectoryPageTokenNotFoundException" => {
                let retried = self.passed.iter().rev().take_while(|(_, retried)| *retried).count();
                if retried == 0 { self.passed.len() } else { retried }
            }
            _ => return false,
        };
        let left = self.passed.len() - gone;
        self.seen.clear();
        if gone > 0 {
            self.next = self.passed[left].0.clone();
            self.passed.truncate(left);
        }
        self.seen.extend(self.passed.iter().map(|(url, _)| url.to_string()));
        self.seen.insert(self.next.to_string());
        true
    }
}

/// A page that was parsed.
struct Parsed {
    fold: Fold,
    body: Vec<u8>,
    link: Result<Option<String>, PageError>,
}

/// The parsing, which goes on while the next page is fetched. Two buffers go round.
enum Work {
    Idle(Idle),
    Busy { parsing: JoinHandle<Parsed>, spare: Vec<u8>, what: String },
}

struct Idle {
    fold: Fold,
    spare: Vec<u8>,
}

impl Work {
    fn take_spare(&mut self) -> Vec<u8> {
        match self {
            Self::Idle(Idle { spare, .. }) | Self::Busy { spare, .. } => std::mem::take(spare),
        }
    }

    /// Parses `body` once the page before is done.
    async fn begin(self, body: Vec<u8>, what: String) -> Result<Self, ReadError> {
        let (Idle { mut fold, spare }, _) = self.finish().await?;
        let parsing = tokio::task::spawn_blocking(move || {
            let link = fold.page(&body);
            Parsed { fold, body, link }
        });
        Ok(Self::Busy { parsing, spare, what })
    }

    /// Waits for the page that is being parsed; gives its link.
    async fn finish(self) -> Result<(Idle, Option<String>), ReadError> {
        let (parsing, what) = match self {
            Self::Idle(idle) => return Ok((idle, None)),
            Self::Busy { parsing, what, .. } => (parsing, what),
        };
        let parsed = parsing.await.map_err(|_| ReadError::new(&format!("{what}: parsing the answer was cut short")))?;
        let link = parsed.link.map_err(|error| match error {
            PageError::Unreadable(why) => ReadError::new(&format!("{what}: the answer is no page of a listing: {why}")),
            PageError::Invalid(why) => ReadError::new(&format!("{what}: {why}")),
        })?;
        Ok((Idle { fold: parsed.fold, spare: parsed.body }, link))
    }
}
