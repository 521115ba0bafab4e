//! One step of delivery: take a message in hand, send it, write down what became of it.
//!
//! Delivery is at least once. The lease is taken and the fate written in transactions of their own, with the sending between them
//! and outside both: a kill after the server accepted and before that is written down repeats the message, byte for byte, under the
//! same Message-ID.

use super::{SendError, Transport};
use crate::clock::Clock;
use crate::domain::{Address, Channel, Text};
use crate::outbox::{Fate, Parcel, SEND_DEADLINE, after_passing_failure};
use crate::store::{Owner, Pick, Store, StoreError};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// The pauses before what became of a message is written down again, while the state cannot be written.
const SETTLE_AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Whoever carries the outbox to the mail system.
#[derive(Debug)]
pub struct Postman {
    pub store: Arc<Store>,
    pub transport: Transport,
    pub from: Address,
    pub owner: Owner,
    pub clock: Clock,
    /// How long one attempt may take; at most [`SEND_DEADLINE`], which the lease covers.
    pub deadline: Duration,
}

/// What one step came to.
#[derive(Debug)]
pub enum Step {
    /// There was nothing to take in hand.
    Idle,
    Delivered(Box<Parcel>),
    /// It will be tried again at this time.
    Deferred {
        channel: Channel,
        until: Timestamp,
        why: Text,
    },
    /// Given up, for this address alone.
    Rejected {
        channel: Channel,
        why: Text,
    },
    /// The mail system refuses all of us; it will be tried again at this time, and nothing else before that.
    Paused {
        channel: Channel,
        until: Timestamp,
        why: Text,
    },
}

impl Postman {
    /// Does one step.
    ///
    /// # Errors
    /// When the state could not be read or written. A message that was sent and could not be marked is sent again, the same.
    pub async fn deliver_next(&self, pick: Pick<'_>) -> Result<Step, StoreError> {
        let Some(parcel) = self.store.lease(pick, &self.owner, self.clock.now()).await? else { return Ok(Step::Idle) };
        let draft = &parcel.draft;
        let sending = self.transport.send(&self.from, &draft.address, &draft.raw, &draft.id);
        let deadline = self.deadline.min(SEND_DEADLINE);
        let outcome = match tokio::time::timeout(deadline, sending).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SendError::Deferred(format!("no answer within {} s", deadline.as_secs()))),
        };
        let now = self.clock.now();
        let paused = matches!(outcome, Err(SendError::Paused(_)));
        let later = |why: String, asked| after_passing_failure(&parcel, Text::clean(&why), now, fastrand::f64(), asked);
        let fate = match outcome {
            Ok(()) => Fate::Delivered,
            Err(SendError::Rejected(why)) => Fate::Rejected { why: Text::clean(&why) },
            Err(SendError::Deferred(why) | SendError::Paused(why)) => later(why, Duration::ZERO),
            Err(SendError::Busy { why, pause }) => later(why, pause),
        };
        self.settle(&draft.id, &fate, now).await?;
        let channel = parcel.draft.channel;
        Ok(match fate {
            Fate::Delivered => Step::Delivered(Box::new(parcel)),
            Fate::Deferred { until, why } if paused => Step::Paused { channel, until, why },
            Fate::Deferred { until, why } => Step::Deferred { channel, until, why },
            Fate::Rejected { why } => Step::Rejected { channel, why },
        })
    }

    /// Writes down what became of it. Tried again while the state blinks: what is not written down is sent again.
    async fn settle(&self, id: &str, fate: &Fate, now: Timestamp) -> Result<(), StoreError> {
        let mut pauses = SETTLE_AGAIN.into_iter();
        loop {
            match self.store.settle(id, &self.owner, fate, now).await {
                Err(error) => match pauses.next() {
                    Some(pause) => self.clock.sleep(pause).await,
                    None => return Err(error),
                },
                done => return done,
            }
        }
    }
}
