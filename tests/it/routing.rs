//! Whose a credential is: the first rule that matches, then a tag, then the defaults; or nobody's, or nobody's business.

use crate::support::{IDIM, OPS, TestWatcher};
use expiry_watch::demo::{Directory, Secret};

const RULES: &str = r#"
    [teams.oversight]
    email = [ "manager@example.ca", "director@example.ca" ]
    [defaults]
    teams = [ "ccaas" ]
    remind = [ "7d" ]
    [[rules]]
    name = "renewed by the platform"
    match = { holder = "*-managed" }
    ignore = "managed by Azure"
    [[rules]]
    name = "the interface"
    match = { source = "entra", kind = "client_secret", holder = "API-*" }
    teams = [ "idim", "oversight" ]
    environment = "prod"
    [[rules]]
    name = "never reached by what the rule above matches"
    match = { holder = [ "api-*", "billing" ] }
    teams = [ "ccaas" ]
    remind = [ "30d" ]
    [[rules]]
    name = "no teams of its own"
    match = { label = "tagged*" }
    environment = "test"
    [[rules]]
    name = "nobody's"
    match = { holder = "orphan" }
    teams = []
"#;

/// Who is told of one secret that ends in 7 days, by address.
async fn told_of(holder: &str, label: &str, tags: &[&str]) -> Vec<String> {
    let directory = Directory::new();
    let secret = Secret::labelled(label).from("2026-06-01").until("2026-11-28T20:00:00Z");
    directory.application(holder).tags(tags).secret(secret);
    let mut watcher = TestWatcher::start(directory, "2026-11-21", RULES).await;
    let lines = watcher.day("2026-11-21").await;
    let told = |line: &String| line.strip_prefix("2026-11-21 ").unwrap().replace("expiring ", "");
    lines.iter().map(told).collect()
}

#[tokio::test]
async fn the_first_rule_that_matches_decides_then_a_tag_then_the_defaults() {
    for (holder, label, tags, told) in [
        ("api-gateway", "key", &[][..], &["director: 7d", "idim-techops: 7d", "manager: 7d"][..]),
        ("api-gateway", "tagged", &["team:ccaas"], &["director: 7d", "idim-techops: 7d", "manager: 7d"]),
        ("api-managed", "key", &["team:ccaas"], &[]),
        ("billing", "key", &["team:idim"], &["ccaas-ops: 30d"]),
        ("report", "tagged by a developer", &["team:idim", "other", "team:idim"], &["idim-techops: 7d"]),
        ("report", "tagged twice", &["team:idim", "team:ccaas"], &["ccaas-ops: 7d", "idim-techops: 7d"]),
        ("report", "key", &["team:idim"], &["idim-techops: 7d"]),
        ("report", "key", &["team:no-such-team"], &["ccaas-ops: 7d"]),
        ("report", "key", &["TEAM", "team:", "team: "], &["ccaas-ops: 7d"]),
        ("report", "key", &[], &["ccaas-ops: 7d"]),
        ("orphan", "key", &["team:idim"], &[]),
    ] {
        assert_eq!(told_of(holder, label, tags).await, told, "{holder}, {label}, {tags:?}");
    }
}

#[tokio::test]
async fn what_is_ignored_is_still_listed_and_measured() {
    let directory = Directory::new();
    let secret = Secret::labelled("key").from("2026-06-01").until("2026-11-28T20:00:00Z");
    directory.application("certificate-managed").secret(secret);
    let mut watcher = TestWatcher::start(directory, "2026-11-21", RULES).await;
    assert_eq!(watcher.days("2026-11-21", 20).await, [""; 0]);
    let api: serde_json::Value = serde_json::from_str(&watcher.process.answer("/api/v1/credentials").await).unwrap();
    let listed = &api["credentials"][0];
    assert_eq!((&listed["status"], &listed["verdict"]["code"]), (&"ignored".into(), &"ignored".into()));
    assert!(listed["verdict"]["reason"].as_str().unwrap().contains("managed by Azure"));
    let metrics = watcher.process.answer("/metrics").await;
    assert!(metrics.contains("expiry_watch_credential_expires_timestamp_seconds{source=\"entra\""), "{metrics}");
}

#[tokio::test]
async fn whoever_is_told_by_an_escalation_reads_that_first() {
    let directory = Directory::new();
    directory.application("billing").secret(Secret::labelled("key").from("2026-06-01").until("2026-11-28T20:00:00Z"));
    let rules = "[defaults]\nteams = [\"ccaas\"]\nescalate = { at = \"3d\", teams = [\"idim\"] }\n";
    let mut watcher = TestWatcher::start(directory, "2026-11-21", rules).await;
    watcher.days("2026-11-21", 5).await;
    let [theirs] = &watcher.mails_to(IDIM)[..] else { panic!("one mail") };
    let escalated = "Escalated to you, from 3d on. It is for CCaaS Azure Operations to do.";
    assert!(theirs.text().contains(escalated), "{}", theirs.text());
    assert!(theirs.letter.html.as_deref().unwrap().contains(escalated));
    let ours = watcher.last_to(OPS);
    assert!(!ours.text().contains("Escalated to you") && ours.text().contains("(by escalation)"), "{}", ours.text());
}
