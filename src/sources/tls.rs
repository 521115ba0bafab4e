//! What a node really serves: its certificate is read first, whatever its state, and judged afterwards.
//!
//! Owns the conversation up to the certificate, and the verdict whether a client would trust it. Two ways lead there: a handshake
//! by rustls whose verifier records and agrees to everything ([`handshake`]), and, where the node speaks nothing that rustls does,
//! a greeting of TLS 1.2 and older whose answer is readable without any cryptography ([`clear`]). Refuses to know what an end date
//! is worth: an expired certificate is read like any other. What could not be reached or read is never called expired.

pub mod clear;
mod handshake;
mod many;
mod resolve;
mod starttls;
mod trust;
mod wire;

pub use self::many::{DEFAULT_LIMIT, Found, TargetAddress, probe_all};
pub use self::resolve::resolve;
pub use self::trust::{Trust, TrustError, Untrusted};

use super::x509::{Certificate, X509Error};
pub use crate::config::{StartTls, TlsTarget as Target};
use crate::domain::Text;
use handshake::Handshake;
use jiff::Timestamp;
use rustls::ProtocolVersion;
use rustls::pki_types::{CertificateDer, ServerName};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use trust::Judge;
use wire::Wire;

impl fmt::Display for StartTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "SMTP",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Ldap => "LDAP",
            Self::Postgres => "PostgreSQL",
            Self::Ftp => "FTP",
        })
    }
}

/// What one address serves.
#[derive(Clone, Debug)]
pub struct Served {
    /// Found by its nature, should the chain be in odd order. Targets that serve the same share it.
    pub leaf: Arc<Certificate>,
    /// How many certificates were sent, the leaf included.
    pub chain_len: usize,
    /// None where the node broke off before it was settled.
    pub version: Option<TlsVersion>,
    /// Whether only the greeting of old versions got an answer: clients of today cannot connect.
    pub outdated: bool,
    /// Whether a client would trust it, its end date apart.
    pub trust: Result<(), Untrusted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Ssl3,
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

impl TlsVersion {
    fn of(version: ProtocolVersion) -> Option<Self> {
        match version {
            ProtocolVersion::SSLv3 => Some(Self::Ssl3),
            ProtocolVersion::TLSv1_0 => Some(Self::Tls10),
            ProtocolVersion::TLSv1_1 => Some(Self::Tls11),
            ProtocolVersion::TLSv1_2 => Some(Self::Tls12),
            ProtocolVersion::TLSv1_3 => Some(Self::Tls13),
            _ => None,
        }
    }
}

/// Why nothing could be read. None of these says anything about a certificate's end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProbeError {
    #[error("unreachable: {0}")]
    Unreachable(Text),
    /// The time ran out in the named step.
    #[error("no answer within {} s while {step}", .after.as_secs_f64())]
    TimedOut { step: Step, after: Duration },
    #[error("{protocol} does not change over to TLS: {why}")]
    StartTls { protocol: StartTls, why: Text },
    #[error("handshake incompatible: {0}")]
    Incompatible(Text),
    #[error("it serves no certificate")]
    NoCertificate,
    #[error("its certificate cannot be read: {0}")]
    Unreadable(X509Error),
}

/// How far a probe came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Resolving,
    Connecting,
    StartTls,
    Handshake,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "looking the name up",
            Self::Connecting => "connecting",
            Self::StartTls => "asking for TLS",
            Self::Handshake => "waiting for the certificate",
        })
    }
}

/// The most certificates of a chain that are looked at: public chains have two to four.
const LONGEST_CHAIN: usize = 32;

/// What a server sent, before anybody looked at it.
#[derive(Debug, Default)]
struct Capture {
    /// In the order in which it was sent, in DER.
    chain: Vec<CertificateDer<'static>>,
    version: Option<TlsVersion>,
    outdated: bool,
}

/// Reads what one address serves, within `timeout` in all.
///
/// # Errors
/// When nothing could be read, with the reason.
pub async fn probe(
    target: &Target,
    address: SocketAddr,
    timeout: Duration,
    trust: &Trust,
    now: Timestamp,
) -> Result<Served, ProbeError> {
    Round::new(trust, now).probe(target, address, timeout).await
}

/// Many probes at one time: what they share.
struct Round {
    handshake: Handshake,
    judge: Judge,
}

impl Round {
    fn new(trust: &Trust, now: Timestamp) -> Self {
        Self { handshake: Handshake::new(), judge: Judge::new(trust.clone(), now) }
    }

    async fn probe(&self, target: &Target, address: SocketAddr, timeout: Duration) -> Result<Served, ProbeError> {
        let name = server_name(&target.server_name)?;
        let mut step = Step::Connecting;
        let captured = tokio::time::timeout(timeout, self.capture(target, address, &name, &mut step)).await;
        let captured = captured.unwrap_or(Err(ProbeError::TimedOut { step, after: timeout }))?;
        self.judge.judge(&captured, &name)
    }

    async fn capture(
        &self,
        target: &Target,
        address: SocketAddr,
        name: &ServerName<'static>,
        step: &mut Step,
    ) -> Result<Capture, ProbeError> {
        let mut wire = open(target, address, step).await?;
        let refused = match self.handshake.capture(&mut wire, name).await {
            Ok(capture) => return Ok(capture),
            Err(refused) => refused,
        };
        if !refused.worth_another_try {
            return Err(ProbeError::Incompatible(refused.why));
        }
        drop(wire);
        let mut wire = open(target, address, step).await?;
        // The first refusal is the more telling one: it answers what a client of today says.
        clear::capture(&mut wire, name).await.map_err(|_| ProbeError::Incompatible(refused.why))
    }
}

async fn open(target: &Target, address: SocketAddr, step: &mut Step) -> Result<Wire, ProbeError> {
    *step = Step::Connecting;
    let mut wire = Wire::connect(address).await?;
    if let Some(protocol) = target.starttls {
        *step = Step::StartTls;
        let changed = starttls::change_over(&mut wire, protocol).await;
        changed.map_err(|why| ProbeError::StartTls { protocol, why })?;
    }
    *step = Step::Handshake;
    Ok(wire)
}

fn server_name(written: &str) -> Result<ServerName<'static>, ProbeError> {
    let plain = written.trim_matches(['[', ']']);
    let plain = plain.strip_suffix('.').unwrap_or(plain);
    let name = ServerName::try_from(plain).map_err(|_| {
        ProbeError::Unreachable(Text::clean(&format!("`{written}` is neither a host name nor an IP address")))
    })?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
