//! What is due by the schedule, one thing after another.

use super::heartbeat::Ticks;
use super::outlook;
use super::said::Said;
use crate::clock::Clock;
use crate::config::Schedule;
use crate::cycle::{Cycle, CycleError, Polled, Tell};
use crate::decide::Ledger;
use crate::domain::Text;
use crate::observe::Observed;
use crate::schedule::Cron;
use crate::sources::Patience;
use crate::store::{CLOCKS_APART, Store};
use crate::web::Metrics;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::sync::watch;
use tracing::{error, warn};

/// How soon a poll whose result could not be written is made again: the state may be back, and the next time half an hour away.
const POLL_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Turns the crank of a [`Cycle`] when its time has come.
pub struct Conductor {
    cycle: Cycle,
    store: Arc<Store>,
    schedule: Schedule,
    clock: Clock,
    observed: Arc<Observed>,
    metrics: Arc<Metrics>,
    /// When the last poll began; the first turn polls at once.
    last_poll: Option<Timestamp>,
    /// When to poll again because what was read could not be written.
    poll_again: Option<Timestamp>,
    /// Whether another process led at the last turn.
    followed: bool,
    said: Said,
}

impl Conductor {
    #[must_use]
    pub fn new(
        cycle: Cycle,
        store: Arc<Store>,
        schedule: Schedule,
        clock: Clock,
        observed: Arc<Observed>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            cycle,
            store,
            schedule,
            clock,
            observed,
            metrics,
            last_poll: None,
            poll_again: None,
            followed: false,
            said: Said::default(),
        }
    }

    pub(super) async fn run(mut self, mut ticks: Ticks, stopped: watch::Receiver<bool>) {
        let mut stop = stopped.clone();
        loop {
            // A poll may be dropped at any point: nothing counts before it has been written in one transaction.
            tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => return,
                () = self.turn() => {}
            }
            if !ticks.next(&stopped).await {
                return;
            }
        }
    }

    /// One turn: polls if it is time, then tells if it is time, then summarises if it is time. What fails is tried again at the
    /// next turn that finds it due.
    pub async fn turn(&mut self) {
        let now = self.clock.now();
        self.observed.beat(|pulse| pulse.last_turn = Some(now));
        let outcome = self.do_what_is_due(now).await;
        self.observed.beat(|pulse| {
            pulse.polling_since = None;
            pulse.last_turn = Some(self.clock.now());
            if let Err(error) = &outcome {
                pulse.store_error = Some(Text::clean(&error.to_string()));
            }
        });
        if let Err(error) = outcome
            && self.said.is_due(now)
        {
            error!(%error, "a pass could not be finished; trying again at its next time");
        }
    }

    async fn do_what_is_due(&mut self, now: Timestamp) -> Result<(), CycleError> {
        let mut changed = false;
        if self.poll_is_due(now) {
            self.poll_again = now.checked_add(POLL_AGAIN).ok();
            self.poll(now).await?;
            self.poll_again = None;
            changed = true;
        }
        let leads = self.observed.pulse().leader;
        // Whoever comes to lead after another's death goes on from what that one saw, and finds what it could not tell any more.
        if leads && self.followed {
            self.cycle.catch_up(&self.store).await?;
            self.tell(Tell::Urgent).await?;
            changed = true;
        }
        self.followed = !leads;
        if leads {
            if self.is_due("notify", Some(&self.schedule.notify), now).await?.is_some() {
                self.tell(Tell::All).await?;
                self.store.ran("notify", now).await?;
                self.store.prune(now).await?;
                changed = true;
            }
            if let Some(last) = self.is_due("summary", self.schedule.summary.as_ref(), now).await? {
                self.cycle.summarise(Some(last), &self.store).await?;
            }
        }
        if changed {
            self.show().await?;
        }
        Ok(())
    }

    fn poll_is_due(&self, now: Timestamp) -> bool {
        let zone = &self.observed.view().policy.zone;
        match self.last_poll {
            Some(_) if self.poll_again.is_some_and(|at| at <= now) => true,
            None => true,
            // A clock that stepped back makes it due as well: better one poll too many.
            Some(last) => last > now || self.schedule.poll.next_after(last, zone).is_some_and(|due| due <= now),
        }
    }

    async fn poll(&mut self, now: Timestamp) -> Result<(), CycleError> {
        self.observed.beat(|pulse| pulse.polling_since = Some(now));
        self.last_poll = Some(now);
        let polled = self.cycle.poll(Patience::LONG, Some(&self.store)).await?;
        polled.iter().for_each(|polled| self.measure(polled));
        if self.observed.pulse().leader {
            self.tell(Tell::Urgent).await?;
        }
        self.observed.beat(|pulse| pulse.first_poll_done = true);
        Ok(())
    }

    /// When a schedule last ran, if its time has passed since then. What was missed while nobody ran is made up for, once. The
    /// very first time only begins to count; so does a clock that was far ahead. One that is a little ahead is another replica's.
    async fn is_due(&self, name: &str, cron: Option<&Cron>, now: Timestamp) -> Result<Option<Timestamp>, CycleError> {
        let Some(cron) = cron else { return Ok(None) };
        let Some(last) = self.store.last_run(name).await?.filter(|last| last.duration_since(now) <= CLOCKS_APART)
        else {
            self.store.ran(name, now).await?;
            return Ok(None);
        };
        let due = cron.next_after(last, &self.observed.view().policy.zone);
        Ok(due.filter(|due| *due <= now).map(|_| last))
    }

    /// Shows what is known now, with what has been told by now.
    async fn show(&self) -> Result<(), CycleError> {
        let ledger: Ledger = self.store.told().await?.into_iter().collect();
        let view = self.cycle.view_at(&ledger, self.clock.now());
        self.observed.show(view);
        self.foresee(&ledger).await?;
        let (metrics, view) = (self.metrics.clone(), self.observed.view());
        // A large inventory takes a while to compress; meanwhile the loops go on, and the view is served as it is.
        tokio::task::spawn_blocking(move || metrics.render(&view));
        Ok(())
    }

    /// Shows what will be told next, where that is not too much to foresee; the page goes without, then.
    async fn foresee(&self, ledger: &Ledger) -> Result<(), CycleError> {
        let view = self.observed.view();
        let mut rows = None;
        if view.verdicts.len() <= outlook::MOST_CREDENTIALS {
            let notified = self.store.last_run("notify").await?;
            match self.cycle.foresee(ledger, &self.schedule, notified, view.at, outlook::DAYS) {
                Ok(forecast) => rows = Some(outlook::rows(&view, forecast)),
                Err(error) => warn!(%error, "the days to come cannot be foreseen; the status page goes without"),
            }
        }
        self.observed.show_forecast(rows);
        Ok(())
    }

    fn measure(&self, polled: &Polled) {
        let name = &polled.source.name;
        self.metrics.poll_took(name, polled.took.as_secs_f64());
        let source = self.cycle.sources().iter().find(|source| source.name() == name);
        for (code, total) in source.map(|source| source.requests()).unwrap_or_default() {
            self.metrics.requests_are(name, &code, total);
        }
    }

    /// Whether anything was told.
    async fn tell(&self, which: Tell) -> Result<bool, CycleError> {
        let told = self.cycle.tell(which, &self.store).await?;
        for notice in &told {
            self.metrics.noticed(notice.key.kind, &notice.key.team);
        }
        Ok(!told.is_empty())
    }
}
