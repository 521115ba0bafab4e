//! Who came to the simulated service: counts, addresses, wrong tokens. For tests to look at afterwards.

use axum::http::Uri;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many requests are remembered; later ones are only counted.
const MOST_KEPT: usize = 10_000;

/// What was asked, in order.
#[derive(Default)]
pub(super) struct Traffic(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    count: usize,
    addresses: Vec<String>,
    wrong_tokens: Vec<String>,
    at_once: usize,
    most_at_once: usize,
}

/// Stands for a request that has not been answered yet.
pub(super) struct InFlight<'a>(&'a Traffic);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.seen().at_once -= 1;
    }
}

impl Traffic {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn enter(&self, uri: &Uri) -> InFlight<'_> {
        let mut seen = self.seen();
        seen.count += 1;
        if seen.addresses.len() < MOST_KEPT {
            seen.addresses.push(uri.to_string());
        }
        seen.at_once += 1;
        seen.most_at_once = seen.most_at_once.max(seen.at_once);
        InFlight(self)
    }

    pub fn wrong_token(&self, uri: &Uri, what: &str) {
        let mut seen = self.seen();
        if seen.wrong_tokens.len() < MOST_KEPT {
            seen.wrong_tokens.push(format!("{}: {what}", uri.path()));
        }
    }

    pub fn count(&self) -> usize {
        self.seen().count
    }

    pub fn addresses(&self) -> Vec<String> {
        self.seen().addresses.clone()
    }

    pub fn wrong_tokens(&self) -> Vec<String> {
        self.seen().wrong_tokens.clone()
    }

    pub fn most_at_once(&self) -> usize {
        self.seen().most_at_once
    }

    pub fn forget(&self) {
        let mut seen = self.seen();
        *seen = Seen { at_once: seen.at_once, ..Seen::default() };
    }
}
