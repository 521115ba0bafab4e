//! Would a client trust what was served? Decided offline, after reading, and apart from the end date.
//!
//! The verdict is webpki's, as rustls would give it, at a time when the leaf is valid: so that expiry, which is a fact of its own,
//! neither counts nor hides what else is wrong. What webpki only calls an unknown issuer is told apart here by following the names.

mod judge;

pub(super) use self::judge::Judge;

use crate::domain::Text;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// Why a client would refuse what is served.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Untrusted {
    #[error("incomplete chain: the issuer {issuer} is not sent and is no known root")]
    IncompleteChain { issuer: Text },
    #[error("unknown root: {root}")]
    UnknownRoot { root: Text },
    #[error("self-signed")]
    SelfSigned,
    /// `names` are those that it is for; none where only a common name says so.
    #[error("wrong host: {}", listed(.names))]
    WrongHost { names: Vec<Text> },
    #[error("not valid before {0}")]
    NotYetValid(jiff::Timestamp),
    /// A certificate further up, not the leaf.
    #[error("an intermediate certificate has expired or is not yet valid")]
    IntermediateDates,
    #[error("{0}")]
    Other(Text),
}

/// Names as a person lists them, the first few of them.
fn listed(names: &[Text]) -> String {
    const SHOWN: usize = 5;
    if names.is_empty() {
        return "it names none that clients look at (a common name alone does not count)".to_owned();
    }
    let shown: Vec<&str> = names.iter().take(SHOWN).map(Text::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("it is for {}{more}", shown.join(", "))
}

/// Why there is nothing to trust by.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustError {
    #[error("the trust anchors hold no usable certificate")]
    Extra,
    #[error("this system has no root certificates: install them (Debian: ca-certificates) or set `roots`")]
    NoRoots,
}

/// The roots that a client of this system would have.
#[derive(Clone)]
pub struct Trust {
    verifier: Arc<WebPkiServerVerifier>,
    /// The names of all roots, as their certificates write them.
    names: Arc<HashSet<Box<[u8]>>>,
    /// Roots that were given by hand: such a one may serve itself.
    pinned: Arc<HashSet<Box<[u8]>>>,
}

impl Trust {
    /// The system's roots, and `extra` ones in PEM.
    ///
    /// # Errors
    /// When `extra` holds no certificate that can be a root, or there is no root at all.
    pub fn system(extra: Option<&[u8]>) -> Result<Self, TrustError> {
        // A file that cannot be read among many costs its own roots only; without any, there is an error below.
        Self::of(rustls_native_certs::load_native_certs().certs, extra)
    }

    /// `extra` alone.
    ///
    /// # Errors
    /// As [`Trust::system`].
    pub fn only(extra: &[u8]) -> Result<Self, TrustError> {
        Self::of(Vec::new(), Some(extra))
    }

    fn of(system: Vec<CertificateDer<'static>>, extra: Option<&[u8]>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(system);
        let mut pinned = HashSet::new();
        if let Some(extra) = extra {
            let given: Vec<_> = CertificateDer::pem_slice_iter(extra).filter_map(Result::ok).collect();
            pinned.extend(given.iter().map(|der| Box::from(der.as_ref())));
            if roots.add_parsable_certificates(given).0 == 0 {
                return Err(TrustError::Extra);
            }
        }
        let names = roots.roots.iter().map(|root| sequence(root.subject.as_ref())).collect();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let verifier = verifier.map_err(|_| TrustError::NoRoots)?;
        Ok(Self { verifier, names: Arc::new(names), pinned: Arc::new(pinned) })
    }
}

/// webpki keeps a name without the header of its SEQUENCE.
fn sequence(content: &[u8]) -> Box<[u8]> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let header = match length {
        [] => vec![0x30, 0],
        [short] if *short < 0x80 => vec![0x30, *short],
        // A length has eight bytes at most.
        long => [&[0x30, 0x80 | u8::try_from(long.len()).unwrap_or_default()], long].concat(),
    };
    [&header, content].concat().into()
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust({} roots)", self.names.len())
    }
}
