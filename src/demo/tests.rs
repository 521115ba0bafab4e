//! The simulated tenant does what it is there for, seen from outside: over HTTP and SMTP, with the clients that we use.

mod certcentral;
mod facts;
mod graph;
mod mail;
mod nodes;
mod pages;
mod scenario;
mod sign_in;
mod vault;

use super::{Directory, Options, Tenant};
use crate::clock::{Clock, ManualClock};
use serde_json::Value;

/// A tenant and somebody who may read it.
struct Visitor {
    tenant: Tenant,
    http: reqwest::Client,
    token: String,
}

impl Visitor {
    async fn of(directory: Directory, options: Options) -> Self {
        let tenant = Tenant::start(directory, options).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let mut visitor = Self { tenant, http, token: String::new() };
        visitor.sign_in().await;
        visitor
    }

    async fn sign_in(&mut self) {
        let url =
            format!("{}?resource=https://graph.microsoft.com&api-version=2019-08-01", self.tenant.identity_endpoint());
        let answer =
            self.http.get(url).header("X-IDENTITY-HEADER", self.tenant.identity_header()).send().await.unwrap();
        self.token = answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
        self.tenant.forget_requests();
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.tenant.graph_url())
    }

    async fn get(&self, url: &str) -> reqwest::Response {
        self.http.get(url).bearer_auth(&self.token).send().await.unwrap()
    }

    async fn page(&self, url: &str) -> Value {
        let answer = self.get(url).await;
        assert_eq!(answer.status(), 200, "{url}");
        answer.json().await.unwrap()
    }

    /// Follows a listing to its end; returns the objects and how many pages they came on.
    async fn listing(&self, path: &str) -> (Vec<Value>, usize) {
        let (mut objects, mut pages, mut next) = (Vec::new(), 0, Some(self.url(path)));
        while let Some(url) = next {
            let page = self.page(&url).await;
            objects.extend(page["value"].as_array().unwrap().iter().cloned());
            pages += 1;
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        (objects, pages)
    }
}

fn noon() -> jiff::Timestamp {
    "2026-11-21T16:00:00Z".parse().unwrap()
}

/// A clock that stands at noon, and options that follow it.
fn standing_clock() -> (ManualClock, Options) {
    let clock = ManualClock::at(noon());
    (clock.clone(), Options { clock: Clock::Manual(clock), ..Options::default() })
}
