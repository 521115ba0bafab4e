//! The way from page to page.
//!
//! Owns that no link leads elsewhere: the token goes to the host of the first page alone, and no listing runs in a circle.

use crate::sources::http::{Refusal, pinned};
use std::collections::HashSet;
use url::Url;

/// The way through a listing.
#[derive(Debug)]
pub(super) struct Trail {
    first: Url,
    /// The page to ask for now.
    next: Url,
    /// The pages that were read, in order, and whether it took more than one try.
    passed: Vec<(Url, bool)>,
    seen: HashSet<String>,
}

impl Trail {
    pub fn new(first: Url) -> Self {
        Self { next: first.clone(), seen: HashSet::from([first.to_string()]), first, passed: Vec::new() }
    }

    /// The page to ask for now.
    pub fn next(&self) -> &Url {
        &self.next
    }

    /// How many pages have been read.
    pub fn passed(&self) -> usize {
        self.passed.len()
    }

    /// Names the request for people; without the query, which holds Graph's page token.
    pub fn what(&self) -> String {
        format!("GET {} page {}", self.first.path(), self.passed.len() + 1)
    }

    /// Steps on to `link`, if it stays with the host that may have the token and has not been there before.
    pub fn follow(&mut self, link: &str, retried: bool) -> Result<(), &'static str> {
        let next = pinned(&self.first, link)?;
        if !self.seen.insert(next.to_string()) {
            return Err("the link to the next page leads back to one that was read: the listing runs in a circle");
        }
        self.passed.push((std::mem::replace(&mut self.next, next), retried));
        Ok(())
    }

    /// Where Graph does not know the page any more: back to the start if the token has aged, and if the link came out of a retried
    /// request, to that request, as it is documented. What is read twice by this counts once in the end.
    pub fn go_back(&mut self, refusal: &Refusal) -> bool {
        let gone = match refusal.code.as_str() {
            "Directory_ExpiredPageToken" => self.passed.len(),
            "DirectoryPageTokenNotFoundException" => {
                let retried = self.passed.iter().rev().take_while(|(_, retried)| *retried).count();
                if retried == 0 { self.passed.len() } else { retried }
            }
            _ => return false,
        };
        let left = self.passed.len() - gone;
        self.seen.clear();
        if gone > 0 {
            self.next = self.passed[left].0.clone();
            self.passed.truncate(left);
        }
        self.seen.extend(self.passed.iter().map(|(url, _)| url.to_string()));
        self.seen.insert(self.next.to_string());
        true
    }
}
