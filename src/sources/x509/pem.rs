//! Bundles of certificates in PEM (RFC 7468), as people have edited them.
//!
//! Own code rather than a library's: libraries decode every block, and a private key that is never decoded cannot leak.

use super::{Certificate, LARGEST, X509Error, leaf, parse_der};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;

/// The most certificates read from one bundle: the lists of public roots hold 150.
const MOST: usize = 1_000;

/// What a bundle holds.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// In the order of the file.
    pub certificates: Vec<Certificate>,
    /// Which of them the others are there for.
    pub leaf: Option<usize>,
    /// Blocks that claim to be certificates and are none, each with its reason.
    pub unreadable: Vec<X509Error>,
    /// How many private keys were met; nothing of them is kept.
    pub keys: usize,
    /// Whether the bundle has more blocks than are read.
    pub cut: bool,
}

/// Reads all certificates of a bundle. Bare DER is taken too, since files are named `.crt` either way. Anything around the blocks
/// is ignored.
#[must_use]
pub fn parse_pem_bundle(bytes: &[u8]) -> Bundle {
    let mut bundle = Bundle::default();
    match parse_der(bytes) {
        Ok(certificate) if bytes.first() == Some(&0x30) => bundle.certificates.push(certificate),
        _ => blocks(&narrowed(bytes), &mut bundle),
    }
    bundle.leaf = leaf(&bundle.certificates);
    bundle
}

/// What some editors and shells save as UTF-16, as the ASCII that is in it. A mark of UTF-8 needs nothing: it is not part of a
/// block.
fn narrowed(bytes: &[u8]) -> Cow<'_, [u8]> {
    let low = match bytes {
        [0xFF, 0xFE, ..] => 0,
        [0xFE, 0xFF, ..] => 1,
        _ => return Cow::Borrowed(bytes),
    };
    bytes[2..].chunks_exact(2).map(|pair| if pair[1 - low] == 0 { pair[low] } else { b'?' }).collect()
}

fn blocks(bytes: &[u8], bundle: &mut Bundle) {
    // The base64 of the certificate that is being read.
    let mut block: Option<Vec<u8>> = None;
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(label) = between(line, b"-----BEGIN ") {
            block = is_certificate(label).then(Vec::new);
            bundle.keys += usize::from(label.ends_with(b"PRIVATE KEY"));
        } else if between(line, b"-----END ").is_some() {
            let Some(base64) = block.take() else { continue };
            if bundle.certificates.len() + bundle.unreadable.len() == MOST {
                bundle.cut = true;
                return;
            }
            match decode(&base64) {
                Ok(certificate) => bundle.certificates.push(certificate),
                Err(error) => bundle.unreadable.push(error),
            }
        } else if let Some(base64) = &mut block {
            let kept = line.iter().filter(|byte| !byte.is_ascii_whitespace());
            base64.extend(kept.take((2 * LARGEST).saturating_sub(base64.len())));
        }
    }
    // A block without its end was cut off in the middle of a copy.
    bundle.unreadable.extend(block.map(|_| X509Error::Base64));
}

/// The label of a line that begins or ends a block. Blanks and a byte order mark may stand before it.
fn between<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    line.strip_prefix(start)?.strip_suffix(b"-----")
}

/// OpenSSL's two other names for the same thing; the trailing bytes of a "trusted" one are ignored.
fn is_certificate(label: &[u8]) -> bool {
    matches!(label, b"CERTIFICATE" | b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE")
}

/// Editors lose the padding, and old tools leave stray bits at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

fn decode(base64: &[u8]) -> Result<Certificate, X509Error> {
    let der = LENIENT.decode(base64).map_err(|_| X509Error::Base64)?;
    parse_der(&der)
}
