//! The postman's round: everything that waits and whose time has come, one message after another.

use super::heartbeat::Ticks;
use super::said::Said;
use crate::deliver::{Postman, Step};
use crate::domain::Text;
use crate::observe::{Observed, Outbox, Sent, SentState};
use crate::store::{MessageRow, Pick, StoreError};
use crate::web::{Metrics, Outcome};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::watch;
use tracing::{error, info, warn};

/// Every so many ticks the outbox is looked at even if nothing was sent: another process may have changed it.
const LOOK_EVERY: u64 = 10;

/// Delivers while this process leads.
pub struct Round {
    postman: Postman,
    observed: Arc<Observed>,
    metrics: Arc<Metrics>,
    /// Until when all mail is paused, and why.
    paused: Option<(Timestamp, Text)>,
    said: Said,
}

impl Round {
    #[must_use]
    pub fn new(postman: Postman, observed: Arc<Observed>, metrics: Arc<Metrics>) -> Self {
        Self { postman, observed, metrics, paused: None, said: Said::default() }
    }

    pub(super) async fn run(mut self, mut ticks: Ticks, stopped: watch::Receiver<bool>) {
        let mut beat: u64 = 0;
        loop {
            if beat.is_multiple_of(LOOK_EVERY) {
                self.show().await;
            }
            if let Err(error) = self.walk(&stopped).await {
                if self.said.is_due(self.postman.clock.now()) {
                    error!(%error, "the outbox could not be used; trying again in a second");
                }
                self.observed.beat(|pulse| pulse.store_error = Some(Text::clean(&error.to_string())));
            }
            beat += 1;
            if !ticks.next(&stopped).await {
                return;
            }
        }
    }

    /// Delivers what is due until nothing is, and says how many steps it took.
    ///
    /// # Errors
    /// When the state could not be read or written.
    pub async fn walk(&mut self, stopped: &watch::Receiver<bool>) -> Result<usize, StoreError> {
        let mut steps = 0;
        while self.observed.pulse().leader && !*stopped.borrow() && !self.is_paused().await {
            if !self.step().await? {
                break;
            }
            steps += 1;
            self.show().await;
        }
        Ok(steps)
    }

    async fn is_paused(&mut self) -> bool {
        let Some((until, _)) = &self.paused else { return false };
        if *until > self.postman.clock.now() {
            return true;
        }
        // Perhaps somebody has put a new password where the old one was, or granted what was missing.
        if let Err(error) = self.postman.transport.set_up_anew().await {
            warn!(%error, "the mail transport could not be set up anew; going on with the old one");
        }
        self.paused = None;
        false
    }

    /// One message; false when none was due.
    async fn step(&mut self) -> Result<bool, StoreError> {
        let (channel, outcome) = match self.postman.deliver_next(Pick::Due).await? {
            Step::Idle => return Ok(false),
            Step::Delivered(parcel) => {
                let now = self.postman.clock.now();
                info!(
                    message_id = parcel.draft.id,
                    notices = parcel.draft.about.len(),
                    attempts = parcel.attempts + 1,
                    "message delivered"
                );
                for about in &parcel.draft.about {
                    self.metrics.notice_took(now.duration_since(about.crossed_at).as_secs_f64());
                }
                (parcel.draft.channel, Outcome::Delivered)
            }
            Step::Deferred { channel, until, why } => {
                warn!(%why, %until, "message deferred");
                (channel, Outcome::Deferred)
            }
            Step::Rejected { channel, why } => {
                error!(%why, "message refused for good, for its address alone");
                (channel, Outcome::Rejected)
            }
            Step::Paused { channel, until, why } => {
                error!(%why, %until, "the mail system refuses us: all mail is paused until then");
                self.paused = Some((until, why));
                (channel, Outcome::Deferred)
            }
        };
        self.metrics.delivered(channel, outcome);
        Ok(true)
    }

    async fn show(&mut self) {
        match self.postman.store.outbox().await {
            Ok(rows) => self.observed.show_outbox(Outbox {
                pending: rows.pending,
                oldest: rows.oldest,
                rejected: rows.rejected,
                paused: self.paused.as_ref().map(|(_, why)| why.clone()),
                recent: rows.recent.into_iter().map(sent).collect(),
            }),
            Err(error) => {
                if self.said.is_due(self.postman.clock.now()) {
                    error!(%error, "the outbox could not be read; trying again in a few seconds");
                }
            }
        }
    }
}

pub(super) fn sent(row: MessageRow) -> Sent {
    let state = match row.state.as_str() {
        "delivered" => SentState::Delivered,
        "rejected" => SentState::Rejected,
        _ => SentState::Pending,
    };
    Sent {
        message_id: row.id,
        enqueued_at: row.enqueued_at,
        address: row.address,
        subject: row.subject,
        state,
        attempts: row.attempts,
        last_error: row.last_error,
    }
}
