//! The simulated key vault, seen with a plain client, and read by the source that is made for the real one.

use super::{noon, standing_clock};
use crate::clock::{Clock, ManualClock};
use crate::config::{self, AzureCredential, Config, SecretRef, System};
use crate::demo::{Directory, Fault, Options, Place, Tenant, Vault, Version, scenario};
use crate::domain::{Credential, Mark};
use crate::sources::{Patience, Source, Surroundings};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use tempfile::NamedTempFile;

/// A tenant with a vault, and the source over it.
struct Reader {
    tenant: Tenant,
    source: Source,
    clock: ManualClock,
    _secret: NamedTempFile,
}

impl Reader {
    async fn of(vault: Vault) -> Self {
        let (clock, options) = standing_clock();
        let tenant = Tenant::start(Directory::new(), Options { vault, ..options }).await.unwrap();
        let mut secret = NamedTempFile::new().unwrap();
        write!(secret, "{}", tenant.client_secret()).unwrap();
        let config = configuration(&tenant, SecretRef::File(secret.path().to_owned()));
        let surroundings = Surroundings { authority_host: Some(tenant.authority_url()) };
        let sources = Source::connect_from(&config, &Clock::Manual(clock.clone()), &surroundings).unwrap();
        Self { tenant, source: sources.into_iter().next().unwrap(), clock, _secret: secret }
    }

    async fn read(&self) -> Result<Vec<Credential>, String> {
        let read = self.source.read(Patience::SHORT, self.clock.now()).await.map_err(|error| error.to_string())?;
        Ok(read.iter().map(|credential| (**credential).clone()).collect())
    }

    /// What each entry's id ends in, without the host.
    async fn names(&self) -> BTreeSet<String> {
        let name = |credential: &Credential| credential.id.to_string().replace("127.0.0.1/", "");
        self.read().await.unwrap().iter().map(name).collect()
    }

    /// What must hold whatever happened: no value was asked for, and no token went astray.
    fn was_discreet(&self) {
        assert_eq!(self.tenant.values_asked(), Vec::<String>::new());
        assert_eq!(self.tenant.tokens_sent_elsewhere(), 0);
    }
}

fn configuration(tenant: &Tenant, secret: SecretRef) -> Config {
    let text =
        "[azure]\ncredential = \"azure_cli\"\n[sources.vault]\ntype = \"key_vault\"\nvault_url = \"http://localhost\"";
    let mut config = config::parse(text, "test.toml").unwrap();
    config.azure.credential = Some(AzureCredential::ClientSecret {
        tenant_id: tenant.tenant_id().to_owned(),
        client_id: tenant.client_id().to_owned(),
        secret,
    });
    let System::KeyVault(vault) = &mut config.sources[0].system else { panic!("{:?}", config.sources) };
    vault.vault_url = tenant.vault_url().parse().unwrap();
    config
}

fn day(days: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(24 * days)
}

/// A made, valid version.
fn version(from: i64, until: i64) -> Version {
    Version::created(day(from)).from(day(from)).until(day(until))
}

/// Three secrets, of which one is switched off, and a certificate with its shadow.
fn kept() -> Vault {
    let vault = Vault::new();
    vault.secret("api", version(-100, 80));
    vault.secret("api", version(-10, 170));
    vault.secret("api", version(-1, 179).disabled());
    vault.secret("dateless", Version::created(day(-900)));
    vault.secret("off", version(-900, -200).disabled());
    vault.certificate("gateway", version(-60, 120));
    vault
}

fn wanted() -> BTreeSet<String> {
    ["key_vault:secret:api", "key_vault:secret:dateless", "key_vault:certificate:gateway"].map(str::to_owned).into()
}

#[tokio::test]
async fn only_a_token_for_vaults_opens_and_refusals_look_like_the_real_ones() {
    let tenant = Tenant::start(Directory::new(), Options { vault: kept(), ..Options::default() }).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = async |resource: &str| {
        let url = format!("{}?resource={resource}&api-version=2019-08-01", tenant.identity_endpoint());
        let answer = client.get(url).header("X-IDENTITY-HEADER", tenant.identity_header()).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
    };
    let (vault, graph) = (token("https://vault.azure.net").await, token("https://graph.microsoft.com").await);
    let ask = async |path: &str, token: &str| {
        let url = format!("{}{path}", tenant.vault_url());
        let answer = client.get(url).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, body) = ask("/secrets?api-version=7.4&maxresults=2", &vault).await;
    assert_eq!((status, body["value"].as_array().unwrap().len()), (200, 2));
    let link = body["nextLink"].as_str().unwrap();
    assert!(link.starts_with(&format!("{}/secrets?", tenant.vault_url())) && link.contains("$skiptoken="), "{link}");
    let (_, body) = ask("/secrets?api-version=7.4", &vault).await;
    assert_eq!((body["value"][0]["managed"].as_bool(), &body["nextLink"]), (Some(true), &Value::Null));
    assert_eq!(body["value"][2]["attributes"]["exp"], Value::Null);
    for (path, token, status, code) in [
        ("/secrets?api-version=7.4", &*graph, 401, "Unauthorized"),
        ("/certificates?api-version=7.4", "made-up", 401, "Unauthorized"),
        ("/secrets", &vault, 400, "MissingApiVersionParameter"),
        ("/secrets?api-version=7.4&maxresults=26", &vault, 400, "BadParameter"),
        ("/secrets/none/versions?api-version=7.4", &vault, 404, "SecretNotFound"),
        ("/secrets/api?api-version=7.4", &vault, 403, "Forbidden"),
        ("/secrets/api/0123?api-version=7.4", &vault, 403, "Forbidden"),
    ] {
        let (got, body) = ask(path, token).await;
        assert_eq!((got, body["error"]["code"].as_str()), (status, Some(code)), "{path}");
    }
    assert_eq!((tenant.values_asked().len(), tenant.wrong_vault_tokens().len()), (2, 2));
    assert_eq!(tenant.vault_requests().len(), 9);
}

#[tokio::test]
async fn each_entry_is_its_newest_enabled_version_and_no_value_is_asked_for() {
    let reader = Reader::of(kept()).await;
    let read = reader.read().await.unwrap();
    let line = |c: &Credential| {
        let at = |at: Option<Timestamp>| at.map_or("-".to_owned(), |at| at.strftime("%F").to_string());
        format!("{} {} {} {} {}", c.kind, c.holder.id, c.holder.name, at(c.not_before), at(c.expires_at))
    };
    assert_eq!(
        read.iter().map(line).collect::<Vec<_>>(),
        [
            "vault_secret 127.0.0.1/api api 2026-11-11 2027-05-10",
            "vault_secret 127.0.0.1/dateless dateless - -",
            "vault_certificate 127.0.0.1/gateway gateway 2026-09-22 2027-03-21",
        ]
    );
    assert!(read.iter().all(|credential| credential.label.as_str().len() == 32 && credential.enabled));
    assert_eq!((reader.source.name().as_str(), reader.source.system()), ("vault", "key_vault"));
    // Two lists, and the versions of four entries: what is behind a certificate is not asked about.
    assert_eq!(reader.source.requests(), [("200".to_owned(), 6)]);
    assert!(reader.tenant.wrong_vault_tokens().is_empty());
    reader.was_discreet();
}

#[tokio::test]
async fn hundreds_of_entries_are_read_over_many_pages_and_few_at_a_time() {
    let vault = Vault::new();
    for n in 0..120 {
        vault.secret(&format!("s{n}"), version(-n, 100));
        vault.certificate(&format!("c{n}"), version(-n, 100));
    }
    for n in 0..60 {
        vault.secret("rotated-often", version(-n, 100 - n));
    }
    let reader = Reader::of(vault).await;
    let read = reader.read().await.unwrap();
    assert_eq!(read.len(), 241);
    let often = read.iter().find(|credential| credential.holder.name.as_str() == "rotated-often").unwrap();
    assert_eq!(often.not_before, Some(noon()));
    assert!(reader.tenant.vault_most_at_once() <= 8, "{}", reader.tenant.vault_most_at_once());
    let all = reader.tenant.vault_requests();
    assert_eq!(all.len(), 10 + 5 + 3 + 240, "all secrets, all certificates, and the versions of each");
    reader.tenant.vault().page_size(1);
    assert_eq!(reader.read().await.unwrap().len(), 241);
    reader.was_discreet();
}

#[tokio::test]
async fn faults_on_the_way_change_nothing_or_fail_the_read() {
    let reader = Reader::of(kept()).await;
    let vault = reader.tenant.vault();
    for fault in [
        Fault::Html502,
        Fault::CutOff,
        Fault::TooManyRequests { retry_after: None },
        Fault::TooManyRequests { retry_after: Some(3) },
        Fault::Unavailable { retry_after: None },
        Fault::Unauthorized,
    ] {
        vault.next(Fault::Pass);
        vault.next(fault.clone());
        assert_eq!(reader.names().await, wanted(), "{fault:?}");
    }
    let here = reader.tenant.vault_url();
    for (fault, said) in [
        (Fault::Denied, "403 ForbiddenByRbac, request-id "),
        (
            Fault::Refusal { status: 403, code: "ForbiddenByFirewall" },
            "the vault's firewall does not let this machine in",
        ),
        (Fault::Refusal { status: 403, code: "AccessDenied" }, "allow List for secrets and for certificates"),
        (Fault::TruncatedJson, "the answer is no page of a listing: it ends too early"),
        (Fault::RedirectTo(reader.tenant.elsewhere_url()), "redirects are refused, the token was sent nowhere else"),
        (Fault::NextLinkTo(reader.tenant.elsewhere_url()), "leads to another host; refused"),
        (Fault::NextLinkTo(here.replace("http:", "https:")), "leads to another host; refused"),
        (Fault::NextLinkTo(format!("{here}/secrets/api?x=")), "leads to something else than this list"),
        (Fault::Endless, "is larger than 4096 KiB"),
    ] {
        for path in ["/secrets", "/certificates", "/secrets/api/versions", "/certificates/gateway/versions"] {
            vault.always(path, fault.clone());
            let error = reader.read().await.unwrap_err();
            assert!(error.contains(said) && error.starts_with(&format!("GET {path} ")), "{path} {fault:?}: {error}");
            assert!(!reader.tenant.tokens_issued().iter().any(|token| error.contains(token)));
            vault.heal();
        }
    }
    assert!(reader.tenant.elsewhere_requests().is_empty());
    assert_eq!(reader.names().await, wanted());
    reader.was_discreet();
}

#[tokio::test]
async fn what_was_deleted_since_it_was_listed_is_left_out_and_the_rest_is_read() {
    let reader = Reader::of(kept()).await;
    let vault = reader.tenant.vault();
    vault.always("/secrets/api/versions", Fault::Refusal { status: 404, code: "SecretNotFound" });
    vault.always("/certificates/gateway/versions", Fault::Refusal { status: 404, code: "CertificateNotFound" });
    assert_eq!(reader.names().await, ["key_vault:secret:dateless".to_owned()].into());
    vault.heal();
    vault.always("/secrets", Fault::Refusal { status: 404, code: "SecretNotFound" });
    assert!(reader.read().await.unwrap_err().contains("404 SecretNotFound"), "a list is not deleted");
    vault.heal();
    vault.remove("api");
    assert_eq!(reader.names().await.len(), 2);
    vault.remove("dateless");
    vault.remove("off");
    vault.remove("gateway");
    assert!(reader.names().await.is_empty(), "an empty vault is a snapshot");
}

#[tokio::test]
async fn a_sign_in_that_fails_is_said_and_a_token_that_was_revoked_is_renewed() {
    let reader = Reader::of(kept()).await;
    assert_eq!(reader.names().await, wanted());
    reader.tenant.revoke_tokens();
    assert_eq!(reader.names().await, wanted());
    reader.tenant.revoke_tokens();
    reader.tenant.faults().always(Place::SignIn, Fault::Denied);
    let error = reader.read().await.unwrap_err();
    assert!(error.contains("signing in (client_secret"), "{error}");
}

#[tokio::test]
async fn the_mission_has_entries_that_agree_one_with_an_old_date_one_left_behind_and_one_without_a_date() {
    let directory = scenario::mission(noon());
    let reader = Reader::of(scenario::vault(noon(), &directory)).await;
    let read = reader.read().await.unwrap();
    let line = |c: &Credential| {
        let left =
            c.expires_at.map_or("-".to_owned(), |end| end.duration_since(noon()).as_hours().div_euclid(24).to_string());
        // Which of the application's secrets it says that it keeps, counted from 0.
        let keeps = c.mark.as_deref().map_or("nothing".to_owned(), |Mark { app_id, key_id }| {
            let keys = directory.find_application(&app_id.as_ref().unwrap().to_string()).key_ids();
            let key = key_id.as_ref().unwrap().to_string();
            keys.iter().position(|known| *known == key).map_or("?".to_owned(), |at| at.to_string())
        });
        format!("{} {left} {keeps}", c.holder.name)
    };
    assert_eq!(
        read.iter().map(line).collect::<Vec<_>>(),
        [
            "maxconf-api-edge 95 1",
            "maxconf-api-prod 88 0",
            "maxconf-api-test 50 1",
            "pexip-administration-prod 45 0",
            "pexip-administration-test 7 0",
            "sip-trunk-password - nothing",
            "maxconf-api-gateway 120 nothing",
        ]
    );
    reader.was_discreet();
}

#[test]
fn the_ends_of_time_are_no_reason_to_fall_over() {
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let _ = scenario::vault(now, &scenario::mission(now));
    }
}
