//! Whether all is well, in a sentence: what may be closed at once, and what may not.

use super::{NAME, Summary, SummaryItem, SummarySource};
use crate::render::wording::Tone;
use crate::render::{shortened, when};

/// How things stand, in numbers.
pub(super) struct Health {
    expired: usize,
    /// Inside their widest threshold.
    expiring: usize,
    /// Wrong beside their dates, or out of reach.
    troubled: usize,
    /// Their last attempt failed, or they were never read.
    failing: usize,
}

impl Health {
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let of_status = |status: &str| summary.owned.iter().filter(|item| item.status == status).count();
        let is_troubled = |item: &&SummaryItem| !item.conditions.is_empty() || item.status == "unreachable";
        Self {
            expired: of_status("expired"),
            expiring: of_status("expiring"),
            troubled: summary.owned.iter().filter(is_troubled).count(),
            failing: summary.sources.iter().filter(|source| source.is_failing()).count(),
        }
    }

    pub(super) fn is_well(&self, summary: &Summary<'_>) -> bool {
        let wrong = self.expired + self.expiring + self.troubled + self.failing + summary.holders.len();
        wrong == 0 && summary.unowned.is_empty() && !summary.owned.is_empty() && !summary.sources.is_empty()
    }

    pub(super) fn tone(&self, summary: &Summary<'_>) -> Tone {
        match self.is_well(summary) {
            true => Tone::Calm,
            false if self.expired > 0 => Tone::Alarm,
            false => Tone::Task,
        }
    }

    pub(super) fn subject(&self, summary: &Summary<'_>) -> String {
        let mut parts = vec![counted(summary.owned.len(), "credential")];
        parts.extend((self.expired > 0).then(|| format!("{} expired", self.expired)));
        parts.extend(self.is_well(summary).then(|| "all is well".to_owned()));
        let soonest = next_end(summary).and_then(|item| item.days_left);
        parts.extend(soonest.map(|days| format!("the next ends {}", when::in_words(days))));
        parts.extend((self.failing > 0).then(|| format!("{} not read", counted(self.failing, "source"))));
        parts.extend((!summary.unowned.is_empty()).then(|| format!("{} unowned", summary.unowned.len())));
        format!("Summary: {}", parts.join(", "))
    }

    /// The first sentence: whether one may close the mail.
    pub(super) fn in_words(&self, summary: &Summary<'_>) -> String {
        let next = next_end(summary).map_or("nothing of it ends at all".to_owned(), |item| {
            let name = shortened(item.holder.as_str(), NAME);
            format!("the next to end is {name}, {}", when::in_words(item.days_left.unwrap_or_default()))
        });
        if self.is_well(summary) {
            return format!("All is well: nothing needs you, every source was read, and {next}.");
        }
        let mut wrong = Vec::new();
        let mut add = |count: usize, one: &str, many: &str| {
            wrong.extend((count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many })));
        };
        add(self.expired, "has expired", "have expired");
        add(self.expiring, "is to be renewed soon", "are to be renewed soon");
        add(self.troubled, "is wrong beside its dates or out of reach", "are wrong beside their dates or out of reach");
        add(summary.holders.len(), "rotation waits for somebody", "rotations wait for somebody");
        add(summary.unowned.len(), "has no owner", "have no owner");
        let stale = "not be read, so what is said here of it may be out of date";
        add(self.failing, &format!("source could {stale}"), &format!("sources could {stale}"));
        let nothing_owned = "You own nothing that is watched: no rule, tag or default names you. No mail from here would reach you \
                             about anything: if that is not what you expect, ask whoever runs Expiry Watch.";
        let no_sources = "No source has been asked yet: nothing is known.";
        let told = if wrong.is_empty() { String::new() } else { format!("Not all is well: {}.", wrong.join(", ")) };
        let parts = [
            summary.owned.is_empty().then_some(nothing_owned),
            summary.sources.is_empty().then_some(no_sources),
            Some(told.as_str()).filter(|told| !told.is_empty()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

impl SummarySource {
    pub(super) fn is_failing(&self) -> bool {
        self.last_error.is_some() || self.last_success.is_none()
    }
}

fn next_end<'a>(summary: &Summary<'a>) -> Option<&'a SummaryItem> {
    let to_come =
        summary.owned.iter().filter(|item| item.days_left.is_some_and(|days| days >= 0) && item.status != "expired");
    to_come.min_by_key(|item| item.expires_at)
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
