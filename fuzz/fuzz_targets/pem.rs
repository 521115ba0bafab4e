//! A bundle from anywhere: the leaf is one of its certificates.

#![no_main]

use expiry_watch::sources::x509::parse_pem_bundle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let bundle = parse_pem_bundle(bytes);
    assert_eq!(bundle.leaf.is_some(), !bundle.certificates.is_empty());
    assert!(bundle.leaf.is_none_or(|leaf| leaf < bundle.certificates.len()));
});
