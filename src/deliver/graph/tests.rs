//! Against a Graph that answers from a script: each refusal, silence, a lost answer, and what must never be shown.

use super::*;
use crate::azure::tests::{SECRET_FILE, clock, token, with_secret};
use crate::http::testing::{Ask, Reply, Server};

const TO: &str = "ccaas-ops@example.ca";
const RAW: &[u8] =
    b"Message-ID: <1@example.ca>\r\nDate: Sat, 21 Nov 2026 16:00:00 +0000\r\nFrom: expiry-watch@example.ca\r\n\
    To: ccaas-ops@example.ca\r\nSubject: x\r\n\r\n.a dot, and \xc3\xa9\r\n";
const ACCEPTED: Reply = Reply::Http(202, "", Vec::new());

fn graph_at(url: Url, mailbox: &str, server: &Server, clock: &Clock) -> Graph {
    let config = config::GraphMail { mailbox: mailbox.parse().unwrap(), graph_url: url };
    let surroundings = Surroundings { authority_host: Some(server.url.to_string()) };
    let graph = Graph::connect(&config, &with_secret(SECRET_FILE), clock, &surroundings).unwrap();
    graph.with_deadline(Duration::from_secs(20))
}

fn graph_of(server: &Server, clock: &Clock) -> Graph {
    graph_at(server.url.clone(), "expiry-watch@example.ca", server, clock)
}

/// A Graph of that script, with an authority beside it, and a transport to it.
async fn place(script: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> (Server, Graph) {
    let both = move |ask: &Ask| if ask.path().ends_with("/token") { token(ask) } else { script(ask) };
    let server = Server::start(both).await;
    let graph = graph_of(&server, &clock().0);
    (server, graph)
}

async fn send(graph: &Graph) -> Result<(), SendError> {
    graph.send(&TO.parse().unwrap(), RAW).await
}

#[tokio::test]
async fn the_exact_bytes_are_posted_to_the_mailbox_with_a_token_for_the_clouds_own_graph() {
    let (server, graph) = place(|_| ACCEPTED).await;
    assert_eq!(send(&graph).await, Ok(()));
    let [posted] = &server.asked("/sendMail")[..] else { panic!("one request") };
    assert_eq!(posted.path(), "/v1.0/users/expiry-watch@example.ca/sendMail");
    assert_eq!(
        (posted.header("content-type"), posted.header("authorization")),
        (Some("text/plain"), Some("Bearer token-0"))
    );
    assert_eq!(STANDARD.decode(&posted.body).unwrap(), RAW);
    assert!(server.asked("/token")[0].body.contains("scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"));
}

#[tokio::test]
async fn an_odd_mailbox_stays_one_piece_of_the_path_below_any_address_of_graph() {
    let server = Server::start(|ask| if ask.path().ends_with("/token") { token(ask) } else { ACCEPTED }).await;
    let graph = graph_at(server.url.join("proxy/graph").unwrap(), "a/b?c+d@example.ca", &server, &clock().0);
    assert_eq!(send(&graph).await, Ok(()));
    assert_eq!(server.asked("/sendMail")[0].target, "/proxy/graph/v1.0/users/a%2Fb%3Fc+d@example.ca/sendMail");
}

fn refusal(status: u16, headers: &'static str, code: &str) -> Reply {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"to {TO}: m","innerError":{{"request-id":"r-1"}}}}}}"#);
    Reply::Http(status, headers, body.into_bytes())
}

#[tokio::test]
async fn each_refusal_means_what_it_means_and_names_the_server_but_no_address() {
    for (status, headers, code, meaning, line) in [
        (
            400,
            "",
            "ErrorMimeContentInvalidBase64String",
            "never",
            "400 ErrorMimeContentInvalidBase64String, request-id r-1",
        ),
        (400, "", "ErrorInvalidRecipients", "never", "400 ErrorInvalidRecipients, request-id r-1"),
        (413, "", "RequestEntityTooLarge", "never", "413 RequestEntityTooLarge, request-id r-1"),
        (400, "", "BadRequest", "later", "400 BadRequest, request-id r-1"),
        (
            403,
            "",
            "ErrorAccessDenied",
            "paused",
            "403 ErrorAccessDenied, request-id r-1; grant Mail.Send for mail.transport.mailbox",
        ),
        (404, "", "ErrorInvalidUser", "paused", "404 ErrorInvalidUser, request-id r-1; there is no such mailbox"),
        (429, "", "ApplicationThrottled", "in 60 s", "429 ApplicationThrottled, request-id r-1"),
        (429, "retry-after: 90\r\n", "ApplicationThrottled", "in 90 s", "429 ApplicationThrottled, request-id r-1"),
        (503, "retry-after: 5\r\n", "x", "in 5 s", "503 x, request-id r-1"),
        (504, "retry-after: 999999\r\n", "x", "in 3600 s", "504 x, request-id r-1"),
        (429, "retry-after: Sat, 21 Nov 2026 16:01:00 GMT\r\n", "x", "in 60 s", "429 x, request-id r-1"),
        (500, "", "bad <code>", "later", "500 Internal Server Error, request-id r-1"),
        (200, "", "", "later", "200 OK, request-id r-1"),
    ] {
        let (server, graph) = place(move |_| refusal(status, headers, code)).await;
        let sent = send(&graph).await.unwrap_err();
        let found = match &sent {
            SendError::Deferred(_) => "later".to_owned(),
            SendError::Busy { pause, .. } => format!("in {} s", pause.as_secs()),
            SendError::Rejected(_) => "never".to_owned(),
            SendError::Paused(_) => "paused".to_owned(),
        };
        assert_eq!(found, meaning, "{sent}");
        assert!(sent.to_string().starts_with(&format!("127.0.0.1: {line}")), "{sent}");
        assert!(!sent.to_string().contains('@'), "{sent}");
        assert_eq!(server.asked("/sendMail").len(), 1);
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_then_all_mail_pauses() {
    let first_only = |ask: &Ask| match ask.header("authorization") {
        Some("Bearer token-0") => refusal(401, "", "InvalidAuthenticationToken"),
        _ => ACCEPTED,
    };
    let (server, graph) = place(first_only).await;
    assert_eq!(send(&graph).await, Ok(()));
    let posted = server.asked("/sendMail");
    assert_eq!((posted.len(), server.asked("/token").len()), (2, 2));
    assert_eq!(posted[0].body, posted[1].body, "the same bytes");

    let (server, graph) = place(|_| refusal(401, "", "InvalidAuthenticationToken")).await;
    let Err(SendError::Paused(line)) = send(&graph).await else { panic!("a pause") };
    assert!(line.contains("a new token was refused, too") && !line.contains("token-"), "{line}");
    assert_eq!((server.asked("/sendMail").len(), server.asked("/token").len()), (2, 2));
}

#[tokio::test]
async fn after_a_pause_the_token_is_a_new_one_which_knows_of_what_was_granted() {
    let (server, graph) = place(|_| refusal(403, "", "ErrorAccessDenied")).await;
    assert!(matches!(send(&graph).await, Err(SendError::Paused(_))));
    graph.sign_in_anew().await;
    assert!(send(&graph).await.is_err());
    let shown: Vec<_> =
        server.asked("/sendMail").iter().map(|ask| ask.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(shown, ["Bearer token-0", "Bearer token-1"]);
}

#[tokio::test]
async fn graph_is_left_alone_for_as_long_as_it_asked_whatever_is_sent_meanwhile() {
    let server = Server::start(|ask| match (ask.path().ends_with("/token"), ask.before) {
        (true, _) => token(ask),
        (_, 0) => refusal(429, "retry-after: 90\r\n", "ApplicationThrottled"),
        _ => ACCEPTED,
    })
    .await;
    let (clock, manual) = clock();
    let graph = graph_of(&server, &clock);
    assert!(send(&graph).await.is_err());
    manual.advance(SignedDuration::from_secs(30));
    let Err(SendError::Busy { why, pause }) = send(&graph).await else { panic!("still busy") };
    assert_eq!((why.as_str(), pause.as_secs()), ("127.0.0.1: left alone for another 60 s, as was asked", 60));
    assert_eq!(server.asked("/sendMail").len(), 1);
    manual.advance(SignedDuration::from_secs(60));
    assert_eq!(send(&graph).await, Ok(()));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(|_| ACCEPTED).await;
    let location: &'static str = Box::leak(format!("location: {}\r\n", elsewhere.url).into_boxed_str());
    for status in [301, 307, 308] {
        let (_, graph) = place(move |_| Reply::Http(status, location, Vec::new())).await;
        let sent = send(&graph).await;
        assert!(matches!(&sent, Err(SendError::Paused(line)) if line.contains("redirects are refused")), "{sent:?}");
    }
    assert!(elsewhere.asked("/").is_empty());
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_does_not_end_costs_the_deadline_at_most() {
    let silence: fn(&Ask) -> Reply = |_| Reply::Silence;
    let broken: fn(&Ask) -> Reply = |_| Reply::Raw(b"HTTP/1.1 2".to_vec());
    let endless: fn(&Ask) -> Reply = |_| Reply::Endless;
    for script in [silence, broken, endless] {
        let (_, graph) = place(script).await;
        let sent = send(&graph.with_deadline(Duration::from_millis(400))).await;
        assert!(matches!(sent, Err(SendError::Deferred(_))), "{sent:?}");
    }
    let (server, graph) = place(|_| ACCEPTED).await;
    drop(server);
    let gone = Graph { url: "http://127.0.0.1:1/".parse().unwrap(), ..graph };
    let sent = send(&gone).await;
    assert!(matches!(&sent, Err(SendError::Deferred(line)) if line.contains("no connection")), "{sent:?}");
}

#[tokio::test]
async fn without_a_token_nothing_is_posted() {
    for (status, said, paused) in [(401, "AADSTS7000222: expired", true), (503, "503 Service Unavailable", false)] {
        let server = Server::start(move |_| {
            let body = r#"{"error_description":"AADSTS7000222: expired"}"#;
            Reply::Http(status, "", if status == 401 { body.into() } else { Vec::new() })
        })
        .await;
        let sent = send(&graph_of(&server, &clock().0)).await.unwrap_err();
        assert!(sent.to_string().contains(said), "{sent}");
        assert_eq!(matches!(sent, SendError::Paused(_)), paused, "{sent}");
        assert!(server.asked("/sendMail").is_empty());
    }
}

#[tokio::test]
async fn a_graph_that_repeats_the_token_cannot_put_it_into_a_log() {
    let (_, graph) = place(|ask| {
        let token = ask.header("authorization").unwrap().trim_start_matches("Bearer ").to_owned();
        refusal(403, "request-id: Bearer-token-0\r\n", &token)
    })
    .await;
    let line = send(&graph).await.unwrap_err().to_string();
    assert!(!format!("{line} {graph:?}").contains("oken-0"), "{line}");
    assert!(!format!("{graph:?}").contains('@'));
}

#[tokio::test]
async fn a_message_whose_header_names_others_than_the_envelope_is_not_sent() {
    for (head, is_sent) in [
        ("To: ccaas-ops@example.ca", true),
        ("TO: =?utf-8?b?T3Bz?= <ccaas-ops@example.ca>", true),
        ("To: \"Ops, CCaaS\"\r\n <ccaas-ops@example.ca>", true),
        ("To: idim@example.ca", false),
        ("To: ccaas-ops@example.ca, idim@example.ca", false),
        ("To: ccaas-ops@example.ca,\r\n\tidim@example.ca", false),
        ("To: ccaas-ops@example.ca\r\nCc: idim@example.ca", false),
        ("To: ccaas-ops@example.ca\r\nbcc : idim@example.ca", false),
        ("To: nobody", false),
        ("Subject: none", false),
        ("Subject: none\r\n\r\nTo: ccaas-ops@example.ca", false),
    ] {
        let (server, graph) = place(|_| ACCEPTED).await;
        let raw = format!("From: expiry-watch@example.ca\r\n{head}\r\n\r\nbody\r\n");
        let sent = graph.send(&TO.parse().unwrap(), raw.as_bytes()).await;
        assert_eq!((sent.is_ok(), server.asked("/sendMail").len()), (is_sent, usize::from(is_sent)), "{head}");
        assert!(sent.is_ok() || matches!(sent, Err(SendError::Rejected(_))));
    }
}
