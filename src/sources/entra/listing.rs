//! Turning the pages of one collection until the last one.
//!
//! The next page is asked for while the one before is parsed, on a thread of its own, so that neither waits for the other. Owns
//! what keeps a listing whole: no page is skipped, none is asked for twice without reason, and no link leads elsewhere.

use super::fold::Fold;
use super::page::{PageError, early_link};
use super::workbench::Workbench;
use crate::domain::Credential;
use crate::sources::ReadError;
use crate::sources::http::{Http, Refusal, Waiting, pinned};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::oneshot;
use url::Url;

/// How often a listing may go back because Graph no longer knows where it was.
const RETURNS: u32 = 2;

/// Reads the collection that begins at `first`.
pub(super) async fn read(
    graph: &Http,
    workbench: &Workbench,
    first: Url,
    fold: Fold,
    mut waiting: Waiting,
) -> Result<Vec<Arc<Credential>>, ReadError> {
    let mut trail = Trail::new(first);
    let mut parser = Parser::new(workbench, fold);
    let mut returns = 0;
    loop {
        let what = trail.what();
        if trail.passed.len() >= graph.limits.pages {
            return Err(ReadError::new(&format!(
                "{what}: the listing does not end; {} pages were read",
                graph.limits.pages
            )));
        }
        let buffer = std::mem::take(&mut parser.spare);
        let answer = match graph.get(&trail.next, &what, &mut waiting, buffer).await {
            Ok(answer) => answer,
            Err(refusal) if returns < RETURNS && trail.go_back(&refusal) => {
                returns += 1;
                continue;
            }
            Err(refusal) => return Err(refusal.error),
        };
        let early = early_link(&answer.body);
        parser.begin(answer.body, &what).await?;
        let link = match early {
            Some(link) => link,
            None => match parser.finish().await? {
                Some(link) => link,
                None => return parser.credentials(),
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
        let next = pinned(&self.first, link)?;
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

/// The parsing, which goes on while the next page is fetched. Two buffers go round.
struct Parser<'w> {
    workbench: &'w Workbench,
    /// Away while a page is being parsed.
    fold: Option<Fold>,
    spare: Vec<u8>,
    /// The request whose page is being parsed, and where its outcome arrives.
    busy: Option<(String, oneshot::Receiver<Parsed>)>,
}

/// A page that was parsed.
struct Parsed {
    fold: Fold,
    body: Vec<u8>,
    link: Result<Option<String>, PageError>,
}

impl<'w> Parser<'w> {
    fn new(workbench: &'w Workbench, fold: Fold) -> Self {
        Self { workbench, fold: Some(fold), spare: Vec::new(), busy: None }
    }

    /// Parses `body`, the answer to the request `what`, once the page before is done.
    async fn begin(&mut self, body: Vec<u8>, what: &str) -> Result<(), ReadError> {
        self.finish().await?;
        let mut fold = self.fold.take().ok_or_else(|| cut_short(what))?;
        let parsed = self.workbench.run(move || {
            let link = fold.page(&body);
            Parsed { fold, body, link }
        });
        self.busy = Some((what.to_owned(), parsed));
        Ok(())
    }

    /// Waits for the page that is being parsed, if there is one; gives its link.
    async fn finish(&mut self) -> Result<Option<String>, ReadError> {
        let Some((what, parsed)) = self.busy.take() else { return Ok(None) };
        let parsed = parsed.await.map_err(|_| cut_short(&what))?;
        self.fold = Some(parsed.fold);
        self.spare = parsed.body;
        parsed.link.map_err(|error| match error {
            PageError::Unreadable(why) => ReadError::new(&format!("{what}: the answer is no page of a listing: {why}")),
            PageError::Invalid(why) => ReadError::new(&format!("{what}: {why}")),
        })
    }

    /// Everything that was on the pages.
    fn credentials(self) -> Result<Vec<Arc<Credential>>, ReadError> {
        self.fold.map(|fold| fold.credentials).ok_or_else(|| cut_short("the listing"))
    }
}

/// A fault of our own: it must not pass for a listing that ended.
fn cut_short(what: &str) -> ReadError {
    ReadError::new(&format!("{what}: parsing the answer was cut short"))
}
