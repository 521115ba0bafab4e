//! The vault's word: its date beside the directory's, and what it says that it keeps.

use super::*;
use crate::decide::testing::team_ids;
use crate::decide::{Code, Status};
use crate::domain::{CredentialId, Holder, Kind, Mark, Rule, SourceName, Text};
use crate::inventory::SourceState;
use std::sync::Arc;

const APP: &str = "33758b54-a9cb-48ef-a363-5aaf10888f80";

/// Where one team keeps the OIDC secret in a directory and a copy of it in a vault.
fn oidc() -> Life {
    let mut life = Life::with_defaults();
    life.sources.push(SourceState::unknown(SourceName::new("vault"), "key_vault"));
    life.policy.stale_after.insert(SourceName::new("vault"), Period::hours(6));
    life
}

/// The directory's secret, made on a day for a year.
fn oidc_secret(key: &str, day: i64) -> Credential {
    let secret = living(key, day, 365);
    let holder = Holder { app_id: Some(Ident::new(APP)), ..(*secret.holder).clone() };
    Credential { holder: Arc::new(holder), label: Text::clean("Pexip Administration OICD client secret"), ..secret }
}

/// The vault's entry, with a mark that names `key`, under the date of `dated`.
fn entry(key: Option<&str>, dated: &Credential) -> Credential {
    let mark = Mark { app_id: Some(Ident::new(APP)), key_id: key.map(Ident::new) };
    Credential {
        id: CredentialId::parse("key_vault:secret:kvlt.vault.azure.net/oidc"),
        source: SourceName::new("vault"),
        kind: Kind::VaultSecret,
        holder: Arc::new(Holder {
            name: Text::clean("oidc"),
            id: Ident::new("oidc"),
            app_id: None,
            ..(*dated.holder).clone()
        }),
        label: Text::clean(""),
        mark: Some(Box::new(mark)),
        ..dated.clone()
    }
}

fn both(now: Timestamp, directory: Vec<Credential>, vault: Vec<Credential>) -> Vec<Reading> {
    vec![reading("entra", now, Ok(directory)), reading("vault", now, Ok(vault))]
}

fn in_vault(told: &[(i64, Notice)]) -> Vec<String> {
    let of_vault = told.iter().filter(|(_, notice)| notice.key.credential.to_string().starts_with("key_vault:"));
    of_vault.map(|(day, notice)| format!("{day} {}", short(notice))).collect()
}

/// Day 0: `a`. Day 330: `b` is made. `entry_on` says what the vault holds on each day.
fn rotated_on_330(
    days: i64,
    entry_on: impl Fn(i64, &Credential, &Credential) -> Vec<Credential>,
) -> Vec<(i64, Notice)> {
    let (a, b) = (oidc_secret("a", 0), oidc_secret("b", 330));
    oidc().mornings(FIRST, 0..days, |day, now| {
        let directory = if day < 330 { vec![a.clone()] } else { vec![a.clone(), b.clone()] };
        both(now, directory, entry_on(day, &a, &b))
    })
}

#[test]
fn a_vault_that_agrees_leaves_the_telling_to_the_directory() {
    let told = rotated_on_330(400, |day, a, b| vec![if day < 330 { entry(Some("a"), a) } else { entry(Some("b"), b) }]);
    assert_eq!(in_vault(&told), [""; 0]);
    assert_eq!(heard_by("ccaas", &told), ["305 expiring 60d", "330 resolved", "358 retiring 7d"]);
}

#[test]
fn a_secret_rotated_in_time_with_its_vault_entry_updated_late_is_a_mismatch_until_then() {
    let told = rotated_on_330(400, |day, a, b| vec![if day < 340 { entry(Some("a"), a) } else { entry(Some("b"), b) }]);
    // Nobody else tells the date that still stands in the vault.
    assert_eq!(in_vault(&told), ["330 expiring 60d", "330 date_mismatch now", "335 expiring 30d", "340 resolved"]);
    let reason = &on(330, "date_mismatch", &told).reason;
    let label = "\"Pexip Administration OICD client secret\"";
    assert_eq!(
        *reason,
        format!(
            "it keeps {label} (ends 2027-01-05), which is superseded; the newest, {label} (ends 2027-12-01), has not reached the vault"
        )
    );
}

#[test]
fn a_vault_entry_that_is_never_updated_is_a_mismatch_told_once_and_its_own_date_is_told_to_its_end() {
    let told = rotated_on_330(380, |_, a, _| vec![entry(Some("a"), a)]);
    assert_eq!(
        in_vault(&told),
        [
            "330 expiring 60d",
            "330 date_mismatch now",
            "335 expiring 30d",
            "351 expiring 14d",
            "358 expiring 7d",
            "362 expiring 3d",
            "364 expiring 1d",
            "365 expired",
            "372 expired expired+7d",
            "379 expired expired+14d"
        ]
    );
}

/// What a vault's entry comes to beside the directory's `a` (days 0 to 365) and `b` (days 330 to 695), on day 340.
#[track_caller]
fn on_day_340(directory: Vec<Credential>, vault: Credential, expected: Option<&str>) {
    let mut life = oidc();
    let now = life.on_day(FIRST, 340, 8, 0);
    life.poll_all(now, both(now, directory, vec![vault]));
    let decision = life.decide(now);
    let verdict =
        decision.verdicts.iter().find(|verdict| verdict.credential(&life.inventory).kind == Kind::VaultSecret);
    let reasons: Vec<&str> = verdict.unwrap().conditions.iter().map(|condition| condition.reason.as_str()).collect();
    assert_eq!(reasons.len(), usize::from(expected.is_some()), "{reasons:?}");
    assert!(expected.is_none_or(|expected| reasons[0].contains(expected)), "{reasons:?}");
}

#[test]
fn a_vault_entry_is_held_against_what_it_says_that_it_keeps() {
    let (a, b) = (|| oidc_secret("a", 0), || oidc_secret("b", 330));
    let dated = |end: &Credential, hours: i64| Credential {
        expires_at: end.expires_at.map(|end| end + SignedDuration::from_hours(hours)),
        ..end.clone()
    };
    let dateless = |of: Credential| Credential { expires_at: None, ..of };
    // Named by its key.
    on_day_340(vec![a(), b()], entry(Some("b"), &b()), None);
    on_day_340(vec![a(), b()], entry(Some("b"), &dated(&b(), 24)), None);
    on_day_340(vec![a(), b()], entry(Some("b"), &dated(&b(), 25)), Some("the directory says 2027-12-01"));
    on_day_340(vec![a(), b()], entry(Some("b"), &dated(&b(), -25)), Some("the vault says that it ends on 2027-11-30"));
    on_day_340(vec![a(), b()], entry(Some("a"), &a()), Some("which is superseded"));
    on_day_340(vec![a(), b()], entry(Some("a"), &b()), Some("which is superseded"));
    on_day_340(vec![b()], entry(Some("a"), &a()), Some("it keeps the key a, which is not in the directory"));
    on_day_340(vec![a(), b()], entry(Some("b"), &dateless(b())), None);
    on_day_340(vec![a(), b()], entry(Some("a"), &dateless(a())), Some("which is superseded"));
    // Named by its application.
    on_day_340(vec![a(), b()], entry(None, &b()), None);
    on_day_340(vec![a(), b()], entry(None, &a()), Some("that of no current credential of the application"));
    on_day_340(vec![a()], entry(None, &a()), None);
    on_day_340(vec![], entry(None, &a()), Some("of which the directory has no such credential"));
    on_day_340(vec![a(), b()], entry(None, &dateless(b())), None);
    // Another label is another secret: both are current.
    let other = Credential { label: Text::clean("another"), ..b() };
    on_day_340(vec![a(), other.clone()], entry(None, &a()), None);
    on_day_340(vec![a(), other], entry(Some("a"), &a()), None);
    // Without a mark, nothing is said.
    on_day_340(vec![b()], Credential { mark: None, ..entry(Some("a"), &a()) }, None);
}

#[test]
fn a_key_id_that_two_applications_share_is_that_of_the_application_which_is_named_beside_it() {
    let elsewhere = |days: i64| {
        let same_key = oidc_secret("b", 330);
        let holder = Holder {
            id: Ident::new("elsewhere"),
            app_id: Some(Ident::new("849cca37-34d6-42d9-bb7d-4d8592b385c5")),
            ..(*same_key.holder).clone()
        };
        Credential {
            id: CredentialId::parse("entra:application:elsewhere:b"),
            holder: Arc::new(holder),
            expires_at: same_key.expires_at.map(|end| end + SignedDuration::from_hours(24 * days)),
            ..same_key
        }
    };
    for days in [-100, 100] {
        let b = || oidc_secret("b", 330);
        on_day_340(vec![b(), elsewhere(days)], entry(Some("b"), &b()), None);
        on_day_340(vec![elsewhere(days), b()], entry(Some("b"), &b()), None);
        let dated = entry(Some("b"), &elsewhere(days));
        on_day_340(vec![b(), elsewhere(days)], dated, Some("the directory says 2027-12-01"));
    }
}

#[test]
fn a_key_that_is_deleted_under_the_vaults_feet_is_a_mismatch_from_that_day() {
    let told = oidc().mornings(FIRST, 0..40, |day, now| {
        let directory = if day < 20 { vec![oidc_secret("a", 0)] } else { vec![] };
        both(now, directory, vec![entry(Some("a"), &oidc_secret("a", 0))])
    });
    assert_eq!(in_vault(&told), ["20 date_mismatch now"]);
    let notice = on(20, "date_mismatch", &told);
    assert_eq!(notice.reason, "it keeps the key a, which is no longer in the directory");
    assert_eq!(notice.crossed_at, oidc().on_day(FIRST, 20, 8, 0));
}

#[test]
fn a_directory_that_could_not_be_read_is_no_mismatch_and_resolves_none() {
    let (a, vault) = (oidc_secret("a", 0), entry(Some("gone"), &oidc_secret("a", 0)));
    let unread = |now| vec![reading("entra", now, Err("503")), reading("vault", now, Ok(vec![vault.clone()]))];
    let told = oidc().mornings(FIRST, 0..5, |_, now| unread(now));
    assert_eq!(in_vault(&told), [""; 0]);
    // A second directory is added, and cannot be read yet: the key may be there.
    let mut life = oidc();
    let told = life.mornings(FIRST, 0..2, |_, now| both(now, vec![a.clone()], vec![vault.clone()]));
    assert_eq!(in_vault(&told), ["0 date_mismatch now"]);
    life.sources.push(SourceState::unknown(SourceName::new("entra2"), "entra"));
    let told = life.mornings(FIRST, 2..5, |_, now| both(now, vec![a.clone()], vec![vault.clone()]));
    assert_eq!(in_vault(&told), [""; 0], "nobody has seen them agree");
    // Nor does an outage of the one that is known.
    let told = life.mornings(FIRST, 5..9, |_, now| unread(now));
    assert_eq!(in_vault(&told), [""; 0]);
}

#[test]
fn a_mark_or_a_date_that_is_taken_away_ends_the_mismatch_but_is_not_called_agreement() {
    let vault = entry(None, &oidc_secret("wrong", 30));
    for without in [Credential { mark: None, ..vault.clone() }, Credential { expires_at: None, ..vault.clone() }] {
        let told = oidc().mornings(FIRST, 0..40, |day, now| {
            let kept = if day < 35 { vault.clone() } else { without.clone() };
            both(now, vec![oidc_secret("a", 0)], vec![kept])
        });
        assert_eq!(in_vault(&told), ["0 date_mismatch now", "35 resolved"]);
        assert_eq!(on(35, "resolved", &told).reason, "the vault no longer says what it keeps, or until when");
    }
}

#[test]
fn a_vault_entry_without_a_date_is_listed_as_such() {
    let mut life = oidc();
    let now = life.on_day(FIRST, 1, 8, 0);
    let dateless = Credential { expires_at: None, ..entry(Some("a"), &oidc_secret("a", 0)) };
    life.poll_all(now, both(now, vec![oidc_secret("a", 0)], vec![dateless]));
    let decision = life.decide(now);
    let verdict = &decision.verdicts[1];
    assert_eq!((verdict.status, verdict.code, verdict.days_left), (Status::NoExpiry, Code::NoExpiry, None));
    let calendar = crate::decide::Calendar::new(&life.policy.zone, now);
    let sentence = verdict.explain(&life.inventory, &life.policy, &calendar);
    assert_eq!(sentence, "the vault holds no date for it");
}

/// The vault's entry told to `vault`, the directory's secret to `directory`.
fn told_to(directory: &[&str], vault: &[&str]) -> Life {
    let mut life = oidc();
    let of_vault = Match { source: Some(vec![Glob::new("vault")]), ..Match::default() };
    let rules: [Rule; 2] = [rule(of_vault, vault), rule(Match::default(), directory)];
    life.policy.rules = rules.into();
    life
}

#[test]
fn a_team_that_the_directorys_secret_does_not_tell_is_told_by_the_vaults() {
    for (directory, vault, tells) in [
        (&["ccaas"][..], &["ccaas"][..], false),
        (&["ccaas", "idim"], &["idim"], false),
        (&["ccaas"], &["ccaas", "idim"], true),
        (&["ccaas"], &["idim"], true),
    ] {
        let told = told_to(directory, vault).mornings(FIRST, 0..310, |_, now| {
            both(now, vec![oidc_secret("a", 0)], vec![entry(Some("a"), &oidc_secret("a", 0))])
        });
        assert_eq!(!in_vault(&told).is_empty(), tells, "{directory:?} {vault:?}");
    }
    let mut ignored = told_to(&["ccaas"], &["ccaas"]);
    ignored.policy.rules[1].treatment.ignore = Some(Text::clean("the vault's is the one that counts"));
    let told = ignored.mornings(FIRST, 0..310, |_, now| {
        both(now, vec![oidc_secret("a", 0)], vec![entry(Some("a"), &oidc_secret("a", 0))])
    });
    assert_eq!(in_vault(&told), ["305 expiring 60d"]);
}

#[test]
fn an_alarm_that_the_vault_told_itself_is_resolved_when_its_new_date_agrees() {
    let (a, b) = (oidc_secret("a", 0), oidc_secret("b", 330));
    let told = told_to(&["idim"], &["ccaas"]).mornings(FIRST, 300..400, |day, now| {
        let (directory, vault) = match day {
            ..330 => (vec![a.clone()], entry(Some("a"), &a)),
            _ => (vec![a.clone(), b.clone()], entry(Some("b"), &b)),
        };
        both(now, directory, vec![vault])
    });
    assert_eq!(in_vault(&told), ["305 expiring 60d", "330 resolved"]);
    assert_eq!(on(330, "resolved", &told).key.team, team_ids(&["idim"])[0]);
}

#[test]
fn the_vaults_sentence_says_who_tells_its_end() {
    let mut life = oidc();
    let now = life.on_day(FIRST, 310, 8, 0);
    life.poll_all(now, both(now, vec![oidc_secret("a", 0)], vec![entry(Some("a"), &oidc_secret("a", 0))]));
    let decision = life.decide(now);
    let verdict = &decision.verdicts[1];
    assert_eq!((verdict.status, verdict.code), (Status::Expiring, Code::Ignored));
    let calendar = crate::decide::Calendar::new(&life.policy.zone, now);
    let sentence = verdict.explain(&life.inventory, &life.policy, &calendar);
    assert_eq!(sentence, "it keeps entra:application:app:a, whose notices tell its end");
}
