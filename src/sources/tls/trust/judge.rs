//! One chain against the roots, and each chain only once a round: a wildcard certificate stands on many nodes.

use super::{Trust, Untrusted};
use crate::domain::Text;
use crate::sources::tls::{Capture, ProbeError, Served};
use crate::sources::x509::{self, Certificate};
use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The most verdicts that are remembered in a round.
const MOST: usize = 4_096;

pub(in crate::sources::tls) struct Judge {
    trust: Trust,
    now: Timestamp,
    seen: Mutex<HashMap<[u8; 32], Judged>>,
}

/// What holds for a chain, whoever asks.
#[derive(Clone)]
struct Judged {
    leaf: Arc<Certificate>,
    /// Its place in the chain.
    at: usize,
    path: Result<(), Untrusted>,
}

impl Judge {
    pub fn new(trust: Trust, now: Timestamp) -> Self {
        Self { trust, now, seen: Mutex::default() }
    }

    pub fn judge(&self, captured: &Capture, name: &ServerName<'static>) -> Result<Served, ProbeError> {
        let judged = self.judged(&captured.chain, name)?;
        let host = || self.host(&captured.chain[judged.at], &judged.leaf, name);
        let trust = judged.path.clone().and_then(|()| host()).and_then(|()| self.begun(&judged.leaf));
        let (chain_len, version, outdated) = (captured.chain.len(), captured.version, captured.outdated);
        Ok(Served { leaf: judged.leaf, chain_len, version, outdated, trust })
    }

    fn judged(&self, chain: &[CertificateDer<'static>], name: &ServerName<'static>) -> Result<Judged, ProbeError> {
        let key = key(chain);
        if let Some(judged) = self.seen().get(&key) {
            return Ok(judged.clone());
        }
        let sent = Sent::read(chain)?;
        let path = self.path(chain, &sent, name);
        let at = sent.places[sent.leaf];
        let mut certificates = sent.certificates;
        let judged = Judged { leaf: Arc::new(certificates.swap_remove(sent.leaf)), at, path };
        let mut seen = self.seen();
        if seen.len() < MOST {
            seen.insert(key, judged.clone());
        }
        Ok(judged)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Judged>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it leads to a root, at a time when the leaf is valid: now, or the nearest moment to now.
    fn path(&self, chain: &[CertificateDer<'_>], sent: &Sent, name: &ServerName<'_>) -> Result<(), Untrusted> {
        let leaf = &sent.certificates[sent.leaf];
        let begin = leaf.not_before.unwrap_or(Timestamp::MIN);
        let end = leaf.not_after.unwrap_or(Timestamp::MAX);
        if begin > end {
            return Err(Untrusted::Other(Text::clean("it ends before it begins")));
        }
        let nearest = self.now.clamp(begin, end);
        match self.path_at(nearest, chain, sent, name) {
            // What the leaf has outlived may have outlived its issuer as well: the leaf's end is what counts then.
            Err(Untrusted::IntermediateDates) if nearest != self.now => self.path_at(begin, chain, sent, name),
            verdict => verdict,
        }
    }

    fn path_at(
        &self,
        at: Timestamp,
        chain: &[CertificateDer<'_>],
        sent: &Sent,
        name: &ServerName<'_>,
    ) -> Result<(), Untrusted> {
        let place = sent.places[sent.leaf];
        let others: Vec<_> = (0..chain.len()).filter(|other| *other != place).map(|at| chain[at].clone()).collect();
        let seconds = u64::try_from(at.as_second()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let verdict = self.trust.verifier.verify_server_cert(&chain[place], &others, name, &[], time);
        let Err(error) = verdict else { return Ok(()) };
        let pinned = self.trust.pinned.contains(chain[place].as_ref());
        match error {
            // The host comes last in webpki: the path is good.
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Ok(()),
            // webpki knows no leaf that is an authority too; every other client takes one that it was told to trust.
            _ if pinned && sent.certificates[sent.leaf].is_self_issued() => Ok(()),
            Error::InvalidCertificate(error) => Err(self.told(&error, sent)),
            other => Err(Untrusted::Other(Text::clean(&other.to_string()))),
        }
    }

    fn told(&self, error: &CertificateError, sent: &Sent) -> Untrusted {
        use CertificateError as E;
        match error {
            E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } => {
                Untrusted::IntermediateDates
            }
            _ if sent.certificates[sent.leaf].is_self_issued() => Untrusted::SelfSigned,
            E::UnknownIssuer => self.missing(sent),
            E::BadSignature => Untrusted::Other(Text::clean("a signature in its chain is wrong")),
            E::BadEncoding => Untrusted::Other(Text::clean("a certificate in its chain is malformed")),
            E::UnsupportedSignatureAlgorithmContext { .. }
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Untrusted::Other(Text::clean("a signature in its chain is of a kind that clients refuse"))
            }
            E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
                Untrusted::Other(Text::clean("it is not meant for servers (extended key usage)"))
            }
            other => Untrusted::Other(Text::clean(&format!("clients refuse it: {other}"))),
        }
    }

    /// Where the chain breaks: at an issuer that was not sent, or at a root that is not ours.
    fn missing(&self, sent: &Sent) -> Untrusted {
        let mut top = &sent.certificates[sent.leaf];
        // A chain can name itself in a circle; each step up uses one certificate.
        for _ in 0..sent.certificates.len() {
            if top.is_self_issued() || self.trust.names.contains(top.issuer_der()) {
                break;
            }
            let Some(issuer) = sent.certificates.iter().find(|other| top.is_issued_by(other)) else { break };
            top = issuer;
        }
        if self.trust.names.contains(top.issuer_der()) {
            return Untrusted::Other(Text::clean(&format!(
                "it names the root {} but was not signed by it",
                top.issuer
            )));
        }
        let leaf = &sent.certificates[sent.leaf];
        if std::ptr::eq(top, leaf) {
            return Untrusted::IncompleteChain { issuer: top.issuer.clone() };
        }
        Untrusted::UnknownRoot { root: top.issuer.clone() }
    }

    fn host(&self, der: &CertificateDer<'_>, leaf: &Certificate, name: &ServerName<'_>) -> Result<(), Untrusted> {
        // What webpki cannot parse but a pinned path let through is compared by the names that we read.
        let matches = match ParsedCertificate::try_from(der) {
            Ok(parsed) => verify_server_name(&parsed, name).is_ok(),
            Err(_) => leaf.names.iter().any(|known| known.as_str().eq_ignore_ascii_case(&name.to_str())),
        };
        let names = || if leaf.names_are_alternative { leaf.names.clone() } else { Vec::new() };
        if matches { Ok(()) } else { Err(Untrusted::WrongHost { names: names() }) }
    }

    fn begun(&self, leaf: &Certificate) -> Result<(), Untrusted> {
        match leaf.not_before {
            Some(begin) if begin > self.now => Err(Untrusted::NotYetValid(begin)),
            _ => Ok(()),
        }
    }
}

/// A chain's certificates as far as they can be read.
struct Sent {
    certificates: Vec<Certificate>,
    /// The place of each in the chain.
    places: Vec<usize>,
    leaf: usize,
}

impl Sent {
    fn read(chain: &[CertificateDer<'static>]) -> Result<Self, ProbeError> {
        let (mut certificates, mut places) = (Vec::with_capacity(chain.len()), Vec::with_capacity(chain.len()));
        for (place, der) in chain.iter().enumerate() {
            match x509::parse_der(der) {
                Ok(certificate) => {
                    certificates.push(certificate);
                    places.push(place);
                }
                // The first is the one whose key was used, by protocol: no other stands in for it.
                Err(error) if place == 0 => return Err(ProbeError::Unreadable(error)),
                Err(_) => {}
            }
        }
        let Some((first, others)) = certificates.split_first() else { return Err(ProbeError::NoCertificate) };
        // Only what has signed another of them can have slipped into the first place.
        let slipped = others.iter().any(|other| other.is_issued_by(first));
        let leaf = if slipped { x509::leaf(&certificates).unwrap_or_default() } else { 0 };
        Ok(Self { certificates, places, leaf })
    }
}

fn key(chain: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut sum = Context::new(&SHA256);
    for der in chain {
        sum.update(&der.len().to_be_bytes());
        sum.update(der);
    }
    let mut key = [0; 32];
    key.copy_from_slice(sum.finish().as_ref());
    key
}
