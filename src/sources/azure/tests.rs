//! Signing in, against an authority on this machine.

use super::*;
use crate::clock::ManualClock;
use crate::config::SecretRef;
use crate::sources::testing::{Ask, Reply, Server};
use std::io::Write;
use std::path::PathBuf;
use tempfile::NamedTempFile;

const NOW: &str = "2026-11-21T16:00:00Z";
const SECRET: &str = "correct-horse-battery";

pub fn clock() -> (Clock, ManualClock) {
    let manual = ManualClock::at(NOW.parse().unwrap());
    (Clock::Manual(manual.clone()), manual)
}

fn file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

/// Holds [`SECRET`].
const SECRET_FILE: &str = "tests/fixtures/client-secret.txt";

fn with_secret(place: impl Into<PathBuf>) -> Azure {
    let credential = AzureCredential::ClientSecret {
        tenant_id: "contoso".to_owned(),
        client_id: "me".to_owned(),
        secret: SecretRef::File(place.into()),
    };
    Azure { cloud: Cloud::Public, credential: Some(credential) }
}

const GRAPH: &str = "https://graph.microsoft.com";

/// Tokens of a client secret, from an authority at `server`.
pub fn tokens(server: &Server, clock: &Clock) -> Tokens {
    tokens_for(GRAPH, server, clock)
}

/// The same, for another audience.
pub fn tokens_for(audience: &str, server: &Server, clock: &Clock) -> Tokens {
    let surroundings = Surroundings { authority_host: Some(server.url.to_string()) };
    Tokens::connect(&with_secret(SECRET_FILE), audience, clock, &surroundings).unwrap()
}

/// An answer with a token that counts: `token-0`, `token-1`, ...
pub fn token(ask: &Ask) -> Reply {
    let n = ask.before;
    Reply::ok(format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"token-{n}"}}"#))
}

fn shown(bearer: &Bearer) -> &str {
    bearer.header.to_str().unwrap()
}

#[test]
fn each_cloud_has_its_own_authority() {
    for (cloud, login) in [
        (Cloud::Public, "https://login.microsoftonline.com/"),
        (Cloud::UsGov, "https://login.microsoftonline.us/"),
        (Cloud::UsDod, "https://login.microsoftonline.us/"),
        (Cloud::China, "https://login.chinacloudapi.cn/"),
    ] {
        assert_eq!(authority(cloud, &Surroundings::default()).unwrap().as_str(), login);
    }
}

#[test]
fn another_authority_must_be_https_unless_it_is_this_machine() {
    let given = |host: &str| {
        let surroundings = Surroundings { authority_host: Some(host.to_owned()) };
        authority(Cloud::Public, &surroundings).map(|url| url.to_string()).map_err(|error| error.to_string())
    };
    assert_eq!(given("login.example.ca").unwrap(), "https://login.example.ca/");
    assert_eq!(given("https://login.example.ca/").unwrap(), "https://login.example.ca/");
    for local in ["http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/"] {
        assert_eq!(given(local).unwrap(), local);
    }
    for foreign in ["http://login.example.ca", "ftp://127.0.0.1", "http://127.0.0.1.example.ca"] {
        assert!(given(foreign).unwrap_err().starts_with("AZURE_AUTHORITY_HOST: it must be https"), "{foreign}");
    }
}

#[tokio::test]
async fn a_client_secret_is_exchanged_for_a_token_which_is_kept() {
    let server = Server::start(token).await;
    let tokens = tokens(&server, &clock().0);
    let (first, second) = (tokens.bearer().await.unwrap(), tokens.bearer().await.unwrap());
    assert_eq!((shown(&first), first.serial), ("Bearer token-0", second.serial));
    let asked = server.asked("/");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].target, "/contoso/oauth2/v2.0/token");
    let scope = "scope=https%3A%2F%2Fgraph.microsoft.com%2F.default";
    assert!(asked[0].body.contains(scope) && asked[0].body.contains("client_id=me"), "{}", asked[0].body);
    assert!(!format!("{tokens:?} {:?}", first.header).contains("token-0"));
}

#[tokio::test]
async fn a_refused_token_is_dropped_once_however_many_requests_it_was_refused_to() {
    let server = Server::start(token).await;
    let tokens = tokens(&server, &clock().0);
    let first = tokens.bearer().await.unwrap();
    tokens.forget(first.serial).await;
    assert_eq!(shown(&tokens.bearer().await.unwrap()), "Bearer token-1");
    tokens.forget(first.serial).await;
    assert_eq!(shown(&tokens.bearer().await.unwrap()), "Bearer token-1");
}

#[tokio::test]
async fn while_a_renewal_fails_the_token_stays_in_use_until_it_ends() {
    let server = Server::start(|ask| match ask.before {
        0 => token(ask),
        _ => Reply::Http(503, "", b"<html>later</html>".to_vec()),
    })
    .await;
    let (clock, manual) = clock();
    let tokens = tokens(&server, &clock);
    let end = tokens.bearer().await.unwrap().expires_at;
    // Without this, azure_identity's own copy of the token would serve: its clock is the machine's.
    tokens.state.lock().await.credential = None;
    manual.set(end - SignedDuration::from_secs(60));
    assert_eq!(shown(&tokens.bearer().await.unwrap()), "Bearer token-0");
    manual.set(end);
    let error = tokens.bearer().await.err().unwrap();
    assert_eq!(
        (error.problem.as_str(), error.passing),
        ("signing in (client_secret at 127.0.0.1): 503 Service Unavailable", true)
    );
}

#[tokio::test]
async fn a_refused_sign_in_says_why_and_not_what_was_sent() {
    let fixture = include_str!("../../../tests/fixtures/graph/workload-identity-token-error.json");
    let reflected = format!(
        r#"{{"error":"invalid_client","error_description":"AADSTS7000215: Invalid secret {SECRET} eyJhbGciOi.x.y\r\nTrace ID: 1","error_codes":[7000215]}}"#
    );
    for (status, body, said, passing) in [
        (
            401,
            fixture.to_owned(),
            "401 AADSTS700211: No matching federated identity record found for presented assertion issuer.",
            false,
        ),
        (401, reflected, "401 AADSTS7000215: Invalid secret … …", false),
        (429, r#"{"error":"temporarily_unavailable"}"#.to_owned(), "429 Too Many Requests", true),
        (502, "<html>".to_owned(), "502 Bad Gateway", true),
        (302, String::new(), "302 Found", false),
    ] {
        let server = Server::start(move |_| Reply::Http(status, "retry-after: 9\r\n", body.clone().into_bytes())).await;
        let error = tokens(&server, &clock().0).bearer().await.err().unwrap();
        assert_eq!(error.problem.trim(), format!("signing in (client_secret at 127.0.0.1): {said}"));
        assert_eq!((error.passing, error.retry_after), (passing, Some(Duration::from_secs(9))));
    }
}

#[tokio::test]
async fn an_answer_that_is_no_token_is_not_quoted() {
    for body in [r#"{"access_token":"s3cret","expires_in":"soon"}"#, "s3cret"] {
        let server = Server::start(move |_| Reply::ok(body)).await;
        let error = tokens(&server, &clock().0).bearer().await.err().unwrap();
        assert!(error.problem.ends_with("the answer of the sign-in service is not understood"), "{}", error.problem);
    }
    let server = Server::start(|_| Reply::Endless).await;
    let error = tokens(&server, &clock().0).bearer().await.err().unwrap();
    assert!(error.problem.ends_with("the answer of the sign-in service is too large"), "{}", error.problem);
}

#[tokio::test]
async fn a_new_secret_in_the_file_is_used_after_the_old_one_has_failed() {
    let server = Server::start(|ask| match ask.body.contains("new-secret") {
        true => token(ask),
        false => {
            Reply::Http(401, "", br#"{"error_codes":[7000222],"error_description":"AADSTS7000222: expired"}"#.to_vec())
        }
    })
    .await;
    let place = file(SECRET);
    let surroundings = Surroundings { authority_host: Some(server.url.to_string()) };
    let tokens = Tokens::connect(&with_secret(place.path()), GRAPH, &clock().0, &surroundings).unwrap();
    assert!(tokens.bearer().await.is_err());
    std::fs::write(place.path(), "new-secret").unwrap();
    assert_eq!(shown(&tokens.bearer().await.unwrap()), "Bearer token-1");
}

#[tokio::test]
async fn a_certificate_signs_an_assertion_that_verifies() {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["expiry-watch".to_owned()]).unwrap().self_signed(&key).unwrap();
    let pem = file(&format!("{}{}", key.serialize_pem(), certificate.pem()));
    let server = Server::start(token).await;
    let (clock, _) = clock();
    let azure = Azure { cloud: Cloud::UsGov, credential: Some(certificate_at(&pem)) };
    let surroundings = Surroundings { authority_host: Some(server.url.to_string()) };
    let tokens = Tokens::connect(&azure, azure.cloud.graph_url(), &clock, &surroundings).unwrap();
    assert_eq!(shown(&tokens.bearer().await.unwrap()), "Bearer token-0");

    let body = server.asked("/contoso/oauth2/v2.0/token")[0].body.clone();
    let assertion = body.split('&').find_map(|pair| pair.strip_prefix("client_assertion=")).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let decode = |part: &str| azure_core::base64::decode_url_safe(part).unwrap();
    let parts: Vec<serde_json::Value> =
        signed.split('.').map(|part| serde_json::from_slice(&decode(part)).unwrap()).collect();
    let now = clock.now().as_second();
    assert_eq!((parts[0]["alg"].as_str(), parts[1]["exp"].as_i64()), (Some("RS256"), Some(now + 600)));
    assert_eq!(parts[1]["aud"], format!("{}contoso/oauth2/v2.0/token", server.url));
    let sha256 = digest::digest(&digest::SHA256, certificate.der());
    assert_eq!(parts[0]["x5t#S256"], azure_core::base64::encode_url_safe(sha256));
    let public = signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, key.public_key_raw());
    public.verify(signed.as_bytes(), &decode(signature)).unwrap();
}

use aws_lc_rs::{digest, signature};

fn certificate_at(pem: &NamedTempFile) -> AzureCredential {
    AzureCredential::ClientCertificate {
        tenant_id: "contoso".to_owned(),
        client_id: "me".to_owned(),
        pem: SecretRef::File(pem.path().into()),
    }
}

#[test]
fn what_cannot_be_used_is_said_at_the_start_with_its_key() {
    let connect = |credential| {
        let azure = Azure { cloud: Cloud::Public, credential };
        Tokens::connect(&azure, azure.cloud.graph_url(), &clock().0, &Surroundings::default())
            .err()
            .unwrap()
            .to_string()
    };
    assert_eq!(connect(None), "azure.credential: sources of the types entra and key_vault need it");
    let missing = AzureCredential::ClientSecret {
        tenant_id: "t".to_owned(),
        client_id: "c".to_owned(),
        secret: SecretRef::Env("EXPIRY_WATCH_TEST_NOT_SET".to_owned()),
    };
    let said = "azure.client_secret: the environment variable EXPIRY_WATCH_TEST_NOT_SET is not set";
    assert_eq!(connect(Some(missing)), said);
    let certificate = rcgen::generate_simple_self_signed(vec!["x".to_owned()]).unwrap();
    let (cert, key) = (certificate.cert.pem(), certificate.signing_key.serialize_pem());
    for (pem, why) in [
        ("nothing".to_owned(), "it holds no certificate in PEM form"),
        (cert.clone(), "it holds no unencrypted private key in PEM form"),
        (format!("{cert}{key}"), "its private key is not RSA, which is what Microsoft Entra ID takes"),
    ] {
        let said = connect(Some(certificate_at(&file(&pem))));
        assert_eq!(said, format!("azure.client_certificate: {why}"));
    }
}

/// The platform's ways of signing in are found through the environment, which belongs to the whole process: each is tried in a child
/// that runs [`sign_in_as_the_environment_says`].
async fn in_a_child(kind: &str, environment: &[(&str, &str)]) -> String {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "sources::azure::tests::sign_in_as_the_environment_says", "--ignored", "--nocapture"]);
    child.env("EXPIRY_WATCH_TEST_KIND", kind).envs(environment.iter().copied());
    let output = tokio::time::timeout(Duration::from_secs(60), child.output()).await.unwrap().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = output.lines().find_map(|line| line.split_once("OUTCOME ")).map(|(_, outcome)| outcome.to_owned());
    line.unwrap_or(output)
}

#[tokio::test]
#[ignore = "is run by the tests that follow"]
async fn sign_in_as_the_environment_says() {
    let credential = match std::env::var("EXPIRY_WATCH_TEST_KIND").as_deref() {
        Ok("managed") => AzureCredential::ManagedIdentity { client_id: Some("user-assigned".to_owned()) },
        Ok("system") => AzureCredential::ManagedIdentity { client_id: None },
        Ok("workload") => AzureCredential::WorkloadIdentity { client_id: None, tenant_id: None },
        Ok("cli") => AzureCredential::AzureCli { tenant_id: Some("contoso".to_owned()) },
        _ => return,
    };
    let azure = Azure { cloud: Cloud::China, credential: Some(credential) };
    let outcome = match Tokens::connect(&azure, azure.cloud.graph_url(), &clock().0, &Surroundings::of_this_process()) {
        Err(error) => error.to_string(),
        Ok(tokens) => match tokens.bearer().await {
            Ok(bearer) => shown(&bearer).to_owned(),
            Err(error) => error.problem,
        },
    };
    println!("OUTCOME {outcome}");
}

#[tokio::test]
async fn a_managed_identity_asks_the_platform_over_plain_http_and_without_a_proxy() {
    let fixture = include_str!("../../../tests/fixtures/graph/managed-identity-token-appservice.json");
    let server = Server::start(|_| Reply::ok(fixture.replace("1791010211", "4102444800"))).await;
    let endpoint = format!("{}msi/token", server.url);
    let platform = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", "platform-header"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("AZURE_CLIENT_ID", "not-this-one"),
    ];
    let token = "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.bWFkZS11cA.";
    assert_eq!(in_a_child("managed", &platform).await, token);
    assert_eq!(in_a_child("system", &platform).await, token);
    let asked = server.asked("/msi/token");
    let resource = "resource=https%3A%2F%2Fmicrosoftgraph.chinacloudapi.cn";
    assert!(asked[0].target.contains(resource) && asked[0].target.contains("client_id=user-assigned"), "{asked:?}");
    assert!(!asked[1].target.contains("client_id"));
    assert_eq!(asked[0].header("x-identity-header"), Some("platform-header"));
}

#[tokio::test]
async fn a_managed_identity_that_is_not_assigned_says_so() {
    let refusal = r#"{"statusCode":400,"message":"No User Assigned or Delegated Managed Identity found."}"#;
    let server = Server::start(move |_| Reply::Http(400, "", refusal.into())).await;
    let platform = [("IDENTITY_ENDPOINT", server.url.as_str()), ("IDENTITY_HEADER", "h")];
    let said = "signing in (managed_identity): 400 No User Assigned or Delegated Managed Identity found.";
    assert_eq!(in_a_child("managed", &platform).await, said);
}

#[tokio::test]
async fn a_workload_identity_exchanges_its_service_accounts_token() {
    let fixture = include_str!("../../../tests/fixtures/graph/workload-identity-token.json");
    let server = Server::start(move |_| Reply::ok(fixture)).await;
    let federated = file("federated-token");
    let pod = [
        ("AZURE_AUTHORITY_HOST", server.url.as_str()),
        ("AZURE_FEDERATED_TOKEN_FILE", federated.path().to_str().unwrap()),
        ("AZURE_TENANT_ID", "contoso"),
        ("AZURE_CLIENT_ID", "pod"),
    ];
    assert_eq!(in_a_child("workload", &pod).await, "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.bWFkZS11cA.");
    let asked = &server.asked("/contoso/oauth2/v2.0/token")[0];
    assert!(asked.body.contains("client_assertion=federated-token") && asked.body.contains("client_id=pod"));
    let said = in_a_child("workload", &pod[..1]).await;
    assert!(said.starts_with("azure: no tenant ID specified"), "{said}");
}

#[tokio::test]
async fn the_azure_cli_is_asked_for_the_clouds_audience() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let az = folder.path().join("az");
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let install = |script: &str| {
        std::fs::write(&az, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    install(r#"echo "{\"accessToken\":\"cli $*\",\"expires_on\":4102444800,\"tokenType\":\"Bearer\"}""#);
    let asked =
        "account get-access-token -o json --scope https://microsoftgraph.chinacloudapi.cn/.default --tenant contoso";
    assert_eq!(in_a_child("cli", &[("PATH", &path)]).await, format!("Bearer cli {asked}"));
    install("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    let said = "signing in (azure_cli): ERROR: Please run 'az login' to setup account.";
    assert_eq!(in_a_child("cli", &[("PATH", &path)]).await, said);
}
