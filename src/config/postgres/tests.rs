//! Addresses as people write them.

use super::*;

fn parsed(written: &str) -> PostgresAddress {
    PostgresAddress::parse(written).unwrap_or_else(|why| panic!("{written}: {why}")).0
}

#[test]
fn an_address_names_host_port_role_and_database() {
    for (written, shown) in [
        ("postgres://app@db.example.ca/watch", "watch at db.example.ca:5432 (as app)"),
        ("postgresql://app@db.example.ca:6000/watch", "watch at db.example.ca:6000 (as app)"),
        ("postgres://app:hunter2@10.1.2.3/watch", "watch at 10.1.2.3:5432 (as app)"),
        ("postgres://app@[fd00::1]:5433/watch", "watch at [fd00::1]:5433 (as app)"),
        ("postgres:///watch?host=/run/postgresql&user=app", "watch at /run/postgresql (port 5432, as app)"),
        ("postgres://app@%2Frun%2Fpostgresql/watch", "watch at /run/postgresql (port 5432, as app)"),
        ("postgres://ops%40example.ca@db/the%20watch?password=hunter2", "the watch at db:5432 (as ops@example.ca)"),
    ] {
        assert_eq!(parsed(written).to_string(), shown, "{written}");
    }
}

#[test]
fn a_server_elsewhere_must_prove_who_it_is_unless_the_address_says_otherwise() {
    for (written, tls, warned) in [
        ("postgres://app@db.example.ca/watch", PostgresTls::VerifyFull, false),
        ("postgres://app@127.0.0.1.example.ca/watch", PostgresTls::VerifyFull, false),
        ("postgres://app@10.1.2.3/watch", PostgresTls::VerifyFull, false),
        ("postgres://app@db.example.ca/watch?sslmode=disable", PostgresTls::Disable, true),
        ("postgres://app@db.example.ca/watch?sslmode=require", PostgresTls::Require, true),
        ("postgres://app@db.example.ca/watch?sslmode=verify-ca", PostgresTls::VerifyCa, true),
        ("postgres://app@127.0.0.1/watch", PostgresTls::Prefer, false),
        ("postgres://app@localhost/watch", PostgresTls::Prefer, false),
        ("postgres://app@[::1]/watch?sslmode=disable", PostgresTls::Disable, false),
        ("postgres:///watch?host=/run/postgresql&user=app", PostgresTls::Disable, false),
    ] {
        let address = parsed(written);
        assert_eq!((address.tls, address.exposure().is_some()), (tls, warned), "{written}");
    }
}

#[test]
fn what_will_not_do_is_refused_without_being_shown() {
    for (written, why) in [
        ("postgres://app@db/watch?sslmode=prefer", "falls back to the clear"),
        ("postgres://app@db/watch?sslmode=hunter2", "`sslmode` is one of"),
        ("postgres://app@db/watch?passfile=hunter2", "not known here"),
        ("postgres://app@db/watch?sslcert=hunter2", "go together"),
        ("postgres://app@db/watch?options=hunter2", "`options` is a list"),
        ("postgres://hunter2@db", "role to sign in as and the database"),
        ("postgres://db/hunter2", "role to sign in as and the database"),
        ("postgres:///hunter2", "the host is missing"),
        ("mysql://app:hunter2@db/watch", "postgres:// is wanted"),
        ("postgres://app:hunter2@db:port/watch", "not a URL"),
        ("postgres://%00hunter2@db/watch", "NUL"),
        ("hunter2", "not a URL"),
    ] {
        let error = PostgresAddress::parse(written).unwrap_err();
        assert!(error.contains(why) && !error.contains("hunter2"), "{written}: {error}");
    }
}

#[test]
fn a_password_is_decoded_and_does_not_show_itself() {
    for written in ["postgres://app:hunter%3A2%2F@db/watch", "postgres://app@db/watch?password=hunter%3A2/"] {
        let parsed = PostgresAddress::parse(written).unwrap();
        assert_eq!(parsed.1.as_ref().unwrap().expose(), "hunter:2/");
        assert!(!format!("{parsed:?} {}", parsed.0).contains("hunter"));
    }
}

#[test]
fn settings_of_the_session_are_read_as_the_servers_tools_write_them() {
    let address = parsed("postgres://app@db/watch?options=-c%20search_path%3Dwatch%20--work_mem=8MB%20-cx.y=z");
    let shown: Vec<String> = address.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(shown, ["search_path=watch", "work_mem=8MB", "x.y=z"]);
}

#[test]
fn a_token_goes_to_a_server_that_has_proved_who_it_is() {
    for (written, suits) in [
        ("postgres://app@db.example.ca/watch", true),
        ("postgres://app@localhost/watch", true),
        ("postgres://app@db.example.ca/watch?sslmode=verify-ca", false),
        ("postgres://app@db.example.ca/watch?sslmode=disable", false),
        ("postgres://app:hunter2@db.example.ca/watch", false),
    ] {
        let (address, password) = PostgresAddress::parse(written).unwrap();
        assert_eq!(PostgresAuth::Azure.suits(&address, password.is_some()).is_ok(), suits, "{written}");
    }
}

#[test]
fn an_address_kept_elsewhere_is_read_anew_each_time() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let kept = Postgres { url: PostgresUrl::Kept(SecretRef::File(file.path().into())), auth: PostgresAuth::Password };
    for password in ["hunter2", "hunter3"] {
        std::fs::write(file.path(), format!("postgres://app:{password}@db/watch\n")).unwrap();
        assert_eq!(kept.address().unwrap().1.unwrap().expose(), password);
    }
    std::fs::write(file.path(), "sqlite:hunter2").unwrap();
    let error = kept.address().unwrap_err();
    assert!(error.contains("postgres://") && !error.contains("hunter2"), "{error}");
}
