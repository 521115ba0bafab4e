//! The mail server, seen by the client that sends our mail, and by one that speaks the protocol by hand.

use super::{noon, standing_clock};
use crate::clock::Clock;
use crate::demo::mail::{MailFault, MailOptions, MailServer, MailTls};
use lettre::message::{MultiPart, header};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

async fn started(options: MailOptions) -> MailServer {
    MailServer::start(0, options, standing_clock().1.clock).await.unwrap()
}

fn builder(server: &MailServer) -> lettre::transport::smtp::AsyncSmtpTransportBuilder {
    Transport::builder_dangerous("localhost")
        .port(server.address().port())
        .hello_name(ClientId::Domain("client.example".to_owned()))
        .timeout(Some(Duration::from_secs(5)))
}

fn plain(server: &MailServer) -> Transport {
    builder(server).build()
}

fn message(to: &str) -> Message {
    Message::builder()
        .from("Expiry Watch <watch@example.ca>".parse().unwrap())
        .to(to.parse().unwrap())
        .subject("Läuft ab: Pexip")
        .message_id(Some("<1@example.ca>".to_owned()))
        .raw_header(
            header::HeaderName::new_from_ascii_str("X-Expiry-Watch-Notice").into_value("expiring; threshold=7d"),
        )
        .multipart(MultiPart::alternative_plain_html("Grüße\n.dot\n..dots\n".to_owned(), "<p>Grüße</p>".to_owned()))
        .unwrap()
}

/// Raw headers in lettre are values with a name.
trait IntoValue {
    fn into_value(self, value: &str) -> header::HeaderValue;
}

impl IntoValue for header::HeaderName {
    fn into_value(self, value: &str) -> header::HeaderValue {
        header::HeaderValue::new(self, value.to_owned())
    }
}

/// The code and text of the refusal that sending met.
async fn refusal(transport: &Transport, to: &str) -> String {
    let error = transport.send(message(to)).await.unwrap_err();
    format!("{} {error}", error.status().map_or_else(|| "none".to_owned(), |code| code.to_string()))
}

#[tokio::test]
async fn a_message_is_kept_byte_for_byte_with_its_envelope() {
    let server = started(MailOptions::default()).await;
    let raw = "Subject: dots\r\n\r\n.\r\n..\r\n.one\r\n\r\nend \u{e9}\r\n";
    let envelope = message("ops@example.ca").envelope().clone();
    plain(&server).send_raw(&envelope, raw.as_bytes()).await.unwrap();
    let kept = server.mailbox().to("OPS@example.ca").pop().unwrap();
    // lettre ends every message with a line end of its own before the final dot.
    assert_eq!(std::str::from_utf8(&kept.raw).unwrap(), format!("{raw}\r\n"));
    assert_eq!((kept.number, kept.at, &*kept.from, kept.encrypted), (1, noon(), "watch@example.ca", false));
    assert_eq!(kept.to, ["ops@example.ca"]);
    server.mailbox().clear();
    plain(&server).send_raw(&envelope, raw.as_bytes()).await.unwrap();
    assert_eq!(server.mailbox().messages()[0].number, 2);
}

#[tokio::test]
async fn a_kept_message_reads_as_a_person_sees_it() {
    let server = started(MailOptions::default()).await;
    plain(&server).send(message("ops@example.ca")).await.unwrap();
    let letter = server.mailbox().messages()[0].read();
    assert_eq!(letter.subject, "Läuft ab: Pexip");
    assert_eq!(letter.text.as_deref().map(str::trim_end), Some("Grüße\r\n.dot\r\n..dots"));
    assert_eq!(letter.html.as_deref().map(str::trim_end), Some("<p>Grüße</p>"));
    assert_eq!(letter.calendar, None);
    assert_eq!(letter.header("from"), Some("Expiry Watch <watch@example.ca>"));
    assert_eq!(letter.header("Subject"), Some("Läuft ab: Pexip"));
    assert_eq!(letter.header("Message-ID"), Some("<1@example.ca>"));
    assert_eq!(letter.all("X-Expiry-Watch-Notice"), ["expiring; threshold=7d"]);
}

#[test]
fn what_is_no_message_reads_as_nothing() {
    for raw in ["", "\r\n", "nonsense", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x"] {
        let letter = crate::demo::Message {
            number: 1,
            at: noon(),
            from: String::new(),
            to: vec![],
            raw: raw.into(),
            encrypted: false,
            user: None,
        }
        .read();
        assert_eq!((letter.subject.as_str(), letter.html), ("", None), "{raw:?}");
    }
}

fn certificate() -> (Arc<ServerConfig>, Tls, Tls) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let root = Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let parameters = TlsParameters::builder("localhost".to_owned()).add_root_certificate(root).build().unwrap();
    (Arc::new(config), Tls::Required(parameters.clone()), Tls::Wrapper(parameters))
}

#[tokio::test]
async fn mail_comes_over_starttls_and_implicit_tls_with_a_login() {
    let (config, starttls, implicit) = certificate();
    let login = Some(("watch".to_owned(), "pässword".to_owned()));
    for (tls, client) in [(MailTls::StartTls(config.clone()), starttls), (MailTls::Implicit(config), implicit)] {
        let server = started(MailOptions { tls, login: login.clone(), ..MailOptions::default() }).await;
        let transport = builder(&server).tls(client);
        let good = Credentials::new("watch".to_owned(), "pässword".to_owned());
        transport.clone().credentials(good).build().send(message("ops@example.ca")).await.unwrap();
        let kept = server.mailbox().messages().pop().unwrap();
        assert_eq!((kept.encrypted, kept.user.as_deref()), (true, Some("watch")));
        let bad = transport.clone().credentials(Credentials::new("watch".to_owned(), "wrong".to_owned())).build();
        assert!(refusal(&bad, "ops@example.ca").await.contains("535"));
        assert!(refusal(&transport.build(), "ops@example.ca").await.contains("530"));
        assert_eq!(server.mailbox().len(), 1);
    }
}

#[tokio::test]
async fn a_client_that_insists_on_starttls_sends_nothing_where_it_is_not_offered() {
    let (_, starttls, _) = certificate();
    let server = started(MailOptions::default()).await;
    assert!(builder(&server).tls(starttls).build().send(message("ops@example.ca")).await.is_err());
    assert!(server.mailbox().is_empty());
}

#[tokio::test]
async fn an_address_can_be_refused_for_good_or_for_a_while() {
    let server = started(MailOptions::default()).await;
    let transport = plain(&server);
    server.faults().refuse("Gone@example.ca", "550 5.1.1 no such user");
    server.faults().defer("new@example.ca", "450 4.2.0 greylisted", 2);
    for _ in 0..2 {
        assert!(refusal(&transport, "gone@example.ca").await.starts_with("550"));
        assert!(refusal(&transport, "new@example.ca").await.starts_with("450"));
    }
    transport.send(message("new@example.ca")).await.unwrap();
    transport.send(message("ops@example.ca")).await.unwrap();
    assert_eq!((server.mailbox().to("gone@example.ca").len(), server.mailbox().len()), (0, 2));
}

#[tokio::test]
async fn what_is_scripted_strikes_once_and_keeps_or_loses_the_message_as_it_says() {
    let server = started(MailOptions::default()).await;
    let transport = plain(&server);
    let text = str::to_owned;
    for (fault, status, kept) in [
        (MailFault::Greeting(text("421 4.3.2 closing")), "421", 0),
        (MailFault::Sender(text("550 5.7.1 not from you")), "550", 0),
        (MailFault::Reply(text("451 4.3.0 try again")), "451", 0),
        (MailFault::DropLost, "none", 0),
        (MailFault::DropKept, "none", 1),
    ] {
        server.mailbox().clear();
        server.faults().next(fault.clone());
        let refused = refusal(&transport, "ops@example.ca").await;
        assert!(refused.starts_with(status), "{fault:?}: {refused}");
        assert_eq!(server.mailbox().len(), kept, "{fault:?}");
        assert_eq!(server.faults().unmet(), 0, "{fault:?}");
        transport.send(message("ops@example.ca")).await.unwrap();
    }
    server.faults().down(true);
    assert!(refusal(&transport, "ops@example.ca").await.starts_with("421"));
    server.faults().heal();
    transport.send(message("ops@example.ca")).await.unwrap();
}

#[tokio::test]
async fn a_silent_server_says_nothing_and_a_stalled_one_keeps_the_message() {
    let server = started(MailOptions::default()).await;
    let transport = plain(&server);
    for (fault, kept) in [(MailFault::Silent, 0), (MailFault::StallKept, 1)] {
        server.faults().next(fault);
        let sending = tokio::time::timeout(Duration::from_millis(100), transport.send(message("ops@example.ca")));
        assert!(sending.await.is_err());
        assert_eq!(server.mailbox().len(), kept);
    }
}

#[tokio::test]
async fn a_token_signs_in_where_it_is_asked_for_and_a_stale_one_is_refused_by_a_challenge() {
    let bearer = Some(("watch@example.ca".to_owned(), "token".to_owned()));
    let server = started(MailOptions { bearer, ..MailOptions::default() }).await;
    let with = |token: &str| {
        let credentials = Credentials::new("watch@example.ca".to_owned(), token.to_owned());
        builder(&server).credentials(credentials).authentication(vec![Mechanism::Xoauth2]).build()
    };
    with("token").send(message("ops@example.ca")).await.unwrap();
    assert_eq!(server.mailbox().messages()[0].user.as_deref(), Some("watch@example.ca"));
    assert!(with("stale").send(message("ops@example.ca")).await.is_err());
    assert!(plain(&server).send(message("ops@example.ca")).await.is_err());
    assert_eq!(server.mailbox().len(), 1);
    let by_hand = dialogue(&server, &["EHLO x", "AUTH PLAIN x", "AUTH XOAUTH2 eA==", "", "AUTH"]).await;
    assert_eq!(by_hand, ["220", "250", "504", "334", "535", "504"]);
}

/// A dialogue by hand: lines sent one by one, and the first three characters of the last line of each answer.
async fn dialogue(server: &MailServer, lines: &[&str]) -> Vec<String> {
    let mut stream = BufReader::new(TcpStream::connect(server.address()).await.unwrap());
    let mut codes = Vec::new();
    for line in [None].into_iter().chain(lines.iter().map(Some)) {
        if let Some(line) = line {
            stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        }
        loop {
            let mut answer = String::new();
            if stream.read_line(&mut answer).await.unwrap_or(0) == 0 {
                return codes;
            }
            if answer.as_bytes()[3] == b' ' {
                codes.push(answer[..3].to_owned());
                break;
            }
        }
    }
    codes
}

#[tokio::test]
async fn commands_out_of_order_or_shape_are_refused_as_real_servers_do() {
    let options = MailOptions { largest: 2_000, ..MailOptions::default() };
    let server = started(options).await;
    let (long_line, long_command) = (format!("{}\r\n.", "x".repeat(1_000)), "N".repeat(20_000));
    let large = format!("{}.", "0123456789\r\n".repeat(200));
    let (from, to) = ("MAIL FROM:<a@b.ca>", "RCPT TO:<c@d.ca>");
    for (lines, codes) in [
        (vec!["NOOP", from, "EHLO x", "QUIT"], vec!["220", "250", "503", "250", "221"]),
        (
            vec!["HELO x", to, "DATA", from, from, to, "RSET", "DATA"],
            "220 250 503 503 250 503 250 250 503".split(' ').collect(),
        ),
        (
            vec!["EHLO x", "MAIL a@b.ca", "mail from: <>", "RCPT TO:<x>", "VRFY x"],
            vec!["220", "250", "501", "250", "501", "500"],
        ),
        (vec!["EHLO x", "STARTTLS", "AUTH PLAIN x", "EHLO"], vec!["220", "250", "502", "504", "501"]),
        (vec![&long_command, "NOOP"], vec!["220", "500", "250"]),
        (vec!["EHLO x", "MAIL FROM:<a@b.ca> SIZE=3000"], vec!["220", "250", "552"]),
        (vec!["EHLO x", from, to, "DATA", &large], vec!["220", "250", "250", "250", "354", "552"]),
        (vec!["EHLO x", from, to, "DATA", &long_line], vec!["220", "250", "250", "250", "354", "500"]),
        (vec!["EHLO x", from, to, "DATA", "bare\nfeed\r\n."], vec!["220", "250", "250", "250", "354", "550"]),
        (
            vec!["EHLO x", from, to, "DATA", "..\r\nmade up\r\n.", "QUIT"],
            "220 250 250 250 354 250 221".split(' ').collect(),
        ),
    ] {
        assert_eq!(dialogue(&server, &lines).await, codes, "{lines:.60?}");
    }
    assert_eq!(server.mailbox().messages().len(), 1);
    assert_eq!(&server.mailbox().messages()[0].raw[..], b".\r\nmade up\r\n");
}

#[tokio::test]
async fn login_by_two_answers_works_and_garbage_does_not() {
    let login = Some(("user".to_owned(), "word".to_owned()));
    let server = started(MailOptions { login, ..MailOptions::default() }).await;
    let ok = dialogue(&server, &["EHLO x", "AUTH LOGIN", "dXNlcg==", "d29yZA==", "MAIL FROM:<a@b.ca>"]).await;
    assert_eq!(ok, ["220", "250", "334", "334", "235", "250"]);
    let garbage = dialogue(&server, &["EHLO x", "AUTH PLAIN", "!!!", "AUTH LOGIN", "*", "", "AUTH CRAM-MD5"]).await;
    assert_eq!(garbage[..5], ["220", "250", "334", "535", "334"]);
}

#[tokio::test]
async fn the_server_ends_with_its_handle_and_takes_its_connections_along() {
    let server = MailServer::start(0, MailOptions::default(), Clock::System).await.unwrap();
    let address = server.address();
    let mut open = TcpStream::connect(address).await.unwrap();
    let mut greeting = [0; 3];
    open.read_exact(&mut greeting).await.unwrap();
    drop(server);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(2), open.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the open connection is closed");
    assert!(TcpStream::connect(address).await.is_err());
}
