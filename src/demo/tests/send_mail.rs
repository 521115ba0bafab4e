//! The simulated `sendMail` takes what the real one takes, and the mail server the tokens of the same authority.

use super::super::mail::MailOptions;
use super::*;
use crate::demo::{Fault, Place};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use reqwest::{Response, StatusCode};

const MAILBOX: &str = "expiry-watch@example.ca";
const RAW: &str = "From: Expiry Watch <expiry-watch@example.ca>\r\nTo: ops@example.ca\r\nSubject: x\r\n\r\nbody\r\n";

async fn visitor() -> (ManualClock, Visitor) {
    let (clock, options) = standing_clock();
    let options =
        Options { mail: MailOptions { mailbox: Some(MAILBOX.to_owned()), ..MailOptions::default() }, ..options };
    (clock, Visitor::of(Directory::new(), options).await)
}

impl Visitor {
    async fn post(&self, mailbox: &str, kind: &str, body: String) -> Response {
        let url = self.url(&format!("/v1.0/users/{mailbox}/sendMail"));
        self.http.post(url).bearer_auth(&self.token).header("content-type", kind).body(body).send().await.unwrap()
    }

    async fn token_for(&self, audience: &str) -> String {
        let url = format!("{}?resource={audience}&api-version=2019-08-01", self.tenant.identity_endpoint());
        let answer = self.http.get(url).header("X-IDENTITY-HEADER", self.tenant.identity_header()).send();
        answer.await.unwrap().json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_message_in_base64_is_accepted_and_lies_in_the_mailbox_with_its_exact_bytes() {
    let (_, visitor) = visitor().await;
    let answer = visitor.post(MAILBOX, "text/plain", STANDARD.encode(RAW)).await;
    assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (StatusCode::ACCEPTED, ""));
    let messages = visitor.tenant.mailbox().messages();
    assert_eq!((&messages[0].raw[..], messages[0].from.as_str()), (RAW.as_bytes(), MAILBOX));
    assert_eq!((&messages[0].to[..], messages[0].read().subject.as_str()), (&["ops@example.ca".to_owned()][..], "x"));
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused_with_its_code() {
    let (_, visitor) = visitor().await;
    let whole = STANDARD.encode(RAW);
    let from_another = STANDARD.encode(RAW.replace("<expiry-watch@", "<somebody-else@"));
    let to_nobody = STANDARD.encode(RAW.replace("To: ops@example.ca\r\n", ""));
    let large = STANDARD.encode(vec![b'x'; 4 << 20]);
    for (mailbox, kind, body, status, code) in [
        (MAILBOX, "application/json", whole.clone(), 400, "RequestBodyRead"),
        ("nobody@example.ca", "text/plain", whole.clone(), 404, "ErrorInvalidUser"),
        (MAILBOX, "text/plain", RAW.to_owned(), 400, "ErrorMimeContentInvalidBase64String"),
        (MAILBOX, "text/plain", format!("{whole}\n"), 400, "ErrorMimeContentInvalidBase64String"),
        (MAILBOX, "text/plain", to_nobody, 400, "ErrorInvalidRecipients"),
        (MAILBOX, "text/plain", from_another, 403, "ErrorSendAsDenied"),
        (MAILBOX, "text/plain", large, 413, "RequestEntityTooLarge"),
    ] {
        let answer = visitor.post(mailbox, kind, body).await;
        assert_eq!(answer.status(), status, "{code}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], code);
    }
    assert!(visitor.tenant.mailbox().is_empty());
    visitor.tenant.faults().next(Place::SendMail, Fault::TooManyRequests { retry_after: Some(9) });
    let answer = visitor.post(MAILBOX, "text/plain", whole).await;
    assert_eq!(
        (answer.status(), answer.headers()["retry-after"].to_str().unwrap()),
        (StatusCode::TOO_MANY_REQUESTS, "9")
    );
}

#[tokio::test]
async fn the_thirty_first_message_of_a_minute_is_too_many() {
    let (clock, visitor) = visitor().await;
    for n in 0..31 {
        let status = visitor.post(MAILBOX, "text/plain", STANDARD.encode(RAW)).await.status();
        assert_eq!(status, if n < 30 { 202 } else { 429 }, "{n}");
    }
    clock.advance(jiff::SignedDuration::from_mins(1));
    assert_eq!(visitor.post(MAILBOX, "text/plain", STANDARD.encode(RAW)).await.status(), 202);
}

#[tokio::test]
async fn each_door_opens_to_the_tokens_of_its_own_audience_alone() {
    let (_, mut visitor) = visitor().await;
    let (graph, exchange) = (visitor.token.clone(), visitor.token_for("https://outlook.office365.com").await);
    let address = visitor.tenant.smtp_addr();
    let by_smtp = async |user: &str, token: &str| {
        let server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("localhost").port(address.port());
        let credentials = Credentials::new(user.to_owned(), token.to_owned());
        let transport = server.credentials(credentials).authentication(vec![Mechanism::Xoauth2]).build();
        let envelope = lettre::address::Envelope::new(MAILBOX.parse().ok(), vec!["ops@example.ca".parse().unwrap()]);
        transport.send_raw(&envelope.unwrap(), RAW.as_bytes()).await.is_ok()
    };
    assert!(by_smtp(MAILBOX, &exchange).await);
    assert!(!by_smtp(MAILBOX, &graph).await, "a token for Graph");
    assert!(!by_smtp("somebody@example.ca", &exchange).await, "another mailbox");
    visitor.tenant.mail_faults().refuse_tokens(true);
    assert!(!by_smtp(MAILBOX, &exchange).await, "no permission");
    visitor.tenant.mail_faults().refuse_tokens(false);
    assert!(by_smtp(MAILBOX, &exchange).await);
    visitor.tenant.revoke_tokens();
    assert!(!by_smtp(MAILBOX, &exchange).await, "revoked");
    visitor.token = visitor.token_for("https://outlook.office365.com").await;
    assert_eq!(visitor.post(MAILBOX, "text/plain", STANDARD.encode(RAW)).await.status(), 401, "a token for Exchange");
}
