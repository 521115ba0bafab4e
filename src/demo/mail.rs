//! The simulated mail server: accepts whatever the script lets it, and keeps it.
//!
//! Owns the mailbox, the listener and the life of connections; the dialogue is `session`'s, what goes wrong is `faults`'.

mod faults;
mod prompt;
mod session;

pub use faults::{MailFault, MailFaults};

use super::sign_in::Tokens;
use crate::clock::Clock;
use axum::body::Bytes;
use jiff::Timestamp;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// How many messages are kept, and how many bytes of them; the oldest go first.
const MOST_KEPT: usize = 10_000;
const MOST_BYTES: usize = 256 << 20;

/// How connections are protected.
#[derive(Clone, Debug, Default)]
pub enum MailTls {
    /// Not at all; STARTTLS is not offered.
    #[default]
    None,
    /// STARTTLS is offered.
    StartTls(Arc<ServerConfig>),
    /// From the first byte on.
    Implicit(Arc<ServerConfig>),
}

/// What the server asks of those who connect.
#[derive(Clone, Debug)]
pub struct MailOptions {
    pub tls: MailTls,
    /// User and password; none = anybody may send.
    pub login: Option<(String, String)>,
    /// User and token for XOAUTH2, beside or instead of a password.
    pub bearer: Option<(String, String)>,
    /// The mailbox for which XOAUTH2 takes the tokens that the tenant's authority issued for Exchange.
    pub mailbox: Option<String>,
    /// The largest message taken, in bytes.
    pub largest: usize,
}

impl MailOptions {
    fn wants_login(&self) -> bool {
        self.login.is_some() || self.takes_tokens()
    }

    fn takes_tokens(&self) -> bool {
        self.bearer.is_some() || self.mailbox.is_some()
    }

    /// The mechanisms offered, as EHLO lists them.
    fn mechanisms(&self) -> String {
        let password = self.login.is_some().then_some("PLAIN LOGIN");
        let token = self.takes_tokens().then_some("XOAUTH2");
        password.into_iter().chain(token).collect::<Vec<_>>().join(" ")
    }
}

impl Default for MailOptions {
    fn default() -> Self {
        Self { tls: MailTls::None, login: None, bearer: None, mailbox: None, largest: 10 << 20 }
    }
}

/// A message as it was accepted.
#[derive(Clone)]
pub struct Message {
    /// Counts from 1 in the order of arrival, for the life of the mailbox.
    pub number: u64,
    pub at: Timestamp,
    /// The envelope's sender and recipients.
    pub from: String,
    pub to: Vec<String>,
    /// What stood between DATA and the final dot, byte for byte, dots unstuffed.
    pub raw: Bytes,
    /// Whether it came over TLS.
    pub encrypted: bool,
    /// Who had signed in.
    pub user: Option<String>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message {} from <{}> to {:?}, {} bytes", self.number, self.from, self.to, self.raw.len())
    }
}

/// Whatever was accepted. A handle; clones share it.
#[derive(Clone, Default)]
pub struct Mailbox(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    messages: std::collections::VecDeque<Message>,
    bytes: usize,
    count: u64,
}

impl Mailbox {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message in; its number is given here.
    pub fn keep(&self, message: Message) {
        let mut kept = self.kept();
        kept.count += 1;
        kept.bytes += message.raw.len();
        let number = kept.count;
        kept.messages.push_back(Message { number, ..message });
        while kept.messages.len() > MOST_KEPT || kept.bytes > MOST_BYTES {
            let oldest = kept.messages.pop_front().map_or(0, |message| message.raw.len());
            kept.bytes -= oldest;
        }
    }

    /// All that is kept, the oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.kept().messages.iter().cloned().collect()
    }

    /// What was sent to this address, the oldest first.
    #[must_use]
    pub fn to(&self, address: &str) -> Vec<Message> {
        let is_to = |message: &&Message| message.to.iter().any(|to| to.eq_ignore_ascii_case(address));
        self.kept().messages.iter().filter(is_to).cloned().collect()
    }

    #[must_use]
    pub fn number(&self, number: u64) -> Option<Message> {
        self.kept().messages.iter().find(|message| message.number == number).cloned()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.kept().messages.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets the messages; numbers go on.
    pub fn clear(&self) {
        let mut kept = self.kept();
        kept.messages.clear();
        kept.bytes = 0;
    }
}

/// A running mail server on loopback; it stops when this is dropped.
pub struct MailServer {
    address: SocketAddr,
    mailbox: Mailbox,
    faults: MailFaults,
    _stop: watch::Sender<()>,
}

/// What every connection shares.
struct Office {
    options: MailOptions,
    tokens: Tokens,
    clock: Clock,
    mailbox: Mailbox,
    faults: MailFaults,
}

impl Office {
    /// Whether a user may sign in with this token.
    fn lets_in(&self, given: &(String, String)) -> bool {
        let (user, token) = given;
        let is_own = |mailbox: &String| mailbox.eq_ignore_ascii_case(user);
        let issued = self.options.mailbox.as_ref().is_some_and(is_own) && self.tokens.open_mail(token);
        Some(given) == self.options.bearer.as_ref() || issued && !self.faults.are_tokens_refused()
    }
}

impl MailServer {
    /// Listens on 127.0.0.1; port 0 takes a free one.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn start(port: u16, options: MailOptions, clock: Clock) -> io::Result<Self> {
        Self::start_with(port, options, clock, Tokens::default()).await
    }

    /// The same, as part of a tenant whose authority issues these tokens.
    pub(super) async fn start_with(port: u16, options: MailOptions, clock: Clock, tokens: Tokens) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let (mailbox, faults) = (Mailbox::new(), MailFaults::default());
        let office = Arc::new(Office { options, tokens, clock, mailbox: mailbox.clone(), faults: faults.clone() });
        let (stop, stopped) = watch::channel(());
        tokio::spawn(accept(listener, office, stopped));
        Ok(Self { address, mailbox, faults, _stop: stop })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    #[must_use]
    pub fn faults(&self) -> MailFaults {
        self.faults.clone()
    }
}

/// Takes connections until the server is dropped, which ends those that are open too.
async fn accept(listener: TcpListener, office: Arc<Office>, mut stopped: watch::Receiver<()>) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        // A connection that was gone before it was taken is no reason to stop; a lack of descriptors may pass.
        let Ok((stream, _)) = stream else {
            Clock::System.sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (office, mut stopped) = (office.clone(), stopped.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = converse(stream, &office) => {}
                _ = stopped.changed() => {}
            }
        });
    }
}

async fn converse(stream: TcpStream, office: &Office) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = prompt::Prompt(stream);
    match &office.options.tls {
        MailTls::Implicit(config) => {
            let stream = TlsAcceptor::from(config.clone()).accept(stream).await?;
            session::run(stream, office, session::Link::Encrypted).await?;
        }
        MailTls::StartTls(config) => {
            if let Some(stream) = session::run(stream, office, session::Link::Upgradable).await? {
                let stream = TlsAcceptor::from(config.clone()).accept(stream).await?;
                session::run(stream, office, session::Link::Upgraded).await?;
            }
        }
        MailTls::None => {
            session::run(stream, office, session::Link::Plain).await?;
        }
    }
    Ok(())
}
