//! The report of last uses and the owners, as the real ones answer.

use super::{Visitor, standing_clock};
use crate::demo::{Directory, Fault, Options, Place, Secret};
use jiff::SignedDuration;
use serde_json::{Value, json};

const REPORT: &str = "/beta/reports/appCredentialSignInActivities";

#[tokio::test]
async fn a_secret_stands_in_the_report_once_it_has_been_used_with_its_date_as_it_was_given() {
    let directory = Directory::new();
    let application = directory.application("billing").app_id("a1").with_object_id("o1");
    application.clone().secret(Secret::labelled("one").key_id("k1").used("2026-11-20T00:00:00-8:00"));
    application.clone().secret(Secret::labelled("two").key_id("k2"));
    directory.service_principal("kiosk").secret(Secret::unlabelled().key_id("k3").used("2026-11-19"));
    let visitor = Visitor::of(directory, Options { report_page: 1, ..Options::default() }).await;
    let (rows, pages) = visitor.listing(REPORT).await;
    let facts = |row: &Value| {
        let at = row["signInActivity"]["lastSignInDateTime"].as_str().unwrap();
        format!("{} {} {at}", row["keyId"].as_str().unwrap(), row["credentialOrigin"].as_str().unwrap())
    };
    let rows: Vec<String> = rows.iter().map(facts).collect();
    assert_eq!(rows, ["k1 application 2026-11-20T00:00:00-8:00", "k3 servicePrincipal 2026-11-19T00:00:00Z"]);
    assert_eq!(pages, 2);
    application.used("k2", "2026-11-21T00:00:00Z");
    assert_eq!(visitor.listing(REPORT).await.0.len(), 3);
}

#[tokio::test]
async fn the_sixth_request_in_ten_seconds_is_told_to_wait_and_a_tenant_without_licence_is_refused() {
    let (clock, options) = standing_clock();
    let visitor = Visitor::of(Directory::new(), options).await;
    let url = visitor.url(REPORT);
    for _ in 0..5 {
        visitor.page(&url).await;
    }
    clock.advance(SignedDuration::from_secs(3));
    let refused = visitor.get(&url).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    visitor.page(&visitor.url("/v1.0/applications")).await;
    clock.advance(SignedDuration::from_secs(7));
    visitor.tenant.faults().next(Place::Report, Fault::NoLicence);
    let refused = visitor.get(&url).await;
    assert_eq!(refused.status(), 403);
    let code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant";
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], code);
    visitor.page(&url).await;
}

#[tokio::test]
async fn owners_come_in_pages_and_with_their_id_alone_to_those_who_may_not_read_users() {
    let directory = Directory::new();
    let application = directory.application("billing").with_object_id("o1").owner("a@example.ca");
    application.owner_without_mail().owned_by_principal();
    directory.service_principal("kiosk").with_object_id("p1");
    let visitor = Visitor::of(directory, Options { owners_page: 2, ..Options::default() }).await;
    let facts = async || {
        let (owners, pages) = visitor.listing("/v1.0/applications/o1/owners?$select=id,displayName,mail").await;
        assert_eq!(pages, 2);
        let fact = |owner: &Value| json!([owner["@odata.type"], owner["displayName"], owner["mail"]]);
        owners.iter().map(fact).collect::<Vec<_>>()
    };
    let (user, principal) = ("#microsoft.graph.user", "#microsoft.graph.servicePrincipal");
    let pipeline = json!([principal, "deployment-pipeline", null]);
    let seen = [json!([user, "Owner 0", "a@example.ca"]), json!([user, "Owner 1", null]), pipeline.clone()];
    assert_eq!(facts().await, seen);
    visitor.tenant.faults().hide_users(true);
    assert_eq!(facts().await, [json!([user, null, null]), json!([user, null, null]), pipeline]);
    assert_eq!(visitor.listing("/v1.0/servicePrincipals/p1/owners").await, (vec![], 1));
    let gone = visitor.get(&visitor.url("/v1.0/applications/p1/owners")).await;
    assert_eq!(gone.status(), 404);
}
