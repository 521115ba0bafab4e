//! DigiCert CertCentral (Services API v2): the certificates that an account has been issued.
//!
//! One order has several certificates: its primary one, which the listing of orders shows, and duplicates and reissues, which are
//! asked for where there are any. Certificates are what is watched; an order's own end is no end of any of them. The parts:
//! [`listing`] turns pages, [`others`] asks for what stands beside the primary, [`document`] knows the format, [`dates`] what a
//! day means, [`fold`] what counts as a credential, [`refusal`] how CertCentral says no.
//!
//! The thumbprint of a primary certificate would cost one more request an order and is not asked for: serial numbers, which the
//! listing has, identify it as well.

mod dates;
mod document;
mod fold;
mod listing;
mod others;
mod refusal;

use super::http::{Access, Budget, Http, Key, Limits, Pacer, Waiting};
use super::{ConnectError, Patience, ReadError};
use crate::clock::Clock;
use crate::config::DigicertConfig;
use crate::domain::{Credential, SourceName};
use document::Order;
use fold::Fold;
use jiff::{SignedDuration, Timestamp};
use others::Others;
use reqwest::header::HeaderName;
use std::sync::atomic::{AtomicUsize, Ordering};
use url::Url;

/// Nine tenths of what a key is allowed; the rest is for its other users.
const BUDGETS: &[Budget] = &[
    Budget { requests: 90, within: SignedDuration::from_secs(5) },
    Budget { requests: 900, within: SignedDuration::from_secs(180) },
];

/// The most orders that a page can hold.
const PAGE: usize = 1000;

#[derive(Debug)]
pub struct Digicert {
    name: SourceName,
    url: Url,
    http: Http,
    others: Others,
    /// How many orders the last complete read found.
    listed: AtomicUsize,
}

impl Digicert {
    /// # Errors
    /// When the key is missing or cannot be sent.
    pub(super) fn connect(name: &SourceName, config: &DigicertConfig, clock: &Clock) -> Result<Self, ConnectError> {
        Self::with(name, config, clock, Limits::default())
    }

    fn with(name: &SourceName, config: &DigicertConfig, clock: &Clock, limits: Limits) -> Result<Self, ConnectError> {
        let header = HeaderName::from_static("x-dc-devkey");
        let key = Key { header, place: config.api_key.clone(), pacer: Pacer::new(BUDGETS) };
        // Read once now, so that what is missing is said at the start.
        key.value().map_err(|why| ConnectError::new(&format!("sources.{name}.api_key"), why))?;
        let http = Http::new(&config.url, Access::Key(key), refusal::MANNER, clock, limits)
            .map_err(|error| ConnectError::new(&format!("sources.{name}"), error.without_url()))?;
        Ok(Self {
            name: name.clone(),
            url: config.url.clone(),
            http,
            others: Others::default(),
            listed: AtomicUsize::new(0),
        })
    }

    #[must_use]
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    #[must_use]
    pub fn requests(&self) -> Vec<(String, u64)> {
        self.http.requests()
    }

    /// All orders, then what stands beside their primary certificates. The first failure ends it.
    ///
    /// # Errors
    /// When any list did not reach its end, or says what cannot be understood.
    pub async fn read(&self, patience: Patience, now: Timestamp) -> Result<Vec<Credential>, ReadError> {
        let mut asker = Asker { http: &self.http, base: &self.url, waiting: Waiting { left: patience.waiting } };
        let orders = listing::read(&mut asker, PAGE).await?;
        self.doubt_sudden_emptiness(&orders)?;
        let mut fold = Fold::new(&self.name);
        for order in &orders {
            fold.primary(order).map_err(|why| ReadError::new(&why))?;
        }
        self.others.forget_all_but(&orders);
        for order in &orders {
            for certificate in self.others.of(order, &mut asker, now).await?.iter() {
                fold.other(order, certificate).map_err(|why| ReadError::new(&why))?;
            }
        }
        self.listed.store(orders.len(), Ordering::Relaxed);
        Ok(fold.credentials())
    }

    /// Make sure that no alarm ends because the account answers nothing: orders stay in the list for good, so all of them gone at
    /// once is a fault there, or a key that may not see them any more. A service that has just started believes it.
    fn doubt_sudden_emptiness(&self, orders: &[Order]) -> Result<(), ReadError> {
        match self.listed.load(Ordering::Relaxed) {
            before @ 1.. if orders.is_empty() => Err(ReadError::new(&format!(
                "GET /order/certificate: no order is listed, where there were {before}; check that the key's user may still see \
                 them, and restart the service if the account was really emptied"
            ))),
            _ => Ok(()),
        }
    }
}

/// One read's requests, and what is left of its patience.
struct Asker<'a> {
    http: &'a Http,
    base: &'a Url,
    waiting: Waiting,
}

impl Asker<'_> {
    /// The address of a path below the configured one.
    fn address(&self, path: &str) -> Url {
        let base = self.base.as_str().trim_end_matches('/');
        // A URL with a known path after it is one still; should it not be, the base alone is asked and answers with an error.
        Url::parse(&format!("{base}{path}")).unwrap_or_else(|_| self.base.clone())
    }
}

/// For the fuzzer: a page of orders or a list of certificates, from anybody.
#[cfg(fuzzing)]
pub fn page_from_anybody(body: &[u8]) {
    let _ = document::certificates(body);
    let Ok((orders, _)) = document::OrderPage::parse(body) else { return };
    let mut fold = Fold::new(&SourceName::new("digicert"));
    for order in &orders {
        let _ = fold.primary(order);
    }
}

#[cfg(test)]
mod tests;
