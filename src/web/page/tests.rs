//! The pages' parts as a reader meets them.

use super::filter::Filter;
use super::scene::Scene;
use super::{attention, credential, forecast, story, timeline};
use crate::decide::State;
use crate::domain::{CredentialId, NoticeKind, TeamId, Text};
use crate::inventory::Inventory;
use crate::observe::{ForecastRow, History, Sent, SentState, Told, View};
use crate::render::page_of;
use crate::report::sorted_by_expiry;
use crate::report::testing::{Case, NOW, at, rule_for, small_place, view, view_with};
use crate::web::health::{Health, Level};
use maud::Markup;
use std::sync::Arc;

/// What stands there to read, a line for each element that has words.
fn words(markup: &Markup) -> String {
    let mut out = String::new();
    for part in markup.0.split('<').skip(1) {
        let text = part.split_once('>').map_or("", |(_, text)| text).trim();
        if !text.is_empty() {
            out += text;
            out.push('\n');
        }
    }
    out
}

fn answer(view: &View, filter: &Filter, level: Level) -> String {
    let scene = Scene::new(view, at(NOW));
    let found = sorted_by_expiry(view, filter.select(view));
    let needs = attention::needs(&scene, &found);
    let health = Health { level, reasons: vec!["the source vault is down".to_owned()] };
    super::answer::Answer::new(&scene, filter, &found, &needs, &health).title()
}

fn one(until: &str) -> Case {
    Case::new("a", "k", Some(until))
}

#[test]
fn the_answer_is_one_sentence_with_numbers() {
    let all = Filter::default();
    let check = |view: &View, level, expected: &str| assert_eq!(answer(view, &all, level), expected);
    check(&view(&[]), Level::Ok, "Nothing to say: nothing is watched here.");
    let fine = view(&[one("2027-10-01T00:00:00Z")]);
    check(&fine, Level::Ok, "Yes: all 1 are in order; the next one ends in 313 days.");
    check(&fine, Level::Degraded, "Yes, as far as is known: all 1 are in order; the next one ends in 313 days.");
    check(&fine, Level::Failing, "Nobody knows: all 1 are in order; the next one ends in 313 days.");
    let near = view(&[one("2026-12-10T00:00:00Z"), Case::new("b", "k", None)]);
    check(&near, Level::Ok, "Yes, for now: 1 more is inside its reminders. The other 1 of 2 are in order.");
    let soon = view(&[one("2026-11-25T00:00:00Z")]);
    check(&soon, Level::Ok, "Not quite: 1 runs out within 7 days. The other 0 of 1 are in order.");
    check(&small_place(), Level::Ok, "No: 1 has expired and 1 runs out within 7 days. The other 4 of 6 are in order.");
    let some = Filter { team: "idim".to_owned(), ..Filter::default() };
    assert_eq!(
        answer(&small_place(), &some, Level::Ok),
        "Not quite: of what you chose to see, 1 runs out within 7 days. The other 1 of 2 are in order."
    );
}

#[test]
fn the_time_line_says_in_words_what_it_draws() {
    let view = small_place();
    let scene = Scene::new(&view, at(NOW));
    let filter = Filter::default();
    let found = sorted_by_expiry(&view, filter.select(&view));
    insta::assert_snapshot!(words(&timeline::section(&scene, &filter, &found)));
}

#[test]
fn a_rotation_that_waits_for_somebody_calls_and_one_that_goes_as_planned_does_not() {
    let case = |key: &str, from: &str, until: &str| Case { from: Some(at(from)), ..Case::new("api", key, Some(until)) };
    let due = view_with(&[case("old", "2026-08-25T00:00:00Z", "2027-08-21T00:00:00Z")], |policy| {
        policy.defaults.rotate_every = Some("90d".parse().unwrap());
    });
    assert_eq!(due.holders[0].state, State::RotationDue);
    let scene = Scene::new(&due, at(NOW));
    let needs = attention::needs(&scene, &[0]);
    let text = words(&attention::section(&scene, &Filter::default(), &needs));
    assert!(text.contains("rotation due") && text.contains("to be replaced by 2026-11-22"), "{text}");

    let overlap = view(&[
        case("old", "2026-05-25T00:00:00Z", "2026-12-21T00:00:00Z"),
        case("new", "2026-10-23T00:00:00Z", "2027-04-21T00:00:00Z"),
    ]);
    let scene = Scene::new(&overlap, at(NOW));
    let needs = attention::needs(&scene, &[0, 1]);
    let text = words(&attention::section(&scene, &Filter::default(), &needs));
    assert!(text.contains("Nothing at present.") && text.contains("1 in overlap"), "{text}");
    assert_eq!(Filter { rotation: "overlap".to_owned(), ..Filter::default() }.select(&overlap).len(), 2);
    assert_eq!(Filter { attention: "yes".to_owned(), ..Filter::default() }.select(&overlap).len(), 0);
    assert_eq!(Filter { ends: "1y".to_owned(), ..Filter::default() }.select(&overlap).len(), 1);
}

#[test]
fn what_one_person_will_look_at_is_one_item() {
    let view = view(&[
        Case::new("a", "1", Some("2026-11-20T00:00:00Z")),
        Case { label: "other".to_owned(), ..Case::new("a", "2", Some("2026-11-24T00:00:00Z")) },
        Case::new("b", "1", Some("2026-11-23T00:00:00Z")),
    ]);
    let scene = Scene::new(&view, at(NOW));
    let found = sorted_by_expiry(&view, Filter::default().select(&view));
    let sizes: Vec<usize> = attention::needs(&scene, &found).iter().map(attention::Need::size).collect();
    assert_eq!(sizes, [2, 1]);
}

fn told(seconds: i64, kind: NoticeKind, step: &str, team: &str) -> Told {
    Told {
        at: at("2026-11-14T16:00:00Z") + jiff::SignedDuration::from_secs(seconds),
        expires_at: Some(at("2026-11-28T20:00:00Z")),
        kind,
        step: step.parse().unwrap(),
        team: TeamId::new(team),
        episode: 0,
    }
}

fn history() -> History {
    let sent = |state, error: Option<&str>| Sent {
        message_id: "<0b6c@example.ca>".to_owned(),
        enqueued_at: told(0, NoticeKind::Expiring, "14d", "ccaas").at,
        address: "ccaas@example.ca".to_owned(),
        subject: Text::clean("Expires in <b>14</b> days"),
        state,
        attempts: 2,
        last_error: error.map(Text::clean),
    };
    History {
        told: vec![
            told(60, NoticeKind::Resolved, "resolved", "ccaas"),
            told(0, NoticeKind::Expiring, "14d", "ccaas"),
            told(0, NoticeKind::Expiring, "14d", "idim"),
        ],
        more: false,
        mail: vec![sent(SentState::Delivered, None), sent(SentState::Rejected, Some("550 <no> such user"))],
    }
}

fn place_with_the_api() -> View {
    let api = |key: &str, from: &str, until: &str| Case {
        holder: "sec_bcgov_v1".to_owned(),
        label: format!("MaxConf API {key}"),
        from: Some(at(from)),
        ..Case::new("api", key, Some(until))
    };
    let cases = [
        api("A", "2026-05-25T00:00:00Z", "2026-12-21T00:00:00Z"),
        api("B", "2026-10-23T00:00:00Z", "2027-04-21T00:00:00Z"),
    ];
    view_with(&cases, |policy| {
        let mut rule = rule_for("API", "sec*");
        rule.treatment.successor = crate::domain::Successor::Holder;
        policy.rules = vec![rule];
    })
}

#[test]
fn a_credentials_page_tells_its_story_in_order() {
    let view = place_with_the_api();
    let scene = Scene::new(&view, at(NOW));
    let one = scene.one(scene.entry(&CredentialId::parse("entra:application:api:A")).unwrap());
    insta::assert_snapshot!(words(&credential::page(&one, Some(&history()))));
}

#[test]
fn a_story_that_cannot_be_read_is_not_taken_for_silence() {
    let view = small_place();
    let scene = Scene::new(&view, at(NOW));
    let text = |history: Option<&History>| words(&story::section(&scene.one(0), history));
    assert!(text(None).contains("cannot be read at this moment"));
    assert!(text(Some(&History::default())).contains("Nobody has been told anything about it yet."));
    assert!(text(Some(&History { more: true, ..history() })).contains("Only the latest notices are listed."));
}

#[test]
fn what_is_gone_has_a_page_that_says_since_when() {
    let mut view = small_place();
    let mut entries = view.inventory.entries().to_vec();
    entries[0].missing_since = Some(at("2026-11-20T10:00:00Z"));
    view.inventory = Arc::new(Inventory::new(entries, vec![]));
    view.verdicts.remove(0);
    view.holders.clear();
    let scene = Scene::new(&view, at(NOW));
    let text = words(&credential::page(&scene.one(0), Some(&History::default())));
    assert!(text.contains("no longer lists it since 2026-11-20 03:00"), "{text}");
}

#[test]
fn the_forecast_is_a_line_a_fact_and_follows_the_filter() {
    let view = small_place();
    let scene = Scene::new(&view, at(NOW));
    let row = |when: &str, kind, step: &str, credential: &str, team: &str| ForecastRow {
        at: at(when),
        kind,
        step: step.parse().unwrap(),
        credential: CredentialId::parse(credential),
        holder: Text::clean("<b>Pexip</b>"),
        label: Text::clean("label"),
        team: TeamId::new(team),
        reason: "3d threshold crossed".to_owned(),
    };
    let pexip = "entra:application:pexip-Test:k1";
    let rows = [
        row("2026-11-25T16:00:00Z", NoticeKind::Expiring, "3d", pexip, "ccaas"),
        row("2026-11-25T16:00:00Z", NoticeKind::Expiring, "3d", pexip, "idim"),
        row("2026-12-01T16:00:00Z", NoticeKind::SourceStale, "stale", "source:vault", "ccaas"),
        row("2027-06-01T16:00:00Z", NoticeKind::Expired, "expired", pexip, "ccaas"),
    ];
    let text = |filter: &Filter, rows: &[ForecastRow]| forecast::forecast_section(&scene, filter, rows).0;
    let all = text(&Filter::default(), &rows);
    assert!(all.contains("ccaas, idim") && all.contains("expiring, 3d") && all.contains("&lt;b&gt;Pexip"), "{all}");
    assert!(all.contains("2026-12-01") && !all.contains("2027-06-01"), "{all}");
    let idim = text(&Filter { team: "idim".to_owned(), ..Filter::default() }, &rows);
    assert!(idim.contains("expiring, 3d") && !idim.contains("ccaas") && !idim.contains("stale"), "{idim}");
    assert!(text(&Filter::default(), &[]).contains("Nothing."));
    let many: Vec<ForecastRow> = (0..400)
        .map(|n| row("2026-11-25T16:00:00Z", NoticeKind::Expiring, "3d", &format!("entra:application:x:{n}"), "ccaas"))
        .collect();
    let many = text(&Filter::default(), &many);
    assert!(many.contains("138 more notices") && many.contains("And 250 later"), "{many}");
}

#[test]
fn an_address_holds_any_id() {
    let id = CredentialId::parse("tls:a.example.ca:[::1]:443 \"&<x>");
    assert_eq!(page_of(&id), "/credential?id=tls%3Aa.example.ca%3A%5B%3A%3A1%5D%3A443+%22%26%3Cx%3E");
}
