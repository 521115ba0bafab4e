//! Mails as people get them: snapshots for the words, properties for the promises.

use super::*;
use crate::domain::{
    CalendarChoice, CredentialId, DirectoryObject, Escalation, Families, Ident, Kind, NoticeKey, NoticeKind, Period,
    Rotation, SourceName, Step, Subject, Threshold,
};
use std::sync::LazyLock;

mod message;
mod size;
mod summary;

const OBJECT: &str = "11111111-2222-4333-8444-555555555555";
const KEY: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const APP: &str = "33758b54-a9cb-48ef-a363-5aaf10888f80";
const HOLDER: &str = "Verify-by-Video Platform - Test - Pexip Administration OICD";

struct Desk {
    zone: TimeZone,
    from_name: Text,
    from: Address,
    teams: BTreeMap<TeamId, Team>,
}

static DESK: LazyLock<Desk> = LazyLock::new(|| {
    let team = |id: &str, name: &str, address: &str| {
        let addresses = vec![address.parse().unwrap(), "both@example.ca".parse().unwrap()];
        let id = TeamId::new(id);
        (id.clone(), Team { id, name: Text::clean(name), addresses, calendar: CalendarChoice::Feed })
    };
    let mut teams = BTreeMap::from([
        team("ccaas", "CCaaS Azure Operations", "ccaas-ops@example.ca"),
        team("idim", "IDIM Technical Operations", "idim@example.ca"),
    ]);
    let oversight = team("oversight", "Oversight", "director@example.ca");
    teams.insert(oversight.0, Team { addresses: vec!["director@example.ca".parse().unwrap()], ..oversight.1 });
    Desk {
        zone: jiff::tz::TimeZoneDatabase::bundled().get("America/Vancouver").unwrap(),
        from_name: Text::clean("Expiry Watch"),
        from: "expiry-watch@example.ca".parse().unwrap(),
        teams,
    }
});

fn stationery() -> Stationery<'static> {
    Stationery {
        zone: &DESK.zone,
        from_name: &DESK.from_name,
        from: &DESK.from,
        reply_to: None,
        public_url: Some("https://expiry.example.ca"),
        teams: &DESK.teams,
        version: "0.1.0",
    }
}

fn at(written: &str) -> Timestamp {
    written.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-21T16:00:00Z")
}

fn ccaas() -> Address {
    "ccaas-ops@example.ca".parse().unwrap()
}

fn credential(kind: Kind) -> Subject {
    Subject::Credential {
        source: SourceName::new("entra"),
        kind,
        holder: Text::clean(HOLDER),
        holder_id: Ident::new(OBJECT),
        app_id: Some(Ident::new(APP)),
        label: Text::clean("Pexip Administration OICD client secret"),
        holder_enabled: true,
        not_before: Some(at("2026-06-01T00:00:00Z")),
        successor: None,
        rotation: None,
    }
}

fn source() -> Subject {
    Subject::Source {
        name: SourceName::new("entra"),
        system: "entra",
        last_success: Some(at("2026-11-21T06:00:00Z")),
        last_error: Some(Text::clean("listing applications failed (429); trying again in 5 min")),
    }
}

/// A notice of this kind, as it could really be.
fn notice(kind: NoticeKind) -> Notice {
    use NoticeKind as N;
    let days = |n| Step::Before(Threshold::Before(Period::days(n)));
    let (step, end, reason) = match kind {
        N::Expired => (Step::Expired(None), "2026-11-19T20:30:00Z", "it ended on 2026-11-19"),
        N::Expiring => (days(7), "2026-11-28T18:00:00Z", "7d threshold crossed on 2026-11-21; not yet noticed"),
        N::StillInUse => (days(3), "2026-11-24T18:00:00Z", "used on 2026-11-20, after its successor began"),
        N::RotationDue => (days(14), "2027-02-20T18:00:00Z", "the newest secret will be 90 days old on 2026-12-05"),
        N::Retiring => (days(7), "2026-11-28T18:00:00Z", "superseded; 7d threshold crossed on 2026-11-21"),
        N::Resolved => {
            (Step::Resolved, "2026-11-28T18:00:00Z", "rotated: a successor that is valid until 2027-05-20 covers it")
        }
        N::SourceStale => (Step::Stale(0), "", "no complete read for longer than 6h"),
        N::Untrusted => (Step::Now, "2027-03-01T00:00:00Z", "the chain that is served is incomplete"),
        N::NotDeployed => {
            (Step::Now, "2027-03-01T00:00:00Z", "issued on 2026-11-01, and the host still serves the former one")
        }
        N::DateMismatch => (Step::Now, "2027-03-01T00:00:00Z", "the vault says 2027-03-01, the directory 2026-11-28"),
        N::Unreachable => (Step::Stale(0), "2027-03-01T00:00:00Z", "no answer for longer than 6h: connection refused"),
    };
    let is_source = kind == N::SourceStale;
    let credential_kind = match kind {
        N::Untrusted | N::Unreachable => Kind::ServedCertificate,
        N::NotDeployed => Kind::IssuedCertificate,
        N::DateMismatch => Kind::VaultSecret,
        _ => Kind::ClientSecret,
    };
    let mut subject = if is_source { source() } else { credential(credential_kind) };
    if let Subject::Credential { successor, .. } = &mut subject
        && matches!(kind, N::Retiring | N::StillInUse | N::Resolved)
    {
        *successor = Some((Text::clean("second half of 2026"), Some(at("2027-05-20T18:00:00Z"))));
    }
    Notice {
        key: NoticeKey {
            credential: if is_source {
                CredentialId::source("entra")
            } else {
                CredentialId::directory(DirectoryObject::Application, Ident::new(OBJECT), Ident::new(KEY))
            },
            expires_at: (!is_source).then(|| at(end)),
            kind,
            step,
            team: TeamId::new("ccaas"),
            episode: 0,
            closes: Families::default(),
        },
        crossed_at: now(),
        due_by: (!is_source).then(|| at(if kind == N::RotationDue { "2026-12-05T18:00:00Z" } else { end })),
        urgent: false,
        subject,
        reason: reason.to_owned(),
        rule: (!is_source).then(|| Text::clean("Pexip OIDC")),
        environment: (!is_source).then(|| Text::clean("test")),
        runbook: (!is_source).then(|| Text::clean("https://docs.example.ca/rotate?app=pexip&env=test")),
        told: vec![TeamId::new("ccaas"), TeamId::new("idim")],
        escalation: None,
        owners: Box::default(),
    }
}

fn of_each_kind() -> Vec<Notice> {
    NoticeKind::ALL.iter().map(|kind| notice(*kind)).collect()
}

fn many(count: usize) -> Vec<Notice> {
    let number = |n: usize| Notice {
        key: NoticeKey {
            credential: CredentialId::directory(
                DirectoryObject::Application,
                Ident::new(OBJECT),
                Ident::new(&format!("aaaaaaaa-bbbb-4ccc-8ddd-{n:012}")),
            ),
            ..notice(NoticeKind::Expiring).key
        },
        ..notice(NoticeKind::Expiring)
    };
    (0..count).map(number).collect()
}

/// One that has ended, one that was escalated, one that retires, one that is over.
fn morning() -> Vec<Notice> {
    let named = |kind, name: &str, what: &str| {
        let mut notice = notice(kind);
        if let Subject::Credential { holder, label, .. } = &mut notice.subject {
            (*holder, *label) = (Text::clean(name), Text::clean(what));
        }
        notice
    };
    let expired = named(NoticeKind::Expired, "carrier-status-export", "nightly job");
    let mut escalated = notice(NoticeKind::Expiring);
    escalated.key.expires_at = Some(at("2026-11-24T18:00:00Z"));
    escalated.due_by = escalated.key.expires_at;
    escalated.reason =
        "3d threshold crossed on 2026-11-21; escalated to CCaaS Azure Operations, who are told from 3d on".to_owned();
    escalated.key.step = Step::Before(Threshold::Before(Period::days(3)));
    escalated.key.team = TeamId::new("ccaas");
    escalated.told = vec![TeamId::new("idim"), TeamId::new("ccaas")];
    escalated.escalation = Some(Escalation { at: "3d".parse().unwrap(), teams: vec![TeamId::new("ccaas")] });
    let mut retiring = named(NoticeKind::Retiring, "sec_partner_v1", "Partner API A");
    if let Subject::Credential { rotation, .. } = &mut retiring.subject {
        let why = "the new one (ends 2027-05-20) is valid since 2026-11-01, the old one still runs until 2026-11-28; \
                   the old one: not used for 9 days (last used on 2026-11-12), safe to let go";
        let since = Some(at("2026-11-19T16:00:00Z"));
        *rotation = Some(Rotation { state: "retire_ready", since, why: why.to_owned() });
    }
    vec![expired, escalated, retiring, named(NoticeKind::Resolved, "invoice-archive", "signing key")]
}

fn digest_of(notices: &[Notice]) -> Letter {
    digest(&stationery(), &ccaas(), &notices.iter().collect::<Vec<_>>(), now())
}

/// What a reader sees of an HTML part: tags gone, characters unescaped, blanks joined.
fn seen(html: &str) -> String {
    let mut text = String::new();
    let (before, after) = html.split_once("<style>").unwrap();
    let html = format!("{before}{}", after.split_once("</style>").unwrap().1);
    for part in html.split('<').skip(1) {
        let (tag, after) = part.split_once('>').unwrap();
        assert!(!tag.contains("src=") && !tag.starts_with("script") && !tag.starts_with("img"), "{tag}");
        text.push(' ');
        text.push_str(after);
    }
    for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&nbsp;", " "), ("&amp;", "&")] {
        text = text.replace(entity, character);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text part with its lines joined to sentences again.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A fact's value in the text part, by its name; in order.
fn facts(text: &str) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = Vec::new();
    for line in text.split("\n-- \n").next().unwrap().lines() {
        let named = line.strip_prefix("  ").or((line.len() > 20 && line.is_char_boundary(20)).then_some(line));
        match (facts.last_mut(), line) {
            (Some((_, value)), more) if more.starts_with(&" ".repeat(20)) || more.starts_with("    ") => {
                value.push(' ');
                value.push_str(more.trim());
            }
            _ => {
                let named = named.and_then(|named| named.split_once(": "));
                let named = named.filter(|(name, _)| name.len() < 20 && !name.starts_with(['*', '!', '-']));
                facts.extend(named.map(|(name, value)| (name.to_owned(), value.trim().to_owned())));
            }
        }
    }
    facts
}

#[test]
fn each_kind_of_notice_in_words() {
    for kind in NoticeKind::ALL {
        let letter = digest_of(&[notice(*kind)]);
        insta::assert_snapshot!(format!("text_{kind}"), format!("Subject: {}\n\n{}", letter.subject, letter.text));
    }
}

#[test]
fn each_kind_of_notice_in_html() {
    for kind in NoticeKind::ALL {
        insta::assert_snapshot!(format!("html_{kind}"), digest_of(&[notice(*kind)]).html.replace("><", ">\n<"));
    }
}

#[test]
fn a_morning_with_several_notices() {
    let letter = digest_of(&morning());
    insta::assert_snapshot!("text_morning", format!("Subject: {}\n\n{}", letter.subject, letter.text));
    insta::assert_snapshot!("html_morning", letter.html.replace("><", ">\n<"));
}

#[test]
fn text_and_html_carry_the_same_facts() {
    // As cards; and in groups, without and with a runbook.
    let mut long = many(20);
    long.extend(of_each_kind());
    long.iter_mut().skip(10).for_each(|notice| notice.runbook = None);
    for notices in [of_each_kind(), long] {
        let letter = digest_of(&notices);
        let seen = seen(&letter.html);
        let facts = facts(&letter.text);
        assert!(facts.len() > 4 * notices.len(), "{}", facts.len());
        let mut rest = seen.as_str();
        for (name, value) in facts {
            if name == "Its story" {
                assert!(letter.html.contains(&format!("href=\"{value}\"")), "{value}");
                continue;
            }
            let fact = [format!("{name} {value}"), format!("{name}: {value}")];
            let found = fact.iter().filter_map(|fact| rest.find(fact).map(|at| at + fact.len())).min();
            rest = &rest[found.unwrap_or_else(|| panic!("{name}: {value} is not in the HTML, or in another order"))..];
        }
    }
}

#[test]
fn a_notice_says_everything_that_the_contract_lists() {
    let letter = digest_of(&[notice(NoticeKind::Expiring)]);
    let id = format!("entra:application:{OBJECT}:{KEY}");
    for part in [&joined(&letter.text), &seen(&letter.html)] {
        for said in [
            HOLDER,
            "Pexip Administration OICD client secret",
            "client secret",
            "test",
            APP,
            &id,
            "Sat 2026-11-28 11:00",
            "UTC-07:00",
            "2026-11-28 18:00 UTC",
            "7 (in 7 days)",
            "7d threshold crossed on 2026-11-21; not yet noticed",
            "Pexip OIDC (threshold 7d)",
            "https://docs.example.ca/rotate?app=pexip&env=test",
            "IDIM Technical Operations",
        ] {
            assert!(part.contains(said), "{said} is missing in {part}");
        }
    }
    assert_eq!(letter.subject, format!("Expires in 7 days: {HOLDER} (client secret, test)"));
}

#[test]
fn the_most_urgent_gives_the_subject_and_stands_first() {
    let mut notices = of_each_kind();
    notices.reverse();
    let letter = digest_of(&notices);
    assert_eq!(letter.subject, format!("Expired 2 days ago: {HOLDER} (client secret, test) and 10 more"));
    assert!(letter.text.starts_with("9 notices need attention; 2 are for your information.\n\n!! Expired 2 days ago"));
    assert_eq!(letter, digest_of(&of_each_kind()), "the order they come in makes no difference");
}

#[test]
fn what_is_owed_to_two_teams_of_one_address_is_told_once() {
    let first = notice(NoticeKind::Expiring);
    let mut second = first.clone();
    second.key.team = TeamId::new("idim");
    second.told = vec![TeamId::new("idim"), TeamId::new("oversight")];
    let letter = digest(&stationery(), &"both@example.ca".parse().unwrap(), &[&second, &first], now());
    assert_eq!(letter.text.matches("Credential id:").count(), 1);
    assert!(!letter.subject.contains("more"));
    assert!(
        letter.text.contains("Sent to:            CCaaS Azure Operations, IDIM Technical Operations\n"),
        "{}",
        letter.text
    );
    assert!(letter.text.contains("Also told:          Oversight\n"));
    // Another step of the same credential is another fact.
    let mut third = first.clone();
    third.key.step = Step::Before(Threshold::Before(Period::days(3)));
    assert_eq!(digest_of(&[first, third]).text.matches("Credential id:").count(), 2);
}

#[test]
fn days_are_counted_from_the_day_the_mail_is_written() {
    let notices = [notice(NoticeKind::Expiring)];
    for (now, said) in [
        ("2026-11-22T16:00:00Z", "Expires in 6 days: "),
        ("2026-11-28T16:00:00Z", "Expires today: "),
        ("2026-11-28T18:00:01Z", "Expired today: "),
        ("2026-11-30T16:00:00Z", "Expired 2 days ago: "),
    ] {
        let letter = digest(&stationery(), &ccaas(), &[&notices[0]], at(now));
        assert!(letter.subject.starts_with(said), "{}", letter.subject);
    }
}

#[test]
fn hostile_names_stay_text() {
    let evil = "</td><script>alert(\"1\")</script>&amp;=HYPERLINK(\"http://x\")'";
    let mut hostile = notice(NoticeKind::Expiring);
    if let Subject::Credential { holder, label, .. } = &mut hostile.subject {
        *holder = Text::clean(evil);
        *label = Text::clean(evil);
    }
    hostile.key.credential = CredentialId::parse("declared:x:a\r\nBcc: all@example.ca\u{202E}/b");
    hostile.reason = format!("because\r\n{evil}");
    for runbook in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://", "see the wiki"] {
        hostile.runbook = Some(Text::clean(runbook));
        let letter = digest_of(std::slice::from_ref(&hostile));
        assert!(!letter.html.contains("<script") && !letter.html.contains("href=\"j"));
        // The only links are those to the status page, whatever the id.
        assert_eq!(letter.html.matches("href=").count(), 2, "{runbook}");
        assert_eq!(letter.html.matches("href=\"https://expiry.example.ca").count(), 2, "{runbook}");
        assert!(seen(&letter.html).contains(evil) && letter.text.contains(evil));
        assert!(!letter.text.contains("\nBcc") && !letter.subject.contains(['\r', '\n']));
        assert!(!letter.html.contains('\u{202E}') && !letter.text.contains('\u{202E}'));
    }
}

#[test]
fn a_subject_stays_short_and_keeps_what_matters() {
    let mut long = notice(NoticeKind::Expiring);
    if let Subject::Credential { holder, .. } = &mut long.subject {
        *holder = Text::clean(&"é".repeat(300));
    }
    long.environment = Some(Text::clean(&"e".repeat(300)));
    let mut many = vec![long];
    many.extend(of_each_kind().into_iter().filter(|notice| notice.key.kind > NoticeKind::Expiring));
    let subject = digest_of(&many).subject;
    assert_eq!(subject.chars().count(), SUBJECT);
    assert!(
        subject.starts_with("Expires in 7 days: é")
            && subject.contains("… (client secret, e")
            && subject.ends_with(" and 6 more")
    );
}

#[test]
fn a_disabled_holder_and_a_nameless_one_are_told_as_such() {
    let mut disabled = notice(NoticeKind::Expiring);
    if let Subject::Credential { holder, label, holder_enabled, .. } = &mut disabled.subject {
        (*holder, *label, *holder_enabled) = (Text::default(), Text::default(), false);
    }
    let letter = digest_of(&[disabled]);
    assert!(letter.text.contains("Sign-in:            disabled for this holder at present"));
    assert!(letter.text.contains(&format!("\n{OBJECT}\n")) && letter.text.contains("Label:              (none)\n"));
}

#[test]
fn a_test_message_says_that_it_is_one() {
    let letter = test_letter(&stationery(), &DESK.teams[&TeamId::new("ccaas")], now());
    insta::assert_snapshot!(format!("Subject: {}\n\n{}", letter.subject, letter.text));
    insta::assert_snapshot!("html_test", letter.html.replace("><", ">\n<"));
}
