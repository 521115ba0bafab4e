//! What a summary lists in sentences: rotations that wait, what changed, and how the sources are.

use super::layout::Section;
use super::{CHANGES, Change, NAME, Summary, SummaryHolder, SummarySource, What};
use crate::render::{Stationery, readable, shortened, when};
use jiff::Timestamp;

impl SummaryHolder {
    pub(super) fn line(&self, stationery: &Stationery) -> String {
        let since = self.since.map(|at| format!(" since {}", when::day(at, stationery.zone))).unwrap_or_default();
        let name = shortened(self.holder.as_str(), NAME);
        let why = shortened(&readable(&self.why), 400);
        format!("{name} ({}): {}{since}: {why}", self.kind.spoken(), self.state.replace('_', " "))
    }
}

pub(super) fn changes(stationery: &Stationery, summary: &Summary<'_>, rows: usize) -> Section {
    let mut sorted: Vec<&Change> = summary.changes.iter().collect();
    sorted.sort_by_key(|change| (change.what, change.at, &change.name, &change.label));
    let mut lines = Vec::new();
    for alike in sorted.chunk_by(|a, b| a.what.spoken() == b.what.spoken()) {
        let line = |change: &&Change| {
            let label = if change.label.is_empty() {
                String::new()
            } else {
                format!(" ({})", shortened(change.label.as_str(), NAME))
            };
            let step = match change.what {
                What::Told(kind, step) => format!(" {}, {step}:", kind.as_str().replace('_', " ")),
                _ => String::new(),
            };
            let name = shortened(change.name.as_str(), NAME);
            format!("{} {}:{step} {name}{label}", when::day(change.at, stationery.zone), change.what.spoken())
        };
        let named = CHANGES.min(rows);
        lines.extend(alike.iter().take(named).map(line));
        if alike.len() > named {
            lines.push(format!("and {} more: {}", alike.len() - named, alike[0].what.spoken()));
        }
    }
    if lines.is_empty() {
        lines.push("Nothing: nothing new, nothing rotated, nothing gone, nothing told.".to_owned());
    }
    Section::Lines { title: format!("Since {}", when::day(summary.since, stationery.zone)), lines, more: 0 }
}

impl What {
    fn spoken(self) -> &'static str {
        match self {
            Self::Began => "the watch began",
            Self::New => "new",
            Self::Superseded => "rotated, a newer one has taken over",
            Self::Gone => "gone, no longer listed",
            Self::Told(..) => "told",
            Self::Resolved => "resolved",
        }
    }
}

/// Those that fail come first.
pub(super) fn health(stationery: &Stationery, summary: &Summary<'_>, rows: usize, now: Timestamp) -> Section {
    let mut sorted: Vec<&SummarySource> = summary.sources.iter().collect();
    sorted.sort_by_key(|source| (!source.is_failing(), &source.name));
    let line = |source: &&SummarySource| {
        let read = match source.last_success {
            Some(at) => format!("read {} ({})", when::ago(at, now), when::local(at, stationery.zone)),
            None => "never read completely".to_owned(),
        };
        let error = source.last_error.as_ref().map(|error| format!("; FAILING: {}", shortened(error.as_str(), 200)));
        let name = shortened(&readable(source.name.as_str()), NAME);
        format!("{name} (type {}): {read}{}", source.system, error.unwrap_or_default())
    };
    // However little room there is, the first that fail are named.
    let lines: Vec<String> = sorted.iter().take(rows.max(CHANGES)).map(line).collect();
    Section::Lines { title: "Sources".to_owned(), more: sorted.len() - lines.len(), lines }
}
