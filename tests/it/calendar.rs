//! A credential's date in people's calendars: put there, moved, taken back, whatever happens on the way; and the feed.

use crate::support::{FEED_TOKEN, Mail, OPS, Place, Process, TestWatcher, at_eight, dates, mails};
use expiry_watch::deliver::Step;
use expiry_watch::demo::{Directory, MailFault, Secret};
use expiry_watch::domain::Channel;
use expiry_watch::store::Pick;
use jiff::SignedDuration;
use mail_parser::{MessageParser, MimeHeaders, PartType};
use std::collections::{BTreeMap, BTreeSet};

const INVITED: &str = "calendar = \"invite\"\n[defaults]\nteams = [ \"ccaas\" ]\n";
const KEY: &str = "77777777-0000-4000-8000-000000000001";

/// Everything belongs to one team, which wants invitations; `[teams.idim]` is the last table before this.
fn invited() -> String {
    format!("[teams.both]\nemail = [ \"{OPS}\" ]\n{INVITED}").replace("\"ccaas\" ]", "\"both\" ]")
}

fn key(id: &str, from: &str, until: &str) -> Secret {
    Secret::labelled("login").key_id(id).from(from).until(until)
}

/// One secret that ends at noon on 28 November, in Vancouver.
fn billing() -> Directory {
    let directory = Directory::new();
    directory.application("billing").secret(key(KEY, "2026-06-01T19:00:00Z", "2026-11-28T19:00:00Z"));
    directory
}

/// The value of a property, of what is not folded.
fn property<'a>(calendar: &'a str, name: &str) -> &'a str {
    let line = calendar.lines().find(|line| line.split([':', ';']).next() == Some(name));
    line.and_then(|line| line.split_once(':')).unwrap_or_else(|| panic!("no {name} in\n{calendar}")).1
}

/// `2026-09-20 REQUEST 0 for 20260929: Renew: billing (client secret)`
fn line(mail: &Mail) -> Option<String> {
    let calendar = mail.letter.calendar.as_deref()?;
    let day = crate::support::vancouver().to_datetime(mail.at).date();
    let of = |name| property(calendar, name);
    Some(format!("{day} {} {} for {}: {}", of("METHOD"), of("SEQUENCE"), of("DTSTART"), of("SUMMARY")))
}

fn calendars(mails: &[Mail]) -> Vec<String> {
    mails.iter().filter_map(line).collect()
}

/// One day's work; the calendar messages that arrived, sorted.
async fn day(watcher: &mut TestWatcher, date: &str) -> Vec<String> {
    watcher.day(date).await;
    let today = watcher.mails().into_iter().filter(|mail| mail.at >= at_eight(date));
    let mut lines = calendars(&today.collect::<Vec<_>>());
    lines.sort();
    lines
}

#[tokio::test]
async fn an_invitation_comes_with_the_first_run_moves_with_the_end_and_is_cancelled_by_rotation_and_deletion() {
    let mut watcher = TestWatcher::start(billing(), "2026-09-20", &invited()).await;
    let directory = watcher.directory();
    let none: [&str; 0] = [];
    assert_eq!(
        day(&mut watcher, "2026-09-20").await,
        ["2026-09-20 REQUEST 0 for 20260929: Renew: billing (client secret)"]
    );
    watcher.restart().await;
    for date in dates("2026-09-21", 9) {
        assert_eq!(day(&mut watcher, &date).await, none, "{date}");
    }
    // Nobody renewed it on that day: now it stands where it ends.
    assert_eq!(
        day(&mut watcher, "2026-09-30").await,
        ["2026-09-30 REQUEST 1 for 20261128: Ends: billing (client secret)"]
    );
    watcher.restart().await;
    assert_eq!(day(&mut watcher, "2026-10-01").await, none);
    // The same secret with another end.
    let application = directory.find_application("billing").remove_secret(KEY);
    let _ = application.secret(key(KEY, "2026-06-01T19:00:00Z", "2027-11-28T19:00:00Z"));
    assert_eq!(
        day(&mut watcher, "2026-10-02").await,
        ["2026-10-02 REQUEST 2 for 20270929: Renew: billing (client secret)"]
    );
    // Rotated: the new one has its own entry, and a number of its own.
    let new = "77777777-0000-4000-8000-000000000002";
    let _ = directory.find_application("billing").secret(key(new, "2026-10-03T00:00:00Z", "2028-01-10T19:00:00Z"));
    assert_eq!(
        day(&mut watcher, "2026-10-03").await,
        [
            "2026-10-03 CANCEL 3 for 20270929: Renew: billing (client secret)",
            "2026-10-03 REQUEST 0 for 20271111: Renew: billing (client secret)",
        ]
    );
    watcher.restart().await;
    // The new one goes: the old one is on again, and its number goes on.
    let _ = directory.find_application("billing").remove_secret(new);
    assert_eq!(
        day(&mut watcher, "2026-10-04").await,
        [
            "2026-10-04 CANCEL 1 for 20271111: Renew: billing (client secret)",
            "2026-10-04 REQUEST 4 for 20270929: Renew: billing (client secret)",
        ]
    );
    directory.remove_application("billing");
    assert_eq!(
        day(&mut watcher, "2026-10-05").await,
        ["2026-10-05 CANCEL 5 for 20270929: Renew: billing (client secret)"]
    );
    for date in dates("2026-10-06", 3) {
        watcher.restart().await;
        assert_eq!(day(&mut watcher, &date).await, none, "{date}");
    }
    // Whatever was said of one credential was said of one entry, by one sender to one guest.
    let of =
        |mail: &Mail, name| property(&mail.letter.calendar.as_deref().unwrap().replace("\r\n ", ""), name).to_owned();
    let sent: Vec<Mail> = watcher.mails().into_iter().filter(|mail| mail.letter.calendar.is_some()).collect();
    let entries: BTreeSet<String> = sent.iter().map(|mail| of(mail, "UID")).collect();
    assert_eq!((sent.len(), entries.len()), (8, 2));
    for mail in &sent {
        assert_eq!(of(mail, "ORGANIZER"), "mailto:expiry-watch@example.ca");
        assert_eq!(of(mail, "ATTENDEE"), "mailto:ccaas-ops@example.ca");
    }
}

#[tokio::test]
async fn a_calendar_message_is_built_as_outlook_looks_for_it_with_the_head_of_every_other_mail() {
    let mut watcher = TestWatcher::start(billing(), "2026-09-20", &invited()).await;
    watcher.day("2026-09-20").await;
    let mail = watcher.last_to(OPS);
    for (header, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("From", "Expiry Watch <expiry-watch@example.ca>"),
        ("Subject", "Tue 2026-09-29: Renew: billing (client secret)"),
    ] {
        assert_eq!(mail.letter.header(header), Some(value));
    }
    assert!(mail.notices.is_empty());
    let parsed = MessageParser::default().parse(&mail.raw[..]).unwrap();
    let media_type = |part: &mail_parser::MessagePart<'_>| {
        let of = part.content_type().unwrap();
        format!("{}/{}", of.ctype(), of.subtype().unwrap_or_default())
    };
    let types: Vec<String> = parsed.parts.iter().map(media_type).collect();
    assert_eq!(types, ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar"]);
    let PartType::Multipart(within) = &parsed.parts[1].body else { panic!("alternatives") };
    assert_eq!(within[..], [2, 3, 4]);
    let of_calendar = parsed.parts[4].content_type().unwrap();
    assert_eq!((of_calendar.attribute("method"), of_calendar.attribute("charset")), (Some("REQUEST"), Some("utf-8")));
    let html = mail.letter.html.clone().unwrap();
    for fact in ["Ends: Sat 2026-11-28 12:00", "2026-11-28 19:00 UTC", "billing", "login", "entra:application:"] {
        assert!(mail.text().contains(fact) && html.contains(fact), "{fact} is missing in\n{}", mail.text());
    }
}

#[tokio::test]
async fn a_killed_process_repeats_no_entry_but_under_the_same_message_id() {
    for stage in 0..4 {
        let place = Place::new(billing(), "2026-09-20", &invited()).await;
        place.clock.set(at_eight("2026-09-20"));
        let mut process = Process::start(&place).await;
        process.poll().await;
        if stage > 0 {
            process.notify().await;
        }
        if stage == 2 {
            // The server has it, and hung up without a word.
            place.tenant.mail_faults().next(MailFault::DropKept);
        }
        if stage > 1 {
            process.deliver().await;
        }
        drop(process);
        place.clock.advance(SignedDuration::from_hours(2));
        let mut process = Process::start(&place).await;
        process.poll().await;
        process.notify().await;
        process.deliver().await;
        let sent: BTreeMap<String, Vec<u8>> =
            mails(&place.tenant).into_iter().map(|mail| (mail.id, mail.raw)).collect();
        assert_eq!((sent.len(), place.messages().await.len()), (1, 1), "killed at stage {stage}");
        assert!(mails(&place.tenant).iter().all(|mail| sent[&mail.id] == mail.raw));
    }
}

#[tokio::test]
async fn a_message_that_still_waits_gives_way_to_a_newer_one_about_the_same_entry() {
    let mut watcher = TestWatcher::start(billing(), "2026-09-28", &invited()).await;
    watcher.tenant().mail_faults().down(true);
    let _ = watcher.day("2026-09-28").await;
    let _ = watcher.day("2026-09-30").await;
    watcher.tenant().mail_faults().heal();
    watcher.place.clock.advance(SignedDuration::from_hours(3));
    watcher.process.deliver().await;
    let told = calendars(&watcher.mails());
    assert_eq!(told, ["2026-09-30 REQUEST 1 for 20261128: Ends: billing (client secret)"]);
}

#[tokio::test]
async fn notices_go_first_and_a_calendar_message_that_is_deferred_follows() {
    let mut watcher = TestWatcher::start(billing(), "2026-11-21", &invited()).await;
    watcher.place.clock.set(at_eight("2026-11-21"));
    watcher.process.poll().await;
    watcher.process.notify().await;
    let first = watcher.process.postman.deliver_next(Pick::Due).await.unwrap();
    assert!(matches!(first, Step::Delivered(_)) && calendars(&watcher.mails()).is_empty(), "the notice comes first");
    watcher.tenant().mail_faults().next(MailFault::Reply("451 4.3.0 later".into()));
    let steps = watcher.process.deliver().await;
    assert!(matches!(steps[..], [Step::Deferred { channel: Channel::Calendar, .. }]), "{steps:?}");
    watcher.place.clock.advance(SignedDuration::from_hours(1));
    watcher.process.deliver().await;
    assert_eq!((watcher.mails().len(), calendars(&watcher.mails()).len()), (2, 1));
}

#[tokio::test]
async fn deliveries_are_counted_by_what_they_are() {
    let place = Place::new(billing(), "2026-09-20", &invited()).await;
    let mut loops = Process::start(&place).await.into_loops();
    loops.tick().await;
    place.clock.set(at_eight("2026-09-21"));
    loops.tick().await;
    place.clock.set(at_eight("2026-09-29"));
    loops.tick().await;
    let messages = mails(&place.tenant);
    assert_eq!((messages.len(), calendars(&messages).len()), (2, 1));
    let counted = loops.metrics().await;
    for channel in ["mail", "calendar"] {
        let series = format!("expiry_watch_deliveries_total{{channel=\"{channel}\",outcome=\"delivered\"}} 1\n");
        assert!(counted.contains(&series), "{series}{counted}");
    }
}

#[tokio::test]
async fn a_feed_is_the_same_to_the_byte_until_something_changes() {
    let more = "[teams.readers]\nfeed_token = { env = \"T\" }\n[defaults]\nteams = [ \"readers\", \"ccaas\" ]\n";
    let mut watcher = TestWatcher::start(billing(), "2026-09-20", more).await;
    let path = format!("/calendar/{FEED_TOKEN}/readers.ics");
    watcher.day("2026-09-20").await;
    let first = watcher.process.answer(&path).await;
    assert!(first.contains("DTSTART;VALUE=DATE:20260929\r\n") && first.contains("METHOD:PUBLISH"), "{first}");
    for (nth, date) in dates("2026-09-21", 9).enumerate() {
        if nth % 3 == 0 {
            watcher.restart().await;
        }
        watcher.tenant().faults().graph_down(nth % 2 == 0);
        watcher.day(&date).await;
        assert_eq!(watcher.process.answer(&path).await, first, "{date}");
    }
    watcher.tenant().faults().graph_down(false);
    watcher.day("2026-09-30").await;
    let moved = watcher.process.answer(&path).await;
    assert_eq!(moved, first.replace("20260930", "20261129").replace("20260929", "20261128").replace("Renew:", "Ends:"));
    watcher.day("2026-12-05").await;
    assert_eq!(watcher.process.answer(&path).await, moved, "it has ended and is still an alarm");
    let _ = watcher.directory().find_application("billing").secret(key(
        "77777777-0000-4000-8000-000000000002",
        "2026-12-05T00:00:00Z",
        "2027-12-05T00:00:00Z",
    ));
    watcher.day("2026-12-06").await;
    let rotated = watcher.process.answer(&path).await;
    assert_eq!(rotated.matches("BEGIN:VEVENT").count(), 1);
    assert!(rotated.contains("DTSTART;VALUE=DATE:20271005\r\n"), "{rotated}");
    assert!(calendars(&watcher.mails()).is_empty(), "nobody asked for invitations");
}
