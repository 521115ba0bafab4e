//! `run`: the service, until it is told to stop.

use super::setup::{self, fail};
use super::{ConfigArgument, Exit};
use crate::azure::Surroundings;
use crate::clock::Clock;
use crate::daemon::{self, Service, StartError};
use tracing::warn;

pub async fn run(arguments: &ConfigArgument) -> Result<Exit, Exit> {
    let config = setup::configuration(&arguments.config)?;
    for warning in &config.warnings {
        warn!("{warning}");
    }
    let clock = Clock::System;
    let sources = setup::sources(&config, &clock)?;
    let surroundings = Surroundings::of_this_process();
    let transport = setup::transport(&config, &clock, &surroundings)?;
    let store = setup::store(&config, &clock, &surroundings).await?;
    let known = setup::known(&store, &sources).await?;
    serve(Service { config, clock, sources, transport, store, known, extra_pages: None }).await
}

/// Serves until SIGTERM or SIGINT.
pub async fn serve(service: Service) -> Result<Exit, Exit> {
    let stop =
        stop_signal().map_err(|error| fail(Exit::Configuration, format_args!("signals cannot be handled: {error}")))?;
    match daemon::serve(service, stop).await {
        Ok(()) => Ok(Exit::Done),
        Err(StartError::State(error)) => Err(setup::state_failed(error)),
        Err(error) => Err(fail(Exit::Configuration, error)),
    }
}

fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
