//! The simulated directory: who is in it, and what they hold.
//!
//! A [`Directory`] is a handle; its clones share one content, and every change shows in the next answer, so that a test can tell a
//! life story. Refuses to know how a listing is cut into pages.

use super::credentials::{Certificate, Moment, Secret};
use super::entry::Entry;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The organisation that the directory belongs to.
pub const HOME: &str = "953fc14a-00c7-4452-a2fb-0a73070de7f3";
/// One of the organisations that Microsoft's own applications belong to.
pub const MICROSOFT: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";

/// The two collections that are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Collection {
    Applications,
    ServicePrincipals,
}

impl Collection {
    pub const ALL: [Self; 2] = [Self::Applications, Self::ServicePrincipals];

    /// As its address spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applications => "applications",
            Self::ServicePrincipals => "servicePrincipals",
        }
    }
}

/// What a principal is, in the directory's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalType {
    Application,
    ManagedIdentity,
    Legacy,
    SocialIdp,
}

impl PrincipalType {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::ManagedIdentity => "ManagedIdentity",
            Self::Legacy => "Legacy",
            Self::SocialIdp => "SocialIdp",
        }
    }
}

/// Somebody, or something, that owns an object.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    Person { mail: Option<String> },
    Principal,
}

/// An application or a principal as it stands.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub id: String,
    pub app_id: String,
    pub name: Option<String>,
    pub tags: Vec<String>,
    pub secrets: Vec<Secret>,
    pub certificates: Vec<Certificate>,
    pub enabled: bool,
    pub principal_type: PrincipalType,
    /// The organisation that it belongs to.
    pub owner: Option<String>,
    /// Who is responsible for it, as the directory's people wrote it down.
    pub owners: Vec<Owner>,
    pub saml: bool,
    pub signing_end: Option<Moment>,
    pub signing_thumbprint: Option<String>,
}

impl Record {
    fn named(name: &str, id: String, app_id: String) -> Self {
        Self {
            id,
            app_id,
            name: Some(name.to_owned()),
            tags: Vec::new(),
            secrets: Vec::new(),
            certificates: Vec::new(),
            enabled: true,
            principal_type: PrincipalType::Application,
            owner: Some(HOME.to_owned()),
            owners: Vec::new(),
            saml: false,
            signing_end: None,
            signing_thumbprint: None,
        }
    }

    pub fn push_secret(&mut self, secret: Secret) {
        let made_up = made_up_id(&[&self.id, "secret", &self.secrets.len().to_string()]);
        self.secrets.push(if secret.key_id.is_none() { secret.key_id(&made_up) } else { secret });
    }

    pub fn push_certificate(&mut self, certificate: Certificate) {
        let made_up = made_up_id(&[&self.id, "certificate", &self.certificates.len().to_string()]);
        let named = certificate.key_id.is_some();
        self.certificates.push(if named { certificate } else { certificate.key_id(&made_up) });
    }
}

/// The content, and a number that changes with it.
#[derive(Default)]
pub(super) struct Content {
    records: [BTreeMap<String, Record>; 2],
    pub version: u64,
    made: u64,
}

impl Content {
    pub fn of(&self, collection: Collection) -> &BTreeMap<String, Record> {
        &self.records[collection as usize]
    }

    pub fn of_mut(&mut self, collection: Collection) -> &mut BTreeMap<String, Record> {
        self.version += 1;
        &mut self.records[collection as usize]
    }

    pub fn insert(&mut self, collection: Collection, record: Record) {
        self.of_mut(collection).insert(record.id.clone(), record);
    }

    /// A number of its own for each thing made, so that equal names get different ids.
    fn next(&mut self) -> String {
        self.made += 1;
        self.made.to_string()
    }
}

/// A handle on the simulated directory; clones share it.
#[derive(Clone, Default)]
pub struct Directory(Arc<Mutex<Content>>);

impl Directory {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers an application, with made-up ids until others are given.
    pub fn application(&self, name: &str) -> Entry {
        self.register(Collection::Applications, name)
    }

    /// Adds a service principal that has no application here.
    pub fn service_principal(&self, name: &str) -> Entry {
        self.register(Collection::ServicePrincipals, name)
    }

    fn register(&self, collection: Collection, name: &str) -> Entry {
        let mut content = self.content();
        let serial = content.next();
        let id = made_up_id(&[collection.as_str(), name, &serial]);
        content.insert(collection, Record::named(name, id.clone(), made_up_id(&["app", name, &serial])));
        Entry::of(self.clone(), collection, id)
    }

    /// The application of that application id, object id or (if it is the only one) name.
    ///
    /// # Panics
    /// When there is none, or more than one: a slip in a test's script must not pass in silence.
    #[must_use]
    pub fn find_application(&self, wanted: &str) -> Entry {
        self.find(Collection::Applications, wanted)
    }

    /// The service principal of that application id, object id or (if it is the only one) name.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use]
    pub fn find_principal(&self, wanted: &str) -> Entry {
        self.find(Collection::ServicePrincipals, wanted)
    }

    fn find(&self, collection: Collection, wanted: &str) -> Entry {
        let content = self.content();
        let is_wanted =
            |record: &&Record| record.app_id == wanted || record.id == wanted || record.name.as_deref() == Some(wanted);
        let found: Vec<&Record> = content.of(collection).values().filter(is_wanted).collect();
        match found.as_slice() {
            [record] => Entry::of(self.clone(), collection, record.id.clone()),
            _ => panic!("{} {} in the simulated directory are called {wanted:?}", found.len(), collection.as_str()),
        }
    }

    /// Adds a secret to the application of that application id or name.
    ///
    /// # Panics
    /// When there is no such application.
    pub fn add_secret(&self, application: &str, secret: Secret) {
        self.find_application(application).secret(secret);
    }

    /// # Panics
    /// When there is no such application, or it has no such secret.
    pub fn remove_secret(&self, application: &str, key_id: &str) {
        self.find_application(application).remove_secret(key_id);
    }

    /// Removes an application and the principals that stand for it.
    ///
    /// # Panics
    /// When there is no such application.
    pub fn remove_application(&self, application: &str) {
        let entry = self.find_application(application);
        let mut content = self.content();
        let removed = content.of_mut(Collection::Applications).remove(entry.object_id());
        content
            .of_mut(Collection::ServicePrincipals)
            .retain(|_, principal| removed.as_ref().is_none_or(|gone| gone.app_id != principal.app_id));
    }

    /// Adds `count` generated applications whose dates lie around `now`: most with one secret, every third with two, every fifth
    /// with a certificate. The same every time.
    pub fn fill(&self, count: u32, now: Timestamp) {
        let mut content = self.content();
        for n in 0..count {
            content.insert(Collection::Applications, generated(n, now));
        }
    }

    /// How many stand in a collection.
    #[must_use]
    pub fn count(&self, collection: Collection) -> usize {
        self.content().of(collection).len()
    }

    /// Every hint that the listings show. None may appear in anything that we write.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let content = self.content();
        let records = Collection::ALL.into_iter().flat_map(|collection| content.of(collection).values());
        records.flat_map(|record| record.secrets.iter().filter_map(Secret::hint_shown)).collect()
    }
}

fn generated(n: u32, now: Timestamp) -> Record {
    let number = n.to_string();
    let id = made_up_id(&["generated", &number]);
    let mut record =
        Record::named(&format!("generated-application-{n:06}"), id, made_up_id(&["generated-app", &number]));
    // About as many bytes as a real one has.
    record.tags = vec![
        "WindowsAzureActiveDirectoryIntegratedApp".to_owned(),
        format!("costcentre:4711-{n:06}"),
        "contact:platform-operations@example.ca".to_owned(),
    ];
    if n.is_multiple_of(4) {
        record.tags.push(format!("team:team{}", n % 40));
    }
    let day = |days: u32| SignedDuration::from_hours(24 * i64::from(days));
    let end = now + day(n * 37 % 700) - day(30) + SignedDuration::from_nanos(i64::from(n % 2) * 123_456_700);
    record.push_secret(Secret::labelled("client secret").from(end - day(730)).until(end));
    if n.is_multiple_of(3) {
        let later = end + day(180);
        record.push_secret(Secret::labelled("client secret, next").from(later - day(730)).until(later));
    }
    if n.is_multiple_of(5) {
        let certificate = Certificate::labelled(&format!("CN=generated-{n:06}"));
        record.push_certificate(certificate.from(end - day(730)).until(end));
    }
    record
}

/// Sixteen bytes that depend on all of `parts` and on nothing else (FNV-1a; nothing here needs to withstand anybody).
pub(super) fn digest(parts: &[&str]) -> [u8; 16] {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0xFF])) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    }
    // The last bytes fed in have hardly reached the upper half yet.
    (hash ^ hash.rotate_left(61)).wrapping_mul(PRIME).rotate_left(29).to_be_bytes()
}

/// An id that is the same in every run.
pub(super) fn made_up_id(parts: &[&str]) -> String {
    uuid::Builder::from_random_bytes(digest(parts)).into_uuid().to_string()
}
