//! `[sources.<name>]`: what is read.

use super::declared::declarations;
use super::read::{Item, Table};
use super::value::{NOT_A_NAME, SECRET, is_name};
use super::{
    Azure, Cloud, DigicertConfig, EntraConfig, FilesConfig, KeyVaultConfig, SourceConfig, StartTls, System, TlsConfig,
    TlsTarget,
};
use crate::domain::{Period, SourceName, Unit};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use url::{Host, Url};

#[derive(Clone, Copy)]
enum Type {
    Entra,
    KeyVault,
    Digicert,
    Tls,
    Files,
    Declared,
}

const TYPES: &[(&str, Type)] = &[
    ("entra", Type::Entra),
    ("key_vault", Type::KeyVault),
    ("digicert", Type::Digicert),
    ("tls", Type::Tls),
    ("files", Type::Files),
    ("declared", Type::Declared),
];

/// CertCentral's Services API outside the European Union.
const CERTCENTRAL: &str = "https://www.digicert.com/services/v2";

/// For one address, where nothing is said.
const TLS_TIMEOUT: Period = Period { amount: 10, unit: Unit::Seconds };

const STARTTLS: &[(&str, StartTls)] = &[
    ("smtp", StartTls::Smtp),
    ("imap", StartTls::Imap),
    ("pop3", StartTls::Pop3),
    ("ldap", StartTls::Ldap),
    ("postgres", StartTls::Postgres),
    ("ftp", StartTls::Ftp),
];

const SECTION: &str = "[sources.entra]\ntype = \"entra\"";

/// The sources as written.
pub(super) struct Sources {
    /// Those without a mistake.
    pub sound: Vec<SourceConfig>,
    /// Every name in the file, with how long it may be silent where that is said.
    pub named: BTreeMap<SourceName, Option<Period>>,
}

pub(super) fn sources(root: &Table, azure: &Azure, zone: &TimeZone) -> Sources {
    let mut sources = Sources { sound: Vec::new(), named: BTreeMap::new() };
    for (key, item) in root.named("sources", SECTION) {
        if !is_name(key) {
            item.place.problem(NOT_A_NAME, SECTION);
        }
        let name = SourceName::new(key);
        let read = item.table(SECTION, |t| (system(t, key, azure, zone), stale_after(t)));
        let (system, stale_after) = read.unwrap_or((None, None));
        sources.named.insert(name.clone(), stale_after);
        sources.sound.extend(system.map(|system| SourceConfig { name, system }));
    }
    if sources.named.is_empty() {
        root.at("sources").warn("there is none, so nothing is watched");
    }
    sources
}

fn stale_after(t: &Table) -> Option<Period> {
    t.get("stale_after")?.period_above_zero("\"6h\"")
}

fn system(t: &Table, name: &str, azure: &Azure, zone: &TimeZone) -> Option<System> {
    let Some(kind) = t.need("type", "\"entra\"").and_then(|item| item.choice(TYPES)) else {
        t.let_any_key_go();
        return None;
    };
    match kind {
        Type::Entra => entra(t, azure).map(System::Entra),
        Type::KeyVault => key_vault(t).map(System::KeyVault),
        Type::Digicert => digicert(t).map(System::Digicert),
        Type::Tls => tls(t).map(System::Tls),
        Type::Files => files(t).map(System::Files),
        Type::Declared => Some(System::Declared(declarations(t, name, zone))),
    }
}

fn entra(t: &Table, azure: &Azure) -> Option<EntraConfig> {
    let graph_url = graph_url(t, azure.cloud);
    let applications = t.boolean_or("applications", true);
    let service_principals = t.boolean_or("service_principals", true);
    if !applications && !service_principals {
        t.place.problem("neither applications nor service principals are read, so it watches nothing", SECTION);
    }
    let last_use = t.boolean_or("last_use", false);
    if last_use && azure.cloud != Cloud::Public {
        t.at("last_use").warn("the report of last uses exists in the public cloud only, so it is not asked for");
    }
    let owners = t.boolean_or("owners", false);
    Some(EntraConfig { graph_url: graph_url?, applications, service_principals, last_use, owners })
}

/// Microsoft Graph's address, which follows the cloud where nothing is said.
pub(super) fn graph_url(t: &Table, cloud: Cloud) -> Option<Url> {
    match t.get("graph_url") {
        Some(item) => item.web_url("\"https://graph.microsoft.com\""),
        None => Url::parse(cloud.graph_url()).ok(),
    }
}

fn key_vault(t: &Table) -> Option<KeyVaultConfig> {
    let example = "\"https://kvlt-example.vault.azure.net\"";
    let vault_url = t.need("vault_url", example).and_then(|item| item.web_url(example));
    Some(KeyVaultConfig { vault_url: vault_url? })
}

fn digicert(t: &Table) -> Option<DigicertConfig> {
    let url = match t.get("url") {
        Some(item) => item.web_url(&format!("\"{CERTCENTRAL}\"")),
        None => Url::parse(CERTCENTRAL).ok(),
    };
    let api_key = t.need("api_key", SECRET).and_then(|item| item.secret());
    Some(DigicertConfig { url: url?, api_key: api_key? })
}

fn files(t: &Table) -> Option<FilesConfig> {
    let example = "[ \"/certs/*.pem\" ]";
    let paths = t.need("paths", example)?;
    if paths.elements().is_empty() {
        paths.wrong("it names no file", example);
    }
    let path = |item: &Item| Some(item.path("\"/certs/*.pem\"")?.to_str()?.to_owned());
    Some(FilesConfig { paths: paths.elements().iter().filter_map(path).collect() })
}

fn tls(t: &Table) -> Option<TlsConfig> {
    let example = "[ \"conference.example.ca:443\" ]";
    let targets = t.need("targets", example).map(|targets| {
        if targets.elements().is_empty() {
            targets.wrong("it names no target", example);
        }
        targets.elements().iter().filter_map(target).collect()
    });
    let timeout = t.get("timeout").and_then(|item| item.period_above_zero("\"10s\"")).unwrap_or(TLS_TIMEOUT);
    let roots = t.get("roots").and_then(|item| item.secret());
    Some(TlsConfig { targets: targets?, timeout, roots })
}

fn target(item: &Item) -> Option<TlsTarget> {
    let example = "{ host = \"10.1.2.3\", port = 5061, server_name = \"conference.example.ca\" }";
    if item.value.as_str().is_some() {
        let (host, port) = item.parsed("\"conference.example.ca:443\"", host_and_port)?;
        let host = plain(&host);
        return Some(TlsTarget { server_name: host.clone(), host, port, starttls: None });
    }
    item.table(example, |t| {
        let name = t.need("host", "\"10.1.2.3\"").and_then(|item| item.parsed("\"10.1.2.3\"", host));
        let port = t.need("port", "443").and_then(|item| item.port("443"));
        let server_name = t.get("server_name").and_then(|item| item.parsed("\"conference.example.ca\"", host));
        let starttls = t.get("starttls").and_then(|item| item.choice(STARTTLS));
        let name = plain(&name?);
        let server_name = server_name.map_or_else(|| name.clone(), |name| plain(&name));
        Some(TlsTarget { host: name, port: port?, server_name, starttls })
    })?
}

/// An IPv6 address without the brackets that a URL would put around it.
fn plain(host: &Host) -> String {
    match host {
        Host::Ipv6(address) => address.to_string(),
        host => host.to_string(),
    }
}

fn host_and_port(written: &str) -> Result<(Host, u16), &'static str> {
    let wanted = "a host, a colon and a port from 1 to 65535 are wanted";
    let (name, port) = written.rsplit_once(':').ok_or(wanted)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or(wanted)?;
    Ok((host(name)?, port))
}

/// A host name or an IP address (IPv6 with or without brackets).
pub(super) fn host(written: &str) -> Result<Host, &'static str> {
    let bracketed = || Host::parse(&format!("[{written}]"));
    Host::parse(written).or_else(|_| bracketed()).map_err(|_| "a host name or an IP address is wanted")
}
