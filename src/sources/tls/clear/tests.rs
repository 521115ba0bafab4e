//! Records of old versions, whole, cut up and forged.

use super::*;
use proptest::prelude::*;

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3], &sized(payload)[..]].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &long(body)[..]].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..], bytes].concat()
}

fn hello(minor: u8) -> Vec<u8> {
    message(SERVER_HELLO, &[&[3, minor][..], &[7; 40]].concat())
}

fn chain_of(certificates: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = certificates.iter().flat_map(|der| long(der)).collect();
    message(CERTIFICATE, &long(&list))
}

fn whole(bytes: &[u8]) -> Result<Progress, Hopeless> {
    Reader::default().push(bytes)
}

#[test]
fn a_chain_is_read_whatever_the_pieces_it_comes_in() {
    let chain = chain_of(&[&[1; 1_500], &[2; 30_000]]);
    let flow = [&hello(1)[..], &chain].concat();
    let records: Vec<u8> = flow.chunks(1_000).flat_map(|part| record(HANDSHAKE, part)).collect();
    let warned = [record(ALERT, &[1, 112]), records.clone()].concat();
    let expected = Progress::Chain(vec![vec![1; 1_500], vec![2; 30_000]], 0x0301);
    for size in [1, 3, 7, 4_096, usize::MAX] {
        for bytes in [&records, &warned] {
            let mut reader = Reader::default();
            let outcome = bytes.chunks(size).map(|piece| reader.push(piece).unwrap()).find(|p| *p != Progress::More);
            assert_eq!(outcome.as_ref(), Some(&expected), "in pieces of {size}");
        }
    }
}

#[test]
fn what_cannot_become_a_chain_is_given_up_at_once() {
    let after_hello = |what: &[u8]| record(HANDSHAKE, &[&hello(3)[..], what].concat());
    for (why, bytes, fault) in [
        ("a web server", b"HTTP/1.1 400 Bad Request\r\n".to_vec(), Hopeless::NotTls),
        ("a mail server", b"220 mail.example ESMTP\r\n".to_vec(), Hopeless::NotTls),
        ("a refusal", record(ALERT, &[2, 40]), Hopeless::Alert(40)),
        ("a farewell", record(ALERT, &[1, 0]), Hopeless::Alert(0)),
        ("a record too long", vec![HANDSHAKE, 3, 3, 0xFF, 0xFF], Hopeless::TooLong),
        ("a message of 16 MiB", after_hello(&[CERTIFICATE, 0xFF, 0xFF, 0xFF]), Hopeless::TooLong),
        ("a list shorter than it says", after_hello(&message(CERTIFICATE, &[0, 0, 9, 0])), Hopeless::Malformed),
        (
            "a certificate longer than its list",
            after_hello(&message(CERTIFICATE, &long(&[0, 0, 9, 1]))),
            Hopeless::Malformed,
        ),
        ("an empty list", after_hello(&chain_of(&[])), Hopeless::NoCertificate),
        ("an anonymous server", after_hello(&message(SERVER_HELLO_DONE, &[])), Hopeless::NoCertificate),
        ("a chain before the greeting", record(HANDSHAKE, &chain_of(&[&[1]])), Hopeless::Malformed),
        ("an empty record", record(HANDSHAKE, &[]), Hopeless::Malformed),
    ] {
        assert_eq!(whole(&bytes), Err(fault), "{why}");
    }
}

#[test]
fn a_chain_of_many_is_cut() {
    let many = vec![&[1_u8][..]; 1_000];
    let flow = [&hello(3)[..], &chain_of(&many)].concat();
    let Ok(Progress::Chain(chain, 0x0303)) = whole(&record(HANDSHAKE, &flow)) else { panic!("no chain") };
    assert_eq!(chain.len(), LONGEST_CHAIN);
}

#[test]
fn the_greeting_is_well_formed_and_of_a_length_that_hangs_nobody() {
    for name in ["a.example", "10.0.0.1", &format!("{}.example", "a".repeat(60))] {
        let name = ServerName::try_from(name).unwrap();
        let hello = client_hello(&name);
        let length = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
        assert_eq!(length(3), hello.len() - 5);
        assert_eq!(length(7), hello.len() - 9);
        assert!(hello.len() - 5 >= 512, "{}", hello.len());
        // It is one that rustls' own server takes for a greeting.
        let mut acceptor = rustls::server::Acceptor::default();
        acceptor.read_tls(&mut &hello[..]).unwrap();
        let accepted = acceptor.accept().unwrap().expect("a whole greeting");
        let asked = accepted.client_hello().server_name().map(str::to_owned);
        assert_eq!(asked, matches!(name, ServerName::DnsName(_)).then(|| name.to_str().into_owned()));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_grow(bytes in proptest::collection::vec(any::<u8>(), 0..4_000), size in 1..500usize) {
        let mut reader = Reader::default();
        let flow = [&hello(3)[..], &bytes].concat();
        for piece in record(HANDSHAKE, &flow).chunks(size) {
            if !matches!(reader.push(piece), Ok(Progress::More)) {
                break;
            }
            prop_assert!(reader.record.len() <= LONGEST_RECORD + 5 && reader.messages.len() <= LONGEST_MESSAGE + LONGEST_RECORD);
        }
    }
}
