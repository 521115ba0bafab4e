//! Where the state is kept: in a file, or on a server.

use super::*;

/// As the cases of `refused`, which goes through these as well.
pub(super) const REFUSED: &[(&str, &str, &str)] = &[
    ("[state]\nurl = \"mysql://app:hunter2@db/watch\"", "state.url", "`sqlite:` and a path are wanted"),
    ("[state]\nurl = \"postgres://app:hunter2@db/watch\"", "state.url", "a password is never written in the file"),
    ("[state]\nurl = \"postgres://app@db/watch?password=hunter2\"", "state.url", "keep the whole URL elsewhere"),
    ("[state]\nurl = \"postgresql:hunter2\"", "state.url", "the host is missing"),
    ("[state]\nurl = \"postgres://app@db/watch?sslmode=prefer\"", "state.url", "falls back to the clear"),
    ("[state]\nurl = \"postgres://app@db/watch?pasword=hunter2\"", "state.url", "a parameter that is not known here"),
    ("[state]\nurl = { env = \"hunter2!\" }", "state.url.env", "not the name of an environment variable"),
    ("[state]\nurl = 7", "state.url", "found the number 7: text in quotes is wanted"),
    ("[state]\nauth = \"kerberos\"", "state.auth", "it is one of password, azure"),
    (
        "[state]\nurl = \"postgres://app@db/watch?sslmode=require\"\nauth = \"azure\"",
        "state.url",
        "the server must prove who it is",
    ),
];

#[test]
fn a_state_on_a_server_is_written_in_the_file_or_kept_elsewhere() {
    let state = |changed: &str| {
        let config = accepted(&with(changed));
        let warned = config.warnings.iter().any(|warning| warning.starts_with("state."));
        let State::Postgres(postgres) = config.state else { panic!("{:?}", config.state) };
        (postgres, warned)
    };
    let (written, warned) = state("[state]\nurl = \"postgres://app@db.example.ca/watch\"");
    let PostgresUrl::Written(address) = &written.url else { panic!("{written:?}") };
    assert_eq!(
        (address.to_string().as_str(), address.tls),
        ("watch at db.example.ca:5432 (as app)", PostgresTls::VerifyFull)
    );
    assert_eq!((written.auth, warned), (PostgresAuth::Password, false));
    assert!(state("[state]\nurl = \"postgres://app@db/watch?sslmode=disable\"").1, "in the clear");
    let (kept, warned) = state("[state]\nurl = { env = \"STATE_URL\" }\nauth = \"azure\"");
    assert_eq!(kept.url, PostgresUrl::Kept(SecretRef::Env("STATE_URL".to_owned())));
    assert_eq!((kept.auth, warned), (PostgresAuth::Azure, false));
    let config = accepted(&with("[state]\nurl = { file = \"/run/secrets/state\" }"));
    assert_eq!(config.secrets[0].0, "state.url");
}

#[test]
fn signing_in_to_a_database_by_azure_needs_its_section_and_the_clouds_own_audience() {
    let text = "[state]\nurl = \"postgres://app@db/watch\"\nauth = \"azure\"";
    let [problem] = &problems(text)[..] else { panic!("one problem") };
    assert!(problem.path == "azure" && problem.message.contains("state needs to know how to sign in"), "{problem}");
    for (cloud, audience) in [
        (Cloud::Public, "https://ossrdbms-aad.database.windows.net"),
        (Cloud::UsGov, "https://ossrdbms-aad.database.usgovcloudapi.net"),
        (Cloud::UsDod, "https://ossrdbms-aad.database.usgovcloudapi.net"),
        (Cloud::China, "https://ossrdbms-aad.database.chinacloudapi.cn"),
    ] {
        assert_eq!(cloud.database_audience(), audience);
    }
}

#[test]
fn an_address_kept_elsewhere_that_will_not_do_is_warned_of_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (config, url) = (folder.path().join("watch.toml"), folder.path().join("url"));
    std::fs::write(&config, format!("[state]\nurl = {{ file = {url:?} }}\n")).unwrap();
    let warnings = |written: &str| {
        std::fs::write(&url, written).unwrap();
        let warnings = load(&config).unwrap().warnings;
        assert!(!warnings.concat().contains("hunter2"), "{warnings:?}");
        warnings.into_iter().filter(|warning| warning.starts_with("state.url: ")).count()
    };
    assert_eq!(warnings("postgres://app:hunter2@db/watch"), 0);
    assert_eq!(warnings("postgres://app:hunter2@db/watch?hunter2=1"), 1);
    assert_eq!(warnings(""), 1);
}
