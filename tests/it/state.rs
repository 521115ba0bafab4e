//! Where the stories keep their state: in a file each, or, where `EXPIRY_WATCH_TEST_POSTGRES` names a server, in a schema each.
//!
//! `tests/postgres/run` starts such a server and tells all the stories against it.

use expiry_watch::azure::Surroundings;
use expiry_watch::clock::Clock;
use expiry_watch::config::{self, Azure};
use expiry_watch::store;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// The tables, and what each is in order of.
const TABLES: [&str; 7] = ["sources", "credentials", "notices", "messages", "invitations", "runs", "leases"];

/// A message in the state: Message-ID, bytes and state.
pub type Message = (String, Vec<u8>, String);

#[derive(Clone, Debug)]
pub enum State {
    File(PathBuf),
    Server(String),
}

/// The server to tell the stories against, if there is one.
pub fn server() -> Option<String> {
    std::env::var("EXPIRY_WATCH_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

/// A schema of its own, made for whoever asks.
pub async fn schema(server: &str) -> String {
    let name = format!("t{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(server).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {name}"))).await.unwrap();
    let mark = if server.contains('?') { '&' } else { '?' };
    format!("{server}{mark}options=-c%20search_path%3D{name}")
}

impl State {
    /// A new one; `folder` is where it is if it is a file.
    pub async fn new(folder: &Path) -> Self {
        match server() {
            Some(server) => Self::Server(schema(&server).await),
            None => Self::File(folder.join("state.db")),
        }
    }

    /// As the configuration writes it.
    pub fn url(&self) -> String {
        match self {
            Self::File(path) => format!("sqlite:{}", path.display()),
            Self::Server(url) => url.clone(),
        }
    }

    /// As the configuration reads it.
    pub fn configured(&self) -> config::State {
        let text = format!("[state]\nurl = {:?}\n", self.url());
        config::parse(&text, "the story").unwrap_or_else(|problems| panic!("{problems}")).state
    }

    /// As the store takes it.
    pub fn place(&self) -> store::Place {
        store::Place::of(&self.configured(), &Azure::default(), &Clock::System, &Surroundings::default()).unwrap()
    }

    /// The messages that were enqueued since `nanos`, as any other program reads them.
    pub async fn messages_since(&self, nanos: i64) -> Vec<Message> {
        let query = "SELECT id, raw, state FROM messages WHERE enqueued_at >= $1 ORDER BY enqueued_at, id";
        match self {
            Self::File(path) => {
                let rows = sqlx::query(query).bind(nanos).fetch_all(&mut open(path).await).await.unwrap();
                rows.iter().map(|row| (row.get("id"), row.get("raw"), row.get("state"))).collect()
            }
            Self::Server(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                let rows = sqlx::query(query).bind(nanos).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(|row| (row.get("id"), row.get("raw"), row.get("state"))).collect()
            }
        }
    }

    /// Whether nobody has written anything yet.
    pub async fn is_untouched(&self) -> bool {
        match self {
            Self::File(path) => !path.exists(),
            Self::Server(url) => {
                let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()";
                let mut connection = PgConnection::connect(url).await.unwrap();
                sqlx::query_scalar::<_, i64>(tables).fetch_one(&mut connection).await.unwrap() == 0
            }
        }
    }

    /// Does what a story needs done behind the service's back; whether it could be.
    pub async fn execute(&self, statement: &'static str) -> bool {
        match self {
            Self::File(path) if !path.exists() => false,
            Self::File(path) => open(path).await.execute(statement).await.is_ok(),
            Self::Server(url) => PgConnection::connect(url).await.unwrap().execute(statement).await.is_ok(),
        }
    }

    /// Everything that is kept, as text to look for something in.
    pub async fn everything(&self) -> String {
        match self {
            Self::File(path) => String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned(),
            Self::Server(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                let mut everything = String::new();
                for table in TABLES {
                    let query = AssertSqlSafe(format!("SELECT t::text FROM {table} AS t"));
                    let rows: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut connection).await.unwrap();
                    everything.extend(rows);
                }
                for (_, raw, _) in self.messages_since(0).await {
                    everything.push_str(&String::from_utf8_lossy(&raw));
                }
                everything
            }
        }
    }
}

/// The state's file as any other program may open it.
pub async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    options.journal_mode(SqliteJournalMode::Delete).busy_timeout(PATIENCE).connect().await.unwrap()
}
