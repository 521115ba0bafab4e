//! The address of a state on a PostgreSQL server, `postgres://role@host:5432/database?sslmode=...`, as the server's own tools write it.
//!
//! Owns what the parts mean, what is assumed where one is missing, and what is refused. No sentence shows a part of the address that
//! may hold a secret. Refuses to know how a connection is made.

use super::value::is_loopback;
use super::{Secret, SecretRef};
use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use url::{Host, Url};

const PORT: u16 = 5432;

/// The parameters that have a meaning here.
const KNOWN: &str = "host, user, sslmode, sslrootcert, sslcert, sslkey, options";

/// Where the state is when several replicas share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    pub url: PostgresUrl,
    pub auth: PostgresAuth,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresUrl {
    /// In the configuration, without a password.
    Written(PostgresAddress),
    /// Elsewhere, because it may hold a password. Read anew for each connection: passwords are replaced.
    Kept(SecretRef),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PostgresAuth {
    /// With a password, a client certificate, or whatever else the server asks for.
    #[default]
    Password,
    /// The password is a token from `[azure]`.
    Azure,
}

/// Where the server is and what it is asked for; no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    pub host: PostgresHost,
    pub port: u16,
    pub role: String,
    pub database: String,
    pub tls: PostgresTls,
    /// Trust anchors beside the system's, PEM.
    pub roots: Option<PathBuf>,
    /// A client certificate and its key, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Settings of the session, such as `search_path`.
    pub settings: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresHost {
    /// A folder with the server's socket.
    Socket(PathBuf),
    Name(String),
}

/// How far the connection is protected (`sslmode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresTls {
    /// In the clear.
    Disable,
    /// Encrypted if the server can; for this machine alone.
    Prefer,
    /// Encrypted, to whoever answers.
    Require,
    /// The server's certificate is from an authority that is trusted.
    VerifyCa,
    /// And it is for this host.
    VerifyFull,
}

impl Postgres {
    /// The address, and the password that stands in it.
    ///
    /// # Errors
    /// When it is kept elsewhere and cannot be read there, or will not do. The sentence does not show it.
    pub fn address(&self) -> Result<(PostgresAddress, Option<Secret>), String> {
        match &self.url {
            PostgresUrl::Written(address) => Ok((address.clone(), None)),
            PostgresUrl::Kept(secret) => {
                let written = secret.read().map_err(|error| error.to_string())?;
                let (address, password) = PostgresAddress::parse(written.expose())?;
                self.auth.suits(&address, password.is_some())?;
                Ok((address, password))
            }
        }
    }
}

impl PostgresAuth {
    /// Whether it can be used with this address.
    pub(super) fn suits(self, address: &PostgresAddress, has_password: bool) -> Result<(), &'static str> {
        match self {
            Self::Azure if has_password => {
                Err("with `auth = \"azure\"` a token is the password; leave out the other one")
            }
            // A token opens the database to whoever gets it, and it is sent as it is.
            Self::Azure if !address.host.is_here() && address.tls != PostgresTls::VerifyFull => Err(
                "with `auth = \"azure\"` the server must prove who it is: leave out `sslmode`, or say `verify-full`",
            ),
            _ => Ok(()),
        }
    }
}

impl PostgresAddress {
    /// Reads an address and the password in it. No error shows what was found.
    pub(super) fn parse(written: &str) -> Result<(Self, Option<Secret>), String> {
        let url = Url::parse(written).map_err(|error| format!("not a URL ({error})"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err("a URL that begins with postgres:// is wanted".to_owned());
        }
        let mut host = host(&decoded(url.host_str().unwrap_or_default())?);
        let mut role = decoded(url.username())?;
        let mut password = url.password().map(decoded).transpose()?;
        let (mut tls, mut roots, mut certificate, mut key) = (None, None, None, None);
        let mut settings = Vec::new();
        for (name, value) in url.query_pairs() {
            match &*name {
                "host" => host = self::host(&value),
                "user" => role = value.into_owned(),
                "password" => password = Some(value.into_owned()),
                "sslmode" => tls = Some(tls_mode(&value)?),
                "sslrootcert" => roots = Some(PathBuf::from(&*value)),
                "sslcert" => certificate = Some(PathBuf::from(&*value)),
                "sslkey" => key = Some(PathBuf::from(&*value)),
                "options" => settings.extend(self::settings(&value)?),
                _ => return Err(format!("it has a parameter that is not known here; known are {KNOWN}")),
            }
        }
        let host = host.ok_or(
            "the host is missing; for a socket on this machine: postgres:///watch?host=/run/postgresql&user=role",
        )?;
        let here = host.is_here();
        let certificate = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => return Err("`sslcert` and `sslkey` go together".to_owned()),
        };
        let database = decoded(url.path().trim_start_matches('/'))?;
        if role.is_empty() || database.is_empty() {
            return Err(
                "it must name the role to sign in as and the database: postgres://role@host/database".to_owned()
            );
        }
        let address = Self {
            tls: tls.unwrap_or(match &host {
                PostgresHost::Socket(_) => PostgresTls::Disable,
                PostgresHost::Name(_) if here => PostgresTls::Prefer,
                PostgresHost::Name(_) => PostgresTls::VerifyFull,
            }),
            host,
            port: url.port().unwrap_or(PORT),
            role,
            database,
            roots,
            certificate,
            settings,
        };
        if address.tls == PostgresTls::Prefer && !here {
            let why =
                "`sslmode=prefer` falls back to the clear unasked; say `verify-full`, or `disable` where that is meant";
            return Err(why.to_owned());
        }
        Ok((address, password.filter(|password| !password.is_empty()).map(|password| Secret::new(&password))))
    }

    /// What others could do on the way to the server.
    pub(super) fn exposure(&self) -> Option<&'static str> {
        match self.tls {
            _ if self.host.is_here() => None,
            PostgresTls::Disable => Some("with `sslmode=disable` whoever is on the way reads and changes the state"),
            PostgresTls::Require => Some("with `sslmode=require` whoever is on the way can pass for the server"),
            PostgresTls::VerifyCa => {
                Some("with `sslmode=verify-ca` any server with a trusted certificate can pass for this one")
            }
            PostgresTls::Prefer | PostgresTls::VerifyFull => None,
        }
    }
}

/// For sentences: no parameter, no password.
impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, role, database, .. } = self;
        match host {
            PostgresHost::Socket(folder) => write!(f, "{database} at {} (port {port}, as {role})", folder.display()),
            PostgresHost::Name(name) if name.contains(':') => write!(f, "{database} at [{name}]:{port} (as {role})"),
            PostgresHost::Name(name) => write!(f, "{database} at {name}:{port} (as {role})"),
        }
    }
}

impl PostgresHost {
    /// Whether nothing on the way could be read by others.
    #[must_use]
    pub fn is_here(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Name(name) => match name.parse() {
                Ok(IpAddr::V4(address)) => is_loopback(&Host::<&str>::Ipv4(address)),
                Ok(IpAddr::V6(address)) => is_loopback(&Host::<&str>::Ipv6(address)),
                Err(_) => is_loopback(&Host::Domain(name)),
            },
        }
    }
}

fn host(written: &str) -> Option<PostgresHost> {
    match written.trim_start_matches('[').trim_end_matches(']') {
        "" => None,
        path if path.starts_with('/') => Some(PostgresHost::Socket(PathBuf::from(path))),
        name => Some(PostgresHost::Name(name.to_owned())),
    }
}

fn tls_mode(written: &str) -> Result<PostgresTls, String> {
    Ok(match written {
        "disable" => PostgresTls::Disable,
        "prefer" => PostgresTls::Prefer,
        "require" => PostgresTls::Require,
        "verify-ca" => PostgresTls::VerifyCa,
        "verify-full" => PostgresTls::VerifyFull,
        _ => return Err("`sslmode` is one of verify-full, verify-ca, require, prefer, disable".to_owned()),
    })
}

/// `-c name=value`, any number of times.
fn settings(written: &str) -> Result<Vec<(String, String)>, String> {
    let wanted = || "`options` is a list of `-c name=value`".to_owned();
    let mut settings = Vec::new();
    let mut words = written.split_whitespace();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") => words.next(),
            setting => setting,
        };
        let (name, value) = setting.and_then(|setting| setting.split_once('=')).ok_or_else(wanted)?;
        settings.push((name.to_owned(), value.to_owned()));
    }
    Ok(settings)
}

fn decoded(written: &str) -> Result<String, String> {
    let text = percent_decode_str(written).decode_utf8().map_err(|_| "a part of it is not text".to_owned())?;
    if text.contains('\0') { Err("a part of it holds a NUL character".to_owned()) } else { Ok(text.into_owned()) }
}

#[cfg(test)]
mod tests;
