//! When keys were last used: advisory, whatever the report does.

use super::{Desk, Log, REPORT, TODAY, connect, secret, used};
use crate::support::{ONE_TEAM, Place};
use expiry_watch::demo::{Fault, Place as At};
use expiry_watch::domain::{Ident, LastUse};
use expiry_watch::sources::Patience;
use std::time::Duration;

fn of(last_use: &LastUse, key: &str) -> Option<String> {
    last_use.of(&Ident::new(key)).map(|at| at.to_string())
}

#[tokio::test]
async fn uses_are_read_to_the_last_page_within_the_budget_with_odd_dates_and_without_what_cannot_be() {
    let directory = used(9);
    let principal = directory.service_principal("kiosk").secret(secret("own"));
    let odd = directory.application("odd");
    for (key, at) in [("offset", "2026-11-20T00:00:00-8:00"), ("none", "0001-01-01T00:00:00Z"), ("bad", "yesterday")] {
        odd.clone().secret(secret(key).used(at));
    }
    odd.secret(secret("ahead").used("2026-12-21T00:00:00Z")).secret(secret("unused"));
    principal.used("own", "2026-11-19");
    let desk = Desk::with(directory, "last_use = true", |options| options.report_page = 1).await;
    let start = desk.place.clock.now();
    assert_eq!(desk.read().await.len(), 15);
    let known = desk.last_use();
    assert_eq!((known.len(), known.read_at, &known.error), (11, Some(start), &None));
    assert_eq!(of(&known, "k00").unwrap(), "2026-11-20T10:00:00.1234567Z");
    assert_eq!(of(&known, "offset").unwrap(), "2026-11-20T08:00:00Z");
    assert_eq!(of(&known, "own").unwrap(), "2026-11-19T00:00:00Z");
    assert_eq!(["none", "bad", "ahead", "unused"].map(|key| of(&known, key)), [None, None, None, None]);
    assert_eq!((desk.requests(), desk.throttled()), (14, false));
    assert!(desk.waited(start) <= 30, "{}", desk.waited(start));
}

#[tokio::test]
async fn the_budget_counts_over_polls() {
    let desk = Desk::with(used(3), "last_use = true", |options| options.report_page = 1).await;
    for _ in 0..4 {
        desk.read().await;
        assert_eq!(desk.last_use().len(), 3);
    }
    assert_eq!((desk.requests(), desk.throttled()), (12, false));
}

#[tokio::test]
async fn a_report_too_long_for_one_poll_is_read_on_by_the_next_ones_and_each_page_costs_one_request() {
    let desk = Desk::with(used(40), "last_use = true", |options| options.report_page = 1).await;
    let start = desk.place.clock.now();
    desk.read().await;
    assert!(desk.last_use().is_empty() && desk.last_use().read_at.is_none());
    let said = "the report of last uses is long: 15 pages have been read so far; the next poll goes on with it";
    assert_eq!(desk.error(), said);
    assert!(desk.waited(start) <= 30);
    desk.hours_pass(1);
    desk.read().await;
    desk.hours_pass(1);
    desk.read().await;
    let known = desk.last_use();
    assert_eq!((known.len(), known.read_at, &known.error), (40, Some(start), &None), "as of when it was begun");
    assert_eq!((desk.requests(), desk.throttled()), (40, false));
    assert_eq!(desk.log.lines().len(), 2, "that it is long, and that it has been read");

    desk.hours_pass(1);
    desk.read().await;
    assert_eq!((desk.last_use(), desk.requests()), (known, 55), "the one before stays in force meanwhile");
    desk.place.tenant.faults().always(At::Report, Fault::Unavailable { retry_after: None });
    desk.hours_pass(1);
    desk.read().await;
    assert!(desk.error().contains("page 16: 503"), "{}", desk.error());
    desk.place.tenant.faults().heal(At::Report);
    desk.place.tenant.forget_requests();
    desk.hours_pass(1);
    desk.read().await;
    assert_eq!((desk.requests(), desk.error().as_str()), (15, ""));
    assert!(desk.place.tenant.requests().iter().all(|address| *address != REPORT), "it goes on where it was");
}

#[tokio::test]
async fn a_report_that_was_begun_half_a_day_ago_is_begun_again() {
    let desk = Desk::with(used(20), "last_use = true", |options| options.report_page = 1).await;
    desk.read().await;
    desk.hours_pass(12);
    desk.read().await;
    let from_the_start = desk.place.tenant.requests().iter().filter(|address| *address == REPORT).count();
    assert_eq!(from_the_start, 2);
    desk.hours_pass(1);
    desk.read().await;
    assert_eq!((desk.last_use().len(), desk.requests()), (20, 35));
}

#[tokio::test]
async fn no_refusal_of_the_report_fails_the_poll_holds_it_up_or_takes_away_what_was_known() {
    let desk = Desk::with(used(3), "last_use = true", |options| options.report_page = 2).await;
    let elsewhere = desk.place.tenant.elsewhere_url();
    desk.read().await;
    for (fault, said) in [
        (Fault::Denied, "grant AuditLog.Read.All with admin consent"),
        (Fault::NoLicence, "the report needs an Entra ID P1 or P2 licence: without one, set last_use = false"),
        (Fault::Refusal { status: 404, code: "ResourceNotFound" }, "or set last_use = false"),
        (Fault::Refusal { status: 400, code: "BadRequest" }, "set last_use = false"),
        (Fault::Unauthorized, "the token is refused"),
        (Fault::TooManyRequests { retry_after: Some(4) }, "; the next poll tries again"),
        (Fault::TooManyRequests { retry_after: Some(3600) }, "; the next poll tries again"),
        (Fault::TooManyRequests { retry_after: None }, "; the next poll tries again"),
        (Fault::Unavailable { retry_after: None }, "; the next poll tries again"),
        (Fault::Html502, "502 Bad Gateway"),
        (Fault::CutOff, "the answer broke off"),
        (Fault::TruncatedJson, "the answer is no page of the report: it ends too early"),
        (Fault::Endless, "is larger than"),
        (Fault::EmptyPage, "; "),
        (Fault::RedirectTo(elsewhere.clone()), "redirects are refused"),
        (Fault::NextLinkTo(elsewhere.clone()), "leads to another host; refused"),
        (Fault::ExpiredPageToken, "400 Directory_ExpiredPageToken"),
    ] {
        desk.hours_pass(1);
        let start = desk.place.clock.now();
        desk.place.tenant.faults().always(At::Report, fault.clone());
        assert_eq!(desk.read().await.len(), 3, "{fault:?}");
        assert!(desk.error().contains(said), "{fault:?}: {}", desk.error());
        assert!(desk.error().starts_with(&format!("GET {REPORT} page ")), "{fault:?}: {}", desk.error());
        assert!(desk.waited(start) <= 30, "{fault:?}: {} s", desk.waited(start));
        assert_eq!(desk.last_use().len(), 3, "{fault:?}");
        desk.place.tenant.faults().heal(At::Report);
        desk.hours_pass(1);
        desk.read().await;
        assert_eq!(desk.error(), "", "{fault:?}");
    }
    assert_eq!(desk.place.tenant.tokens_sent_elsewhere(), 0);
    let said = desk.log.lines().concat();
    assert!(said.contains("AuditLog") && desk.place.tenant.tokens_issued().iter().all(|token| !said.contains(token)));
}

#[tokio::test]
async fn a_report_that_never_answers_is_waited_for_no_longer_than_the_reads_patience() {
    let desk = Desk::new(used(1), "last_use = true").await;
    desk.place.tenant.faults().always(At::Report, Fault::Silence);
    let begun = std::time::Instant::now();
    let read = desk.try_read(Patience { waiting: Duration::from_millis(300) }).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(read.unwrap().len(), 1);
    assert!(desk.error().ends_with("the next poll goes on with it"), "{}", desk.error());
}

#[tokio::test]
async fn a_listing_that_fails_does_not_wait_for_the_report_and_what_was_known_stays() {
    let desk = Desk::new(used(1), "last_use = true").await;
    desk.read().await;
    desk.place.tenant.faults().always(At::Report, Fault::Silence);
    desk.place.tenant.faults().always(At::Applications, Fault::Denied);
    let begun = std::time::Instant::now();
    assert!(desk.try_read(Patience::SHORT).await.unwrap_err().contains("/v1.0/applications page 1: 403"));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((desk.last_use().len(), desk.error().as_str()), (1, ""));
}

#[tokio::test]
async fn a_standing_refusal_is_told_once_and_again_when_it_changes() {
    let desk = Desk::new(used(1), "last_use = true").await;
    let faults = desk.place.tenant.faults();
    let mut told = Vec::new();
    for fault in [None, None, Some(Fault::Denied), Some(Fault::Denied), Some(Fault::NoLicence), None, None] {
        faults.heal(At::Report);
        fault.into_iter().for_each(|fault| faults.always(At::Report, fault));
        desk.read().await;
        told.push(desk.log.lines().len());
    }
    assert_eq!(told, [1, 0, 1, 0, 1, 1, 0]);
}

#[tokio::test]
async fn in_another_cloud_the_report_is_not_asked_for() {
    let mut place = Place::new(used(1), TODAY, ONE_TEAM).await;
    place.reconfigure(|config| {
        let config = config.replace("type = \"entra\"", "type = \"entra\"\nlast_use = true");
        config.replace("[azure]", "[azure]\ncloud = \"us_gov\"")
    });
    assert!(place.config().warnings.iter().any(|warning| warning.starts_with("sources.entra.last_use: ")));
    let desk = Desk { source: connect(&place), place, log: Log::default() };
    assert_eq!(desk.read().await.len(), 1);
    assert_eq!(desk.error(), "the report of last uses exists in the public cloud only: set last_use = false");
    assert_eq!(desk.requests(), 0);
}
