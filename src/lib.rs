//! Draft.
pub mod clock;
pub mod config;
pub mod deliver;
#[cfg(feature = "demo")]
pub mod demo;
pub mod domain;
pub mod inventory;
pub mod render;
pub mod schedule;
pub mod sources;
