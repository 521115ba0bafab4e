//! The weekly summary, as the one that somebody reads who was away.

use crate::support::{IDIM, ONE_TEAM, OPS, TestWatcher};
use expiry_watch::demo::{Directory, Secret};

const BILLING: &str = "33758b54-a9cb-48ef-a363-5aaf10888f80";
const REPORTS: &str = "44758b54-a9cb-48ef-a363-5aaf10888f80";

/// What the team's address gets, its lines joined again.
async fn summary(watcher: &mut TestWatcher, to: &str) -> String {
    watcher.news();
    let last = watcher.process.store.last_run("summary").await.unwrap();
    watcher.process.cycle.summarise(last, &watcher.process.store).await.unwrap();
    watcher.process.deliver().await;
    let mail = watcher.last_to(to);
    let text = format!("{}\n{}", mail.subject, mail.text());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(text: &str, said: &[&str]) {
    for said in said {
        assert!(text.contains(said), "{said} is missing in {text}");
    }
}

#[tokio::test]
async fn a_summary_tells_a_weeks_story_and_whether_all_is_well() {
    let directory = Directory::new();
    let soon = Secret::labelled("key").from("2026-06-01").until("2026-11-30");
    directory.application("billing").app_id(BILLING).secret(soon);
    let later = Secret::labelled("key").from("2026-06-01").until("2027-11-30");
    directory.application("reports").app_id(REPORTS).secret(later);
    let mut watcher = TestWatcher::start(directory, "2026-11-14", ONE_TEAM).await;
    watcher.days("2026-11-14", 2).await;
    let first = summary(&mut watcher, OPS).await;
    check(
        &first,
        &["the watch began: all that is listed here", "1 is to be renewed soon", "told: expiring, 14d: billing (key)"],
    );
    assert!(!first.contains("new: "), "{first}");

    watcher.days("2026-11-16", 9).await;
    watcher.directory().add_secret(BILLING, Secret::labelled("key").from("2026-11-24").until("2027-11-24"));
    watcher.directory().remove_application(REPORTS);
    watcher.days("2026-11-25", 1).await;
    let second = summary(&mut watcher, OPS).await;
    check(
        &second,
        &[
            "Since 2026-11-15",
            "2026-11-25 new: billing (key)",
            "rotated, a newer one has taken over: billing (key)",
            "gone, no longer listed: reports (key)",
            "resolved: billing (key)",
            "All is well: nothing needs you, every source was read, and the next to end is billing",
        ],
    );
    let theirs = summary(&mut watcher, IDIM).await;
    check(
        &theirs,
        &["You own nothing that is watched", "Nothing: nothing new, nothing rotated", "entra (type entra): read"],
    );
    assert!(!theirs.contains("billing") && !theirs.contains("All is well"), "{theirs}");

    watcher.tenant().faults().sign_in_down(true);
    watcher.tenant().revoke_tokens();
    watcher.days("2026-11-26", 1).await;
    let broken = summary(&mut watcher, OPS).await;
    check(&broken, &["1 source not read", "Not all is well: 1 source could not be read", "FAILING"]);
}
