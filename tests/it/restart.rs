//! Whatever is killed, lost, refused or damaged on the way: nothing is forgotten, and what is repeated is recognisably the same.

use crate::state::open;
use crate::support::{IDIM, Mail, ONE_TEAM, OPS, Place, Process, TestWatcher, at_eight, dates};
use expiry_watch::deliver::{Step, Transport};
use expiry_watch::demo::{Directory, MailFault, Secret};
use expiry_watch::store::{Store, StoreError};
use jiff::SignedDuration;
use sqlx::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TWO_TEAMS: &str = "[defaults]\nteams = [ \"ccaas\", \"idim\" ]\n";

/// Two secrets that end at noon on 28 November and on 4 December.
fn directory() -> Directory {
    let directory = Directory::new();
    for (name, until) in [("billing", "2026-11-28T19:00:00Z"), ("archive", "2026-12-04T19:00:00Z")] {
        directory.application(name).secret(Secret::labelled("key").from("2026-06-01T19:00:00Z").until(until));
    }
    directory
}

/// One of each message, as lines; a message that arrived twice must have been the same twice.
fn distinct(mails: Vec<Mail>) -> Vec<String> {
    let mut first: BTreeMap<String, Mail> = BTreeMap::new();
    let mut order = Vec::new();
    for mail in mails {
        match first.get(&mail.id) {
            Some(before) => assert_eq!((&before.raw, &before.to), (&mail.raw, &mail.to), "{}", mail.id),
            None => {
                order.push((mail.line(), mail.id.clone()));
                first.insert(mail.id.clone(), mail);
            }
        }
    }
    order.sort();
    order.into_iter().map(|(line, _)| line).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Killed {
    AfterPoll,
    AfterEnqueuing,
    /// The server has the message, the state does not know it yet.
    WhileSending,
    /// The server has the message and hung up without a word.
    AfterALostAnswer,
    AfterTheFirstOfTwo,
    AfterDelivery,
}

/// Works through the morning of a day until it is killed; the next process makes up for it.
async fn morning(place: &Place, date: &str, killed: Option<Killed>) -> Process {
    place.clock.set(at_eight(date));
    let mut process = Process::start(place).await;
    process.poll().await;
    if killed == Some(Killed::AfterPoll) {
        return process;
    }
    process.notify().await;
    match killed {
        Some(Killed::AfterPoll | Killed::AfterEnqueuing) => {}
        Some(Killed::WhileSending) => {
            place.tenant.mail_faults().next(MailFault::StallKept);
            let had = place.tenant.mailbox().len();
            let arrival = async {
                while place.tenant.mailbox().len() == had {
                    tokio::task::yield_now().await;
                }
            };
            // Dropped like this, the sending ends as it would by a kill: the lease stays, nothing is written down.
            tokio::select! {
                () = arrival => {}
                steps = process.deliver() => assert!(steps.is_empty(), "there was something to send"),
            }
            place.tenant.mail_faults().heal();
        }
        Some(Killed::AfterALostAnswer) => {
            place.tenant.mail_faults().next(MailFault::DropKept);
            process.deliver().await;
            place.tenant.mail_faults().heal();
        }
        Some(Killed::AfterTheFirstOfTwo) => {
            process.postman.deliver_next(expiry_watch::store::Pick::Due).await.unwrap();
        }
        Some(Killed::AfterDelivery) | None => {
            process.deliver().await;
        }
    }
    process
}

/// The mornings on which there is something to tell, and one on which there is not; each is killed, and made up for a few minutes
/// later.
async fn mornings(killed: Option<Killed>) -> (Vec<String>, usize) {
    let place = Place::new(directory(), "2026-11-20", TWO_TEAMS).await;
    let mut enqueued = BTreeMap::new();
    for day in [20, 21, 22, 27, 29] {
        let date = format!("2026-11-{day}");
        if killed.is_some() {
            drop(morning(&place, &date, killed).await);
            enqueued.extend(place.messages().await.into_iter().map(|(id, raw, _)| (id, raw)));
        }
        let process = morning(&place, &date, None).await;
        // A lease that the dead process held, or the pause after a lost answer.
        place.clock.advance(SignedDuration::from_mins(3));
        process.deliver().await;
    }
    for (id, raw, state) in place.messages().await {
        assert_eq!(state, "delivered", "{id}");
        assert!(enqueued.get(&id).is_none_or(|before| *before == raw));
        let arrived = crate::support::mails(&place.tenant).into_iter().find(|mail| mail.id == id).unwrap();
        assert_eq!(arrived.raw, raw, "what arrived is what was enqueued, byte for byte");
    }
    let mails = crate::support::mails(&place.tenant);
    let count = mails.len();
    (distinct(mails), count)
}

#[tokio::test]
async fn a_kill_at_any_step_of_any_day_loses_nothing_and_repeats_at_most_the_same_message() {
    let (undisturbed, count) = mornings(None).await;
    assert_eq!((undisturbed.len(), count), (8, 8), "{undisturbed:#?}");
    assert_eq!(undisturbed[0], "2026-11-20 ccaas-ops: expiring 14d, expiring 14d");
    for killed in [
        Killed::AfterPoll,
        Killed::AfterEnqueuing,
        Killed::WhileSending,
        Killed::AfterALostAnswer,
        Killed::AfterTheFirstOfTwo,
        Killed::AfterDelivery,
    ] {
        let (told, arrived) = mornings(Some(killed)).await;
        assert_eq!(told, undisturbed, "{killed:?}");
        let repeated = matches!(killed, Killed::WhileSending | Killed::AfterALostAnswer);
        assert_eq!(arrived > told.len(), repeated, "{killed:?}: {arrived}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_watchers_on_one_state_tell_each_notice_once() {
    let place = Place::new(directory(), "2026-11-20", TWO_TEAMS).await;
    let (mut one, mut other) = (Process::start(&place).await, Process::start(&place).await);
    let mut enqueued = 0;
    for date in dates("2026-11-20", 12) {
        place.clock.set(at_eight(&date));
        tokio::join!(one.poll(), other.poll());
        let (by_one, by_other) = tokio::join!(one.notify(), other.notify());
        enqueued += by_one.len() + by_other.len();
        tokio::join!(one.deliver(), other.deliver());
    }
    let mails = crate::support::mails(&place.tenant);
    let ids: BTreeSet<&String> = mails.iter().map(|mail| &mail.id).collect();
    let told: Vec<_> =
        mails.iter().flat_map(|mail| mail.notices.iter().map(move |notice| (&mail.to, notice))).collect();
    assert_eq!(ids.len(), mails.len(), "a message was sent twice");
    assert_eq!(told.len(), told.iter().collect::<BTreeSet<_>>().len(), "a notice was told twice");
    assert_eq!((told.len(), enqueued), (18, 18));
}

#[tokio::test]
async fn whoever_comes_to_lead_goes_on_from_what_the_last_leader_saw() {
    const KEY: &str = "77777777-0000-4000-8000-000000000001";
    let directory = Directory::new();
    let secret = Secret::labelled("key").key_id(KEY).from("2026-06-01").until("2026-11-28T19:00:00Z");
    let application = directory.application("billing").secret(secret);
    let place = Place::new(directory, "2026-11-27", ONE_TEAM).await;
    let (mut one, mut other) = (Process::start(&place).await, Process::start(&place).await);
    place.clock.set(at_eight("2026-11-27"));
    one.poll().await;
    other.poll().await;
    assert!(!one.notify().await.is_empty());
    // The other one has not read since: to it the secret is still there.
    application.remove_secret(KEY);
    place.clock.set(at_eight("2026-11-28"));
    one.poll().await;
    assert!(one.notify().await.iter().any(|notice| notice.key.kind.as_str() == "resolved"));
    other.cycle.catch_up(&other.store).await.unwrap();
    let told: Vec<String> = other.notify().await.iter().map(|notice| format!("{:?}", notice.key)).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn a_notify_run_that_was_missed_is_made_up_for_once_after_the_restart() {
    let place = Place::new(directory(), "2026-11-20", ONE_TEAM).await;
    place.set("2026-11-20T20:00:00Z"); // noon: the first start only begins to count
    let mut loops = Process::start(&place).await.into_loops();
    for _ in 0..3 {
        loops.tick().await;
        place.clock.advance(SignedDuration::from_hours(1));
    }
    drop(loops);
    assert!(place.tenant.mailbox().is_empty());
    place.set("2026-11-22T18:30:00Z"); // two runs later, at 11:30
    let mut loops = Process::start(&place).await.into_loops();
    for _ in 0..5 {
        loops.tick().await;
        place.clock.advance(SignedDuration::from_secs(1));
    }
    drop(loops);
    let mut loops = Process::start(&place).await.into_loops();
    loops.tick().await;
    let lines: Vec<String> = crate::support::mails(&place.tenant).iter().map(Mail::line).collect();
    assert_eq!(lines, ["2026-11-22 ccaas-ops: expiring 7d, expiring 14d"]);
}

#[tokio::test]
async fn a_message_that_the_server_defers_goes_out_later_and_is_the_same() {
    let mut watcher = TestWatcher::start(directory(), "2026-11-21", TWO_TEAMS).await;
    watcher.tenant().mail_faults().defer(OPS, "450 4.2.0 greylisted", 2);
    watcher.day("2026-11-21").await;
    assert_eq!((watcher.mails_to(OPS).len(), watcher.mails_to(IDIM).len()), (0, 1));
    assert!(watcher.process.deliver().await.is_empty(), "it waits before it tries again");
    for (minutes, arrived) in [(2, 0), (3, 1), (60, 1)] {
        watcher.place.clock.advance(SignedDuration::from_mins(minutes));
        watcher.restart().await;
        watcher.process.deliver().await;
        assert_eq!(watcher.mails_to(OPS).len(), arrived, "after {minutes} more minutes");
    }
    let (id, raw, state) =
        watcher.place.messages().await.into_iter().find(|(id, ..)| *id == watcher.last_to(OPS).id).unwrap();
    assert_eq!((id, raw, &*state), (watcher.last_to(OPS).id, watcher.last_to(OPS).raw, "delivered"));
}

#[tokio::test]
async fn an_address_that_is_refused_is_given_up_and_the_others_get_theirs() {
    let mut watcher = TestWatcher::start(directory(), "2026-11-21", TWO_TEAMS).await;
    watcher.tenant().mail_faults().refuse(OPS, "550 5.1.1 no such user");
    assert_eq!(watcher.day("2026-11-21").await, ["2026-11-21 idim-techops: expiring 7d, expiring 14d"]);
    watcher.tenant().mail_faults().heal();
    watcher.place.clock.advance(SignedDuration::from_hours(5));
    assert!(watcher.process.deliver().await.is_empty(), "a refused message is tried again");
    let rejected = watcher.process.store.outbox().await.unwrap().rejected;
    assert_eq!((rejected, watcher.mails_to(OPS).len()), (1, 0));
    let next = watcher.day("2026-11-25").await;
    assert_eq!(next, ["2026-11-25 ccaas-ops: expiring 3d", "2026-11-25 idim-techops: expiring 3d"]);
}

#[tokio::test]
async fn a_refused_password_pauses_all_mail_until_it_has_been_put_right() {
    let login = Some(("expiry-watch".to_owned(), "right".to_owned()));
    let place = Place::with(directory(), "2026-11-20", TWO_TEAMS, |options| options.mail.login = login).await;
    std::fs::write(place.path("smtp-password"), "wrong~password").unwrap();
    let mut loops = Process::start(&place).await.into_loops();
    loops.tick().await;
    place.clock.set(at_eight("2026-11-21"));
    loops.tick().await;
    assert_eq!(place.tenant.mail_faults().connections(), 1, "the second message was tried as well");
    for _ in 0..10 {
        place.clock.advance(SignedDuration::from_secs(1));
        loops.tick().await;
    }
    assert_eq!(place.tenant.mail_faults().connections(), 1, "paused is paused");
    std::fs::write(place.path("smtp-password"), "right").unwrap();
    place.clock.advance(SignedDuration::from_mins(3));
    loops.tick().await;
    let lines: Vec<String> = crate::support::mails(&place.tenant).iter().map(Mail::line).collect();
    let told = |who: &str| format!("2026-11-21 {who}: expiring 7d, expiring 14d");
    assert_eq!(BTreeSet::from_iter(lines), BTreeSet::from([told("ccaas-ops"), told("idim-techops")]));
    assert!(!place.state.everything().await.contains("wrong~password"));
}

#[tokio::test]
async fn a_line_that_breaks_after_the_message_repeats_it_under_the_same_id() {
    for (fault, copies) in
        [(MailFault::DropKept, 2), (MailFault::DropLost, 1), (MailFault::Reply("451 4.3.0 later".into()), 1)]
    {
        let mut watcher = TestWatcher::start(directory(), "2026-11-21", ONE_TEAM).await;
        watcher.tenant().mail_faults().next(fault.clone());
        watcher.day("2026-11-21").await;
        watcher.place.clock.advance(SignedDuration::from_mins(2));
        watcher.restart().await;
        let steps = watcher.process.deliver().await;
        assert!(matches!(steps[..], [Step::Delivered(_)]), "{steps:?}");
        assert_eq!(watcher.mails().len(), copies, "{fault:?}");
        assert_eq!(distinct(watcher.mails()).len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_costs_its_deadline_and_the_message_goes_out_later() {
    for fault in [MailFault::Silent, MailFault::StallKept] {
        let mut watcher = TestWatcher::start(directory(), "2026-11-21", ONE_TEAM).await;
        let transport = watcher.place.transport();
        let Transport::Smtp(smtp) = transport else { panic!("the stories send by SMTP") };
        let impatient = smtp.with_deadline(Duration::from_millis(150));
        watcher.process.postman.transport = Transport::Smtp(Box::new(impatient));
        watcher.tenant().mail_faults().next(fault);
        watcher.place.clock.set(at_eight("2026-11-21"));
        watcher.process.poll().await;
        watcher.process.notify().await;
        let steps = watcher.process.deliver().await;
        assert!(matches!(steps[..], [Step::Deferred { .. }]), "{steps:?}");
        watcher.place.clock.advance(SignedDuration::from_mins(2));
        watcher.process.deliver().await;
        assert_eq!(distinct(watcher.mails()), ["2026-11-21 ccaas-ops: expiring 7d, expiring 14d"]);
    }
}

#[tokio::test]
async fn a_mail_system_that_is_down_for_three_days_loses_nothing() {
    let mut watcher = TestWatcher::start(directory(), "2026-11-21", ONE_TEAM).await;
    watcher.tenant().mail_faults().down(true);
    watcher.day("2026-11-21").await;
    for _ in 0..72 {
        watcher.place.clock.advance(SignedDuration::from_hours(1));
        watcher.process.deliver().await;
    }
    assert!(watcher.mails().is_empty());
    watcher.tenant().mail_faults().heal();
    watcher.place.clock.advance(SignedDuration::from_mins(91));
    watcher.process.deliver().await;
    let [mail] = &watcher.mails()[..] else { panic!("one mail") };
    assert_eq!(mail.letter.header("Date"), Some("Sat, 21 Nov 2026 15:00:00 +0000"), "it says when it was written");
}

/// A file that has seen a day, closed properly.
async fn used_state() -> Place {
    let place = Place::new(directory(), "2026-11-21", ONE_TEAM).await.in_a_file();
    let mut watcher = TestWatcher::at(place).await;
    watcher.day("2026-11-21").await;
    let TestWatcher { place, process, .. } = watcher;
    drop(process);
    place
}

#[tokio::test]
async fn a_damaged_state_is_a_clear_error_and_is_left_as_it_was() {
    let place = used_state().await;
    let good = std::fs::read(place.file()).unwrap();
    let mut scribbled = good.clone();
    scribbled[4096..8192].fill(0xA5);
    let mut header = good.clone();
    header[..16].copy_from_slice(b"not a database!!");
    for (what, bytes) in [
        ("half of it", good[..good.len() / 2].to_vec()),
        ("a piece of its first page", good[..1000].to_vec()),
        ("a page of rubbish", scribbled),
        ("another header", header),
        ("a text file", b"state = \"not a database\"\n".repeat(100).to_vec()),
        ("a short text", b"hello".to_vec()),
    ] {
        std::fs::write(place.file(), &bytes).unwrap();
        for read_only in [false, true] {
            let opened = match read_only {
                false => Store::open(&place.file()).await.map(drop),
                true => Store::open_read_only(&place.file()).await.map(drop),
            };
            let Err(StoreError::Damaged { path, .. }) = opened else { panic!("{what}: {opened:?}") };
            assert_eq!(path, place.file());
            assert!(std::fs::read(place.file()).unwrap() == bytes, "{what} was changed");
        }
    }
    std::fs::write(place.file(), &good).unwrap();
    assert!(Store::open(&place.file()).await.is_ok());
}

#[tokio::test]
async fn what_is_not_ours_or_too_new_is_not_touched() {
    let place = used_state().await;
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)")
        .execute(&mut open(&place.file()).await).await.unwrap();
    let newer = std::fs::read(place.file()).unwrap();
    let opened = Store::open(&place.file()).await;
    assert!(matches!(opened, Err(StoreError::Newer { .. })), "{opened:?}");
    assert!(std::fs::read(place.file()).unwrap() == newer, "it was changed");

    for journal in ["DELETE", "WAL"] {
        std::fs::write(place.file(), b"").unwrap();
        let mut other = open(&place.file()).await;
        for statement in [&*format!("PRAGMA journal_mode = {journal}"), "CREATE TABLE invoices (id INTEGER)"] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut other).await.unwrap();
        }
        other.close().await.unwrap();
        let foreign = std::fs::read(place.file()).unwrap();
        let opened = Store::open(&place.file()).await;
        assert!(matches!(opened, Err(StoreError::Foreign { .. })), "{opened:?}");
        assert!(std::fs::read(place.file()).unwrap() == foreign, "changed in journal mode {journal}");
    }

    std::fs::remove_file(place.file()).unwrap();
    std::fs::create_dir(place.file()).unwrap();
    let opened = Store::open(&place.file()).await;
    assert!(matches!(opened, Err(StoreError::Open { .. })), "{opened:?}");
    assert!(Store::open_read_only(&place.file()).await.is_err());

    let under_a_file = place.path("client-secret").join("state.db");
    assert!(matches!(Store::open(&under_a_file).await, Err(StoreError::Folder { .. })));
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_transaction_leaves_the_state_before_it() {
    let place = used_state().await;
    let before = place.messages().await;
    // A transaction larger than the cache is on the disk before it ends; a copy taken then is what a kill leaves behind.
    let mut writer = open(&place.file()).await;
    for statement in [
        "PRAGMA cache_size = 1",
        "BEGIN IMMEDIATE",
        "DELETE FROM notices",
        "DELETE FROM credentials",
        "UPDATE messages SET raw = zeroblob(300000)",
    ] {
        sqlx::query(statement).execute(&mut writer).await.unwrap();
    }
    let journal = |place: &Place| place.path("state.db-journal");
    let (torn, undo) = (std::fs::read(place.file()).unwrap(), std::fs::read(journal(&place)).unwrap());
    assert!(!undo.is_empty());
    drop(writer);
    let left_behind = used_state().await;
    let restore = || {
        std::fs::write(left_behind.file(), &torn).unwrap();
        std::fs::write(journal(&left_behind), &undo).unwrap();
    };
    restore();
    let looked_at = Store::open_read_only(&left_behind.file()).await;
    assert!(looked_at.is_ok(), "`check` after a kill: {looked_at:?}");
    restore();
    let process = Process::start(&left_behind).await;
    assert_eq!(process.told().await.len(), 2);
    assert_eq!(left_behind.messages().await, before);
}
