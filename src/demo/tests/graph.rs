//! Listings: pages, properties, throttling, faults, and changes while it runs.

use super::{Visitor, noon, standing_clock};
use crate::demo::{Certificate, Collection, Directory, Fault, KEY_BYTES, Options, Place, SamlCertificate, Secret};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

async fn with_generated(count: u32) -> Visitor {
    let directory = Directory::new();
    directory.fill(count, noon());
    Visitor::of(directory, Options::default()).await
}

#[tokio::test]
async fn pages_cover_every_object_once_whatever_their_size() {
    let visitor = with_generated(2_345).await;
    for (query, pages) in [("?$top=999", 3), ("?$top=999&$select=id,displayName", 3), ("", 24), ("?$top=335", 7)] {
        let (objects, came_on) = visitor.listing(&format!("/v1.0/applications{query}")).await;
        let ids: BTreeSet<&str> = objects.iter().map(|object| object["id"].as_str().unwrap()).collect();
        assert_eq!((objects.len(), ids.len(), came_on), (2_345, 2_345, pages), "{query}");
    }
    assert_eq!(visitor.listing("/v1.0/servicePrincipals").await, (vec![], 1));
    assert_eq!(visitor.tenant.requests_to("/v1.0/applications"), 3 + 3 + 24 + 7);
}

#[tokio::test]
async fn an_object_reads_as_the_real_one_does() {
    let directory = Directory::new();
    let secret = Secret::labelled("ci").key_id("k1").from("2026-06-01").until("2026-11-28T00:00:00.1234567Z");
    let application = directory.application("billing").app_id("a1").tags(&["team:x"]).secret(secret.hint(Some("x~1")));
    application.with_object_id("o1").certificate(Certificate::labelled("CN=b").key_id("k2").with_key_bytes());
    let visitor = Visitor::of(directory, Options::default()).await;
    let page =
        visitor.page(&visitor.url("/v1.0/applications?$select=id,appId,tags,passwordCredentials,keyCredentials")).await;
    assert_eq!(
        page["value"],
        json!([{
            "id": "o1", "appId": "a1", "tags": ["team:x"],
            "passwordCredentials": [{
                "customKeyIdentifier": null, "displayName": "ci", "endDateTime": "2026-11-28T00:00:00.1234567Z",
                "hint": "x~1", "keyId": "k1", "secretText": null, "startDateTime": "2026-06-01T00:00:00Z" }],
            "keyCredentials": [{
                "customKeyIdentifier": null, "displayName": "CN=b", "endDateTime": null, "key": KEY_BYTES, "keyId": "k2",
                "startDateTime": null, "type": "AsymmetricX509Cert", "usage": "Verify" }]
        }])
    );
    let everything = visitor.page(&visitor.url("/v1.0/applications")).await;
    assert_eq!(everything["value"][0]["displayName"], "billing");
    assert!(everything["@odata.context"].as_str().unwrap().ends_with("/v1.0/$metadata#applications"));
}

#[tokio::test]
async fn the_link_to_the_next_page_stands_before_the_objects() {
    let visitor = with_generated(3).await;
    let text = visitor.get(&visitor.url("/v1.0/applications?$top=2")).await.text().await.unwrap();
    assert!(text.find("@odata.nextLink").unwrap() < text.find("\"value\"").unwrap());
}

#[tokio::test]
async fn a_saml_certificate_is_three_entries_that_belong_together() {
    let directory = Directory::new();
    let active = SamlCertificate::new("sign-key", "2023-10-05", "2026-12-11").active();
    directory.service_principal("expenses").saml(&active).saml(&SamlCertificate::new(
        "next-key",
        "2026-09-01",
        "2029-09-01",
    ));
    let visitor = Visitor::of(directory, Options::default()).await;
    let (objects, _) = visitor.listing("/v1.0/servicePrincipals").await;
    let principal = &objects[0];
    assert_eq!(principal["preferredTokenSigningKeyEndDateTime"], "2026-12-11T00:00:00Z");
    let (keys, passwords) = (&principal["keyCredentials"], &principal["passwordCredentials"]);
    assert_eq!((keys.as_array().unwrap().len(), passwords.as_array().unwrap().len()), (4, 2));
    assert_eq!([&keys[0]["usage"], &keys[1]["usage"]], ["Verify", "Sign"]);
    let shared = &passwords[0]["customKeyIdentifier"];
    assert_eq!(shared.as_str().unwrap().len(), 44);
    assert_eq!([&keys[0]["customKeyIdentifier"], &keys[1]["customKeyIdentifier"]], [shared, shared]);
    assert_eq!(keys[1]["keyId"], passwords[0]["keyId"]);
    assert_ne!(keys[0]["keyId"], keys[1]["keyId"]);
}

#[tokio::test]
async fn a_change_shows_in_the_next_answer() {
    let directory = Directory::new();
    directory.application("billing").app_id("a1").with_principal();
    let visitor = Visitor::of(directory.clone(), Options::default()).await;
    let key_ids = async || {
        let (objects, _) = visitor.listing("/v1.0/applications").await;
        let secrets = objects.first().map(|object| object["passwordCredentials"].as_array().unwrap().clone());
        secrets
            .unwrap_or_default()
            .iter()
            .map(|secret| secret["keyId"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    directory.add_secret("a1", Secret::labelled("one").key_id("k1"));
    directory.add_secret("billing", Secret::labelled("two").key_id("k2"));
    assert_eq!(key_ids().await, ["k1", "k2"]);
    directory.remove_secret("a1", "k1");
    assert_eq!(key_ids().await, ["k2"]);
    directory.find_application("a1").rename("invoicing");
    directory.find_principal("a1").enabled(false);
    assert_eq!(visitor.listing("/v1.0/applications").await.0[0]["displayName"], "invoicing");
    assert_eq!(visitor.listing("/v1.0/servicePrincipals").await.0[0]["accountEnabled"], false);
    directory.remove_application("invoicing");
    assert_eq!(directory.count(Collection::ServicePrincipals), 0);
    assert_eq!(visitor.listing("/v1.0/applications").await, (vec![], 1));
}

#[tokio::test]
async fn the_151st_request_in_a_minute_is_told_to_wait() {
    let (clock, options) = standing_clock();
    let visitor = Visitor::of(Directory::new(), options).await;
    let url = visitor.url("/v1.0/applications");
    for _ in 0..150 {
        visitor.page(&url).await;
    }
    clock.advance(SignedDuration::from_secs(18));
    let refused = visitor.get(&url).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"42".parse().unwrap()));
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "TooManyRequests");
    visitor.page(&visitor.url("/v1.0/servicePrincipals")).await;
    clock.advance(SignedDuration::from_secs(42));
    visitor.page(&url).await;
}

#[tokio::test]
async fn a_refusal_has_the_status_and_code_of_the_real_one_and_strikes_once() {
    let visitor = with_generated(3).await;
    let url = visitor.url("/v1.0/applications");
    for (fault, status, code, retry_after) in [
        (Fault::TooManyRequests { retry_after: Some(7) }, 429, "TooManyRequests", Some("7")),
        (Fault::TooManyRequests { retry_after: None }, 429, "TooManyRequests", None),
        (Fault::Unavailable { retry_after: Some(3) }, 503, "ServiceUnavailable", Some("3")),
        (Fault::Unauthorized, 401, "InvalidAuthenticationToken", None),
        (Fault::Denied, 403, "Authorization_RequestDenied", None),
        (Fault::ExpiredPageToken, 400, "Directory_ExpiredPageToken", None),
        (Fault::Refusal { status: 504, code: "Timeout" }, 504, "Timeout", None),
    ] {
        visitor.tenant.faults().next(Place::Applications, fault);
        let answer = visitor.get(&url).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers().get("retry-after").map(|value| value.to_str().unwrap()), retry_after);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], code);
        visitor.page(&url).await;
    }
    assert_eq!(visitor.tenant.faults().unmet(), 0);
}

#[tokio::test]
async fn a_script_strikes_the_requests_that_it_names() {
    let visitor = with_generated(3).await;
    let (faults, url) = (visitor.tenant.faults(), visitor.url("/v1.0/applications"));
    faults.next(Place::Applications, Fault::Pass);
    faults.next_times(2, Place::Applications, &Fault::Denied);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(visitor.get(&url).await.status().as_u16());
    }
    assert_eq!(seen, [200, 403, 403, 200]);
    faults.always(Place::Applications, Fault::Denied);
    visitor.tenant.graph_down(true);
    assert_eq!(visitor.get(&url).await.status(), 503);
    visitor.tenant.graph_down(false);
    assert_eq!(visitor.get(&url).await.status(), 403);
    visitor.page(&visitor.url("/v1.0/servicePrincipals")).await;
    faults.heal(Place::Applications);
    visitor.page(&url).await;
}

#[tokio::test]
async fn a_body_can_be_cut_off_truncated_html_or_without_end() {
    let visitor = with_generated(300).await;
    let (faults, url) = (visitor.tenant.faults(), visitor.url("/v1.0/applications"));
    let whole = visitor.get(&url).await.bytes().await.unwrap();
    faults.next(Place::Applications, Fault::CutOff);
    let mut answer = visitor.get(&url).await;
    let mut got = 0;
    let ended = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => got += chunk.len(),
            other => break other.map(|_| ()),
        }
    };
    assert!(ended.is_err(), "the end of the connection must show");
    assert_eq!(got, whole.len() / 2);
    faults.next(Place::Applications, Fault::TruncatedJson);
    let half = visitor.get(&url).await.bytes().await.unwrap();
    assert_eq!(half, whole[..whole.len() / 2]);
    faults.next(Place::Applications, Fault::Html502);
    let gateway = visitor.get(&url).await;
    assert_eq!(gateway.status(), 502);
    assert!(gateway.text().await.unwrap().contains("<h1>502 Bad Gateway</h1>"));
    faults.next(Place::Applications, Fault::Endless);
    let mut endless = visitor.get(&url).await;
    let mut read = 0;
    while read < 8 << 20 {
        read += endless.chunk().await.unwrap().expect("there is always more").len();
    }
}

#[tokio::test]
async fn an_empty_page_leads_on_to_where_the_listing_stood() {
    let visitor = with_generated(5).await;
    let first = visitor.page(&visitor.url("/v1.0/applications?$top=2")).await;
    visitor.tenant.faults().next(Place::Applications, Fault::EmptyPage);
    let empty = visitor.page(first["@odata.nextLink"].as_str().unwrap()).await;
    assert_eq!(empty["value"], json!([]));
    let second = visitor.page(empty["@odata.nextLink"].as_str().unwrap()).await;
    assert_eq!(second["value"].as_array().unwrap().len(), 2);
    assert_ne!(first["value"][0]["id"], second["value"][0]["id"]);
    visitor.tenant.faults().next(Place::Applications, Fault::EmptyPage);
    let (objects, pages) = visitor.listing("/v1.0/applications?$top=2").await;
    assert_eq!((objects.len(), pages), (5, 4), "an empty first page leads to the first object");
}

#[tokio::test]
async fn links_and_redirects_to_another_host_are_noticed_when_they_are_followed() {
    let visitor = with_generated(5).await;
    let (faults, elsewhere) = (visitor.tenant.faults(), visitor.tenant.elsewhere_url());
    faults.next(Place::Applications, Fault::NextLinkTo(elsewhere.clone()));
    let page = visitor.page(&visitor.url("/v1.0/applications")).await;
    let link = page["@odata.nextLink"].as_str().unwrap();
    assert!(link.starts_with(&format!("{elsewhere}/v1.0/applications?$top=100&$skiptoken=")), "{link}");
    faults.next(Place::Applications, Fault::RedirectTo(format!("{elsewhere}/stolen")));
    let redirect = visitor.get(&visitor.url("/v1.0/applications")).await;
    assert_eq!(redirect.status(), 302);
    assert_eq!(visitor.tenant.elsewhere_requests(), [""; 0]);
    visitor.get(redirect.headers()["location"].to_str().unwrap()).await;
    assert_eq!(visitor.tenant.elsewhere_requests(), ["/stolen"]);
    assert_eq!(visitor.tenant.tokens_sent_elsewhere(), 1);
}

#[tokio::test]
async fn latency_and_slowness_take_real_time_and_silence_takes_for_ever() {
    let visitor = with_generated(1).await;
    let (faults, url) = (visitor.tenant.faults(), visitor.url("/v1.0/applications"));
    faults.latency(Duration::from_millis(15));
    let start = std::time::Instant::now();
    visitor.page(&url).await;
    faults.latency(Duration::ZERO);
    faults.next(Place::Applications, Fault::Slow(Duration::from_millis(15)));
    visitor.page(&url).await;
    assert!(start.elapsed() >= Duration::from_millis(30));
    faults.next(Place::Applications, Fault::Silence);
    let silent = tokio::time::timeout(Duration::from_millis(50), visitor.get(&url)).await;
    assert!(silent.is_err());
}

#[tokio::test]
async fn a_page_is_compressed_for_those_who_accept_it() {
    let visitor = with_generated(300).await;
    let url = visitor.url("/v1.0/applications");
    let as_it_comes = reqwest::Client::builder().no_gzip().no_proxy().build().unwrap();
    let ask = async |encoding: &str| {
        let request = as_it_comes.get(&url).bearer_auth(&visitor.token).header("accept-encoding", encoding);
        let answer = request.send().await.unwrap();
        (answer.headers().get("content-encoding").cloned(), answer.bytes().await.unwrap())
    };
    let (encoding, plain) = ask("identity").await;
    assert_eq!(encoding, None);
    let (encoding, packed) = ask("gzip, br").await;
    assert_eq!(encoding.unwrap(), "gzip");
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    assert!(packed.len() * 3 < plain.len());
}

#[tokio::test]
async fn a_page_size_or_page_token_that_graph_does_not_know_is_refused() {
    let visitor = with_generated(1).await;
    for (query, code) in [
        ("$top=1000", "Request_UnsupportedQuery"),
        ("$top=0", "Request_UnsupportedQuery"),
        ("$skiptoken=mine", "Directory_ExpiredPageToken"),
    ] {
        let answer = visitor.get(&visitor.url(&format!("/v1.0/applications?{query}"))).await;
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], code);
    }
    assert_eq!(visitor.get(&visitor.url("/v1.0/users")).await.status(), 404);
}

#[test]
#[should_panic(expected = "2 applications in the simulated directory are called \"twin\"")]
fn a_script_that_names_two_things_at_once_is_stopped() {
    let directory = Directory::new();
    directory.application("twin");
    directory.application("twin");
    let _ = directory.find_application("twin");
}

#[test]
fn generated_applications_are_the_same_every_time_and_differ_from_each_other() {
    let made = || {
        let directory = Directory::new();
        directory.fill(1_000, noon());
        directory
    };
    assert_eq!(made().count(Collection::Applications), 1_000);
    assert_eq!(made().hints(), made().hints());
}
