//! What survives a restart: inventory, notices, outbox, and when each schedule last ran.
//!
//! SQLite, created on first run, migrated on upgrade. Every change is one transaction, so a kill at any point leaves the state
//! before it or after it. Leases are columns, never locks of the file system, so that the same statements serve several replicas on
//! one server. Refuses to know what is due or how mail is sent.

mod history;
mod inventory;
mod invitations;
mod leases;
mod messages;
mod notices;
mod rows;
#[cfg(test)]
mod tests;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqlSafeStr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Mutex, MutexGuard};

pub use history::{HistoryRows, NoticeRow};
pub use leases::Owner;
pub use messages::{MessageRow, OutboxRows, Pick};

/// How the tables came to be, one step a version. What has been released is never changed.
const STEPS: &[(&str, &str)] = &[
    ("first", include_str!("store/migrations/0001_first.sql")),
    ("certificates", include_str!("store/migrations/0002_certificates.sql")),
    ("orders", include_str!("store/migrations/0003_orders.sql")),
    ("rotation", include_str!("store/migrations/0004_rotation.sql")),
    ("calendar", include_str!("store/migrations/0005_calendar.sql")),
];

/// The version of the tables that this program writes.
const LATEST: i64 = STEPS.len() as i64;

/// How long to wait for another process that is writing.
const BUSY: Duration = Duration::from_secs(10);

/// The state cannot be used. The file has been left as it was.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("the folder {path} cannot be created: {why}")]
    Folder { path: PathBuf, why: std::io::Error },
    #[error("the state {path} cannot be opened: {why}")]
    Open { path: PathBuf, why: sqlx::Error },
    #[error(
        "the state {path} is damaged ({why}); it was left as it is: restore a backup, or move it away to begin anew \
         (everything due will then be told once more)"
    )]
    Damaged { path: PathBuf, why: String },
    #[error("{path} is a database of something else; name another file in `state.url`")]
    Foreign { path: PathBuf },
    #[error("the state {path} cannot be written: {why}")]
    Unwritable { path: PathBuf, why: sqlx::Error },
    #[error(
        "the state {path} was written by a newer version (its tables have version {version}); run that one, or restore a backup"
    )]
    Newer { path: PathBuf, version: i64 },
    #[error("the state {path} cannot be brought up to date: {why}")]
    Migrate { path: PathBuf, why: sqlx::migrate::MigrateError },
    #[error("the state could not be read or written: {0}")]
    Query(#[from] sqlx::Error),
    #[error("the state holds something unreadable: {0}")]
    Content(String),
}

/// The state, open. One connection: what a process does to it, it does in turn.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<SqliteConnection>,
}

impl Store {
    /// Opens the state for reading and writing; creates folder and file where there are none.
    ///
    /// # Errors
    /// When it cannot be created, opened or written, is damaged, or was written by a newer version. It is then left as it was.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|why| StoreError::Folder { path: folder.into(), why })?;
        }
        let mut connection = connect(path, options(path).create_if_missing(true)).await?;
        check(&mut connection, path).await?;
        refuse_foreign(&mut connection, path).await?;
        probe(&mut connection).await.map_err(|why| StoreError::Unwritable { path: path.into(), why })?;
        migrate(&mut connection, path).await?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Opens the state for reading alone; `None` where there is none yet, or none that this version has upgraded.
    ///
    /// # Errors
    /// When it cannot be opened or is damaged.
    pub async fn open_read_only(path: &Path) -> Result<Option<Self>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let mut opened = open_checked(path, options(path).read_only(true)).await;
        if opened.as_ref().is_err_and(is_left_by_a_kill) {
            // What a kill interrupted must be rolled back before anybody can read, and only a writer may do that.
            opened = open_checked(path, options(path).pragma("query_only", "1")).await;
        }
        let mut connection = opened?;
        refuse_foreign(&mut connection, path).await?;
        match version(&mut connection).await? {
            LATEST => Ok(Some(Self { connection: Mutex::new(connection) })),
            later @ LATEST.. => Err(StoreError::Newer { path: path.into(), version: later }),
            // Empty, or not upgraded yet; only whoever may write can do that.
            _ => Ok(None),
        }
    }

    async fn connection(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().await
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    // No write-ahead log: it needs shared memory, which network file systems lack, and a few writes an hour gain nothing by it. That
    // is SQLite's default; to ask for it would rewrite the file of somebody else who chose otherwise.
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(false)
        .log_statements(tracing::log::LevelFilter::Off)
        .log_slow_statements(tracing::log::LevelFilter::Off, Duration::MAX)
}

async fn connect(path: &Path, options: SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    SqliteConnection::connect_with(&options).await.map_err(|why| match &why {
        sqlx::Error::Database(error) if is_damage(error.code().as_deref()) => {
            StoreError::Damaged { path: path.into(), why: error.message().to_owned() }
        }
        _ => StoreError::Open { path: path.into(), why },
    })
}

async fn open_checked(path: &Path, options: SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    let mut connection = connect(path, options).await?;
    check(&mut connection, path).await?;
    Ok(connection)
}

/// SQLITE_READONLY_ROLLBACK (776): a transaction that a kill interrupted has left its journal.
fn is_left_by_a_kill(error: &StoreError) -> bool {
    matches!(error, StoreError::Open { why: sqlx::Error::Database(error), .. } if error.code().as_deref() == Some("776"))
}

/// SQLITE_CORRUPT (11) and SQLITE_NOTADB (26), with their extended codes.
fn is_damage(code: Option<&str>) -> bool {
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

/// Reads the whole file for damage before anything is written to it.
async fn check(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let damaged = |why: String| StoreError::Damaged { path: path.into(), why };
    match sqlx::query("PRAGMA quick_check(1)").fetch_one(connection).await {
        Ok(row) if row.get::<String, _>(0) == "ok" => Ok(()),
        Ok(row) => Err(damaged(row.get(0))),
        Err(sqlx::Error::Database(error)) if is_damage(error.code().as_deref()) => {
            Err(damaged(error.message().to_owned()))
        }
        Err(why) => Err(StoreError::Open { path: path.into(), why }),
    }
}

/// Writes something and takes it back: a file that can be opened is not yet one that can be written.
async fn probe(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("CREATE TABLE writable (x INTEGER)").execute(&mut *transaction).await?;
    transaction.rollback().await
}

/// A database with tables, none of which is ours, is somebody else's.
async fn refuse_foreign(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name <> '_sqlx_migrations' AND NOT EXISTS \
                 (SELECT 1 FROM sqlite_master WHERE name = 'leases')";
    let foreign: i64 = sqlx::query_scalar(query).fetch_one(&mut *connection).await?;
    if foreign > 0 { Err(StoreError::Foreign { path: path.into() }) } else { Ok(()) }
}

/// The version of the tables; 0 for none.
async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let ours = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    if sqlx::query_scalar::<_, i64>(ours).fetch_one(&mut *connection).await? == 0 {
        return Ok(0);
    }
    Ok(sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations").fetch_one(&mut *connection).await?)
}

/// Brings the tables up to date, each step a transaction.
async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let found = version(connection).await?;
    if found > LATEST {
        return Err(StoreError::Newer { path: path.into(), version: found });
    }
    let step = |(version, (name, sql)): (i64, &(&'static str, &'static str))| {
        Migration::new(version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let migrator = Migrator::with_migrations((1..).zip(STEPS).map(step).collect());
    // Another process may be doing the same at this moment. Each step can be lost to it once; the next look finds it done.
    let mut outcome = migrator.run_direct(None, &mut *connection, false).await;
    for _ in STEPS {
        if !matches!(outcome, Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))) {
            break;
        }
        outcome = migrator.run_direct(None, &mut *connection, false).await;
    }
    outcome.map_err(|why| match why {
        MigrateError::Execute(why) | MigrateError::ExecuteMigration(why, _) => {
            StoreError::Unwritable { path: path.into(), why }
        }
        why => StoreError::Migrate { path: path.into(), why },
    })
}
