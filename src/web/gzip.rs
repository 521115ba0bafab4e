//! One gzip stream put together from parts that were compressed separately and can be kept.
//!
//! Each [`Segment`] is raw deflate that ends on a byte and refers to nothing before it, so that any sequence of them, between a
//! header and an empty last block, is one ordinary gzip member (RFC 1951, RFC 1952). Several members one after another would be
//! simpler, but some clients read only the first.

use axum::body::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

/// Deflate, no flags, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// A last block with nothing in it.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// Text, compressed on its own.
pub struct Segment {
    deflated: Bytes,
    crc: Crc,
    fingerprint: u64,
}

impl Segment {
    #[must_use]
    pub fn new(text: &[u8], level: Compression) -> Self {
        let mut crc = Crc::new();
        crc.update(text);
        Self { deflated: deflated(text, level), crc, fingerprint: fingerprint(text) }
    }

    /// Whether it holds `text`, by length and fingerprint.
    #[must_use]
    pub fn holds(&self, text: &[u8]) -> bool {
        self.crc.amount() as usize == text.len() && self.fingerprint == fingerprint(text)
    }
}

fn fingerprint(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    hasher.finish()
}

fn deflated(text: &[u8], level: Compression) -> Bytes {
    let mut compress = Compress::new(level, false);
    let mut out = Vec::with_capacity(text.len() / 4 + 256);
    loop {
        let taken = usize::try_from(compress.total_in()).unwrap_or(text.len());
        // With room in the output a full flush always ends in Ok; a full output means there is more to fetch.
        let status = compress.compress_vec(&text[taken..], &mut out, FlushCompress::Full);
        debug_assert!(matches!(status, Ok(Status::Ok | Status::BufError)), "{status:?}");
        if out.len() < out.capacity() {
            break;
        }
        out.reserve(text.len() / 8 + 256);
    }
    Bytes::from(out.into_boxed_slice())
}

/// Segments in a row. Their checksums are combined once: that takes longer than sending them.
pub struct Joined {
    segments: Vec<Arc<Segment>>,
    crc: Crc,
    size: usize,
}

impl Joined {
    #[must_use]
    pub fn new(segments: Vec<Arc<Segment>>) -> Self {
        let mut crc = Crc::new();
        for segment in &segments {
            crc.combine(&segment.crc);
        }
        let size = segments.iter().map(|segment| segment.deflated.len()).sum();
        Self { segments, crc, size }
    }

    #[must_use]
    pub fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The parts of one gzip stream that holds `first` and then this, and their length together.
    #[must_use]
    pub fn after(&self, first: Segment) -> (Vec<Bytes>, u64) {
        let Segment { deflated, mut crc, .. } = first;
        let size = HEADER.len() + deflated.len() + self.size + LAST_BLOCK.len() + 8;
        crc.combine(&self.crc);
        let mut parts = Vec::with_capacity(self.segments.len() + 3);
        parts.extend([Bytes::from_static(&HEADER), deflated]);
        parts.extend(self.segments.iter().map(|segment| segment.deflated.clone()));
        let mut end = LAST_BLOCK.to_vec();
        end.extend(crc.sum().to_le_bytes());
        end.extend(crc.amount().to_le_bytes());
        parts.push(end.into());
        (parts, size as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    fn segment(text: &str) -> Segment {
        Segment::new(text.as_bytes(), Compression::fast())
    }

    #[test]
    fn the_parts_are_one_member_that_reads_back_as_the_texts_in_order() {
        let long = "expiry_watch_credential_info{status=\"valid\"} 1\n".repeat(10_000);
        let noise: String =
            (0..50_000_u32).map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 26) as u8)).collect();
        for texts in [vec![], vec![""], vec!["a", "", "b"], vec![&long, &noise, &long]] {
            let joined = Joined::new(texts.iter().map(|text| Arc::new(segment(text))).collect());
            let (parts, size) = joined.after(segment("first\n"));
            let whole = parts.concat();
            assert_eq!(whole.len() as u64, size);
            let mut read = String::new();
            // A decoder for a single member: it stops after the first.
            GzDecoder::new(&whole[..]).read_to_string(&mut read).unwrap();
            assert_eq!(read, format!("first\n{}", texts.concat()));
        }
    }

    #[test]
    fn a_segment_knows_its_own_text() {
        let kept = segment("a 1\n");
        assert!(kept.holds(b"a 1\n"));
        assert!(!kept.holds(b"a 2\n") && !kept.holds(b"a 1"));
    }
}
