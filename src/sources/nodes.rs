//! Source `tls`: what each address behind each name really serves, as credentials.
//!
//! Owns how a probe's outcome reads as a credential. Each address keeps a story of its own: one stale node behind a name is the
//! common failure. What cannot be read is listed as that, never left out: a node that is silent has not been decommissioned.

use super::tls::{self, DEFAULT_LIMIT, Found, Target, TargetAddress, Trust};
use super::x509::Certificate;
use super::{ConnectError, ReadError};
use crate::config::TlsConfig;
use crate::domain::{Credential, CredentialId, Holder, Ident, Kind, SourceName, Text, Trouble, X509};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

pub struct Nodes {
    name: SourceName,
    targets: Vec<Target>,
    timeout: Duration,
    trust: Trust,
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").field("name", &self.name).field("targets", &self.targets).finish_non_exhaustive()
    }
}

impl Nodes {
    /// # Errors
    /// When the extra trust anchors cannot be read, or there is nothing to trust by.
    pub(super) fn connect(name: &SourceName, config: &TlsConfig) -> Result<Self, ConnectError> {
        let key = format!("sources.{name}.roots");
        let extra = config.roots.as_ref().map(crate::config::SecretRef::read).transpose();
        let extra = extra.map_err(|why| ConnectError::new(&key, why))?;
        let trust = Trust::system(extra.as_ref().map(|pem| pem.expose().as_bytes()));
        Ok(Self {
            name: name.clone(),
            targets: config.targets.clone(),
            timeout: config.timeout.duration(),
            trust: trust.map_err(|why| ConnectError::new(&key, why))?,
        })
    }

    #[must_use]
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// # Errors
    /// When not one target could be read; the error lists them all the same.
    pub async fn read(&self, now: Timestamp) -> Result<Vec<Arc<Credential>>, ReadError> {
        let found = tls::probe_all(self.targets.clone(), DEFAULT_LIMIT, self.timeout, &self.trust, now).await;
        let all: Vec<_> = found.iter().map(|found| Arc::new(credential(&self.name, found))).collect();
        match found.first() {
            Some((_, Err(why))) if found.iter().all(|(_, outcome)| outcome.is_err()) => {
                let said = format!("not one of {} targets could be read; the first: {why}", found.len());
                Err(ReadError { unreadable: all, ..ReadError::new(&said) })
            }
            _ => Ok(all),
        }
    }
}

fn credential(source: &SourceName, (place, outcome): &Found) -> Credential {
    let bare = Credential {
        id: id(place),
        source: source.clone(),
        kind: Kind::ServedCertificate,
        holder: holder(&place.target.server_name),
        label: label(place),
        not_before: None,
        expires_at: None,
        enabled: true,
        in_use: false,
        x509: None,
        trouble: None,
        mark: None,
    };
    match outcome {
        Ok(served) => Credential {
            trouble: served.trust.as_ref().err().map(|why| Box::new(Trouble::Untrusted(Text::clean(&why.to_string())))),
            ..dated(bare, &served.leaf)
        },
        Err(why) => {
            let why = Text::clean(&why.to_string());
            let trouble = if place.address.is_none() { Trouble::Unresolved(why) } else { Trouble::Unreachable(why) };
            Credential { trouble: Some(Box::new(trouble)), ..bare }
        }
    }
}

/// `credential` with the dates and the identity of the certificate that it turned out to be.
pub(super) fn dated(credential: Credential, certificate: &Certificate) -> Credential {
    let lower = |name: &Text| Text::clean(&name.as_str().to_ascii_lowercase());
    Credential {
        not_before: certificate.not_before,
        expires_at: certificate.not_after,
        x509: Some(Arc::new(X509 {
            serial: certificate.serial.clone(),
            issuer: Some(certificate.issuer.clone()),
            sha1: Some(certificate.sha1),
            names: certificate.names.iter().map(lower).collect(),
            paid_until: None,
        })),
        ..credential
    }
}

/// What is named the same is the same holder, whatever its case.
fn holder(name: &str) -> Arc<Holder> {
    Arc::new(Holder {
        name: Text::clean(name),
        id: Ident::new(&name.to_ascii_lowercase()),
        app_id: None,
        team_tags: Box::default(),
        enabled: true,
        owners: None,
    })
}

/// Which node: siblings behind one name are told apart by it, and none is another's successor.
fn label(place: &TargetAddress) -> Text {
    let port = place.target.port;
    match place.address {
        Some(address) => Text::clean(&format!("{}:{port}", address.ip())),
        None => Text::clean(&format!("{}:{port}", place.target.host)),
    }
}

fn id(place: &TargetAddress) -> CredentialId {
    let address = place.address.map_or_else(|| place.target.host.clone(), |address| address.ip().to_string());
    CredentialId::tls(&place.target.server_name, &address, place.target.port)
}
