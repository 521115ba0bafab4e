//! Draft.
pub mod clock;
pub mod config;
pub mod decide;
pub mod deliver;
#[cfg(feature = "demo")]
pub mod demo;
pub mod domain;
pub mod inventory;
pub mod observe;
pub mod outbox;
pub mod render;
pub mod report;
pub mod schedule;
pub mod sources;
pub mod store;
pub mod web;
