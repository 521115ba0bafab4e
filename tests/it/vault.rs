//! What a key vault keeps: from its lists to the mail, and what happens when it says no.

use crate::desk::Desk;
use crate::support::{ONE_TEAM, Place, TestWatcher, at_eight};
use expiry_watch::clock::Clock;
use expiry_watch::demo::{Directory, Fault, Vault, Version};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const SOURCE: &str = r#"
    [sources.vault]
    type = "key_vault"
    vault_url = "http://127.0.0.1:9"
    stale_after = "30h"
"#;

fn after(now: Timestamp, days: i64) -> Timestamp {
    now + SignedDuration::from_hours(24 * days)
}

/// An entry that was put there half a year before it ends.
fn ends_in(now: Timestamp, days: i64) -> Version {
    Version::created(after(now, days - 180)).from(after(now, days - 180)).until(after(now, days))
}

#[tokio::test]
async fn a_date_in_a_vault_is_told_through_an_outage_and_a_new_version_ends_it() {
    let now = at_eight("2026-11-21");
    let vault = Vault::new();
    vault.secret("carrier-password", ends_in(now, 14));
    vault.secret("dateless", Version::created(now));
    vault.certificate("gateway", ends_in(now, 100));
    let more = format!("{SOURCE}{ONE_TEAM}");
    let place = Place::with(Directory::new(), "2026-11-21", &more, |options| options.vault = vault.clone()).await;
    let mut watcher = TestWatcher::at(place).await;
    let mut told = watcher.day("2026-11-21").await;
    assert_eq!(watcher.process.cycle.inventory().entries().len(), 3);
    vault.always("/certificates", Fault::Refusal { status: 403, code: "ForbiddenByFirewall" });
    told.extend(watcher.days("2026-11-22", 7).await);
    assert_eq!(watcher.process.cycle.inventory().entries().len(), 3, "half a vault is no snapshot");
    let mail = watcher.last_to(crate::support::OPS);
    assert!(mail.text().contains("the vault's firewall"), "{}", mail.text());
    vault.heal();
    vault.secret("carrier-password", ends_in(after(now, 8), 180));
    told.extend(watcher.days("2026-11-29", 30).await);
    assert!(told.contains(&"2026-11-28 ccaas-ops: expiring 7d, source_stale stale+5d".to_owned()), "{told:?}");
    let quiet_but_for_the_outage: Vec<&String> = told.iter().filter(|line| !line.contains("stale+")).collect();
    assert_eq!(
        quiet_but_for_the_outage,
        [
            "2026-11-21 ccaas-ops: expiring 14d",
            "2026-11-23 ccaas-ops: source_stale stale",
            "2026-11-29 ccaas-ops: resolved, resolved",
        ]
    );
    assert!(watcher.tenant().values_asked().is_empty());
}

#[tokio::test]
async fn check_reads_a_vault_as_the_managed_identity_and_says_what_to_grant_where_it_may_not() {
    let desk = Desk::new(Directory::new(), "").await;
    desk.reconfigure(|config| {
        format!("{config}\n[sources.vault]\ntype = \"key_vault\"\nvault_url = \"{}\"\n", desk.tenant.vault_url())
    });
    let key = "52e98664-a50b-5791-82c6-49d4e5e72bcc";
    desk.tenant.vault().secret("api", ends_in(Clock::System.now(), 7).tag("keyId", key));
    let done = desk.run(&["check", "--format", "json"]).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let api = &report["credentials"][0];
    assert_eq!((&api["id"], &api["kind"]), (&"key_vault:secret:127.0.0.1/api".into(), &"vault_secret".into()));
    assert_eq!((&api["holder_id"], &api["app_id"]), (&"127.0.0.1/api".into(), &Value::Null));
    assert_eq!((&api["verdict"]["code"], api["label"].as_str().unwrap().len()), (&"due".into(), 32));
    desk.tenant.vault().always("/secrets", Fault::Denied);
    let done = desk.run(&["check"]).await;
    assert_eq!(done.code, 3, "{}", done.err);
    assert!(done.err.contains("vault: GET /secrets page 1: 403 ForbiddenByRbac"), "{}", done.err);
    assert!(done.err.contains("grant Key Vault Reader on the vault, which cannot read values"), "{}", done.err);
    assert!(desk.tenant.values_asked().is_empty() && desk.tenant.wrong_vault_tokens().is_empty());
}
