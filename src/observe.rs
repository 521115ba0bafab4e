//! The one state that health, metrics, API and status page read, and that the loops write.
//!
//! Owns no decision: what it shows was decided elsewhere. Readers get a consistent picture without waiting for a poll.

mod history;

pub use history::{Archive, Enquiries, Enquiry, History, Told};

use crate::decide::{HolderState, Verdict};
use crate::domain::{CredentialId, NoticeKind, Policy, Step, TeamId, Text};
use crate::inventory::Inventory;
use jiff::Timestamp;
use std::sync::{Arc, PoisonError, RwLock};

/// What was known and judged at one instant.
#[derive(Debug)]
pub struct View {
    pub at: Timestamp,
    pub inventory: Arc<Inventory>,
    pub policy: Arc<Policy>,
    /// One for each credential that is there, in the inventory's order.
    pub verdicts: Vec<Verdict>,
    pub holders: Vec<HolderState>,
}

/// A notice that will be sent if nobody acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastRow {
    pub at: Timestamp,
    pub kind: NoticeKind,
    pub step: Step,
    /// The credential, or `source:<name>`.
    pub credential: CredentialId,
    pub holder: Text,
    pub label: Text,
    pub team: TeamId,
    pub reason: String,
}

/// What waits to be delivered, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    pub pending: u64,
    /// When the oldest pending message was enqueued.
    pub oldest: Option<Timestamp>,
    /// Messages given up, ever.
    pub rejected: u64,
    /// Why all mail is paused at present.
    pub paused: Option<Text>,
    /// The latest messages, newest first; a bounded number.
    pub recent: Vec<Sent>,
}

/// A message as the status page lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub message_id: String,
    pub enqueued_at: Timestamp,
    pub address: String,
    pub subject: Text,
    pub state: SentState,
    pub attempts: u32,
    pub last_error: Option<Text>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentState {
    Pending,
    Delivered,
    Rejected,
}

/// The loops' own pulse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Whether the first poll since the start has finished.
    pub first_poll_done: bool,
    /// When the loop that polls last turned.
    pub last_turn: Option<Timestamp>,
    /// Why the store could not be used when it was last tried.
    pub store_error: Option<Text>,
    /// Whether this process is the one that decides and delivers.
    pub leader: bool,
    /// When the running poll began, if one runs.
    pub polling_since: Option<Timestamp>,
}

/// Shared between the loops and the web.
#[derive(Debug)]
pub struct Observed {
    view: RwLock<Arc<View>>,
    outbox: RwLock<Outbox>,
    pulse: RwLock<Pulse>,
    /// `None` where it has not been worked out.
    forecast: RwLock<Option<Arc<[ForecastRow]>>>,
}

impl Observed {
    #[must_use]
    pub fn new(view: View) -> Self {
        Self {
            view: RwLock::new(Arc::new(view)),
            outbox: RwLock::default(),
            pulse: RwLock::default(),
            forecast: RwLock::default(),
        }
    }

    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn show(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.outbox.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn show_outbox(&self, outbox: Outbox) {
        *self.outbox.write().unwrap_or_else(PoisonError::into_inner) = outbox;
    }

    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn beat(&self, change: impl FnOnce(&mut Pulse)) {
        change(&mut self.pulse.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// What will be sent next, in order; `None` where nobody has worked it out.
    #[must_use]
    pub fn forecast(&self) -> Option<Arc<[ForecastRow]>> {
        self.forecast.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn show_forecast(&self, rows: Option<Vec<ForecastRow>>) {
        *self.forecast.write().unwrap_or_else(PoisonError::into_inner) = rows.map(Arc::from);
    }
}
