//! What calendars have been told, and the one transaction in which they are told more.

use super::rows::{instant, nanos, parsed};
use super::session::{Row, Session};
use super::{Store, StoreError};
use crate::domain::{CredentialId, Invited, Text};
use crate::outbox::Draft;

impl Store {
    /// Gives `compose` all that calendars have been told, and writes down what it tells them now with the messages that do so: both
    /// or neither. Returns how many messages there were.
    ///
    /// A message that still waits is taken back when a newer one about the same entry is written: it would put an old day into a
    /// calendar after the new one, and a cancelled entry into one that has never seen it.
    ///
    /// # Errors
    /// When the state cannot be read or written, or `compose` fails; nobody has been told anything, then.
    pub async fn invite<E: From<StoreError>>(
        &self,
        compose: impl FnOnce(Vec<Invited>) -> Result<Vec<(Invited, Draft)>, E>,
    ) -> Result<usize, E> {
        let mut database = self.database().await?;
        let mut transaction = database.session().begin().await?;
        let rows = transaction.query("SELECT * FROM invitations").fetch_all().await?;
        let known = rows.iter().map(invited).collect::<Result<_, StoreError>>()?;
        let told = compose(known)?;
        for (entry, draft) in &told {
            take_back(entry, transaction.session()).await?;
            super::messages::insert(draft, transaction.session()).await?;
            write(entry, &draft.id, transaction.session()).await?;
        }
        transaction.commit().await?;
        Ok(told.len())
    }
}

async fn take_back(entry: &Invited, session: Session<'_>) -> Result<(), StoreError> {
    session.query(
        "DELETE FROM messages WHERE state = 'pending' AND id = (SELECT message FROM invitations WHERE credential = $1 AND address = $2)",
    )
    .bind(entry.credential.to_string())
    .bind(entry.address.as_str())
    .execute()
    .await?;
    Ok(())
}

async fn write(entry: &Invited, message: &str, session: Session<'_>) -> Result<(), StoreError> {
    session.query(
        "INSERT INTO invitations (credential, address, sequence, day, expires_at, stamped_at, title, state, message) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (credential, address) DO UPDATE SET \
         sequence = excluded.sequence, day = excluded.day, expires_at = excluded.expires_at, \
         stamped_at = excluded.stamped_at, title = excluded.title, state = excluded.state, message = excluded.message",
    )
    .bind(entry.credential.to_string())
    .bind(entry.address.as_str())
    .bind(i64::from(entry.sequence))
    .bind(entry.day.to_string())
    .bind(nanos(entry.expires_at))
    .bind(nanos(entry.stamped_at))
    .bind(entry.title.as_str())
    .bind(if entry.is_cancelled { "cancelled" } else { "invited" })
    .bind(message)
    .execute()
    .await?;
    Ok(())
}

fn invited(row: &Row) -> Result<Invited, StoreError> {
    Ok(Invited {
        credential: CredentialId::parse(row.get("credential")),
        address: parsed("address", row.get("address"))?,
        sequence: u32::try_from(row.get::<i64>("sequence")).unwrap_or(u32::MAX),
        day: parsed("day", row.get("day"))?,
        expires_at: instant(row.get("expires_at")),
        stamped_at: instant(row.get("stamped_at")),
        title: Text::clean(row.get("title")),
        is_cancelled: row.get::<&str>("state") == "cancelled",
    })
}

#[cfg(test)]
mod tests;
