//! What a calendar reads out of what we write, whatever the names in it.

use super::*;
use crate::domain::{Credential, CredentialId, Holder, Ident, Kind, Occasion, SourceName};
use icalendar::parser::{read_calendar, unfold};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

static ZONE: LazyLock<TimeZone> =
    LazyLock::new(|| jiff::tz::TimeZoneDatabase::bundled().get("America/Vancouver").unwrap());

fn at(written: &str) -> Timestamp {
    written.parse().unwrap()
}

fn date(holder: &str, label: &str) -> Appointment {
    let credential = Credential {
        id: CredentialId::parse("entra:application:11111111-2222-4333-8444-555555555555:key"),
        source: SourceName::new("entra"),
        kind: Kind::ClientSecret,
        holder: Arc::new(Holder {
            name: Text::clean(holder),
            id: Ident::new("11111111-2222-4333-8444-555555555555"),
            app_id: Some(Ident::new("33758b54-a9cb-48ef-a363-5aaf10888f80")),
            team_tags: Box::default(),
            enabled: true,
            owners: None,
        }),
        label: Text::clean(label),
        not_before: None,
        expires_at: Some(at("2026-11-28T07:59:59Z")),
        enabled: true,
        in_use: false,
        x509: None,
        trouble: None,
        mark: None,
    };
    Appointment {
        expires_at: at("2026-11-28T07:59:59Z"),
        credential: Arc::new(credential),
        day: "2026-11-28".parse().unwrap(),
        occasion: Occasion::Renew,
        environment: Some(Text::clean("test")),
        runbook: Some(Text::clean("https://docs.example.ca/rotate?a=1,2;3")),
        first_seen: at("2026-06-01T16:00:00.5Z"),
    }
}

fn invited(to: Appointment, address: &str) -> Invitation {
    let entry = Invited {
        credential: to.credential.id.clone(),
        address: address.parse().unwrap(),
        sequence: 3,
        day: to.day,
        expires_at: to.expires_at,
        stamped_at: at("2026-11-21T16:00:00.25Z"),
        title: to.title(),
        is_cancelled: false,
    };
    Invitation { change: Change::Put(to), entry }
}

fn cancelled(invitation: Invitation) -> Invitation {
    let entry = Invited { sequence: 4, is_cancelled: true, ..invitation.entry };
    Invitation { change: Change::Withdraw(crate::domain::Withdrawal::Rotated), entry }
}

fn from() -> Address {
    "expiry-watch@example.ca".parse().unwrap()
}

fn written_by(name: &str, invitation: &Invitation) -> String {
    super::invitation(invitation, &Parties { from_name: name, from: &from() }, &ZONE)
}

#[test]
fn an_invitation_is_what_outlook_expects() {
    let invitation = invited(date("Pexip, Administration; OICD", "OIDC"), "ops@example.ca");
    insta::assert_snapshot!("request", written_by("Expiry Watch", &invitation).replace('\r', "␍"));
    insta::assert_snapshot!("cancel", written_by("Expiry Watch", &cancelled(invitation)).replace('\r', "␍"));
}

#[test]
fn a_feed_has_every_date_in_order_and_nothing_about_whom_it_is_for() {
    let later = Appointment { day: "2026-12-28".parse().unwrap(), ..date("later", "") };
    let dates = vec![later, date("sooner", "")];
    let name = Text::clean("CCaaS Azure Operations");
    let feed = feed(&name, &TeamId::new("ccaas"), dates.clone(), &ZONE);
    insta::assert_snapshot!("feed", feed.replace('\r', "␍"));
    let turned = dates.into_iter().rev().collect();
    assert_eq!(
        super::feed(&name, &TeamId::new("ccaas"), turned, &ZONE),
        feed,
        "the order it is read in makes no difference"
    );
    assert!(!feed.contains("ATTENDEE") && !feed.contains("ORGANIZER"));
}

#[test]
fn an_entry_is_the_same_for_one_credential_and_recipient_and_names_neither() {
    let of = |credential: &str, recipient: &str| uid(credential, recipient);
    assert_eq!(of("entra:a:b:c", "ops@example.ca"), of("entra:a:b:c", "ops@example.ca"));
    assert_ne!(of("entra:a:b:c", "ops@example.ca"), of("entra:a:b:c", "other@example.ca"));
    assert_ne!(of("entra:a:b:c", "ops@example.ca"), of("entra:a:b:d", "ops@example.ca"));
    assert!(!of("entra:a:b:c", "ops@example.ca").contains("ops"));
}

#[test]
fn an_address_is_a_uri_whatever_it_holds() {
    for (address, uri) in [
        ("ops@example.ca", "mailto:ops@example.ca"),
        ("o'neil+pki@example.ca", "mailto:o'neil+pki@example.ca"),
        ("50%?#{x}@example.ca", "mailto:50%25%3F%23%7Bx%7D@example.ca"),
    ] {
        assert_eq!(mailto(&address.parse().unwrap()), uri);
    }
}

/// What an independent reading of the text gives: lines unfolded, each value unescaped.
fn values(text: &str) -> Vec<(String, String)> {
    let unfolded = text.replace("\r\n ", "");
    let value = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        let mut out = String::new();
        let mut chars = value.chars();
        while let Some(c) = chars.next() {
            match (c, c == '\\') {
                (_, true) => match chars.next().unwrap() {
                    'n' | 'N' => out.push('\n'),
                    c => out.push(c),
                },
                (c, false) => out.push(c),
            }
        }
        (name.to_owned(), out)
    };
    unfolded.split_terminator("\r\n").map(value).collect()
}

fn value<'a>(values: &'a [(String, String)], name: &str) -> &'a str {
    let mut found = values.iter().filter(|(found, _)| found == name);
    &found.next().unwrap().1
}

/// Names as somebody would choose them who wants to break out of them.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\r\n",
        "\n",
        "\r",
        ",",
        ";",
        ":",
        "\\",
        "\\n",
        "\\N",
        "\"",
        "'",
        "=",
        "^n",
        "BEGIN:VEVENT",
        "END:VCALENDAR",
        "ATTENDEE:mailto:x@y.ca",
        "\u{202E}",
        "\u{2066}",
        "\u{200B}",
        "\u{FEFF}",
        "ä",
        "漢",
        "🔐",
        "e\u{301}",
        " ",
        "\t",
        "a",
        "Zertifikat",
        "-",
        "\u{1b}[31m",
        "\u{2028}",
        "\u{85}",
    ]);
    prop::collection::vec(prop_oneof![4 => pieces.prop_map(str::to_owned), 1 => any::<String>()], 0..120)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_a_name_holds_lines_are_short_and_it_reads_back_as_it_is(
        holder in hostile(), label in hostile(), from_name in hostile(), team in hostile(),
    ) {
        let date = date(&holder, &label);
        let from_name = Text::clean(&from_name);
        let invitation = invited(date.clone(), "ops@example.ca");
        let request = written_by(from_name.as_str(), &invitation);
        let cancel = written_by(from_name.as_str(), &cancelled(invitation.clone()));
        let team = Text::clean(&team);
        let feed = feed(&team, &TeamId::new("ccaas"), vec![date.clone()], &ZONE);
        for text in [&request, &cancel, &feed] {
            prop_assert!(text.ends_with("END:VCALENDAR\r\n"));
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
            for line in text.split_terminator("\r\n") {
                prop_assert!(line.len() <= LINE && !line.is_empty(), "{} octets: {line}", line.len());
            }
            // Two readers: our own few lines here, and the crate's parser.
            let values = values(text);
            prop_assert_eq!(values.iter().filter(|(name, _)| name == "BEGIN").count(), if *text == request { 3 } else { 2 });
            prop_assert_eq!(value(&values, "SUMMARY").to_owned(), date.title().to_string());
            let unfolded = unfold(text);
            let parsed = read_calendar(&unfolded).unwrap();
            prop_assert_eq!(parsed.components.len(), 1);
            prop_assert_eq!(parsed.components[0].find_prop("SUMMARY").unwrap().val.to_string(), date.title().to_string());
        }
        for text in [&request, &feed] {
            let values = values(text);
            let described = value(&values, "DESCRIPTION");
            let holder = format!("\nHolder: {}\n", date.credential.holder.name);
            prop_assert!(date.credential.holder.name.is_empty() || described.contains(&holder), "{described}");
        }
        let name = format!("{team}: what runs out");
        prop_assert!(values(&feed).iter().filter(|(key, value)| key.starts_with("X-WR-CALNAME") && *value == name).count() == 1);
    }
}

proptest! {
    #[test]
    fn folding_changes_where_lines_break_and_nothing_else(lines in proptest::collection::vec("[a-zé証 ]{1,200}", 0..4)) {
        let written: String = lines.iter().map(|line| format!("X:{line}\r\n")).collect();
        let parted = folded(&written);
        prop_assert!(parted.split("\r\n").all(|line| line.len() <= LINE));
        prop_assert_eq!(parted.replace("\r\n ", ""), written);
    }
}
