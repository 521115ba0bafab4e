//! The paths as a client meets them.

use super::{App, Metrics, feed_router, router};
use crate::clock::{Clock, ManualClock};
use crate::config::Secret;
use crate::domain::Text;
use crate::observe::{Archive, Observed, Outbox, Sent, SentState, View};
use crate::report::testing::{Case, NOW, at, small_place, view};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use std::io::Read;
use std::sync::Arc;
use tower::ServiceExt;

fn app(view: View) -> App {
    let names: Vec<_> = view.inventory.sources().iter().map(|source| source.name.clone()).collect();
    let metrics = Metrics::new(&view.policy, &names).unwrap();
    let observed = Observed::new(view);
    observed.beat(|pulse| {
        (pulse.first_poll_done, pulse.last_turn, pulse.leader) = (true, Some(at(NOW)), true);
    });
    App {
        observed: Arc::new(observed),
        archive: Archive::new().0,
        metrics: Arc::new(metrics),
        clock: Clock::Manual(ManualClock::at(at(NOW))),
        version: "0.1.0",
        revision: "abc",
        access_token: None,
        feeds: Arc::default(),
        demo_mail: false,
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn get(router: &Router, path: &str) -> Answer {
    ask(router, Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn health_says_what_is_known_and_fails_only_when_the_watch_does() {
    let app = app(small_place());
    let (observed, router) = (app.observed.clone(), router(app));
    let answer = get(&router, "/health").await;
    assert_eq!(answer.status, StatusCode::OK);
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer.json()).unwrap());
    observed.beat(|pulse| pulse.store_error = Some(Text::clean("disk full")));
    let answer = get(&router, "/health").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::SERVICE_UNAVAILABLE, &"failing".into()));
    assert_eq!(get(&router, "/health/live").await.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_the_same_plain_and_gzipped_and_hold_every_name_of_the_contract() {
    let app = app(small_place());
    app.observed.show_outbox(Outbox { pending: 1, oldest: Some(at(NOW)), ..Outbox::default() });
    let (metrics, observed) = (app.metrics.clone(), app.observed.clone());
    metrics.requests_are(view_source(&observed), "200", 3);
    metrics.requests_are(view_source(&observed), "200", 5);
    metrics.requests_are(view_source(&observed), "200", 4);
    let router = router(app);
    let plain = get(&router, "/metrics").await;
    assert_eq!(plain.headers[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert!(plain.text().contains("expiry_watch_source_requests_total{code=\"200\",source=\"entra\"} 5\n"));
    for name in [
        "credential_expires_timestamp_seconds",
        "credential_info",
        "holder_covered_until_timestamp_seconds",
        "rotation_state",
        "credentials",
        "source_up",
        "source_last_success_timestamp_seconds",
        "source_poll_duration_seconds_bucket",
        "source_requests_total",
        "notices_total",
        "deliveries_total",
        "outbox_pending",
        "outbox_oldest_pending_timestamp_seconds",
        "notice_delay_seconds_bucket",
        "leader",
        "build_info",
    ] {
        let name = format!("\nexpiry_watch_{name}");
        assert!(plain.text().contains(&format!("{name}{{")) || plain.text().contains(&format!("{name} ")), "{name}");
    }
    let ask_gzip = || Request::get("/metrics").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    let before = ask(&router, ask_gzip()).await;
    assert!(!before.headers.contains_key(header::CONTENT_ENCODING), "a view that was not rendered is served plain");
    metrics.render(&observed.view());
    let gzipped = ask(&router, ask_gzip()).await;
    assert_eq!(gzipped.headers[header::CONTENT_ENCODING], "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&gzipped.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(without_process(&text), without_process(plain.text()));
    observed.show(small_place());
    let after = ask(&router, ask_gzip()).await;
    assert!(!after.headers.contains_key(header::CONTENT_ENCODING), "an older view is never served");
}

fn view_source(observed: &Observed) -> &'static crate::domain::SourceName {
    Box::leak(Box::new(observed.view().inventory.sources()[0].name.clone()))
}

/// The process's own figures move between two requests.
fn without_process(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.contains("process_")).collect()
}

#[tokio::test]
async fn a_series_goes_with_its_credential() {
    let app = app(small_place());
    let (metrics, observed) = (app.metrics.clone(), app.observed.clone());
    let router = router(app);
    metrics.render(&observed.view());
    observed.show(view(&[Case::new("api", "new", Some("2027-04-21T00:00:00Z"))]));
    metrics.render(&observed.view());
    let text = get(&router, "/metrics").await;
    assert!(text.text().contains("entra:application:api:new") && !text.text().contains("pexip"));
}

#[tokio::test]
async fn the_api_is_the_report_of_the_last_view() {
    let view = small_place();
    let expected = serde_json::to_vec(&crate::report::Report::new(&view)).unwrap();
    let answer = get(&router(app(view)), "/api/v1/credentials").await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn the_page_shows_everything_and_hostile_names_do_nothing() {
    let app = app(small_place());
    app.observed.show_outbox(Outbox {
        recent: vec![Sent {
            message_id: "<0b6c@example.ca>".to_owned(),
            enqueued_at: at(NOW),
            address: "ccaas@example.ca".to_owned(),
            subject: Text::clean("<img src=x onerror=alert(1)>"),
            state: SentState::Rejected,
            attempts: 3,
            last_error: Some(Text::clean("550 <b>no such user</b>")),
        }],
        ..Outbox::default()
    });
    let page = get(&router(app), "/").await;
    assert_eq!(page.status, StatusCode::OK);
    let text = page.text();
    for expected in [
        "Verify-by-Video Platform - Test - Pexip Administration OICD",
        "in 7 days",
        "2 days ago",
        "Superseded by one that ends on 2027-04-20",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "href=\"https://docs.example.ca/rotate\"",
        "listing secrets failed (503)",
        "550 &lt;b&gt;no such user",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    assert_eq!(text.matches("<script").count(), 1, "its own");
    for forbidden in
        ["<script>", "style=", "onclick", "<img", "<b>no", "\u{202E}", "\u{1b}", "onerror=alert(1)>", "/demo/mail"]
    {
        assert!(!text.contains(forbidden), "{forbidden}");
    }
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"));
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
}

#[tokio::test]
async fn a_runbook_that_is_no_web_address_is_no_link() {
    let view = crate::report::testing::view_with(&[Case::new("a", "k", Some("2027-01-01T00:00:00Z"))], |policy| {
        policy.defaults.runbook = Some(Text::clean("javascript:alert(1)"));
    });
    let page = get(&router(app(view)), "/").await;
    assert!(page.text().contains("runbook: javascript:alert(1)"));
    assert!(!page.text().contains("href=\"javascript"));
}

#[tokio::test]
async fn the_page_filters_and_hostile_queries_are_answered() {
    let router = router(app(small_place()));
    let page = get(&router, "/?team=idim&status=expiring").await;
    assert!(page.text().contains("1–1 of 1"));
    assert!(page.text().contains("<option value=\"idim\" selected>"));
    let page = get(&router, "/?q=%22%3E%3Cscript%3Ex").await;
    assert!(page.text().contains("Nothing matches.") && !page.text().contains("<script>"));
    assert_eq!(get(&router, "/?q=%FF%00&page=x&unknown=1").await.status, StatusCode::OK);
    let long = format!("/?q={}", "x".repeat(3_000));
    assert_eq!(get(&router, &long).await.status, StatusCode::URI_TOO_LONG);
}

#[tokio::test]
async fn a_page_of_ten_thousand_stays_a_page() {
    let cases: Vec<Case> =
        (0..10_000).map(|n| Case::new(&format!("h{n:05}"), "k", Some("2027-01-01T00:00:00Z"))).collect();
    let router = router(app(view(&cases)));
    let first = get(&router, "/").await;
    assert!(first.body.len() < 300_000, "{}", first.body.len());
    assert!(first.text().contains("1–100 of 10\u{202F}000") && first.text().contains("holder h00000"));
    let last = get(&router, "/?page=100").await;
    assert!(
        last.text().contains("9\u{202F}901–10\u{202F}000 of 10\u{202F}000") && last.text().contains("holder h09999")
    );
}

#[tokio::test]
async fn with_a_token_only_probes_are_open() {
    let router = router(App { access_token: Some(Secret::new("s3cret")), ..app(small_place()) });
    for (path, expected) in [
        ("/", StatusCode::UNAUTHORIZED),
        ("/credential?id=x", StatusCode::UNAUTHORIZED),
        ("/metrics", StatusCode::UNAUTHORIZED),
        ("/api/v1/credentials", StatusCode::UNAUTHORIZED),
        ("/nothing", StatusCode::UNAUTHORIZED),
        ("/healthy", StatusCode::UNAUTHORIZED),
        ("/health", StatusCode::OK),
        ("/health/live", StatusCode::OK),
        ("/calendar/token/ccaas.ics", StatusCode::NOT_FOUND),
    ] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, expected, "{path}");
        let challenged = answer.headers.contains_key(header::WWW_AUTHENTICATE);
        assert_eq!(challenged, expected == StatusCode::UNAUTHORIZED, "{path}");
        assert!(!answer.text().contains("s3cret"));
        let bearer = Request::get(path).header("authorization", "Bearer s3cret").body(Body::empty()).unwrap();
        assert_ne!(ask(&router, bearer).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn other_paths_are_not_there_and_other_methods_not_allowed() {
    let main = router(app(small_place()));
    let missing = get(&main, "/%3Cscript%3E").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(!missing.text().contains("<script>"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        assert_eq!(ask(&main, request).await.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    for path in ["/", "/metrics", "/health", "/api/v1/credentials"] {
        let answer = ask(&main, Request::head(path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0), "{path}");
    }
    let feed = feed_router(app(small_place()));
    assert_eq!(get(&feed, "/health/live").await.status, StatusCode::OK);
    for path in ["/", "/health", "/metrics", "/api/v1/credentials", "/calendar/t/ccaas.ics"] {
        assert_eq!(get(&feed, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_demo_brings_its_own_page_and_is_linked() {
    let app = App { demo_mail: true, ..app(small_place()) };
    let demo = Router::new().route("/demo/mail", axum::routing::get(|| async { "mails" }));
    let router = router(app).merge(demo);
    assert_eq!(get(&router, "/demo/mail").await.text(), "mails");
    assert!(get(&router, "/").await.text().contains("href=\"/demo/mail\""));
    assert_eq!(get(&router, "/nothing").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_credential_has_a_page_with_its_history_and_an_unknown_one_a_friendly_answer() {
    let (archive, mut enquiries) = Archive::new();
    let router = router(App { archive, ..app(small_place()) });
    let answering = tokio::spawn(async move {
        let enquiry = enquiries.recv().await.unwrap();
        assert_eq!(enquiry.credential.to_string(), "entra:application:pexip-Test:k1");
        enquiry.answer.send(crate::observe::History::default()).unwrap();
    });
    let page = get(&router, "/credential?id=entra%3Aapplication%3Apexip-Test%3Ak1").await;
    answering.await.unwrap();
    assert_eq!(page.status, StatusCode::OK);
    for expected in
        ["2026-11-28 13:00", "2026-11-28 20:00 UTC", "Nobody has been told", "href=\"https://docs.example.ca/rotate\""]
    {
        assert!(page.text().contains(expected), "{expected}");
    }
    let hostile = get(&router, "/credential?id=entra:application:hostile:k").await;
    assert!(hostile.text().contains("cannot be read at this moment"), "nobody answers any more");
    assert!(hostile.text().contains("&lt;script&gt;alert(1)") && !hostile.text().contains("<script>"));
    for path in [
        "/credential",
        "/credential?id=",
        "/credential?id=x&id=y",
        "/credential?id=%3Cscript%3Ealert(1)",
        "/credential?id=%FF",
    ] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.text().contains("No credential of this id") && !answer.text().contains("alert"), "{path}");
    }
}

#[tokio::test]
async fn the_page_brings_nothing_but_its_own_files_and_says_what_they_are() {
    let router = router(app(small_place()));
    let page = get(&router, "/").await;
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("data:"), "{policy}");
    for (kind, attribute) in
        [("text/css", "href=\"/page.css"), ("text/javascript", "src=\"/page.js"), ("image/svg", "href=\"/page.svg")]
    {
        let at = page.text().find(attribute).unwrap() + attribute.find('"').unwrap() + 1;
        let path = page.text()[at..].split('"').next().unwrap();
        let file = get(&router, path).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        assert!(file.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with(kind), "{path}");
        assert!(file.headers[header::CACHE_CONTROL].to_str().unwrap().contains("max-age"), "{path}");
    }
}

#[tokio::test]
async fn the_page_is_the_same_gzipped() {
    let router = router(app(small_place()));
    let plain = get(&router, "/").await;
    let request = Request::get("/").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    let packed = ask(&router, request).await;
    assert_eq!(packed.headers[header::CONTENT_ENCODING], "gzip");
    assert_eq!(packed.headers[header::CONTENT_TYPE], plain.headers[header::CONTENT_TYPE]);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
}
