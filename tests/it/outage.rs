//! Sources that fail: nothing is lost, nothing is resolved, the dates go on, and the outage itself is told once a day.

use crate::support::{ONE_TEAM, OPS, TestWatcher};
use expiry_watch::demo::{Directory, Fault, Place, Secret};

/// One secret that ends at noon on 28 November, in a directory of two pages, on the second of which it stands.
fn directory() -> Directory {
    let directory = Directory::new();
    for n in 0..1000 {
        directory.application("one of many").with_object_id(&format!("{n:08}-0000-4000-8000-000000000000"));
    }
    let secret = Secret::labelled("key").from("2026-06-01T19:00:00Z").until("2026-11-28T19:00:00Z");
    directory.application("billing").with_object_id("ffffffff-0000-4000-8000-000000000000").secret(secret);
    directory
}

const EVERY_DAY: &[&str] = &["2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"];
const TWO_DAYS: &[&str] = &["2026-11-22", "2026-11-25"];

/// A week: read on the first day, broken on `days` until the sixth, mended.
async fn week(days: &[&str], outage: impl Fn(&TestWatcher), mend: impl FnOnce(&TestWatcher)) -> Vec<String> {
    let mut watcher = TestWatcher::start(directory(), "2026-11-21", ONE_TEAM).await;
    let mut told = watcher.days("2026-11-21", 1).await;
    for day in days {
        outage(&watcher);
        told.extend(watcher.days(day, 1).await);
        let source = &watcher.process.cycle.inventory().sources()[0];
        assert!(source.last_error.is_some(), "{day}: it was read");
        assert_eq!(watcher.process.cycle.inventory().entries().len(), 1);
    }
    assert_eq!(watcher.tenant().tokens_sent_elsewhere(), 0);
    assert_eq!(watcher.tenant().elsewhere_requests(), [""; 0]);
    watcher.restart().await;
    mend(&watcher);
    told.extend(watcher.days("2026-11-26", 2).await);
    told
}

const TOLD: [&str; 7] = [
    "2026-11-21 ccaas-ops: expiring 7d",
    "2026-11-22 ccaas-ops: source_stale stale",
    "2026-11-23 ccaas-ops: source_stale stale+1d",
    "2026-11-24 ccaas-ops: source_stale stale+2d",
    "2026-11-25 ccaas-ops: expiring 3d, source_stale stale+3d",
    "2026-11-26 ccaas-ops: resolved",
    "2026-11-27 ccaas-ops: expiring 1d",
];

fn told_on_two_days() -> Vec<&'static str> {
    TOLD.into_iter().filter(|line| !line.ends_with("+1d") && !line.ends_with("+2d")).collect()
}

#[tokio::test]
async fn while_a_source_is_down_its_dates_go_on_and_the_outage_is_told_daily_and_then_resolved() {
    let told =
        week(EVERY_DAY, |watcher| watcher.tenant().graph_down(true), |watcher| watcher.tenant().graph_down(false))
            .await;
    assert_eq!(told, TOLD);
    let told = week(
        TWO_DAYS,
        |watcher| {
            watcher.tenant().faults().sign_in_down(true);
            watcher.tenant().revoke_tokens();
        },
        |watcher| watcher.tenant().faults().sign_in_down(false),
    );
    assert_eq!(told.await, told_on_two_days());
}

#[tokio::test]
async fn a_listing_that_breaks_on_its_second_page_is_an_outage_and_no_shorter_list() {
    for fault in [
        Fault::Denied,
        Fault::Unauthorized,
        Fault::CutOff,
        Fault::TruncatedJson,
        Fault::Html502,
        Fault::TooManyRequests { retry_after: Some(600) },
        Fault::TooManyRequests { retry_after: None },
        Fault::Unavailable { retry_after: Some(20) },
        Fault::Refusal { status: 400, code: "Request_BadRequest" },
    ] {
        let outage = |watcher: &TestWatcher| {
            let faults = watcher.tenant().faults();
            faults.heal(Place::Applications);
            faults.next(Place::Applications, Fault::Pass);
            faults.always(Place::Applications, fault.clone());
        };
        let told = week(TWO_DAYS, outage, |watcher| watcher.tenant().faults().heal(Place::Applications)).await;
        assert_eq!(told, told_on_two_days(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_page_that_leads_to_another_host_is_an_outage_and_the_token_stays_here() {
    for redirect in [false, true] {
        let outage = |watcher: &TestWatcher| {
            let elsewhere = watcher.tenant().elsewhere_url();
            let fault = if redirect { Fault::RedirectTo(elsewhere) } else { Fault::NextLinkTo(elsewhere) };
            watcher.tenant().faults().always(Place::Applications, fault);
        };
        let told = week(TWO_DAYS, outage, |watcher| watcher.tenant().faults().heal(Place::Applications)).await;
        assert_eq!(told, told_on_two_days());
    }
}

#[tokio::test]
async fn one_source_that_fails_stops_no_other() {
    let more = "[sources.nowhere]\ntype = \"entra\"\ngraph_url = \"http://127.0.0.1:1\"\nstale_after = \"2h\"\n\
        [sources.by_hand]\ntype = \"declared\"\n\
        credentials = [ { holder = \"SIP trunk\", label = \"carrier\", expires_at = \"2026-11-27\" } ]\n\
        [defaults]\nteams = [\"ccaas\"]\n";
    let mut watcher = TestWatcher::start(directory(), "2026-11-20", more).await;
    watcher.tenant().faults().always(Place::ServicePrincipals, Fault::Denied);
    let told = watcher.days("2026-11-20", 2).await;
    watcher.tenant().faults().heal(Place::ServicePrincipals);
    let told = [told, watcher.days("2026-11-22", 1).await].concat();
    assert_eq!(
        told,
        [
            "2026-11-20 ccaas-ops: expiring 7d",
            "2026-11-21 ccaas-ops: source_stale stale, source_stale stale",
            "2026-11-22 ccaas-ops: expiring 7d, source_stale stale+1d, resolved",
        ]
    );
    let mail = watcher.mails_to(OPS).remove(1);
    for fact in ["nowhere", "Application.Read.All", "no connection"] {
        assert!(mail.text().contains(fact), "{fact}: {}", mail.text());
    }
}

#[tokio::test]
async fn what_passes_is_waited_out_and_nobody_hears_of_it() {
    let mut watcher = TestWatcher::start(directory(), "2026-11-21", ONE_TEAM).await;
    let faults = watcher.tenant().faults();
    for fault in [
        Fault::TooManyRequests { retry_after: Some(40) },
        Fault::CutOff,
        Fault::Pass,
        Fault::ExpiredPageToken,
        Fault::Unauthorized,
        Fault::Html502,
        Fault::EmptyPage,
    ] {
        faults.next(Place::Applications, fault);
    }
    faults.next(Place::SignIn, Fault::Unavailable { retry_after: None });
    let before = watcher.place.clock.now();
    assert_eq!(watcher.day("2026-11-21").await, ["2026-11-21 ccaas-ops: expiring 7d"]);
    assert_eq!(faults.unmet(), 0);
    assert!(watcher.place.clock.now().duration_since(before).as_secs() >= 40);
    assert_eq!(watcher.process.cycle.inventory().sources()[0].last_error, None);
}

#[tokio::test]
async fn what_is_watched_stays_in_the_metrics_while_its_source_is_down() {
    let mut watcher = TestWatcher::start(directory(), "2026-11-21", ONE_TEAM).await;
    watcher.day("2026-11-21").await;
    let series = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("expiry_watch_credential"));
        lines.map(str::to_owned).collect()
    };
    let before = series(&watcher.process.answer("/metrics").await);
    watcher.tenant().graph_down(true);
    watcher.restart().await;
    watcher.day("2026-11-22").await;
    let during = watcher.process.answer("/metrics").await;
    assert_eq!(series(&during), before);
    assert!(
        before.len() >= 3 && during.contains("expiry_watch_source_up{source=\"entra\",type=\"entra\"} 0"),
        "{during}"
    );
    let health: serde_json::Value = serde_json::from_str(&watcher.process.answer("/health").await).unwrap();
    assert_eq!(health["status"], "failing", "its only source is stale");
}
