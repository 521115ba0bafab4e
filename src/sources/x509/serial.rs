//! Serial numbers, which everybody spells differently.

use std::fmt;

/// The longest that is kept. RFC 5280 allows 20 bytes; 26 have been seen.
const LONGEST: usize = 64;

/// A serial number as bytes without leading zeros; compared as such, never as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Box<[u8]>);

impl Serial {
    /// From the bytes of the DER integer, whose first may only be there to say that the number is not negative.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // The last bytes of an oversized one: they are what differs between an authority's certificates.
        let kept = &bytes[bytes.len().saturating_sub(LONGEST)..];
        let zeros = kept.iter().take_while(|byte| **byte == 0).count();
        Self(kept[zeros.min(kept.len().saturating_sub(1))..].into())
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Upper-case hex, two digits a byte, as DigiCert and OpenSSL write it.
impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A serial as an authority writes it: hex in either case, with or without separators, a leading `0x` or leading zeros. None
/// where it is not one.
#[must_use]
pub fn parse_serial(text: &str) -> Option<Serial> {
    bytes(text).map(|bytes| Serial::from_bytes(&bytes))
}

/// A SHA-1 thumbprint, in the same spellings.
#[must_use]
pub fn parse_thumbprint(text: &str) -> Option<[u8; 20]> {
    bytes(text)?.try_into().ok()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits = text.chars().filter(|c| !matches!(c, ':' | '-' | ' ')).take(4 * LONGEST + 1).map(digit);
    let digits = digits.collect::<Option<Vec<u8>>>().filter(|digits| (1..=4 * LONGEST).contains(&digits.len()))?;
    // A leading zero may have been lost.
    let (odd, pairs) = digits.split_at(digits.len() % 2);
    Some(odd.iter().copied().chain(pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1])).collect())
}
