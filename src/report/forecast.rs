//! A forecast for programs, people and calendars. What comes, and when, was decided before.

mod calendar;
mod table;

pub use calendar::calendar;
pub use table::table;

use super::json::{Each, Shown};
use crate::decide::{Forecast, Foreseen};
use crate::domain::{CredentialId, Step};
use crate::observe::View;
use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Everything that `forecast` says, as JSON.
pub struct ForecastReport<'a> {
    view: &'a View,
    forecast: &'a Forecast,
}

impl<'a> ForecastReport<'a> {
    /// `view` shows the inventory that the forecast was made of.
    #[must_use]
    pub fn new(view: &'a View, forecast: &'a Forecast) -> Self {
        Self { view, forecast }
    }
}

impl Serialize for ForecastReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Forecast { from, to, notices } = self.forecast;
        let mut report = serializer.serialize_struct("Forecast", 3)?;
        report.serialize_field("from", from)?;
        report.serialize_field("to", to)?;
        report.serialize_field("notices", &Each(|| notices.iter().map(|notice| Row::new(self.view, notice))))?;
        report.end()
    }
}

#[derive(Serialize)]
struct Row<'a> {
    at: Timestamp,
    notice: &'static str,
    threshold: String,
    credential: Shown<&'a CredentialId>,
    holder: &'a str,
    team: &'a str,
    reason: &'a str,
}

impl<'a> Row<'a> {
    fn new(view: &'a View, notice: &'a Foreseen) -> Self {
        Self {
            at: notice.at,
            notice: notice.key.kind.as_str(),
            threshold: notice.key.step.to_string(),
            credential: Shown(&notice.key.credential),
            holder: subject(view, notice).0,
            team: notice.key.team.as_str(),
            reason: &notice.reason,
        }
    }
}

/// What it is about, as people call it: its holder's name and its label. A source has its own name, and no label.
fn subject<'a>(view: &'a View, notice: &'a Foreseen) -> (&'a str, &'a str) {
    match notice.entry.map(|entry| &view.inventory.entries()[entry].credential) {
        Some(credential) => (credential.holder.name.as_str(), credential.label.as_str()),
        None => {
            let mut sources = view.inventory.sources().iter().map(|source| source.name.as_str());
            (sources.find(|name| CredentialId::source(name) == notice.key.credential).unwrap_or_default(), "")
        }
    }
}

/// `expiring 7d`, `expired+7d`, `untrusted`: kind and threshold, without what is said twice.
fn short(notice: &Foreseen) -> String {
    let (kind, step) = (notice.key.kind.to_string(), notice.key.step.to_string());
    match notice.key.step {
        Step::Now => kind,
        _ if step.starts_with(&kind) => step,
        _ => format!("{kind} {step}"),
    }
}

/// Neighbours that tell the same to several teams, together.
fn by_teams(notices: &[Foreseen]) -> impl Iterator<Item = &[Foreseen]> {
    fn fact(notice: &Foreseen) -> impl PartialEq + '_ {
        (notice.at, notice.key.kind, notice.key.step, &notice.key.credential, &notice.reason)
    }
    notices.chunk_by(|a, b| fact(a) == fact(b))
}

fn teams(notices: &[Foreseen]) -> String {
    notices.iter().map(|notice| notice.key.team.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::small_forecast;

    #[test]
    fn as_json_it_is_one_object_with_a_row_for_each_team() {
        let (view, forecast) = small_forecast();
        insta::assert_snapshot!(serde_json::to_string_pretty(&ForecastReport::new(&view, &forecast)).unwrap());
    }
}
