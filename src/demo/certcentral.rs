//! The simulated DigiCert CertCentral (Services API v2): orders and their certificates, below `/services/v2`.
//!
//! A [`CertCentral`] is a handle; its clones share one account, and every change shows in the next answer. It has the real one's
//! habits: fields that are a string here and a number there, pending orders without dates, a count of orders that may say anything,
//! and a key in a header of its own.

use super::answers;
use super::faults::Fault;
use super::traffic::Traffic;
use crate::clock::Clock;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::form_urlencoded;

/// The key that the account takes until it is given another. No real one.
pub const DEFAULT_KEY: &str = "SIMULATED-CERTCENTRAL-KEY-0123456789ABCDEF";

/// How many requests a key is good for, in which time.
const ALLOWANCES: [(usize, SignedDuration); 2] =
    [(100, SignedDuration::from_secs(5)), (1000, SignedDuration::from_secs(180))];

/// The most orders that a page can hold.
const LARGEST_PAGE: usize = 1000;

/// A certificate of the account, as the authority knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    pub order: u64,
    pub id: u64,
    /// The common name first.
    pub names: Vec<String>,
    /// Upper-case hexadecimal, a leading zero nibble kept.
    pub serial: String,
    /// SHA-1 over the DER, upper-case hexadecimal, where it is known.
    pub thumbprint: Option<String>,
    pub valid_from: Date,
    /// The last day on which it is valid.
    pub valid_till: Date,
}

impl Issued {
    /// A certificate with a serial number that follows from its id.
    #[must_use]
    pub fn new(order: u64, id: u64, name: &str, valid_from: Date, valid_till: Date) -> Self {
        let digest = super::directory::digest(&[&id.to_string(), "serial"]);
        // The first nibble is a zero, which must be neither lost nor counted.
        let serial = format!("0{}", digest.iter().take(16).map(|byte| format!("{byte:02X}")).collect::<String>());
        let serial = serial.get(..32).unwrap_or(&serial).to_owned();
        Self { order, id, names: vec![name.to_owned()], serial, thumbprint: None, valid_from, valid_till }
    }
}

/// What an order is beside its certificates.
#[derive(Clone, Debug)]
pub struct Order {
    pub status: String,
    pub product: String,
    /// The day on which what was paid for ends; that of the certificate where none is given.
    pub valid_till: Option<Date>,
    pub is_renewed: bool,
    /// None = nothing has been issued yet.
    primary: Option<Issued>,
    duplicates: Vec<Issued>,
    reissued: Vec<Issued>,
}

impl Order {
    /// An order that was issued this certificate.
    #[must_use]
    pub fn of(primary: Issued) -> Self {
        Self { primary: Some(primary), status: "issued".to_owned(), ..Self::pending() }
    }

    /// An order that waits for its certificate.
    #[must_use]
    pub fn pending() -> Self {
        Self {
            status: "pending".to_owned(),
            product: "Secure Site OV".to_owned(),
            valid_till: None,
            is_renewed: false,
            primary: None,
            duplicates: Vec::new(),
            reissued: Vec::new(),
        }
    }

    #[must_use]
    pub fn status(self, status: &str) -> Self {
        Self { status: status.to_owned(), ..self }
    }

    #[must_use]
    pub fn paid_until(self, day: Date) -> Self {
        Self { valid_till: Some(day), ..self }
    }

    #[must_use]
    pub fn renewed(self) -> Self {
        Self { is_renewed: true, ..self }
    }

    #[must_use]
    pub fn duplicate(mut self, certificate: Issued) -> Self {
        self.duplicates.push(certificate);
        self
    }

    /// A new primary certificate under the same order; the one before stays valid.
    #[must_use]
    pub fn reissue(mut self, certificate: Issued) -> Self {
        self.reissued.extend(self.primary.replace(certificate));
        self
    }

    fn json(&self, id: u64) -> Value {
        let mut certificate = json!({ "id": 7_000_000 + id, "signature_hash": "sha256" });
        if let Some(primary) = &self.primary {
            certificate = common(primary);
            certificate["valid_from"] = primary.valid_from.to_string().into();
        }
        let mut order = json!({
            "id": id,
            "certificate": certificate,
            "status": self.status,
            "is_renewed": self.is_renewed,
            "date_created": self.primary.as_ref().map(|primary| format!("{}T14:59:13+00:00", primary.valid_from)),
            "organization": { "id": 112_233, "name": "Example Org" },
            "product": { "name_id": "ssl_securesite_flex", "name": self.product, "type": "ssl_certificate" },
            "duplicates_count": self.duplicates.len(),
            "has_duplicates": !self.duplicates.is_empty(),
            "reissues_count": self.reissued.len(),
            "has_reissues": !self.reissued.is_empty(),
            "is_multi_year_plan": "1",
        });
        if let Some(day) = self.valid_till.or(self.primary.as_ref().map(|primary| primary.valid_till)) {
            order["order_valid_till"] = day.to_string().into();
        }
        order
    }

    fn certificates(&self) -> impl Iterator<Item = &Issued> {
        self.primary.iter().chain(&self.duplicates).chain(&self.reissued)
    }
}

/// The fields that a certificate has wherever it is shown.
fn common(certificate: &Issued) -> Value {
    json!({
        "id": certificate.id,
        "serial_number": certificate.serial,
        "common_name": certificate.names.first(),
        "dns_names": certificate.names,
        "valid_till": certificate.valid_till.to_string(),
        "signature_hash": "sha256",
    })
}

/// A handle on the account; clones share it.
#[derive(Clone, Debug, Default)]
pub struct CertCentral(Arc<Mutex<Account>>);

#[derive(Debug)]
struct Account {
    key: String,
    orders: Vec<(u64, Order)>,
    /// What the listing says of its length, whatever it is.
    total: Option<u64>,
    page: usize,
    endless: bool,
    limited: bool,
    faults: VecDeque<Fault>,
    asked: VecDeque<Timestamp>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            key: DEFAULT_KEY.to_owned(),
            orders: Vec::new(),
            total: None,
            page: LARGEST_PAGE,
            endless: false,
            limited: true,
            faults: VecDeque::new(),
            asked: VecDeque::new(),
        }
    }
}

impl CertCentral {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an order, or puts it in the place of the one with this id.
    pub fn order(&self, id: u64, order: Order) {
        let mut account = self.account();
        account.orders.retain(|(known, _)| *known != id);
        account.orders.push((id, order));
        account.orders.sort_by_key(|(id, _)| *id);
    }

    /// Every certificate of the account that has been issued, so that a server can be made that serves it.
    #[must_use]
    pub fn certificates(&self) -> Vec<Issued> {
        self.account().orders.iter().flat_map(|(_, order)| order.certificates().cloned()).collect()
    }

    #[must_use]
    pub fn key(&self) -> String {
        self.account().key.clone()
    }

    /// From now on only this key opens.
    pub fn set_key(&self, key: &str) {
        key.clone_into(&mut self.account().key);
    }

    /// What the listing says of its length from now on; none = the truth.
    pub fn total_says(&self, total: Option<u64>) {
        self.account().total = total;
    }

    /// The most orders a page, whatever is asked for.
    pub fn page_size(&self, most: usize) {
        self.account().page = most.clamp(1, LARGEST_PAGE);
    }

    /// While true, the listing answers every offset with its first page.
    pub fn endless(&self, endless: bool) {
        self.account().endless = endless;
    }

    /// Whether the key's allowance is watched.
    pub fn limited(&self, limited: bool) {
        self.account().limited = limited;
    }

    /// The next request meets this, after what is queued already. What stands for Graph's own refusals is told in CertCentral's words.
    pub fn next(&self, fault: Fault) {
        self.account().faults.push_back(fault);
    }
}

impl Account {
    /// Whether there is room for one more request at `now`.
    fn admits(&mut self, now: Timestamp) -> bool {
        if !self.limited {
            return true;
        }
        let [_, (_, longest)] = ALLOWANCES;
        while self.asked.front().is_some_and(|at| now.duration_since(*at) >= longest) {
            self.asked.pop_front();
        }
        let room = |(most, within): (usize, SignedDuration)| {
            self.asked.iter().rev().take_while(|at| now.duration_since(**at) < within).count() < most
        };
        let admitted = ALLOWANCES.into_iter().all(room);
        if admitted {
            self.asked.push_back(now);
        }
        admitted
    }

    fn list(&self, query: &str) -> Value {
        let query: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let number = |name| query.get(name).and_then(|written| written.parse::<usize>().ok());
        let limit = number("limit").unwrap_or(LARGEST_PAGE).min(self.page);
        let offset = if self.endless { 0 } else { number("offset").unwrap_or(0) };
        let page = self.orders.iter().skip(offset).take(limit).map(|(id, order)| order.json(*id));
        json!({
            "orders": page.collect::<Vec<_>>(),
            "page": { "total": self.total.unwrap_or(self.orders.len() as u64), "limit": limit, "offset": offset },
        })
    }

    fn found(&self, id: u64) -> Option<&Order> {
        self.orders.iter().find(|(known, _)| *known == id).map(|(_, order)| order)
    }

    fn duplicates(&self, id: u64) -> Option<Value> {
        let entry = |certificate: &Issued| {
            let mut entry = common(certificate);
            entry["status"] = "approved".into();
            entry["thumbprint"] = certificate.thumbprint.clone().into();
            entry["valid_from"] = certificate.valid_from.to_string().into();
            entry["archived"] = "0".into();
            entry
        };
        Some(json!({ "certificates": self.found(id)?.duplicates.iter().map(entry).collect::<Vec<_>>() }))
    }

    fn reissues(&self, id: u64) -> Option<Value> {
        let entry = |certificate: &Issued| {
            let mut entry = common(certificate);
            entry["status"] = "issued".into();
            entry["thumbprint"] = certificate.thumbprint.clone().into();
            entry["date_issued"] = format!("{}T00:01:00+00:00", certificate.valid_from).into();
            entry["archived"] = 0.into();
            entry
        };
        Some(json!({ "certificates": self.found(id)?.reissued.iter().map(entry).collect::<Vec<_>>() }))
    }
}

/// Everything that the account's answers need.
#[derive(Clone)]
pub(super) struct Desk {
    pub central: CertCentral,
    pub clock: Clock,
    pub traffic: Arc<Traffic>,
}

pub(super) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/services/v2/order/certificate", get(orders))
        .route("/services/v2/order/certificate/{id}/{list}", get(others))
        .with_state(desk)
}

async fn orders(State(desk): State<Desk>, RawQuery(query): RawQuery, uri: Uri, headers: HeaderMap) -> Response {
    desk.answer(&uri, &headers, |account| Some(account.list(&query.unwrap_or_default()))).await
}

async fn others(
    State(desk): State<Desk>,
    Path((id, list)): Path<(u64, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let body = |account: &Account| match list.as_str() {
        "duplicate" => account.duplicates(id),
        "reissue" => account.reissues(id),
        _ => None,
    };
    desk.answer(&uri, &headers, body).await
}

impl Desk {
    async fn answer(&self, uri: &Uri, headers: &HeaderMap, body: impl FnOnce(&Account) -> Option<Value>) -> Response {
        let _seen = self.traffic.enter(uri);
        let fault = {
            let mut account = self.central.account();
            if headers.get("x-dc-devkey").is_none_or(|sent| sent.as_bytes() != account.key.as_bytes()) {
                self.traffic.wrong_token(uri, "the key is missing or wrong");
                return refusal(403, "access_denied|invalid_api_key", "Access denied");
            }
            if !account.admits(self.clock.now()) {
                return too_many_requests(None);
            }
            account.faults.pop_front()
        };
        let fault = answers::get_through(fault.filter(|fault| *fault != Fault::Pass)).await;
        let Some(body) = body(&self.central.account()) else {
            return refusal(404, "not_found|order", "The specified order was not found.");
        };
        match fault {
            None => axum::Json(body).into_response(),
            Some(Fault::TooManyRequests { retry_after }) => too_many_requests(retry_after),
            Some(Fault::Denied) => refusal(403, "access_denied|missing_permission", "Access denied"),
            Some(Fault::Unauthorized) => refusal(401, "access_denied|invalid_api_key", "Access denied"),
            Some(Fault::Refusal { status, code }) => refusal(status, code, "Refused by the script."),
            Some(Fault::EmptyPage) => axum::Json(json!({ "orders": [], "page": {} })).into_response(),
            Some(other) => answers::broken(&other, body.to_string().into_bytes()),
        }
    }
}

fn too_many_requests(retry_after: Option<u32>) -> Response {
    let mut response = refusal(429, "request_limit_exceeded", "Service unavailable, please limit request volume");
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// CertCentral's envelope for errors.
fn refusal(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(json!({ "errors": [{ "code": code, "message": message }] }))).into_response()
}
