//! What has been told about one credential: asked for by whoever shows it, answered by whoever keeps it.
//!
//! The two know nothing of each other but this: a question goes in at one end, an answer comes back. No more questions wait at once
//! than a short queue holds, and nobody waits for long: a page without a history is better than none.

use super::Sent;
use crate::domain::{CredentialId, NoticeKind, Step, TeamId};
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How many questions wait at once.
const WAITING: usize = 16;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A notice that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When its message was enqueued.
    pub at: Timestamp,
    /// The end that it was about.
    pub expires_at: Option<Timestamp>,
    pub kind: NoticeKind,
    pub step: Step,
    pub team: TeamId,
    /// How many times this team had been told `resolved` before.
    pub episode: u32,
}

/// What was told about a credential, the newest first; a bounded number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub told: Vec<Told>,
    /// Whether more was told, longer ago.
    pub more: bool,
    /// The messages that carried it, as far as they are still kept.
    pub mail: Vec<Sent>,
}

/// A question, and where its answer goes.
#[derive(Debug)]
pub struct Enquiry {
    pub credential: CredentialId,
    pub answer: oneshot::Sender<History>,
}

/// Where questions come out.
pub type Enquiries = mpsc::Receiver<Enquiry>;

/// Where questions go in.
#[derive(Clone, Debug)]
pub struct Archive(mpsc::Sender<Enquiry>);

impl Archive {
    /// Both ends.
    #[must_use]
    pub fn new() -> (Self, Enquiries) {
        let (sender, enquiries) = mpsc::channel(WAITING);
        (Self(sender), enquiries)
    }

    /// What was told about `credential`; `None` where nobody answers in time.
    pub async fn history(&self, credential: CredentialId) -> Option<History> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Enquiry { credential, answer }).ok()?;
        tokio::time::timeout(PATIENCE, answered).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_is_answered_or_given_up() {
        let id = || CredentialId::parse("entra:application:a:k");
        let (archive, mut enquiries) = Archive::new();
        let answering = tokio::spawn(async move {
            let enquiry = enquiries.recv().await.unwrap();
            assert_eq!(enquiry.credential, id());
            enquiry.answer.send(History { more: true, ..History::default() }).unwrap();
        });
        assert!(archive.history(id()).await.is_some_and(|history| history.more));
        answering.await.unwrap();
        assert_eq!(archive.history(id()).await, None, "nobody is there any more");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let (archive, _enquiries) = Archive::new();
        let (unread, _kept) = oneshot::channel();
        let mut unread = Some(unread);
        for _ in 0..WAITING {
            let answer = unread.take().unwrap_or_else(|| oneshot::channel().0);
            archive.0.try_send(Enquiry { credential: CredentialId::parse("x"), answer }).unwrap();
        }
        assert_eq!(archive.history(CredentialId::parse("y")).await, None);
    }
}
