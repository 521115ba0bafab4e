//! An answer of Graph, CertCentral or a key vault from anybody: it is read or refused.

#![no_main]

use expiry_watch::sources::{certcentral_from_anybody, graph_from_anybody, vault_from_anybody};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let now = "2026-11-21T16:00:00Z".parse().expect("an instant");
    graph_from_anybody(bytes, now);
    certcentral_from_anybody(bytes);
    vault_from_anybody(bytes);
});
