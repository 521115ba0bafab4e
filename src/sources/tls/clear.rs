//! Reading a certificate from a server that speaks only TLS 1.2 and older with ciphers of old: RSA key exchange, DHE, CBC, RC4.
//!
//! Up to TLS 1.2 the Certificate message follows the ServerHello in clear (RFC 5246, section 7.3; RFC 2246 alike). So a greeting
//! that offers everything of the time is enough, and no cryptography and no second TLS library is needed. The connection is
//! dropped as soon as the message is there. Anybody on the way could have written it: it tells dates, and grants nothing.

use super::wire::{Wire, said};
use super::{Capture, LONGEST_CHAIN, TlsVersion};
use crate::domain::Text;
use rustls::ProtocolVersion;
use rustls::pki_types::{CertificateDer, ServerName};

/// The longest Certificate message that is put together, of the 16 MiB that its length could say.
const LONGEST_MESSAGE: usize = 128 << 10;

/// The longest record: 2^14 bytes, and 2048 that ciphers could add (RFC 5246, section 6.2.3).
const LONGEST_RECORD: usize = (1 << 14) + 2048;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_HELLO_DONE: u8 = 14;

/// What the bytes that have arrived amount to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    More,
    /// The chain, in the order in which it was sent, in DER; and the version that the server chose, as on the wire.
    Chain(Vec<Vec<u8>>, u16),
}

/// Why they will never amount to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hopeless {
    NotTls,
    Alert(u8),
    TooLong,
    Malformed,
    NoCertificate,
}

/// Puts the records of a server together until its certificates have arrived.
#[derive(Debug, Default)]
pub struct Reader {
    /// Bytes that are not yet a whole record.
    record: Vec<u8>,
    /// Bytes that are not yet a whole message.
    messages: Vec<u8>,
    version: u16,
}

impl Reader {
    /// Takes what has arrived, in pieces of any size.
    ///
    /// # Errors
    /// When nothing that follows can help.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, Hopeless> {
        self.record.extend_from_slice(bytes);
        let mut done = 0;
        while let Some(&[kind, major, _, high, low]) = self.record.get(done..done + 5) {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if !matches!(kind, ALERT | HANDSHAKE) || major != 3 {
                return Err(Hopeless::NotTls);
            }
            if length > LONGEST_RECORD {
                return Err(Hopeless::TooLong);
            }
            let Some(payload) = self.record.get(done + 5..done + 5 + length) else { break };
            match (kind, payload) {
                // A warning, such as that the name is not known, is followed by the certificate all the same.
                (ALERT, [1, description]) if *description != 0 => {}
                (ALERT, payload) => return Err(Hopeless::Alert(payload.get(1).copied().unwrap_or_default())),
                (_, []) => return Err(Hopeless::Malformed),
                (_, payload) => self.messages.extend_from_slice(payload),
            }
            done += 5 + length;
            if let Some(chain) = self.message()? {
                return Ok(Progress::Chain(chain, self.version));
            }
        }
        self.record.drain(..done);
        // Warnings without end and other trickles are cut off by the limit of the connection.
        Ok(Progress::More)
    }

    /// Goes through the whole messages that are there, up to the certificates.
    fn message(&mut self) -> Result<Option<Vec<Vec<u8>>>, Hopeless> {
        let mut done = 0;
        while let Some(&[kind, a, b, c]) = self.messages.get(done..done + 4) {
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            if length > LONGEST_MESSAGE {
                return Err(Hopeless::TooLong);
            }
            let Some(body) = self.messages.get(done + 4..done + 4 + length) else { break };
            match (kind, body) {
                (SERVER_HELLO, [major, minor, ..]) => self.version = u16::from_be_bytes([*major, *minor]),
                (CERTIFICATE, body) if self.version != 0 => return chain(body).map(Some),
                (CERTIFICATE | SERVER_HELLO, _) => return Err(Hopeless::Malformed),
                (SERVER_HELLO_DONE, _) => return Err(Hopeless::NoCertificate),
                _ => {}
            }
            done += 4 + length;
        }
        self.messages.drain(..done);
        Ok(None)
    }
}

/// The certificates of a Certificate message (RFC 5246, section 7.4.2).
fn chain(body: &[u8]) -> Result<Vec<Vec<u8>>, Hopeless> {
    let (mut list, rest) = vector(body).ok_or(Hopeless::Malformed)?;
    if !rest.is_empty() {
        return Err(Hopeless::Malformed);
    }
    let mut chain = Vec::new();
    while !list.is_empty() && chain.len() < LONGEST_CHAIN {
        let (certificate, rest) = vector(list).ok_or(Hopeless::Malformed)?;
        chain.push(certificate.to_vec());
        list = rest;
    }
    if chain.is_empty() { Err(Hopeless::NoCertificate) } else { Ok(chain) }
}

/// Bytes behind a length of three bytes, and what follows them.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[a, b, c], rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes([0, a, b, c]) as usize)
}

/// Greets and reads on until the certificates are there.
pub(super) async fn capture(wire: &mut Wire, name: &ServerName<'static>) -> Result<Capture, Text> {
    wire.write(&client_hello(name)).await.map_err(|error| said(&error))?;
    let mut reader = Reader::default();
    loop {
        let read = wire.read().await.map_err(|error| said(&error))?;
        if read.is_empty() {
            return Err(Text::clean("it hung up"));
        }
        match reader.push(&read) {
            Ok(Progress::More) => {}
            Ok(Progress::Chain(chain, version)) => {
                let chain = chain.into_iter().map(CertificateDer::from).collect();
                let version = TlsVersion::of(ProtocolVersion::from(version));
                return Ok(Capture { chain, version, outdated: true });
            }
            Err(hopeless) => return Err(Text::clean(&format!("{hopeless:?}"))),
        }
    }
}

/// Everything with a certificate that servers of TLS 1.0 to 1.2 chose from, the better first. Ours is never the last word: what the
/// server picks only has to be something it can do.
const SUITES: &[u16] = &[
    0xC02C, 0xC030, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0x009F, 0x009E, 0xCCAA, // ECDHE and DHE with AEAD
    0xC0AD, 0xC0AC, 0xC0AF, 0xC0AE, 0xC09F, 0xC09E, 0xC0A3, 0xC0A2, // the same with CCM
    0xC024, 0xC028, 0xC023, 0xC027, 0xC00A, 0xC014, 0xC009, 0xC013, // ECDHE with CBC
    0x006B, 0x0067, 0x0039, 0x0033, 0x00A3, 0x00A2, 0x006A, 0x0040, 0x0038, 0x0032, // DHE, RSA and DSS
    0x009D, 0x009C, 0xC09D, 0xC09C, 0xC0A1, 0xC0A0, 0x003D, 0x003C, 0x0035, 0x002F, // RSA key exchange
    0xC02E, 0xC032, 0xC02D, 0xC031, 0xC026, 0xC02A, 0xC025, 0xC029, 0xC005, 0xC00F, 0xC004, 0xC00E, // static ECDH
    0x00C4, 0x00BE, 0x0088, 0x0045, 0x00C0, 0x00BA, 0x0084, 0x0041, 0x0087, 0x0044, // Camellia
    0xC073, 0xC077, 0xC072, 0xC076, 0xC05D, 0xC061, 0xC05C, 0xC060, 0xC051, 0xC050, // Camellia and ARIA
    0x009A, 0x0099, 0x0096, 0x0007, // SEED, IDEA
    0xC008, 0xC012, 0x0016, 0x0013, 0x000A, 0xC003, 0xC00D, // 3DES
    0xC007, 0xC011, 0xC002, 0xC00C, 0x0005, 0x0004, // RC4
    0x0015, 0x0012, 0x0009, 0x0003, 0x0006, 0x0008, 0x0014, 0x0011, // DES and export, of the nineties
    0xC006, 0xC010, 0x003B, 0x0002, 0x0001, // no encryption at all, but a certificate
    0x00FF, // renegotiation is understood (RFC 5746)
];

const GROUPS: &[u16] =
    &[0x001D, 0x0017, 0x0018, 0x0019, 0x001E, 0x0016, 0x001A, 0x001B, 0x001C, 0x0100, 0x0101, 0x0102];

const SIGNATURES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0401, 0x0501, 0x0601,
    0x0402, 0x0502, 0x0602, 0x0301, 0x0303, 0x0302, 0x0203, 0x0201, 0x0202, 0x0101,
];

/// The greeting of a TLS 1.2 client that can do everything (RFC 5246, section 7.4.1.2).
#[must_use]
pub fn client_hello(name: &ServerName<'_>) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let ServerName::DnsName(name) = name {
        let host = sized(name.as_ref().as_bytes());
        extend(&mut extensions, 0, &sized(&[&[0], &host[..]].concat()));
    }
    extend(&mut extensions, 10, &sized(&wide(GROUPS)));
    extend(&mut extensions, 11, &[1, 0]);
    extend(&mut extensions, 13, &sized(&wide(SIGNATURES)));
    pad(&mut extensions);
    let mut body = vec![3, 3];
    // It secures nothing: no key comes of it.
    body.extend((0..32).map(|_| fastrand::u8(..)));
    body.push(0);
    body.extend(sized(&wide(SUITES)));
    body.extend([1, 0]);
    body.extend(sized(&extensions));
    // Lengths below fit: the whole has some 600 bytes, of which the name has 253 at most.
    let message = [&[1, 0], &sized(&body)[..]].concat();
    [&[HANDSHAKE, 3, 1], &sized(&message)[..]].concat()
}

/// Some load balancers of old hang at a greeting of 256 to 511 bytes (RFC 7685).
fn pad(extensions: &mut Vec<u8>) {
    // Message header, version, random, session, suites, compression, the length of the extensions; header of the padding.
    let before = 4 + 2 + 32 + 1 + 2 + 2 * SUITES.len() + 2 + 2 + extensions.len() + 4;
    extend(extensions, 21, &vec![0; 512_usize.saturating_sub(before)]);
}

fn extend(extensions: &mut Vec<u8>, kind: u16, body: &[u8]) {
    extensions.extend(kind.to_be_bytes());
    extensions.extend(sized(body));
}

/// Behind its length in two bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length[..], bytes].concat()
}

fn wide(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests;
