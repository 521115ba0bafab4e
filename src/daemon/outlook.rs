//! What the status page shows of the days to come.

use crate::decide::{Forecast, Foreseen};
use crate::domain::Text;
use crate::observe::{ForecastRow, View};

/// How far the page looks.
pub const DAYS: u32 = 90;

/// With more credentials than this the page goes without: a forecast of them would take more memory than all else. The command
/// `forecast` makes one when somebody asks.
pub const MOST_CREDENTIALS: usize = 20_000;

/// How many notices are kept for the page, the nearest ones.
const MOST_NOTICES: usize = 20_000;

/// The rows of `forecast`, which was made of what `view` shows.
#[must_use]
pub fn rows(view: &View, forecast: Forecast) -> Vec<ForecastRow> {
    forecast.notices.into_iter().take(MOST_NOTICES).map(|notice| row(view, notice)).collect()
}

fn row(view: &View, notice: Foreseen) -> ForecastRow {
    let Foreseen { at, key, reason, entry } = notice;
    let credential = entry.and_then(|entry| view.inventory.entries().get(entry)).map(|entry| &*entry.credential);
    let (holder, label) = match credential {
        Some(credential) => (credential.holder.name.clone(), credential.label.clone()),
        None => (Text::clean(&key.credential.to_string()), Text::default()),
    };
    ForecastRow {
        at,
        kind: key.kind,
        step: key.step,
        credential: key.credential,
        holder,
        label,
        team: key.team,
        reason,
    }
}
