//! Summaries: what they say when something is wrong, when all is well, when nothing is owned; and their size.

use super::*;
use crate::render::{self, SummaryHolder};

fn item(holder: &str, end: Option<&str>, days: Option<i64>, status: &'static str) -> SummaryItem {
    SummaryItem {
        holder: Text::clean(holder),
        label: Text::clean("first"),
        kind: Kind::ClientSecret,
        environment: Some(Text::clean("prod")),
        expires_at: end.map(at),
        days_left: days,
        status,
        conditions: Vec::new(),
    }
}

fn entra(last_error: Option<&str>) -> SummarySource {
    let last_success = Some(at("2026-11-21T15:30:00Z"));
    SummarySource {
        name: SourceName::new("entra"),
        system: "entra",
        last_success,
        last_error: last_error.map(Text::clean),
    }
}

fn write(summary: &Summary<'_>) -> Letter {
    render::summary(&stationery(), &ccaas(), summary, now())
}

fn change(what: What, day: &str, name: &str) -> Change {
    let at = at(&format!("{day}T18:00:00Z"));
    Change { at, what, name: Text::clean(name), label: Text::clean("first") }
}

fn said(letter: &Letter) -> String {
    format!("Subject: {}\n\n{}", letter.subject, letter.text)
}

#[test]
fn a_summary_is_in_order_of_expiry_and_says_what_is_wrong_what_changed_and_what_nobody_owns() {
    let mut mismatch = item("vault-entry", Some("2027-01-15T18:00:00Z"), Some(55), "valid");
    mismatch.conditions.push(NoticeKind::DateMismatch);
    let owned = [
        item("forever", None, None, "no_expiry"),
        item("late", Some("2027-11-28T18:00:00Z"), Some(372), "valid"),
        item(HOLDER, Some("2026-11-28T18:00:00Z"), Some(7), "expiring"),
        mismatch,
        item("<b>soon</b>", Some("2026-12-20T18:00:00Z"), Some(29), "expiring"),
        item("gone", Some("2026-11-19T18:00:00Z"), Some(-2), "expired"),
    ];
    let vault = SummarySource {
        name: SourceName::new("vault"),
        system: "key_vault",
        last_success: None,
        last_error: Some(Text::clean("403 forbidden")),
    };
    let holders = [SummaryHolder {
        holder: Text::clean("sec_v1"),
        kind: Kind::ClientSecret,
        state: "old_in_use",
        since: Some(at("2026-11-10T18:00:00Z")),
        why:
            "the new one (ends 2027-05-20) is valid since 2026-11-01, the old one still runs until 2026-12-01; the old \
              one: still in use: last used on 2026-11-20"
                .to_owned(),
    }];
    let changes = [
        change(What::Resolved, "2026-11-16", "billing"),
        change(What::Told(NoticeKind::Expiring, "7d".parse().unwrap()), "2026-11-21", HOLDER),
        change(What::New, "2026-11-18", "late"),
        change(What::Superseded, "2026-11-18", "billing"),
        change(What::Gone, "2026-11-19", "old-reports"),
    ];
    let summary = Summary {
        owned: &owned,
        unowned: &owned[1..2],
        holders: &holders,
        changes: &changes,
        since: at("2026-11-14T16:00:00Z"),
        sources: &[entra(None), vault],
    };
    let letter = write(&summary);
    insta::assert_snapshot!("summary_text", said(&letter));
    insta::assert_snapshot!("summary_html", letter.html.replace("><", ">\n<"));
    let seen = seen(&letter.html).replace('\u{a0}', " ");
    for word in letter.text.split("\n-- \n").next().unwrap().split_whitespace().filter(|word| !word.starts_with("--")) {
        assert!(word == "*" || seen.contains(word), "{word} is not in the HTML");
    }
}

#[test]
fn when_all_is_well_it_says_so() {
    let owned = [item("late", Some("2027-11-28T18:00:00Z"), Some(372), "valid")];
    let sources = [entra(None)];
    let well = Summary { owned: &owned, since: at("2026-11-14T16:00:00Z"), sources: &sources, ..Summary::default() };
    let letter = write(&well);
    insta::assert_snapshot!("summary_well", said(&letter));
    // Each of these alone spoils it.
    let failing = [entra(Some("429"))];
    let expiring = [item("soon", Some("2026-11-28T18:00:00Z"), Some(7), "expiring")];
    for spoilt in [
        Summary { sources: &failing, ..well.clone() },
        Summary { sources: &[], ..well.clone() },
        Summary { unowned: &owned, ..well.clone() },
        Summary { owned: &expiring, ..well.clone() },
        Summary { owned: &[], ..well.clone() },
    ] {
        let letter = write(&spoilt);
        assert!(!letter.text.contains("All is well") && !letter.subject.contains("well"), "{}", letter.text);
    }
}

#[test]
fn a_team_that_owns_nothing_is_told_so() {
    let sources = [entra(None)];
    let summary = Summary { since: at("2026-11-14T16:00:00Z"), sources: &sources, ..Summary::default() };
    insta::assert_snapshot!("summary_nothing", said(&write(&summary)));
}

#[test]
fn a_summary_of_thousands_with_the_worst_names_stays_small() {
    let worst = "🔑é<b>\u{202E}=1+1\n".repeat(30);
    let owned: Vec<SummaryItem> =
        (0..5_000).map(|n| item(&worst, Some("2026-12-20T18:00:00Z"), Some(n), "valid")).collect();
    let changes: Vec<Change> = [What::New, What::Gone, What::Superseded, What::Resolved]
        .into_iter()
        .flat_map(|what| (0..1_000).map(move |_| what))
        .map(|what| change(what, "2026-11-18", &worst))
        .collect();
    let sources: Vec<SummarySource> = (0..500).map(|_| entra(Some(&worst))).collect();
    let summary = Summary {
        owned: &owned,
        unowned: &owned,
        changes: &changes,
        sources: &sources,
        since: at("2026-11-14T16:00:00Z"),
        holders: &[],
    };
    let letter = write(&summary);
    let raw = compose(&stationery(), &ccaas(), &letter, "<size@example.ca>", now(), &[]).unwrap();
    assert!(raw.len() < 100_000, "{}", raw.len());
    assert!(joined(&letter.text).contains("What you own (5000)") && letter.text.contains("FAILING"));
    assert!(!letter.html.contains("<b>\u{202E}") && !letter.text.contains('\u{202E}'));
}
