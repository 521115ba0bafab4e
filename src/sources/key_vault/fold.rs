//! A vault's entry and its versions -> the credential that we watch.
//!
//! Owns what counts as one credential and what is left out. Pure: knows nothing of requests and pages.

use super::mark;
use super::page::Item;
use crate::domain::{Credential, CredentialId, Holder, Ident, Kind, Mark, SourceName, Text};
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;
use url::Url;

/// The two lists of a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collection {
    Secrets,
    Certificates,
}

impl Collection {
    /// As its address spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Certificates => "certificates",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Secrets => Kind::VaultSecret,
            Self::Certificates => Kind::VaultCertificate,
        }
    }

    fn credential_id(self, host: &str, name: &str) -> CredentialId {
        match self {
            Self::Secrets => CredentialId::vault_secret(host, name),
            Self::Certificates => CredentialId::vault_certificate(host, name),
        }
    }
}

/// An entry whose versions are worth asking for.
#[derive(Debug)]
pub(super) struct Entry {
    /// Letters, digits and `-`: it goes into addresses.
    pub name: Box<str>,
    /// What its newest version says that it keeps.
    mark: Option<Mark>,
}

/// The entries of one collection, each once.
pub(super) struct Entries {
    collection: Collection,
    pub list: Vec<Entry>,
    seen: HashSet<String>,
}

impl Entries {
    pub fn new(collection: Collection) -> Self {
        Self { collection, list: Vec::new(), seen: HashSet::new() }
    }

    /// Adds an item of the listing, unless it is the shadow of a certificate.
    pub fn add(&mut self, item: &Item<'_>) -> Result<(), String> {
        let Named { name, .. } = Named::read(item, self.collection)?;
        if !item.is_managed() && self.seen.insert(name.to_ascii_lowercase()) {
            self.list.push(Entry { mark: mark::read(item.tags(), item.content_type.as_deref()), name: name.into() });
        }
        Ok(())
    }
}

/// The versions of one entry, of which two are remembered.
pub(super) struct Versions<'e> {
    collection: Collection,
    entry: &'e Entry,
    newest: Option<Version>,
    newest_enabled: Option<Version>,
}

#[derive(Clone, Debug)]
struct Version {
    id: Text,
    managed: bool,
    created: Option<i64>,
    nbf: Option<i64>,
    exp: Option<i64>,
    mark: Option<Mark>,
}

impl Version {
    /// Of two that were made in the same second, the one that ends later is taken; the id decides the rest, whatever the order of
    /// the pages.
    fn is_newer_than(&self, other: &Self) -> bool {
        let order = |version: &Self| (version.created, version.exp.unwrap_or(i64::MAX));
        (order(self), self.id.as_str()) > (order(other), other.id.as_str())
    }
}

impl<'e> Versions<'e> {
    pub fn of(collection: Collection, entry: &'e Entry) -> Self {
        Self { collection, entry, newest: None, newest_enabled: None }
    }

    /// Adds an item of the list of versions.
    pub fn add(&mut self, item: &Item<'_>) -> Result<(), String> {
        let Named { name, version } = Named::read(item, self.collection)?;
        let version = version.filter(|_| name.eq_ignore_ascii_case(&self.entry.name));
        let id = version.ok_or_else(|| format!("it lists what is no version of {}", self.entry.name))?;
        let attributes = item.attributes();
        let version = Version {
            id: Text::clean(&id),
            managed: item.is_managed(),
            created: attributes.created,
            nbf: attributes.nbf,
            exp: attributes.exp,
            mark: mark::read(item.tags(), item.content_type.as_deref()),
        };
        if attributes.enabled.unwrap_or(true) {
            keep_newest(&mut self.newest_enabled, &version);
        }
        keep_newest(&mut self.newest, &version);
        Ok(())
    }

    /// The newest enabled version; `None` where there is none, or where it stands behind a certificate.
    pub fn credential(self, source: &SourceName, host: &str) -> Option<Credential> {
        let version = self.newest_enabled.filter(|version| !version.managed)?;
        // The entry's own mark is that of its newest version, which need not be the one that counts.
        let is_newest = self.newest.is_some_and(|newest| newest.id == version.id);
        let of_entry = || self.entry.mark.clone().filter(|_| is_newest);
        let name = &self.entry.name;
        let holder = Holder {
            name: Text::clean(name),
            id: Ident::new(&format!("{host}/{name}")),
            app_id: None,
            team_tags: Box::default(),
            enabled: true,
            owners: None,
        };
        Some(Credential {
            id: self.collection.credential_id(host, name),
            source: source.clone(),
            kind: self.collection.kind(),
            holder: Arc::new(holder),
            label: version.id,
            not_before: version.nbf.map(instant),
            expires_at: version.exp.map(instant).filter(|end| !is_never(*end)),
            enabled: true,
            in_use: false,
            x509: None,
            trouble: None,
            mark: version.mark.or_else(of_entry).map(Box::new),
        })
    }
}

fn keep_newest(kept: &mut Option<Version>, version: &Version) {
    if kept.as_ref().is_none_or(|kept| version.is_newer_than(kept)) {
        *kept = Some(version.clone());
    }
}

/// Unix seconds; what no calendar holds is its first or last instant.
fn instant(seconds: i64) -> Timestamp {
    let clamped = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(clamped).unwrap_or(Timestamp::MAX)
}

/// An end in this year or later is what people write for "never".
fn is_never(end: Timestamp) -> bool {
    end.to_zoned(jiff::tz::TimeZone::UTC).year() >= Credential::NEVER_FROM_YEAR
}

/// What an id names.
struct Named {
    name: String,
    version: Option<String>,
}

impl Named {
    /// From `https://<vault>/<collection>/<name>[/<version>]`. The host is not looked at: a vault may be reached by another name.
    fn read(item: &Item<'_>, collection: Collection) -> Result<Self, String> {
        let wanted = collection.as_str();
        let url = Url::parse(&item.id).ok();
        let path = url.as_ref().and_then(Url::path_segments);
        let mut path = path.into_iter().flatten().skip_while(|part| !part.eq_ignore_ascii_case(wanted)).skip(1);
        let name = path.next().filter(|name| is_name(name));
        let version = path.next().filter(|version| !version.is_empty()).map(str::to_owned);
        match (name, path.next()) {
            (Some(name), None) => Ok(Self { name: name.to_owned(), version }),
            _ => Err(format!("it lists something whose id names none of the vault's {wanted}")),
        }
    }
}

/// As Key Vault allows them.
fn is_name(name: &str) -> bool {
    (1..=127).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::super::page;
    use super::*;

    fn entries(collection: Collection, items: &str) -> Result<Vec<Entry>, String> {
        let body = format!(r#"{{"value":[{items}]}}"#);
        let mut entries = Entries::new(collection);
        page::read(body.as_bytes()).unwrap().0.iter().try_for_each(|item| entries.add(item))?;
        Ok(entries.list)
    }

    fn folded(entry: &str, versions: &str) -> Result<Option<Credential>, String> {
        let entries = entries(Collection::Secrets, entry)?;
        let body = format!(r#"{{"value":[{versions}]}}"#);
        let mut folded = Versions::of(Collection::Secrets, &entries[0]);
        page::read(body.as_bytes()).unwrap().0.iter().try_for_each(|item| folded.add(item))?;
        Ok(folded.credential(&SourceName::new("vault"), "kv.vault.azure.net"))
    }

    const ENTRY: &str = r#"{"id":"https://kv/secrets/api"}"#;

    fn version(id: &str, attributes: &str) -> String {
        format!(r#"{{"id":"https://kv.vault.azure.net/secrets/api/{id}","attributes":{{{attributes}}}}}"#)
    }

    #[test]
    fn the_newest_enabled_version_is_the_credential_whatever_the_order() {
        let old = version("old", r#""enabled":true,"created":100,"exp":1769932800"#);
        let new = version("new", r#""enabled":true,"created":200,"nbf":1768464764,"exp":1831536764"#);
        let off = version("off", r#""enabled":false,"created":300,"exp":1900000000"#);
        for versions in [[&old, &new, &off], [&off, &new, &old], [&new, &old, &off]] {
            let versions = versions.map(String::as_str).join(",");
            let credential = folded(ENTRY, &versions).unwrap().unwrap();
            assert_eq!(credential.id.to_string(), "key_vault:secret:kv.vault.azure.net/api");
            assert_eq!((credential.label.as_str(), credential.kind), ("new", Kind::VaultSecret));
            assert_eq!(credential.holder.id.to_string(), "kv.vault.azure.net/api");
            assert_eq!(credential.holder.name.as_str(), "api");
            assert_eq!(credential.not_before.unwrap().to_string(), "2026-01-15T08:12:44Z");
            assert_eq!(credential.expires_at.unwrap().to_string(), "2028-01-15T08:12:44Z");
        }
        assert_eq!(folded(ENTRY, &off).unwrap(), None, "switched off altogether");
        assert_eq!(folded(ENTRY, "").unwrap(), None);
    }

    #[test]
    fn of_two_made_in_one_second_the_longer_lived_counts_and_one_without_a_birthday_is_the_oldest() {
        let label = |a: &str, b: &str| {
            let both = [version("a", a), version("b", b)];
            let [one, other] = [0, 1].map(|first: usize| {
                let versions = format!("{},{}", both[first], both[1 - first]);
                folded(ENTRY, &versions).unwrap().unwrap().label.to_string()
            });
            assert_eq!(one, other);
            one
        };
        assert_eq!(label(r#""created":5,"exp":20"#, r#""created":5,"exp":10"#), "a");
        assert_eq!(label(r#""created":5"#, r#""created":5,"exp":10"#), "a");
        assert_eq!(label(r#""exp":20"#, r#""created":5,"exp":10"#), "b");
        assert_eq!(label("", ""), "b");
    }

    #[test]
    fn dates_may_be_absent_never_or_outside_every_calendar() {
        for (attributes, begins, ends) in [
            ("", None, None),
            (r#""nbf":0,"exp":7258118399"#, Some("1970-01-01T00:00:00Z"), Some("2199-12-31T23:59:59Z")),
            (r#""exp":7258118400"#, None, None),
            (r#""exp":9223372036854775807"#, None, None),
            (r#""exp":-9223372036854775808"#, None, Some("-009999-01-02T01:59:59Z")),
            (r#""nbf":253402300800"#, Some("9999-12-30T22:00:00.999999999Z"), None),
        ] {
            let credential = folded(ENTRY, &version("v", attributes)).unwrap().unwrap();
            let said = |at: Option<Timestamp>| at.map(|at| at.to_string());
            assert_eq!(said(credential.expires_at).as_deref(), ends, "{attributes}");
            let begins = begins.map(|begins| begins.parse::<Timestamp>().unwrap().as_second());
            assert_eq!(credential.not_before.map(Timestamp::as_second), begins, "{attributes}");
        }
    }

    #[test]
    fn what_stands_behind_a_certificate_is_left_out_and_nothing_counts_twice() {
        let list = entries(
            Collection::Secrets,
            r#"{"id":"https://kv/secrets/a"},{"id":"https://kv/secrets/behind","managed":true},{"id":"https://kv/secrets/A"},
               {"id":"https://kv:443/secrets/secrets"}"#,
        );
        let names: Vec<String> = list.unwrap().iter().map(|entry| entry.name.to_string()).collect();
        assert_eq!(names, ["a", "secrets"]);
        let managed = version("v", r#""created":1"#).replace(r#""attributes""#, r#""managed":true,"attributes""#);
        assert_eq!(folded(ENTRY, &managed).unwrap(), None);
    }

    #[test]
    fn an_id_that_names_nothing_fails_the_listing() {
        for id in [
            "",
            "api",
            "https://kv/secrets",
            "https://kv/secrets/",
            "https://kv/keys/api",
            "https://kv/secrets/a%2fb",
            "https://kv/secrets/a b",
            "https://kv/secrets/..",
            "https://kv/secrets/api/v/more",
            &format!("https://kv/secrets/{}", "a".repeat(128)),
        ] {
            let said = entries(Collection::Secrets, &format!(r#"{{"id":"{id}"}}"#)).unwrap_err();
            assert!(said.contains("none of the vault's secrets"), "{id}: {said}");
        }
        for id in ["https://kv/secrets/api", "https://kv/secrets/other/v"] {
            assert!(folded(ENTRY, &format!(r#"{{"id":"{id}"}}"#)).unwrap_err().contains("no version of api"), "{id}");
        }
    }

    #[test]
    fn the_versions_own_mark_counts_and_the_entrys_only_where_it_is_the_same_version() {
        const KEY: &str = "52e98664-a50b-5791-82c6-49d4e5e72bcc";
        const OTHER: &str = "5b23319b-ff43-53d0-b706-2e32f9e97469";
        let marked = |item: &str, key: &str| item.replacen('{', &format!(r#"{{"tags":{{"keyId":"{key}"}},"#), 1);
        let (entry, on) = (marked(ENTRY, KEY), version("on", r#""created":1"#));
        let off = version("off", r#""created":2,"enabled":false"#);
        let key = |versions: &str| {
            folded(&entry, versions).unwrap().unwrap().mark.map(|mark| mark.key_id.unwrap().to_string())
        };
        assert_eq!(key(&on).as_deref(), Some(KEY));
        assert_eq!(key(&marked(&on, OTHER)).as_deref(), Some(OTHER));
        assert_eq!(key(&format!("{on},{off}")), None, "the entry speaks of the version that is off");
    }
}
