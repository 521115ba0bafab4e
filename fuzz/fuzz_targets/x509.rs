//! A certificate from anywhere: it is read or refused, and what was read is consistent.

#![no_main]

use expiry_watch::domain::Serial;
use expiry_watch::sources::x509::parse_der;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = parse_der(bytes) else { return };
    assert_eq!(Serial::parse(&read.serial.to_string()).as_ref(), (!read.serial.as_bytes().is_empty()).then_some(&read.serial));
    assert!(read.issuer.as_str().chars().all(|c| !c.is_control()));
    assert!(read.names.len() <= 250);
});
