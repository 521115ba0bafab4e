//! The daemon's loops through a year of a zone's clock: each run once, at its hour, and what cannot wait at once.

use crate::support::{Mail, ONE_TEAM, Place, Process, TestWatcher, mails};
use expiry_watch::demo::{Directory, Secret};
use jiff::civil::Date;
use jiff::tz::TimeZoneDatabase;
use jiff::{SignedDuration, Timestamp};

/// When notify ran in 2026, by the zone's clock, as `2026-03-08T08:00`; the loops turn every 20 minutes.
async fn year_of_runs(zone: &str) -> Vec<String> {
    let daily = format!("{ONE_TEAM}[schedule]\npoll = \"0 0 3 * * *\"\nnotify = \"0 0 8 * * *\"\n");
    let mut place = Place::new(Directory::new(), "2026-01-01", &daily).await;
    place.reconfigure(|config| config.replace("America/Vancouver", zone));
    let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
    let (start, end) = ("2026-01-01".parse::<Date>().unwrap(), "2027-01-01".parse::<Date>().unwrap());
    let midnight = |date: Date| date.to_zoned(zone.clone()).unwrap().timestamp();
    place.clock.set(midnight(start));
    let mut loops = Process::start(&place).await.into_loops();
    let (mut runs, mut last): (Vec<Timestamp>, _) = (Vec::new(), None);
    while place.clock.now() < midnight(end) {
        loops.conductor.turn().await;
        let ran = loops.store.last_run("notify").await.unwrap();
        if ran != last && last.is_some() {
            runs.extend(ran);
        }
        last = ran;
        place.clock.advance(SignedDuration::from_mins(20));
    }
    assert!(place.tenant.most_at_once() <= 2, "the two collections side by side, never two polls");
    assert_eq!(place.tenant.requests_to("/v1.0/applications"), 366, "one poll a day, and one at the start");
    runs.iter().map(|at| zone.to_datetime(*at).strftime("%Y-%m-%dT%H:%M").to_string()).collect()
}

fn every_day_at_eight() -> Vec<String> {
    crate::support::dates("2026-01-01", 365).map(|date| format!("{date}T08:00")).collect()
}

#[tokio::test]
async fn notices_go_out_at_eight_on_every_day_of_the_year_in_vancouver() {
    assert_eq!(year_of_runs("America/Vancouver").await, every_day_at_eight());
}

#[tokio::test]
async fn notices_go_out_at_eight_on_every_day_of_the_year_in_berlin() {
    assert_eq!(year_of_runs("Europe/Berlin").await, every_day_at_eight());
}

#[tokio::test]
async fn what_ends_within_a_day_goes_out_after_the_poll_that_saw_it_and_the_rest_waits_for_the_morning() {
    let hours = format!("{ONE_TEAM}[schedule]\npoll = \"0 */30 * * * *\"\nnotify = \"0 0 8 * * *\"\n");
    let directory = Directory::new();
    let place = Place::new(directory.clone(), "2026-11-21", &hours).await;
    let mut loops = Process::start(&place).await.into_loops();
    let secret = |until: &str| Secret::labelled("key").from("2026-06-01").until(until);
    for minute in 0..25 * 60 / 5 {
        loops.tick().await;
        place.clock.advance(SignedDuration::from_mins(5));
        if minute == 20 {
            directory.application("soon").secret(secret("2026-11-22T17:00:00Z"));
            directory.application("later").secret(secret("2026-11-24T20:00:00Z"));
        }
    }
    let arrived: Vec<(String, String)> =
        mails(&place.tenant).iter().map(|mail| (mail.at.to_string(), Mail::line(mail))).collect();
    let told = |at: &str, line: &str| (at.to_owned(), line.to_owned());
    assert_eq!(
        arrived,
        [
            told("2026-11-21T17:00:00Z", "2026-11-21 ccaas-ops: expiring 1d"),
            // From midnight on the day of its end; seen by the poll of that minute.
            told("2026-11-22T07:00:00Z", "2026-11-22 ccaas-ops: expiring 0d"),
            told("2026-11-22T15:00:00Z", "2026-11-22 ccaas-ops: expiring 3d"),
        ]
    );
}

#[tokio::test]
async fn the_weekly_summary_comes_once_a_week_to_everybody() {
    let weekly = format!("{ONE_TEAM}[schedule]\npoll = \"0 0 3 * * *\"\nsummary = \"0 0 8 * * Mon\"\n");
    let directory = Directory::new();
    directory.application("billing").secret(Secret::labelled("key").from("2026-06-01").until("2027-11-24"));
    let watcher = TestWatcher::start(directory, "2026-11-21", &weekly).await;
    let TestWatcher { place, process, .. } = watcher;
    let mut loops = process.into_loops();
    for hour in 0..24 * 15 {
        loops.tick().await;
        place.clock.advance(SignedDuration::from_hours(1));
        if hour % 50 == 49 {
            drop(loops);
            loops = Process::start(&place).await.into_loops();
        }
    }
    let mut arrived: Vec<String> = mails(&place.tenant).iter().map(|mail| format!("{} {}", mail.at, mail.to)).collect();
    arrived.sort();
    let mondays = ["2026-11-23T15:00:00Z", "2026-11-30T15:00:00Z"];
    let expected = mondays.map(|at| [format!("{at} ccaas-ops@example.ca"), format!("{at} idim-techops@example.ca")]);
    assert_eq!(arrived, expected.concat());
}
