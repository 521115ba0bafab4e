//! Servers that want our time or our memory.

use super::*;

const BRIEF: Duration = Duration::from_millis(400);

#[tokio::test]
async fn no_server_outlasts_the_time_out() {
    let flow = old_server_flow(&[&[7; 3_000]]);
    let silent = answer(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let dripping = answer(move |mut stream| {
        let flow = flow.clone();
        async move {
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            for byte in flow {
                pace.tick().await;
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let warning = answer(|mut stream| async move {
        // Warnings without end, slowly: each is lawful.
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while stream.write_all(&[21, 3, 3, 0, 2, 1, 112]).await.is_ok() {
            pace.tick().await;
        }
    })
    .await;
    let trust = Authority::new().trust();
    for (why, address) in [("silent", silent), ("a byte at a time", dripping), ("warnings", warning)] {
        let begun = Instant::now();
        let outcome = probe(&target(address), address, BRIEF, &trust, now()).await;
        assert!(outcome.is_err(), "{why}");
        assert!(begun.elapsed() < BRIEF * 3, "{why}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn no_server_makes_us_read_without_end() {
    async fn flood(mut stream: tokio::net::TcpStream, piece: Vec<u8>) {
        while stream.write_all(&piece).await.is_ok() {}
    }
    let record = |length: u16, kind: u8| [&[kind, 3, 3][..], &length.to_be_bytes(), &vec![0; length.into()]].concat();
    let pieces = [
        ("garbage", vec![0xA5; 4096]),
        ("empty hello requests", record(4, 22)),
        ("change cipher spec", vec![20, 3, 3, 0, 1, 1]),
        ("a message of 16 MiB", [&[22, 3, 3, 0x40, 0, 11, 0xFF, 0xFF, 0xFF][..], &[0; 0x3FFC]].concat()),
        ("application data", record(0x4000, 23)),
        ("banner lines", b"220-still going\r\n".repeat(100)),
    ];
    let trust = Authority::new().trust();
    for (why, piece) in pieces {
        let address = answer(move |stream| flood(stream, piece.clone())).await;
        for starttls in [None, Some(StartTls::Smtp), Some(StartTls::Imap), Some(StartTls::Ldap)] {
            let mut at = target(address);
            at.starttls = starttls;
            let error = probe(&at, address, PATIENCE, &trust, now()).await.expect_err(why);
            // The limits end it, not the clock.
            assert!(!matches!(error, ProbeError::TimedOut { .. }), "{why}, {starttls:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_chain_of_hundreds_is_judged_in_bounded_time() {
    let ours = Authority::new();
    let issued = ours.issue(|_| {});
    let mut chain = vec![issued.der.clone()];
    chain.extend(std::iter::repeat_n(ours.intermediate_der.clone(), 120));
    let address = serve(&issued, chain, Manner::default()).await;
    let begun = Instant::now();
    let served = look(address, &Authority::new().trust()).await.unwrap();
    assert_eq!(served.chain_len, LONGEST_CHAIN);
    assert!(served.trust.is_err());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_falls_silent_after_its_certificate_has_been_read() {
    let issued = self_signed(|_| {});
    let long = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..], bytes].concat();
    let message = |kind: u8, body: &[u8]| [&[kind][..], &long(body)].concat();
    // ECDHE_RSA_WITH_AES_128_GCM_SHA256; a share on X25519, and a signature that nobody checks.
    let hello = message(2, &[&[3, 3][..], &[9; 32], &[0, 0xC0, 0x2F, 0]].concat());
    let key_exchange = [&[3, 0, 0x1D, 32][..], &[9; 32], &[8, 4, 0, 64], &[0; 64]].concat();
    let chain = message(11, &long(&long(&issued.der)));
    let flight = [hello, chain, message(12, &key_exchange), message(14, &[])].concat();
    let record = [&[22, 3, 3][..], &u16::try_from(flight.len()).unwrap().to_be_bytes(), &flight].concat();
    let address = answer(move |mut stream| {
        let record = record.clone();
        async move {
            play(&mut stream, &[b"", &record]).await;
            std::future::pending::<()>().await;
        }
    })
    .await;
    let served = look(address, &Authority::new().trust()).await.unwrap();
    assert_eq!((served.version, served.trust), (Some(TlsVersion::Tls12), Err(Untrusted::SelfSigned)));
}
