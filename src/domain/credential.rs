//! What is watched.

use super::{Address, CredentialId, Ident, Text, X509};
use jiff::Timestamp;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// A source's key in the configuration, such as `entra`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(Arc<str>);

impl SourceName {
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(Text::clean(key).as_str().into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! kinds {
    ($($variant:ident = $name:literal, $spoken:literal;)*) => {
        /// The sorts of credential.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($variant,)* }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As configuration, JSON and metrics spell it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// As a sentence spells it.
            #[must_use]
            pub fn spoken(self) -> &'static str {
                match self { $(Self::$variant => $spoken,)* }
            }
        }
    };
}

kinds! {
    ClientSecret = "client_secret", "client secret";
    ClientCertificate = "client_certificate", "client certificate";
    SamlSigningCertificate = "saml_signing_certificate", "SAML signing certificate";
    IssuedCertificate = "issued_certificate", "issued certificate";
    ServedCertificate = "served_certificate", "served certificate";
    CertificateFile = "certificate_file", "certificate file";
    VaultSecret = "vault_secret", "vault secret";
    VaultCertificate = "vault_certificate", "vault certificate";
    Declared = "declared", "declared credential";
}

impl Kind {
    /// Whether `remind_certificates` is its ladder where no rule gives one.
    #[must_use]
    pub fn is_certificate(self) -> bool {
        !matches!(self, Self::ClientSecret | Self::VaultSecret | Self::Declared)
    }

    /// Whether a vault says so: its date is what somebody wrote there, and may be missing.
    #[must_use]
    pub fn is_in_vault(self) -> bool {
        matches!(self, Self::VaultSecret | Self::VaultCertificate)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(written: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == written).ok_or(())
    }
}

/// What a credential belongs to: an application, a service principal, a host name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// What people call it. Not unique.
    pub name: Text,
    /// What it is, within its source. Two holders are the same when source and id are.
    pub id: Ident,
    /// The application (client) id, for what stands in a directory.
    pub app_id: Option<Ident>,
    /// The teams that its `team:<name>` tags name, in order.
    pub team_tags: Box<[Box<str>]>,
    /// False where its source says that it may not sign in at present. Its credentials still run out.
    pub enabled: bool,
    /// Who owns it there; `None` where nobody has asked. Thin, since all holders pay for it.
    pub owners: Option<Arc<Owners>>,
}

/// Who owns a holder, as its directory says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owners {
    /// Those with an address, in order, each once; never empty.
    Reachable(Box<[Address]>),
    /// It has none.
    Nobody,
    /// It has some, and none of them has an address: service principals, people without a mailbox.
    WithoutAddress,
    /// They may not be read, or their addresses may not: a permission is missing. That is not "no owner".
    Hidden,
}

/// What a vault's entry says that it keeps: a credential of a directory, by its key id, its application, or both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    pub app_id: Option<Ident>,
    pub key_id: Option<Ident>,
}

/// One dated thing, as its source described it. Holds no secret and no part of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Credential {
    pub id: CredentialId,
    pub source: SourceName,
    pub kind: Kind,
    pub holder: Arc<Holder>,
    /// What tells it from its siblings, such as a secret's description. May be empty.
    pub label: Text,
    /// From when on it works; unknown for some.
    pub not_before: Option<Timestamp>,
    /// After this instant it no longer works; `None` = it never expires.
    pub expires_at: Option<Timestamp>,
    /// False for what its source has switched off: it cannot stand in for another.
    pub enabled: bool,
    /// True for the one that its holder uses at present, where the source says which (SAML signing). Such a one is only
    /// superseded by another that is in use.
    pub in_use: bool,
    /// Which certificate it is, for what is one.
    pub x509: Option<Arc<X509>>,
    /// What its source found wrong with it, beside its dates.
    pub trouble: Option<Box<Trouble>>,
    /// Which directory's credential it keeps, for a vault's entry that says so.
    pub mark: Option<Box<Mark>>,
}

/// What can be wrong with a credential beside its dates, seen while it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// A client would refuse what is served, and why.
    Untrusted(Text),
    /// It could not be read, and why. Its dates are those of the last time it could.
    Unreachable(Text),
    /// Not even which one it is could be found out, and why: a name without an address, a file without a certificate. Whatever its
    /// holder had is what cannot be read.
    Unresolved(Text),
}

impl Trouble {
    /// Why it could not be read.
    #[must_use]
    pub fn why_unreachable(&self) -> Option<&Text> {
        match self {
            Self::Unreachable(why) | Self::Unresolved(why) => Some(why),
            Self::Untrusted(_) => None,
        }
    }

    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unresolved(_))
    }
}

impl Credential {
    /// An end in this year or later means "never".
    pub const NEVER_FROM_YEAR: i16 = 2200;

    /// Whether it works at `now`, by its dates and its source's word.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.enabled && self.has_begun_at(now) && !self.has_ended_at(now)
    }

    #[must_use]
    pub fn has_begun_at(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= now)
    }

    /// True *after* `expires_at`; at that very instant it still works.
    #[must_use]
    pub fn has_ended_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end < now)
    }
}

/// A credential in a set, where its id tells it from the others.
#[derive(Clone, Debug)]
pub struct ById(pub Arc<Credential>);

impl Borrow<CredentialId> for ById {
    fn borrow(&self) -> &CredentialId {
        &self.0.id
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_as_it_is_spelt() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        assert!("secret".parse::<Kind>().is_err());
    }

    #[test]
    fn only_certificates_have_the_certificates_ladder() {
        let certificates = Kind::ALL.iter().filter(|kind| kind.is_certificate()).count();
        assert_eq!(certificates, 6);
        assert!(Kind::ALL.iter().all(|kind| kind.is_certificate() == kind.as_str().contains("certificate")));
    }
}
