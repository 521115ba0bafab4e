//! Servers in every state that a probe can meet, and what is read of each.

use super::testing::*;
use super::*;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

mod hostile;
mod many;
mod starttls;

fn text(written: &str) -> Text {
    Text::clean(written)
}

#[tokio::test]
async fn whatever_is_served_is_read_and_judged_apart_from_its_end() {
    let ours = Authority::new();
    let strange = Authority::new();
    let (inter, root) = (ours.intermediate_der.clone(), ours.root_der.clone());
    let fine = ours.issue(|_| {});
    let expired = ours.issue(|p| dates(p, (2026, 1, 1), (2026, 11, 1)));
    let expired_elsewhere = strange.issue(|p| dates(p, (2026, 1, 1), (2026, 11, 1)));
    let notyet = ours.issue(|p| dates(p, (2027, 1, 1), (2028, 1, 1)));
    let other =
        ours.issue(|p| p.subject_alt_names = vec![rcgen::SanType::DnsName("other.example".try_into().unwrap())]);
    let cn_only = ours.issue(|p| p.subject_alt_names = vec![]);
    let client_only = ours.issue(|p| p.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth]);
    let own = self_signed(|_| {});
    let own_ca = self_signed(|p| p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    let backwards = self_signed(|p| dates(p, (2027, 1, 1), (2026, 1, 1)));
    let wild =
        ours.issue(|p| p.subject_alt_names = vec![rcgen::SanType::DnsName("*.pexip.example".try_into().unwrap())]);
    let by_root = ours.issue_by_root();
    let foreign = strange.issue(|_| {});
    let foreign_inter = strange.intermediate_der.clone();
    let wrong = |name: &str| Untrusted::WrongHost { names: vec![text(name)] };
    let unknown = Untrusted::UnknownRoot { root: text("CN=Test Root") };
    // The strange authority has the names of ours but other keys.
    let renamed = Untrusted::Other(text("a signature in its chain is wrong"));
    let incomplete = Untrusted::IncompleteChain { issuer: text("CN=Test Intermediate") };
    let elsewhere = Trust::only(self_signed_root().as_bytes()).unwrap();
    let trust = ours.trust();
    for (why, issued, chain, trust, verdict) in [
        ("all is well", &fine, vec![&fine.der, &inter], &trust, Ok(())),
        ("the root is sent too", &fine, vec![&fine.der, &inter, &root], &trust, Ok(())),
        ("in odd order", &fine, vec![&fine.der, &root, &inter], &trust, Ok(())),
        ("the issuer first", &fine, vec![&inter, &fine.der], &trust, Ok(())),
        ("signed by the root itself", &by_root, vec![&by_root.der], &trust, Ok(())),
        ("a wildcard", &wild, vec![&wild.der, &inter], &trust, Ok(())),
        ("expired", &expired, vec![&expired.der, &inter], &trust, Ok(())),
        ("expired, issuer missing", &expired, vec![&expired.der], &trust, Err(incomplete.clone())),
        ("issuer missing", &fine, vec![&fine.der], &trust, Err(incomplete.clone())),
        ("issuer missing, root sent", &fine, vec![&fine.der, &root], &trust, Err(incomplete)),
        ("nobody knows the root", &fine, vec![&fine.der, &inter], &elsewhere, Err(unknown.clone())),
        ("nobody knows the root that is sent", &fine, vec![&fine.der, &inter, &root], &elsewhere, Err(unknown)),
        ("an impostor's", &foreign, vec![&foreign.der, &foreign_inter], &trust, Err(renamed.clone())),
        (
            "an impostor's, expired",
            &expired_elsewhere,
            vec![&expired_elsewhere.der, &foreign_inter],
            &trust,
            Err(renamed),
        ),
        ("another host's", &other, vec![&other.der, &inter], &trust, Err(wrong("other.example"))),
        (
            "named in the old way only",
            &cn_only,
            vec![&cn_only.der, &inter],
            &trust,
            Err(Untrusted::WrongHost { names: vec![] }),
        ),
        (
            "not yet valid",
            &notyet,
            vec![&notyet.der, &inter],
            &trust,
            Err(Untrusted::NotYetValid("2027-01-01T00:00:00Z".parse().unwrap())),
        ),
        ("self-signed", &own, vec![&own.der], &trust, Err(Untrusted::SelfSigned)),
        (
            "self-signed, and an authority, before a stray",
            &own_ca,
            vec![&own_ca.der, &fine.der],
            &trust,
            Err(Untrusted::SelfSigned),
        ),
        ("self-signed, and an authority", &own_ca, vec![&own_ca.der], &trust, Err(Untrusted::SelfSigned)),
        (
            "for clients",
            &client_only,
            vec![&client_only.der, &inter],
            &trust,
            Err(Untrusted::Other(text("it is not meant for servers (extended key usage)"))),
        ),
        (
            "ends before it begins",
            &backwards,
            vec![&backwards.der],
            &trust,
            Err(Untrusted::Other(text("it ends before it begins"))),
        ),
    ] {
        let sent: Vec<_> = chain.into_iter().cloned().collect();
        let (length, address) = (sent.len(), serve(issued, sent, Manner::default()).await);
        let served = look(address, trust).await.unwrap_or_else(|error| panic!("{why}: {error}"));
        assert_eq!(served.leaf.sha1, crate::sources::x509::parse_der(&issued.der).unwrap().sha1, "{why}");
        assert_eq!((served.chain_len, served.version), (length, Some(TlsVersion::Tls13)), "{why}");
        assert_eq!(served.trust, verdict, "{why}");
        assert!(!served.outdated, "{why}");
    }
}

fn self_signed_root() -> String {
    Authority::new_named("Another Root")
}

#[tokio::test]
async fn what_is_given_as_a_root_may_serve_itself() {
    for ca in [false, true] {
        let own = self_signed(|p| {
            if ca {
                p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            }
        });
        let trust = Trust::only(pem(&own.der).as_bytes()).unwrap();
        let address = serve(&own, vec![own.der.clone()], Manner::default()).await;
        assert_eq!(look(address, &trust).await.unwrap().trust, Ok(()), "an authority: {ca}");
        let mut other = target(address);
        other.server_name = "other.example".to_owned();
        let served = probe(&other, address, PATIENCE, &trust, now()).await.unwrap();
        assert_eq!(served.trust, Err(Untrusted::WrongHost { names: vec![text(HOST)] }), "an authority: {ca}");
    }
}

#[tokio::test]
async fn an_intermediate_that_has_expired_is_said_and_outlived_ones_are_not() {
    let ours = Authority::with_intermediate(|p| dates(p, (2026, 1, 1), (2026, 10, 1)));
    let old = ours.issue(|p| dates(p, (2026, 1, 1), (2026, 11, 1)));
    let fresh = ours.issue(|_| {});
    for (issued, verdict) in [(&old, Ok(())), (&fresh, Err(Untrusted::IntermediateDates))] {
        let chain = vec![issued.der.clone(), ours.intermediate_der.clone()];
        let served = look(serve(issued, chain, Manner::default()).await, &ours.trust()).await.unwrap();
        assert_eq!(served.trust, verdict);
    }
}

#[tokio::test]
async fn an_address_is_a_host_too() {
    let ours = Authority::new();
    let issued = ours.issue(|p| p.subject_alt_names = vec![rcgen::SanType::IpAddress([127, 0, 0, 1].into())]);
    let address = serve(&issued, vec![issued.der.clone(), ours.intermediate_der.clone()], Manner::default()).await;
    let mut at = target(address);
    at.server_name = "127.0.0.1".to_owned();
    assert_eq!(probe(&at, address, PATIENCE, &ours.trust(), now()).await.unwrap().trust, Ok(()));
    assert!(matches!(look(address, &ours.trust()).await.unwrap().trust, Err(Untrusted::WrongHost { .. })));
}

#[tokio::test]
async fn a_demand_for_a_client_certificate_hides_nothing() {
    let ours = Authority::new();
    let issued = ours.issue(|_| {});
    for (versions, version) in [(vec![&TLS12], TlsVersion::Tls12), (vec![&TLS13], TlsVersion::Tls13)] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ours.root_der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let manner = Manner { versions, clients: Some(clients) };
        let address = serve(&issued, vec![issued.der.clone(), ours.intermediate_der.clone()], manner).await;
        let served = look(address, &ours.trust()).await.unwrap();
        assert_eq!((served.version, served.trust), (Some(version), Ok(())));
    }
}

#[tokio::test]
async fn a_certificate_that_never_ends_is_read() {
    let never = self_signed(|p| dates(p, (2026, 1, 1), (9999, 12, 31)));
    let address = serve(&never, vec![never.der.clone()], Manner::default()).await;
    assert_eq!(look(address, &Authority::new().trust()).await.unwrap().leaf.not_after, None);
}

#[tokio::test]
async fn a_server_of_old_is_read_from_its_clear_answer() {
    let ours = Authority::new();
    let issued = ours.issue(|_| {});
    let flow = old_server_flow(&[&issued.der, &ours.intermediate_der]);
    let address = answer(move |mut stream| {
        let flow = flow.clone();
        async move {
            let mut hello = [0; 1024];
            let read = stream.read(&mut hello).await.unwrap_or_default();
            // What only speaks TLS 1.0 refuses whoever names 1.3 (extension 43), as some do with an alert.
            let modern = hello[..read].windows(2).any(|pair| pair == [0x00, 0x2B]);
            let _ = stream.write_all(if modern { &[21, 3, 1, 0, 2, 2, 70] } else { &flow }).await;
        }
    })
    .await;
    let served = look(address, &ours.trust()).await.unwrap();
    assert_eq!((served.version, served.outdated, served.chain_len), (Some(TlsVersion::Tls10), true, 2));
    assert_eq!(served.trust, Ok(()));
}

/// ServerHello and Certificate as TLS 1.0 has them.
fn old_server_flow(chain: &[&[u8]]) -> Vec<u8> {
    let long = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..], bytes].concat();
    let list: Vec<u8> = chain.iter().flat_map(|der| long(der)).collect();
    let hello = [&[2][..], &long(&[&[3, 1][..], &[9; 32], &[0, 0, 0x35, 0]].concat())].concat();
    let messages = [hello, [&[11][..], &long(&long(&list))].concat()].concat();
    messages
        .chunks(1_400)
        .flat_map(|part| [&[22, 3, 1][..], &u16::try_from(part.len()).unwrap().to_be_bytes(), part].concat())
        .collect()
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_never_called_expired() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let says = |words: &'static [u8]| {
        answer(move |mut stream| async move {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(words).await;
        })
    };
    let trust = Authority::new().trust();
    for (why, address, said) in [
        ("nobody listens", closed, "unreachable: Connection refused"),
        (
            "a web server",
            says(b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
            "handshake incompatible: what answers does not speak TLS",
        ),
        (
            "a name refused",
            says(&[21, 3, 3, 0, 2, 2, 112]).await,
            "handshake incompatible: it refuses the server name (alert unrecognized_name)",
        ),
        (
            "a plain refusal",
            says(&[21, 3, 3, 0, 2, 2, 40]).await,
            "handshake incompatible: it answers with the alert HandshakeFailure",
        ),
        ("hangs up", says(b"").await, "handshake incompatible: it hung up during the handshake"),
    ] {
        let error = look(address, &trust).await.expect_err(why);
        assert_eq!(error.to_string(), said, "{why}");
    }
}

#[tokio::test]
async fn what_is_no_certificate_is_said() {
    let issued = self_signed(|_| {});
    let junk = CertificateDer::from(vec![0x30, 3, 1, 2, 3]);
    let address = serve(&issued, vec![junk.clone(), issued.der.clone()], Manner::default()).await;
    let error = look(address, &Authority::new().trust()).await.unwrap_err();
    assert!(matches!(error, ProbeError::Unreadable(_)), "{error}");
    let address = serve(&issued, vec![issued.der.clone(), junk], Manner::default()).await;
    assert_eq!(look(address, &Authority::new().trust()).await.unwrap().trust, Err(Untrusted::SelfSigned));
}

#[tokio::test]
async fn a_name_has_all_its_addresses_each_once() {
    let target = |host: &str| Target { host: host.to_owned(), port: 443, server_name: HOST.to_owned(), starttls: None };
    for (host, address) in [("10.1.2.3", "10.1.2.3:443"), ("::1", "[::1]:443"), ("[::1]", "[::1]:443")] {
        assert_eq!(resolve(&target(host), PATIENCE).await, Ok(vec![address.parse().unwrap()]), "{host}");
    }
    let local = resolve(&target("localhost"), PATIENCE).await.unwrap();
    assert!(local.contains(&"127.0.0.1:443".parse().unwrap()), "{local:?}");
    let error = resolve(&target("nowhere.invalid"), PATIENCE).await.unwrap_err();
    assert!(matches!(error, ProbeError::Unreachable(_) | ProbeError::TimedOut { .. }), "{error}");
}
