//! The simulated Azure key vault: secrets and certificates with their versions, below the tenant's own address.
//!
//! A [`Vault`] is a handle; its clones share one content, and every change shows in the next answer. It is as strict as the real
//! one: a token for vaults, an `api-version`, pages of at most 25, links with the port written out. It lets nobody read a value,
//! and remembers who tried.

use super::answers;
use super::faults::Fault;
use super::graph::Site;
use super::sign_in::VAULTS;
use super::traffic::Traffic;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::form_urlencoded;

/// The most items that a page can hold.
const LARGEST_PAGE: usize = 25;

/// What is kept under a name at a time.
#[derive(Clone, Debug)]
pub struct Version {
    id: String,
    enabled: bool,
    created: i64,
    nbf: Option<i64>,
    exp: Option<i64>,
    content_type: Option<String>,
    tags: Vec<(String, String)>,
}

impl Version {
    /// Put there at that time; without dates until they are given.
    #[must_use]
    pub fn created(at: Timestamp) -> Self {
        let created = at.as_second();
        Self { id: String::new(), enabled: true, created, nbf: None, exp: None, content_type: None, tags: Vec::new() }
    }

    #[must_use]
    pub fn from(self, start: Timestamp) -> Self {
        Self { nbf: Some(start.as_second()), ..self }
    }

    #[must_use]
    pub fn until(self, end: Timestamp) -> Self {
        Self { exp: Some(end.as_second()), ..self }
    }

    #[must_use]
    pub fn disabled(self) -> Self {
        Self { enabled: false, ..self }
    }

    #[must_use]
    pub fn content_type(self, text: &str) -> Self {
        Self { content_type: Some(text.to_owned()), ..self }
    }

    #[must_use]
    pub fn tag(mut self, name: &str, value: &str) -> Self {
        self.tags.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As it stands in a list. What is not known is left out.
    fn json(&self, id: String) -> Value {
        let mut attributes = json!({
            "enabled": self.enabled,
            "created": self.created,
            "updated": self.created,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        });
        for (name, date) in [("nbf", self.nbf), ("exp", self.exp)] {
            if let Some(date) = date {
                attributes[name] = date.into();
            }
        }
        let mut item = json!({ "id": id, "attributes": attributes });
        if let Some(content_type) = &self.content_type {
            item["contentType"] = content_type.clone().into();
        }
        if !self.tags.is_empty() {
            item["tags"] = self.tags.iter().cloned().collect::<BTreeMap<_, _>>().into_iter().collect();
        }
        item
    }
}

/// A handle on the vault; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Vault(Arc<Mutex<Content>>);

#[derive(Debug)]
struct Content {
    /// By collection and name; the versions in the order in which they were put there.
    entries: BTreeMap<(&'static str, String), Vec<Version>>,
    page: usize,
    faults: VecDeque<Fault>,
    /// What stands at a path until it is taken back.
    standing: HashMap<String, Fault>,
}

impl Default for Content {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), page: LARGEST_PAGE, faults: VecDeque::new(), standing: HashMap::new() }
    }
}

const SECRETS: &str = "secrets";
const CERTIFICATES: &str = "certificates";

impl Vault {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a new version under the name of a secret.
    pub fn secret(&self, name: &str, version: Version) {
        self.put(SECRETS, name, version);
    }

    /// Puts a new version under the name of a certificate. As in the real place, a managed secret of that name is listed with it.
    pub fn certificate(&self, name: &str, version: Version) {
        self.put(CERTIFICATES, name, version);
    }

    fn put(&self, collection: &'static str, name: &str, version: Version) {
        let mut content = self.content();
        let versions = content.entries.entry((collection, name.to_owned())).or_default();
        let digest = super::directory::digest(&[collection, name, &versions.len().to_string()]);
        let id = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        versions.push(Version { id, ..version });
    }

    /// Deletes whatever has the name.
    pub fn remove(&self, name: &str) {
        self.content().entries.retain(|(_, known), _| known != name);
    }

    /// The most items a page, whatever is asked for.
    pub fn page_size(&self, most: usize) {
        self.content().page = most.clamp(1, LARGEST_PAGE);
    }

    /// The next request meets this, after what is queued already. Refusals are told in the vault's words.
    pub fn next(&self, fault: Fault) {
        self.content().faults.push_back(fault);
    }

    /// Every request for this path, such as `/certificates`, meets this until [`Vault::heal`].
    pub fn always(&self, path: &str, fault: Fault) {
        self.content().standing.insert(path.to_owned(), fault);
    }

    /// Takes back whatever stands or is queued.
    pub fn heal(&self) {
        let mut content = self.content();
        content.faults.clear();
        content.standing.clear();
    }
}

impl Content {
    fn meet(&mut self, path: &str) -> Option<Fault> {
        let queued = self.faults.pop_front();
        queued.or_else(|| self.standing.get(path).cloned()).filter(|fault| *fault != Fault::Pass)
    }

    /// The items of a collection: one a name, described as its newest version is.
    fn entries(&self, collection: &str, base: &str) -> Vec<Value> {
        let mut items = Vec::new();
        for ((kept_in, name), versions) in &self.entries {
            let Some(newest) = versions.iter().max_by_key(|version| version.created) else { continue };
            let mut item = newest.json(format!("{base}/{collection}/{name}"));
            match (collection, *kept_in) {
                (SECRETS, SECRETS) => {}
                (SECRETS, _) => {
                    item["managed"] = true.into();
                    item["contentType"] = "application/x-pkcs12".into();
                }
                (_, CERTIFICATES) => {
                    item["x5t"] = "YsSDIFWpW_UlgVHTgSFA6kbGUo8".into();
                    item["subject"] = "".into();
                }
                _ => continue,
            }
            items.push(item);
        }
        items
    }

    /// The versions of an entry, in the order of their ids, which is no order of time.
    fn versions(&self, collection: &str, name: &str, base: &str) -> Option<Vec<Value>> {
        let found = self.entries.iter().find(|((kept_in, known), _)| *kept_in == collection && known == name)?;
        let mut versions = found.1.clone();
        versions.sort_by(|a, b| a.id.cmp(&b.id));
        let item = |version: &Version| version.json(format!("{base}/{collection}/{name}/{}", version.id));
        Some(versions.iter().map(item).collect())
    }
}

/// Everything that the vault's answers need.
#[derive(Clone)]
pub(super) struct Desk {
    pub vault: Vault,
    pub site: Arc<Site>,
    pub traffic: Arc<Traffic>,
    /// Requests that would have been answered with a value.
    pub values: Arc<Traffic>,
    pub base: String,
}

pub(super) fn router(desk: Desk) -> Router {
    let mut router = Router::new();
    for collection in [SECRETS, CERTIFICATES] {
        let list = move |State(desk): State<Desk>, uri: Uri, headers: HeaderMap| async move {
            desk.answer(&uri, &headers, |content| Some(content.entries(collection, &desk.base))).await
        };
        let versions = move |State(desk): State<Desk>, Path(name): Path<String>, uri: Uri, headers: HeaderMap| async move {
            desk.answer(&uri, &headers, |content| content.versions(collection, &name, &desk.base)).await
        };
        router = router
            .route(&format!("/{collection}"), get(list))
            .route(&format!("/{collection}/{{name}}/versions"), get(versions))
            .route(&format!("/{collection}/{{name}}"), get(value))
            .route(&format!("/{collection}/{{name}}/{{version}}"), get(value));
    }
    router.with_state(desk)
}

/// Nobody may read a value here.
async fn value(State(desk): State<Desk>, uri: Uri) -> Response {
    let _seen = (desk.traffic.enter(&uri), desk.values.enter(&uri));
    refusal(403, "ForbiddenByRbac")
}

impl Desk {
    async fn answer(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        items: impl FnOnce(&Content) -> Option<Vec<Value>>,
    ) -> Response {
        let _seen = self.traffic.enter(uri);
        if let Err(what) = self.site.tokens.check(headers, &VAULTS) {
            self.traffic.wrong_token(uri, what);
            return unauthorized(&format!("AKV10000: {what}"));
        }
        let query: HashMap<_, _> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let asked = query.get("maxresults").map_or(Some(LARGEST_PAGE), |most| most.parse().ok());
        let Some(most) = asked.filter(|most| (1..=LARGEST_PAGE).contains(most)) else {
            return refusal(400, "BadParameter");
        };
        if query.get("api-version").is_none_or(|version| version != "7.4") {
            return refusal(400, "MissingApiVersionParameter");
        }
        let fault = self.vault.content().meet(uri.path());
        let fault = answers::get_through(fault).await;
        let page = {
            let content = self.vault.content();
            items(&content)
                .map(|items| self.page(&items, uri.path(), most, most.min(content.page), &query, fault.as_ref()))
        };
        let Some(page) = page else { return refusal(404, "SecretNotFound") };
        match fault {
            None | Some(Fault::EmptyPage | Fault::NextLinkTo(_)) => axum::Json(page).into_response(),
            Some(Fault::TooManyRequests { retry_after }) => throttled(retry_after),
            Some(Fault::Denied) => refusal(403, "ForbiddenByRbac"),
            Some(Fault::Unauthorized) => unauthorized("AKV10001: refused by the script."),
            Some(Fault::Refusal { status, code }) => refusal(status, code),
            Some(other) => answers::broken(&other, page.to_string().into_bytes()),
        }
    }

    /// A page and the way to the next; on the last one the link is null.
    fn page(
        &self,
        items: &[Value],
        path: &str,
        asked: usize,
        most: usize,
        query: &HashMap<String, String>,
        fault: Option<&Fault>,
    ) -> Value {
        let from =
            query.get("$skiptoken").and_then(|token| token.strip_prefix(TOKEN_PREFIX)?.parse().ok()).unwrap_or(0);
        let shown = if fault == Some(&Fault::EmptyPage) { 0 } else { most };
        let value: Vec<&Value> = items.iter().skip(from).take(shown).collect();
        let to = from + value.len();
        let link =
            |host: &str| format!("{host}{path}?api-version=7.4&$skiptoken={TOKEN_PREFIX}{to}&maxresults={asked}");
        let next = match fault {
            Some(Fault::NextLinkTo(host)) => Some(link(host)),
            _ => (to < items.len()).then(|| link(&self.base)),
        };
        json!({ "value": value, "nextLink": next })
    }
}

/// What a page token begins with; it means nothing to a client.
const TOKEN_PREFIX: &str = "eyJOZXh0TWFya2VyIjoi";

fn throttled(retry_after: Option<u32>) -> Response {
    let mut response = refusal(429, "Throttled");
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn unauthorized(message: &str) -> Response {
    let challenge =
        "Bearer authorization=\"https://login.microsoftonline.com/common\", resource=\"https://vault.azure.net\"";
    let body = json!({ "error": { "code": "Unauthorized", "message": message } });
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], axum::Json(body)).into_response()
}

/// The vault's envelope for errors: what is forbidden says why within.
fn refusal(status: u16, code: &str) -> Response {
    let message = "Refused by the simulated vault.";
    let error = match status {
        403 => json!({ "code": "Forbidden", "message": message, "innererror": { "code": code } }),
        _ => json!({ "code": code, "message": message }),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = uuid::Uuid::new_v4().to_string();
    (status, [("x-ms-request-id", id)], axum::Json(json!({ "error": error }))).into_response()
}
