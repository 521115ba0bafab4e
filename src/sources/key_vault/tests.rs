//! Reading a vault on this machine that answers as each test says. What is waited for passes on the manual clock.

use super::*;
use crate::clock::ManualClock;
use crate::domain::Kind;
use crate::sources::azure::tests::{clock, token, tokens_for};
use crate::sources::testing::{Ask, Reply, Server};
use crate::sources::{Source, http::Limits};
use std::sync::Mutex;

struct Vault {
    server: Server,
    vault: KeyVault,
    clock: ManualClock,
}

impl Vault {
    async fn of(script: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(LIMITS, script).await
    }

    async fn with(limits: Limits, script: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        let script = move |ask: &Ask| if ask.path().ends_with("/token") { token(ask) } else { script(ask) };
        let server = Server::start(script).await;
        let (clock, manual) = clock();
        let config = KeyVaultConfig { vault_url: server.url.clone() };
        let tokens = tokens_for("https://vault.azure.cn", &server, &clock);
        let vault = KeyVault::with(&SourceName::new("vault"), &config, tokens, &clock, limits).unwrap();
        Self { server, vault, clock: manual }
    }

    async fn read(&self) -> Result<Vec<Arc<Credential>>, String> {
        self.vault.read(Patience::SHORT).await.map_err(|error| error.to_string())
    }

    async fn error(&self) -> String {
        self.read().await.unwrap_err()
    }
}

/// A page of items, with a link below this server.
fn page(ask: &Ask, items: &str, next: Option<&str>) -> Reply {
    let host = ask.header("host").unwrap();
    let next = next.map_or("null".to_owned(), |next| format!(r#""http://{host}{next}""#));
    Reply::ok(format!(r#"{{"value":[{items}],"nextLink":{next}}}"#))
}

fn empty(ask: &Ask) -> Reply {
    page(ask, "", None)
}

/// The only entry, `api`, and its only version, unless `other` knows better.
fn one_secret(other: impl Fn(&Ask) -> Option<Reply>) -> impl Fn(&Ask) -> Reply {
    move |ask| match (other(ask), ask.path()) {
        (Some(reply), _) => reply,
        (None, "/secrets") => page(ask, r#"{"id":"https://kv/secrets/api"}"#, None),
        (None, "/secrets/api/versions") => {
            page(ask, r#"{"id":"https://kv/secrets/api/v1","attributes":{"exp":1800000000}}"#, None)
        }
        (None, _) => empty(ask),
    }
}

#[tokio::test]
async fn the_documented_lists_are_read_as_the_real_vault_writes_them() {
    const FIXTURES: [(&str, &str); 6] = [
        ("/secrets", include_str!("../../../tests/fixtures/graph/keyvault-secrets-first.json")),
        ("/secrets/second", include_str!("../../../tests/fixtures/graph/keyvault-secrets-last.json")),
        (
            "/secrets/reporting-client-secret/versions",
            include_str!("../../../tests/fixtures/graph/keyvault-versions.json"),
        ),
        (
            "/secrets/undated/versions",
            r#"{"value":[{"id":"https://kv-sample.vault.azure.net/secrets/undated/v","attributes":{"enabled":true,"created":1482189047}}],"nextLink":""}"#,
        ),
        (
            "/secrets/switched-off/versions",
            r#"{"value":[{"id":"https://kv-sample.vault.azure.net/secrets/switched-off/v","attributes":{"enabled":false}}]}"#,
        ),
        ("/certificates", include_str!("../../../tests/fixtures/graph/keyvault-certificates.json")),
    ];
    let vault = Vault::of(|ask| {
        let part = if ask.target.contains("skiptoken") { "/second" } else { "" };
        let wanted = format!("{}{part}", ask.path());
        let found = FIXTURES.into_iter().find(|(path, _)| *path == wanted).map(|(_, body)| body);
        let version = r#"{"value":[{"id":"https://kv-sample.vault.azure.net/certificates/gateway/c1","x5t":"YsSDIFWpW_UlgVHTgSFA6kbGUo8",
            "attributes":{"enabled":true,"nbf":1762250400,"exp":1793786400,"created":1762250500}}]}"#;
        // The samples speak of a real host, with the port written out; here it is this one.
        let here = format!("http://{}", ask.header("host").unwrap());
        Reply::ok(found.unwrap_or(version).replace("https://kv-sample.vault.azure.net:443", &here))
    })
    .await;
    let read = vault.read().await.unwrap();
    let line = |c: &Arc<Credential>| format!("{} {} {:?} {:?}", c.id, c.label, c.expires_at, c.mark);
    insta::assert_snapshot!(read.iter().map(line).collect::<Vec<_>>().join("\n"), @"
    key_vault:secret:127.0.0.1/reporting-client-secret c2a7b9d34e5f4a6b8c9d0e1f2a3b4c02 Some(2028-01-15T08:12:44Z) Some(Mark { app_id: Some(849cca37-34d6-42d9-bb7d-4d8592b385c5), key_id: Some(52e98664-a50b-5791-82c6-49d4e5e72bcc) })
    key_vault:secret:127.0.0.1/undated v None None
    key_vault:certificate:127.0.0.1/gateway c1 Some(2026-11-04T10:00:00Z) None
    ");
    assert_eq!(read[2].kind, Kind::VaultCertificate);
}

#[tokio::test]
async fn lists_are_asked_for_with_version_and_size_and_nothing_else_is() {
    let vault = Vault::of(one_secret(|_| None)).await;
    assert_eq!(vault.read().await.unwrap().len(), 1);
    let mut asked: Vec<String> = vault.server.asked("").iter().map(|ask| ask.target.clone()).collect();
    asked.retain(|target| !target.ends_with("/token"));
    asked.sort();
    assert_eq!(
        asked,
        [
            "/certificates?api-version=7.4&maxresults=25",
            "/secrets/api/versions?api-version=7.4&maxresults=25",
            "/secrets?api-version=7.4&maxresults=25",
        ]
    );
    let sign_in = &vault.server.asked("/token")[0].body;
    assert!(sign_in.contains("scope=https%3A%2F%2Fvault.azure.cn%2F.default"), "the cloud's own, not this address");
    assert!(
        vault
            .server
            .asked("s")
            .iter()
            .all(|ask| ask.header("authorization").is_none_or(|sent| sent == "Bearer token-0"))
    );
}

#[tokio::test]
async fn each_cloud_asks_for_its_own_vaults() {
    use crate::config::{AzureCredential, Cloud, SecretRef};
    let server = Server::start(|ask| if ask.path().ends_with("/token") { token(ask) } else { empty(ask) }).await;
    let secret = SecretRef::File("tests/fixtures/client-secret.txt".into());
    let credential = AzureCredential::ClientSecret { tenant_id: "t".to_owned(), client_id: "c".to_owned(), secret };
    let config = KeyVaultConfig { vault_url: server.url.clone() };
    let surroundings = Surroundings { authority_host: Some(server.url.to_string()) };
    for (cloud, host) in [
        (Cloud::Public, "vault.azure.net"),
        (Cloud::UsGov, "vault.usgovcloudapi.net"),
        (Cloud::UsDod, "vault.usgovcloudapi.net"),
        (Cloud::China, "vault.azure.cn"),
    ] {
        let azure = Azure { cloud, credential: Some(credential.clone()) };
        let vault = KeyVault::connect(&SourceName::new("v"), &config, &azure, &clock().0, &surroundings).unwrap();
        assert!(vault.read(Patience::SHORT).await.unwrap().is_empty());
        let asked = server.asked("/token").pop().unwrap().body;
        assert!(asked.contains(&format!("scope=https%3A%2F%2F{host}%2F.default")), "{asked}");
    }
    let azure = Azure { cloud: Cloud::Public, credential: None };
    let refused = KeyVault::connect(&SourceName::new("v"), &config, &azure, &clock().0, &surroundings).unwrap_err();
    assert_eq!(refused.key, "azure.credential");
}

#[tokio::test]
async fn an_empty_page_with_a_link_is_not_the_end() {
    let vault = Vault::of(one_secret(|ask| match &*ask.target {
        "/secrets?api-version=7.4&maxresults=25" => Some(page(ask, "", Some("/secrets?$skiptoken=2"))),
        "/secrets?$skiptoken=2" => Some(page(ask, "", Some("/Secrets?$skiptoken=3"))),
        "/Secrets?$skiptoken=3" => Some(page(ask, r#"{"id":"https://kv/secrets/api"}"#, None)),
        _ => None,
    }))
    .await;
    assert_eq!(vault.read().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_that_leads_to_a_value_is_not_followed() {
    for link in
        ["/secrets/api", "/secrets/api/v1", "/certificates", "/secrets/other/versions", "/", "/secrets/../secrets/api"]
    {
        let path = if link == "/secrets/api" { "/secrets/api/versions" } else { "/secrets" };
        let vault = Vault::of(one_secret(move |ask| {
            (ask.path() == path).then(|| page(ask, "", Some(&format!("{link}?api-version=7.4"))))
        }))
        .await;
        let said = vault.error().await;
        assert!(said.contains("leads to something else than this list; it was not asked for"), "{link}: {said}");
        assert!(vault.server.asked("").iter().all(|ask| ask.path() != link || link == "/certificates"), "{link}");
    }
}

#[tokio::test]
async fn no_bearer_goes_to_another_host_scheme_or_port() {
    let seen = Arc::new(Mutex::new(0));
    let count = seen.clone();
    let elsewhere = Server::start(move |_| {
        *count.lock().unwrap() += 1;
        Reply::ok("{}")
    })
    .await;
    let port = elsewhere.url.port().unwrap();
    for to in [
        format!("http://127.0.0.1:{port}/secrets"),
        "https://127.0.0.1:443/secrets".to_owned(),
        format!("http://localhost:{port}/secrets"),
        "http://kv.vault.azure.net:443/secrets".to_owned(),
        "//127.0.0.1/secrets".to_owned(),
    ] {
        let vault = Vault::of(move |ask| match ask.path() {
            "/secrets" => Reply::ok(format!(r#"{{"value":[],"nextLink":"{to}"}}"#)),
            _ => empty(ask),
        })
        .await;
        let said = vault.error().await;
        assert!(said.contains("another host; refused") || said.contains("is not a URL"), "{said}");
    }
    assert_eq!(*seen.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_listing_that_runs_in_a_circle_or_does_not_end_is_an_error() {
    let circle = Vault::of(one_secret(|ask| match &*ask.target {
        "/secrets/api/versions?a" => Some(page(ask, "", Some("/secrets/api/versions?b"))),
        _ if ask.path().ends_with("versions") => Some(page(ask, "", Some("/secrets/api/versions?a"))),
        _ => None,
    }))
    .await;
    assert!(circle.error().await.contains("GET /secrets/api/versions page 3: the link to the next page leads back"));
    let limits = Limits { pages: 4, ..LIMITS };
    let endless = Vault::with(limits, |ask| match ask.path() {
        "/secrets" => page(ask, "", Some(&format!("{}x", ask.target))),
        _ => empty(ask),
    })
    .await;
    assert_eq!(endless.error().await, "GET /secrets: the listing does not end; 4 pages were read");
}

#[tokio::test]
async fn an_answer_that_is_no_list_fails_the_read_and_quotes_nothing() {
    for body in
        ["{}", "[]", "<html>s3cret</html>", r#"{"value":"s3cret"}"#, r#"{"value":[{"id":"https://kv/keys/s3cret"}]}"#]
    {
        for path in ["/secrets", "/certificates", "/secrets/api/versions"] {
            let vault = Vault::of(one_secret(move |ask| (ask.path() == path).then(|| Reply::ok(body)))).await;
            let said = vault.error().await;
            assert!(said.starts_with(&format!("GET {path} page 1: ")) && !said.contains("s3cret"), "{said}");
        }
    }
    let limits = Limits { answer: 1 << 12, ..LIMITS };
    for reply in [|| Reply::Endless, || Reply::ok(vec![b' '; 1 << 13])] {
        let vault = Vault::with(limits, move |ask| if ask.path() == "/secrets" { reply() } else { empty(ask) }).await;
        assert!(vault.error().await.contains("larger than 4 KiB"));
    }
}

#[tokio::test]
async fn a_404_that_is_not_the_vaults_own_says_nothing_about_entries() {
    let refusal = |body: &'static str| {
        move |ask: &Ask| ask.path().ends_with("/versions").then(|| Reply::Http(404, "", body.as_bytes().to_vec()))
    };
    let gone = Vault::of(one_secret(refusal(r#"{"error":{"code":"SecretNotFound","message":"m"}}"#))).await;
    assert_eq!(gone.read().await.unwrap().len(), 0);
    let astray = Vault::of(one_secret(refusal("<html>404</html>"))).await;
    assert_eq!(astray.error().await, "GET /secrets/api/versions page 1: 404 Not Found; check vault_url");
}

#[tokio::test]
async fn waiting_is_limited_whoever_asks() {
    let vault = Vault::of(one_secret(|ask| {
        ask.path().ends_with("/versions").then(|| Reply::Http(503, "retry-after: 20\r\n", Vec::new()))
    }))
    .await;
    assert!(vault.error().await.contains("only 10 s may be waited"));
    assert_eq!(vault.clock.now().duration_since(clock().1.now()).as_secs(), 20);
    let all: u64 = vault.vault.requests().iter().map(|(_, count)| count).sum();
    assert_eq!(all, 4);
}

#[tokio::test]
async fn a_value_that_is_sent_unasked_is_not_kept() {
    let item = r#"{"id":"https://kv/secrets/api/v1","value":"s3cret","attributes":{},"tags":{"value":"s3cret"},"contentType":"s3cret"}"#;
    let vault =
        Vault::of(one_secret(move |ask| ask.path().ends_with("/versions").then(|| page(ask, item, None)))).await;
    let read = vault.read().await.unwrap();
    assert_eq!(read.len(), 1);
    let source = Source::KeyVault(Box::new(vault.vault));
    assert!(!format!("{read:?} {source:?}").contains("s3cret"));
    assert!(!format!("{source:?}").contains("token-0"));
}
