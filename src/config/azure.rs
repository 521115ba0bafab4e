//! `[azure]`: how the service signs in, and to which cloud.

use super::read::{Item, Table};
use super::value::SECRET;
use super::{Azure, AzureCredential, Cloud, SecretRef};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ManagedIdentity,
    WorkloadIdentity,
    AzureCli,
    ClientSecret,
    ClientCertificate,
}

const WAYS: &[(&str, Way)] = &[
    ("managed_identity", Way::ManagedIdentity),
    ("workload_identity", Way::WorkloadIdentity),
    ("azure_cli", Way::AzureCli),
    ("client_secret", Way::ClientSecret),
    ("client_certificate", Way::ClientCertificate),
];

const CLOUDS: &[(&str, Cloud)] =
    &[("public", Cloud::Public), ("us_gov", Cloud::UsGov), ("us_dod", Cloud::UsDod), ("china", Cloud::China)];

const GUID: &str = "\"00000000-0000-0000-0000-000000000000\"";

pub(super) fn azure(t: &Table) -> Azure {
    let cloud = t.get("cloud").and_then(|item| item.choice(CLOUDS)).unwrap_or_default();
    let way = t.need("credential", "\"managed_identity\"").and_then(|item| item.choice(WAYS));
    let given = ["client_id", "tenant_id", "client_secret", "client_certificate"].map(|key| t.get(key));
    Azure { cloud, credential: way.and_then(|way| credential(t, way, given)) }
}

/// What signing in that way takes from the keys that are given. Those it has no use for are checked all the same, with a warning.
fn credential(t: &Table, way: Way, given: [Option<Item>; 4]) -> Option<AzureCredential> {
    let [client_id, tenant_id, secret, certificate] = given;
    let with_client = way != Way::AzureCli;
    let with_tenant = way != Way::ManagedIdentity;
    warn_unused(&client_id, with_client);
    warn_unused(&tenant_id, with_tenant);
    warn_unused(&secret, way == Way::ClientSecret);
    warn_unused(&certificate, way == Way::ClientCertificate);
    let word = |item: Option<Item>| item.and_then(|item| item.plain_word(GUID));
    let kept = |item: Option<Item>| item.and_then(|item: Item| item.secret());
    let required = matches!(way, Way::ClientSecret | Way::ClientCertificate);
    note_missing(t, "client_id", required && client_id.is_none(), GUID);
    note_missing(t, "tenant_id", required && tenant_id.is_none(), GUID);
    note_missing(t, "client_secret", way == Way::ClientSecret && secret.is_none(), SECRET);
    note_missing(t, "client_certificate", way == Way::ClientCertificate && certificate.is_none(), SECRET);
    let (client_id, tenant_id) = (word(client_id), word(tenant_id));
    let (secret, pem): (Option<SecretRef>, Option<SecretRef>) = (kept(secret), kept(certificate));
    Some(match way {
        Way::ManagedIdentity => AzureCredential::ManagedIdentity { client_id },
        Way::WorkloadIdentity => AzureCredential::WorkloadIdentity { client_id, tenant_id },
        Way::AzureCli => AzureCredential::AzureCli { tenant_id },
        Way::ClientSecret => {
            AzureCredential::ClientSecret { tenant_id: tenant_id?, client_id: client_id?, secret: secret? }
        }
        Way::ClientCertificate => {
            AzureCredential::ClientCertificate { tenant_id: tenant_id?, client_id: client_id?, pem: pem? }
        }
    })
}

fn warn_unused(item: &Option<Item>, used: bool) {
    if let Some(item) = item.as_ref().filter(|_| !used) {
        item.place.warn("this `credential` has no use for it");
    }
}

fn note_missing(t: &Table, key: &str, missing: bool, example: &str) {
    if missing {
        t.at(key).problem("is missing: this `credential` needs it", example);
    }
}
