//! A connection that is given up as soon as anything goes wrong on it, and the place where the next one is kept.

use super::{Server, fault};
use crate::store::StoreError;
use crate::store::session::Session;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::sync::MutexGuard;
use tokio::time::timeout;

/// A line that nobody used for this long is tried before it is used, and gets this long to answer.
pub const IDLE: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(3);

/// After a failure nobody knocks again for this long.
pub const REST: Duration = Duration::from_secs(1);

/// A connection, and whether it can be used for something else.
#[derive(Debug)]
pub struct Line {
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

/// Where a line is kept while nobody uses it.
#[derive(Debug)]
pub struct Slot {
    line: Option<Line>,
    limit: Duration,
    used: Instant,
    /// When the last attempt failed, and why.
    failed: Option<(Instant, String)>,
}

/// A line in somebody's hands.
pub struct Held<'s>(MutexGuard<'s, Slot>);

pub fn silent(limit: Duration) -> sqlx::Error {
    let why = format!("no answer within {} s", limit.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}

/// What is done on a line is done under a watch.
pub struct Watch<'l> {
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
    pub fn new(connection: PgConnection, place: String, limit: Duration) -> Self {
        Self { connection, place, limit, state: LineState::default() }
    }

    /// Where it leads, for sentences.
    pub fn place(&self) -> &str {
        &self.place
    }

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
    pub fn new(line: Option<Line>, limit: Duration) -> Self {
        Self { line, limit, used: Instant::now(), failed: None }
    }

    /// The line, or a new one.
    pub async fn take<'s>(mut slot: MutexGuard<'s, Self>, server: &Server) -> Result<Held<'s>, StoreError> {
        slot.connect(server).await?;
        Ok(Held(slot))
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
        // Made only by `Slot::take`, and the line is taken out in `drop` alone.
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
