//! Certificates as they are met: odd, damaged, and in bundles of every kind.

use super::*;
use crate::domain::Serial;
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SerialNumber};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certs");

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FIXTURES}/{name}")).unwrap()
}

fn leaf_of(name: &str) -> Certificate {
    let mut bundle = parse_pem_bundle(&fixture(name));
    bundle.certificates.swap_remove(bundle.leaf.unwrap())
}

fn at(written: &str) -> Option<Timestamp> {
    Some(written.parse().unwrap())
}

#[test]
fn every_sample_is_read_with_its_dates_serial_and_names() {
    for (file, not_before, not_after, serial, names) in [
        (
            "leaf_ok.pem",
            "2026-11-11T21:44:42Z",
            "2027-05-29T21:44:41Z",
            "0669D46CAE79EF684A69777490602485",
            "node1 sip",
        ),
        (
            "leaf_expired.pem",
            "2026-05-05T21:44:42Z",
            "2026-11-20T21:44:42Z",
            "0AE71279E5213729026AFE4BB58DE1AB",
            "node1",
        ),
        ("leaf_notyet.pem", "2026-11-22T21:44:42Z", "2027-01-08T21:44:42Z", "77", "node1"),
        ("leaf_cnonly.pem", "2026-11-20T21:44:42Z", "2027-01-06T21:44:42Z", "7A", "node1"),
        (
            "leaf_highbit.pem",
            "2026-11-20T21:44:42Z",
            "2027-01-06T21:44:42Z",
            "8FDEADBEEF00112233445566778899AA",
            "node1",
        ),
        ("leaf_2049.pem", "2026-11-20T21:44:42Z", "2049-12-31T23:59:59Z", "7C", "node1"),
        ("leaf_2050.pem", "2026-11-20T21:44:42Z", "2050-01-01T00:00:00Z", "7B", "node1"),
        (
            "chain_ok.pem",
            "2026-11-11T21:44:42Z",
            "2027-05-29T21:44:41Z",
            "0669D46CAE79EF684A69777490602485",
            "node1 sip",
        ),
        (
            "chain_with_root.pem",
            "2026-11-11T21:44:42Z",
            "2027-05-29T21:44:41Z",
            "0669D46CAE79EF684A69777490602485",
            "node1 sip",
        ),
        (
            "bundle_misordered.pem",
            "2026-11-11T21:44:42Z",
            "2027-05-29T21:44:41Z",
            "0669D46CAE79EF684A69777490602485",
            "node1 sip",
        ),
    ] {
        let read = leaf_of(file);
        assert_eq!((read.not_before, read.not_after), (at(not_before), at(not_after)), "{file}");
        assert_eq!(read.serial.to_string(), serial, "{file}");
        let names: Vec<_> = names.split(' ').map(|name| format!("{name}.pexip.example")).collect();
        assert_eq!(read.names.iter().map(Text::as_str).collect::<Vec<_>>(), names, "{file}");
        assert_eq!(read.issuer.as_str(), "CN=Fixture Intermediate", "{file}");
        assert!(!read.is_ca, "{file}");
    }
}

#[test]
fn the_last_second_of_9999_is_no_end() {
    let read = leaf_of("selfsigned_noexpiry.pem");
    assert_eq!(read.not_after, None);
    assert!(read.is_self_issued());
}

#[test]
fn an_end_in_2200_or_later_is_never() {
    for (seconds, ends) in [
        (NEVER_FROM - 1, at("2199-12-31T23:59:59Z")),
        (NEVER_FROM, None),
        (253_402_300_799, None),
        (i64::MAX, None),
        (i64::MIN, Some(Timestamp::MIN)),
    ] {
        assert_eq!(end(seconds), ends, "{seconds}");
    }
}

#[test]
fn thumbprints_are_those_that_openssl_prints() {
    let read = leaf_of("leaf_ok.pem");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    assert_eq!(hex(&read.sha1), "9926A75685069546159DE3540A578010542C4798");
    assert_eq!(hex(&read.sha256), "1672B2E9B8D820AF3DF5F08814D1557EF8C03F864C50A28EEEE69B9AC6B01F15");
}

#[test]
fn an_issuer_is_written_with_the_most_specific_part_first_and_escaped() {
    let mut params =
        CertificateParams::new(vec!["a.example".to_owned(), "10.0.0.1".to_owned(), "::1".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "CA");
    params.distinguished_name.push(DnType::OrganizationName, "Acme, Inc.");
    params
        .distinguished_name
        .push(DnType::CommonName, DnValue::BmpString(rcgen::string::BmpString::try_from("Wurzel ä").unwrap()));
    params.serial_number = Some(SerialNumber::from_slice(&[0x11; 26]));
    let key = KeyPair::generate().unwrap();
    let read = parse_der(params.self_signed(&key).unwrap().der()).unwrap();
    assert_eq!(read.issuer.as_str(), "CN=Wurzel ä,O=Acme\\, Inc.,C=CA");
    assert_eq!(read.subject_cn.unwrap().as_str(), "Wurzel ä");
    assert_eq!(read.serial.as_bytes().len(), 26);
    assert_eq!(read.names.iter().map(Text::as_str).collect::<Vec<_>>(), ["a.example", "10.0.0.1", "::1"]);
}

#[test]
fn bytes_after_a_certificate_change_neither_it_nor_its_thumbprint() {
    let der = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap().cert.der().to_vec();
    let longer = [&der[..], &[0, 1, 2]].concat();
    assert_eq!(parse_der(&der).unwrap(), parse_der(&longer).unwrap());
    assert_eq!(parse_der(&vec![0x30; LARGEST + 1]), Err(X509Error::TooLarge(LARGEST + 1)));
}

#[test]
fn a_bundle_is_read_as_people_and_editors_leave_it() {
    let text = String::from_utf8(fixture("chain_ok.pem")).unwrap();
    let key = KeyPair::generate().unwrap().serialize_pem();
    let utf16 = |mark: [u8; 2], pair: fn(u16) -> [u8; 2]| {
        mark.into_iter().chain(text.encode_utf16().flat_map(pair)).collect::<Vec<u8>>()
    };
    for (why, bytes, keys) in [
        ("as it is", text.clone().into_bytes(), 0),
        ("with a byte order mark", format!("\u{FEFF}{text}").into_bytes(), 0),
        ("with CRLF", text.replace('\n', "\r\n").into_bytes(), 0),
        ("with bare CR", text.replace('\n', "\r").into_bytes(), 0),
        ("key first", format!("{key}{text}").into_bytes(), 1),
        ("key last, no newline at the end", format!("{text}{}", key.trim_end()).into_bytes(), 1),
        ("a mark in the middle, from joining files", format!("{key}\u{FEFF}{text}").into_bytes(), 1),
        ("indented", text.lines().map(|line| format!("   {line}  \n")).collect::<String>().into_bytes(), 0),
        ("with words around", format!("subject=/CN=x\n{text}\nbye").into_bytes(), 0),
        ("without padding", text.replace('=', "").into_bytes(), 0),
        ("as OpenSSL's older label", text.replace(" CERTIFICATE", " X509 CERTIFICATE").into_bytes(), 0),
        ("in UTF-16, as Windows writes it", utf16([0xFF, 0xFE], u16::to_le_bytes), 0),
        ("in UTF-16, the other way round", utf16([0xFE, 0xFF], u16::to_be_bytes), 0),
    ] {
        let bundle = parse_pem_bundle(&bytes);
        assert_eq!(bundle.certificates.len(), 2, "{why}");
        assert_eq!((bundle.leaf, bundle.keys), (Some(0), keys), "{why}");
        assert_eq!(bundle.unreadable, [], "{why}");
        assert_eq!(bundle.certificates[0], leaf_of("leaf_ok.pem"), "{why}");
    }
}

#[test]
fn a_bare_certificate_in_der_is_a_bundle_of_one() {
    let der = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap().cert.der().to_vec();
    let bundle = parse_pem_bundle(&der);
    assert_eq!((bundle.certificates.len(), bundle.leaf), (1, Some(0)));
}

#[test]
fn what_is_no_certificate_is_counted_and_hides_no_other() {
    let text = String::from_utf8(fixture("leaf_ok.pem")).unwrap();
    for (why, bundle, read, unreadable) in [
        ("not base64", format!("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n{text}"), 1, 1),
        ("not DER", format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{text}"), 1, 1),
        ("cut off", text[..400].to_owned(), 0, 1),
        (
            "a request",
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n".to_owned(),
            0,
            0,
        ),
        ("nothing", String::new(), 0, 0),
        ("a block within a block", format!("-----BEGIN CERTIFICATE-----\nAAAA\n{text}"), 1, 0),
    ] {
        let bundle = parse_pem_bundle(bundle.as_bytes());
        assert_eq!((bundle.certificates.len(), bundle.unreadable.len()), (read, unreadable), "{why}");
        assert_eq!(bundle.leaf.is_some(), read > 0, "{why}");
    }
}

#[test]
fn a_bundle_without_end_is_cut_and_says_so() {
    let bundle =
        parse_pem_bundle("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".repeat(1_100).as_bytes());
    assert!(bundle.cut);
    assert_eq!(bundle.unreadable.len(), 1_000);
}

#[test]
fn no_byte_of_a_key_is_in_what_is_kept() {
    let key = KeyPair::generate().unwrap();
    let text = format!("{}{}", key.serialize_pem(), String::from_utf8(fixture("chain_ok.pem")).unwrap());
    let shown = format!("{:?}", parse_pem_bundle(text.as_bytes()));
    let body = key.serialize_pem();
    for line in body.lines().filter(|line| !line.starts_with('-')) {
        assert!(!shown.contains(line));
    }
}

#[test]
fn the_leaf_is_found_by_its_nature() {
    let one = |name| leaf_of(name);
    for (why, chain, leaf_at) in [
        ("nothing", vec![], None),
        ("a leaf alone", vec![one("leaf_ok.pem")], Some(0)),
        ("behind its issuers", vec![one("root.pem"), one("inter.pem"), one("leaf_ok.pem")], Some(2)),
        (
            "two leaves: the one that is served",
            vec![one("inter.pem"), one("leaf_expired.pem"), one("leaf_ok.pem")],
            Some(1),
        ),
        ("authorities only: the lowest", vec![one("root.pem"), one("inter.pem")], Some(1)),
        ("an authority alone", vec![one("root.pem")], Some(0)),
        ("self-signed", vec![one("selfsigned.pem")], Some(0)),
    ] {
        assert_eq!(leaf(&chain), leaf_at, "{why}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), cut in 0..900usize, flip in any::<u8>()) {
        let _ = parse_der(&bytes);
        let _ = parse_pem_bundle(&bytes);
        let mut pem = fixture("chain_ok.pem");
        let at = cut % pem.len();
        pem[at] ^= flip;
        let bundle = parse_pem_bundle(&pem);
        prop_assert_eq!(bundle.leaf.is_some(), !bundle.certificates.is_empty());
        let mut der = LEAF.clone();
        let at = cut % der.len();
        der[at] ^= flip;
        if let Ok(read) = parse_der(&der) {
            prop_assert_eq!(Serial::parse(&read.serial.to_string()), Some(read.serial));
        }
    }
}

static LEAF: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_slice(&fixture("leaf_ok.pem")).unwrap().to_vec()
});
