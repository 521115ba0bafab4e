//! Distinguished names and alternative names as text.

use crate::domain::Text;
use std::borrow::Cow;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use x509_parser::asn1_rs::Tag;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::oid_registry::OID_X509_COMMON_NAME;
use x509_parser::prelude::{AttributeTypeAndValue, GeneralName, X509Name};

/// The most parts shown of one name.
const MOST_PARTS: usize = 32;

/// In the order of RFC 4514: reversed, so that the common name leads.
pub(super) fn text(name: &X509Name<'_>) -> Text {
    let parts: Vec<_> = name.iter_rdn().take(MOST_PARTS).collect();
    let mut text = String::new();
    for part in parts.into_iter().rev() {
        let mut joint = if text.is_empty() { "" } else { "," };
        for attribute in part.iter().take(MOST_PARTS) {
            let kind = attribute.attr_type();
            let kind = oid2abbrev(kind, oid_registry()).map_or_else(|_| kind.to_id_string(), str::to_owned);
            // Writing into a string cannot fail.
            let _ = write!(text, "{joint}{kind}={}", escaped(&value(attribute)));
            joint = "+";
        }
    }
    Text::clean(&text)
}

/// The last common name, which is the most specific one.
pub(super) fn common(name: &X509Name<'_>) -> Option<Text> {
    let attribute = name.iter_attributes().filter(|a| *a.attr_type() == OID_X509_COMMON_NAME).last()?;
    Some(Text::clean(&value(attribute))).filter(|text| !text.is_empty())
}

/// The host that an alternative name is for, if it is for one.
pub(super) fn host(name: &GeneralName<'_>) -> Option<Text> {
    let host = match name {
        GeneralName::DNSName(name) => Text::clean(name),
        GeneralName::IPAddress(bytes) => Text::clean(&address(bytes)?),
        _ => return None,
    };
    (!host.is_empty()).then_some(host)
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).to_string())
}

/// Old authorities wrote names in Latin-1 or UTF-16 (RFC 5280, section 4.1.2.4, keeps those types alive).
fn value<'a>(attribute: &'a AttributeTypeAndValue<'_>) -> Cow<'a, str> {
    let bytes = attribute.as_slice();
    match attribute.attr_value().tag() {
        Tag::BmpString => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        Tag::T61String => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        },
        _ => String::from_utf8_lossy(bytes),
    }
}

/// RFC 4514, section 2.4.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}
