//! What files hold, in every odd shape.

use super::*;
use std::fs;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certs");

#[test]
fn a_pattern_finds_files_and_a_plain_path_names_one_that_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["b.pem", "a.pem", "c.key"] {
        fs::write(path(name), "").unwrap();
    }
    fs::create_dir(path("d.pem")).unwrap();
    for (patterns, found) in [
        (vec![path("*.pem")], vec![path("a.pem"), path("b.pem")]),
        (vec![path("b.pem"), path("*.pem")], vec![path("a.pem"), path("b.pem")]),
        (vec![path("gone.pem")], vec![path("gone.pem")]),
    ] {
        let found: Vec<_> = found.iter().map(PathBuf::from).collect();
        assert_eq!(find(&patterns), Ok(found), "{patterns:?}");
    }
    assert!(find(&["/certs/***.pem".to_owned()]).is_err());
    let nothing = find(&[path("*.pem"), path("*.crt")]).unwrap_err().to_string();
    assert!(nothing.ends_with("*.crt`: it finds no file"), "a volume that is not there: {nothing}");
}

#[test]
fn each_file_tells_of_its_leaf_or_why_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let chain = fs::read_to_string(format!("{FIXTURES}/bundle_misordered.pem")).unwrap();
    let issuer = fs::read_to_string(format!("{FIXTURES}/inter.pem")).unwrap();
    let damaged = "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n";
    let path = |name: &str, contents: &str| {
        let path = folder.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    };
    for (at, serial) in [
        (path("misordered", &chain), "0669D46CAE79EF684A69777490602485"),
        (path("key first", &format!("{key}{chain}")), "0669D46CAE79EF684A69777490602485"),
        (path("authority", &issuer), "1002"),
        (path("damaged authority beside its leaf", &format!("{damaged}{chain}")), "0669D46CAE79EF684A69777490602485"),
    ] {
        assert_eq!(read(&at).unwrap().serial.to_string(), serial, "{}", at.display());
    }
    for (at, error) in [
        (folder.path().join("gone"), FileError::Missing),
        (path("empty", ""), FileError::NoCertificate { keys: 0 }),
        (path("key only", &key), FileError::NoCertificate { keys: 1 }),
        (path("damaged leaf beside its issuer", &format!("{damaged}{issuer}")), FileError::Damaged(X509Error::Base64)),
        (path("huge", &"x".repeat(2 << 20)), FileError::TooLarge),
        (folder.path().to_owned(), FileError::Unreadable(Text::clean("it is not a regular file"))),
    ] {
        assert_eq!(read(&at), Err(error), "{}", at.display());
    }
    let none = FileError::NoCertificate { keys: 1 };
    assert_eq!(none.to_string(), "it holds no certificate, only a private key");
}

#[test]
fn one_bad_file_hides_no_other() {
    let read = read_all(&[format!("{FIXTURES}/leaf_*.pem"), "/nowhere/at.pem".to_owned()]).unwrap();
    assert_eq!(read.iter().filter(|(_, read)| read.is_ok()).count(), 8);
    let gone = read.iter().find(|(path, _)| path == Path::new("/nowhere/at.pem")).unwrap();
    assert_eq!(gone.1, Err(FileError::Missing));
}
