//! `forecast`: read everything as `check` does, print every notice to come. Sends nothing, writes nothing.

use super::live::{self, Live};
use super::setup::{self, fail};
use super::{Exit, ForecastArguments, ForecastFormat};
use crate::clock::Clock;
use crate::decide::Forecast;
use crate::observe::View;
use crate::report::{self, ForecastReport};
use std::io::Write;

/// The furthest that anybody may look: ten years, more than a policy lasts.
const MOST_DAYS: u32 = 3_650;

pub async fn run(arguments: ForecastArguments) -> Result<Exit, Exit> {
    let config = setup::configuration(&arguments.file.config)?;
    let clock = Clock::System;
    let live = Live::read(&config, &clock).await?;
    let view = live.cycle.view_at(&live.ledger, clock.now());
    live::warn(&view);
    let forecast = live
        .cycle
        .foresee(&live.ledger, &config.schedule, live.notified, view.at, arguments.days)
        .map_err(|too_many| fail(Exit::Configuration, format_args!("--days {}: {too_many}", arguments.days)))?;
    print(&view, &forecast, arguments.format).map_err(|error| setup::cannot_print(&error))?;
    Ok(live.failures())
}

/// `--days`: a whole number within the limits.
pub fn days(written: &str) -> Result<u32, String> {
    let days = written.parse().ok().filter(|days| (1..=MOST_DAYS).contains(days));
    days.ok_or_else(|| format!("write a whole number of days from 1 to {MOST_DAYS} (ten years), such as 90"))
}

fn print(view: &View, forecast: &Forecast, format: ForecastFormat) -> std::io::Result<()> {
    live::print(|out, screen| match format {
        ForecastFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &ForecastReport::new(view, forecast))?;
            writeln!(out)
        }
        ForecastFormat::Table => {
            write!(out, "{}", report::forecast_table(view, forecast, screen.width, screen.colour))
        }
        ForecastFormat::Ics => write!(out, "{}", report::forecast_calendar(view, forecast)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_a_whole_number_from_one_day_to_ten_years() {
        for (written, expected) in [("1", Some(1)), ("30", Some(30)), ("3650", Some(3650))] {
            assert_eq!(days(written).ok(), expected);
        }
        for written in ["0", "3651", "-1", "1.5", "30d", "", "99999999999"] {
            assert!(days(written).unwrap_err().contains("from 1 to 3650"), "{written}");
        }
    }
}
