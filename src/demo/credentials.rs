//! What an application or principal of the simulated directory holds, in the directory's own words.
//!
//! Dates are kept as the text that the listing will print, so that a test can also hand in what no calendar knows. Refuses to know
//! what any of it means to us.

use jiff::Timestamp;
use serde_json::{Value, json};

/// An instant as the directory prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment(String);

impl Moment {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Moment {
    /// A bare date means the start of that day in UTC; anything else is printed as it is.
    fn from(written: &str) -> Self {
        let bare = written.len() == 10 && written.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        Self(if bare { format!("{written}T00:00:00Z") } else { written.to_owned() })
    }
}

impl From<Timestamp> for Moment {
    /// Seven fractional digits where there is a fraction, as the real directory prints them.
    fn from(at: Timestamp) -> Self {
        Self(if at.subsec_nanosecond() == 0 { format!("{at:.0}") } else { format!("{at:.7}") })
    }
}

/// A client secret: an entry of `passwordCredentials`.
#[derive(Clone, Debug)]
pub struct Secret {
    pub(super) key_id: Option<String>,
    label: Option<String>,
    from: Option<Moment>,
    pub(super) until: Option<Moment>,
    /// When somebody last signed in with it, as the report prints it.
    pub(super) used: Option<Moment>,
    hint: Hint,
    custom: Option<String>,
}

/// The first characters of the secret's value, which the real listing shows.
#[derive(Clone, Debug)]
enum Hint {
    MadeUp,
    Given(Option<String>),
}

impl Secret {
    /// A secret with the description that people see; dates unknown until they are given.
    #[must_use]
    pub fn labelled(label: &str) -> Self {
        Self { label: Some(label.to_owned()), ..Self::unlabelled() }
    }

    #[must_use]
    pub fn unlabelled() -> Self {
        Self { key_id: None, label: None, from: None, until: None, used: None, hint: Hint::MadeUp, custom: None }
    }

    /// Its key id; made up where none is given.
    #[must_use]
    pub fn key_id(self, id: &str) -> Self {
        Self { key_id: Some(id.to_owned()), ..self }
    }

    #[must_use]
    pub fn from(self, start: impl Into<Moment>) -> Self {
        Self { from: Some(start.into()), ..self }
    }

    #[must_use]
    pub fn until(self, end: impl Into<Moment>) -> Self {
        Self { until: Some(end.into()), ..self }
    }

    /// When it was last used; a secret without this stands in no report.
    #[must_use]
    pub fn used(self, at: impl Into<Moment>) -> Self {
        Self { used: Some(at.into()), ..self }
    }

    /// The end that portals of old wrote for "never".
    #[must_use]
    pub fn forever(self) -> Self {
        self.until("2299-12-31")
    }

    #[must_use]
    pub fn hint(self, hint: Option<&str>) -> Self {
        Self { hint: Hint::Given(hint.map(ToOwned::to_owned)), ..self }
    }

    pub(super) fn hint_shown(&self) -> Option<String> {
        match &self.hint {
            Hint::Given(hint) => hint.clone(),
            Hint::MadeUp => self.key_id.as_deref().map(hint_for),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "customKeyIdentifier": self.custom,
            "displayName": self.label,
            "endDateTime": self.until.as_ref().map(Moment::as_str),
            "hint": self.hint_shown(),
            "keyId": self.key_id,
            "secretText": null,
            "startDateTime": self.from.as_ref().map(Moment::as_str),
        })
    }
}

/// Three characters that turn up in no other text, so that a test can search everything we write for them.
fn hint_for(key_id: &str) -> String {
    let [a, b, ..] = super::directory::digest(&[key_id, "hint"]);
    let letter = |byte: u8| char::from(b'A' + byte % 26);
    format!("{}~{}", letter(a), letter(b))
}

/// A certificate: an entry of `keyCredentials`.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub(super) key_id: Option<String>,
    label: Option<String>,
    from: Option<Moment>,
    until: Option<Moment>,
    kind: &'static str,
    usage: &'static str,
    custom: Option<String>,
    key: Option<&'static str>,
}

impl Certificate {
    /// A certificate that the holder signs in with.
    #[must_use]
    pub fn labelled(label: &str) -> Self {
        Self {
            key_id: None,
            label: Some(label.to_owned()),
            from: None,
            until: None,
            kind: "AsymmetricX509Cert",
            usage: "Verify",
            custom: None,
            key: None,
        }
    }

    #[must_use]
    pub fn key_id(self, id: &str) -> Self {
        Self { key_id: Some(id.to_owned()), ..self }
    }

    #[must_use]
    pub fn from(self, start: impl Into<Moment>) -> Self {
        Self { from: Some(start.into()), ..self }
    }

    #[must_use]
    pub fn until(self, end: impl Into<Moment>) -> Self {
        Self { until: Some(end.into()), ..self }
    }

    /// With the key's bytes in the listing, as the real one has them for an object read by itself. They must be skipped.
    #[must_use]
    pub fn with_key_bytes(self) -> Self {
        Self { key: Some(KEY_BYTES), ..self }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "customKeyIdentifier": self.custom,
            "displayName": self.label,
            "endDateTime": self.until.as_ref().map(Moment::as_str),
            "key": self.key,
            "keyId": self.key_id,
            "startDateTime": self.from.as_ref().map(Moment::as_str),
            "type": self.kind,
            "usage": self.usage,
        })
    }
}

/// What [`Certificate::with_key_bytes`] shows; made up, and to be found nowhere in what we write.
pub const KEY_BYTES: &str = "MIIDDTCCAfWgAwIBAgIQbWFkZS11cC1rZXktYnl0ZXM=";

/// A SAML signing certificate, which the directory shows as three entries: a key to sign, a key to verify, and a password.
#[derive(Clone, Debug)]
pub struct SamlCertificate {
    key_id: String,
    from: Moment,
    pub(super) until: Moment,
    pub(super) active: bool,
}

impl SamlCertificate {
    /// `key_id` is the Sign key's, by which the three are known as one.
    #[must_use]
    pub fn new(key_id: &str, from: impl Into<Moment>, until: impl Into<Moment>) -> Self {
        Self { key_id: key_id.to_owned(), from: from.into(), until: until.into(), active: false }
    }

    /// The one that the application signs with at present.
    #[must_use]
    pub fn active(self) -> Self {
        Self { active: true, ..self }
    }

    /// As the real listing has them: the certificate's SHA-1 in hexadecimal.
    pub(super) fn thumbprint(&self) -> String {
        let bytes = super::directory::digest(&[&self.key_id, "thumbprint"]);
        bytes.iter().chain(&bytes[..4]).map(|byte| format!("{byte:02X}")).collect()
    }

    /// The three entries share an identifier of 44 characters; the password has the Sign key's id.
    pub(super) fn entries(&self) -> ([Certificate; 2], Secret) {
        let shared = format!("{}{}=", self.thumbprint(), &self.thumbprint()[..3]);
        let label = "CN=Microsoft Azure Federated SSO Certificate";
        let key = |key_id: String, kind, usage| Certificate {
            custom: Some(shared.clone()),
            kind,
            usage,
            ..Certificate::labelled(label).key_id(&key_id).from(self.from.as_str()).until(self.until.as_str())
        };
        let verify = super::directory::made_up_id(&[&self.key_id, "verify"]);
        let password = Secret {
            custom: Some(shared.clone()),
            ..Secret::labelled(label)
                .key_id(&self.key_id)
                .from(self.from.as_str())
                .until(self.until.as_str())
                .hint(None)
        };
        let sign = key(self.key_id.clone(), "X509CertAndPassword", "Sign");
        ([key(verify, "AsymmetricX509Cert", "Verify"), sign], password)
    }
}
