//! What a certificate says about itself (RFC 5280), and whether two of them are one.
//!
//! Owns the reading of DER and PEM from anywhere: the wire, a file, an authority's answer. Whatever has dates is read, however
//! odd the rest is. Refuses to know whether anybody would trust it, and what the dates mean for whom. Private keys are met in
//! bundles; they are counted and never decoded.

mod name;
mod pem;
mod serial;

pub use self::pem::{Bundle, parse_pem_bundle};
pub use self::serial::{Serial, parse_serial, parse_thumbprint};

use crate::domain::Text;
use aws_lc_rs::digest;
use jiff::Timestamp;
use std::fmt;
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The largest certificate that is looked at. Real ones have one to three kilobytes; those of large content networks reach ten.
pub const LARGEST: usize = 64 << 10;

/// The most names kept of one certificate.
const MOST_NAMES: usize = 250;

/// An end in 2200 or later is no end (contract, section 2). RFC 5280, section 4.1.2.5, writes "never" as the last second of 9999,
/// which lies beyond what [`Timestamp`] can hold: so this is decided on plain seconds.
const NEVER_FROM: i64 = 7_258_118_400;

/// One certificate. Its debug output shows dates and names; there is nothing secret in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// None where it lies outside of representable time.
    pub not_before: Option<Timestamp>,
    /// The last second in which it works; none means that it never ends.
    pub not_after: Option<Timestamp>,
    pub serial: Serial,
    /// Who signed it, in the order of RFC 4514: the most specific part first.
    pub issuer: Text,
    /// What the issuer is commonly called; authorities' listings name it by this.
    pub issuer_cn: Option<Text>,
    pub subject_cn: Option<Text>,
    /// The hosts that it is for: its alternative names (DNS and IP), else its common name.
    pub names: Vec<Text>,
    /// Whether `names` are alternative names: clients look at no others.
    pub names_are_alternative: bool,
    pub sha1: [u8; 20],
    pub sha256: [u8; 32],
    /// Whether it says that it may sign others.
    pub is_ca: bool,
    subject_der: Box<[u8]>,
    issuer_der: Box<[u8]>,
}

/// Why something is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum X509Error {
    #[error("the certificate has {0} bytes; the limit is {LARGEST}")]
    TooLarge(usize),
    #[error("it is not a certificate ({0})")]
    Malformed(Text),
    #[error("the block of base64 is damaged")]
    Base64,
}

/// Reads one certificate. Bytes after its end are ignored, as every client does.
///
/// # Errors
/// When it is too large, or is no certificate.
pub fn parse_der(der: &[u8]) -> Result<Certificate, X509Error> {
    if der.len() > LARGEST {
        return Err(X509Error::TooLarge(der.len()));
    }
    let (rest, read) =
        X509Certificate::from_der(der).map_err(|error| X509Error::Malformed(Text::clean(&error.to_string())))?;
    let der = &der[..der.len() - rest.len()];
    let validity = read.validity();
    let subject_cn = name::common(read.subject());
    let mut names = alternative_names(&read);
    let names_are_alternative = !names.is_empty();
    if names.is_empty() {
        names.extend(subject_cn.clone());
    }
    Ok(Certificate {
        not_before: Timestamp::from_second(validity.not_before.timestamp()).ok(),
        not_after: end(validity.not_after.timestamp()),
        serial: Serial::from_bytes(read.raw_serial()),
        issuer: name::text(read.issuer()),
        issuer_cn: name::common(read.issuer()),
        names,
        names_are_alternative,
        subject_cn,
        sha1: digest_of(&digest::SHA1_FOR_LEGACY_USE_ONLY, der),
        sha256: digest_of(&digest::SHA256, der),
        is_ca: read.is_ca(),
        subject_der: read.subject().as_raw().into(),
        issuer_der: read.issuer().as_raw().into(),
    })
}

fn end(seconds: i64) -> Option<Timestamp> {
    if seconds >= NEVER_FROM {
        return None;
    }
    // What ended before year -9999 has ended; there is no earlier instant to say so with.
    Some(Timestamp::from_second(seconds).unwrap_or(Timestamp::MIN))
}

fn alternative_names(read: &X509Certificate<'_>) -> Vec<Text> {
    let extension = read.subject_alternative_name().ok().flatten();
    let entries = extension.iter().flat_map(|extension| &extension.value.general_names);
    entries.filter_map(name::host).take(MOST_NAMES).collect()
}

fn digest_of<const N: usize>(algorithm: &'static digest::Algorithm, bytes: &[u8]) -> [u8; N] {
    let mut sum = [0; N];
    sum.copy_from_slice(digest::digest(algorithm, bytes).as_ref());
    sum
}

impl Certificate {
    /// Whether its issuer has the same name as itself.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject_der == self.issuer_der
    }

    /// Whether this one names `other` as its issuer. Names only: no signature is checked.
    #[must_use]
    pub fn is_issued_by(&self, other: &Self) -> bool {
        self.issuer_der == other.subject_der
    }

    /// Its subject as it was written, in DER.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    /// Its issuer as it was written, in DER.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.issuer_der
    }

    /// What it is recognised by.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { sha1: Some(self.sha1), serial: Some(self.serial.clone()), issuer_cn: self.issuer_cn.clone() }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .field("serial", &self.serial)
            .field("issuer", &self.issuer)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// What is known of a certificate where only a listing tells of it: any part can be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The SHA-1 thumbprint.
    pub sha1: Option<[u8; 20]>,
    pub serial: Option<Serial>,
    pub issuer_cn: Option<Text>,
}

/// Whether two descriptions are of one certificate: by thumbprint where both have one, else by serial and issuer. An issuer that
/// only one side knows does not part them where the serial is long enough to be random (64 bits, CA/B baseline, section 7.1).
#[must_use]
pub fn same_certificate(a: &Identity, b: &Identity) -> bool {
    if let (Some(a), Some(b)) = (a.sha1, b.sha1) {
        return a == b;
    }
    let (Some(serial), Some(other)) = (&a.serial, &b.serial) else { return false };
    let issuer = match (&a.issuer_cn, &b.issuer_cn) {
        (Some(a), Some(b)) => a == b,
        _ => serial.as_bytes().len() >= 8,
    };
    serial == other && issuer
}

/// The place of the leaf in a chain or bundle, found by its nature: not an authority, and issuer of none of the others. Where
/// several qualify, the first, which is the one that a server would serve. None only where there is no certificate at all.
#[must_use]
pub fn leaf(certificates: &[Certificate]) -> Option<usize> {
    let mut authorities: Vec<&[u8]> =
        certificates.iter().filter(|c| !c.is_self_issued()).map(|c| &*c.issuer_der).collect();
    authorities.sort_unstable();
    let signs = |c: &Certificate| authorities.binary_search(&&*c.subject_der).is_ok();
    let found = |nature: &dyn Fn(&Certificate) -> bool| certificates.iter().position(nature);
    found(&|c| !c.is_ca && !signs(c))
        .or_else(|| found(&|c| !c.is_ca))
        .or_else(|| found(&|c| !signs(c)))
        .or_else(|| (!certificates.is_empty()).then_some(0))
}

#[cfg(test)]
mod tests;
