//! The pages that show kept mail.

use super::noon;
use crate::demo::{Mailbox, Message, pages};

fn put(mailbox: &Mailbox, subject: &str, body: &str) {
    let raw = format!("From: watch@example.ca\r\nSubject: {subject}\r\nContent-Type: text/html\r\n\r\n{body}\r\n");
    let (from, to) = ("watch@example.ca".to_owned(), vec!["ops@example.ca".to_owned()]);
    mailbox.keep(Message { number: 0, at: noon(), from, to, raw: raw.into(), encrypted: false, user: None });
}

/// Serves the pages and fetches one: status, policy, body.
async fn get(mailbox: &Mailbox, path: &str) -> (u16, String, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let _stop = crate::demo::serve(listener, pages::router(mailbox.clone()));
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), policy, answer.text().await.unwrap())
}

#[tokio::test]
async fn the_list_has_the_newest_first_and_links_to_each() {
    let mailbox = Mailbox::new();
    assert!(get(&mailbox, "/demo/mail").await.2.contains("Nothing yet."));
    put(&mailbox, "older", "<p>1</p>");
    put(&mailbox, "newer", "<p>2</p>");
    let (status, _, body) = get(&mailbox, "/demo/mail").await;
    assert_eq!(status, 200);
    assert!(body.find("newer").unwrap() < body.find("older").unwrap());
    assert!(body.contains(r#"<a href="/demo/mail/2">newer</a>"#) && body.contains("2026-11-21 16:00:00"));
}

#[tokio::test]
async fn a_mails_html_is_walled_in_and_everything_else_is_escaped() {
    let mailbox = Mailbox::new();
    put(&mailbox, "<script>alert(1)</script>", r#"<p onclick="x()">"quoted" &amp; <script>alert(2)</script></p>"#);
    for path in ["/demo/mail", "/demo/mail/1"] {
        let (status, policy, body) = get(&mailbox, path).await;
        assert_eq!(status, 200);
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"), "{policy}");
        assert!(!body.contains("<script"), "{body}");
        assert!(body.contains("&lt;script&gt;alert(1)"));
    }
    let (_, _, body) = get(&mailbox, "/demo/mail/1").await;
    assert!(body.contains(r#"sandbox="""#));
    assert!(
        body.contains("srcdoc=\"&lt;p onclick=&quot;x()&quot;&gt;&quot;quoted&quot; &amp;amp; &lt;script&gt;"),
        "{body}"
    );
}

#[tokio::test]
async fn a_message_that_is_not_there_is_a_page_that_says_so() {
    for path in ["/demo/mail/7", "/demo/mail/x", "/demo/mail/-1"] {
        let (status, _, body) = get(&Mailbox::new(), path).await;
        assert_eq!(status, 404);
        assert!(body.contains("There is no such message."));
    }
}
