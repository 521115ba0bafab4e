//! Where the tests keep their state: a file each, or, where `EXPIRY_WATCH_TEST_POSTGRES` names a server, a schema each.
//!
//! `tests/postgres/run` starts such a server and runs the tests against it.

use super::{Place, Store, StoreError};
use crate::azure::Surroundings;
use crate::clock::Clock;
use crate::config::{self, Azure, State};
use crate::outbox::Draft;
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::path::PathBuf;
use tempfile::TempDir;

pub struct Ground {
    folder: TempDir,
    /// The address of a schema on the server.
    address: Option<String>,
}

/// The server to test against, if there is one.
pub fn server() -> Option<String> {
    std::env::var("EXPIRY_WATCH_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

/// The state that a configuration with this URL has.
pub fn configured(url: &str) -> State {
    let text = format!("[state]\nurl = {url:?}\n");
    config::parse(&text, "the test").unwrap_or_else(|problems| panic!("{problems}")).state
}

/// How it is reached.
pub fn place(url: &str) -> Place {
    Place::of(&configured(url), &Azure::default(), &Clock::System, &Surroundings::default()).unwrap()
}

impl Ground {
    pub async fn new() -> Self {
        let address = match server() {
            Some(server) => Some(Self::schema(&server).await),
            None => None,
        };
        Self { folder: tempfile::tempdir().unwrap(), address }
    }

    async fn schema(server: &str) -> String {
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(server).await.unwrap();
        connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {name}"))).await.unwrap();
        let mark = if server.contains('?') { '&' } else { '?' };
        format!("{server}{mark}options=-c%20search_path%3D{name}")
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("new/state.db")
    }

    pub fn place(&self) -> Place {
        self.address.as_deref().map_or_else(|| Place::from(&self.file()), place)
    }

    pub async fn open(&self) -> Store {
        Store::open(self.place()).await.unwrap()
    }
}

impl Store {
    /// Enqueues messages, as a run that nothing else knows of.
    pub async fn post(&self, drafts: &[Draft]) -> Result<(), StoreError> {
        let run = uuid::Uuid::new_v4().to_string();
        self.ran_with(&run, None, Timestamp::UNIX_EPOCH, drafts).await.map(|done| assert!(done))
    }
}
