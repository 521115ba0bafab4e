//! A server's answer in clear: the pieces that it comes in change nothing.

#![no_main]

use expiry_watch::sources::tls::clear::{Hopeless, Progress, Reader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    assert_eq!(outcome(bytes, bytes.len()), outcome(bytes, usize::from(*size)));
});

fn outcome(bytes: &[u8], size: usize) -> Result<Progress, Hopeless> {
    let mut reader = Reader::default();
    for piece in bytes.chunks(size.max(1)) {
        match reader.push(piece) {
            Ok(Progress::More) => {}
            settled => return settled,
        }
    }
    Ok(Progress::More)
}
