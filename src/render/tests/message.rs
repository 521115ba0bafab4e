//! The bytes of a message: its headers, its encodings, and what cannot stand in one.

use super::*;
use mail_parser::{HeaderName, MessageParser, MimeHeaders};

const ID: &str = "<digest-20261121-1@example.ca>";

fn raw(letter: &Letter, notices: &[Notice]) -> String {
    let notices: Vec<_> = notices.iter().collect();
    String::from_utf8(compose(&stationery(), &ccaas(), letter, ID, now(), &notices).unwrap()).unwrap()
}

/// The logical headers, unfolded.
fn headers(raw: &str) -> Vec<(String, String)> {
    let head = raw.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    head.split("\r\n").map(|line| line.split_once(": ").unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn all<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
}

#[test]
fn a_message_has_the_headers_that_the_contract_lists() {
    let notices = of_each_kind();
    let raw = raw(&digest_of(&notices), &notices);
    let headers = headers(&raw);
    for (name, value) in [
        ("From", "\"Expiry Watch\" <expiry-watch@example.ca>"),
        ("To", "ccaas-ops@example.ca"),
        ("Message-ID", ID),
        ("Date", "Sat, 21 Nov 2026 16:00:00 +0000"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "multipart/alternative; boundary=\"expiry-watch-digest202611211\""),
    ] {
        assert_eq!(all(&headers, name), [value], "{name}");
    }
    let told = all(&headers, "X-Expiry-Watch-Notice");
    assert_eq!(told.len(), NoticeKind::ALL.len());
    assert_eq!(told[0], format!("expired; credential=entra:application:{OBJECT}:{KEY}; threshold=expired"));
    assert!(told.contains(&"source_stale; credential=source:entra; threshold=stale"));
    assert!(told.contains(&&*format!("expiring; credential=entra:application:{OBJECT}:{KEY}; threshold=7d")));
}

#[test]
fn the_same_inputs_make_the_same_bytes() {
    let notices = of_each_kind();
    assert_eq!(raw(&digest_of(&notices), &notices), raw(&digest_of(&notices), &notices));
}

#[test]
fn every_line_is_short_plain_and_ends_in_both_characters() {
    let notices = of_each_kind();
    let raw = raw(&digest_of(&notices), &notices);
    assert!(raw.is_ascii());
    assert!(raw.split("\r\n").all(|line| line.len() < 998 && !line.contains(['\r', '\n'])));
}

#[test]
fn a_notice_that_two_teams_of_an_address_get_has_one_header() {
    let first = notice(NoticeKind::Expiring);
    let mut second = first.clone();
    second.key.team = TeamId::new("idim");
    let notices = [first, second];
    assert_eq!(all(&headers(&raw(&digest_of(&notices), &notices)), "X-Expiry-Watch-Notice").len(), 1);
}

#[test]
fn a_summary_carries_no_notice() {
    let letter = crate::render::summary(&stationery(), &ccaas(), &Summary::default(), now());
    assert!(!raw(&letter, &[]).contains("X-Expiry-Watch-Notice"));
}

#[test]
fn more_notices_than_a_head_may_hold_are_counted() {
    let notices = many(2_000);
    let raw = raw(&digest_of(&notices), &notices);
    let headers = headers(&raw);
    let told = all(&headers, "X-Expiry-Watch-Notice").len();
    assert!(told > 1_000 && raw.split("\r\n\r\n").next().unwrap().len() < 256_000);
    assert_eq!(all(&headers, "X-Expiry-Watch-Notices-Left-Out"), [(2_000 - told).to_string()]);
}

#[test]
fn what_cannot_stand_in_a_message_is_refused() {
    let letter = digest_of(&[]);
    for id in ["", "no-brackets@x", "<no-at>", "<a@b>\r\nBcc: x@y", "<a b@c>", "<@x>", "<a@>", "<é@x>"] {
        let error = compose(&stationery(), &ccaas(), &letter, id, now(), &[]).unwrap_err();
        assert!(matches!(error, ComposeError::MessageId(_)) && !error.to_string().contains('\n'), "{id}");
    }
    for date in [Timestamp::MIN, Timestamp::MAX] {
        let error = compose(&stationery(), &ccaas(), &letter, ID, date, &[]).unwrap_err();
        assert!(matches!(error, ComposeError::Date(_)));
    }
}

/// Values that a careless encoder gets wrong, read back by a parser of other hands.
#[test]
fn odd_subjects_names_and_ids_read_back_exactly() {
    let odd = [
        "plain",
        "Zertifikat für Müller",
        "=?utf-8?q?hidden=0D=0ABcc:?=",
        "a; threshold=1d; credential=b",
        "two  blanks and \"quotes\" <x@y>",
        "日本語のとても長い名前がここにありますそしてまだ続きますさらに続きますもっともっと続きます",
        "🔑 key =?x?",
        &"long ".repeat(60),
    ];
    for text in odd {
        let text = text.trim();
        let name = Text::clean(text);
        let mut notice = notice(NoticeKind::Expiring);
        notice.key.credential = CredentialId::declared("by_hand", text, text);
        let letter = Letter { subject: text.to_owned(), ..digest_of(&[]) };
        let stationery = Stationery { from_name: &name, ..stationery() };
        let raw = compose(&stationery, &ccaas(), &letter, ID, now(), &[&notice]).unwrap();
        assert!(raw.is_ascii());
        let told = format!("expiring; credential=declared:by_hand:{text}/{text}; threshold=7d");
        let [subject, notice, sender] = read_back(&raw);
        assert_eq!((subject.as_str(), notice.as_str()), (text, told.as_str()));
        // The sender's name is the operator's own, who may well write an encoded word.
        assert!(text.contains("=?") || sender == name.as_str(), "{sender}");
    }
}

/// Subject, notice and the sender's display name, as a mail program reads them.
fn read_back(raw: &[u8]) -> [String; 3] {
    let parser = MessageParser::new().with_mime_headers().with_message_ids().default_header_text();
    let parser = parser.header_address(HeaderName::From);
    let message = parser.parse(raw).unwrap();
    let types: Vec<_> =
        message.parts.iter().filter_map(|part| part.content_type()?.subtype().map(str::to_owned)).collect();
    assert_eq!(types, ["alternative", "plain", "html"]);
    let text = |name: &str| message.header(name).and_then(|value| value.as_text()).unwrap_or_default().to_owned();
    let sender = message.from().and_then(|from| from.first()).and_then(|from| from.name()).unwrap_or_default();
    [text("Subject"), text("X-Expiry-Watch-Notice"), sender.to_owned()]
}
