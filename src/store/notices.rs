//! What has been told, and the one transaction in which telling begins.

use super::rows::{instant, instant_or_none, nanos, nanos_or_zero, parsed};
use super::session::Row;
use super::{Store, StoreError};
use crate::domain::{CredentialId, Families, Notice, NoticeKey, TeamId};
use crate::outbox::Draft;
use jiff::Timestamp;

impl Store {
    /// Every notice about something that is still known.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn told(&self) -> Result<Vec<NoticeKey>, StoreError> {
        // Row by row: there may be years of them, and a row takes several times the room of its key.
        let keys = self
            .database()
            .await?
            .query(
                "SELECT * FROM notices WHERE credential IN (SELECT id FROM credentials) OR credential LIKE 'source:%'",
            )
            .fetch_each(|row| key(&row))
            .await?;
        keys.into_iter().collect()
    }

    /// What was enqueued after `since`, and when; the latest 2,000.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn told_since(&self, since: Timestamp) -> Result<Vec<(Timestamp, NoticeKey)>, StoreError> {
        let rows = self
            .database()
            .await?
            .query("SELECT * FROM notices WHERE enqueued_at > $1 ORDER BY enqueued_at DESC LIMIT 2000")
            .bind(nanos(since))
            .fetch_all()
            .await?;
        rows.iter().map(|row| Ok((instant(row.get("enqueued_at")), key(row)?))).collect()
    }

    /// Enqueues notices: those that nobody enqueued before are written down as told and, in the same transaction, become the
    /// messages that `compose` makes of them. Returns how many were new.
    ///
    /// # Errors
    /// When the state cannot be written, or `compose` fails; nothing has been enqueued, then.
    pub async fn enqueue<E: From<StoreError>>(
        &self,
        notices: Vec<Notice>,
        now: Timestamp,
        compose: impl FnOnce(&[Notice]) -> Result<Vec<Draft>, E>,
    ) -> Result<Vec<Notice>, E> {
        let mut database = self.database().await?;
        let mut transaction = database.session().begin().await?;
        let mut fresh = Vec::with_capacity(notices.len());
        for notice in notices {
            let written = transaction.query(
                "INSERT INTO notices (credential, expires_at, notice, threshold, team, episode, closes, crossed_at, enqueued_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
            )
            .bind(notice.key.credential.to_string())
            .bind(nanos_or_zero(notice.key.expires_at))
            .bind(notice.key.kind.as_str())
            .bind(notice.key.step.to_string())
            .bind(notice.key.team.as_str())
            .bind(i64::from(notice.key.episode))
            .bind(i64::from(notice.key.closes.bits()))
            .bind(nanos(notice.crossed_at))
            .bind(nanos(now))
            .execute()
            .await?;
            if written == 1 {
                fresh.push(notice);
            }
        }
        if !fresh.is_empty() {
            for draft in compose(&fresh)? {
                super::messages::insert(&draft, transaction.session()).await?;
            }
        }
        transaction.commit().await?;
        Ok(fresh)
    }
}

pub(super) fn key(row: &Row) -> Result<NoticeKey, StoreError> {
    Ok(NoticeKey {
        credential: CredentialId::parse(row.get("credential")),
        expires_at: instant_or_none(row.get("expires_at")),
        kind: parsed("notice", row.get("notice"))?,
        step: parsed("threshold", row.get("threshold"))?,
        team: TeamId::new(row.get("team")),
        episode: u32::try_from(row.get::<i64>("episode")).unwrap_or(u32::MAX),
        closes: Families::from_bits(u8::try_from(row.get::<i64>("closes")).unwrap_or_default()),
    })
}
