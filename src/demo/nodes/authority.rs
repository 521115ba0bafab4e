//! The authority behind the simulated account: a root, an intermediate under it, and the certificates that the account lists.

use super::Bundle;
use crate::demo::certcentral::Issued;
use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What an end that is a day means: its last second.
const REST_OF_THE_DAY: Duration = Duration::from_secs(24 * 60 * 60 - 1);

pub(super) struct Authority {
    pub root_pem: String,
    intermediate: Issuer<'static, KeyPair>,
    intermediate_der: CertificateDer<'static>,
    intermediate_pem: String,
    /// By serial: whoever installs a certificate a second time installs the same one.
    made: Mutex<HashMap<String, Arc<Made>>>,
}

/// A certificate with its key.
struct Made {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    pub fn new() -> io::Result<Self> {
        let (params, key) = authority("Simulated Root CA")?;
        let root_pem = params.self_signed(&key).map_err(io::Error::other)?.pem();
        let root = Issuer::new(params, key);
        let (params, key) = authority("Simulated TLS CA")?;
        let certificate = params.signed_by(&key, &root).map_err(io::Error::other)?;
        Ok(Self {
            root_pem,
            intermediate_der: certificate.der().clone(),
            intermediate_pem: certificate.pem(),
            intermediate: Issuer::new(params, key),
            made: Mutex::default(),
        })
    }

    /// What a server that is given `bundle` presents.
    pub fn certified(&self, bundle: &Bundle) -> io::Result<Arc<CertifiedKey>> {
        let made = self.make(&bundle.certificate)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.key.serialize_der()));
        let intermediate = bundle.complete.then(|| self.intermediate_der.clone());
        let chain = [made.der.clone()].into_iter().chain(intermediate).collect();
        Ok(Arc::new(CertifiedKey::new(chain, any_supported_type(&key).map_err(io::Error::other)?)))
    }

    /// The same as a file, its key first, as some programs want it.
    pub fn pem(&self, bundle: &Bundle) -> io::Result<String> {
        let made = self.make(&bundle.certificate)?;
        let intermediate = if bundle.complete { self.intermediate_pem.as_str() } else { "" };
        Ok([made.key.serialize_pem().as_str(), &made.pem, intermediate].concat())
    }

    fn make(&self, issued: &Issued) -> io::Result<Arc<Made>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.get(&issued.serial) {
            return Ok(made.clone());
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = leaf(issued)?.signed_by(&key, &self.intermediate).map_err(io::Error::other)?;
        let new = Arc::new(Made { der: certificate.der().clone(), pem: certificate.pem(), key });
        made.insert(issued.serial.clone(), new.clone());
        Ok(new)
    }
}

fn authority(name: &str) -> io::Result<(CertificateParams, KeyPair)> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    Ok((params, KeyPair::generate().map_err(io::Error::other)?))
}

/// Serial, names and both dates as the account states them.
fn leaf(issued: &Issued) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(issued.names.clone()).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, issued.names.first().map_or("", String::as_str));
    params.serial_number = Some(SerialNumber::from(bytes(&issued.serial)?));
    let midnight = |day: Date| date_time_ymd(day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs());
    params.not_before = midnight(issued.valid_from);
    params.not_after = midnight(issued.valid_till) + REST_OF_THE_DAY;
    Ok(params)
}

fn bytes(hexadecimal: &str) -> io::Result<Vec<u8>> {
    let digits = |at| hexadecimal.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..hexadecimal.len()).step_by(2).map(digits).collect();
    bytes.ok_or_else(|| io::Error::other(format!("the serial number {hexadecimal} is no hexadecimal")))
}
