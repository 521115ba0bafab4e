//! What was foreseen is what happens: the daemon's loops through a quarter, against the forecast made at its start.

use crate::desk::{Desk, ends_in};
use crate::support::{Loops, Mail, Place, Process, mails};
use expiry_watch::decide::{Forecast, Ledger};
use expiry_watch::demo::{Directory, Fault, Place as At, Secret};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;

const DAYS: u32 = 92;

/// Two teams, an overlap, a cadence, an escalation, ends at odd hours, thresholds of every sort.
const QUARTER: &str = r#"
    [schedule]
    poll = "0 0 */3 * * *"
    notify = "0 0 8 * * Mon-Fri"
    urgent_within = "30h"
    [sources.by_hand]
    type = "declared"
    credentials = [
        { holder = "SIP trunk", label = "carrier", not_before = "2026-01-01", expires_at = "2026-12-24T03:30:00Z" },
        { holder = "old trunk", label = "carrier", not_before = "2026-01-01", expires_at = "2026-11-17T13:10:00Z" },
    ]
    [teams.oversight]
    email = [ "oversight@example.ca" ]
    [defaults]
    teams = [ "ccaas" ]
    remind = [ "33%", "14d", "7d", "3d", "36h", "0d" ]
    escalate = { at = "3d", teams = [ "oversight" ] }
    [[rules]]
    name = "API secrets"
    match = { holder = "api*" }
    teams = [ "ccaas", "idim" ]
    successor = "holder"
    rotate_every = "90d"
    retire_remind = [ "7d", "20h" ]
"#;

fn register(directory: &Directory) {
    let secret = |label: &str, from, until| Secret::labelled(label).from(from).until(until);
    directory.application("billing").secret(secret("key", "2026-06-01", "2026-12-09T21:47:00Z"));
    let api = directory.application("api v1").secret(secret("old", "2026-07-01", "2026-12-28T05:15:00Z"));
    api.secret(secret("new", "2026-09-29", "2027-03-28T05:15:00Z"));
    directory.application("api v2").secret(secret("only", "2026-10-20", "2027-02-03T11:59:59Z"));
    directory.application("later").secret(secret("key", "2026-12-25", "2027-01-10T00:00:00Z"));
}

/// When, to whom, kind, credential, threshold.
type Told = BTreeSet<(Timestamp, String, String, String, String)>;

fn foreseen(forecast: &Forecast) -> Told {
    let address = |team: &str| match team {
        "ccaas" => "ccaas-ops@example.ca",
        "idim" => "idim-techops@example.ca",
        _ => "oversight@example.ca",
    };
    let told = forecast.notices.iter().map(|notice| {
        let key = &notice.key;
        let to = address(key.team.as_str()).to_owned();
        (notice.at, to, key.kind.to_string(), key.credential.to_string(), key.step.to_string())
    });
    told.collect()
}

fn arrived(place: &Place, since: Timestamp) -> Told {
    let since = |mail: &Mail| mail.at >= since;
    let notices = |mail: Mail| {
        let (at, to) = (mail.at, mail.to);
        mail.notices.into_iter().map(move |(kind, id, step)| (at, to.clone(), kind, id, step)).collect::<Vec<_>>()
    };
    mails(&place.tenant).into_iter().filter(since).flat_map(notices).collect()
}

/// The loops turn every twenty minutes until the forecast's end.
async fn live(place: &Place, loops: &mut Loops, forecast: &Forecast) {
    while place.clock.now() <= forecast.to {
        loops.tick().await;
        place.clock.advance(SignedDuration::from_mins(20));
    }
}

/// The quarter after `begun`, where a run last told all at `notified`. Gives back when the first notices of it were sent.
async fn a_quarter_goes_as_foreseen(notified: &str, begun: &str) -> BTreeSet<Timestamp> {
    let place = Place::new(Directory::new(), "2026-11-18", QUARTER).await;
    place.set(notified);
    let mut process = Process::start(&place).await;
    process.poll().await;
    process.notify().await;
    process.store.ran("notify", place.clock.now()).await.unwrap();
    process.deliver().await;
    // Registered since, so that something is due already.
    register(&place.tenant.directory());
    place.set(begun);
    process.poll().await;
    let told: Ledger = process.told().await.into_iter().collect();
    let last_run = process.store.last_run("notify").await.unwrap();
    let schedule = place.config().schedule;
    let forecast = process.cycle.foresee(&told, &schedule, last_run, place.clock.now(), DAYS).unwrap();
    let mut loops = Process::start(&place).await.into_loops();
    live(&place, &mut loops, &forecast).await;
    let (foreseen, arrived) = (foreseen(&forecast), arrived(&place, forecast.from));
    let surprises: Vec<_> = arrived.symmetric_difference(&foreseen).collect();
    assert!(surprises.is_empty(), "{surprises:#?}");
    let kinds: BTreeSet<&str> = foreseen.iter().map(|told| &*told.2).collect();
    assert_eq!(kinds, BTreeSet::from(["expired", "expiring", "retiring", "rotation_due"]));
    assert!(foreseen.len() > 50, "the quarter is too quiet: {}", foreseen.len());
    forecast.notices.iter().map(|notice| notice.at).take(1).collect()
}

#[tokio::test]
async fn a_service_that_runs_sends_what_is_due_at_its_next_notify_run_and_all_else_when_foreseen() {
    let first = a_quarter_goes_as_foreseen("2026-11-18T16:00:00Z", "2026-11-18T19:20:00Z").await;
    assert_eq!(first, ["2026-11-19T15:00:00Z".parse().unwrap()].into());
}

#[tokio::test]
async fn a_service_that_missed_a_run_sends_what_is_due_at_once() {
    let first = a_quarter_goes_as_foreseen("2026-11-16T16:00:00Z", "2026-11-18T19:20:00Z").await;
    assert_eq!(first, ["2026-11-18T19:20:00Z".parse().unwrap()].into());
}

/// One secret with a week left, one that ended yesterday.
fn two_secrets() -> Directory {
    let directory = Directory::new();
    directory.application("billing").secret(ends_in(7 * 24));
    directory.application("archive, =SUM(A1); \u{1b}[31m").secret(ends_in(-24));
    directory
}

fn rows(out: &str) -> Vec<(String, String, String)> {
    let forecast: Value = serde_json::from_str(out).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = forecast["notices"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "holder"), text(row, "notice"), text(row, "threshold"))).collect()
}

#[tokio::test]
async fn what_is_due_comes_first_and_what_was_told_is_not_foreseen_again() {
    let desk = Desk::new(two_secrets(), "").await;
    let done = desk.run(&["forecast", "--format", "json", "--days", "10"]).await;
    assert_eq!((done.code, &*done.err), (0, ""));
    let forecast: Value = serde_json::from_str(&done.out).unwrap();
    let keys: BTreeSet<&str> = forecast["notices"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(["at", "notice", "threshold", "credential", "holder", "team", "reason"]));
    assert_eq!(forecast["notices"][0]["at"], forecast["from"]);
    let days = |key: &str| forecast[key].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(days("to").duration_since(days("from")).as_hours() / 24, 10);
    let of = |name: &str, rows: &[(String, String, String)]| {
        rows.iter().filter(|row| row.0.starts_with(name)).map(|row| row.2.clone()).collect::<Vec<_>>()
    };
    let before = rows(&done.out);
    assert_eq!(of("billing", &before), ["7d", "3d", "1d", "0d", "expired"]);
    assert_eq!(of("archive", &before), ["expired", "expired+7d"]);
    assert!(desk.state.is_untouched().await, "it wrote a state");
    assert_eq!(desk.run(&["once"]).await.code, 0);
    let after = rows(&desk.run(&["forecast", "--format", "json", "--days", "10"]).await.out);
    assert_eq!(of("billing", &after), ["3d", "1d", "0d", "expired"]);
    assert_eq!(of("archive", &after), ["expired+7d"]);
}

#[tokio::test]
async fn it_is_printed_for_people_and_for_calendars_whatever_the_names() {
    let desk = Desk::new(two_secrets(), "").await;
    let table = desk.run(&["forecast"]).await;
    assert_eq!((table.code, &*table.err), (0, ""));
    for fact in ["if nothing is rotated", "billing", "7d threshold crossed", "expired+7d", " notices on "] {
        assert!(table.out.contains(fact), "{fact}: {}", table.out);
    }
    assert!(!table.out.contains('\x1b'));
    let ics = desk.run(&["forecast", "--format", "ics"]).await;
    assert_eq!((ics.code, &*ics.err), (0, ""));
    assert!(ics.out.starts_with("BEGIN:VCALENDAR\r\n") && ics.out.ends_with("END:VCALENDAR\r\n"), "{}", ics.out);
    let unfolded = ics.out.replace("\r\n ", "");
    assert!(unfolded.contains("\r\nSUMMARY:expired: archive\\, =SUM(A1)\\; [31m (ccaas)\r\n"), "{unfolded}");
    assert_eq!(unfolded.matches("BEGIN:VEVENT").count(), unfolded.matches("DTSTART;VALUE=DATE:").count());
    let none = desk.run(&["forecast", "--format", "csv"]).await;
    assert_eq!((none.code, &*none.out), (2, ""));
}

#[tokio::test]
async fn it_fails_as_check_does_and_refuses_what_is_no_number_of_days() {
    let desk = Desk::new(two_secrets(), "").await;
    for days in ["0", "3651", "-3", "a month"] {
        let done = desk.run(&["forecast", &format!("--days={days}")]).await;
        assert_eq!((done.code, &*done.out), (2, ""), "{days}");
        assert!(done.err.contains("from 1 to 3650"), "{}", done.err);
    }
    assert_eq!(desk.run(&["forecast", "--days=3650"]).await.code, 0);
    desk.run(&["once"]).await;
    let known = rows(&desk.run(&["forecast", "--format", "json"]).await.out);
    desk.tenant.faults().always(At::Applications, Fault::Denied);
    let done = desk.run(&["forecast", "--format", "json"]).await;
    assert_eq!(done.code, 3);
    assert!(done.err.contains("entra") && done.err.contains("shown as of"), "{}", done.err);
    assert_eq!(rows(&done.out), known, "what is known is foreseen");
    desk.keep_in("folder");
    std::fs::create_dir(desk.path("folder")).unwrap();
    assert_eq!(desk.run(&["forecast"]).await.code, 5);
}
