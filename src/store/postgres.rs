//! A state on a PostgreSQL server: how it is reached, and what is done when it goes away.
//!
//! A connection is a *line*. Whatever goes wrong on a line, or is dropped in the middle, costs the line: the server takes back what was
//! not committed, and the next who needs one gets a new one. So a restart of the server, a broken network and a cancelled statement are
//! one case. Everything has a limit: to connect, to answer, to wait for others.

mod fault;
mod line;
mod tables;

pub(super) use line::{Held, Watch};

use super::migrations::LATEST;
use super::{Found, StoreError};
use crate::azure::{Surroundings, Tokens};
use crate::clock::Clock;
use crate::config::{self, Azure, PostgresAddress, PostgresAuth, PostgresHost, PostgresTls, Secret, Unusable};
use line::{Line, Slot, silent};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long it may take to connect, the sign-in included.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a statement may take before the server breaks it off, and how long it may wait for another process that is writing.
const STATEMENT: (&str, Duration) = ("25s", Duration::from_secs(30));
const LOCK: &str = "10s";

/// How long a transaction may stand still: it is somebody who hangs, and others wait for him.
const STANDSTILL: &str = "60s";

/// How often another token is asked for where one was refused.
const ANOTHER_TOKEN: Duration = Duration::from_secs(60);

/// How long the leader's lease may take to be renewed: it lasts for nine seconds.
const RENEWAL: Duration = Duration::from_secs(4);

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
    /// When a refused token was last given up for another one.
    asked: std::sync::Mutex<Option<Instant>>,
}

/// The server, with the lines to it. The lease has one to itself, so that a long write does not cost the leadership.
#[derive(Debug)]
pub(super) struct Lines {
    server: Server,
    work: Mutex<Slot>,
    lease: Mutex<Slot>,
}

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
        Ok(Self { place: place.clone(), tokens, asked: std::sync::Mutex::default() })
    }

    /// A new line. Address and password are read anew: either may have been replaced.
    async fn connect(&self, limit: Duration) -> Result<Line, StoreError> {
        let (address, password) = self.place.address().map_err(|why| unusable("of state.url", why))?;
        let place = address.to_string();
        fault::unreadable_files(&address).map_err(|why| unusable(&place, why))?;
        let opened = match &self.tokens {
            None => open(&address, password.as_ref()).await,
            Some(tokens) => self.open_by_token(&address, tokens).await.map_err(|why| unusable(&place, why))?,
        };
        let connection = opened.map_err(|error| unusable(&place, fault::sentence(&error)))?;
        Ok(Line::new(connection, place, limit))
    }

    /// With a token as the password. One that is refused is given up for a new one, now and then: a token knows only of what was granted
    /// when it was issued, but a role that is not there is not there for the next one either.
    async fn open_by_token(
        &self,
        address: &PostgresAddress,
        tokens: &Tokens,
    ) -> Result<Result<PgConnection, sqlx::Error>, String> {
        loop {
            let bearer = tokens.bearer().await.map_err(|error| error.problem)?;
            let opened = open(address, Some(&Secret::new(bearer.token()))).await;
            if !opened.as_ref().is_err_and(fault::is_refused_sign_in) || !self.may_ask_for_another_token() {
                return Ok(opened);
            }
            tokens.forget(bearer.serial).await;
        }
    }

    fn may_ask_for_another_token(&self) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let may = asked.is_none_or(|asked| asked.elapsed() >= ANOTHER_TOKEN);
        if may {
            *asked = Some(Instant::now());
        }
        may
    }
}

fn unusable(place: &str, why: String) -> StoreError {
    StoreError::Server { place: place.to_owned(), why }
}

async fn open(address: &PostgresAddress, password: Option<&Secret>) -> Result<PgConnection, sqlx::Error> {
    let options = options(address, password);
    timeout(CONNECT, PgConnection::connect_with(&options)).await.unwrap_or_else(|_| Err(silent(CONNECT)))
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

impl Lines {
    /// Opens the state for reading and writing; makes the tables where there are none.
    pub async fn open(server: Server) -> Result<Self, StoreError> {
        let mut line = server.connect(STATEMENT.1).await?;
        tables::prepare(&mut line).await?;
        Ok(Self::with(server, line))
    }

    /// Opens it for reading alone.
    pub async fn open_read_only(server: Server) -> Result<Found<Self>, StoreError> {
        let mut line = server.connect(STATEMENT.1).await?;
        let place = line.place().to_owned();
        let mut transaction = line.session().begin_to_read().await?;
        tables::refuse_foreign(&mut transaction, &place).await?;
        let version = tables::version(&mut transaction).await?;
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
        Slot::take(slot.lock().await, &self.server).await
    }
}

#[cfg(test)]
mod tests;
