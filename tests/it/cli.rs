//! The program at a desk: every command, every exit code, and nothing secret in what it prints.

use crate::desk::{Desk, SMTP_PASSWORD, assert_json_lines, ends_in, until};
use crate::support::{Mail, OPS, assert_clean, forbidden, mails};
use expiry_watch::demo::{Directory, Fault, MailFault, Place, scenario};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One secret with a week left, one that ended yesterday.
fn two_secrets() -> Directory {
    let directory = Directory::new();
    directory.application("billing").app_id(scenario::PEXIP_TEST).secret(ends_in(7 * 24));
    directory.application("archive").secret(ends_in(-24));
    directory
}

#[tokio::test]
async fn the_help_is_what_the_documentation_says() {
    let desk = Desk::new(Directory::new(), "").await;
    let mut all = String::new();
    for command in [
        &[][..],
        &["run"],
        &["once"],
        &["check"],
        &["forecast"],
        &["config", "check"],
        &["mail", "test"],
        &["healthcheck"],
    ] {
        let done = desk.run(&[command, &["--help"]].concat()).await;
        assert_eq!((done.code, &*done.err), (0, ""));
        all.push_str(&format!("$ expiry-watch {} --help\n{}\n", command.join(" "), done.out));
    }
    // The tests' own configuration stands in the environment, where the help shows it.
    insta::assert_snapshot!(all.replace(desk.path("watch.toml").to_str().unwrap(), "FILE"));
}

#[tokio::test]
async fn the_shipped_configurations_are_valid_and_a_broken_one_shows_all_its_problems() {
    let mut desk = Desk::new(Directory::new(), "").await;
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    for name in ["reference", "production", "demo"] {
        let done = desk.run(&["config", "check", "--config", &format!("{config}/{name}.toml")]).await;
        assert_eq!(done.code, 0, "{name}: {}", done.err);
        assert!(done.out.contains("is valid"), "{}", done.out);
    }
    desk.write_config(
        "timezone = \"Vancouver\"\nfoo = 1\n[teams.a]\nemail = \"nobody\"\n[defaults]\nremind = [\"soon\"]\n",
    );
    let done = desk.run(&["config", "check"]).await;
    assert_eq!((done.code, &*done.out), (2, ""));
    for place in ["timezone", "foo", "teams.a.email", "defaults.remind"] {
        assert!(done.err.contains(place), "{place}: {}", done.err);
    }
    for wrong in [
        &["check", "--no-such-flag"][..],
        &["check", "--as-of", "tomorrow"],
        &["chekc"],
        &["run", "--config", "/nowhere"],
    ] {
        assert_eq!(desk.run(wrong).await.code, 2, "{wrong:?}");
    }
    desk.set("EXPIRY_WATCH_CONFIG", "/nowhere");
    assert_eq!(desk.run(&["healthcheck", "--url", "http://127.0.0.1:1/health"]).await.code, 1);
}

#[tokio::test]
async fn check_reads_as_the_managed_identity_and_explains_every_credential() {
    let desk = Desk::new(two_secrets(), "").await;
    let done = desk.run(&["check", "--format", "json"]).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(report["sources"][0]["ok"], true);
    let of =
        |name: &str| report["credentials"].as_array().unwrap().iter().find(|c| c["holder"] == name).unwrap().clone();
    let (billing, archive) = (of("billing"), of("archive"));
    assert_eq!((&billing["status"], &billing["days_left"]), (&"expiring".into(), &7.into()));
    assert_eq!((&billing["verdict"]["code"], &billing["verdict"]["threshold"]), (&"due".into(), &"7d".into()));
    assert_eq!((&archive["status"], &archive["verdict"]["notice"]), (&"expired".into(), &"expired".into()));
    let table = desk.run(&["check"]).await;
    assert!(
        table.code == 0 && table.out.contains("billing") && table.out.contains("7d threshold crossed"),
        "{}",
        table.out
    );
    assert!(desk.state.is_untouched().await, "check wrote a state");
    assert!(desk.tenant.mailbox().is_empty(), "check sent something");
}

#[tokio::test]
async fn check_fails_on_what_it_is_told_to_and_judges_as_of_any_day() {
    let directory = Directory::new();
    directory.application("billing").secret(ends_in(70 * 24));
    let desk = Desk::new(directory.clone(), "").await;
    let in_20_days = crate::desk::hours(20 * 24).to_string();
    let in_80_days = crate::desk::hours(80 * 24).strftime("%Y-%m-%d").to_string();
    for (arguments, code) in [
        (&["--fail-on", "due"][..], 0),
        (&["--fail-on", "due", "--as-of", &in_20_days], 1),
        (&["--fail-on", "expired", "--as-of", &in_20_days], 0),
        (&["--fail-on", "expired", "--as-of", &in_80_days], 1),
        (&["--as-of", &in_80_days], 0),
    ] {
        assert_eq!(desk.run(&[&["check"], arguments].concat()).await.code, code, "{arguments:?}");
    }
    desk.tenant.faults().always(Place::Applications, Fault::Denied);
    let done = desk.run(&["check", "--fail-on", "due", "--format", "json"]).await;
    assert_eq!(done.code, 3, "{}", done.err);
    assert!(done.err.contains("entra") && done.err.contains("Application.Read.All"), "{}", done.err);
    assert_eq!(
        serde_json::from_str::<Value>(&done.out).unwrap()["sources"][0]["ok"],
        false,
        "what is known is printed"
    );
}

#[tokio::test]
async fn a_client_secret_signs_in_at_the_authority_that_the_environment_names() {
    let mut desk = Desk::new(two_secrets(), "").await;
    let sign_in = format!(
        "credential = \"client_secret\"\ntenant_id = \"{}\"\nclient_id = \"{}\"\nclient_secret = {{ env = \"AZURE_CLIENT_SECRET\" }}",
        desk.tenant.tenant_id(),
        desk.tenant.client_id(),
    );
    desk.reconfigure(|config| config.replace("credential = \"managed_identity\"", &sign_in));
    let authority = desk.tenant.authority_url();
    desk.set("AZURE_AUTHORITY_HOST", &authority);
    desk.set("EXPIRY_WATCH_LOG", "trace");
    let done = desk.run(&["check", "--format", "json"]).await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.lines().count() > 20, "trace says little: {}", done.err);
    desk.set("AZURE_CLIENT_SECRET", "another~secret~altogether");
    let done = desk.run(&["check"]).await;
    assert_eq!(done.code, 3);
    assert!(done.err.contains("AADSTS7000215") && !done.err.contains("another~secret~altogether"), "{}", done.err);
    desk.set("AZURE_CLIENT_SECRET", "");
    assert_eq!(desk.run(&["check"]).await.code, 2);
}

#[tokio::test]
async fn once_tells_what_is_due_and_the_next_time_nothing() {
    let desk = Desk::new(two_secrets(), "").await;
    let done = desk.run(&["once"]).await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("2 notices enqueued, 2 messages delivered"), "{}", done.out);
    let done = desk.run(&["once"]).await;
    assert!(done.code == 0 && done.out.contains("0 notices enqueued, 0 messages delivered"), "{done:?}");
    assert_eq!(desk.tenant.mailbox().to(OPS).len(), 1);
    let state = desk.state.everything().await;
    let report: Value = serde_json::from_str(&desk.run(&["check", "--format", "json"]).await.out).unwrap();
    assert_eq!(report["credentials"][0]["verdict"]["code"], "noticed");
    desk.tenant.faults().always(Place::Applications, Fault::Denied);
    let failed: Value = serde_json::from_str(&desk.run(&["check", "--format", "json"]).await.out).unwrap();
    assert_eq!(failed["credentials"], report["credentials"], "the last snapshot is shown");
    assert!(desk.state.everything().await == state, "check wrote to the state");
}

#[tokio::test]
async fn each_failure_has_its_exit_code_and_the_gravest_counts() {
    let desk = Desk::new(two_secrets(), "").await;
    desk.tenant.mail_faults().refuse(OPS, "550 5.1.1 no such user here");
    let done = desk.run(&["once"]).await;
    assert_eq!(done.code, 4, "{}", done.err);
    assert!(done.err.contains("550") && !done.err.contains(OPS), "{}", done.err);
    assert_eq!(desk.tenant.mailbox().len(), 1, "the other address gets its mail");
    desk.tenant.faults().always(Place::ServicePrincipals, Fault::Denied);
    assert_eq!(desk.run(&["once"]).await.code, 3);
    desk.keep_in("folder");
    std::fs::create_dir(desk.path("folder")).unwrap();
    for command in ["once", "run", "check"] {
        let done = desk.run(&[command]).await;
        assert_eq!(done.code, 5, "{command}: {}", done.err);
        assert!(done.err.contains("folder"), "{}", done.err);
    }
    desk.keep_in("text");
    std::fs::write(desk.path("text"), "some notes of mine\n".repeat(50)).unwrap();
    assert_eq!(desk.run(&["once"]).await.code, 5);
    assert_eq!(std::fs::read_to_string(desk.path("text")).unwrap(), "some notes of mine\n".repeat(50));
}

#[tokio::test]
async fn a_test_message_goes_to_each_address_of_the_team() {
    let desk = Desk::new(Directory::new(), "").await;
    let done = desk.run(&["mail", "test", "--team", "ccaas"]).await;
    assert_eq!((done.code, desk.tenant.mailbox().len()), (0, 2), "{}", done.err);
    let mail = Mail::of(&desk.tenant.mailbox().messages()[0]);
    assert!(done.out.contains(&mail.id) && mail.notices.is_empty());
    assert_eq!(desk.run(&["mail", "test", "--team", "nobody"]).await.code, 2);
    desk.tenant.mail_faults().refuse("second@example.ca", "550 5.1.1 no such user");
    let done = desk.run(&["mail", "test", "--team", "ccaas"]).await;
    assert!(done.code == 4 && done.err.contains("second@example.ca: refused"), "{done:?}");
    assert!(desk.state.is_untouched().await);
}

#[tokio::test]
async fn a_log_of_everything_holds_no_secret_and_is_json_where_that_is_asked_for() {
    let login = Some(("expiry-watch".to_owned(), SMTP_PASSWORD.to_owned()));
    let mut desk = Desk::with(two_secrets(), "", |options| options.mail.login = login).await;
    desk.set("EXPIRY_WATCH_LOG", "trace");
    desk.set("EXPIRY_WATCH_LOG_FORMAT", "json");
    desk.tenant.faults().next(Place::Applications, Fault::Unauthorized);
    let done = desk.run(&["once"]).await;
    assert_eq!((done.code, desk.tenant.mailbox().len()), (0, 2), "{}", done.err);
    assert!(assert_json_lines(&done.err) > 20);
    let encoded = ["c2ltdWxhdGVkfnNtdHB+cGFzc3dvcmQ", "AGV4cGlyeS13YXRjaABzaW11bGF0ZWR"];
    assert_clean(&done.err, &encoded.map(str::to_owned).into(), "the log");
    assert!(!done.err.contains(OPS), "an address stands in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_answers_works_and_ends_within_five_seconds_of_being_told_to() {
    let mut desk = Desk::new(two_secrets(), "").await;
    desk.set("EXPIRY_WATCH_LOG_FORMAT", "json");
    desk.tenant.faults().latency(Duration::from_millis(600));
    let service = desk.start();
    let (status, health) = service.get("/health").await;
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!((status, &health["status"]), (200, &"degraded".into()), "the first poll takes its time");
    // Or four at once: what is urgent goes out after the poll, the rest with the notify run a moment later.
    until("two mails", Duration::from_secs(20), || desk.tenant.mailbox().len() >= 2).await;
    let url = format!("http://127.0.0.1:{}/health", desk.port);
    let done = desk.run(&["healthcheck", "--url", &url]).await;
    assert_eq!((done.code, &*done.out), (0, "healthy\n"), "{}", done.err);
    let (_, health) = service.get("/health").await;
    assert_eq!(serde_json::from_str::<Value>(&health).unwrap()["status"], "ok", "{health}");
    let secrets = forbidden(&desk.tenant);
    for path in ["/", "/metrics", "/api/v1/credentials", "/health", "/health/live"] {
        let (status, body) = service.get(path).await;
        assert_eq!(status, 200, "{path}");
        assert_clean(&body, &secrets, path);
    }
    until("a few polls", Duration::from_secs(20), || desk.tenant.requests_to("/v1.0/applications") >= 3).await;
    assert!(desk.tenant.most_at_once() <= 2, "two polls ran at once");
    let (code, took) = service.stop().await;
    assert!(code == Some(0) && took < Duration::from_secs(5), "{code:?} after {took:?}");
    assert_eq!(desk.run(&["healthcheck", "--url", &url]).await.code, 1);
    let log = std::fs::read_to_string(desk.path("log")).unwrap();
    assert_json_lines(&log);
    assert_clean(&log, &secrets, "the log");
    assert!(log.contains("message delivered") && !log.contains(OPS), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_stopped_while_it_sends_repeats_the_same_message_later() {
    let directory = Directory::new();
    directory.application("billing").secret(ends_in(10));
    let desk = Desk::new(directory, "").await;
    desk.tenant.mail_faults().next(MailFault::StallKept);
    let service = desk.start();
    until("a message", Duration::from_secs(20), || !desk.tenant.mailbox().is_empty()).await;
    let (code, took) = service.stop().await;
    assert!(code == Some(0) && took < Duration::from_secs(5), "{code:?} after {took:?}");
    desk.age_leases().await;
    let done = desk.run(&["once"]).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let arrived = mails(&desk.tenant);
    let ids: BTreeSet<&String> = arrived.iter().map(|mail| &mail.id).collect();
    assert_eq!((arrived.len(), ids.len()), (3, 2));
    let repeated = arrived.iter().filter(|mail| mail.id == arrived[0].id);
    assert!(repeated.map(|mail| &mail.raw).collect::<BTreeSet<_>>().len() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_killed_again_and_again_loses_nothing() {
    let addresses: Vec<String> = (0..12).map(|n| format!("\"reader-{n:02}@example.ca\"")).collect();
    let many = format!("[teams.many]\nemail = [ {} ]\n", addresses.join(", "));
    let directory = Directory::new();
    let desk = Desk::new(directory.clone(), &many).await;
    desk.reconfigure(|config| config.replace("teams = [ \"ccaas\" ]", "teams = [ \"many\" ]"));
    for round in 0..10 {
        // Urgent, so that it goes out after the poll that sees it.
        directory.application(&format!("application {round}")).secret(ends_in(10));
        let had = desk.tenant.mailbox().len();
        let service = desk.start();
        match round {
            0 | 1 => expiry_watch::clock::Clock::System.sleep(Duration::from_millis(150 + 100 * round)).await,
            _ => {
                let wanted = had + usize::try_from(round).unwrap();
                until("some mails", Duration::from_secs(20), || desk.tenant.mailbox().len() >= wanted).await;
            }
        }
        service.kill();
        desk.age_leases().await;
    }
    let service = desk.start();
    let told_to_all = || {
        let credentials =
            |mail: Mail| mail.notices.into_iter().map(move |(_, credential, _)| (mail.to.clone(), credential));
        mails(&desk.tenant).into_iter().flat_map(credentials).collect::<BTreeSet<_>>().len() == 12 * 10
    };
    until("every notice at every address", Duration::from_secs(30), told_to_all).await;
    assert_eq!(service.stop().await.0, Some(0));

    let mut bytes: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut carried_by: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for mail in mails(&desk.tenant) {
        let first = bytes.entry(mail.id.clone()).or_insert_with(|| mail.raw.clone());
        assert!(*first == mail.raw, "two messages of one id differ");
        for (_, credential, _) in &mail.notices {
            carried_by.entry((mail.to.clone(), credential.clone())).or_default().insert(mail.id.clone());
        }
    }
    assert_eq!(carried_by.len(), 12 * 10);
    let told_twice: Vec<_> = carried_by.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(told_twice.is_empty(), "under two ids: {told_twice:#?}");
}

#[tokio::test]
async fn a_feed_is_served_on_its_own_listener_too_and_a_token_that_cannot_be_read_is_said_at_the_start() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let more = "[teams.readers]\nfeed_token = { env = \"FEED_TOKEN_OF_THE_TEST\" }\n";
    let mut desk = Desk::new(two_secrets(), more).await;
    desk.reconfigure(|config| config.replace("[azure]", &format!("feed_listen = \"127.0.0.1:{port}\"\n[azure]")));
    let refused = desk.run(&["run"]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.err.contains("teams.readers.feed_token: the environment variable FEED_TOKEN_OF_THE_TEST is not set")
    );
    let token = "f00dfeedf00dfeedf00dfeedf00dfeed";
    desk.set("FEED_TOKEN_OF_THE_TEST", token);
    let service = desk.start();
    let path = format!("/calendar/{token}/readers.ics");
    for (asked, path, status) in
        [(desk.port, &*path, 200), (port, &path, 200), (port, "/", 404), (port, "/metrics", 404)]
    {
        let (found, body) = service.get_at(asked, path).await;
        assert_eq!((found, body.starts_with("BEGIN:VCALENDAR\r\n")), (status, status == 200), "{asked} {path}");
    }
    assert!(!std::fs::read_to_string(desk.path("log")).unwrap().contains(token));
    service.stop().await;
}
