//! What a server's answer means for the message, for the address, and for all mail (RFC 5321 section 4.2, RFC 3463).

use super::super::SendError;
use crate::config::Secret;
use crate::domain::Text;
use lettre::message::Body;
use lettre::message::header::ContentTransferEncoding;
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
    NotAnAddress(Step),
}

impl Answer {
    pub(super) fn into_error(self, server: &str, hidden: Option<&Hidden>) -> SendError {
        match self {
            Self::Silence(limit) => SendError::Deferred(format!("{server} did not finish within {limit:?}")),
            Self::NoStartTls => SendError::Paused(format!(
                "{server} offers no STARTTLS; nothing was sent in the clear. Set mail.transport.tls to what the server speaks"
            )),
            Self::NotAnAddress(step) => {
                SendError::Rejected(format!("{}: the address cannot be written in SMTP", step.spoken()))
            }
            Self::Error(step, error) => {
                let line = format!("{server}, {}: {}", step.spoken(), said(&error, hidden));
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
            // Policy, but about this address or message: perhaps all of them, which somebody must mend, perhaps one. Neither may
            // this one stop the others, nor may all be given up for good.
            _ if enhanced_code_is_policy(error) => Meaning::Later,
            _ => Meaning::Never,
        };
    }
    // Without a code: a broken connection or answer, and then it is not known whether a message arrived; or a client's error, which
    // is lettre saying that it knows no way to sign in here (a refused XOAUTH2 comes as one, too).
    if is_certificate(error) || (error.is_client() && step.is_before_recipient()) {
        Meaning::NoMail
    } else {
        Meaning::Later
    }
}

/// Class 5, subject 7: security and policy. It stands only in the text.
fn enhanced_code_is_policy(error: &Error) -> bool {
    error.source().is_some_and(|text| text.to_string().trim_start().starts_with("5.7."))
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
fn said(error: &Error, hidden: Option<&Hidden>) -> String {
    let mut text = error.to_string();
    if let Some(hidden) = hidden {
        text = hidden.strike(&text);
    }
    let words: Vec<&str> =
        text.split_whitespace().map(|word| if word.contains('@') { "[address]" } else { word }).collect();
    Text::clean(&words.join(" ")).to_string()
}

/// The forms in which a server could repeat a password.
pub(super) struct Hidden(Vec<String>);

impl Hidden {
    pub(super) fn new(username: &str, password: &Secret) -> Self {
        let password = password.expose();
        let plain = format!("\0{username}\0{password}");
        Self(vec![base64(&plain), base64(password), base64(username), password.to_owned()])
    }

    fn strike(&self, text: &str) -> String {
        self.0.iter().filter(|form| !form.is_empty()).fold(text.to_owned(), |text, form| text.replace(form, "[hidden]"))
    }
}

fn base64(value: &str) -> String {
    // Base64 takes any octets, so lettre always answers. It breaks lines as MIME does; SMTP does not.
    Body::new_with_encoding(value.as_bytes().to_vec(), ContentTransferEncoding::Base64)
        .map(|body| String::from_utf8_lossy(body.as_ref()).replace("\r\n", ""))
        .unwrap_or_default()
}
