//! Expiry Watch: tells the right people, in time, that a credential they depend on is about to expire, and is silent once it has
//! been rotated. It reads dates and identifiers; it never touches a secret's value.
//!
//! ```text
//!  sources ──> inventory ──> decide ──> outbox ──> deliver
//!  (read)      (pure)        (pure)     (store)    (send)
//!                 │             │
//!                 └─────────────┴──> views: check, metrics, status page
//! ```
//!
//! A poll reads every source into a snapshot. The inventory lays the snapshots over what was known: a source that failed changes
//! nothing. [`decide()`](decide::decide) gives every credential exactly one verdict with its reason, and finds what is owed to whom.
//! What is owed becomes rows of the store in one transaction, keyed by the identity of each notice: that is what makes it told once.
//! Delivery takes messages from there, at least once, each always the same. Views read the same inventory and the same verdicts, so
//! "why did nobody get a mail?" always has an answer. Nothing flows back.
//!
//! The modules in reading order: the nouns, the pure core, the edges, what drives them.

pub mod domain;

pub mod decide;
pub mod inventory;
pub mod outbox;
pub mod render;
pub mod schedule;

pub mod azure;
pub mod clock;
pub mod config;
pub mod deliver;
mod http;
pub mod sources;
pub mod store;

pub mod observe;
pub mod report;
pub mod web;

pub mod cycle;
pub mod daemon;

pub mod cli;

#[cfg(feature = "demo")]
pub mod demo;
