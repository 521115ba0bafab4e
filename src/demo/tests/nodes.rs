//! The nodes, looked at with the code that will look at real ones.

use super::*;
use crate::config::TlsTarget;
use crate::demo::{Bundle, scenario};
use crate::sources::tls::{DEFAULT_LIMIT, Served, Trust, Untrusted, probe_all};
use jiff::Timestamp;
use jiff::civil::Date;
use std::time::Duration;

fn now() -> Timestamp {
    "2026-11-21T20:00:00Z".parse().unwrap()
}

async fn start() -> Tenant {
    let certcentral = scenario::certificates(now());
    let nodes = scenario::nodes(&certcentral);
    let options = Options { certcentral, nodes, ..Options::default() };
    Tenant::start(Directory::new(), options).await.unwrap()
}

/// What each serves, in order; none from those that are down.
async fn look(tenant: &Tenant) -> Vec<Option<Served>> {
    let target = |(name, port): (&str, u16)| TlsTarget {
        host: "127.0.0.1".to_owned(),
        port,
        server_name: name.to_owned(),
        starttls: None,
    };
    let targets = tenant.nodes().iter().map(target).collect();
    let trust = Trust::only(tenant.nodes().roots_pem().as_bytes()).unwrap();
    let found = probe_all(targets, DEFAULT_LIMIT, Duration::from_secs(5), &trust, now()).await;
    found.into_iter().map(|(_, outcome)| outcome.ok()).collect()
}

/// The names, the serial and both ends of what is served, as the account writes them.
fn stated(served: &Served) -> (Vec<String>, String, Date, Timestamp) {
    let leaf = &served.leaf;
    let names = leaf.names.iter().map(ToString::to_string).collect();
    let from = leaf.not_before.unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
    (names, leaf.serial.to_string(), from, leaf.not_after.unwrap())
}

#[tokio::test]
async fn each_node_of_the_mission_serves_what_the_account_issued_and_two_have_a_story() {
    let tenant = start().await;
    let served: Vec<Served> = look(&tenant).await.into_iter().flatten().collect();
    let names: Vec<&str> = tenant.nodes().iter().map(|(name, _)| name).collect();
    let account = tenant.certcentral().certificates();
    assert_eq!(names.len(), served.len());
    for (name, served) in names.iter().zip(&served) {
        let oldest = account.iter().find(|issued| issued.names.first().unwrap() == name).unwrap();
        let end = oldest.valid_till.at(23, 59, 59, 0).in_tz("UTC").unwrap().timestamp();
        let wanted = (oldest.names.clone(), oldest.serial.clone(), oldest.valid_from, end);
        assert_eq!(stated(served), wanted, "{name}");
        let complete = *name != scenario::CONFERENCE_PROD;
        assert_eq!(served.chain_len, if complete { 2 } else { 1 }, "{name}");
        let incomplete = matches!(served.trust, Err(Untrusted::IncompleteChain { .. }));
        assert!(if complete { served.trust.is_ok() } else { incomplete }, "{name}: {:?}", served.trust);
    }
    let lagging = account.iter().filter(|issued| issued.names == [scenario::CONFERENCE_TEST]);
    assert_eq!(lagging.count(), 2, "a newer one was issued");
}

#[tokio::test]
async fn what_is_installed_while_a_node_runs_or_is_down_is_served_from_then_on_and_is_the_same_wherever_it_is() {
    let tenant = start().await;
    let newest = tenant.certcentral().certificates().pop().unwrap();
    let thumbprint = |served: &[Option<Served>], at: usize| served[at].as_ref().map(|served| served.leaf.sha1);
    let before = look(&tenant).await;
    tenant.nodes().install(scenario::CONFERENCE_TEST, &Bundle::of(newest.clone())).unwrap();
    let installed = look(&tenant).await;
    assert_ne!(thumbprint(&before, 0), thumbprint(&installed, 0));
    tenant.nodes().stop(scenario::CONFERENCE_PROD).await.unwrap();
    tenant.nodes().install(scenario::CONFERENCE_PROD, &Bundle::of(newest.clone())).unwrap();
    let down = look(&tenant).await;
    assert!(down[1].is_none() && down[2].is_some());
    tenant.nodes().restart(scenario::CONFERENCE_PROD).await.unwrap();
    let back = look(&tenant).await;
    assert_eq!(thumbprint(&back, 1), thumbprint(&installed, 0), "one certificate on two nodes");
    assert!(matches!(back[1].as_ref().unwrap().trust, Err(Untrusted::WrongHost { .. })));
    let file = crate::sources::x509::parse_pem_bundle(tenant.nodes().pem(&Bundle::of(newest)).unwrap().as_bytes());
    assert_eq!(Some(file.certificates[0].sha1), thumbprint(&back, 1), "and in a file");
    assert!(
        tenant
            .nodes()
            .install("nobody.example.ca", &Bundle::of(tenant.certcentral().certificates()[0].clone()))
            .is_err()
    );
}

#[test]
fn the_ends_of_time_are_no_reason_to_fall_over_for_a_node_either() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for now in [Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let nodes = scenario::nodes(&scenario::certificates(now));
        let tenant = runtime.block_on(Tenant::start(Directory::new(), Options { nodes, ..Options::default() }));
        assert_eq!(tenant.unwrap().nodes().iter().count(), 4);
    }
}
