//! Lives of credentials, from the first reminder to silence, as the mails tell them.

use crate::support::{IDIM, ONE_TEAM, OPS, TestWatcher};
use expiry_watch::demo::{Directory, Secret, scenario};
use std::collections::BTreeSet;

const PEXIP: &str = "Verify-by-Video Platform - Test - Pexip Administration OICD";
const LABEL: &str = "Pexip Administration OICD client secret";
const OLD: &str = "5d0fd9c8-0000-4000-8000-000000000001";

/// One consumer, one secret; it ends at 12:00 in Vancouver on 28 November.
fn pexip() -> Directory {
    let directory = Directory::new();
    let secret = Secret::labelled(LABEL).key_id(OLD).from("2026-06-01T19:00:00Z").until("2026-11-28T19:00:00Z");
    directory.application(PEXIP).app_id(scenario::PEXIP_TEST).with_principal().secret(secret);
    directory
}

fn next_secret(start: &str) -> Secret {
    Secret::labelled(LABEL).from(start).until("2027-11-06T12:00:00Z")
}

#[tokio::test]
async fn a_secret_is_told_at_every_threshold_and_after_its_end_until_it_is_rotated_and_then_never_again() {
    let mut watcher = TestWatcher::start(pexip(), "2026-09-20", ONE_TEAM).await;
    let mut told = watcher.days("2026-09-20", 79).await;
    watcher.directory().add_secret(scenario::PEXIP_TEST, next_secret("2026-12-08"));
    told.extend(watcher.days("2026-12-08", 20).await);
    watcher.directory().remove_secret(scenario::PEXIP_TEST, OLD);
    told.extend(watcher.days("2026-12-28", 20).await);
    assert_eq!(
        told,
        [
            "2026-09-29 ccaas-ops: expiring 60d",
            "2026-10-29 ccaas-ops: expiring 30d",
            "2026-11-14 ccaas-ops: expiring 14d",
            "2026-11-21 ccaas-ops: expiring 7d",
            "2026-11-25 ccaas-ops: expiring 3d",
            "2026-11-27 ccaas-ops: expiring 1d",
            "2026-11-28 ccaas-ops: expiring 0d",
            "2026-11-29 ccaas-ops: expired",
            "2026-12-05 ccaas-ops: expired expired+7d",
            "2026-12-08 ccaas-ops: resolved",
        ]
    );
    let of = format!(": {PEXIP} (client secret)");
    let subjects: Vec<String> = watcher.mails_to(OPS).into_iter().map(|mail| mail.subject.replace(&of, "")).collect();
    assert_eq!(
        subjects,
        [
            "Expires in 60 days",
            "Expires in 30 days",
            "Expires in 14 days",
            "Expires in 7 days",
            "Expires in 3 days",
            "Expires in 1 day",
            "Expires today",
            "Expired 1 day ago",
            "Expired 7 days ago",
            "Resolved"
        ]
    );
}

#[tokio::test]
async fn a_mail_says_what_where_when_why_and_carries_the_headers_that_mail_rules_look_for() {
    let rules = "[defaults]\nteams = [\"ccaas\"]\n[[rules]]\nname = \"Pexip OIDC\"\nmatch = { app_id = \"33758b54-*\" }\n\
                 teams = [\"ccaas\", \"idim\"]\nenvironment = \"test\"\nrunbook = \"https://docs.example.ca/rotate\"\n";
    let mut watcher = TestWatcher::start(pexip(), "2026-11-21", rules).await;
    watcher.day("2026-11-21").await;
    let mail = watcher.last_to(OPS);
    let object = watcher.directory().find_application(scenario::PEXIP_TEST).object_id().to_owned();
    let id = format!("entra:application:{object}:{OLD}");
    assert_eq!(mail.letter.header("X-Expiry-Watch-Notice"), Some(&*format!("expiring; credential={id}; threshold=7d")));
    assert_eq!(mail.letter.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(mail.letter.header("X-Auto-Response-Suppress"), Some("All"));
    assert_eq!(mail.letter.header("From"), Some("Expiry Watch <expiry-watch@example.ca>"));
    let html = mail.letter.html.as_deref().unwrap();
    for fact in [
        PEXIP,
        LABEL,
        "client secret",
        "test",
        scenario::PEXIP_TEST,
        &id,
        "Sat 2026-11-28 12:00",
        "19:00 UTC",
        "in 7 days",
        "Pexip OIDC",
        "7d",
        "https://docs.example.ca/rotate",
        "IDIM Technical Operations",
    ] {
        assert!(mail.text().contains(fact), "the text lacks {fact}:\n{}", mail.text());
        assert!(html.contains(fact), "the HTML lacks {fact}");
    }
}

#[tokio::test]
async fn the_interface_secret_is_rotated_every_90_days_and_both_teams_hear_of_planned_ends_alone() {
    let directory = Directory::new();
    let application = directory.application("sec_bcgov_v1").app_id(scenario::API_PROD).with_principal();
    // Each lives 180 days; the next one comes when 90 are left.
    for (label, from, until) in [("A", "2026-05-01", "2026-10-28"), ("B", "2026-07-30", "2027-01-26")] {
        let _ = application.clone().secret(Secret::labelled(label).from(from).until(until));
    }
    let rules = "[defaults]\nteams = [\"ccaas\"]\n[[rules]]\nname = \"MaxConf API\"\nmatch = { holder = \"sec_bcgov_*\" }\n\
                 teams = [\"ccaas\", \"idim\"]\nsuccessor = \"holder\"\nretire_remind = [\"7d\"]\n";
    let mut watcher = TestWatcher::start(directory, "2026-09-01", rules).await;
    let mut told = watcher.days("2026-09-01", 57).await;
    let _ = application.clone().secret(Secret::labelled("C").from("2026-10-28").until("2027-04-26"));
    told.extend(watcher.days("2026-10-28", 90).await);
    let _ = application.secret(Secret::labelled("D").from("2027-01-26").until("2027-07-25"));
    told.extend(watcher.days("2027-01-26", 30).await);
    assert_eq!(
        told,
        [
            "2026-10-20 ccaas-ops: retiring 7d",
            "2026-10-20 idim-techops: retiring 7d",
            "2027-01-18 ccaas-ops: retiring 7d",
            "2027-01-18 idim-techops: retiring 7d",
        ]
    );
    assert_eq!(watcher.mails_to(IDIM)[0].subject, "Retires in 7 days, as planned: sec_bcgov_v1 (client secret)");
}

#[tokio::test]
async fn a_rotation_in_time_is_one_word_of_relief_and_one_of_the_planned_end() {
    let mut watcher = TestWatcher::start(pexip(), "2026-11-13", ONE_TEAM).await;
    let mut told = watcher.days("2026-11-13", 5).await;
    watcher.directory().add_secret(scenario::PEXIP_TEST, next_secret("2026-11-18"));
    told.extend(watcher.days("2026-11-18", 40).await);
    assert_eq!(
        told,
        [
            "2026-11-13 ccaas-ops: expiring 30d",
            "2026-11-14 ccaas-ops: expiring 14d",
            "2026-11-18 ccaas-ops: resolved",
            "2026-11-21 ccaas-ops: retiring 7d",
        ]
    );
}

#[tokio::test]
async fn what_is_deleted_is_resolved_and_what_is_restored_is_told_again_where_it_stands() {
    let directory = Directory::new();
    let secret = || {
        let secret = Secret::labelled("archive").key_id("77777777-0000-4000-8000-000000000001");
        secret.from("2026-06-01").until("2026-12-05T20:00:00Z")
    };
    let application = directory.application("recording-archive").secret(secret());
    let mut watcher = TestWatcher::start(directory, "2026-11-21", ONE_TEAM).await;
    let mut told = watcher.days("2026-11-21", 2).await;
    let application = application.remove_secret("77777777-0000-4000-8000-000000000001");
    told.extend(watcher.days("2026-11-23", 2).await);
    let _ = application.secret(secret());
    told.extend(watcher.days("2026-11-25", 5).await);
    assert_eq!(
        told,
        [
            "2026-11-21 ccaas-ops: expiring 14d",
            "2026-11-23 ccaas-ops: resolved",
            "2026-11-25 ccaas-ops: expiring 14d",
            "2026-11-28 ccaas-ops: expiring 7d",
        ]
    );
}

#[tokio::test]
async fn another_display_name_changes_what_a_mail_says_and_not_what_is_owed() {
    let mut watcher = TestWatcher::start(pexip(), "2026-11-21", ONE_TEAM).await;
    assert_eq!(watcher.days("2026-11-21", 2).await, ["2026-11-21 ccaas-ops: expiring 7d"]);
    watcher.directory().find_application(scenario::PEXIP_TEST).rename("Pexip, renamed");
    assert_eq!(watcher.days("2026-11-23", 3).await, ["2026-11-25 ccaas-ops: expiring 3d"]);
    assert_eq!(watcher.last_to(OPS).subject, "Expires in 3 days: Pexip, renamed (client secret)");
}

#[tokio::test]
async fn a_hostile_name_arrives_as_harmless_text() {
    let directory = Directory::new();
    let secret = Secret::labelled("\"><script>alert(2)</script>").from("2026-06-01").until("2026-12-05");
    directory.application(scenario::HOSTILE_NAME).secret(secret);
    let mut watcher = TestWatcher::start(directory, "2026-11-21", ONE_TEAM).await;
    watcher.day("2026-11-21").await;
    let [mail] = &watcher.mails()[..] else { panic!("one mail") };
    assert_eq!(mail.to, OPS);
    assert_eq!(mail.letter.header("Bcc"), None);
    assert!(mail.subject.contains("onerror=alert(1)"), "{}", mail.subject);
    let html = mail.letter.html.as_deref().unwrap();
    assert!(!html.contains("<img") && !html.contains("<script"), "{html}");
    for text in [&mail.subject, mail.text(), html, &watcher.process.answer("/").await] {
        assert!(!text.contains('\u{202E}') && !text.contains("\r\nBcc:") && !text.contains("\nBcc:"), "{text}");
    }
    let page = watcher.process.answer("/").await;
    assert!(!page.contains("<img") && !page.contains("<script>alert"), "{page}");
}

#[tokio::test]
async fn all_that_an_address_is_owed_comes_in_one_message_even_to_an_address_of_two_teams() {
    let directory = Directory::new();
    for (name, until) in [("one", "2026-11-24T20:00:00Z"), ("two", "2026-11-20T20:00:00Z"), ("three", "2026-12-05")] {
        directory.application(name).secret(Secret::labelled("key").from("2026-06-01").until(until));
    }
    let more = "[teams.both]\nemail = [\"CCAAS-ops@example.ca\", \"second@example.ca\"]\n\
                [defaults]\nteams = [\"ccaas\", \"both\", \"idim\"]\n";
    let mut watcher = TestWatcher::start(directory, "2026-11-21", more).await;
    let told = watcher.day("2026-11-21").await;
    let all = "expired, expiring 3d, expiring 14d";
    let to = |who: &str| format!("2026-11-21 {who}: {all}");
    assert_eq!(told, [to("ccaas-ops"), to("idim-techops"), to("second")]);
    assert_eq!(watcher.last_to(OPS).subject, "Expired 1 day ago: two (client secret) and 2 more");
    assert_eq!(watcher.days("2026-11-22", 1).await, [""; 0]);
}

#[tokio::test]
async fn what_nobody_owns_stands_in_every_teams_summary() {
    let directory = pexip();
    directory.application("orphan-report").secret(Secret::unlabelled().from("2026-06-01").until("2026-11-25"));
    let rules = "[defaults]\nteams = [\"ccaas\"]\n[[rules]]\nname = \"nobody's\"\nmatch = { holder = \"orphan*\" }\nteams = []\n";
    let mut watcher = TestWatcher::start(directory, "2026-11-21", rules).await;
    assert_eq!(watcher.day("2026-11-21").await, ["2026-11-21 ccaas-ops: expiring 7d"]);
    let last = watcher.process.store.last_run("summary").await.unwrap();
    watcher.process.cycle.summarise(last, &watcher.process.store).await.unwrap();
    watcher.process.deliver().await;
    let summaries = watcher.news();
    assert_eq!(summaries.iter().map(|mail| &*mail.to).collect::<Vec<_>>(), [OPS, IDIM]);
    for summary in &summaries {
        assert_eq!(summary.notices, []);
        assert!(summary.subject.starts_with("Summary: ") && summary.subject.ends_with(", 1 unowned"));
        let (owned, unowned) = summary.text().split_once("Unowned").unwrap();
        assert!(unowned.contains("orphan-report") && !owned.contains("orphan-report"));
        assert_eq!(owned.contains(PEXIP), summary.to == OPS);
    }
}

#[tokio::test]
async fn no_hint_token_or_client_secret_is_ever_written_anywhere() {
    let now = crate::support::at_eight("2026-11-21");
    let mut watcher = TestWatcher::start(scenario::mission(now), "2026-11-21", ONE_TEAM).await;
    let mut hints: BTreeSet<String> = watcher.directory().hints().into_iter().collect();
    watcher.days("2026-11-21", 12).await;
    watcher.restart().await;
    watcher.days("2026-12-03", 1).await;
    watcher.directory().add_secret(scenario::PEXIP_TEST, next_secret("2026-12-01"));
    hints.extend(watcher.directory().hints());
    watcher.tenant().revoke_tokens();
    watcher.days("2026-12-04", 11).await;
    watcher.tenant().faults().sign_in_down(true);
    watcher.tenant().revoke_tokens();
    watcher.days("2026-12-15", 2).await;
    let last = watcher.process.store.last_run("summary").await.unwrap();
    watcher.process.cycle.summarise(last, &watcher.process.store).await.unwrap();
    watcher.process.deliver().await;
    assert!(watcher.mails().len() > 10 && watcher.tenant().tokens_issued().len() > 2 && hints.len() > 5);
    watcher.assert_nothing_leaked(&hints).await;
}
