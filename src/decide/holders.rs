//! How each holder stands, over all its credentials of one kind.

use super::verdict::{Code, Status, Verdict};
use crate::inventory::Inventory;
use jiff::Timestamp;

/// The rotation state of a holder, as far as dates tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    Steady,
    /// A successor is valid, the old one still runs.
    Overlap,
    /// Nothing valid is left.
    Lapsed,
    /// Nothing has begun yet, or nothing is known.
    Unknown,
}

impl State {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Overlap => "overlap",
            Self::Lapsed => "lapsed",
            Self::Unknown => "unknown",
        }
    }

    #[must_use]
    pub fn spoken(self) -> &'static str {
        match self {
            Self::Steady => "a valid credential, none of them being replaced",
            Self::Overlap => "a successor is valid and the old one still runs",
            Self::Lapsed => "nothing valid is left",
            Self::Unknown => "nothing has begun yet",
        }
    }
}

/// One holder and kind, over its credentials that are there.
#[derive(Clone, Debug)]
pub struct HolderState {
    /// Indices into the verdicts; never empty.
    pub verdicts: std::ops::Range<usize>,
    pub state: State,
    /// Since when it has been in this state, by the dates.
    pub since: Option<Timestamp>,
    /// The latest end among its valid credentials; `None` where there is none, or one that never ends.
    pub covered_until: Option<Timestamp>,
}

/// Groups the verdicts, which stand in the inventory's order, by holder and kind.
#[must_use]
pub fn holders(inventory: &Inventory, verdicts: &[Verdict], now: Timestamp) -> Vec<HolderState> {
    let key = |verdict: &Verdict| {
        let credential = verdict.credential(inventory);
        (&credential.source, &credential.holder.id, credential.kind)
    };
    let mut start = 0;
    verdicts
        .chunk_by(|a, b| key(a) == key(b))
        .map(|group| {
            let verdicts = start..start + group.len();
            start = verdicts.end;
            holder(inventory, group, verdicts, now)
        })
        .collect()
}

fn holder(inventory: &Inventory, group: &[Verdict], verdicts: std::ops::Range<usize>, now: Timestamp) -> HolderState {
    let of = |verdict: &Verdict| verdict.credential(inventory);
    // What could never be read says nothing about its holder.
    let known = || group.iter().filter(|verdict| verdict.code != Code::Unknown);
    let valid = || known().map(of).filter(|credential| credential.is_valid_at(now));
    let running_out = |verdict: &&Verdict| verdict.status == Status::Superseded && !of(verdict).has_ended_at(now);
    let (state, since) = if valid().next().is_none() {
        match group.iter().map(of).filter(|credential| credential.has_ended_at(now)).filter_map(|c| c.expires_at).max()
        {
            Some(end) => (State::Lapsed, Some(end)),
            None => (State::Unknown, None),
        }
    } else if let Some(old) = group.iter().find(running_out) {
        let successor = old.successor(inventory);
        (State::Overlap, successor.and_then(|successor| successor.not_before))
    } else {
        (State::Steady, valid().filter_map(|credential| credential.not_before).max())
    };
    let endless = valid().any(|credential| credential.expires_at.is_none());
    let covered_until = valid().filter_map(|credential| credential.expires_at).max().filter(|_| !endless);
    HolderState { verdicts, state, since, covered_until }
}
