//! Signing in with a token (XOAUTH2): how it is shown, refused, renewed and kept secret. By the machine's clock, as tokens end.

use super::*;
use crate::azure::tests::{SECRET_FILE, token, with_secret};
use crate::http::testing::{Ask, Reply, Server as Authority};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const MAILBOX: &str = "expiry-watch@example.ca";
const TAKES_TOKENS: Script = Script { capabilities: &["AUTH LOGIN XOAUTH2", "8BITMIME"], ..FRIENDLY };

fn with_token(port: u16, authority: &Authority) -> Smtp {
    let login = Some(SmtpLogin::Xoauth2 { mailbox: MAILBOX.parse().unwrap() });
    let config = config::Smtp { host: "localhost".to_owned(), port, tls: SmtpTls::None, login, roots: None };
    let surroundings = Surroundings { authority_host: Some(authority.url.to_string()) };
    let smtp = Smtp::connect(&config, &with_secret(SECRET_FILE), &Clock::System, &surroundings);
    smtp.unwrap().with_deadline(Duration::from_secs(20))
}

/// Sends once, to a server and with an authority of these scripts.
async fn send_with(script: Script, issue: fn(&Ask) -> Reply) -> (Result<(), SendError>, Server, Authority) {
    let server = Server::start(script, Wire::Plain).await;
    let authority = Authority::start(issue).await;
    let sent = send(&with_token(server.port, &authority)).await;
    (sent, server, authority)
}

fn presented(server: &Server) -> Vec<String> {
    let commands = server.commands();
    let tokens = commands.iter().filter_map(|command| command.strip_prefix("AUTH XOAUTH2 "));
    tokens.map(|encoded| String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()).collect()
}

fn shown(n: usize) -> String {
    format!("user={MAILBOX}\u{1}auth=Bearer token-{n}\u{1}\u{1}")
}

#[tokio::test]
async fn the_mailbox_signs_in_with_a_token_for_exchange() {
    let (sent, server, authority) = send_with(TAKES_TOKENS, token).await;
    assert_eq!(sent, Ok(()));
    assert_eq!((presented(&server), server.messages()), (vec![shown(0)], vec![RAW.to_vec()]));
    let asked = authority.asked("/token");
    assert!(asked[0].body.contains("scope=https%3A%2F%2Foutlook.office365.com%2F.default"), "{}", asked[0].body);
}

#[tokio::test]
async fn a_token_serves_until_shortly_before_its_end_and_then_the_next_message_gets_another() {
    fn short(ask: &Ask) -> Reply {
        let n = ask.before;
        Reply::ok(format!(r#"{{"token_type":"Bearer","expires_in":240,"access_token":"token-{n}"}}"#))
    }
    for (issue, tokens) in [(token as fn(&Ask) -> Reply, [0, 0]), (short, [0, 1])] {
        let server = Server::start(TAKES_TOKENS, Wire::Plain).await;
        let authority = Authority::start(issue).await;
        let smtp = with_token(server.port, &authority);
        send(&smtp).await.unwrap();
        send(&smtp).await.unwrap();
        assert_eq!(presented(&server), tokens.map(shown));
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_then_all_mail_pauses_with_what_to_grant() {
    for (auth, challenged, said) in [
        ("535 5.7.3 Authentication unsuccessful", SILENT, "(535): 5.7.3 Authentication unsuccessful; "),
        ("334 eyJzdGF0dXMiOiI0MDEifQ==", "535 5.7.8 no such permission", "(535): 5.7.8 no such permission; "),
        ("334 eyJzdGF0dXMiOiI0MDEifQ==", DROP, "signing in: the token is refused (334); "),
        ("334 ", "235 2.7.0 welcome all the same", "signing in: the token is refused (334); "),
    ] {
        let (sent, server, authority) = send_with(Script { auth, challenged, ..TAKES_TOKENS }, token).await;
        let Err(SendError::Paused(line)) = sent else { panic!("{auth}: {sent:?}") };
        assert!(
            line.contains(said) && line.contains("SMTP.SendAsApp") && line.contains("Add-MailboxPermission"),
            "{line}"
        );
        assert_eq!((presented(&server), authority.asked("/token").len()), (vec![shown(0), shown(1)], 2));
        assert!(server.messages().is_empty() && !line.contains("token-") && !line.contains('@'), "{line}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_later_with_the_same_token() {
    for script in [
        Script { auth: "454 4.7.0 Temporary authentication failure", ..TAKES_TOKENS },
        Script { auth: DROP, ..TAKES_TOKENS },
        Script { auth: "334 eyJzdGF0dXMiOiI0MDEifQ==", challenged: "454 4.7.0 later", ..TAKES_TOKENS },
        Script { banner: "421 4.3.2 closing", ..TAKES_TOKENS },
    ] {
        let (sent, _, authority) = send_with(script, token).await;
        assert!(matches!(sent, Err(SendError::Deferred(_))), "{sent:?}");
        assert_eq!(authority.asked("/token").len(), 1);
    }
}

#[tokio::test]
async fn a_server_without_xoauth2_pauses_mail_and_never_sees_the_token() {
    let (sent, server, _) = send_with(FRIENDLY, token).await;
    assert!(matches!(&sent, Err(SendError::Paused(line)) if line.contains("offers no XOAUTH2")), "{sent:?}");
    assert!(server.commands().iter().all(|command| command.starts_with("EHLO")), "{:?}", server.commands());
}

#[tokio::test]
async fn without_a_token_nothing_is_said_to_the_server() {
    let refused = |_: &Ask| Reply::Http(401, "", br#"{"error_description":"AADSTS7000222: expired"}"#.to_vec());
    let (sent, server, _) = send_with(TAKES_TOKENS, refused).await;
    assert!(matches!(&sent, Err(SendError::Paused(line)) if line.contains("AADSTS7000222: expired")), "{sent:?}");
    assert!(server.commands().is_empty());
    let busy = |_: &Ask| Reply::Http(503, "retry-after: 120\r\n", Vec::new());
    let (sent, ..) = send_with(TAKES_TOKENS, busy).await;
    let asked = Duration::from_secs(120);
    assert!(matches!(&sent, Err(SendError::Busy { pause, .. }) if *pause == asked), "{sent:?}");
}

#[tokio::test]
async fn a_server_that_repeats_the_token_cannot_put_it_into_a_log() {
    fn long(_: &Ask) -> Reply {
        let token = "abcdefgh".repeat(40);
        Reply::ok(format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}}"#))
    }
    // The token, the whole answer in base64, and pieces of both.
    let auth = "535 5.7.3 AUTH dXNlcj1leHBpcnktd2F0Y2hAZXhhbXBsZS5jYQFhdXRoPUJlYXJlciBhYmNkZWZnaGFiY2RlZmdo \
        abcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefgh no";
    let server = Server::start(Script { auth, ..TAKES_TOKENS }, Wire::Plain).await;
    let authority = Authority::start(long).await;
    let smtp = with_token(server.port, &authority);
    let line = send(&smtp).await.unwrap_err().to_string();
    assert!(line.contains("AUTH [hidden] [hidden] no"), "{line}");
    assert!(!format!("{smtp:?} {line}").contains("abcdefgh") && !line.contains("dXNlcj"), "{line}");
}
