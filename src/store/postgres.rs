//! A state on a PostgreSQL server: how it is reached, and what is done when it goes away.
//!
//! A connection is a *line*. Whatever goes wrong on a line, or is dropped in the middle, costs the line: the server takes back what was
//! not committed, and the next who needs one gets a new one. So a restart of the server, a broken network and a cancelled statement are
//! one case. Everything has a limit: to connect, to answer, to wait for others.

mod fault;

use super::migrations::{self, LATEST};
use super::session::{Session, Transaction};
use super::{Found, StoreError};
use crate::azure::{Surroundings, Tokens};
use crate::clock::Clock;
use crate::config::{self, Azure, PostgresAddress, PostgresAuth, PostgresHost, PostgresTls, Secret, Unusable};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

/// How long it may take to connect, the sign-in included.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a statement may take before the server breaks it off, and how long it may wait for another process that is writing.
const STATEMENT: (&str, Duration) = ("25s", Duration::from_secs(30));
const LOCK: &str = "10s";

/// How long a transaction may stand still: it is somebody who hangs, and others wait for him.
const STANDSTILL: &str = "60s";

/// How long the leader's lease may take to be renewed: it lasts for ten seconds.
const RENEWAL: Duration = Duration::from_secs(4);

/// A line that nobody used for this long is tried before it is used, and gets this long to answer.
const IDLE: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(3);

/// After a failure nobody knocks again for this long.
const REST: Duration = Duration::from_secs(1);

/// How a transaction that writes begins: alone, as SQLite's `BEGIN IMMEDIATE` does. So nothing that was read in it changes meanwhile,
/// two replicas never wait for one another in a circle, and nothing needs to be repeated. The number is "expiry-w".
pub(super) const BEGIN: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(7311717593230421367)";

/// How the server is reached, again and again.
#[derive(Debug)]
pub struct Server {
    place: config::Postgres,
    /// Whose tokens are the password.
    tokens: Option<Tokens>,
}

/// A connection, and whether it can be used for something else.
#[derive(Debug)]
pub(super) struct Line {
    connection: PgConnection,
    place: String,
    limit: Duration,
    state: LineState,
}

#[derive(Debug, Default)]
struct LineState {
    /// A statement has been sent and not been answered well.
    busy: bool,
    in_transaction: bool,
}

/// The server, with the lines to it. The lease has one to itself, so that a long write does not cost the leadership.
#[derive(Debug)]
pub(super) struct Lines {
    server: Server,
    work: Mutex<Slot>,
    lease: Mutex<Slot>,
}

#[derive(Debug)]
struct Slot {
    line: Option<Line>,
    limit: Duration,
    used: Instant,
    /// When the last attempt failed, and why.
    failed: Option<(Instant, String)>,
}

/// A line in somebody's hands.
pub(super) struct Held<'s>(MutexGuard<'s, Slot>);

impl Server {
    /// Looks at the address and the way to sign in; touches no network.
    ///
    /// # Errors
    /// When the address or the sign-in will not do, or a secret cannot be read.
    pub fn of(
        place: &config::Postgres,
        azure: &Azure,
        clock: &Clock,
        surroundings: &Surroundings,
    ) -> Result<Self, Unusable> {
        place.address().map_err(|why| Unusable::new("state.url", why))?;
        let tokens = match place.auth {
            PostgresAuth::Password => None,
            PostgresAuth::Azure => Some(Tokens::connect(azure, azure.cloud.database_audience(), clock, surroundings)?),
        };
        Ok(Self { place: place.clone(), tokens })
    }

    /// A new line. Address and password are read anew: either may have been replaced.
    async fn connect(&self, limit: Duration) -> Result<Line, StoreError> {
        let (address, password) = self.place.address().map_err(|why| unusable("of state.url", why))?;
        let place = address.to_string();
        fault::unreadable_files(&address).map_err(|why| unusable(&place, why))?;
        let opened = match &self.tokens {
            None => open(&address, password.as_ref()).await,
            Some(tokens) => open_by_token(&address, tokens).await.map_err(|why| unusable(&place, why))?,
        };
        let connection = opened.map_err(|error| unusable(&place, fault::sentence(&error)))?;
        Ok(Line { connection, place, limit, state: LineState::default() })
    }
}

fn unusable(place: &str, why: String) -> StoreError {
    StoreError::Server { place: place.to_owned(), why }
}

async fn open(address: &PostgresAddress, password: Option<&Secret>) -> Result<PgConnection, sqlx::Error> {
    let options = options(address, password);
    timeout(CONNECT, PgConnection::connect_with(&options)).await.unwrap_or_else(|_| Err(silent(CONNECT)))
}

/// With a token as the password. One that is refused is given up for a new one, once: a token knows only of what was granted when it
/// was issued.
async fn open_by_token(
    address: &PostgresAddress,
    tokens: &Tokens,
) -> Result<Result<PgConnection, sqlx::Error>, String> {
    let mut renewed = false;
    loop {
        let bearer = tokens.bearer().await.map_err(|error| error.problem)?;
        let opened = open(address, Some(&Secret::new(bearer.token()))).await;
        if !opened.as_ref().is_err_and(fault::is_refused_sign_in) {
            return Ok(opened);
        }
        tokens.forget(bearer.serial).await;
        if std::mem::replace(&mut renewed, true) {
            return Ok(opened);
        }
    }
}

fn options(address: &PostgresAddress, password: Option<&Secret>) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .port(address.port)
        .username(&address.role)
        .database(&address.database)
        .ssl_mode(match address.tls {
            PostgresTls::Disable => PgSslMode::Disable,
            PostgresTls::Prefer => PgSslMode::Prefer,
            PostgresTls::Require => PgSslMode::Require,
            PostgresTls::VerifyCa => PgSslMode::VerifyCa,
            PostgresTls::VerifyFull => PgSslMode::VerifyFull,
        })
        .application_name("expiry-watch")
        .options([
            ("statement_timeout", STATEMENT.0),
            ("lock_timeout", LOCK),
            ("idle_in_transaction_session_timeout", STANDSTILL),
        ])
        .options(address.settings.iter().map(|(name, value)| (name, value)))
        .log_statements(tracing::log::LevelFilter::Off)
        .log_slow_statements(tracing::log::LevelFilter::Off, Duration::MAX);
    options = match &address.host {
        PostgresHost::Socket(folder) => options.socket(folder),
        PostgresHost::Name(name) => options.host(name),
    };
    if let Some(password) = password {
        options = options.password(password.expose());
    }
    if let Some(roots) = &address.roots {
        options = options.ssl_root_cert(roots);
    }
    if let Some((certificate, key)) = &address.certificate {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    options
}

fn silent(limit: Duration) -> sqlx::Error {
    let why = format!("no answer within {} s", limit.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}

/// What is done on a line is done under a watch.
pub(super) struct Watch<'l> {
    state: &'l mut LineState,
    place: &'l str,
    limit: Duration,
}

impl Watch<'_> {
    /// Waits for it, but not for ever. If it fails, or nobody waits any more, the line stays busy, and is given up.
    pub async fn over<T>(&mut self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        self.state.busy = true;
        let done = timeout(self.limit, work).await.unwrap_or_else(|_| Err(silent(self.limit)));
        let value =
            done.map_err(|error| StoreError::Server { place: self.place.to_owned(), why: fault::sentence(&error) })?;
        self.state.busy = false;
        Ok(value)
    }

    /// A transaction begins.
    pub fn enter(&mut self) {
        self.state.in_transaction = true;
    }

    /// It has been committed.
    pub fn leave(&mut self) {
        self.state.in_transaction = false;
    }

    pub fn again(&mut self) -> Watch<'_> {
        Watch { state: self.state, place: self.place, limit: self.limit }
    }
}

impl Line {
    pub fn session(&mut self) -> Session<'_> {
        let Self { connection, place, limit, state } = self;
        Session::Postgres(connection, Watch { state, place, limit: *limit })
    }

    /// Whether it is as it was when it was new.
    fn is_free(&self) -> bool {
        !self.state.busy && !self.state.in_transaction
    }

    async fn answers(&mut self) -> bool {
        matches!(timeout(ANSWER, self.connection.ping()).await, Ok(Ok(())))
    }
}

impl Slot {
    fn new(line: Option<Line>, limit: Duration) -> Self {
        Self { line, limit, used: Instant::now(), failed: None }
    }

    /// Sees to it that there is a line that answers.
    async fn connect(&mut self, server: &Server) -> Result<(), StoreError> {
        let idle = self.used.elapsed() > IDLE;
        // Taken out while it is tried: whoever stops waiting in the middle takes it along.
        if let Some(mut line) = self.line.take()
            && (!idle || line.answers().await)
        {
            self.line = Some(line);
        }
        if self.line.is_none() {
            if let Some((at, why)) = &self.failed
                && at.elapsed() < REST
            {
                return Err(StoreError::Resting(why.clone()));
            }
            match server.connect(self.limit).await {
                Ok(line) => (self.line, self.failed) = (Some(line), None),
                Err(error) => {
                    self.failed = Some((Instant::now(), error.to_string()));
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl Held<'_> {
    pub fn session(&mut self) -> Session<'_> {
        // Made only after a successful `Slot::connect`, and the line is taken out in `drop` alone.
        self.0.line.as_mut().expect("a line is held").session()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.used = Instant::now();
        if !self.0.line.as_ref().is_some_and(Line::is_free) {
            self.0.line = None;
        }
    }
}

impl Lines {
    /// Opens the state for reading and writing; makes the tables where there are none.
    pub async fn open(server: Server) -> Result<Self, StoreError> {
        let mut line = server.connect(STATEMENT.1).await?;
        prepare(&mut line).await?;
        Ok(Self::with(server, line))
    }

    /// Opens it for reading alone.
    pub async fn open_read_only(server: Server) -> Result<Found<Self>, StoreError> {
        let mut line = server.connect(STATEMENT.1).await?;
        let place = line.place.clone();
        let mut transaction = line.session().begin_to_read().await?;
        refuse_foreign(&mut transaction, &place).await?;
        let version = version(&mut transaction).await?;
        transaction.commit().await?;
        match version {
            0 => Ok(Found::Nothing),
            LATEST => Ok(Found::Current(Self::with(server, line))),
            later @ LATEST.. => Err(StoreError::Newer { place, version: later }),
            _ => Ok(Found::Older),
        }
    }

    fn with(server: Server, line: Line) -> Self {
        let work = Mutex::new(Slot::new(Some(line), STATEMENT.1));
        Self { server, work, lease: Mutex::new(Slot::new(None, RENEWAL)) }
    }

    pub async fn work(&self) -> Result<Held<'_>, StoreError> {
        self.take(&self.work).await
    }

    pub async fn lease(&self) -> Result<Held<'_>, StoreError> {
        self.take(&self.lease).await
    }

    async fn take<'s>(&'s self, slot: &'s Mutex<Slot>) -> Result<Held<'s>, StoreError> {
        let mut slot = slot.lock().await;
        slot.connect(&self.server).await?;
        Ok(Held(slot))
    }
}

/// Makes the tables, or brings them up to date, all in one transaction: of several replicas that start together one does it, and the
/// others find it done.
async fn prepare(line: &mut Line) -> Result<(), StoreError> {
    let place = line.place.clone();
    let mut transaction = line.session().begin().await?;
    refuse_foreign(&mut transaction, &place).await?;
    match version(&mut transaction).await? {
        // Nothing to do, so that the role needs no right to make tables but for an upgrade.
        LATEST => {}
        later @ LATEST.. => return Err(StoreError::Newer { place, version: later }),
        _ => migrate(&mut transaction, place).await?,
    }
    // A state that can be read is not yet one that can be written.
    transaction.query("DELETE FROM leases WHERE name IS NULL").execute().await?;
    transaction.commit().await
}

async fn migrate(transaction: &mut Transaction<'_>, place: String) -> Result<(), StoreError> {
    let Session::Postgres(connection, _) = transaction.session() else { return Ok(()) };
    migrations::run_postgres(connection).await.map_err(|why| match why {
        MigrateError::Execute(why) | MigrateError::ExecuteMigration(why, _) => {
            StoreError::Server { place, why: fault::sentence(&why) }
        }
        why => StoreError::Migrate { place, why },
    })
}

/// A schema with tables, none of which is ours, is somebody else's. Those of an extension are nobody's.
async fn refuse_foreign(transaction: &mut Transaction<'_>, place: &str) -> Result<(), StoreError> {
    const FOREIGN: &str = "SELECT count(*) AS n FROM pg_class AS t JOIN pg_namespace AS s ON s.oid = t.relnamespace \
        WHERE s.nspname = current_schema() AND t.relkind IN ('r', 'p') AND t.relname <> '_sqlx_migrations' \
        AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = t.oid AND d.deptype = 'e') \
        AND NOT EXISTS (SELECT 1 FROM pg_class AS o WHERE o.relnamespace = s.oid AND o.relname = 'leases')";
    match transaction.query(FOREIGN).fetch_one().await?.get::<i64>("n") {
        0 => Ok(()),
        _ => Err(StoreError::ForeignSchema { place: place.to_owned() }),
    }
}

/// The version of the tables; 0 for none.
async fn version(transaction: &mut Transaction<'_>) -> Result<i64, StoreError> {
    const OURS: &str = "SELECT count(*) AS n FROM pg_class AS t JOIN pg_namespace AS s ON s.oid = t.relnamespace \
        WHERE s.nspname = current_schema() AND t.relname = '_sqlx_migrations'";
    if transaction.query(OURS).fetch_one().await?.get::<i64>("n") == 0 {
        return Ok(0);
    }
    let latest = "SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations";
    Ok(transaction.query(latest).fetch_one().await?.get("version"))
}

#[cfg(test)]
mod tests;
