//! The simulated DigiCert account, seen with a plain client, and read by the source that is made for the real one.

use super::noon;
use crate::clock::{Clock, ManualClock};
use crate::config::{self, Config, SecretRef, System};
use crate::demo::{CertCentral, Directory, Fault, Issued, Options, Order, Tenant, scenario};
use crate::domain::Credential;
use crate::sources::{Patience, Source, Surroundings};
use jiff::civil::{Date, date};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use tempfile::NamedTempFile;

/// A tenant with an account, and the source over it.
struct Reader {
    tenant: Tenant,
    source: Source,
    clock: ManualClock,
    _key: NamedTempFile,
}

impl Reader {
    async fn of(central: CertCentral) -> Self {
        let clock = ManualClock::at(noon());
        let options = Options { certcentral: central, clock: Clock::Manual(clock.clone()), ..Options::default() };
        let tenant = Tenant::start(Directory::new(), options).await.unwrap();
        let mut key = NamedTempFile::new().unwrap();
        write!(key, "{}", tenant.certcentral().key()).unwrap();
        let config = configuration(&tenant, SecretRef::File(key.path().to_owned()));
        let sources = Source::connect_from(&config, &Clock::Manual(clock.clone()), &Surroundings::default()).unwrap();
        Self { tenant, source: sources.into_iter().next().unwrap(), clock, _key: key }
    }

    async fn read(&self) -> Result<Vec<Credential>, String> {
        let read = self.source.read(Patience::LONG, self.clock.now()).await.map_err(|error| error.to_string())?;
        Ok(read.iter().map(|credential| (**credential).clone()).collect())
    }

    async fn ids(&self) -> BTreeSet<String> {
        self.read().await.unwrap().iter().map(|credential| credential.id.to_string()).collect()
    }

    fn wanted(&self) -> BTreeSet<String> {
        let id = |issued: &Issued| format!("digicert:{}:{}", issued.order, issued.id);
        self.tenant.certcentral().certificates().iter().map(id).collect()
    }
}

fn configuration(tenant: &Tenant, api_key: SecretRef) -> Config {
    let text = "[sources.certcentral]\ntype = \"digicert\"\napi_key = { env = \"NONE\" }";
    let mut config = config::parse(text, "test.toml").unwrap();
    let System::Digicert(digicert) = &mut config.sources[0].system else { panic!("{:?}", config.sources) };
    digicert.url = tenant.certcentral_url().parse().unwrap();
    digicert.api_key = api_key;
    config
}

const FROM: Date = date(2026, 10, 1);
const TILL: Date = date(2027, 4, 17);

fn issued(order: u64, id: u64) -> Issued {
    Issued::new(order, id, &format!("n{order}.example.ca"), FROM, TILL)
}

/// One order with everything beside its certificate, one without, one that waits.
fn account() -> CertCentral {
    let central = CertCentral::new();
    central.order(1, Order::of(issued(1, 11)).reissue(issued(1, 12)).duplicate(issued(1, 13)));
    central.order(2, Order::of(issued(2, 21)).status("expired"));
    central.order(3, Order::pending());
    central
}

#[tokio::test]
async fn only_the_key_opens_and_refusals_look_like_the_real_ones() {
    let tenant =
        Tenant::start(Directory::new(), Options { certcentral: account(), ..Options::default() }).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |path: &str, key: &str| {
        let url = format!("{}/order/certificate{path}", tenant.certcentral_url());
        let answer = client.get(url).header("X-DC-DEVKEY", key).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let key = tenant.certcentral().key();
    let (status, body) = ask("?limit=2&offset=0", &key).await;
    assert_eq!((status, body["orders"].as_array().unwrap().len()), (200, 2));
    assert_eq!(body["orders"][0]["is_multi_year_plan"], "1");
    assert_eq!(ask("/1/duplicate", &key).await.1["certificates"][0]["archived"], "0");
    assert_eq!(ask("/1/reissue", &key).await.1["certificates"][0]["archived"], 0);
    let (status, body) = ask("/9/duplicate", &key).await;
    assert_eq!((status, &body["errors"][0]["code"]), (404, &"not_found|order".into()));
    let (status, body) = ask("", "another").await;
    assert_eq!((status, &body["errors"][0]["code"]), (403, &"access_denied|invalid_api_key".into()));
    assert_eq!((tenant.wrong_keys().len(), tenant.certcentral_requests().len()), (1, 5));
    assert_eq!(tenant.request_count(), 0, "Graph's counts are Graph's");
}

#[tokio::test]
async fn every_certificate_of_an_account_is_read_whatever_the_listing_says_of_its_length() {
    let reader = Reader::of(account()).await;
    for (page, total) in [(1000, None), (1, Some(0)), (2, Some(1)), (2, Some(1_000_000))] {
        reader.tenant.certcentral().page_size(page);
        reader.tenant.certcentral().total_says(total);
        assert_eq!(reader.ids().await, reader.wanted(), "{page} {total:?}");
    }
    assert!(reader.tenant.wrong_keys().is_empty());
}

#[tokio::test]
async fn faults_on_the_way_change_nothing_or_fail_the_read() {
    let reader = Reader::of(account()).await;
    let central = reader.tenant.certcentral();
    for fault in [Fault::Html502, Fault::CutOff, Fault::TooManyRequests { retry_after: None }] {
        central.next(Fault::Pass);
        central.next(fault.clone());
        assert_eq!(reader.ids().await, reader.wanted(), "{fault:?}");
    }
    for fault in
        [Fault::Denied, Fault::TruncatedJson, Fault::RedirectTo(reader.tenant.elsewhere_url()), Fault::EmptyPage]
    {
        central.next(fault.clone());
        assert!(reader.read().await.is_err_and(|said| !said.contains(&central.key())), "{fault:?}");
    }
    assert!(reader.tenant.elsewhere_requests().is_empty());
    central.endless(true);
    assert!(reader.read().await.unwrap_err().contains("runs in a circle"));
    central.endless(false);
    central.set_key("another");
    assert!(reader.read().await.unwrap_err().contains("403 access_denied|invalid_api_key; check api_key"));
}

#[tokio::test]
async fn a_large_account_is_read_without_ever_being_told_to_slow_down() {
    let central = CertCentral::new();
    for id in 1..=1500 {
        central.order(id, Order::of(issued(id, 10 * id)).duplicate(issued(id, 10 * id + 1)));
    }
    let reader = Reader::of(central).await;
    assert_eq!(reader.ids().await, reader.wanted());
    assert_eq!(reader.source.requests(), [("200".to_owned(), 1503)]);
}

#[tokio::test]
async fn the_mission_has_four_names_of_which_one_was_renewed_under_another_order() {
    let reader = Reader::of(scenario::certificates(noon())).await;
    let read = reader.read().await.unwrap();
    let line = |c: &Credential| format!("{} {} {}", c.id, c.holder.name, c.expires_at.unwrap());
    assert_eq!(
        read.iter().map(line).collect::<Vec<_>>(),
        [
            "digicert:310001:710001 mgmt.test.vc.maxconf.ca 2026-11-26T23:59:59Z",
            "digicert:310002:710002 mgmt.vc.maxconf.ca 2027-04-20T23:59:59Z",
            "digicert:310003:710003 conference.test.vc.maxconf.ca 2026-12-11T23:59:59Z",
            "digicert:310004:710004 conference.vc.maxconf.ca 2027-03-01T23:59:59Z",
            "digicert:310005:710005 conference.test.vc.maxconf.ca 2027-06-01T23:59:59Z",
        ]
    );
    let serials: Vec<String> = read.iter().map(|c| c.x509.as_ref().unwrap().serial.to_string()).collect();
    let issued: Vec<String> = reader.tenant.certcentral().certificates().into_iter().map(|c| c.serial).collect();
    assert_eq!(serials, issued, "servers can be made that serve them");
    assert_eq!((&read[2].holder, &read[2].label), (&read[4].holder, &read[4].label));
}

#[test]
fn the_ends_of_time_are_no_reason_to_fall_over() {
    for now in [jiff::Timestamp::MIN, jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::MAX] {
        assert_eq!(scenario::certificates(now).certificates().len(), 5);
    }
}
