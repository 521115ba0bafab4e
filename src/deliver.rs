//! The way out: a finished message is handed to a mail server, or put into a folder.
//!
//! Owns the transports and the reading of a server's answer: try again later, not to this address, or no mail at all. Refuses to
//! know what a message says, and when to try again.

mod directory;
mod smtp;

pub use directory::Directory;
pub use smtp::Smtp;

use crate::config;
use crate::config::SecretError;
use crate::domain::Address;
use thiserror::Error;

/// How messages leave.
#[derive(Debug)]
pub enum Transport {
    Smtp(Smtp),
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
}

/// Why a message was not handed over. Each is one line that names the server and never the recipient: addresses do not go into logs.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    /// Try again later, with the same Message-ID: it may have arrived all the same.
    #[error("{0}")]
    Deferred(String),
    /// This address will not take it, now or later.
    #[error("{0}")]
    Rejected(String),
    /// Nothing can be sent at present, to anybody; somebody must put it right.
    #[error("{0}")]
    Paused(String),
}

impl Transport {
    /// Reads the secrets and the trust anchors; touches no network. To be called again after a pause, since a password may have
    /// been replaced meanwhile.
    ///
    /// # Errors
    /// When a secret or a certificate cannot be read.
    pub fn connect(config: &config::Mail) -> Result<Self, ConnectError> {
        Ok(match &config.transport {
            config::Transport::Smtp(smtp) => Self::Smtp(Smtp::new(smtp)?),
            config::Transport::Directory { path } => Self::Directory(Directory::new(path)),
        })
    }

    /// Hands one message to one recipient. What `raw` says is not looked at, apart from its date.
    ///
    /// # Errors
    /// See [`SendError`] for what each means for the next attempt.
    pub async fn send(&self, from: &Address, to: &Address, raw: &[u8], message_id: &str) -> Result<(), SendError> {
        match self {
            Self::Smtp(smtp) => smtp.send(from, to, raw).await,
            Self::Directory(directory) => directory.write(raw, message_id).await,
        }
    }
}
