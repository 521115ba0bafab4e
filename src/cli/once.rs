//! `once`: one poll, all due notices delivered, then exit; for a scheduled job.

use super::setup::{self, fail, state_failed};
use super::{ConfigArgument, Exit};
use crate::clock::Clock;
use crate::config::Config;
use crate::cycle::{Cycle, CycleError, Tell};
use crate::deliver::{Postman, Step, Transport};
use crate::outbox::LEASE;
use crate::sources::Patience;
use crate::store::{Owner, Pick, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// The pauses between attempts at what was deferred: 30 s in all.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8), Duration::from_secs(16)];

pub async fn run(arguments: ConfigArgument) -> Result<Exit, Exit> {
    let config = setup::configuration(&arguments.config)?;
    let clock = Clock::System;
    let sources = setup::sources(&config, &clock)?;
    let transport = match &config.mail {
        Some(mail) => Some(Transport::connect(mail).map_err(|problem| fail(Exit::Configuration, problem))?),
        None => None,
    };
    let store = Arc::new(setup::store(&config).await?);
    let known = setup::known(&store, &sources).await?;
    let summary_due = summary_is_due(&config, &store, &clock).await.map_err(state_failed)?;
    let mail = config.mail.map(Arc::new);
    let config = Config { mail: None, ..config };
    let mut cycle = Cycle::new(&config, mail.clone(), sources, clock.clone(), known);

    let failed = |error: CycleError| fail(Exit::State, error);
    let polled = cycle.poll(Patience::SHORT, Some(&store)).await.map_err(failed)?;
    let mut exit = Exit::Done;
    for (source, error) in polled.iter().filter_map(|polled| Some((&polled.source, polled.error.as_ref()?))) {
        exit = exit.and(fail(Exit::Source, format_args!("{}: {error}", source.name)));
    }
    let told = cycle.tell(Tell::All, &store).await.map_err(failed)?;
    store.ran("notify", clock.now()).await.map_err(state_failed)?;
    if summary_due {
        cycle.summarise(&store).await.map_err(failed)?;
        store.ran("summary", clock.now()).await.map_err(state_failed)?;
    }
    let sent = match (mail, transport) {
        (Some(mail), Some(transport)) => {
            let owner = Owner::unique();
            let postman =
                Postman { store: store.clone(), transport, from: mail.from.clone(), owner, clock: clock.clone() };
            deliver(&postman).await.map_err(state_failed)?
        }
        _ => Sent::default(),
    };
    let read: usize = polled.iter().map(|polled| polled.credentials).sum();
    println!("{read} credentials read, {} notices enqueued, {} messages delivered", told.len(), sent.delivered);
    if sent.rejected + sent.left > 0 {
        let left = format_args!("{} messages refused for good, {} left for the next run", sent.rejected, sent.left);
        exit = exit.and(fail(Exit::Mail, left));
    }
    store.prune(clock.now()).await.map_err(state_failed)?;
    Ok(exit)
}

/// A summary is due when its time has passed since the last run. The first run only begins to count.
async fn summary_is_due(config: &Config, store: &Store, clock: &Clock) -> Result<bool, StoreError> {
    let Some(cron) = &config.schedule.summary else { return Ok(false) };
    let now = clock.now();
    let Some(last) = store.last_run("summary").await? else {
        store.ran("summary", now).await?;
        return Ok(false);
    };
    Ok(cron.next_after(last, &config.policy.zone).is_some_and(|due| due <= now))
}

#[derive(Debug, Default)]
struct Sent {
    delivered: usize,
    rejected: usize,
    /// Deferred, or in the hands of another process.
    left: usize,
}

/// Tries each message, and the deferred ones again for a while.
async fn deliver(postman: &Postman) -> Result<Sent, StoreError> {
    let mut sent = Sent::default();
    let mut waiting = postman.store.pending().await?;
    // What another process has in hand comes back when its lease ends, if that process is no more.
    let lease_ends = Duration::try_from(LEASE).unwrap_or(Duration::ZERO);
    let mut pauses = PAUSES.into_iter().chain([lease_ends.saturating_sub(PAUSES.iter().sum())]);
    loop {
        let mut deferred = Vec::new();
        for (index, id) in waiting.iter().enumerate() {
            match postman.deliver_next(Pick::Id(id)).await? {
                Step::Delivered(_) => sent.delivered += 1,
                Step::Rejected { why } => {
                    sent.rejected += 1;
                    eprintln!("expiry-watch: a message was refused: {why}");
                }
                Step::Deferred { why, .. } => {
                    eprintln!("expiry-watch: a message was deferred, trying again: {why}");
                    deferred.push(id.clone());
                }
                // Another process has it in hand, or has finished it.
                Step::Idle => deferred.push(id.clone()),
                Step::Paused { why, .. } => {
                    eprintln!("expiry-watch: the mail system refuses us: {why}");
                    sent.left = deferred.len() + waiting.len() - index;
                    return Ok(sent);
                }
            }
        }
        let still_pending = postman.store.pending().await?;
        deferred.retain(|id| still_pending.contains(id));
        waiting = deferred;
        let Some(pause) = pauses.next().filter(|_| !waiting.is_empty()) else { break };
        postman.clock.sleep(pause).await;
    }
    sent.left = waiting.len();
    Ok(sent)
}
