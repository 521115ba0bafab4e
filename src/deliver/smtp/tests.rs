//! Against a server that answers from a script: every refusal at every step, silence, a broken line, and TLS.

use super::*;
use crate::config::{SecretRef, SmtpLogin};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What the server answers at each step; `DROP` closes the line, `SILENT` answers nothing.
#[derive(Clone)]
struct Script {
    banner: &'static str,
    capabilities: &'static [&'static str],
    auth: &'static str,
    /// To the empty line with which a client takes note of a challenge.
    challenged: &'static str,
    mail: &'static str,
    rcpt: &'static str,
    data: &'static str,
    dot: &'static str,
    quit: &'static str,
}

mod token;

const DROP: &str = "drop";
const SILENT: &str = "silent";

const FRIENDLY: Script = Script {
    banner: "220 mail.example.ca ready",
    capabilities: &["AUTH PLAIN LOGIN", "8BITMIME"],
    auth: "235 2.7.0 welcome",
    challenged: "535 5.7.3 Authentication unsuccessful",
    mail: "250 2.1.0 ok",
    rcpt: "250 2.1.5 ok",
    data: "354 go on",
    dot: "250 2.0.0 queued",
    quit: "221 2.0.0 bye",
};

/// What the server heard: its commands, and the octets of each message with the dots unstuffed.
#[derive(Default)]
struct Heard {
    commands: Vec<String>,
    messages: Vec<Vec<u8>>,
}

struct Server {
    port: u16,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Clone)]
enum Wire {
    Plain,
    StartTls(TlsAcceptor),
    Implicit(TlsAcceptor),
}

impl Server {
    async fn start(script: Script, wire: Wire) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), wire.clone(), shared.clone()));
            }
        });
        Self { port, heard }
    }

    fn commands(&self) -> Vec<String> {
        self.heard.lock().unwrap().commands.clone()
    }

    fn messages(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().messages.clone()
    }
}

async fn serve(stream: TcpStream, script: Script, wire: Wire, heard: Arc<Mutex<Heard>>) {
    match wire {
        Wire::Plain => drop(converse(BufStream::new(stream), &script, false, true, &heard).await),
        Wire::Implicit(acceptor) => {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            converse(BufStream::new(stream), &script, false, true, &heard).await;
        }
        Wire::StartTls(acceptor) => {
            let Some(stream) = converse(BufStream::new(stream), &script, true, true, &heard).await else { return };
            let Ok(stream) = acceptor.accept(stream.into_inner()).await else { return };
            converse(BufStream::new(stream), &script, false, false, &heard).await;
        }
    }
}

/// Gives the line back when the client asked for TLS.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut line: BufStream<S>,
    script: &Script,
    starttls: bool,
    banner: bool,
    heard: &Mutex<Heard>,
) -> Option<BufStream<S>> {
    if banner {
        answer(&mut line, script.banner).await?;
    }
    loop {
        let mut command = String::new();
        if line.read_line(&mut command).await.ok()? == 0 {
            return None;
        }
        heard.lock().unwrap().commands.push(command.trim_end().to_owned());
        let verb = command.split([' ', '\r']).next().unwrap_or("").to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let tls = starttls.then_some("STARTTLS");
                for capability in script.capabilities.iter().copied().chain(tls) {
                    line.write_all(format!("250-{capability}\r\n").as_bytes()).await.ok()?;
                }
                answer(&mut line, "250 HELP").await?;
            }
            "STARTTLS" => {
                answer(&mut line, "220 go").await?;
                return Some(line);
            }
            "AUTH" => answer(&mut line, script.auth).await?,
            "MAIL" => answer(&mut line, script.mail).await?,
            "RCPT" => answer(&mut line, script.rcpt).await?,
            "QUIT" => answer(&mut line, script.quit).await?,
            "DATA" => {
                answer(&mut line, script.data).await?;
                let message = read_message(&mut line).await?;
                heard.lock().unwrap().messages.push(message);
                answer(&mut line, script.dot).await?;
            }
            "" => answer(&mut line, script.challenged).await?,
            _ => answer(&mut line, "500 what?").await?,
        }
    }
}

async fn answer<S: AsyncWrite + Unpin>(line: &mut S, reply: &str) -> Option<()> {
    match reply {
        DROP => return None,
        SILENT => std::future::pending().await,
        _ => line.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?,
    }
    line.flush().await.ok()
}

async fn read_message<S: AsyncRead + AsyncWrite + Unpin>(line: &mut BufStream<S>) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut octets = Vec::new();
        line.read_until(b'\n', &mut octets).await.ok().filter(|read| *read > 0)?;
        match octets.strip_prefix(b".") {
            Some(b"\r\n") => return Some(message),
            Some(rest) => message.extend(rest),
            None => message.extend(octets),
        }
    }
}

const TO: &str = "ccaas-ops@example.ca";
const PASSWORD: &str = "hunter2-is-not-enough";
const RAW: &[u8] = b"Subject: x\r\n\r\n.a line with a dot\r\n..two\r\n.\r\nend\r\n";

fn secret(value: &str) -> (SecretRef, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(value.as_bytes()).unwrap();
    (SecretRef::File(file.path().into()), file)
}

fn client(port: u16, tls: SmtpTls, login: bool, roots: Option<SecretRef>) -> Smtp {
    let (password, _file) = secret(PASSWORD);
    let username = "expiry-watch@example.ca".to_owned();
    let login = login.then_some(SmtpLogin::Password { username, password });
    let config = config::Smtp { host: "localhost".to_owned(), port, tls, login, roots };
    connect(&config).unwrap().with_deadline(Duration::from_millis(2_000))
}

fn connect(config: &config::Smtp) -> Result<Smtp, ConnectError> {
    Smtp::connect(config, &Azure::default(), &Clock::System, &Surroundings::default())
}

async fn send(smtp: &Smtp) -> Result<(), SendError> {
    smtp.send(&"expiry-watch@example.ca".parse().unwrap(), &TO.parse().unwrap(), RAW).await
}

/// Sends through a plain line with a login.
async fn send_by(script: Script) -> (Result<(), SendError>, Server) {
    let server = Server::start(script, Wire::Plain).await;
    let sent = send(&client(server.port, SmtpTls::None, true, None)).await;
    (sent, server)
}

#[tokio::test]
async fn a_message_arrives_with_its_exact_bytes_to_one_recipient() {
    let (sent, server) = send_by(FRIENDLY).await;
    assert_eq!(sent, Ok(()));
    assert_eq!(server.messages(), [RAW]);
    let commands = server.commands();
    assert_eq!(commands[2..5], ["MAIL FROM:<expiry-watch@example.ca>", "RCPT TO:<ccaas-ops@example.ca>", "DATA"]);
}

#[tokio::test]
async fn each_answer_means_what_it_means_and_names_the_server_but_no_address() {
    let s = FRIENDLY;
    let scripts = [
        ("later", Script { banner: "421 4.3.2 too busy", ..s.clone() }),
        ("later", Script { auth: "454 4.7.0 directory is down", ..s.clone() }),
        ("later", Script { mail: "451 4.3.0 try again", ..s.clone() }),
        ("later", Script { rcpt: "450 4.2.0 <ccaas-ops@example.ca>: greylisted", ..s.clone() }),
        ("later", Script { rcpt: "451 4.7.1 greylisted", ..s.clone() }),
        ("later", Script { rcpt: "452 4.2.2 mailbox full", ..s.clone() }),
        ("later", Script { dot: "421 4.4.1 shutting down", ..s.clone() }),
        ("later", Script { dot: DROP, ..s.clone() }),
        ("later", Script { data: DROP, ..s.clone() }),
        ("later", Script { banner: DROP, ..s.clone() }),
        ("later", Script { rcpt: "this is no SMTP", ..s.clone() }),
        ("never", Script { rcpt: "550 5.1.1 <ccaas-ops@example.ca>: no such user", ..s.clone() }),
        ("never", Script { rcpt: "550 no such user", ..s.clone() }),
        ("never", Script { dot: "552 5.3.4 too big", ..s.clone() }),
        ("never", Script { dot: "554 refused", ..s.clone() }),
        ("later", Script { rcpt: "550 5.7.1 not allowed to relay", ..s.clone() }),
        ("later", Script { dot: "550 5.7.26 unauthenticated", ..s.clone() }),
        ("paused", Script { mail: "530 5.7.0 sign in first", ..s.clone() }),
        ("paused", Script { mail: "553 sender unknown", ..s.clone() }),
        ("paused", Script { rcpt: "530 sign in first", ..s.clone() }),
        ("paused", Script { auth: "535 5.7.8 bad credentials", ..s.clone() }),
        ("paused", Script { auth: "534 too weak", ..s.clone() }),
        ("paused", Script { auth: "334 bm8gbW9yZQ==", ..s.clone() }),
        ("paused", Script { capabilities: &["AUTH CRAM-MD5"], ..s.clone() }),
        ("paused", Script { banner: "554 no service here", ..s.clone() }),
        ("paused", Script { auth: "550 5.7.30 Basic authentication is not supported", ..s.clone() }),
        ("paused", Script { dot: "554 5.2.252 SendAsDenied; not allowed to send as that", ..s.clone() }),
        (
            "paused",
            Script { dot: "550 5.7.60 SMTP; Client does not have permissions to send as this sender", ..s.clone() },
        ),
    ];
    for (meaning, script) in scripts {
        let (sent, server) = send_by(script).await;
        let (found, line) = match sent.unwrap_err() {
            SendError::Deferred(line) | SendError::Busy { why: line, .. } => ("later", line),
            SendError::Rejected(line) => ("never", line),
            SendError::Paused(line) => ("paused", line),
        };
        assert_eq!(found, meaning, "{line}");
        assert!(line.starts_with(&format!("localhost:{}", server.port)), "{line}");
        assert!(!line.contains('@') && !line.contains('\n') && !line.contains(PASSWORD), "{line}");
    }
}

#[tokio::test]
async fn an_error_gives_the_servers_own_words() {
    let (sent, server) = send_by(Script { rcpt: "550 5.1.1 <ccaas-ops@example.ca>: no such user", ..FRIENDLY }).await;
    let expected =
        format!("localhost:{}, naming the recipient: permanent error (550): 5.1.1 [address] no such user", server.port);
    assert_eq!(sent, Err(SendError::Rejected(expected)));
}

#[tokio::test]
async fn a_server_that_repeats_what_signs_in_cannot_put_it_into_a_log() {
    let plain = "AGV4cGlyeS13YXRjaEBleGFtcGxlLmNhAGh1bnRlcjItaXMtbm90LWVub3VnaA==";
    let script = Script {
        auth: "535 5.7.8 no: AUTH PLAIN AGV4cGlyeS13YXRjaEBleGFtcGxlLmNhAGh1bnRlcjItaXMtbm90LWVub3VnaA== hunter2-is-not-enough",
        ..FRIENDLY
    };
    let (sent, server) = send_by(script).await;
    assert!(server.commands().contains(&format!("AUTH PLAIN {plain}")));
    let SendError::Paused(line) = sent.unwrap_err() else { panic!() };
    assert!(line.ends_with("5.7.8 no: AUTH PLAIN [hidden] [hidden]"), "{line}");
    assert!(!format!("{:?}", client(1, SmtpTls::None, true, None)).contains("hunter2"));
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_deadline_at_every_step() {
    let s = FRIENDLY;
    for script in [
        Script { banner: SILENT, ..s.clone() },
        Script { auth: SILENT, ..s.clone() },
        Script { rcpt: SILENT, ..s.clone() },
        Script { dot: SILENT, ..s.clone() },
    ] {
        let server = Server::start(script, Wire::Plain).await;
        let smtp = client(server.port, SmtpTls::None, true, None).with_deadline(Duration::from_millis(100));
        let SendError::Deferred(line) = send(&smtp).await.unwrap_err() else { panic!() };
        assert!(line.ends_with("did not finish within 100ms"), "{line}");
    }
}

#[tokio::test]
async fn what_happens_after_the_server_took_the_message_does_not_undo_it() {
    for quit in [SILENT, DROP, "500 what?"] {
        let (sent, server) = send_by(Script { quit, ..FRIENDLY }).await;
        assert_eq!((sent, server.messages().len()), (Ok(()), 1));
    }
}

#[tokio::test]
async fn nobody_listening_is_a_reason_to_try_again() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert!(matches!(send(&client(port, SmtpTls::None, false, None)).await, Err(SendError::Deferred(_))));
}

#[tokio::test]
async fn without_starttls_nothing_is_said_in_the_clear() {
    let server = Server::start(FRIENDLY, Wire::Plain).await;
    let SendError::Paused(line) = send(&client(server.port, SmtpTls::StartTls, true, None)).await.unwrap_err() else {
        panic!()
    };
    assert!(line.contains("offers no STARTTLS"), "{line}");
    assert!(server.commands().iter().all(|command| command.starts_with("EHLO")), "{:?}", server.commands());
}

/// A server certificate for `name` and the PEM of the authority that signed it.
fn certificate(name: &str) -> (TlsAcceptor, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}

#[tokio::test]
async fn both_ways_into_tls_deliver_with_an_authority_of_ones_own() {
    let (acceptor, root) = certificate("localhost");
    for (wire, tls) in
        [(Wire::StartTls(acceptor.clone()), SmtpTls::StartTls), (Wire::Implicit(acceptor), SmtpTls::Implicit)]
    {
        let server = Server::start(FRIENDLY, wire).await;
        let (roots, _file) = secret(&root);
        assert_eq!(send(&client(server.port, tls, true, Some(roots))).await, Ok(()));
        assert_eq!(server.messages().len(), 1);
        assert!(server.commands().iter().any(|command| command.starts_with("AUTH PLAIN")));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_pauses_mail_and_the_password_stays_here() {
    let (wrong_name, root) = certificate("elsewhere.example.ca");
    let (_, another_root) = certificate("localhost");
    for root in [root, another_root] {
        for (wire, tls) in [
            (Wire::StartTls(wrong_name.clone()), SmtpTls::StartTls),
            (Wire::Implicit(wrong_name.clone()), SmtpTls::Implicit),
        ] {
            let server = Server::start(FRIENDLY, wire).await;
            let (roots, _file) = secret(&root);
            let error = send(&client(server.port, tls, true, Some(roots))).await.unwrap_err();
            assert!(matches!(&error, SendError::Paused(line) if line.contains("certificate")), "{error:?}");
            assert!(!server.commands().iter().any(|command| command.starts_with("AUTH")));
        }
    }
}

#[test]
fn what_cannot_be_read_is_told_with_its_key_and_never_its_value() {
    let (no_pem, _file) = secret("this is no certificate");
    let base = |roots, password| config::Smtp {
        host: "localhost".to_owned(),
        port: 25,
        tls: SmtpTls::StartTls,
        login: Some(SmtpLogin::Password { username: "user".to_owned(), password }),
        roots,
    };
    let missing = SecretRef::Env("EXPIRY_WATCH_TEST_NOT_SET".to_owned());
    let error = connect(&base(None, missing.clone())).unwrap_err().to_string();
    assert_eq!(error, "mail.transport.password: the environment variable EXPIRY_WATCH_TEST_NOT_SET is not set");
    let error = connect(&base(Some(no_pem), missing)).unwrap_err().to_string();
    assert_eq!(error, "mail.transport.roots: there is no certificate in it; give one or more certificates in PEM");
}
