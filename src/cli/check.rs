//! `check`: read everything, print the inventory and why each credential is or is not due. Sends nothing, writes nothing.

use super::live::{self, Live};
use super::setup::{self, fail};
use super::{CheckArguments, Exit, FailOn, Format};
use crate::clock::Clock;
use crate::observe::View;
use crate::report;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::io::Write;

pub async fn run(arguments: CheckArguments) -> Result<Exit, Exit> {
    let config = setup::configuration(&arguments.file.config)?;
    let clock = Clock::System;
    let as_of = match &arguments.as_of {
        Some(written) => Some(instant(written, &config.policy.zone).map_err(|why| fail(Exit::Configuration, why))?),
        None => None,
    };
    let live = Live::read(&config, &clock).await?;
    let view = live.cycle.view_at(&live.ledger, as_of.unwrap_or_else(|| clock.now()));
    live::warn(&view);
    print(&view, arguments.format).map_err(|error| setup::cannot_print(&error))?;

    let exit = live.failures();
    let found = match arguments.fail_on {
        None => 0,
        Some(FailOn::Due) => report::count_due(&view),
        Some(FailOn::Expired) => report::count_expired(&view),
    };
    Ok(if found > 0 { exit.and(Exit::Found) } else { exit })
}

fn print(view: &View, format: Format) -> std::io::Result<()> {
    live::print(|out, screen| {
        match format {
            Format::Json => serde_json::to_writer_pretty(&mut *out, &report::Report::new(view))?,
            Format::Table => write!(out, "{}", report::table(view, screen.width, screen.colour))?,
        }
        writeln!(out)
    })
}

/// RFC 3339, or a date: that day's start in the zone.
fn instant(written: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(instant) = written.parse::<Timestamp>() {
        return Ok(instant);
    }
    let start = written.parse::<Date>().ok().and_then(|date| date.to_zoned(zone.clone()).ok());
    start.map(|start| start.timestamp()).ok_or_else(|| {
        format!("--as-of: `{written}` is no time: write RFC 3339, such as 2026-11-28T08:00:00-07:00, or a date, such as 2026-11-28")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_or_the_start_of_a_day_in_the_zone() {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get("America/Vancouver").unwrap();
        for (written, at) in [
            ("2026-11-28T08:00:00-07:00", Some("2026-11-28T15:00:00Z")),
            ("2026-11-28T15:00:00Z", Some("2026-11-28T15:00:00Z")),
            ("2026-11-28", Some("2026-11-28T07:00:00Z")),
            ("tomorrow", None),
            ("2026-13-01", None),
        ] {
            assert_eq!(instant(written, &zone).ok(), at.map(|at| at.parse().unwrap()), "{written}");
        }
    }
}
