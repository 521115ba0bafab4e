//! The handshake of today's clients, by rustls, with a verifier that records what is presented and agrees to it.
//!
//! The chain is taken in the verifier's callback rather than after the handshake: a server that demands a client certificate
//! breaks off later, and its certificate has been seen by then. Nothing is ever sent over such a connection, so that agreeing to
//! everything gives nothing away.

use super::wire::{Wire, said};
use super::{Capture, LONGEST_CHAIN, TlsVersion};
use crate::domain::Text;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error, InvalidMessage, SignatureScheme,
};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long the end of a handshake is waited for whose certificate has been seen.
const COURTESY: Duration = Duration::from_millis(500);

/// What all handshakes share.
pub(super) struct Handshake {
    config: ClientConfig,
}

/// Why there was no certificate.
pub(super) struct Refused {
    pub why: Text,
    /// Whether a server of old may have meant the version or the ciphers.
    pub worth_another_try: bool,
}

impl Handshake {
    pub fn new() -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let mut config = builder
            .with_protocol_versions(rustls::ALL_VERSIONS)
            // Cannot fail: it would take a provider without a suite for one of them.
            .expect("the provider has suites for both versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Recorder::default()))
            .with_no_client_auth();
        // A resumed session presents no certificate.
        config.resumption = Resumption::disabled();
        Self { config }
    }

    pub async fn capture(&self, wire: &mut Wire, name: &ServerName<'static>) -> Result<Capture, Refused> {
        let recorder = Arc::new(Recorder::default());
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(recorder.clone());
        let mut connection = ClientConnection::new(Arc::new(config), name.clone())
            .map_err(|error| Refused { why: Text::clean(&error.to_string()), worth_another_try: true })?;
        let outcome = converse(&mut connection, wire, &recorder).await;
        let version = connection.protocol_version().and_then(TlsVersion::of);
        drop(connection);
        match recorder.0.get() {
            Some(chain) => Ok(Capture { chain: chain.clone(), version, outdated: false }),
            None => Err(outcome.err().unwrap_or_else(no_certificate)),
        }
    }
}

/// Handshakes to the end or to the first fault, then says goodbye. Once the certificate has been seen, the rest is courtesy, so
/// that the node need not note a handshake that was broken off; and courtesy is not waited for.
async fn converse(connection: &mut ClientConnection, wire: &mut Wire, recorder: &Recorder) -> Result<(), Refused> {
    let mut outgoing = Vec::with_capacity(512);
    loop {
        while connection.wants_write() {
            // Writing into memory cannot fail.
            let _ = connection.write_tls(&mut outgoing);
        }
        let sent = wire.write(&outgoing).await;
        outgoing.clear();
        if !connection.is_handshaking() {
            return Ok(());
        }
        sent.map_err(|error| broken(&error))?;
        let received = match recorder.0.get() {
            None => wire.read().await,
            Some(_) => tokio::time::timeout(COURTESY, wire.read()).await.unwrap_or_else(|_| Ok(Vec::new())),
        };
        let received = received.map_err(|error| broken(&error))?;
        if received.is_empty() {
            return Err(Refused { why: Text::clean("it hung up during the handshake"), worth_another_try: true });
        }
        process(connection, &received)?;
        if !connection.is_handshaking() {
            connection.send_close_notify();
        }
    }
}

fn process(connection: &mut ClientConnection, mut received: &[u8]) -> Result<(), Refused> {
    while !received.is_empty() {
        connection.read_tls(&mut received).map_err(|error| broken(&error))?;
        connection.process_new_packets().map_err(|error| refused(&error))?;
    }
    Ok(())
}

/// A handshake that ended well without one: an anonymous or a pre-shared one, which rustls does not offer.
fn no_certificate() -> Refused {
    Refused { why: Text::clean("it presents no certificate"), worth_another_try: true }
}

fn broken(error: &std::io::Error) -> Refused {
    Refused { why: said(error), worth_another_try: true }
}

fn refused(error: &Error) -> Refused {
    let why = match error {
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "it refuses the server name (alert unrecognized_name)".to_owned()
        }
        Error::AlertReceived(alert) => format!("it answers with the alert {alert:?}"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "what answers does not speak TLS".to_owned(),
        other => other.to_string(),
    };
    // Asking again would get the same answer, or the certificate of another name.
    let named = matches!(error, Error::AlertReceived(AlertDescription::UnrecognisedName));
    Refused { why: Text::clean(&why), worth_another_try: !named }
}

/// Keeps the chain that is presented.
#[derive(Debug, Default)]
struct Recorder(OnceLock<Vec<CertificateDer<'static>>>);

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let sent = std::iter::once(end_entity).chain(intermediates).take(LONGEST_CHAIN);
        // A second presentation would be a renegotiation, which rustls does not do.
        let _ = self.0.set(sent.map(|der| der.clone().into_owned()).collect());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// All there are, the outdated and the exotic too: a scheme that is not offered hides the certificate that needs it.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}
