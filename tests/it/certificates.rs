//! Certificates as issued, as served and as they lie in files: what is told when these are not the same.

use crate::support::{ONE_TEAM, OPS, Place, TestWatcher};
use expiry_watch::demo::{Bundle, CertCentral, Directory, Issued, Order};
use jiff::civil::date;

const NAME: &str = "conference.example.ca";
const OTHER: &str = "management.example.ca";

const ISSUED_AND_SERVED: &str = r#"
    [sources.certcentral]
    type = "digicert"
    url = "http://127.0.0.1:9"
    api_key = { env = "REPLACED_BY_THE_TEST" }
"#;

const SERVED: &str = r#"
    [sources.nodes]
    type = "tls"
    targets = [
        { host = "127.0.0.1", port = 9, server_name = "conference.example.ca" },
        { host = "127.0.0.1", port = 9, server_name = "management.example.ca" },
    ]
    stale_after = "30h"
    [defaults]
    teams = [ "ccaas" ]
    remind_certificates = [ "14d" ]
"#;

fn old() -> Issued {
    Issued::new(1, 11, NAME, date(2026, 9, 1), date(2027, 3, 18))
}

fn new() -> Issued {
    Issued::new(2, 12, NAME, date(2026, 11, 20), date(2027, 6, 6))
}

fn other() -> Issued {
    Issued::new(3, 13, OTHER, date(2026, 11, 1), date(2027, 5, 18))
}

/// Two nodes; the first serves this.
async fn start(first: Bundle, more: &str, issued: &CertCentral) -> TestWatcher {
    let place = Place::with(Directory::new(), "2026-11-21", more, |options| {
        options.certcentral = issued.clone();
        options.nodes = vec![(NAME.to_owned(), first), (OTHER.to_owned(), Bundle::of(other()))];
    });
    TestWatcher::at(place.await).await
}

fn port(watcher: &TestWatcher) -> u16 {
    watcher.tenant().nodes().iter().find(|(name, _)| *name == NAME).unwrap().1
}

#[tokio::test]
async fn a_certificate_that_was_bought_and_not_installed_is_told_once_and_is_over_when_it_is_served() {
    let account = CertCentral::new();
    account.order(1, Order::of(old()));
    let mut watcher = start(Bundle::of(old()), &[ISSUED_AND_SERVED, SERVED].concat(), &account).await;
    let mut told = watcher.day("2026-11-21").await;
    account.order(2, Order::of(new()));
    told.extend(watcher.days("2026-11-22", 2).await);
    let mail = watcher.last_to(OPS);
    let node = format!("127.0.0.1:{}", port(&watcher));
    for fact in [NAME, &node, &old().serial, &new().serial, "2027-03-18", "2027-06-06"] {
        assert!(mail.text().contains(fact), "{fact}:\n{}", mail.text());
    }
    watcher.tenant().nodes().install(NAME, &Bundle::of(new())).unwrap();
    told.extend(watcher.days("2026-11-24", 30).await);
    assert_eq!(told, ["2026-11-22 ccaas-ops: not_deployed now", "2026-11-24 ccaas-ops: resolved"]);
}

#[tokio::test]
async fn a_node_that_forgot_the_intermediate_is_told_at_once_with_the_cause_until_it_is_mended() {
    let mut watcher = start(Bundle::of(new()).without_intermediate(), SERVED, &CertCentral::new()).await;
    let mut told = watcher.days("2026-11-21", 2).await;
    let mail = watcher.last_to(OPS);
    for fact in [NAME, "incomplete chain", "Simulated TLS CA"] {
        assert!(mail.text().contains(fact), "{fact}:\n{}", mail.text());
    }
    watcher.tenant().nodes().install(NAME, &Bundle::of(new())).unwrap();
    told.extend(watcher.days("2026-11-23", 2).await);
    assert_eq!(told, ["2026-11-21 ccaas-ops: untrusted now", "2026-11-23 ccaas-ops: resolved"]);
}

#[tokio::test]
async fn a_node_that_is_down_is_told_after_its_sources_patience_and_its_dates_go_on() {
    let ending = Issued { valid_till: date(2026, 12, 7), ..old() };
    let mut watcher = start(Bundle::of(ending), SERVED, &CertCentral::new()).await;
    let mut told = watcher.day("2026-11-21").await;
    watcher.tenant().nodes().stop(NAME).await.unwrap();
    told.extend(watcher.days("2026-11-22", 4).await);
    let mail = watcher.last_to(OPS);
    assert!(mail.text().contains("2026-12-07"), "the date that was read last:\n{}", mail.text());
    watcher.tenant().nodes().restart(NAME).await.unwrap();
    told.extend(watcher.days("2026-11-26", 2).await);
    assert_eq!(
        told,
        [
            "2026-11-23 ccaas-ops: expiring 14d",
            "2026-11-24 ccaas-ops: unreachable now",
            "2026-11-26 ccaas-ops: resolved"
        ]
    );
}

#[tokio::test]
async fn a_file_is_watched_replaced_and_emptied() {
    let more =
        format!("[sources.local]\ntype = \"files\"\npaths = [\"FOLDER/*.pem\"]\nstale_after = \"30h\"\n{ONE_TEAM}");
    let mut place = Place::with(Directory::new(), "2026-11-21", &more, |_| {}).await;
    let folder = place.path("certificates");
    std::fs::create_dir(&folder).unwrap();
    place.reconfigure(|config| config.replace("FOLDER", folder.to_str().unwrap()));
    let mut watcher = TestWatcher::at(place).await;
    let put = |watcher: &TestWatcher, file: &str, issued: Issued| {
        let pem = watcher.tenant().nodes().pem(&Bundle::of(issued)).unwrap();
        std::fs::write(folder.join(file), pem).unwrap();
    };
    put(&watcher, "other.pem", other());
    put(&watcher, "proxy.pem", Issued { valid_till: date(2026, 12, 5), ..old() });
    let mut told = watcher.days("2026-11-21", 2).await;
    put(&watcher, "proxy.pem", new());
    told.extend(watcher.days("2026-11-23", 2).await);
    std::fs::write(folder.join("proxy.pem"), "").unwrap();
    told.extend(watcher.days("2026-11-25", 4).await);
    put(&watcher, "proxy.pem", new());
    told.extend(watcher.days("2026-11-29", 2).await);
    assert_eq!(
        told,
        [
            "2026-11-21 ccaas-ops: expiring 16%",
            "2026-11-23 ccaas-ops: resolved",
            "2026-11-27 ccaas-ops: unreachable now",
            "2026-11-29 ccaas-ops: resolved"
        ]
    );
    let key = watcher.tenant().nodes().pem(&Bundle::of(new())).unwrap();
    watcher.assert_nothing_leaked(&[key.lines().nth(1).unwrap().to_owned()].into()).await;
}
