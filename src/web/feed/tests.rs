//! The feed as a calendar polls it.

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::observe::Observed;
use crate::report::testing::{Case, NOW, at, small_place, view, view_with};
use crate::web::{Metrics, feed_router, router};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const PATH: &str = "/calendar/0123456789abcdef0123456789abcdef/ccaas.ics";

fn app(view: View) -> App {
    let tokens = [("ccaas", TOKEN), ("idim", "another")].map(|(team, token)| (TeamId::new(team), Secret::new(token)));
    let feeds = Feeds::new(&view.policy, tokens.iter().map(|(team, token)| (team, token.clone())));
    App {
        archive: crate::observe::Archive::new().0,
        metrics: Arc::new(Metrics::new(&view.policy, []).unwrap()),
        observed: Arc::new(Observed::new(view)),
        clock: Clock::Manual(ManualClock::at(at(NOW))),
        version: "0",
        revision: "",
        access_token: Some(Secret::new("s3cret")),
        feeds: Arc::new(feeds),
        demo_mail: false,
    }
}

async fn ask(router: &Router, method: &str, path: &str, known: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).header(header::IF_NONE_MATCH, known);
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (parts.status, parts.headers, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn both_listeners_serve_it_without_the_access_token_and_say_when_nothing_has_changed() {
    let app = app(small_place());
    for router in [router(app.clone()), feed_router(app.clone())] {
        let (status, headers, body) = ask(&router, "GET", PATH, "\"other\"").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[header::CONTENT_TYPE], "text/calendar; charset=utf-8");
        assert_eq!(headers[header::CACHE_CONTROL], "private, no-cache");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        assert!(body.starts_with("BEGIN:VCALENDAR\r\n") && body.contains("METHOD:PUBLISH\r\n"));
        let tag = headers[header::ETAG].to_str().unwrap().to_owned();
        assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
        let (status, of_head, nothing) = ask(&router, "HEAD", PATH, "").await;
        assert_eq!((status, nothing.len()), (StatusCode::OK, 0));
        assert_eq!(of_head[header::ETAG], *tag);
        assert_eq!(of_head[header::CONTENT_LENGTH], *body.len().to_string());
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let (status, headers, body) = ask(&router, "GET", PATH, &known).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
            assert_eq!(headers[header::ETAG], *tag);
        }
    }
}

#[tokio::test]
async fn it_has_the_teams_dates_and_its_bytes_change_only_with_them() {
    let app = app(small_place());
    let (observed, router) = (app.observed.clone(), router(app));
    let (_, _, first) = ask(&router, "GET", PATH, "").await;
    let summaries: Vec<&str> = first.lines().filter(|line| line.starts_with("SUMMARY")).collect();
    assert_eq!(summaries.len(), 4, "all but what is superseded and what never ends: {summaries:?}");
    assert!(first.contains("SUMMARY:Ends: <script>alert(1)</script>"), "what has ended is still an alarm");
    observed.show(small_place());
    assert_eq!(ask(&router, "GET", PATH, "").await.2, first);
    observed.show(view(&[Case::new("api", "new", Some("2027-04-21T00:00:00Z"))]));
    let (_, _, other) = ask(&router, "GET", PATH, "").await;
    assert!(other != first && other.matches("BEGIN:VEVENT").count() == 1);
}

#[tokio::test]
async fn whoever_has_not_the_teams_own_token_learns_nothing() {
    let app = app(small_place());
    for router in [router(app.clone()), feed_router(app.clone())] {
        let (_, expected_headers, expected) = ask(&router, "GET", "/calendar/wrong/ccaas.ics", "").await;
        for path in [
            "/calendar/wrong/nobody.ics",
            "/calendar/another/ccaas.ics",
            "/calendar//ccaas.ics",
            "/calendar//nobody.ics",
            "/calendar/ccaas.ics",
            "/calendar/0123456789abcdef0123456789abcdef/ccaas",
            "/calendar/0123456789abcdef0123456789abcdef/CCAAS.ics",
            "/calendar/0123456789abcdef0123456789abcde/ccaas.ics",
            "/calendar/0123456789abcdef0123456789abcdef/oversight.ics",
            "/calendar/0123456789abcdef0123456789abcdef/x/ccaas.ics",
            "/calendar/%FF/ccaas.ics",
        ] {
            let (status, headers, body) = ask(&router, "GET", path, "*").await;
            assert_eq!((status, &body, &headers), (StatusCode::NOT_FOUND, &expected, &expected_headers), "{path}");
        }
        assert_eq!(ask(&router, "POST", PATH, "").await.0, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn a_team_that_wants_no_calendar_has_no_feed() {
    let without = |policy: &mut Policy| {
        policy.teams.values_mut().for_each(|team| team.calendar = CalendarChoice::None);
    };
    let router = router(app(view_with(&[Case::new("a", "k", Some("2027-01-01T00:00:00Z"))], without)));
    assert_eq!(ask(&router, "GET", PATH, "").await.0, StatusCode::NOT_FOUND);
}
