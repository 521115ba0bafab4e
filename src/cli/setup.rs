//! What every command does first: configuration, sources, state. Each failure is printed here, once, and becomes an exit code.

use super::Exit;
use crate::azure::Surroundings;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::cycle::Cycle;
use crate::deliver::Transport;
use crate::inventory::Inventory;
use crate::sources::Source;
use crate::store::{Place, Store, StoreError};
use std::io::Write;
use std::path::Path;

/// Prints `problem` as every command does, and gives back the code to end with.
pub fn fail(exit: Exit, problem: impl std::fmt::Display) -> Exit {
    eprintln!("expiry-watch: {problem}");
    exit
}

/// Prints a result. Whoever reads may have seen enough (`| head`); any other failure is said.
pub fn say(result: std::fmt::Arguments<'_>) -> Result<(), Exit> {
    match writeln!(std::io::stdout().lock(), "{result}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(cannot_print(&error)),
        _ => Ok(()),
    }
}

pub fn cannot_print(error: &std::io::Error) -> Exit {
    fail(Exit::Configuration, format_args!("the result cannot be written: {error}"))
}

pub fn configuration(path: &Path) -> Result<Config, Exit> {
    config::load(path).map_err(|problems| fail(Exit::Configuration, problems))
}

pub fn sources(config: &Config, clock: &Clock) -> Result<Vec<Source>, Exit> {
    Source::connect(config, clock).map_err(|problem| fail(Exit::Configuration, problem))
}

/// How mail leaves; `None` where nothing is mailed.
pub fn transport(config: &Config, clock: &Clock, surroundings: &Surroundings) -> Result<Option<Transport>, Exit> {
    let connect = |mail| Transport::connect(mail, &config.azure, clock, surroundings);
    config.mail.as_ref().map(connect).transpose().map_err(|problem| fail(Exit::Configuration, problem))
}

/// Where the state is, and how it is reached.
pub fn place(config: &Config, clock: &Clock, surroundings: &Surroundings) -> Result<Place, Exit> {
    Place::of(&config.state, &config.azure, clock, surroundings).map_err(|problem| fail(Exit::Configuration, problem))
}

pub async fn store(config: &Config, clock: &Clock, surroundings: &Surroundings) -> Result<Store, Exit> {
    Store::open(place(config, clock, surroundings)?).await.map_err(state_failed)
}

/// What the store knew when it was last written.
pub async fn known(store: &Store, sources: &[Source]) -> Result<Inventory, Exit> {
    store.inventory(&Cycle::configured(sources)).await.map_err(state_failed)
}

pub fn state_failed(error: StoreError) -> Exit {
    fail(Exit::State, error)
}
