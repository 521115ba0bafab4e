//! `check`: read everything, print the inventory and why each credential is or is not due. Sends nothing, writes nothing.

use super::setup::{self, fail, state_failed};
use super::{CheckArguments, Exit, FailOn, Format};
use crate::clock::Clock;
use crate::config::Config;
use crate::cycle::Cycle;
use crate::decide::Ledger;
use crate::domain::{CredentialId, Text};
use crate::inventory::Inventory;
use crate::observe::View;
use crate::report;
use crate::sources::Patience;
use crate::store::Store;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::io::{IsTerminal, Write};

pub async fn run(arguments: CheckArguments) -> Result<Exit, Exit> {
    let config = setup::configuration(&arguments.file.config)?;
    let clock = Clock::System;
    let as_of = match &arguments.as_of {
        Some(written) => Some(instant(written, &config.policy.zone).map_err(|why| fail(Exit::Configuration, why))?),
        None => None,
    };
    let sources = setup::sources(&config, &clock)?;
    let (known, ledger) = remembered(&config, &sources).await?;
    let mut cycle = Cycle::new(&config, None, sources, clock.clone(), known);
    let polled = cycle.poll(Patience::SHORT, None).await.map_err(|error| fail(Exit::State, error))?;
    let view = cycle.view_at(&ledger, as_of.unwrap_or_else(|| clock.now()));

    for rule in report::unmatched_rules(&view) {
        eprintln!("expiry-watch: warning: the rule \"{rule}\" matches no credential: nothing is watched by it");
    }
    for (tag, holder) in report::unknown_tags(&view) {
        eprintln!(
            "expiry-watch: warning: the tag `team:{tag}` of {holder} names no team: whoever else is told of it is not that team"
        );
    }
    for (credential, why) in unreadable(&view) {
        eprintln!("expiry-watch: {credential}: {why}");
    }
    print(&view, arguments.format).map_err(|error| setup::cannot_print(&error))?;

    let mut exit = Exit::Done;
    for failed in polled.iter().filter_map(|polled| Some((&polled.source, polled.error.as_ref()?))) {
        let (source, error) = failed;
        let kept =
            source.last_success.map_or("it has no earlier snapshot".to_owned(), |at| format!("shown as of {at}"));
        exit = exit.and(fail(Exit::Source, format_args!("{}: {error}; {kept}", source.name)));
    }
    let found = match arguments.fail_on {
        None => 0,
        Some(FailOn::Due) => report::count_due(&view),
        Some(FailOn::Expired) => report::count_expired(&view),
    };
    Ok(if found > 0 { exit.and(Exit::Found) } else { exit })
}

/// What stands in the inventory but could not be read.
fn unreadable(view: &View) -> impl Iterator<Item = (&CredentialId, &Text)> {
    let credentials = view.verdicts.iter().map(|verdict| verdict.credential(&view.inventory));
    credentials.filter_map(|credential| Some((&credential.id, credential.trouble.as_ref()?.why_unreachable()?)))
}

/// What the state holds, opened for reading alone; nothing where there is none.
async fn remembered(config: &Config, sources: &[crate::sources::Source]) -> Result<(Inventory, Ledger), Exit> {
    let Some(store) = Store::open_read_only(setup::state_path(config)).await.map_err(state_failed)? else {
        if setup::state_path(config).exists() {
            eprintln!(
                "expiry-watch: warning: the state is not yet one of this version (the next `run` or `once` sees to that): shown as if \
                 nothing had been told"
            );
        }
        return Ok((Inventory::default(), Ledger::default()));
    };
    let known = setup::known(&store, sources).await?;
    let told = store.told().await.map_err(state_failed)?;
    Ok((known, told.into_iter().collect()))
}

fn print(view: &View, format: Format) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let printed = match format {
        Format::Json => serde_json::to_writer_pretty(&mut out, &report::Report::new(view)).map_err(Into::into),
        Format::Table => {
            let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
            let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(160);
            write!(out, "{}", report::table(view, width, colour))
        }
    };
    match printed.and_then(|()| writeln!(out)) {
        // Whoever reads has seen enough (`| head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
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
