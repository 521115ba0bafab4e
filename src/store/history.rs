//! What was told about one credential, for whoever asks about it.

use super::messages::{MessageRow, message};
use super::notices::key;
use super::rows::instant;
use super::{Store, StoreError};
use crate::domain::{CredentialId, NoticeKey};
use crate::outbox::About;
use jiff::Timestamp;

/// How many notices are listed: more than the longest ladder, told to several teams, with years of repeats.
const NOTICES: i64 = 200;

/// How many messages are looked at: one an address and run.
const LOOKED_AT: i64 = 1_000;

/// How many are listed.
const MESSAGES: usize = 100;

/// A notice, and when it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    pub key: NoticeKey,
    pub enqueued_at: Timestamp,
}

/// The newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryRows {
    pub notices: Vec<NoticeRow>,
    /// Whether there are older ones.
    pub more: bool,
    pub messages: Vec<MessageRow>,
}

impl Store {
    /// What was told about `credential`, and the messages that carried it, as far as they are kept.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn history(&self, credential: &CredentialId) -> Result<HistoryRows, StoreError> {
        let id = credential.to_string();
        let mut database = self.database().await?;
        let rows = database.query(
            "SELECT * FROM notices WHERE credential = $1 ORDER BY enqueued_at DESC, notice, threshold, team LIMIT $2",
        )
        .bind(&id)
        .bind(NOTICES + 1)
        .fetch_all()
        .await?;
        let listed = usize::try_from(NOTICES).unwrap_or_default();
        let notice = |row| Ok(NoticeRow { key: key(row)?, enqueued_at: instant(row.get("enqueued_at")) });
        let notices = rows.iter().take(listed).map(notice).collect::<Result<Vec<_>, StoreError>>()?;
        // A message is enqueued in the transaction of its notices, at the same instant; which of that run's it is, it says itself.
        // The states are named so that the index serves.
        let candidates = database
            .query(
                "SELECT id, enqueued_at, address, subject, state, attempts, last_error, about FROM messages \
             WHERE state IN ('pending', 'delivered', 'rejected') \
             AND enqueued_at IN (SELECT enqueued_at FROM notices WHERE credential = $1) \
             ORDER BY enqueued_at DESC, address LIMIT $2",
            )
            .bind(&id)
            .bind(LOOKED_AT)
            .fetch_all()
            .await?;
        let carries = |about: &str| {
            serde_json::from_str::<Vec<About>>(about).is_ok_and(|about| about.iter().any(|one| one.credential == id))
        };
        let messages = candidates.iter().filter(|row| carries(row.get("about"))).take(MESSAGES).map(message).collect();
        Ok(HistoryRows { notices, more: rows.len() > listed, messages })
    }
}
