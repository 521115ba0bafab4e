//! Certificates issued and served: the join, and what is wrong beside the dates.

use super::{Life, short};
use crate::decide::testing::{at, secret};
use crate::decide::{Code, Status};
use crate::domain::{Credential, CredentialId, Holder, Ident, Kind, Serial, Text, Trouble, X509};
use jiff::SignedDuration;
use std::sync::Arc;

const EIGHT: &str = "2026-11-21T15:00:00Z";
const NAME: &str = "conference.example.ca";

fn x509(serial: &str, names: &[&str]) -> Option<Arc<X509>> {
    let names = names.iter().map(|name| Text::clean(name)).collect();
    Some(Arc::new(X509 { serial: Serial::parse(serial).unwrap(), issuer: None, sha1: None, names, paid_until: None }))
}

fn of_kind(kind: Kind, id: &str, holder: &str, serial: &str, from: &str, until: &str) -> Credential {
    Credential {
        id: CredentialId::parse(id),
        kind,
        holder: Arc::new(Holder {
            name: Text::clean(holder),
            id: Ident::new(holder),
            app_id: None,
            team_tags: Box::default(),
            enabled: true,
            owners: None,
        }),
        label: Text::clean(id),
        x509: x509(serial, &[NAME]),
        ..secret("x", from, until)
    }
}

fn served(node: &str, serial: &str, from: &str, until: &str) -> Credential {
    of_kind(Kind::ServedCertificate, &format!("tls:{NAME}:{node}:443"), NAME, serial, from, until)
}

fn issued(serial: &str, from: &str, until: &str) -> Credential {
    let issued = of_kind(Kind::IssuedCertificate, &format!("digicert:1:{serial}"), NAME, serial, from, until);
    Credential { label: Text::clean("order 1"), ..issued }
}

const OLD: (&str, &str, &str) = ("0A00000000000001", "2026-06-01T00:00:00Z", "2026-12-17T00:00:00Z");
const NEW: (&str, &str, &str) = ("0B00000000000001", "2026-11-20T00:00:00Z", "2027-06-07T00:00:00Z");

fn serve(node: &str, which: (&str, &str, &str)) -> Credential {
    served(node, which.0, which.1, which.2)
}

fn issue(which: (&str, &str, &str)) -> Credential {
    issued(which.0, which.1, which.2)
}

fn with(credential: Credential, trouble: Trouble) -> Credential {
    Credential { trouble: Some(Box::new(trouble)), ..credential }
}

#[test]
fn a_certificate_that_was_bought_and_not_installed_is_an_alarm_for_each_node_until_it_is_served() {
    let mut life = Life::with_defaults();
    let told = life.days(EIGHT, 6, |day| match day {
        0 => vec![serve("10.0.0.1", OLD), serve("10.0.0.2", OLD), issue(OLD)],
        1..=2 => vec![serve("10.0.0.1", OLD), serve("10.0.0.2", OLD), issue(OLD), issue(NEW)],
        3..=4 => vec![serve("10.0.0.1", NEW), serve("10.0.0.2", OLD), issue(OLD), issue(NEW)],
        _ => vec![serve("10.0.0.1", NEW), serve("10.0.0.2", NEW), issue(OLD), issue(NEW)],
    });
    let of_day =
        |day: &str| told.iter().filter(|line| line.starts_with(day)).map(|line| &line[2..]).collect::<Vec<_>>();
    assert_eq!(of_day("0"), ["expiring 16%", "expiring 16%", "expiring 16%"], "two nodes and the authority's own");
    // Bought: the old order is superseded at the authority, and both nodes lag behind.
    assert_eq!(of_day("1"), ["resolved", "not_deployed now", "not_deployed now"]);
    assert!(of_day("2").is_empty() && of_day("4").is_empty(), "each is told once: {told:?}");
    assert_eq!(of_day("3"), ["resolved"], "one node was mended: both its alarms are over in one word");
    assert_eq!(of_day("5"), ["resolved"]);
}

#[test]
fn the_alarm_names_the_node_both_serials_and_both_ends() {
    let mut life = Life::with_defaults();
    life.poll(at(EIGHT), Ok(vec![serve("10.0.0.1", OLD), issue(NEW)]));
    let decision = life.decide(at(EIGHT));
    let condition = decision.verdicts.iter().flat_map(|verdict| &verdict.conditions).next().unwrap();
    assert!(condition.due);
    for fact in ["10.0.0.1:443", "0A00000000000001", "0B00000000000001", "2026-12-16", "2027-06-06"] {
        assert!(condition.reason.contains(fact), "{fact}: {}", condition.reason);
    }
}

#[test]
fn an_older_or_shorter_or_identical_issued_certificate_is_no_alarm() {
    for other in [
        issue(OLD),
        issued("0C", "2026-01-01T00:00:00Z", "2027-06-07T00:00:00Z"),
        issued("0C", "2026-11-20T00:00:00Z", "2026-12-01T00:00:00Z"),
        issued("0C", "2026-12-20T00:00:00Z", "2027-12-01T00:00:00Z"),
        Credential { x509: x509("0C", &["other.example.ca"]), ..issue(NEW) },
        Credential { x509: x509("000A00000000000001", &[NAME]), ..issue(NEW) },
    ] {
        let mut life = Life::with_defaults();
        life.poll(at(EIGHT), Ok(vec![serve("10.0.0.1", OLD), other.clone()]));
        let decision = life.decide(at(EIGHT));
        assert!(decision.verdicts.iter().all(|verdict| verdict.conditions.is_empty()), "{other:?}");
    }
}

#[test]
fn a_wildcard_that_was_issued_covers_the_name_that_is_served() {
    let wildcard = Credential { x509: x509("0B00000000000001", &["*.example.ca"]), ..issue(NEW) };
    let mut life = Life::with_defaults();
    let told: Vec<String> = life.run(at(EIGHT), Ok(vec![serve("10.0.0.1", OLD), wildcard])).iter().map(short).collect();
    assert!(told.contains(&"not_deployed now".to_owned()), "{told:?}");
}

#[test]
fn what_is_served_and_was_issued_by_nobody_we_read_is_said_to_be_foreign() {
    let mut life = Life::with_defaults();
    life.poll(at(EIGHT), Ok(vec![served("10.0.0.1", "FF", NEW.1, NEW.2), issue(OLD)]));
    let foreign: Vec<bool> = life.decide(at(EIGHT)).verdicts.iter().map(|verdict| verdict.from_elsewhere).collect();
    assert_eq!(foreign.iter().filter(|foreign| **foreign).count(), 1);
    life.poll(at(EIGHT), Ok(vec![served("10.0.0.1", "FF", NEW.1, NEW.2)]));
    assert!(!life.decide(at(EIGHT)).verdicts[0].from_elsewhere, "without an authority nothing can be said");
}

#[test]
fn what_a_client_would_refuse_is_told_once_and_resolved_without_touching_the_story_of_its_dates() {
    let untrusted = |why: &str| with(serve("10.0.0.1", OLD), Trouble::Untrusted(Text::clean(why)));
    let told = Life::with_defaults().days(EIGHT, 27, |day| match day {
        0..=1 => vec![serve("10.0.0.1", OLD)],
        2 => vec![untrusted("incomplete chain")],
        3 => vec![untrusted("incomplete chain: the issuer is not sent")],
        4..=5 => vec![serve("10.0.0.1", OLD)],
        6 => vec![untrusted("wrong host")],
        _ => vec![serve("10.0.0.1", OLD)],
    });
    assert_eq!(
        told,
        [
            "0 expiring 16%",
            "2 untrusted now",
            "4 resolved",
            "6 untrusted now",
            "7 resolved",
            "10 expiring 8%",
            "22 expiring 3d",
            "24 expiring 1d",
            "25 expiring 0d",
            "26 expired"
        ]
    );
}

#[test]
fn a_node_that_cannot_be_reached_is_news_after_its_sources_patience_and_its_last_dates_go_on_counting() {
    let silent = |_| {
        with(
            Credential { not_before: None, expires_at: None, x509: None, ..serve("10.0.0.1", OLD) },
            Trouble::Unreachable(Text::clean("timed out")),
        )
    };
    let mut life = Life::with_defaults();
    assert_eq!(life.days(EIGHT, 1, |_| vec![serve("10.0.0.1", OLD)]), ["0 expiring 16%"]);
    let told = life.days("2026-11-22T15:00:00Z", 24, |day| vec![silent(day)]);
    assert_eq!(told, ["1 unreachable now", "9 expiring 8%", "21 expiring 3d", "23 expiring 1d"]);
    let now = at("2026-12-15T15:00:00Z");
    let verdict = &life.decide(now).verdicts[0];
    assert_eq!((verdict.status, verdict.code), (Status::Unreachable, Code::Noticed));
    let back = life.run(now + SignedDuration::from_hours(1), Ok(vec![serve("10.0.0.1", OLD)]));
    assert_eq!(back.iter().map(short).collect::<Vec<_>>(), ["resolved"]);
    assert_eq!(life.days("2026-12-16T15:00:00Z", 1, |_| vec![serve("10.0.0.1", OLD)]), ["0 expiring 0d"]);
}

#[test]
fn what_could_never_be_read_is_unknown_and_not_endless() {
    let nothing = Credential { not_before: None, expires_at: None, x509: None, ..serve("10.0.0.1", OLD) };
    let mut life = Life::with_defaults();
    life.poll(at(EIGHT), Ok(vec![with(nothing, Trouble::Unreachable(Text::clean("refused")))]));
    let decision = life.decide(at(EIGHT));
    assert_eq!((decision.verdicts[0].status, decision.verdicts[0].code), (Status::Unreachable, Code::Unknown));
    assert_eq!(decision.holders[0].state, crate::decide::State::Unknown);
    assert!(decision.notices.is_empty());
}

#[test]
fn trust_that_cannot_be_looked_at_is_not_called_restored() {
    let untrusted = with(serve("10.0.0.1", NEW), Trouble::Untrusted(Text::clean("unknown root")));
    let silent = with(serve("10.0.0.1", NEW), Trouble::Unreachable(Text::clean("timed out")));
    let told = Life::with_defaults().days(EIGHT, 4, |day| match day {
        0 => vec![untrusted.clone()],
        1 => vec![silent.clone()],
        2 => vec![untrusted.clone()],
        _ => vec![serve("10.0.0.1", NEW)],
    });
    assert_eq!(told, ["0 untrusted now", "3 resolved"]);
}

#[test]
fn what_is_paid_for_is_said_beside_the_end_and_is_not_the_end() {
    for (paid_until, said) in [
        (Some("2028-12-17T00:00:00Z"), "; its order is paid for until 2028-12-16, so a reissue will do"),
        (Some("2026-12-17T00:00:00Z"), "; its order ends with it, so it takes a purchase"),
        (None, ""),
    ] {
        let known = X509 { paid_until: paid_until.map(at), ..(*issue(OLD).x509.unwrap()).clone() };
        let mut life = Life::with_defaults();
        life.poll(at(EIGHT), Ok(vec![Credential { x509: Some(Arc::new(known)), ..issue(OLD) }]));
        let decision = life.decide(at(EIGHT));
        let verdict = &decision.verdicts[0];
        assert_eq!(verdict.days_left, Some(25));
        let calendar = crate::decide::Calendar::new(&life.policy.zone, at(EIGHT));
        let sentence = verdict.explain(&life.inventory, &life.policy, &calendar);
        assert_eq!(
            sentence,
            format!(
                "16% threshold crossed on 2026-11-14; not yet noticed{said}; make a new one before 2026-12-16; \
                 next: expiring 8% on 2026-11-30; no rule matches, [defaults] tell ccaas"
            )
        );
        assert!(
            decision.notices[0].reason.ends_with(&format!("on 2026-11-14{said}")),
            "{}",
            decision.notices[0].reason
        );
    }
}

#[test]
fn a_new_certificate_with_a_fault_of_its_own_is_told_and_what_has_expired_is_not_also_untrusted() {
    let untrusted = |which, why: &str| with(serve("10.0.0.1", which), Trouble::Untrusted(Text::clean(why)));
    let told = Life::with_defaults().days(EIGHT, 3, |day| match day {
        0 => vec![untrusted(OLD, "incomplete chain")],
        1 => vec![untrusted(NEW, "incomplete chain")],
        _ => vec![serve("10.0.0.1", NEW)],
    });
    assert_eq!(told, ["0 expiring 16%", "0 untrusted now", "1 resolved", "1 untrusted now", "2 resolved"]);
    let ended = ("0C00000000000001", "2026-06-01T00:00:00Z", "2026-11-20T00:00:00Z");
    let told = Life::with_defaults().days(EIGHT, 2, |_| vec![untrusted(ended, "incomplete chain")]);
    assert_eq!(told, ["0 expired"]);
}

#[test]
fn a_resolved_says_what_goes_on_all_the_same() {
    let untrusted = |which| with(serve("10.0.0.1", which), Trouble::Untrusted(Text::clean("incomplete chain")));
    let mut life = Life::with_defaults();
    life.run(at(EIGHT), Ok(vec![untrusted(OLD)]));
    let told = life.run(at(EIGHT) + SignedDuration::from_hours(24), Ok(vec![untrusted(NEW)]));
    let resolved = told.iter().find(|notice| short(notice) == "resolved").unwrap();
    assert!(resolved.reason.ends_with("; but it is still untrusted"), "{}", resolved.reason);
}
