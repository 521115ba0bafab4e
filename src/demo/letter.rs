//! What a person would see of a kept message: its headers, subject, text and HTML, decoded.

use super::mail::Message;
use mail_parser::{HeaderName, HeaderValue, MessageParser, MimeHeaders, PartType};

/// The longest text shown of any part or header, in characters.
const LONGEST: usize = 1 << 20;

/// A message, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// Name and decoded value, in the order in which they stand.
    pub headers: Vec<(String, String)>,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
    /// The calendar part, where there is one.
    pub calendar: Option<String>,
}

impl Message {
    /// Reads the message. What cannot be read stays empty.
    #[must_use]
    pub fn read(&self) -> Letter {
        let Some(parsed) = MessageParser::default().parse(&self.raw[..]) else { return Letter::default() };
        let body_of = |wanted: &str| {
            let has_type = |part: &&mail_parser::MessagePart<'_>| media_type(part).eq_ignore_ascii_case(wanted);
            parsed.parts.iter().find(has_type).and_then(text_of)
        };
        let decoded = parsed.headers().iter().map(|header| {
            let raw = self.raw.get(header.offset_start as usize..header.offset_end as usize).unwrap_or_default();
            (header.name().to_owned(), shorten(&spoken(&header.name, &header.value, raw)))
        });
        Letter {
            headers: decoded.collect(),
            subject: shorten(parsed.subject().unwrap_or_default()),
            text: body_of("text/plain"),
            html: body_of("text/html"),
            calendar: body_of("text/calendar"),
        }
    }
}

impl Letter {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// Every header of that name, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// A part without a type is plain text (RFC 2045, 5.2).
fn media_type(part: &mail_parser::MessagePart<'_>) -> String {
    match part.content_type() {
        Some(content) => format!("{}/{}", content.ctype(), content.subtype().unwrap_or_default()),
        None if matches!(part.body, PartType::Text(_)) => "text/plain".to_owned(),
        None => String::new(),
    }
}

fn text_of(part: &mail_parser::MessagePart<'_>) -> Option<String> {
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => Some(shorten(text)),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Some(shorten(&String::from_utf8_lossy(bytes))),
        PartType::Message(_) | PartType::Multipart(_) => None,
    }
}

/// A header's value as people read it; where it has structure, such as an id's brackets, as it was written.
fn spoken(name: &HeaderName<'_>, value: &HeaderValue<'_>, raw: &[u8]) -> String {
    use HeaderName::{ContentId, InReplyTo, MessageId, References};
    match value {
        HeaderValue::Text(text) if !matches!(name, MessageId | InReplyTo | References | ContentId) => text.to_string(),
        HeaderValue::Address(addresses) => {
            let one = |address: &mail_parser::Addr<'_>| match (address.name(), address.address()) {
                (Some(name), Some(at)) => format!("{name} <{at}>"),
                (name, at) => at.or(name).unwrap_or_default().to_owned(),
            };
            addresses.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        _ => String::from_utf8_lossy(raw).split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
