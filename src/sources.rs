//! Reading: one file a system, each of which gives a complete snapshot or says why there is none.
//!
//! Owns the conversation with what is watched: requests, pages, retries, limits, sign-in. A read that did not reach its end is an
//! error, never a short list. Refuses to know what was read before, what is due, and who is told.

mod azure;
mod bundles;
mod declared;
mod digicert;
mod entra;
pub mod files;
mod graph;
mod http;
mod key_vault;
mod nodes;
#[cfg(test)]
mod testing;
pub mod tls;
pub mod x509;

pub use azure::Surroundings;
pub use bundles::Bundles;
pub use declared::Declared;
pub use digicert::Digicert;
pub use entra::Entra;
pub use key_vault::KeyVault;
pub use nodes::Nodes;

#[cfg(fuzzing)]
pub use {
    digicert::page_from_anybody as certcentral_from_anybody, entra::page_from_anybody as graph_from_anybody,
    key_vault::page_from_anybody as vault_from_anybody,
};

use crate::clock::Clock;
use crate::config::{Config, System};
use crate::domain::{Credential, LastUse, SourceName, Text};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// A system that is read, ready to be asked.
#[derive(Debug)]
pub enum Source {
    Entra(Box<Entra>),
    KeyVault(Box<KeyVault>),
    Digicert(Box<Digicert>),
    Tls(Box<Nodes>),
    Files(Bundles),
    Declared(Declared),
}

/// How much may be spent on waiting in one read: between tries, and for answers that did not come. The time that answered requests
/// take is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub waiting: Duration,
}

impl Patience {
    /// For somebody who waits for an answer: `check` and `once` (contract, section 4.6).
    pub const SHORT: Self = Self { waiting: Duration::from_secs(30) };
    /// For the service, which has until the next poll.
    pub const LONG: Self = Self { waiting: Duration::from_secs(300) };
}

/// Why there is no snapshot: what failed, in which request, and what to do. One clean line, without any token. It does not name
/// the source, which whoever reads it knows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct ReadError {
    why: Text,
    /// What was asked, one by one, and did not answer, where a source knows that much.
    pub unreadable: Vec<Arc<Credential>>,
}

impl ReadError {
    fn new(said: &str) -> Self {
        Self { why: Text::clean(said), unreadable: Vec::new() }
    }

    #[must_use]
    pub fn text(&self) -> &Text {
        &self.why
    }
}

/// Why a source cannot be asked at all: something about the configuration or its secrets.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{key}: {problem}")]
pub struct ConnectError {
    /// The key path in the configuration, or the environment variable.
    pub key: String,
    pub problem: String,
}

impl ConnectError {
    fn new(key: &str, problem: impl ToString) -> Self {
        Self { key: key.to_owned(), problem: Text::clean(&problem.to_string()).to_string() }
    }
}

impl Source {
    /// All configured sources, in the order of the configuration. Secrets are read here.
    ///
    /// # Errors
    /// When a secret is not there or not usable; the message names key and place.
    pub fn connect(config: &Config, clock: &Clock) -> Result<Vec<Self>, ConnectError> {
        Self::connect_from(config, clock, &Surroundings::of_this_process())
    }

    /// The same, with the environment's share given by the caller.
    ///
    /// # Errors
    /// As [`Source::connect`].
    pub fn connect_from(
        config: &Config,
        clock: &Clock,
        surroundings: &Surroundings,
    ) -> Result<Vec<Self>, ConnectError> {
        let connect = |source: &crate::config::SourceConfig| match &source.system {
            System::Entra(entra) => {
                Entra::connect(&source.name, entra, &config.azure, clock, surroundings).map(Box::new).map(Self::Entra)
            }
            System::KeyVault(vault) => KeyVault::connect(&source.name, vault, &config.azure, clock, surroundings)
                .map(Box::new)
                .map(Self::KeyVault),
            System::Tls(tls) => Nodes::connect(&source.name, tls).map(Box::new).map(Self::Tls),
            System::Files(files) => Ok(Self::Files(Bundles::new(&source.name, files))),
            System::Digicert(digicert) => {
                Digicert::connect(&source.name, digicert, clock).map(Box::new).map(Self::Digicert)
            }
            System::Declared(declarations) => Ok(Self::Declared(Declared::new(&source.name, declarations))),
        };
        config.sources.iter().map(connect).collect()
    }

    #[must_use]
    pub fn name(&self) -> &SourceName {
        match self {
            Self::Entra(entra) => entra.name(),
            Self::KeyVault(vault) => vault.name(),
            Self::Digicert(digicert) => digicert.name(),
            Self::Tls(nodes) => nodes.name(),
            Self::Files(bundles) => bundles.name(),
            Self::Declared(declared) => declared.name(),
        }
    }

    /// Its `type` in the configuration.
    #[must_use]
    pub fn system(&self) -> &'static str {
        match self {
            Self::Entra(_) => "entra",
            Self::KeyVault(_) => "key_vault",
            Self::Digicert(_) => "digicert",
            Self::Tls(_) => "tls",
            Self::Files(_) => "files",
            Self::Declared(_) => "declared",
        }
    }

    /// Tells a source what it gave before this process began, so that a large one need not be held twice.
    pub fn remember(&self, credentials: impl Iterator<Item = Arc<Credential>>) {
        if let Self::Entra(entra) = self {
            let own: Vec<_> = credentials.filter(|credential| credential.source == *entra.name()).collect();
            entra.remember(&own);
        }
    }

    /// Everything that stands there at present; the same thing as before where it has not changed. The caller sets the deadline of
    /// the whole; a read may be dropped at any point.
    ///
    /// # Errors
    /// When any part could not be read: there is no partial snapshot.
    pub async fn read(&self, patience: Patience, now: Timestamp) -> Result<Vec<Arc<Credential>>, ReadError> {
        match self {
            Self::Entra(entra) => entra.read(patience, now).await,
            Self::KeyVault(vault) => vault.read(patience).await,
            Self::Digicert(digicert) => {
                digicert.read(patience, now).await.map(|all| all.into_iter().map(Arc::new).collect())
            }
            Self::Tls(nodes) => nodes.read(now).await,
            Self::Files(bundles) => bundles.read().await,
            Self::Declared(declared) => Ok(declared.read()),
        }
    }

    /// When its credentials were last used, as far as the last read found out; `None` for a source that does not ask.
    #[must_use]
    pub fn last_use(&self) -> Option<Arc<LastUse>> {
        match self {
            Self::Entra(entra) => entra.last_use(),
            _ => None,
        }
    }

    /// How often each outcome has been met since the start: status code, or `error` where no answer came.
    #[must_use]
    pub fn requests(&self) -> Vec<(String, u64)> {
        match self {
            Self::Entra(entra) => entra.requests(),
            Self::KeyVault(vault) => vault.requests(),
            Self::Digicert(digicert) => digicert.requests(),
            Self::Tls(_) | Self::Files(_) => Vec::new(),
            Self::Declared(_) => Vec::new(),
        }
    }
}
