//! Sources and credentials: read once at the start, then only what changed is written.

use super::rows::{instant, nanos, parsed};
use super::session::{Query, Row, Session, placeholders};
use super::{Store, StoreError};
use crate::domain::{
    Address, Credential, CredentialId, Holder, Ident, Mark, Owners, Serial, SourceName, Text, Trouble, X509,
};
use crate::inventory::{Changes, Entry, Inventory, SourceState};
use sqlx::AssertSqlSafe;
use std::sync::Arc;

/// Rows a statement: 26 columns each, well below SQLite's 32,766 parameters and PostgreSQL's 65,535.
const BATCH: usize = 500;

/// Rows that are read together at the start.
const PART: i64 = 2_000;

impl Store {
    /// All that was known when it was last written. `systems` names the configured sources' types; others are left out.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn inventory(&self, configured: &[SourceState]) -> Result<Inventory, StoreError> {
        let mut database = self.database().await?;
        let mut transaction = database.session().begin_to_read().await?;
        let rows = transaction.query("SELECT * FROM sources").fetch_all().await?;
        let sources = rows.iter().filter_map(|row| source(row, configured)).collect();
        let mut entries: Vec<Entry> = Vec::new();
        let mut last = String::new();
        // A part at a time: as rows, they take several times what they come to.
        loop {
            let next = transaction.query("SELECT * FROM credentials WHERE id > $1 ORDER BY id LIMIT $2");
            let rows = next.bind(last).bind(PART).fetch_all().await?;
            let Some(end) = rows.last() else { break };
            last = end.get("id");
            for row in &rows {
                // A directory's id names the holder first: siblings follow one another.
                let siblings = entries.last().map(|entry| entry.credential.holder.clone());
                entries.push(entry(row, siblings)?);
            }
        }
        transaction.commit().await?;
        entries.shrink_to_fit();
        Ok(Inventory::new(entries, sources))
    }

    /// Writes what a poll changed, all or nothing.
    ///
    /// # Errors
    /// When the state cannot be written; nothing has been, then.
    pub async fn apply(&self, changes: &Changes, sources: &[SourceState]) -> Result<(), StoreError> {
        let mut database = self.database().await?;
        let mut transaction = database.session().begin().await?;
        for source in sources {
            transaction
                .query(
                    "INSERT INTO sources (name, system, first_attempt, last_attempt, last_success, last_error) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET system = excluded.system, \
                 first_attempt = excluded.first_attempt, last_attempt = excluded.last_attempt, \
                 last_success = excluded.last_success, last_error = excluded.last_error",
                )
                .bind(source.name.as_str())
                .bind(source.system)
                .bind(source.first_attempt.map(nanos))
                .bind(source.last_attempt.map(nanos))
                .bind(source.last_success.map(nanos))
                .bind(source.last_error.as_ref().map(Text::as_str))
                .execute()
                .await?;
        }
        for batch in changes.upserts.chunks(BATCH) {
            upsert(transaction.session(), batch).execute().await?;
        }
        for batch in changes.removals.chunks(BATCH) {
            let ids = placeholders(&transaction.session(), 1, batch.len());
            let query = transaction.query(AssertSqlSafe(format!("DELETE FROM credentials WHERE id IN {ids}")));
            batch.iter().fold(query, |query, id| query.bind(id.to_string())).execute().await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// As many placeholders as a row has; the order is that of [`bound`].
const COLUMNS: usize = 26;

fn upsert<'s>(session: Session<'s>, entries: &[Entry]) -> Query<'s> {
    let rows = placeholders(&session, entries.len(), COLUMNS);
    // Made of our own words and numbers alone.
    let query = session.query(AssertSqlSafe(format!(
        "INSERT INTO credentials (id, source, kind, holder, holder_id, app_id, team_tags, holder_enabled, label, not_before, \
         expires_at, enabled, in_use, serial, issuer, sha1, names, paid_until, untrusted, unreachable, trouble_since, first_seen, \
         missing_since, owners, mark_app, mark_key) VALUES {rows} \
         ON CONFLICT (id) DO UPDATE SET source = excluded.source, kind = excluded.kind, holder = excluded.holder, \
         holder_id = excluded.holder_id, app_id = excluded.app_id, team_tags = excluded.team_tags, \
         holder_enabled = excluded.holder_enabled, label = excluded.label, not_before = excluded.not_before, \
         expires_at = excluded.expires_at, enabled = excluded.enabled, in_use = excluded.in_use, \
         serial = excluded.serial, issuer = excluded.issuer, sha1 = excluded.sha1, names = excluded.names, paid_until = excluded.paid_until, \
         untrusted = excluded.untrusted, unreachable = excluded.unreachable, trouble_since = excluded.trouble_since, \
         first_seen = excluded.first_seen, missing_since = excluded.missing_since, owners = excluded.owners, \
         mark_app = excluded.mark_app, mark_key = excluded.mark_key"
    )));
    entries.iter().fold(query, bound)
}

fn bound<'s>(query: Query<'s>, entry: &Entry) -> Query<'s> {
    let credential = &entry.credential;
    let holder = &credential.holder;
    let x509 = credential.x509.as_deref();
    let (untrusted, unreachable) = match credential.trouble.as_deref() {
        Some(Trouble::Untrusted(why)) => (Some(why.as_str()), None),
        Some(Trouble::Unreachable(why) | Trouble::Unresolved(why)) => (None, Some(why.as_str())),
        None => (None, None),
    };
    query
        .bind(credential.id.to_string())
        .bind(credential.source.as_str())
        .bind(credential.kind.as_str())
        .bind(holder.name.as_str())
        .bind(holder.id.to_string())
        .bind(holder.app_id.as_ref().map(ToString::to_string))
        .bind(holder.team_tags.join("\n"))
        .bind(holder.enabled)
        .bind(credential.label.as_str())
        .bind(credential.not_before.map(nanos))
        .bind(credential.expires_at.map(nanos))
        .bind(credential.enabled)
        .bind(credential.in_use)
        .bind(x509.map(|x509| x509.serial.to_string()))
        .bind(x509.and_then(|x509| x509.issuer.as_ref()).map(Text::as_str))
        .bind(
            x509.and_then(|x509| x509.sha1)
                .map(|sha1| sha1.iter().map(|byte| format!("{byte:02X}")).collect::<String>()),
        )
        .bind(x509.map(|x509| x509.names.iter().map(Text::as_str).collect::<Vec<_>>().join("\n")))
        .bind(x509.and_then(|x509| x509.paid_until).map(nanos))
        .bind(untrusted)
        .bind(unreachable)
        .bind(entry.trouble_since.as_deref().copied().map(nanos))
        .bind(nanos(entry.first_seen))
        .bind(entry.missing_since.map(nanos))
        .bind(holder.owners.as_deref().map(owners_as_text))
        .bind(credential.mark.as_ref().and_then(|mark| mark.app_id.as_ref()).map(ToString::to_string))
        .bind(credential.mark.as_ref().and_then(|mark| mark.key_id.as_ref()).map(ToString::to_string))
}

fn source(row: &Row, configured: &[SourceState]) -> Option<SourceState> {
    let name: &str = row.get("name");
    let configured = configured.iter().find(|source| source.name.as_str() == name)?;
    let at = |column| row.get::<Option<i64>>(column).map(instant);
    Some(SourceState {
        name: configured.name.clone(),
        system: configured.system,
        first_attempt: at("first_attempt"),
        last_attempt: at("last_attempt"),
        last_success: at("last_success"),
        last_error: row.get::<Option<&str>>("last_error").map(Text::clean),
        last_use: None,
    })
}

fn entry(row: &Row, previous: Option<Arc<Holder>>) -> Result<Entry, StoreError> {
    let at = |column| row.get::<Option<i64>>(column).map(instant);
    let holder = Holder {
        name: Text::clean(row.get("holder")),
        id: Ident::new(row.get("holder_id")),
        app_id: row.get::<Option<&str>>("app_id").map(Ident::new),
        team_tags: row.get::<&str>("team_tags").lines().map(Box::from).collect(),
        enabled: row.get("holder_enabled"),
        owners: row.get::<Option<&str>>("owners").and_then(owners).map(Arc::new),
    };
    let credential = Credential {
        id: CredentialId::parse(row.get("id")),
        source: SourceName::new(row.get("source")),
        kind: parsed("kind", row.get("kind"))?,
        // Siblings share their holder, as they do after a poll.
        holder: previous.filter(|previous| **previous == holder).unwrap_or_else(|| Arc::new(holder)),
        label: Text::clean(row.get("label")),
        not_before: at("not_before"),
        expires_at: at("expires_at"),
        enabled: row.get("enabled"),
        in_use: row.get("in_use"),
        x509: x509(row).map(Arc::new),
        trouble: trouble(row).map(Box::new),
        mark: mark(row).map(Box::new),
    };
    Ok(Entry {
        credential: Arc::new(credential),
        first_seen: instant(row.get("first_seen")),
        trouble_since: at("trouble_since").map(Box::new),
        missing_since: at("missing_since"),
    })
}

fn x509(row: &Row) -> Option<X509> {
    let text = |column| row.get::<Option<&str>>(column);
    Some(X509 {
        serial: Serial::parse(text("serial")?)?,
        issuer: text("issuer").map(Text::clean),
        sha1: text("sha1").and_then(sha1),
        names: text("names").unwrap_or_default().lines().map(Text::clean).collect(),
        paid_until: row.get::<Option<i64>>("paid_until").map(instant),
    })
}

fn sha1(written: &str) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    (written.len() == 40).then_some(())?;
    for (byte, index) in bytes.iter_mut().zip((0..40).step_by(2)) {
        *byte = u8::from_str_radix(written.get(index..index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn trouble(row: &Row) -> Option<Trouble> {
    let why = |column| row.get::<Option<&str>>(column).map(Text::clean);
    why("untrusted").map(Trouble::Untrusted).or_else(|| why("unreachable").map(Trouble::Unreachable))
}

fn mark(row: &Row) -> Option<Mark> {
    let ident = |column| row.get::<Option<&str>>(column).map(Ident::new);
    let mark = Mark { app_id: ident("mark_app"), key_id: ident("mark_key") };
    (mark.app_id.is_some() || mark.key_id.is_some()).then_some(mark)
}

/// Addresses, one a line; or a word, which no address is.
fn owners_as_text(owners: &Owners) -> String {
    match owners {
        Owners::Reachable(addresses) => addresses.iter().map(Address::as_str).collect::<Vec<_>>().join("\n"),
        Owners::Nobody => NOBODY.to_owned(),
        Owners::WithoutAddress => WITHOUT_ADDRESS.to_owned(),
        Owners::Hidden => HIDDEN.to_owned(),
    }
}

fn owners(written: &str) -> Option<Owners> {
    Some(match written {
        NOBODY => Owners::Nobody,
        WITHOUT_ADDRESS => Owners::WithoutAddress,
        HIDDEN => Owners::Hidden,
        addresses => {
            let addresses: Box<[Address]> = addresses.lines().filter_map(|line| line.parse().ok()).collect();
            (!addresses.is_empty()).then_some(Owners::Reachable(addresses))?
        }
    })
}

const NOBODY: &str = "nobody";
const WITHOUT_ADDRESS: &str = "without_address";
const HIDDEN: &str = "hidden";
