//! Who may act: a name in a column, for a while.

use super::rows::{instant, nanos};
use super::session::Session;
use super::{Store, StoreError};
use crate::outbox::Draft;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// How far two processes' clocks may lie apart and still respect each other's leases.
pub const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(10);

/// What to think of a lease found, by whoever would ask for one until `until`.
pub(super) fn not_believable_after(until: Timestamp) -> Timestamp {
    until.saturating_add(CLOCKS_APART).unwrap_or(Timestamp::MAX)
}

/// One running process, told from every other one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    #[must_use]
    pub fn unique() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Store {
    /// Takes or keeps the lease `name` for `term`; says whether `owner` has it now.
    ///
    /// A lease that ends later than can be believed was written under a clock that was far ahead, and is void: it must not lock
    /// everybody out for as long.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn hold(
        &self,
        name: &str,
        owner: &Owner,
        term: SignedDuration,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let until = now.saturating_add(term).unwrap_or(Timestamp::MAX);
        let mut database = self.database_for_leases().await?;
        let written = database
            .query(
                "INSERT INTO leases (name, owner, until) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE \
             SET owner = excluded.owner, until = excluded.until \
             WHERE leases.owner = excluded.owner OR leases.until <= $4 OR leases.until > $5",
            )
            .bind(name)
            .bind(owner.as_str())
            .bind(nanos(until))
            .bind(nanos(now))
            .bind(nanos(not_believable_after(until)))
            .execute()
            .await?;
        Ok(written == 1)
    }

    /// Gives the lease back, if `owner` has it.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn release(&self, name: &str, owner: &Owner) -> Result<(), StoreError> {
        self.database_for_leases()
            .await?
            .query("DELETE FROM leases WHERE name = $1 AND owner = $2")
            .bind(name)
            .bind(owner.as_str())
            .execute()
            .await?;
        Ok(())
    }

    /// When the schedule `name` last ran.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn last_run(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        let mut database = self.database().await?;
        let row = database.query("SELECT at FROM runs WHERE name = $1").bind(name).fetch_optional().await?;
        Ok(row.map(|row| instant(row.get("at"))))
    }

    /// Writes down that the schedule `name` ran.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn ran(&self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        note(self.database().await?.session(), name, at).await
    }

    /// Writes down that the schedule `name` ran, together with the messages that it came to: both or neither. False, and neither, when
    /// it has been noted since it was last noted at `last`: another process was quicker, and its messages are the ones that count.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn ran_with(
        &self,
        name: &str,
        last: Option<Timestamp>,
        at: Timestamp,
        drafts: &[Draft],
    ) -> Result<bool, StoreError> {
        let mut database = self.database().await?;
        let mut transaction = database.session().begin().await?;
        let row = transaction.query("SELECT at FROM runs WHERE name = $1").bind(name).fetch_optional().await?;
        if row.map(|row| row.get("at")) != last.map(nanos) {
            return Ok(false);
        }
        note(transaction.session(), name, at).await?;
        for draft in drafts {
            super::messages::insert(draft, transaction.session()).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

async fn note(session: Session<'_>, name: &str, at: Timestamp) -> Result<(), StoreError> {
    let query = "INSERT INTO runs (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = excluded.at";
    session.query(query).bind(name).bind(nanos(at)).execute().await.map(drop)
}
