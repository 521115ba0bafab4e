//! A state in a file: how it is opened, and looked at before anything is written to it.

use super::migrations::{self, LATEST};
use super::{Found, StoreError};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};
use std::path::Path;
use std::time::Duration;

/// How long to wait for another process that is writing.
const BUSY: Duration = Duration::from_secs(10);

/// For reading and writing; folder and file are made where there are none.
pub(super) async fn open(path: &Path) -> Result<SqliteConnection, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|why| StoreError::Folder { path: folder.into(), why })?;
    }
    let mut connection = connect(path, options(path).create_if_missing(true)).await?;
    check(&mut connection, path).await?;
    refuse_foreign(&mut connection, path).await?;
    probe(&mut connection).await.map_err(|why| StoreError::Unwritable { path: path.into(), why })?;
    migrate(&mut connection, path).await?;
    Ok(connection)
}

/// For reading alone.
pub(super) async fn open_read_only(path: &Path) -> Result<Found<SqliteConnection>, StoreError> {
    if !path.exists() {
        return Ok(Found::Nothing);
    }
    let mut opened = open_checked(path, options(path).read_only(true)).await;
    if opened.as_ref().is_err_and(is_left_by_a_kill) {
        // What a kill interrupted must be rolled back before anybody can read, and only a writer may do that.
        opened = open_checked(path, options(path).pragma("query_only", "1")).await;
    }
    let mut connection = opened?;
    refuse_foreign(&mut connection, path).await?;
    match version(&mut connection).await? {
        LATEST => Ok(Found::Current(connection)),
        later @ LATEST.. => Err(StoreError::Newer { place: path.display().to_string(), version: later }),
        // Empty, or not upgraded yet; only whoever may write can do that.
        _ => Ok(Found::Older),
    }
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
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
        return Err(StoreError::Newer { place: path.display().to_string(), version: found });
    }
    migrations::run_sqlite(connection).await.map_err(|why| match why {
        MigrateError::Execute(why) | MigrateError::ExecuteMigration(why, _) => {
            StoreError::Unwritable { path: path.into(), why }
        }
        why => StoreError::Migrate { place: path.display().to_string(), why },
    })
}
