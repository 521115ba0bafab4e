//! One pass: read, reconcile, decide, enqueue.
//!
//! The daemon, `once` and the tests turn the same crank; only who turns it and when differs. Each step ends in one transaction, so a
//! pass may be broken off anywhere. Delivery is somebody else's.

mod calendars;
mod foresee;
pub mod letters;
mod summaries;

use crate::clock::Clock;
use crate::config::{Config, Mail};
use crate::decide::{Decision, Ledger, Verdict, Wanted, World, decide_for};
use crate::domain::{Notice, Policy, Text};
use crate::inventory::{Changes, Inventory, Reading, SourceState, reconcile};
use crate::observe::View;
use crate::render::ComposeError;
use crate::sources::{Patience, Source};
use crate::store::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

/// How long reading one source may take in all. A directory of 100,000 applications takes seconds; a throttled one, minutes.
const READ_DEADLINE: Duration = Duration::from_secs(20 * 60);

/// How far back the first summary looks.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Something that is not a source's failure kept a pass from finishing. Nothing of the failed step has been written.
#[derive(Debug, Error)]
pub enum CycleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a message could not be written: {0}")]
    Compose(#[from] ComposeError),
}

/// Which of the due notices go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Those that end too soon to wait for the notify run.
    Urgent,
    All,
}

/// What a poll came to, a source each.
#[derive(Debug)]
pub struct Polled {
    pub source: SourceState,
    pub credentials: usize,
    pub took: Duration,
    pub error: Option<Text>,
}

/// The watch, ready to make passes.
#[derive(Debug)]
pub struct Cycle {
    policy: Arc<Policy>,
    mail: Option<Arc<Mail>>,
    public_url: Option<String>,
    sources: Vec<Arc<Source>>,
    clock: Clock,
    inventory: Arc<Inventory>,
}

impl Cycle {
    /// `known` is what the state holds, or nothing.
    #[must_use]
    pub fn new(config: &Config, mail: Option<Arc<Mail>>, sources: Vec<Source>, clock: Clock, known: Inventory) -> Self {
        for source in &sources {
            source.remember(known.entries().iter().map(|entry| entry.credential.clone()));
        }
        Self {
            policy: Arc::new(config.policy.clone()),
            mail,
            public_url: config.http.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
            sources: sources.into_iter().map(Arc::new).collect(),
            clock,
            inventory: Arc::new(known),
        }
        .knowing_of_every_source()
    }

    /// A source that was never asked is shown as that, not left out.
    fn knowing_of_every_source(mut self) -> Self {
        let now = self.clock.now();
        self.inventory = Arc::new(reconcile(&self.inventory, &self.configured_states(), Vec::new(), now).0);
        self
    }

    fn configured_states(&self) -> Vec<SourceState> {
        self.sources.iter().map(|source| SourceState::unknown(source.name().clone(), source.system())).collect()
    }

    /// The configured sources as nothing is known of them yet.
    #[must_use]
    pub fn configured(sources: &[Source]) -> Vec<SourceState> {
        sources.iter().map(|source| SourceState::unknown(source.name().clone(), source.system())).collect()
    }

    #[must_use]
    pub fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    #[must_use]
    pub fn sources(&self) -> &[Arc<Source>] {
        &self.sources
    }

    /// Takes over what the state holds: what another process saw last, which this one may not have seen.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn catch_up(&mut self, store: &Store) -> Result<(), CycleError> {
        self.inventory = Arc::new(store.inventory(&self.configured_states()).await?);
        Ok(())
    }

    /// Reads every source and lays what was read over what was known. With a store, what changed is written before it counts.
    ///
    /// # Errors
    /// When the state cannot be written; the inventory stays what it was. A source that fails is no error here.
    pub async fn poll(&mut self, patience: Patience, store: Option<&Store>) -> Result<Vec<Polled>, CycleError> {
        let configured = self.configured_states();
        let (readings, times) = self.read(patience).await;
        let counts: Vec<usize> = readings.iter().map(|reading| reading.outcome.as_ref().map_or(0, Vec::len)).collect();
        let (inventory, changes) = reconcile(&self.inventory, &configured, readings, self.clock.now());
        if let Some(store) = store {
            store.apply(&changes, inventory.sources()).await?;
        }
        log_changes(&changes);
        self.inventory = Arc::new(inventory);
        let polled = self.sources.iter().zip(counts).zip(times).filter_map(|((source, credentials), took)| {
            let source = self.inventory.source(source.name())?.clone();
            Some(Polled { error: source.last_error.clone(), source, credentials, took })
        });
        let polled: Vec<Polled> = polled.collect();
        polled.iter().for_each(log_poll);
        Ok(polled)
    }

    /// Asks all sources side by side. One that hangs, fails or panics costs the others nothing.
    async fn read(&self, patience: Patience) -> (Vec<Reading>, Vec<Duration>) {
        let mut tasks = JoinSet::new();
        for (index, source) in self.sources.iter().cloned().enumerate() {
            let at = self.clock.now();
            tasks.spawn(async move {
                let begun = std::time::Instant::now();
                let mut unreadable = Vec::new();
                let outcome = match timeout(READ_DEADLINE, source.read(patience, at)).await {
                    Ok(outcome) => outcome.map_err(|error| {
                        let why = error.text().clone();
                        unreadable = error.unreadable;
                        why
                    }),
                    Err(_) => Err(Text::clean("reading took longer than 20 minutes and was broken off")),
                };
                let reading = Reading {
                    source: source.name().clone(),
                    system: source.system(),
                    at,
                    outcome,
                    unreadable,
                    last_use: source.last_use(),
                };
                (index, reading, begun.elapsed())
            });
        }
        let mut done: Vec<Option<(Reading, Duration)>> = self.sources.iter().map(|_| None).collect();
        while let Some(joined) = tasks.join_next().await {
            if let Ok((index, reading, took)) = joined {
                done[index] = Some((reading, took));
            }
        }
        let now = self.clock.now();
        let broken = |source: &Source| Reading {
            source: source.name().clone(),
            system: source.system(),
            at: now,
            outcome: Err(Text::clean("reading broke down (a defect of the watch itself)")),
            unreadable: Vec::new(),
            last_use: None,
        };
        let or_broken =
            |(done, source): (Option<_>, &Arc<Source>)| done.unwrap_or_else(|| (broken(source), Duration::ZERO));
        done.into_iter().zip(&self.sources).map(or_broken).unzip()
    }

    /// Decides at `now`, given what has been told.
    fn decide(&self, ledger: &Ledger, now: Timestamp, wanted: Wanted) -> Decision {
        let world = World { inventory: &self.inventory, policy: &self.policy, ledger, foreseen_from: None };
        decide_for(&world, now, wanted)
    }

    /// Enqueues what is owed and was not enqueued before, as messages fixed for good; with [`Tell::All`], what calendars are to be
    /// told as well. Returns the notices that were new.
    ///
    /// # Errors
    /// When the state cannot be read or written, or a message cannot be composed; nothing has been enqueued, then.
    pub async fn tell(&self, which: Tell, store: &Store) -> Result<Vec<Notice>, CycleError> {
        let now = self.clock.now();
        let ledger: Ledger = store.told().await?.into_iter().collect();
        let wanted = match which {
            Tell::Urgent => Wanted::Urgent,
            Tell::All => Wanted::All,
        };
        let Decision { verdicts, notices: owed, .. } = self.decide(&ledger, now, wanted);
        let fresh = if owed.is_empty() { owed } else { self.enqueue(owed, store, now).await? };
        if which == Tell::All {
            self.invite(&verdicts, store, now).await?;
        }
        Ok(fresh)
    }

    async fn enqueue(&self, owed: Vec<Notice>, store: &Store, now: Timestamp) -> Result<Vec<Notice>, CycleError> {
        let fresh = store
            .enqueue(owed, now, |fresh| match &self.mail {
                Some(mail) => letters::digests(fresh, &self.stationery(mail), now).map_err(CycleError::from),
                None => Ok(Vec::new()),
            })
            .await?;
        for notice in &fresh {
            let NoticeView { kind, credential, threshold, team } = NoticeView::of(notice);
            info!(kind, credential, threshold, team, "notice enqueued");
        }
        Ok(fresh)
    }

    /// Enqueues what calendars have not been told yet. Each message and what it tells are written together, so that a kill before
    /// leaves both to the next run, and a kill afterwards repeats neither.
    async fn invite(&self, verdicts: &[Verdict], store: &Store, now: Timestamp) -> Result<(), CycleError> {
        let Some(mail) = &self.mail else { return Ok(()) };
        let (inventory, policy) = (&self.inventory, &self.policy);
        let messages = store
            .invite(|told| {
                calendars::messages(inventory, policy, verdicts, told, &self.stationery(mail), now)
                    .map_err(CycleError::from)
            })
            .await?;
        if messages > 0 {
            info!(messages, "calendar messages enqueued");
        }
        Ok(())
    }

    /// Enqueues the summaries: all that each team owns, what changed since the last ones, what nobody owns, and how the sources are.
    /// That they were made is written down with them, unless somebody else has made them since `last`, when they were made before.
    ///
    /// # Errors
    /// As [`Cycle::tell`].
    pub async fn summarise(&self, last: Option<Timestamp>, store: &Store) -> Result<usize, CycleError> {
        let Some(mail) = &self.mail else { return Ok(0) };
        let now = self.clock.now();
        let since =
            last.filter(|last| *last < now).unwrap_or_else(|| now.saturating_sub(WEEK).unwrap_or(Timestamp::MIN));
        let told_since = store.told_since(since).await?;
        let view = self.view(store.told().await?.into_iter().collect());
        let drafts = summaries::summaries(&view, since, &told_since, &self.stationery(mail))?;
        if !store.ran_with("summary", last, now, &drafts).await? {
            info!("another process has enqueued the summaries meanwhile");
            return Ok(0);
        }
        info!(messages = drafts.len(), "summaries enqueued");
        Ok(drafts.len())
    }

    /// What is known and what follows from it now.
    #[must_use]
    pub fn view(&self, ledger: Ledger) -> View {
        self.view_at(&ledger, self.clock.now())
    }

    /// The same, at another instant.
    #[must_use]
    pub fn view_at(&self, ledger: &Ledger, at: Timestamp) -> View {
        let Decision { verdicts, holders, .. } = self.decide(ledger, at, Wanted::Nothing);
        View { at, inventory: self.inventory.clone(), policy: self.policy.clone(), verdicts, holders }
    }

    fn stationery<'a>(&'a self, mail: &'a Mail) -> crate::render::Stationery<'a> {
        letters::stationery(&self.policy, mail, self.public_url.as_deref())
    }
}

/// A notice as it is logged: identifiers, no addresses.
struct NoticeView<'a> {
    kind: &'static str,
    credential: String,
    threshold: String,
    team: &'a str,
}

impl<'a> NoticeView<'a> {
    fn of(notice: &'a Notice) -> Self {
        Self {
            kind: notice.key.kind.as_str(),
            credential: notice.key.credential.to_string(),
            threshold: notice.key.step.to_string(),
            team: notice.key.team.as_str(),
        }
    }
}

fn log_poll(polled: &Polled) {
    let Polled { source, credentials, took, error } = polled;
    let (source_name, ms) = (source.name.as_str(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    match (error, source.last_success) {
        (None, _) => info!(source = source_name, credentials, ms, "source read"),
        (Some(error), Some(at)) => {
            warn!(source = source_name, ms, %error, snapshot = %at, "source could not be read; its last snapshot stays in force until the next poll");
        }
        (Some(error), None) => {
            warn!(source = source_name, ms, %error, "source could not be read and has no snapshot yet; the next poll tries again");
        }
    }
}

fn log_changes(changes: &Changes) {
    let missing = changes.upserts.iter().filter(|entry| entry.missing_since.is_some()).count();
    let (changed, forgotten) = (changes.upserts.len() - missing, changes.removals.len());
    if changed + missing + forgotten > 0 {
        info!(changed, missing, forgotten, "inventory changed");
    }
}
