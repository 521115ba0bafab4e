//! From dates to finished calendar messages.

use super::letters::message_id;
use crate::decide::{Verdict, invitations};
use crate::domain::{Channel, Invitation, Invited, Policy, Text};
use crate::inventory::Inventory;
use crate::outbox::Draft;
use crate::render::{self, ComposeError, Stationery};
use jiff::Timestamp;
use tracing::info;

/// What calendars are to be told at `now`, each with its message, given what they have been told.
pub fn messages(
    inventory: &Inventory,
    policy: &Policy,
    verdicts: &[Verdict],
    told: Vec<Invited>,
    stationery: &Stationery<'_>,
    now: Timestamp,
) -> Result<Vec<(Invited, Draft)>, ComposeError> {
    let owed = invitations(inventory, policy, verdicts, told, now);
    if owed.later > 0 {
        info!(now = owed.now.len(), later = owed.later, "more calendar entries than one run sends; the rest follows");
    }
    owed.now
        .into_iter()
        .map(|invitation| Ok((invitation.entry.clone(), draft(&invitation, stationery, now)?)))
        .collect()
}

fn draft(invitation: &Invitation, stationery: &Stationery<'_>, now: Timestamp) -> Result<Draft, ComposeError> {
    let letter = render::invitation(stationery, invitation, now);
    let id = message_id(stationery);
    let raw = render::compose_invitation(stationery, &letter, invitation, &id, now)?;
    Ok(Draft {
        id,
        address: invitation.entry.address.clone(),
        channel: Channel::Calendar,
        subject: Text::clean(&letter.subject),
        enqueued_at: now,
        raw,
        about: Vec::new(),
    })
}
