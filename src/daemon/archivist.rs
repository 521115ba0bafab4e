//! Answers what was told about a credential, one question after another: pages must not press upon the state.

use super::postman::sent;
use crate::observe::{Enquiries, History, Told};
use crate::store::{HistoryRows, NoticeRow, Store};
use std::sync::Arc;
use tracing::error;

/// Until nobody can ask any more.
pub(super) async fn run(mut enquiries: Enquiries, store: Arc<Store>) {
    while let Some(enquiry) = enquiries.recv().await {
        // Whoever asked may have gone; then nobody needs to know.
        if enquiry.answer.is_closed() {
            continue;
        }
        match store.history(&enquiry.credential).await {
            Ok(rows) => drop(enquiry.answer.send(history(rows))),
            Err(error) => error!(%error, "what was told about a credential could not be read; its page says so"),
        }
    }
}

fn history(rows: HistoryRows) -> History {
    let told = |row: NoticeRow| Told {
        at: row.enqueued_at,
        expires_at: row.key.expires_at,
        kind: row.key.kind,
        step: row.key.step,
        team: row.key.team,
        episode: row.key.episode,
    };
    History {
        told: rows.notices.into_iter().map(told).collect(),
        more: rows.more,
        mail: rows.messages.into_iter().map(sent).collect(),
    }
}
