//! What a server's answer means for the message, for the address, and for all mail (RFC 5321 section 4.2, RFC 3463).

use super::super::SendError;
use crate::domain::Text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::Error;
use std::error::Error as _;
use std::time::Duration;

/// How far the conversation had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Connection,
    Login,
    Sender,
    Recipient,
    Message,
}

impl Step {
    fn spoken(self) -> &'static str {
        match self {
            Self::Connection => "connecting",
            Self::Login => "signing in",
            Self::Sender => "naming the sender",
            Self::Recipient => "naming the recipient",
            Self::Message => "handing over the message",
        }
    }

    /// Whether a refusal here concerns every message alike: nothing that is special to this one has been said yet.
    fn is_before_recipient(self) -> bool {
        matches!(self, Self::Connection | Self::Login | Self::Sender)
    }
}

/// Why the conversation did not end well.
pub(super) enum Answer {
    Error(Step, Error),
    /// Nothing was heard within the time allowed.
    Silence(Duration),
    NoStartTls,
    NoXoauth2,
    /// A token was refused with a challenge (334), and no more was said.
    Challenged,
    /// There is no token to sign in with.
    NoToken(SendError),
    NotAnAddress(Step),
}

impl Answer {
    /// Whether it is what signs in that was refused, so that something else might not be.
    pub(super) fn is_of_the_login(&self) -> bool {
        match self {
            Self::Challenged => true,
            Self::Error(Step::Login, error) => error.status().is_some_and(|code| u16::from(code) >= 500),
            _ => false,
        }
    }

    /// `advice` is what to do about a refused sign-in.
    pub(super) fn into_error(self, server: &str, hidden: &Hidden, advice: &str) -> SendError {
        match self {
            Self::NoToken(error) => error,
            Self::Challenged => SendError::Paused(format!("{server}, signing in: the token is refused (334){advice}")),
            Self::NoXoauth2 => SendError::Paused(format!(
                "{server} offers no XOAUTH2; nothing was sent. Sign in with username and password there, or check mail.transport.host \
                 and tls"
            )),
            Self::Silence(limit) => SendError::Deferred(format!("{server} did not finish within {limit:?}")),
            Self::NoStartTls => SendError::Paused(format!(
                "{server} offers no STARTTLS; nothing was sent in the clear. Set mail.transport.tls to what the server speaks"
            )),
            Self::NotAnAddress(step) => {
                SendError::Rejected(format!("{}: the address cannot be written in SMTP", step.spoken()))
            }
            Self::Error(step, error) => {
                let advice = match step {
                    _ if is_send_as_denied(&error) => {
                        "; the mailbox may not send in the name of mail.from: use the mailbox's own address there, or grant Send As"
                    }
                    _ if is_basic_switched_off(&error) => {
                        "; this server takes no passwords any more: use auth = \"xoauth2\" or type = \"graph\" in mail.transport"
                    }
                    Step::Login if error.status().is_some_and(|code| u16::from(code) >= 500) => advice,
                    _ => "",
                };
                let line = format!("{server}, {}: {}{advice}", step.spoken(), said(&error, hidden));
                match meaning(step, &error) {
                    Meaning::Later => SendError::Deferred(line),
                    Meaning::Never => SendError::Rejected(line),
                    Meaning::NoMail => SendError::Paused(line),
                }
            }
        }
    }
}

enum Meaning {
    Later,
    Never,
    NoMail,
}

fn meaning(step: Step, error: &Error) -> Meaning {
    if let Some(code) = error.status().map(u16::from) {
        let is_authentication = matches!(code, 530 | 534 | 535 | 538);
        return match code {
            // All of them, 450 (greylisting) and 452 too.
            ..500 => Meaning::Later,
            // The server is shutting its door to us, our password or our sender: the next address would fare no better, and to give
            // up on one address after another would be silence for all.
            _ if step.is_before_recipient() || is_authentication => Meaning::NoMail,
            // Exchange says so only when it has the whole message, and will say the same of the next one.
            _ if is_send_as_denied(error) => Meaning::NoMail,
            // Policy, but about this address or message: perhaps all of them, which somebody must mend, perhaps one. Neither may
            // this one stop the others, nor may all be given up for good.
            _ if enhanced_code_is_policy(error) => Meaning::Later,
            _ => Meaning::Never,
        };
    }
    // Without a code: a broken connection or answer, and then it is not known whether a message arrived; or a client's error, which
    // is lettre saying that it knows no way to sign in here.
    if is_certificate(error) || (error.is_client() && step.is_before_recipient()) {
        Meaning::NoMail
    } else {
        Meaning::Later
    }
}

/// Class 5, subject 7: security and policy. It stands only in the text.
fn enhanced_code_is_policy(error: &Error) -> bool {
    enhanced_code(error, "5.7.")
}

/// Exchange's refusal to send in the name of the sender: by its own code, and by the one of older servers.
fn is_send_as_denied(error: &Error) -> bool {
    enhanced_code(error, "5.2.252 ") || enhanced_code(error, "5.7.60 ")
}

/// Exchange's refusal of every user name and password: for the tenant or mailbox, and since the end of basic authentication for all.
fn is_basic_switched_off(error: &Error) -> bool {
    enhanced_code(error, "5.7.30 ")
}

fn enhanced_code(error: &Error, begins: &str) -> bool {
    error.source().is_some_and(|text| format!("{} ", text.to_string().trim()).starts_with(begins))
}

/// Whether the server's certificate was refused. It will be refused until somebody changes it, or the trust anchors.
fn is_certificate(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inside_io = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = inner.downcast_ref().or_else(|| inside_io.and_then(|inside| inside.downcast_ref()));
        if let Some(rustls::Error::InvalidCertificate(_)) = tls {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// One line that may be logged: without what signs in, and without addresses, which servers like to repeat.
fn said(error: &Error, hidden: &Hidden) -> String {
    let text = hidden.strike(&error.to_string());
    let harmless = |word| match word {
        word if str::contains(word, '@') => "[address]",
        // No word is that long; a token is, and so is a part of one.
        word if word.len() > LONGEST_WORD => "[hidden]",
        word => word,
    };
    let words: Vec<&str> = text.split_whitespace().map(harmless).collect();
    Text::clean(&words.join(" ")).to_string()
}

const LONGEST_WORD: usize = 60;

/// The forms in which a server could repeat what signed in.
#[derive(Default)]
pub(super) struct Hidden(Vec<String>);

impl Hidden {
    pub(super) fn password(&mut self, username: &str, password: &str) {
        let plain = format!("\0{username}\0{password}");
        self.0.extend([base64(&plain), base64(password), base64(username), password.to_owned()]);
    }

    pub(super) fn token(&mut self, mailbox: &str, token: &str) {
        let whole = format!("user={mailbox}\x01auth=Bearer {token}\x01\x01");
        self.0.extend([base64(&whole), base64(token), base64(mailbox), token.to_owned()]);
    }

    fn strike(&self, text: &str) -> String {
        self.0.iter().filter(|form| !form.is_empty()).fold(text.to_owned(), |text, form| text.replace(form, "[hidden]"))
    }
}

fn base64(value: &str) -> String {
    STANDARD.encode(value)
}
