//! Turning the pages of one collection until the last one.
//!
//! The next page is asked for while the one before is parsed, on a thread of its own, so that neither waits for the other. Owns
//! what keeps a listing whole: no page is skipped, and none is asked for twice without reason.

use super::fold::Fold;
use super::page::{PageError, early_link};
use super::trail::Trail;
use super::workbench::Workbench;
use crate::domain::Credential;
use crate::sources::ReadError;
use crate::sources::http::{Http, Waiting};
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
        if trail.passed() >= graph.limits.pages {
            return Err(ReadError::new(&format!(
                "{what}: the listing does not end; {} pages were read",
                graph.limits.pages
            )));
        }
        let buffer = std::mem::take(&mut parser.spare);
        let answer = match graph.get(trail.next(), &what, &mut waiting, buffer).await {
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
