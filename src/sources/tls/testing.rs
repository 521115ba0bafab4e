//! Authorities, certificates and servers for the tests of reading.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub const HOST: &str = "node.pexip.example";
pub const PATIENCE: Duration = Duration::from_secs(5);

pub fn now() -> Timestamp {
    "2026-11-21T16:00:00Z".parse().unwrap()
}

/// A root, an intermediate under it, and what they sign.
pub struct Authority {
    root: Issuer<'static, KeyPair>,
    intermediate: Issuer<'static, KeyPair>,
    pub root_der: CertificateDer<'static>,
    pub intermediate_der: CertificateDer<'static>,
    pub root_pem: String,
}

pub struct Issued {
    pub der: CertificateDer<'static>,
    pub key: KeyPair,
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    (params, KeyPair::generate().unwrap())
}

impl Authority {
    pub fn new() -> Self {
        Self::with_intermediate(|_| {})
    }

    /// The root of another, in PEM.
    pub fn new_named(name: &str) -> String {
        let (params, key) = authority(name);
        params.self_signed(&key).unwrap().pem()
    }

    pub fn with_intermediate(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (params, key) = authority("Test Root");
        let certificate = params.self_signed(&key).unwrap();
        let (root_der, root_pem) = (certificate.der().clone(), certificate.pem());
        let root = Issuer::new(params, key);
        let (mut params, key) = authority("Test Intermediate");
        change(&mut params);
        let intermediate_der = params.signed_by(&key, &root).unwrap().der().clone();
        Self { root, intermediate: Issuer::new(params, key), root_der, intermediate_der, root_pem }
    }

    pub fn trust(&self) -> Trust {
        Trust::only(self.root_pem.as_bytes()).unwrap()
    }

    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let (params, key) = leaf(change);
        Issued { der: params.signed_by(&key, &self.intermediate).unwrap().der().clone(), key }
    }

    pub fn issue_by_root(&self) -> Issued {
        let (params, key) = leaf(|_| {});
        Issued { der: params.signed_by(&key, &self.root).unwrap().der().clone(), key }
    }
}

pub fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Issued {
    let (params, key) = leaf(change);
    Issued { der: params.self_signed(&key).unwrap().der().clone(), key }
}

fn leaf(change: impl FnOnce(&mut CertificateParams)) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, HOST);
    (params.not_before, params.not_after) = (date_time_ymd(2026, 6, 1), date_time_ymd(2027, 6, 1));
    change(&mut params);
    (params, KeyPair::generate().unwrap())
}

pub fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

pub fn dates(params: &mut CertificateParams, from: (i32, u8, u8), to: (i32, u8, u8)) {
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(to.0, to.1, to.2);
}

/// How a test's server greets.
#[derive(Clone)]
pub struct Manner {
    pub versions: Vec<&'static SupportedProtocolVersion>,
    pub clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Default for Manner {
    fn default() -> Self {
        Self { versions: rustls::ALL_VERSIONS.to_vec(), clients: None }
    }
}

/// A server of rustls' that presents `chain`, to as many as ask.
pub async fn serve(issued: &Issued, chain: Vec<CertificateDer<'static>>, manner: Manner) -> SocketAddr {
    let acceptor = acceptor(issued, chain, manner);
    answer(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let _ = acceptor.accept(stream).await;
        }
    })
    .await
}

pub fn acceptor(issued: &Issued, chain: Vec<CertificateDer<'static>>, manner: Manner) -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&manner.versions).unwrap();
    let builder = match manner.clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    // A resolver of our own takes any chain; rustls' own would look at it first.
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let certified = Arc::new(rustls::sign::CertifiedKey::new(chain, signer));
    TlsAcceptor::from(Arc::new(builder.with_cert_resolver(Arc::new(Always(certified)))))
}

#[derive(Debug)]
struct Always(Arc<rustls::sign::CertifiedKey>);

impl rustls::server::ResolvesServerCert for Always {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Answers every connection by `how`.
pub async fn answer<F, A>(how: F) -> SocketAddr
where
    F: Fn(TcpStream) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(how(stream));
        }
    });
    address
}

/// Says `lines` in turn, waiting for something in between.
pub async fn play(stream: &mut TcpStream, lines: &[&[u8]]) {
    for line in lines {
        if line.is_empty() {
            let _ = stream.read(&mut [0; 512]).await;
        } else {
            let _ = stream.write_all(line).await;
        }
    }
}

pub fn target(address: SocketAddr) -> Target {
    Target { host: address.ip().to_string(), port: address.port(), server_name: HOST.to_owned(), starttls: None }
}

pub async fn look(address: SocketAddr, trust: &Trust) -> Result<Served, ProbeError> {
    probe(&target(address), address, PATIENCE, trust, now()).await
}
