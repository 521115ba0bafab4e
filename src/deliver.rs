//! The way out: a finished message is handed to a mail server, to Microsoft Graph, or put into a folder.
//!
//! Owns the transports and the reading of a server's answer: try again later, not to this address, or no mail at all. Refuses to
//! know what a message says, and when to try again.

mod directory;
mod graph;
mod pace;
mod postman;
mod smtp;

pub use directory::Directory;
pub use graph::Graph;
pub use postman::{Postman, Step};
pub use smtp::Smtp;

use crate::azure::{SignInError, Surroundings};
use crate::clock::Clock;
use crate::config::{self, Azure, SecretError, Unusable};
use crate::domain::Address;
use std::time::Duration;
use thiserror::Error;

/// How messages leave.
#[derive(Debug)]
pub enum Transport {
    Smtp(Box<Smtp>),
    Graph(Box<Graph>),
    Directory(Directory),
}

/// A transport that cannot even be set up. Each message begins with the key path to look at.
#[derive(Debug, Error)]
pub enum ConnectError {
    #[error("mail.transport.{key}: {source}")]
    Secret { key: &'static str, source: SecretError },
    #[error("mail.transport.roots: {0}; give one or more certificates in PEM")]
    Roots(String),
    #[error(
        "mail.transport.tls: TLS cannot be set up: {0}; install the system's CA certificates, or name some in mail.transport.roots"
    )]
    Tls(String),
    /// What it signs in to Azure with.
    #[error(transparent)]
    SignIn(#[from] Unusable),
}

/// Why a message was not handed over. Each is one line that names the server and never the recipient: addresses do not go into logs.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    /// Try again later, with the same Message-ID: it may have arrived all the same.
    #[error("{0}")]
    Deferred(String),
    /// The same, and the server wants to be left alone for so long.
    #[error("{why}")]
    Busy { why: String, pause: Duration },
    /// This address will not take it, now or later.
    #[error("{0}")]
    Rejected(String),
    /// Nothing can be sent at present, to anybody; somebody must put it right.
    #[error("{0}")]
    Paused(String),
}

impl Transport {
    /// Reads the secrets and the trust anchors; touches no network.
    ///
    /// # Errors
    /// When a secret or a certificate cannot be read.
    pub fn connect(
        config: &config::Mail,
        azure: &Azure,
        clock: &Clock,
        surroundings: &Surroundings,
    ) -> Result<Self, ConnectError> {
        Ok(match &config.transport {
            config::Transport::Smtp(smtp) => Self::Smtp(Box::new(Smtp::connect(smtp, azure, clock, surroundings)?)),
            config::Transport::Graph(graph) => {
                Self::Graph(Box::new(Graph::connect(graph, azure, clock, surroundings)?))
            }
            config::Transport::Directory { path } => Self::Directory(Directory::new(path)),
        })
    }

    /// For after a pause: a password may have been replaced meanwhile, or a permission granted, which an old token does not know of.
    ///
    /// # Errors
    /// As [`Transport::connect`]; it then stays as it was.
    pub async fn set_up_anew(&mut self) -> Result<(), ConnectError> {
        match self {
            Self::Smtp(smtp) => smtp.set_up_anew().await?,
            Self::Graph(graph) => graph.sign_in_anew().await,
            Self::Directory(_) => {}
        }
        Ok(())
    }

    /// Hands one message to one recipient. What `raw` says is not looked at, apart from its date.
    ///
    /// # Errors
    /// See [`SendError`] for what each means for the next attempt.
    pub async fn send(&self, from: &Address, to: &Address, raw: &[u8], message_id: &str) -> Result<(), SendError> {
        match self {
            Self::Smtp(smtp) => smtp.send(from, to, raw).await,
            Self::Graph(graph) => graph.send(to, raw).await,
            Self::Directory(directory) => directory.write(raw, message_id).await,
        }
    }
}

/// What it means for a message that there is no token to send it with: the next one would have none either.
fn signing_in(error: SignInError) -> SendError {
    match (error.passing, error.retry_after) {
        (true, Some(pause)) => SendError::Busy { why: error.problem, pause },
        (true, None) => SendError::Deferred(error.problem),
        (false, _) => SendError::Paused(error.problem),
    }
}
