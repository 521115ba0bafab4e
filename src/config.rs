//! The configuration: TOML as it was written, checked into typed values, all problems at once.
//!
//! Owns the meaning of every key, its default and its examples. Past this module no address, duration, zone or pattern is a
//! string. Secrets are only ever referred to: [`SecretRef`] names where one is, and [`Secret`] never shows itself.

mod assemble;
mod azure;
mod declared;
mod general;
mod mail;
mod postgres;
mod problem;
mod read;
mod rules;
mod secret;
mod sources;
mod teams;
#[cfg(test)]
mod tests;
mod value;
pub mod zone;

pub use assemble::{LARGEST_FILE, load, parse};
pub use postgres::{Postgres, PostgresAddress, PostgresAuth, PostgresHost, PostgresTls, PostgresUrl};
pub use problem::{Problem, Problems};
pub use secret::{Secret, SecretError, SecretRef};
pub(crate) use value::is_loopback;

use crate::domain::{Address, Period, Policy, SourceName, TeamId, Text};
use crate::schedule::Cron;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;
use url::Url;

/// A complete, valid configuration.
#[derive(Debug)]
pub struct Config {
    /// Zone, rules, teams: what the decision needs.
    pub policy: Policy,
    pub schedule: Schedule,
    pub state: State,
    pub http: Http,
    pub azure: Azure,
    /// In the order of the file.
    pub sources: Vec<SourceConfig>,
    /// What opens the feeds of those teams that have one.
    pub feed_tokens: BTreeMap<TeamId, SecretRef>,
    /// `None`: nothing is mailed; allowed only where no team has an address.
    pub mail: Option<Mail>,
    /// Every secret that the file refers to, with its key path.
    pub secrets: Vec<(String, SecretRef)>,
    /// What is accepted but deserves a word: a key that this version does not act on, an empty `[defaults].teams`, and (after
    /// [`load`]) a secret whose environment variable is not set. Each begins with its key path.
    pub warnings: Vec<String>,
}

impl Config {
    /// The secrets that cannot be read here and now, each as a sentence that begins with its key path. Looks at the environment
    /// and at files, which [`parse`] does not.
    #[must_use]
    pub fn unreadable_secrets(&self) -> Vec<String> {
        let unreadable = |(path, secret): &(String, SecretRef)| match secret.read() {
            Ok(_) => None,
            Err(error) => Some(format!("{path}: {error}")),
        };
        self.secrets.iter().filter_map(unreadable).collect()
    }

    /// What is wrong with the state's address where it is kept elsewhere, as a sentence that begins with its key path. Reads it, as
    /// [`Config::unreadable_secrets`] does.
    #[must_use]
    pub fn unusable_state(&self) -> Option<String> {
        let State::Postgres(postgres @ Postgres { url: PostgresUrl::Kept(secret), .. }) = &self.state else {
            return None;
        };
        // One that cannot be read is among the unreadable secrets.
        secret.read().ok()?;
        postgres.address().err().map(|why| format!("state.url: {why}"))
    }

    /// The feeds' tokens that somebody could guess, each as a sentence that begins with its key path. Reads them, as
    /// [`Config::unreadable_secrets`] does.
    #[must_use]
    pub fn weak_feed_tokens(&self) -> Vec<String> {
        let weak = |(team, token): (&TeamId, &SecretRef)| {
            let bits = teams::bits(token.read().ok()?.expose());
            let says = format!(
                "teams.{team}.feed_token: it has {bits} bits at most, and whoever guesses it reads the feed; 128 are wanted, for \
                 example from `openssl rand -hex 16`"
            );
            (bits < 128).then_some(says)
        };
        self.feed_tokens.iter().filter_map(weak).collect()
    }
}

/// What the configuration names cannot be used, as it turns out when it is to be used.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{key}: {problem}")]
pub struct Unusable {
    /// The key path, or the environment variable.
    pub key: String,
    pub problem: String,
}

impl Unusable {
    pub(crate) fn new(key: &str, problem: impl ToString) -> Self {
        Self { key: key.to_owned(), problem: Text::clean(&problem.to_string()).to_string() }
    }
}

/// When the loops run, in the zone of [`Policy::zone`].
#[derive(Debug, Clone)]
pub struct Schedule {
    pub poll: Cron,
    pub notify: Cron,
    pub summary: Option<Cron>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A file, for one process at a time.
    Sqlite(PathBuf),
    /// A server, for several replicas.
    Postgres(Postgres),
}

impl State {
    /// Whether it takes its tokens from `[azure]`.
    #[must_use]
    pub fn signs_in_to_azure(&self) -> bool {
        matches!(self, Self::Postgres(Postgres { auth: PostgresAuth::Azure, .. }))
    }
}

#[derive(Debug)]
pub struct Http {
    pub listen: SocketAddr,
    /// Where people reach the service; mails link to it. A path has no trailing slash; with no path, [`Url`] writes one.
    pub public_url: Option<Url>,
    pub access_token: Option<SecretRef>,
    pub feed_listen: Option<SocketAddr>,
}

/// How the service signs in to Azure.
#[derive(Debug, Clone, Default)]
pub struct Azure {
    pub cloud: Cloud,
    /// `None`: no `[azure]` section; then whatever signs in to Azure is a problem.
    pub credential: Option<AzureCredential>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cloud {
    #[default]
    Public,
    UsGov,
    UsDod,
    China,
}

impl Cloud {
    /// The sign-in authority.
    #[must_use]
    pub fn login_url(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsDod => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// Microsoft Graph, which is also the audience that its tokens are asked for.
    #[must_use]
    pub fn graph_url(self) -> &'static str {
        match self {
            Self::Public => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    /// What tokens for key vaults are asked for, whichever vault it is.
    #[must_use]
    pub fn vault_audience(self) -> &'static str {
        match self {
            Self::Public => "https://vault.azure.net",
            Self::UsGov | Self::UsDod => "https://vault.usgovcloudapi.net",
            Self::China => "https://vault.azure.cn",
        }
    }

    /// What tokens for databases (Azure Database for PostgreSQL) are asked for, whichever server it is.
    #[must_use]
    pub fn database_audience(self) -> &'static str {
        match self {
            Self::Public => "https://ossrdbms-aad.database.windows.net",
            Self::UsGov | Self::UsDod => "https://ossrdbms-aad.database.usgovcloudapi.net",
            Self::China => "https://ossrdbms-aad.database.chinacloudapi.cn",
        }
    }

    /// What tokens for Exchange Online are asked for, whichever server takes the mail.
    #[must_use]
    pub fn exchange_audience(self) -> &'static str {
        match self {
            Self::Public => "https://outlook.office365.com",
            Self::UsGov => "https://outlook.office365.us",
            Self::UsDod => "https://outlook-dod.office365.us",
            Self::China => "https://partner.outlook.cn",
        }
    }
}

#[derive(Debug, Clone)]
pub enum AzureCredential {
    /// Of the platform: Container Apps, App Service, or a virtual machine. `client_id` picks a user-assigned identity.
    ManagedIdentity {
        client_id: Option<String>,
    },
    /// A Kubernetes service account; what is not given comes from the environment that the webhook sets.
    WorkloadIdentity {
        client_id: Option<String>,
        tenant_id: Option<String>,
    },
    /// Whoever is signed in to the `az` command; for trying things at a desk.
    AzureCli {
        tenant_id: Option<String>,
    },
    ClientSecret {
        tenant_id: String,
        client_id: String,
        secret: SecretRef,
    },
    /// Certificate and private key in one PEM.
    ClientCertificate {
        tenant_id: String,
        client_id: String,
        pem: SecretRef,
    },
}

#[derive(Debug)]
pub struct SourceConfig {
    pub name: SourceName,
    pub system: System,
}

/// A system that can be read, by its `type`.
#[derive(Debug)]
pub enum System {
    Entra(EntraConfig),
    KeyVault(KeyVaultConfig),
    Digicert(DigicertConfig),
    Tls(TlsConfig),
    Files(FilesConfig),
    Declared(Vec<Declaration>),
}

impl System {
    /// The `type` in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Entra(_) => "entra",
            Self::KeyVault(_) => "key_vault",
            Self::Digicert(_) => "digicert",
            Self::Tls(_) => "tls",
            Self::Files(_) => "files",
            Self::Declared(_) => "declared",
        }
    }

    /// Whether it is asked who owns what it lists.
    #[must_use]
    pub fn reads_owners(&self) -> bool {
        matches!(self, Self::Entra(entra) if entra.owners)
    }
}

#[derive(Debug, Clone)]
pub struct EntraConfig {
    /// Scheme, host and port, perhaps a path without a trailing slash; with no path, [`Url`] writes one.
    pub graph_url: Url,
    pub applications: bool,
    pub service_principals: bool,
    /// Whether the report of last uses is read.
    pub last_use: bool,
    /// Whether it is asked who owns each holder.
    pub owners: bool,
}

/// One Azure key vault.
#[derive(Debug, Clone)]
pub struct KeyVaultConfig {
    /// Scheme, host and port, perhaps a path without a trailing slash; with no path, [`Url`] writes one. Its host is part of the
    /// entries' ids.
    pub vault_url: Url,
}

/// An account at DigiCert CertCentral.
#[derive(Debug, Clone)]
pub struct DigicertConfig {
    /// The Services API, up to and with its version; no trailing slash. The account's region decides the host.
    pub url: Url,
    pub api_key: SecretRef,
}

/// Services whose certificates are looked at where they are served.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    pub targets: Vec<TlsTarget>,
    /// For one address, from the connection to the certificate.
    pub timeout: Period,
    /// Trust anchors beside the system's, PEM.
    pub roots: Option<SecretRef>,
}

/// One service to look at, behind a name that can have several addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsTarget {
    /// A host name or an IP address, which says where to connect.
    pub host: String,
    pub port: u16,
    /// The name that is asked for (SNI) and that the certificate must be for.
    pub server_name: String,
    pub starttls: Option<StartTls>,
}

/// Protocols that begin in clear and are asked to change over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StartTls {
    Smtp,
    Imap,
    Pop3,
    Ldap,
    Postgres,
    Ftp,
}

/// Certificates in files (PEM).
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// Paths or patterns (`*`, `?`, `[...]`, `**`).
    pub paths: Vec<String>,
}

/// A date kept by hand.
#[derive(Debug, Clone)]
pub struct Declaration {
    pub holder: Text,
    pub label: Text,
    pub not_before: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug)]
pub struct Mail {
    /// The display name before the address; may be empty.
    pub from_name: Text,
    pub from: Address,
    pub reply_to: Option<Address>,
    pub transport: Transport,
}

#[derive(Debug)]
pub enum Transport {
    Smtp(Smtp),
    Graph(GraphMail),
    Directory { path: PathBuf },
}

impl Transport {
    /// Whether it takes its tokens from `[azure]`.
    #[must_use]
    pub fn signs_in_to_azure(&self) -> bool {
        match self {
            Self::Smtp(smtp) => matches!(smtp.login, Some(SmtpLogin::Xoauth2 { .. })),
            Self::Graph(_) => true,
            Self::Directory { .. } => false,
        }
    }
}

/// A mailbox of Exchange Online, by way of Microsoft Graph.
#[derive(Debug, Clone)]
pub struct GraphMail {
    pub mailbox: Address,
    /// Scheme, host and port, perhaps a path without a trailing slash; with no path, [`Url`] writes one.
    pub graph_url: Url,
}

#[derive(Debug, Clone)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub login: Option<SmtpLogin>,
    /// Extra trust anchors, PEM.
    pub roots: Option<SecretRef>,
}

#[derive(Debug, Clone)]
pub enum SmtpLogin {
    /// `PLAIN` or `LOGIN`.
    Password { username: String, password: SecretRef },
    /// `XOAUTH2`, with a token from `[azure]`, in the name of a mailbox of Exchange Online.
    Xoauth2 { mailbox: Address },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SmtpTls {
    /// STARTTLS, required: never falls back to plain text.
    #[default]
    StartTls,
    Implicit,
    None,
}

/// How long a source may be silent where nothing is said: this many polls.
pub const STALE_AFTER_POLLS: u32 = 3;

/// [`Policy::urgent_within`] where nothing is said.
pub const URGENT_WITHIN: Period = Period::hours(24);
