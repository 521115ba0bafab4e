//! A letter becomes the bytes of a message (RFC 5322, 2045, 2047). The same inputs always give the same bytes, so a message that is
//! rendered twice is still one message.

use super::calendar::{self, Parties};
use super::{Letter, Stationery, one_line};
use crate::domain::{Address, Invitation, Notice};
use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue, Headers};
use lettre::message::{Body, Mailbox, Message, MessageBuilder, MultiPart, SinglePart};
use std::collections::HashSet;
use std::time::SystemTime;
use thiserror::Error;

const NOTICE: HeaderName = HeaderName::new_from_ascii_str("X-Expiry-Watch-Notice");
const LEFT_OUT: HeaderName = HeaderName::new_from_ascii_str("X-Expiry-Watch-Notices-Left-Out");
const SUBJECT: HeaderName = HeaderName::new_from_ascii_str("Subject");
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");
const SUPPRESS: HeaderName = HeaderName::new_from_ascii_str("X-Auto-Response-Suppress");

/// The most that notices may take of a message's head, in bytes. Exchange refuses a message whose head is larger than 256 KB.
const HEAD: usize = 200_000;

/// What the other headers and the marks between the parts take, at most.
const FRAME: usize = 2_500;

/// The longest line that is written without folding; RFC 5322 allows 998 octets.
const LINE: usize = 900;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum ComposeError {
    #[error("`{0}` is not a Message-ID: it must look like <id@example.ca>")]
    MessageId(String),
    #[error("a mail cannot be dated {0}")]
    Date(Timestamp),
    #[error("the message cannot be built: {0}")]
    Build(String),
}

/// The raw message: text and HTML alternatives, and a header for each of `notices` (none in a summary or a test message).
///
/// # Errors
/// When the Message-ID, the date or an address cannot stand in a message.
pub fn compose(
    stationery: &Stationery,
    to: &Address,
    letter: &Letter,
    message_id: &str,
    date: Timestamp,
    notices: &[&Notice],
) -> Result<Vec<u8>, ComposeError> {
    let local_id = local_part(message_id).ok_or_else(|| ComposeError::MessageId(one_line(message_id)))?;
    let message = head(stationery, to, &letter.subject, message_id, date)?
        .multipart(alternatives(letter, local_id))
        .map_err(|error| ComposeError::Build(error.to_string()))?;
    let mut raw = notice_headers(notices).into_bytes();
    raw.extend(message.formatted());
    Ok(raw)
}

/// The raw message that changes a calendar: text, HTML and the calendar's own part as alternatives of one another, within the frame
/// that Outlook looks for it in.
///
/// # Errors
/// As [`compose`].
pub fn compose_invitation(
    stationery: &Stationery,
    letter: &Letter,
    invitation: &Invitation,
    message_id: &str,
    date: Timestamp,
) -> Result<Vec<u8>, ComposeError> {
    let local_id = local_part(message_id).ok_or_else(|| ComposeError::MessageId(one_line(message_id)))?;
    let media_type = format!("text/calendar; charset=utf-8; method={}", calendar::method(invitation));
    let media_type = ContentType::parse(&media_type).map_err(|error| ComposeError::Build(error.to_string()))?;
    let parties = Parties { from_name: stationery.from_name.as_str(), from: stationery.from };
    let part = calendar::invitation(invitation, &parties, stationery.zone);
    let alternatives = alternatives(letter, local_id).singlepart(SinglePart::builder().header(media_type).body(part));
    let frame = MultiPart::mixed().boundary(boundary("mixed", local_id)).multipart(alternatives);
    let message = head(stationery, &invitation.entry.address, &letter.subject, message_id, date)?.multipart(frame);
    Ok(message.map_err(|error| ComposeError::Build(error.to_string()))?.formatted())
}

/// What every message has at its head.
fn head(
    stationery: &Stationery,
    to: &Address,
    subject: &str,
    message_id: &str,
    date: Timestamp,
) -> Result<MessageBuilder, ComposeError> {
    let message = Message::builder()
        .from(mailbox(stationery.from_name.as_str(), stationery.from)?)
        .to(mailbox("", to)?)
        .date(mail_date(date)?)
        .message_id(Some(message_id.to_owned()))
        .raw_header(header(SUBJECT, &one_line(subject)))
        .raw_header(header(AUTO_SUBMITTED, "auto-generated"))
        .raw_header(header(SUPPRESS, "All"));
    Ok(match stationery.reply_to {
        Some(reply_to) => message.reply_to(mailbox("", reply_to)?),
        None => message,
    })
}

fn alternatives(letter: &Letter, local_id: &str) -> MultiPart {
    MultiPart::alternative()
        .boundary(boundary("watch", local_id))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.text.clone()))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(letter.html.clone()))
}

/// How many bytes this letter takes in a message, encoded as it will be.
pub(super) fn weight(letter: &Letter) -> usize {
    let part = |text: &str| Body::new(text.to_owned()).as_ref().len();
    part(&letter.text) + part(&letter.html) + 3 * letter.subject.len()
}

/// How many bytes the notices' headers and all others take.
pub(super) fn head_weight(notices: &[&Notice]) -> usize {
    notice_headers(notices).len() + FRAME
}

/// What stands before the `@` of `<local@domain>`; `None` for anything that is not of that shape.
fn local_part(message_id: &str) -> Option<&str> {
    let (local, domain) = message_id.strip_prefix('<')?.strip_suffix('>')?.split_once('@')?;
    let is_plain =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && !b"<>@\"".contains(&b));
    (is_plain(local) && is_plain(domain) && message_id.len() < 250).then_some(local)
}

/// Lettre's date panics on what has no four-digit year after 1970.
fn mail_date(date: Timestamp) -> Result<SystemTime, ComposeError> {
    let end_of_9998 = 253_370_764_799;
    if (0..=end_of_9998).contains(&date.as_second()) { Ok(date.into()) } else { Err(ComposeError::Date(date)) }
}

fn mailbox(name: &str, address: &Address) -> Result<Mailbox, ComposeError> {
    let parsed = address.as_str().parse().map_err(|_| ComposeError::Build(format!("`{address}` is not an address")))?;
    // Lettre panics on a line break in a name.
    let name = Some(one_line(name)).filter(|name| !name.is_empty());
    Ok(Mailbox::new(name, parsed))
}

/// Derived from the Message-ID, which whoever chose a name that stands in the letter could not know.
/// `of` tells the frame from what is within: neither boundary begins with the other.
fn boundary(of: &str, local_id: &str) -> String {
    let id: String = local_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("expiry-{of}-{id}")
}

/// `<kind>; credential=<id>; threshold=<t>`, one line for each notice, the most urgent first. The id may hold anything, a semicolon
/// too: read it from after the first `credential=` to before the last `; threshold=`.
fn notice_headers(notices: &[&Notice]) -> String {
    let mut sorted = notices.to_vec();
    sorted.sort_by_key(|notice| (notice.rank(), &notice.key));
    let mut seen = HashSet::new();
    let mut lines = String::new();
    let mut left_out = 0;
    for notice in sorted {
        let key = &notice.key;
        let value = one_line(&format!("{}; credential={}; threshold={}", key.kind, key.credential, key.step));
        if !seen.insert(value.clone()) {
            continue; // Owed to two teams of this address, told once.
        }
        let line = lone_header(NOTICE, &value);
        if lines.len() + line.len() > HEAD {
            left_out += 1;
        } else {
            lines.push_str(&line);
        }
    }
    if left_out > 0 {
        lines.push_str(&lone_header(LEFT_OUT, &left_out.to_string()));
    }
    lines
}

/// Lettre's set of headers keeps one of each name, so each is written on its own.
fn lone_header(name: HeaderName, value: &str) -> String {
    let mut headers = Headers::new();
    headers.insert_raw(machine_header(name, value));
    headers.to_string()
}

/// For mail rules and programs: what is plain and short enough stays on one line, so that a rule which looks for
/// `credential=...; threshold=7d` in the head finds it, folded or not.
fn machine_header(name: HeaderName, value: &str) -> HeaderValue {
    if value.len() < LINE && is_plain(value) {
        return HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned());
    }
    header(name, value)
}

fn header(name: HeaderName, value: &str) -> HeaderValue {
    if value.len() < LINE && !value.contains("=?") {
        return HeaderValue::new(name, value.to_owned());
    }
    HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), encoded_words(value))
}

fn is_plain(value: &str) -> bool {
    value.bytes().all(|b| (b' '..=b'~').contains(&b)) && !value.contains("=?")
}

/// The whole value in encoded words (RFC 2047). Lettre encodes only what is not ASCII; a name that itself looks like an encoded word
/// would be decoded by its reader into whatever its author hid in it.
fn encoded_words(value: &str) -> String {
    let mut words = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        // 39 octets become 52 characters; with the frame that is below the 75 that a word may have.
        let cut = rest.floor_char_boundary(39);
        let (chunk, remaining) = rest.split_at(cut);
        words.push(format!("=?utf-8?b?{}?=", base64(chunk)));
        rest = remaining;
    }
    words.join("\r\n ")
}

fn base64(chunk: &str) -> String {
    // Base64 takes any octets, so lettre always answers; short as the chunk is, it puts no line break into it.
    Body::new_with_encoding(chunk.as_bytes().to_vec(), ContentTransferEncoding::Base64)
        .map(|body| String::from_utf8_lossy(body.as_ref()).into_owned())
        .unwrap_or_default()
}
