//! What survives a restart: inventory, notices, outbox, and when each schedule last ran.
//!
//! A file (SQLite) for one process, or a server (PostgreSQL) for several; made on first run, migrated on upgrade. Every change is one
//! transaction, so a kill at any point leaves the state before it or after it. Leases are columns, never locks of the file system, so
//! that the same statements serve both. Refuses to know what is due or how mail is sent.

mod history;
mod inventory;
mod invitations;
mod leases;
mod messages;
mod migrations;
mod notices;
mod postgres;
mod rows;
mod session;
mod sqlite;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use crate::azure::Surroundings;
use crate::clock::Clock;
use crate::config::{Azure, State, Unusable};
use session::{Query, Session};
use sqlx::SqlSafeStr;
use sqlx::sqlite::SqliteConnection;
use std::path::{Path, PathBuf};
use thiserror::Error;
use tokio::sync::{Mutex, MutexGuard};

pub use history::{HistoryRows, NoticeRow};
pub use leases::{CLOCKS_APART, Owner};
pub use messages::{MessageRow, OutboxRows, Pick};
pub use postgres::Server;

/// The state cannot be used. It has been left as it was.
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
    #[error("the state {place}: {why}")]
    Server { place: String, why: String },
    /// What was found a moment ago, when nobody asked again.
    #[error("{0}")]
    Resting(String),
    #[error(
        "the state {place}: its schema holds the tables of something else; give the watch a database of its own, or a schema \
         (`?options=-c%20search_path%3DNAME` in `state.url`)"
    )]
    ForeignSchema { place: String },
    #[error(
        "the state {place} was written by a newer version (its tables have version {version}); run that one, or restore a backup"
    )]
    Newer { place: String, version: i64 },
    #[error("the state {place} cannot be brought up to date: {why}")]
    Migrate { place: String, why: sqlx::migrate::MigrateError },
    #[error("the state could not be read or written: {0}")]
    Query(#[from] sqlx::Error),
    #[error("the state holds something unreadable: {0}")]
    Content(String),
}

/// Where the state is.
#[derive(Debug)]
pub enum Place {
    File(PathBuf),
    Server(Box<Server>),
}

impl Place {
    /// Looks at the address and the way to sign in; touches neither disk nor network.
    ///
    /// # Errors
    /// When the address or the sign-in will not do, or a secret cannot be read.
    pub fn of(state: &State, azure: &Azure, clock: &Clock, surroundings: &Surroundings) -> Result<Self, Unusable> {
        Ok(match state {
            State::Sqlite(path) => Self::File(path.clone()),
            State::Postgres(postgres) => Self::Server(Box::new(Server::of(postgres, azure, clock, surroundings)?)),
        })
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

/// What is there, for who only reads.
#[derive(Debug)]
pub enum Found<T> {
    /// No state yet.
    Nothing,
    /// One that has not been brought up to date yet; only whoever may write can do that.
    Older,
    Current(T),
}

impl<T> Found<T> {
    fn map<U>(self, make: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Self::Nothing => Found::Nothing,
            Self::Older => Found::Older,
            Self::Current(found) => Found::Current(make(found)),
        }
    }
}

/// The state, open. What a process does to it, it does in turn.
#[derive(Debug)]
pub struct Store(Database);

#[derive(Debug)]
enum Database {
    Sqlite(Mutex<SqliteConnection>),
    Postgres(Box<postgres::Lines>),
}

/// The database in somebody's hands.
enum Held<'s> {
    Sqlite(MutexGuard<'s, SqliteConnection>),
    Postgres(postgres::Held<'s>),
}

impl Store {
    /// Opens the state for reading and writing; makes what is missing.
    ///
    /// # Errors
    /// When it cannot be made, opened or written, is damaged, or was written by a newer version. It is then left as it was.
    pub async fn open(place: impl Into<Place>) -> Result<Self, StoreError> {
        Ok(Self(match place.into() {
            Place::File(path) => Database::Sqlite(Mutex::new(sqlite::open(&path).await?)),
            Place::Server(server) => Database::Postgres(Box::new(postgres::Lines::open(*server).await?)),
        }))
    }

    /// Opens the state for reading alone.
    ///
    /// # Errors
    /// When it cannot be opened, or is damaged.
    pub async fn open_read_only(place: impl Into<Place>) -> Result<Found<Self>, StoreError> {
        Ok(match place.into() {
            Place::File(path) => {
                sqlite::open_read_only(&path).await?.map(|connection| Database::Sqlite(Mutex::new(connection)))
            }
            Place::Server(server) => {
                postgres::Lines::open_read_only(*server).await?.map(|lines| Database::Postgres(Box::new(lines)))
            }
        }
        .map(Self))
    }

    async fn database(&self) -> Result<Held<'_>, StoreError> {
        Ok(match &self.0 {
            Database::Sqlite(connection) => Held::Sqlite(connection.lock().await),
            Database::Postgres(lines) => Held::Postgres(lines.work().await?),
        })
    }

    /// The same, for the lease alone, which must not wait for a long write where that can be avoided.
    async fn database_for_leases(&self) -> Result<Held<'_>, StoreError> {
        match &self.0 {
            Database::Sqlite(_) => self.database().await,
            Database::Postgres(lines) => Ok(Held::Postgres(lines.lease().await?)),
        }
    }
}

impl Held<'_> {
    fn session(&mut self) -> Session<'_> {
        match self {
            Self::Sqlite(connection) => Session::Sqlite(connection),
            Self::Postgres(held) => held.session(),
        }
    }

    fn query(&mut self, sql: impl SqlSafeStr) -> Query<'_> {
        self.session().query(sql)
    }
}
