//! The outbox's rows: enqueued, leased for one attempt, finished.

use super::rows::{instant, nanos, parsed};
use super::session::{Row, Session};
use super::{Owner, Store, StoreError};
use crate::domain::Text;
use crate::outbox::{Draft, Fate, LEASE, Parcel};
use jiff::{SignedDuration, Timestamp};

/// How long finished messages are kept, for the status page and for whoever asks what was sent.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How many messages a view lists.
const LISTED: i64 = 50;

/// Which message to take in hand.
#[derive(Clone, Copy, Debug)]
pub enum Pick<'a> {
    /// One whose time has come; what was never tried comes before what was deferred, and what is to be read before what only changes
    /// a calendar.
    Due,
    /// This one, whether its time has come or not.
    Id(&'a str),
}

/// The outbox at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxRows {
    pub pending: u64,
    pub oldest: Option<Timestamp>,
    pub rejected: u64,
    /// Newest first, a bounded number.
    pub recent: Vec<MessageRow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Its Message-ID.
    pub id: String,
    pub enqueued_at: Timestamp,
    pub address: String,
    pub subject: Text,
    pub state: String,
    pub attempts: u32,
    pub last_error: Option<Text>,
}

pub(super) async fn insert(draft: &Draft, session: Session<'_>) -> Result<(), StoreError> {
    let about = serde_json::to_string(&draft.about).map_err(|error| StoreError::Content(error.to_string()))?;
    session.query(
        "INSERT INTO messages (id, address, subject, enqueued_at, raw, about, channel) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
        .bind(&draft.id)
        .bind(draft.address.as_str())
        .bind(draft.subject.as_str())
        .bind(nanos(draft.enqueued_at))
        .bind(draft.raw.as_slice())
        .bind(about)
        .bind(draft.channel.as_str())
        .execute()
        .await?;
    Ok(())
}

impl Store {
    /// Takes a pending message in hand, so that nobody else tries it meanwhile. `None`: there is none to take.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn lease(&self, pick: Pick<'_>, owner: &Owner, now: Timestamp) -> Result<Option<Parcel>, StoreError> {
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        let (id, due_by) = match pick {
            Pick::Due => (None, nanos(now)),
            Pick::Id(id) => (Some(id), i64::MAX),
        };
        // A lease that ends later than can be believed (written under a clock that was far ahead) is void.
        let mut database = self.database().await?;
        let row = database.query(
            "UPDATE messages SET lease_owner = $1, lease_until = $2, attempts = attempts + 1 WHERE id = (\
             SELECT id FROM messages WHERE state = 'pending' AND next_attempt_at <= $3 AND ($4 IS NULL OR id = $4) \
             AND (lease_until <= $5 OR lease_until > $6) ORDER BY next_attempt_at, channel = 'calendar', enqueued_at, id LIMIT 1) \
             AND state = 'pending' AND (lease_until <= $5 OR lease_until > $6) RETURNING *",
        )
        .bind(owner.as_str())
        .bind(nanos(until))
        .bind(due_by)
        .bind(id)
        .bind(nanos(now))
        .bind(nanos(super::leases::not_believable_after(until)))
        .fetch_optional()
        .await?;
        row.map(|row| parcel(&row)).transpose()
    }

    /// Writes down what became of a leased message, and gives it back. Without effect for who no longer holds the lease, but for a
    /// delivery: that has happened, whoever holds it now.
    ///
    /// # Errors
    /// When the state cannot be written: the lease runs out, and the same message is tried again.
    pub async fn settle(&self, id: &str, owner: &Owner, fate: &Fate, now: Timestamp) -> Result<(), StoreError> {
        let (state, next_attempt_at, finished_at, why) = match fate {
            Fate::Delivered => ("delivered", 0, Some(nanos(now)), None),
            Fate::Deferred { until, why } => ("pending", nanos(*until), None, Some(why.as_str())),
            Fate::Rejected { why } => ("rejected", 0, Some(nanos(now)), Some(why.as_str())),
        };
        self.database().await?.query(
            "UPDATE messages SET state = $1, next_attempt_at = $2, finished_at = $3, last_error = $4, lease_owner = NULL, \
             lease_until = 0 WHERE id = $5 AND state = 'pending' AND (lease_owner = $6 OR $1 = 'delivered')",
        )
        .bind(state)
        .bind(next_attempt_at)
        .bind(finished_at)
        .bind(why)
        .bind(id)
        .bind(owner.as_str())
        .execute()
        .await?;
        Ok(())
    }

    /// The Message-IDs of all that is pending, oldest first, those that only change a calendar last.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn pending(&self) -> Result<Vec<String>, StoreError> {
        let query = "SELECT id FROM messages WHERE state = 'pending' ORDER BY channel = 'calendar', enqueued_at, id";
        let rows = self.database().await?.query(query).fetch_all().await?;
        Ok(rows.iter().map(|row| row.get("id")).collect())
    }

    /// # Errors
    /// When the state cannot be read.
    pub async fn outbox(&self) -> Result<OutboxRows, StoreError> {
        let mut database = self.database().await?;
        let totals = database
            .query(
                "SELECT count(CASE WHEN state = 'pending' THEN 1 END) AS pending, \
             min(CASE WHEN state = 'pending' THEN enqueued_at END) AS oldest, \
             count(CASE WHEN state = 'rejected' THEN 1 END) AS rejected FROM messages",
            )
            .fetch_one()
            .await?;
        let recent = database
            .query(
                "SELECT id, enqueued_at, address, subject, state, attempts, last_error FROM messages \
             ORDER BY enqueued_at DESC, id LIMIT $1",
            )
            .bind(LISTED)
            .fetch_all()
            .await?;
        Ok(OutboxRows {
            pending: totals.get::<i64>("pending").unsigned_abs(),
            oldest: totals.get::<Option<i64>>("oldest").map(instant),
            rejected: totals.get::<i64>("rejected").unsigned_abs(),
            recent: recent.iter().map(message).collect(),
        })
    }

    /// Forgets messages that were finished long ago. What has been told stays known.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        self.database()
            .await?
            .query("DELETE FROM messages WHERE state <> 'pending' AND finished_at < $1")
            .bind(nanos(before))
            .execute()
            .await?;
        Ok(())
    }
}

pub(super) fn message(row: &Row) -> MessageRow {
    MessageRow {
        id: row.get("id"),
        enqueued_at: instant(row.get("enqueued_at")),
        address: row.get("address"),
        subject: Text::clean(row.get("subject")),
        state: row.get("state"),
        attempts: u32::try_from(row.get::<i64>("attempts")).unwrap_or(u32::MAX),
        last_error: row.get::<Option<&str>>("last_error").map(Text::clean),
    }
}

fn parcel(row: &Row) -> Result<Parcel, StoreError> {
    let about: &str = row.get("about");
    let draft = Draft {
        id: row.get("id"),
        address: parsed("address", row.get("address"))?,
        channel: parsed("channel", row.get("channel"))?,
        subject: Text::clean(row.get("subject")),
        enqueued_at: instant(row.get("enqueued_at")),
        raw: row.get("raw"),
        about: serde_json::from_str(about).map_err(|error| StoreError::Content(error.to_string()))?,
    };
    let attempts = u32::try_from(row.get::<i64>("attempts")).unwrap_or(u32::MAX);
    Ok(Parcel { draft, attempts: attempts.saturating_sub(1) })
}
