//! One SMTP dialogue (RFC 5321, with STARTTLS of RFC 3207 and AUTH of RFC 4954), from the server's side.
//!
//! Strict where a real server is: order of commands, lengths, line ends. Refuses to know where messages go.

use super::faults::{MailFault, Moment};
use super::{Message, Office};
use mail_parser::decoders::base64::base64_decode;
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// The longest command line and the longest line of a message, in bytes with the line end (RFC 5321, 4.5.3.1). Commands get
/// room for the arguments of AUTH.
const LONGEST_COMMAND: usize = 12_288;
const LONGEST_LINE: usize = 1000;
const MOST_RECIPIENTS: usize = 100;
const MOST_MISTAKES: usize = 20;

/// What the connection is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Plain,
    /// Plain so far; STARTTLS is offered.
    Upgradable,
    /// Encrypted after STARTTLS: no second greeting.
    Upgraded,
    Encrypted,
}

impl Link {
    fn is_encrypted(self) -> bool {
        matches!(self, Self::Upgraded | Self::Encrypted)
    }
}

/// How the dialogue goes on after a command.
enum Step {
    Reply(String),
    Upgrade,
    Close(String),
    HangUp,
    Stall,
}

fn reply(text: &str) -> Step {
    Step::Reply(text.to_owned())
}

/// Talks until the client leaves; gives the connection back when the client asked for TLS.
pub(super) async fn run<S>(stream: S, office: &Office, link: Link) -> io::Result<Option<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut session = Session::new(BufReader::new(stream), office, link);
    if link != Link::Upgraded {
        match office.faults.connected() {
            Some(MailFault::Greeting(text)) => return session.say(&text).await.map(|()| None),
            Some(_) => std::future::pending().await,
            None => session.say("220 mail.simulated.example ESMTP at your service").await?,
        }
    }
    let mut mistakes = 0;
    while mistakes < MOST_MISTAKES {
        let Some(line) = read_line(&mut session.stream, LONGEST_COMMAND).await? else { return Ok(None) };
        let step = match line {
            Line::Whole(line) => session.obey(&line).await?,
            Line::TooLong => reply("500 5.5.2 line too long"),
        };
        match step {
            Step::Reply(text) => {
                mistakes += usize::from(text.starts_with('5'));
                session.say(&text).await?;
            }
            Step::Upgrade => {
                session.say("220 2.0.0 go ahead").await?;
                // Whatever came in clear after STARTTLS is thrown away with the buffer (RFC 3207, 4.2).
                return Ok(Some(session.stream.into_inner()));
            }
            Step::Close(text) => return session.say(&text).await.map(|()| None),
            Step::HangUp => return Ok(None),
            Step::Stall => std::future::pending().await,
        }
    }
    session.say("421 4.7.0 too many mistakes").await?;
    Ok(None)
}

struct Session<'a, S> {
    stream: BufReader<S>,
    office: &'a Office,
    link: Link,
    greeted: bool,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(stream: BufReader<S>, office: &'a Office, link: Link) -> Self {
        Self { stream, office, link, greeted: false, user: None, from: None, to: Vec::new() }
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn obey(&mut self, line: &[u8]) -> io::Result<Step> {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        Ok(match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" if rest.is_empty() => reply("501 5.5.4 who are you?"),
            "EHLO" => self.greet(true),
            "HELO" => self.greet(false),
            "NOOP" => reply("250 2.0.0 nothing done"),
            "RSET" => {
                self.forget();
                reply("250 2.0.0 forgotten")
            }
            "QUIT" => Step::Close("221 2.0.0 goodbye".to_owned()),
            "STARTTLS" if self.link == Link::Upgradable => Step::Upgrade,
            "STARTTLS" => reply("502 5.5.1 not offered"),
            _ if !self.greeted => reply("503 5.5.1 say EHLO first"),
            "AUTH" => self.authenticate(rest).await?,
            "MAIL" => self.sender(rest),
            "RCPT" => self.recipient(rest),
            "DATA" if self.to.is_empty() => reply("503 5.5.1 no recipient"),
            "DATA" => self.data().await?,
            _ => reply("500 5.5.2 unknown command"),
        })
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn greet(&mut self, extended: bool) -> Step {
        self.greeted = true;
        self.forget();
        if !extended {
            return reply("250 mail.simulated.example");
        }
        let mut lines = vec!["mail.simulated.example".to_owned(), format!("SIZE {}", self.office.options.largest)];
        if self.link == Link::Upgradable {
            lines.push("STARTTLS".to_owned());
        }
        if self.office.options.wants_login() {
            lines.push(format!("AUTH {}", self.office.options.mechanisms()));
        }
        lines.extend(["8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"].map(str::to_owned));
        let last = lines.pop().unwrap_or_default();
        Step::Reply(lines.iter().map(|line| format!("250-{line}\r\n")).collect::<String>() + "250 " + &last)
    }

    async fn authenticate(&mut self, rest: &str) -> io::Result<Step> {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let mechanism = mechanism.to_ascii_uppercase();
        if !self.office.options.mechanisms().split(' ').any(|offered| offered == mechanism) || mechanism.is_empty() {
            return Ok(reply("504 5.5.4 mechanism not offered"));
        }
        let first = match (mechanism.as_str(), initial) {
            ("LOGIN", "") => self.ask("VXNlcm5hbWU6").await?,
            (_, "") => self.ask("").await?,
            _ => decode(initial),
        };
        if let Some(MailFault::SignIn(text)) = self.office.faults.strike(Moment::SignIn) {
            return Ok(Step::Reply(text));
        }
        let options = &self.office.options;
        let given = match mechanism.as_str() {
            "PLAIN" => between(&first, "\0", "\0").filter(|given| Some(given) == options.login.as_ref()),
            "LOGIN" => {
                let given = (first, self.ask("UGFzc3dvcmQ6").await?);
                Some(given).filter(|given| Some(given) == options.login.as_ref())
            }
            _ => bearer(&first).filter(|given| self.office.lets_in(given)),
        };
        if let Some((user, _)) = given {
            self.user = Some(user);
            return Ok(reply("235 2.7.0 welcome"));
        }
        if mechanism == "XOAUTH2" {
            // The refusal comes as a challenge (base64 of {"status":"401"}), which the client has to answer with nothing.
            self.ask("eyJzdGF0dXMiOiI0MDEifQ==").await?;
        }
        Ok(reply("535 5.7.8 authentication credentials invalid"))
    }

    /// Puts a question of AUTH and reads the answer; what cannot be decoded is an empty one.
    async fn ask(&mut self, challenge: &str) -> io::Result<String> {
        self.say(&format!("334 {challenge}")).await?;
        Ok(match read_line(&mut self.stream, LONGEST_COMMAND).await? {
            Some(Line::Whole(line)) => decode(String::from_utf8_lossy(&line).trim_end()),
            _ => String::new(),
        })
    }

    fn sender(&mut self, rest: &str) -> Step {
        if self.office.options.wants_login() && self.user.is_none() {
            return reply("530 5.7.0 authentication required");
        }
        if self.from.is_some() {
            return reply("503 5.5.1 one sender is enough");
        }
        let Some((address, parameters)) = path(rest, "FROM:") else { return reply("501 5.5.4 MAIL FROM:<address>") };
        let announced = parameters.split(' ').find_map(|parameter| parameter.strip_prefix("SIZE="));
        if announced.and_then(|size| size.parse().ok()).is_some_and(|size: usize| size > self.office.options.largest) {
            return reply("552 5.3.4 message too large");
        }
        if let Some(MailFault::Sender(text)) = self.office.faults.strike(Moment::Sender) {
            return Step::Reply(text);
        }
        self.from = Some(address);
        reply("250 2.1.0 sender taken")
    }

    fn recipient(&mut self, rest: &str) -> Step {
        if self.from.is_none() {
            return reply("503 5.5.1 no sender");
        }
        let Some((address, _)) = path(rest, "TO:").filter(|(address, _)| address.contains('@')) else {
            return reply("501 5.1.3 RCPT TO:<address>");
        };
        if let Some(text) = self.office.faults.for_recipient(&address) {
            return Step::Reply(text);
        }
        if self.to.len() == MOST_RECIPIENTS {
            return reply("452 4.5.3 too many recipients");
        }
        self.to.push(address);
        reply("250 2.1.5 recipient taken")
    }

    async fn data(&mut self) -> io::Result<Step> {
        self.say("354 go on, end with a dot on a line of its own").await?;
        let taken = match read_message(&mut self.stream, self.office.options.largest).await? {
            None => return Ok(Step::HangUp),
            Some(taken) => taken,
        };
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        let raw = match taken {
            Ok(raw) => raw,
            Err(refusal) => return Ok(reply(refusal)),
        };
        let fault = self.office.faults.strike(Moment::Data);
        if !matches!(fault, Some(MailFault::Reply(_) | MailFault::DropLost)) {
            let at = self.office.clock.now();
            let (encrypted, user) = (self.link.is_encrypted(), self.user.clone());
            self.office.mailbox.keep(Message { number: 0, at, from, to, raw: raw.into(), encrypted, user });
        }
        Ok(match fault {
            Some(MailFault::Reply(text)) => Step::Reply(text),
            Some(MailFault::DropKept | MailFault::DropLost) => Step::HangUp,
            Some(MailFault::StallKept) => Step::Stall,
            _ => reply("250 2.0.0 message kept"),
        })
    }
}

/// `FROM:<address> PARAMETERS`, taken apart.
fn path(rest: &str, keyword: &str) -> Option<(String, String)> {
    let prefix = rest.get(..keyword.len()).filter(|prefix| prefix.eq_ignore_ascii_case(keyword))?;
    let (address, parameters) = rest[prefix.len()..].trim_start().strip_prefix('<')?.split_once('>')?;
    Some((address.to_owned(), parameters.trim().to_ascii_uppercase()))
}

/// The two texts behind the first separator, parted by the second.
fn between(text: &str, first: &str, second: &str) -> Option<(String, String)> {
    let (user, password) = text.split_once(first)?.1.split_once(second)?;
    Some((user.to_owned(), password.to_owned()))
}

/// User and token of XOAUTH2: `user=U^Aauth=Bearer T^A^A`.
fn bearer(text: &str) -> Option<(String, String)> {
    between(text.strip_suffix("\u{1}\u{1}")?, "user=", "\u{1}auth=Bearer ")
}

fn decode(encoded: &str) -> String {
    let bytes = base64_decode(encoded.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

enum Line {
    /// With its line end.
    Whole(Vec<u8>),
    TooLong,
}

/// The next line, of which never more than `longest` bytes are kept; `None` at the end of the connection.
async fn read_line(stream: &mut (impl AsyncBufRead + Unpin), longest: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let room = u64::try_from(longest - line.len() + 1).unwrap_or(u64::MAX);
        if (&mut *stream).take(room).read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        if line.ends_with(b"\n") && line.len() <= longest {
            return Ok(Some(if too_long { Line::TooLong } else { Line::Whole(line) }));
        }
        if line.len() > longest {
            let ended = line.ends_with(b"\n");
            too_long = true;
            line.clear();
            if ended {
                return Ok(Some(Line::TooLong));
            }
        }
    }
}

/// The message up to the final dot, or the reply that refuses it; `None` when the client leaves before.
async fn read_message(
    stream: &mut (impl AsyncBufRead + Unpin),
    largest: usize,
) -> io::Result<Option<Result<Vec<u8>, &'static str>>> {
    let mut message = Vec::new();
    let mut refusal = None;
    loop {
        match read_line(stream, LONGEST_LINE).await? {
            None => return Ok(None),
            Some(Line::TooLong) => refusal = Some("500 5.6.0 line too long"),
            Some(Line::Whole(line)) if line == b".\r\n" => return Ok(Some(refusal.map_or(Ok(message), Err))),
            Some(Line::Whole(line)) if !line.ends_with(b"\r\n") => refusal = Some("550 5.6.0 bare line feed"),
            Some(Line::Whole(line)) if message.len() + line.len() > largest => {
                refusal = Some("552 5.3.4 message too large");
            }
            Some(Line::Whole(line)) => message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line)),
        }
    }
}
