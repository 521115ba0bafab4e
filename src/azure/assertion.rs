//! Signing in with a certificate: a JSON web token that its private key has signed (RFC 7523).
//!
//! `azure_identity` can do the same, but only through OpenSSL; the signature here is rustls' and aws-lc's.

use crate::clock::Clock;
use crate::config::Secret;
use async_trait::async_trait;
use aws_lc_rs::digest;
use azure_core::base64::encode_url_safe;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::Signer as Signature;
use serde_json::json;
use std::fmt;
use uuid::Uuid;

/// How long an assertion holds; Microsoft advises five to ten minutes.
const LIFETIME_SECONDS: i64 = 600;

pub(super) struct Signer {
    signature: Box<dyn Signature>,
    /// The header, encoded; it names the certificate by its fingerprints.
    header: String,
    audience: String,
    client_id: String,
    clock: Clock,
}

impl Signer {
    /// From a PEM that holds a certificate and its RSA key, in any order; of several certificates, the first is the one.
    pub fn new(pem: &Secret, audience: String, client_id: String, clock: Clock) -> Result<Self, &'static str> {
        let pem = pem.expose().as_bytes();
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| "it holds no certificate in PEM form")?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "it holds no unencrypted private key in PEM form")?;
        let key = any_supported_type(&key).map_err(|_| "its private key cannot be used")?;
        let signature = key
            .choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
            .ok_or("its private key is not RSA, which is what Microsoft Entra ID takes")?;
        let print = |algorithm| encode_url_safe(digest::digest(algorithm, &certificate).as_ref());
        // SHA-1 is how Microsoft Entra ID finds the certificate; nothing is trusted because of it.
        let (sha1, sha256) = (print(&digest::SHA1_FOR_LEGACY_USE_ONLY), print(&digest::SHA256));
        let header = json!({ "alg": "RS256", "typ": "JWT", "x5t": sha1, "x5t#S256": sha256 });
        Ok(Self { signature, header: encode_url_safe(header.to_string()), audience, client_id, clock })
    }

    fn assertion(&self) -> Result<String, rustls::Error> {
        let now = self.clock.now().as_second();
        let claims = json!({
            "aud": self.audience, "iss": self.client_id, "sub": self.client_id, "jti": Uuid::new_v4().to_string(),
            "nbf": now, "iat": now, "exp": now + LIFETIME_SECONDS,
        });
        let signed = format!("{}.{}", self.header, encode_url_safe(claims.to_string()));
        let signature = self.signature.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", encode_url_safe(signature)))
    }
}

#[async_trait]
impl ClientAssertion for Signer {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.assertion().map_err(|error| Error::new(ErrorKind::Credential, error))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}
