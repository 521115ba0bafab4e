//! Several replicas on one PostgreSQL server: one leads, whatever is killed or restarted, and nobody hears anything twice.
//!
//! `tests/postgres/run` starts the server and runs these; nothing else does.

use crate::desk::{Desk, Service, ends_in, until};
use crate::state;
use crate::support::{Mail, mails};
use expiry_watch::clock::Clock;
use expiry_watch::demo::{Directory, scenario};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

/// What a lease of ten seconds and a look every three allow.
const TAKEN_OVER: Duration = Duration::from_secs(15);

async fn pause(length: Duration) {
    Clock::System.sleep(length).await;
}

/// Whether it says that it leads; `None` while it says nothing.
async fn leads(service: &Service) -> Option<bool> {
    let (code, text) = service.get("/metrics").await;
    let line = text.lines().find(|line| line.starts_with("expiry_watch_leader "));
    (code == 200).then_some(line?.ends_with(" 1"))
}

async fn within(what: &str, at_most: Duration, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < at_most, "waited in vain for {what}");
        pause(Duration::from_millis(100)).await;
    }
    begun.elapsed()
}

/// What each address was told so far; nothing twice, unless it is the same message.
fn told(desk: &Desk) -> BTreeSet<(String, String, String)> {
    let mut by_notice: BTreeMap<(String, String, String), String> = BTreeMap::new();
    for Mail { to, id, notices, .. } in mails(&desk.tenant) {
        for (kind, credential, threshold) in notices {
            let notice = (to.clone(), format!("{kind} {credential}"), threshold);
            let first = by_notice.entry(notice.clone()).or_insert_with(|| id.clone());
            assert_eq!(*first, id, "told twice: {notice:?}");
        }
    }
    by_notice.into_keys().collect()
}

/// The server is stopped at once, as by a fault, or started again.
fn server(action: &str) {
    let control = std::env::var("EXPIRY_WATCH_TEST_POSTGRES_CONTROL").unwrap();
    let done = Command::new("sh").args(["-c", &format!("{control} {action}")]).status().unwrap();
    assert!(done.success(), "{action}");
}

async fn two_replicas() -> (Desk, Service, Service) {
    assert!(state::server().is_some(), "tests/postgres/run starts the server that this needs");
    let directory = Directory::new();
    directory.application("billing").app_id(scenario::PEXIP_TEST).secret(ends_in(7 * 24));
    let desk = Desk::new(directory, "").await;
    let (one, other) = (desk.start(), desk.start_another("other"));
    within(
        "one to lead",
        TAKEN_OVER,
        async || matches!((leads(&one).await, leads(&other).await), (Some(one), Some(other)) if one != other),
    )
    .await;
    if leads(&one).await == Some(true) { (desk, one, other) } else { (desk, other, one) }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn when_the_leader_is_killed_the_other_takes_over_and_nothing_is_told_twice() {
    let (desk, leader, follower) = two_replicas().await;
    until("the first mail", Duration::from_secs(10), || told(&desk).len() == 2).await;
    let (code, page) = follower.get("/api/v1/credentials").await;
    assert!(code == 200 && page.contains("billing"), "a follower serves the pages: {page}");
    assert_eq!(follower.get("/health").await.0, 200);
    leader.kill();
    desk.tenant.directory().application("archive").secret(ends_in(24));
    let took = within("the other to lead", TAKEN_OVER, async || leads(&follower).await == Some(true)).await;
    assert!(took < Duration::from_secs(12), "nine seconds of lease, and a look every second: {took:?}");
    until("the next mail", Duration::from_secs(10), || told(&desk).len() == 4).await;
    let restarted = desk.start_another("third");
    pause(Duration::from_secs(5)).await;
    assert_eq!((leads(&restarted).await, leads(&follower).await), (Some(false), Some(true)));
    let (code, _) = follower.stop().await;
    assert_eq!(code, Some(0));
    let took = within("the first to lead again", TAKEN_OVER, async || leads(&restarted).await == Some(true)).await;
    assert!(took < Duration::from_secs(5), "who stops gives the lease back: {took:?}");
    assert_eq!(told(&desk).len(), 4);
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn a_server_that_is_restarted_is_missed_and_found_again_and_nothing_is_told_twice() {
    let (desk, one, other) = two_replicas().await;
    until("the first mail", Duration::from_secs(10), || told(&desk).len() == 2).await;
    server("restart -m immediate");
    desk.tenant.directory().application("archive").secret(ends_in(24));
    until("the mail after a restart", Duration::from_secs(20), || told(&desk).len() == 4).await;
    server("stop -m immediate");
    for service in [&one, &other] {
        within("the state to be missed", Duration::from_secs(10), async || service.get("/health").await.0 == 503).await;
        let (_, health) = service.get("/health").await;
        assert!(health.contains("the state is out of reach") && health.contains("nothing answers there"), "{health}");
        assert!(!health.contains("password"), "{health}");
        assert_eq!((service.get("/health/live").await.0, service.get("/").await.0), (200, 200));
        within("nobody to lead", TAKEN_OVER, async || leads(service).await == Some(false)).await;
    }
    for command in ["once", "check", "forecast"] {
        let done = desk.run(&[command]).await;
        assert_eq!(done.code, 5, "{command}: {}", done.err);
        assert!(done.err.contains("the state postgres at 127.0.0.1:"), "{command}: {}", done.err);
    }
    desk.tenant.directory().application("ledger").secret(ends_in(24));
    server("start");
    within("the state to be found again", Duration::from_secs(20), async || {
        one.get("/health").await.0 == 200 && other.get("/health").await.0 == 200
    })
    .await;
    within("one to lead", TAKEN_OVER, async || leads(&one).await != leads(&other).await).await;
    until("what happened meanwhile", Duration::from_secs(20), || told(&desk).len() == 6).await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn a_password_is_in_no_log_however_much_is_logged() {
    let server = url::Url::parse(&state::server().unwrap()).unwrap();
    let role = format!("r{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(server.as_str()).await.unwrap();
    for statement in
        [format!("CREATE ROLE {role} LOGIN PASSWORD 'hunter~two'"), format!("CREATE DATABASE {role} OWNER {role}")]
    {
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    let mut desk = Desk::new(Directory::new(), "").await;
    let written = format!("url = \"{}\"", desk.state.url());
    desk.reconfigure(|config| config.replace(&written, "url = { env = \"STATE_URL\" }"));
    desk.set("EXPIRY_WATCH_LOG", "trace");
    for (password, code) in [("hunter~two", 0), ("hunter~two~wrong", 5)] {
        let port = server.port().unwrap();
        desk.set("STATE_URL", &format!("postgres://{role}:{password}@localhost:{port}/{role}"));
        for command in [&["config", "check"][..], &["once"], &["check"], &["mail", "test", "--team", "ccaas"]] {
            let done = desk.run(command).await;
            let wanted = if matches!(command, ["once"] | ["check"]) { code } else { 0 };
            assert_eq!(done.code, wanted, "{command:?}: {}", done.err);
            assert!(!done.out.contains("hunter~two") && !done.err.contains("hunter~two"), "{command:?}: {}", done.err);
        }
    }
}
