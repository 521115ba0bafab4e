//! What identifies a certificate, wherever it is met: at the authority, on the wire, in a file.

use super::Text;
use jiff::Timestamp;
use std::fmt;

/// A serial number (RFC 5280, 4.1.2.2), compared as a number: however many leading zeros, colons or cases it was written with.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(Box<[u8]>);

impl Serial {
    /// The longest that is kept, in bytes. RFC 5280 allows 20; 26 have been seen.
    const LONGEST: usize = 64;

    /// From the octets of the DER integer, whose first may only be there to say that the number is not negative.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // Of an oversized one the last bytes: they are what differs between an authority's certificates.
        let kept = &bytes[bytes.len().saturating_sub(Self::LONGEST)..];
        let zeros = kept.iter().take_while(|byte| **byte == 0).count();
        Self(kept[zeros.min(kept.len().saturating_sub(1))..].into())
    }

    /// As an authority writes it: hexadecimal in either case, with or without separators, a leading `0x` or leading zeros. `None`
    /// where it is not one.
    #[must_use]
    pub fn parse(written: &str) -> Option<Self> {
        let written = written.trim();
        let written = written.strip_prefix("0x").or_else(|| written.strip_prefix("0X")).unwrap_or(written);
        let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let most = 4 * Self::LONGEST;
        let digits = written.chars().filter(|c| !matches!(c, ':' | '-' | ' ')).take(most + 1).map(digit);
        let digits = digits.collect::<Option<Vec<u8>>>().filter(|digits| (1..=most).contains(&digits.len()))?;
        let (odd, pairs) = digits.split_at(digits.len() % 2);
        let bytes: Vec<u8> =
            odd.iter().copied().chain(pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1])).collect();
        Some(Self::from_bytes(&bytes))
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A certificate's identity and the names it covers. Never a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct X509 {
    pub serial: Serial,
    /// The issuer's distinguished name as its source spells it; only compared within a source's own spelling.
    pub issuer: Option<Text>,
    /// SHA-1 over the DER, which is what authorities and stores call its thumbprint.
    pub sha1: Option<[u8; 20]>,
    /// DNS names and addresses it covers, lower case; `*.` stands for one label.
    pub names: Box<[Text]>,
    /// How far the order that it was issued under is paid for, where an authority says. Until then a reissue renews it, afterwards it
    /// takes a purchase; it is never the certificate's own end.
    pub paid_until: Option<Timestamp>,
}

impl X509 {
    /// Whether both are one certificate: by thumbprint where both have one, else by serial and issuer. An issuer that only one side
    /// knows does not part them where the serial is long enough to be random (64 bits, CA/B baseline requirements 7.1).
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        if let (Some(a), Some(b)) = (&self.sha1, &other.sha1) {
            return a == b;
        }
        let issuers_agree = match (&self.issuer, &other.issuer) {
            (Some(a), Some(b)) => a == b,
            _ => self.serial.as_bytes().len() >= 8,
        };
        self.serial == other.serial && issuers_agree
    }

    /// Whether a client that asks for `name` would accept it by name (RFC 6125: a wildcard stands for the whole leftmost label).
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.names.iter().any(|pattern| match pattern.as_str().strip_prefix("*.") {
            Some(parent) => {
                name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent))
            }
            None => pattern.as_str().eq_ignore_ascii_case(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_the_same_however_it_is_written() {
        let serial = Serial::parse("0A1B2C").unwrap();
        for written in ["a1b2c", "0a:1b:2c", "00:0A:1B:2C", "0x0A1B2C", " 0A 1B 2C "] {
            assert_eq!(Serial::parse(written).unwrap(), serial, "{written}");
        }
        assert_eq!(Serial::from_bytes(&[0, 0x0a, 0x1b, 0x2c]), serial);
        assert_eq!(serial.to_string(), "0A1B2C");
        assert_eq!(Serial::from_bytes(&[0, 0]), Serial::parse("0").unwrap());
        for written in ["", ":", "xyz", "12G4", "８Ｆ", &"f".repeat(1_000)] {
            assert_eq!(Serial::parse(written), None, "{written}");
        }
    }

    fn certificate(serial: &str, issuer: Option<&str>, sha1: Option<u8>, names: &[&str]) -> X509 {
        X509 {
            serial: Serial::parse(serial).unwrap(),
            issuer: issuer.map(Text::clean),
            sha1: sha1.map(|byte| [byte; 20]),
            names: names.iter().map(|name| Text::clean(name)).collect(),
            paid_until: None,
        }
    }

    #[test]
    fn certificates_meet_by_thumbprint_or_else_by_serial_and_issuer() {
        for (a, b, same) in [
            (certificate("01", None, Some(1), &[]), certificate("02", None, Some(1), &[]), true),
            (certificate("01", None, Some(1), &[]), certificate("01", None, Some(2), &[]), false),
            (certificate("01", Some("CA"), None, &[]), certificate("0001", Some("CA"), Some(2), &[]), true),
            (certificate("01", Some("CA"), None, &[]), certificate("01", Some("other"), Some(2), &[]), false),
            (
                certificate("0669D46CAE79EF68", None, None, &[]),
                certificate("669d46cae79ef68", Some("CA"), Some(2), &[]),
                true,
            ),
            (certificate("01", None, None, &[]), certificate("01", Some("CA"), Some(2), &[]), false),
        ] {
            assert_eq!(a.is_same(&b), same, "{a:?} {b:?}");
            assert_eq!(b.is_same(&a), same);
        }
    }

    #[test]
    fn a_wildcard_covers_one_label_and_case_does_not_matter() {
        let certificate = certificate("01", None, None, &["conference.example.ca", "*.vc.example.ca"]);
        for (name, covered) in [
            ("Conference.example.ca", true),
            ("conference.example.ca.", true),
            ("a.vc.example.ca", true),
            ("vc.example.ca", false),
            ("a.b.vc.example.ca", false),
            (".vc.example.ca", false),
        ] {
            assert_eq!(certificate.covers(name), covered, "{name}");
        }
    }
}
