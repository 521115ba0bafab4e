//! `once`: one poll, all due notices delivered, then exit; for a scheduled job.

use super::setup::{self, fail, say, state_failed};
use super::{ConfigArgument, Exit};
use crate::azure::Surroundings;
use crate::clock::Clock;
use crate::config::Config;
use crate::cycle::{Cycle, CycleError, Tell};
use crate::deliver::{Postman, Step};
use crate::outbox::LEASE;
use crate::sources::Patience;
use crate::store::{Owner, Pick, Store, StoreError};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one attempt may take: somebody waits for the end of this job.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long what was deferred is tried again, after the first round; and, a little longer, what a dead process had in hand.
const AGAIN_FOR: Duration = Duration::from_secs(40);

/// The pauses between attempts at what was deferred: 30 s in all.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8), Duration::from_secs(16)];

pub async fn run(arguments: ConfigArgument) -> Result<Exit, Exit> {
    let config = setup::configuration(&arguments.config)?;
    let clock = Clock::System;
    let sources = setup::sources(&config, &clock)?;
    let surroundings = Surroundings::of_this_process();
    let transport = setup::transport(&config, &clock, &surroundings)?;
    let store = Arc::new(setup::store(&config, &clock, &surroundings).await?);
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
    if let Some(last) = summary_due {
        cycle.summarise(Some(last), &store).await.map_err(failed)?;
    }
    let sent = match (mail, transport) {
        (Some(mail), Some(transport)) => {
            let owner = Owner::unique();
            let postman = Postman {
                store: store.clone(),
                transport,
                from: mail.from.clone(),
                owner,
                clock: clock.clone(),
                deadline: DEADLINE,
            };
            deliver(&postman).await.map_err(state_failed)?
        }
        _ => Sent::default(),
    };
    let read: usize = polled.iter().map(|polled| polled.credentials).sum();
    say(format_args!(
        "{read} credentials read, {} notices enqueued, {} messages delivered",
        told.len(),
        sent.delivered
    ))?;
    if sent.rejected + sent.left > 0 {
        let left = format_args!("{} messages refused for good, {} left for the next run", sent.rejected, sent.left);
        exit = exit.and(fail(Exit::Mail, left));
    }
    store.prune(clock.now()).await.map_err(state_failed)?;
    Ok(exit)
}

/// When the last summary was made, if its time has passed since then. The first run only begins to count.
async fn summary_is_due(config: &Config, store: &Store, clock: &Clock) -> Result<Option<Timestamp>, StoreError> {
    let Some(cron) = &config.schedule.summary else { return Ok(None) };
    let now = clock.now();
    let Some(last) = store.last_run("summary").await? else {
        store.ran("summary", now).await?;
        return Ok(None);
    };
    Ok(cron.next_after(last, &config.policy.zone).filter(|due| *due <= now).map(|_| last))
}

#[derive(Debug, Default)]
pub(super) struct Sent {
    delivered: usize,
    rejected: usize,
    /// Deferred, or in the hands of another process.
    left: usize,
}

/// Tries each message, and the deferred ones again for a while.
pub(super) async fn deliver(postman: &Postman) -> Result<Sent, StoreError> {
    let mut sent = Sent::default();
    let mut waiting = postman.store.pending().await?;
    let mut again_until: Option<Instant> = None;
    // What another process has in hand comes back when its lease ends, if that process is no more.
    let lease_ends = Duration::try_from(LEASE).unwrap_or(Duration::ZERO).saturating_sub(PAUSES.iter().sum());
    let mut pauses = PAUSES.into_iter().chain([lease_ends]);
    loop {
        let mut deferred = VecDeque::new();
        let mut untried: VecDeque<String> = waiting.into();
        while let Some(id) = untried.pop_front() {
            if again_until.is_some_and(|until| Instant::now() >= until) {
                untried.push_front(id);
                break;
            }
            let begun = Instant::now();
            match postman.deliver_next(Pick::Id(&id)).await? {
                Step::Delivered(_) => sent.delivered += 1,
                Step::Rejected { why, .. } => {
                    sent.rejected += 1;
                    eprintln!("expiry-watch: a message was refused: {why}");
                }
                Step::Deferred { why, .. } => {
                    eprintln!("expiry-watch: a message was deferred: {why}");
                    deferred.push_back(id);
                    // A server that is silent for one is silent for all.
                    if begun.elapsed() >= postman.deadline {
                        break;
                    }
                }
                // Another process has it in hand, or has finished it.
                Step::Idle => deferred.push_back(id),
                Step::Paused { why, .. } => {
                    eprintln!("expiry-watch: the mail system refuses us: {why}");
                    sent.left = 1 + deferred.len() + untried.len();
                    return Ok(sent);
                }
            }
        }
        // What was not reached goes first next time.
        untried.append(&mut deferred);
        let still_pending = postman.store.pending().await?;
        untried.retain(|id| still_pending.contains(id));
        waiting = untried.into();
        let until = *again_until.get_or_insert_with(|| Instant::now() + AGAIN_FOR);
        let Some(pause) = pauses.next().filter(|_| !waiting.is_empty() && Instant::now() < until) else { break };
        postman.clock.sleep(pause).await;
    }
    sent.left = waiting.len();
    Ok(sent)
}
