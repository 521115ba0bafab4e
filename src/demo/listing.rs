//! The directory cut into pages, as Microsoft Graph prints them.
//!
//! A page is rendered once and kept until the directory changes, plain and compressed, so that a listing of 100,000 applications
//! costs no more than handing out bytes. Refuses to know who may ask.

use super::credentials::{Certificate, Moment, Secret};
use super::directory::{Collection, Content, Directory, Record};
use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::HashMap;
use std::io::Write;
use std::ops::Bound;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use url::form_urlencoded;

/// The page size where none is asked for, and the most that may be asked for.
const DEFAULT_TOP: usize = 100;
const LARGEST_TOP: usize = 999;
/// How many rendered pages are kept; enough for 100,000 objects of both collections at the largest page size.
const MOST_KEPT: usize = 400;
/// What a page token begins with; the rest names the last object of the page before.
const TOKEN_PREFIX: &str = "RFNwdAIAAQAAAC";

/// What is asked of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Query {
    pub collection: Collection,
    top: usize,
    /// The properties asked for; none = all.
    select: Vec<String>,
    after: Option<String>,
}

/// Why a query cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadQuery {
    Top,
    Token,
}

impl Query {
    pub fn parse(collection: Collection, query: &str) -> Result<Self, BadQuery> {
        let mut parsed = Self { collection, top: DEFAULT_TOP, select: Vec::new(), after: None };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "$top" => {
                    let top = value.parse().ok().filter(|top| (1..=LARGEST_TOP).contains(top));
                    parsed.top = top.ok_or(BadQuery::Top)?;
                }
                "$select" => parsed.select = value.split(',').map(|name| name.trim().to_owned()).collect(),
                "$skiptoken" => {
                    let after = value.strip_prefix(TOKEN_PREFIX).ok_or(BadQuery::Token)?;
                    parsed.after = Some(after.to_owned());
                }
                _ => {}
            }
        }
        Ok(parsed)
    }

    fn wants(&self, property: &str) -> bool {
        self.select.is_empty() || self.select.iter().any(|name| name == property)
    }

    /// The address of the page that follows the object `last`: absolute, and with a token that means nothing to a client.
    fn next_link(&self, base: &str, last: &str) -> String {
        let mut link = format!("{base}/v1.0/{}?", self.collection.as_str());
        if !self.select.is_empty() {
            link += &format!("$select={}&", self.select.join("%2c"));
        }
        link + &format!("$top={}&$skiptoken={TOKEN_PREFIX}{last}", self.top)
    }
}

/// A rendered page.
pub(super) struct Page {
    pub body: Bytes,
    compressed: OnceLock<Bytes>,
}

impl Page {
    fn new(body: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { body: body.into(), compressed: OnceLock::new() })
    }

    pub fn compressed(&self) -> Bytes {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing into a vector has nothing that could fail; were it to, the page would go out empty and be noticed.
            let _ = encoder.write_all(&self.body);
            encoder.finish().unwrap_or_default().into()
        };
        self.compressed.get_or_init(compress).clone()
    }
}

/// The pages of a directory as they stand at one version of it.
pub(super) struct Listing {
    directory: Directory,
    /// What absolute links begin with.
    base: String,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    version: u64,
    pages: HashMap<Query, Arc<Page>>,
}

impl Listing {
    pub fn new(directory: Directory, base: String) -> Self {
        Self { directory, base, kept: Mutex::default() }
    }

    pub fn page(&self, query: &Query) -> Arc<Page> {
        let content = self.directory.content();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let full = kept.pages.len() >= MOST_KEPT && !kept.pages.contains_key(query);
        if full || kept.version != content.version {
            *kept = Kept { version: content.version, pages: HashMap::new() };
        }
        let render = || Page::new(self.render(&content, query));
        kept.pages.entry(query.clone()).or_insert_with(render).clone()
    }

    /// A page without an object that nevertheless leads on to where this query stands.
    pub fn empty_page(&self, query: &Query) -> Vec<u8> {
        let next = query.next_link(&self.base, query.after.as_deref().unwrap_or("00000000"));
        self.envelope(query, Some(&next), &[])
    }

    /// The page with its link turned to another host; the last page gets one too.
    pub fn page_leading_to(&self, query: &Query, base: &str) -> Vec<u8> {
        let content = self.directory.content();
        let (records, last) = on_page(&content, query);
        self.envelope(query, Some(&query.next_link(base, last.unwrap_or("00000000"))), &records)
    }

    fn render(&self, content: &Content, query: &Query) -> Vec<u8> {
        let (records, last) = on_page(content, query);
        let next = last.map(|last| query.next_link(&self.base, last));
        self.envelope(query, next.as_deref(), &records)
    }

    fn envelope(&self, query: &Query, next: Option<&str>, records: &[&Record]) -> Vec<u8> {
        let selected = if query.select.is_empty() { String::new() } else { format!("({})", query.select.join(",")) };
        let context = format!("{}/v1.0/$metadata#{}{selected}", self.base, query.collection.as_str());
        let rows: Vec<Row> = records.iter().map(|record| Row { record, query }).collect();
        serde_json::to_vec(&Envelope { context: &context, next, value: &rows }).unwrap_or_default()
    }
}

/// The objects of a page, and the last one's id where others follow.
fn on_page<'a>(content: &'a Content, query: &Query) -> (Vec<&'a Record>, Option<&'a str>) {
    let from = query.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut following =
        content.of(query.collection).range::<str, _>((from, Bound::Unbounded)).map(|(_, record)| record);
    let records: Vec<&Record> = following.by_ref().take(query.top).collect();
    let last = records.last().map(|record| record.id.as_str());
    let more = following.next().is_some();
    (records, last.filter(|_| more))
}

#[derive(serde::Serialize)]
struct Envelope<'a> {
    #[serde(rename = "@odata.context")]
    context: &'a str,
    #[serde(rename = "@odata.nextLink", skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    value: &'a [Row<'a>],
}

/// One object, cut down to what was asked for.
struct Row<'a> {
    record: &'a Record,
    query: &'a Query,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = Fields { map: serializer.serialize_map(None)?, query: self.query };
        let record = self.record;
        map.put("id", &record.id)?;
        map.put("appId", &record.app_id)?;
        map.put("displayName", &record.name)?;
        map.put("createdDateTime", "2023-03-14T09:26:53Z")?;
        map.put("signInAudience", "AzureADMyOrg")?;
        map.put("notes", &None::<&str>)?;
        map.put("tags", &record.tags)?;
        match self.query.collection {
            Collection::Applications => map.put("serviceManagementReference", &None::<&str>)?,
            Collection::ServicePrincipals => map.principal(record)?,
        }
        let secrets: Vec<_> = record.secrets.iter().map(Secret::json).collect();
        let certificates: Vec<_> = record.certificates.iter().map(Certificate::json).collect();
        map.put("passwordCredentials", &secrets)?;
        map.put("keyCredentials", &certificates)?;
        map.map.end()
    }
}

struct Fields<'a, M> {
    map: M,
    query: &'a Query,
}

impl<M: SerializeMap> Fields<'_, M> {
    fn put(&mut self, property: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), M::Error> {
        if self.query.wants(property) { self.map.serialize_entry(property, value) } else { Ok(()) }
    }

    fn principal(&mut self, record: &Record) -> Result<(), M::Error> {
        self.put("deletedDateTime", &None::<&str>)?;
        self.put("accountEnabled", &record.enabled)?;
        self.put("appDisplayName", &record.name)?;
        self.put("appOwnerOrganizationId", &record.owner)?;
        self.put("servicePrincipalType", record.principal_type.as_str())?;
        self.put("notificationEmailAddresses", &[""; 0])?;
        self.put("preferredSingleSignOnMode", &record.saml.then_some("saml"))?;
        self.put("preferredTokenSigningKeyThumbprint", &record.signing_thumbprint)?;
        self.put("preferredTokenSigningKeyEndDateTime", &record.signing_end.as_ref().map(Moment::as_str))
    }
}
