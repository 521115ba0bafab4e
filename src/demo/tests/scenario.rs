//! The demo's place has in it what the demo promises to show.

use super::{Visitor, noon};
use crate::demo::{Options, scenario};
use jiff::Timestamp;
use serde_json::Value;

/// Names, application ids and the days from now until each secret or certificate ends.
fn ends(object: &Value) -> Vec<i64> {
    let credentials = ["passwordCredentials", "keyCredentials"].map(|list| object[list].as_array().unwrap().clone());
    let end = |entry: &Value| entry["endDateTime"].as_str().unwrap().parse::<Timestamp>().unwrap();
    credentials
        .concat()
        .iter()
        .map(|entry| (end(entry) - noon()).total(jiff::Unit::Hour).unwrap() as i64 / 24)
        .collect()
}

#[tokio::test]
async fn the_mission_has_every_situation_in_it() {
    let visitor = Visitor::of(scenario::mission(noon()), Options::default()).await;
    let (applications, _) = visitor.listing("/v1.0/applications").await;
    let (principals, _) = visitor.listing("/v1.0/servicePrincipals").await;
    let found = |objects: &[Value], wanted: &str| -> Vec<Value> {
        let is = |object: &&Value| object["appId"] == wanted || object["displayName"] == wanted;
        objects.iter().filter(is).cloned().collect()
    };
    for (wanted, days) in [
        (scenario::PEXIP_TEST, vec![7]),
        (scenario::PEXIP_PROD, vec![45]),
        (scenario::API_EDGE, vec![5, 95]),
        (scenario::API_TEST, vec![50, 140]),
        (scenario::API_PROD, vec![88, 178]),
        ("carrier-status-export", vec![-1]),
        ("recording-archive", vec![-10, 341]),
        ("orphan-report-export", vec![12]),
        (scenario::HOSTILE_NAME, vec![25]),
        ("data-export (staged)", vec![194]),
        ("edge-gateway", vec![30]),
    ] {
        let [object] = &found(&applications, wanted)[..] else { panic!("{wanted} is not there exactly once") };
        assert_eq!(ends(object), days, "{wanted}");
    }
    assert_eq!(found(&applications, "sec_bcgov_v1").len(), 3);
    assert_eq!(found(&principals, "sec_bcgov_v1").len(), 3);
    assert!(found(&principals, scenario::PEXIP_TEST)[0]["passwordCredentials"].as_array().unwrap().is_empty());
    let forever = &found(&applications, "legacy-batch-job")[0]["passwordCredentials"][0];
    assert_eq!(forever["endDateTime"], "2299-12-31T00:00:00Z");
    assert_eq!(found(&principals, "retired-kiosk")[0]["accountEnabled"], false);
    assert_eq!(found(&principals, "id-maxconf-function")[0]["servicePrincipalType"], "ManagedIdentity");
    let saml = &found(&principals, "Northwind Expenses (SAML)")[0];
    assert_eq!(saml["preferredTokenSigningKeyEndDateTime"], "2026-12-11T16:00:00Z");
    assert_eq!(saml["keyCredentials"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn the_mission_shows_who_still_uses_what_and_owners_of_each_sort() {
    let visitor = Visitor::of(scenario::mission(noon()), Options::default()).await;
    let (rows, _) = visitor.listing("/beta/reports/appCredentialSignInActivities").await;
    let days = |row: &Value| {
        let used: Timestamp = row["signInActivity"]["lastSignInDateTime"].as_str().unwrap().parse().unwrap();
        (noon() - used).total(jiff::Unit::Hour).unwrap() as i64 / 24
    };
    let used_by = |app_id: &str| rows.iter().filter(|row| row["appId"] == app_id).map(days).collect::<Vec<_>>();
    assert_eq!(used_by(scenario::PEXIP_PROD).len(), 1);
    assert_eq!((used_by(scenario::API_EDGE).len(), used_by(scenario::API_TEST)), (1, vec![31, 0]));
    let (applications, _) = visitor.listing("/v1.0/applications").await;
    for (wanted, owners) in [(scenario::PEXIP_PROD, 2), (scenario::API_PROD, 1), ("orphan-report-export", 0)] {
        let is = |object: &&Value| object["appId"] == wanted || object["displayName"] == wanted;
        let id = applications.iter().find(is).unwrap()["id"].as_str().unwrap();
        assert_eq!(visitor.listing(&format!("/v1.0/applications/{id}/owners")).await.0.len(), owners, "{wanted}");
    }
}

#[test]
fn the_ends_of_time_are_no_reason_to_fall_over() {
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        assert!(!scenario::mission(now).hints().is_empty());
    }
}
