//! What the state promises, on a real file; or on a server, see [`super::testing`].

use super::sqlite::options;
use super::testing::Ground;
use super::*;
use crate::domain::{
    Channel, Credential, CredentialId, Families, Holder, Ident, Kind, Mark, Notice, NoticeKey, NoticeKind, Owners,
    Serial, SourceName, Step, Subject, TeamId, Text, Trouble, X509,
};
use crate::inventory::{Changes, Entry, Inventory, SourceState};
use crate::outbox::{About, Draft, Fate};
use jiff::{SignedDuration, Timestamp};
use sqlx::Connection;
use std::sync::Arc;

const NOW: &str = "2026-11-21T16:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    at(NOW) + SignedDuration::from_secs(seconds)
}

async fn fresh() -> (Ground, Store) {
    let ground = Ground::new().await;
    let store = ground.open().await;
    (ground, store)
}

fn entry(key_id: &str) -> Entry {
    let credential = Credential {
        id: CredentialId::parse(&format!("entra:application:app:{key_id}")),
        source: SourceName::new("entra"),
        kind: Kind::ClientSecret,
        holder: Arc::new(Holder {
            name: Text::clean("Müller's <app>"),
            id: Ident::new("849cca37-34d6-42d9-bb7d-4d8592b385c5"),
            app_id: Some(Ident::new("33758b54-a9cb-48ef-a363-5aaf10888f80")),
            team_tags: ["ccaas", "idim"].map(Box::from).into(),
            enabled: false,
            owners: Some(Arc::new(Owners::Reachable(["a@example.ca".parse().unwrap()].into()))),
        }),
        label: Text::clean("label"),
        not_before: Some(at("2026-01-15T08:12:44.9127305Z")),
        expires_at: Some(at("2199-12-31T23:59:59.9999999Z")),
        enabled: true,
        in_use: true,
        x509: Some(Arc::new(X509 {
            serial: Serial::parse("0A1B").unwrap(),
            issuer: Some(Text::clean("CN=Müller CA")),
            sha1: Some([7; 20]),
            names: ["a.example.ca", "*.b.example.ca"].iter().map(|name| Text::clean(name)).collect(),
            paid_until: Some(at("2028-11-20T23:59:59Z")),
        })),
        trouble: Some(Box::new(Trouble::Untrusted(Text::clean("incomplete chain")))),
        mark: Some(Box::new(Mark { app_id: None, key_id: Some(Ident::new("k")) })),
    };
    Entry {
        credential: Arc::new(credential),
        first_seen: at(NOW),
        trouble_since: Some(Box::new(later(30))),
        missing_since: Some(later(60)),
    }
}

fn source() -> SourceState {
    SourceState {
        name: SourceName::new("entra"),
        system: "entra",
        first_attempt: Some(at(NOW)),
        last_attempt: Some(later(60)),
        last_success: None,
        last_error: Some(Text::clean("503")),
        last_use: None,
    }
}

fn notice(step: &str, team: &str) -> Notice {
    Notice {
        key: NoticeKey {
            credential: CredentialId::parse("entra:application:app:key"),
            expires_at: Some(at("2026-11-28T00:00:00.1234567Z")),
            kind: NoticeKind::Expiring,
            step: step.parse().unwrap(),
            team: TeamId::new(team),
            episode: 2,
            closes: Families::default(),
        },
        crossed_at: at(NOW),
        due_by: None,
        urgent: false,
        subject: Subject::Source {
            name: SourceName::new("entra"),
            system: "entra",
            last_success: None,
            last_error: None,
        },
        reason: String::new(),
        rule: None,
        environment: None,
        runbook: None,
        told: Vec::new(),
        escalation: None,
        owners: Box::default(),
    }
}

fn draft(id: &str, enqueued_at: Timestamp) -> Draft {
    Draft {
        id: id.to_owned(),
        address: "ops@example.ca".parse().unwrap(),
        channel: Channel::Mail,
        subject: Text::clean("Expires in 7 days"),
        enqueued_at,
        raw: b"Subject: x\r\n\r\n\0\xff".to_vec(),
        about: vec![About {
            notice: "expiring".to_owned(),
            credential: "c".to_owned(),
            threshold: "7d".to_owned(),
            crossed_at: at(NOW),
        }],
    }
}

#[tokio::test]
async fn what_was_known_reads_back_exactly_after_a_restart() {
    let (ground, store) = fresh().await;
    let inventory = Inventory::new((0..1201).map(|n| entry(&format!("k{n}"))).collect(), vec![source()]);
    let changes = Changes { upserts: inventory.entries().to_vec(), removals: Vec::new() };
    store.apply(&changes, inventory.sources()).await.unwrap();
    drop(store);
    let store = ground.open().await;
    let configured = [SourceState::unknown(SourceName::new("entra"), "entra")];
    assert_eq!(store.inventory(&configured).await.unwrap(), inventory);
    let removals = vec![CredentialId::parse("entra:application:app:k7")];
    store.apply(&Changes { upserts: Vec::new(), removals }, &[]).await.unwrap();
    assert_eq!(store.inventory(&configured).await.unwrap().entries().len(), 1200);
}

#[tokio::test]
async fn a_notice_is_enqueued_once_ever_and_its_message_with_it() {
    let (_folder, store) = fresh().await;
    let changes = Changes { upserts: vec![entry("key")], removals: Vec::new() };
    store.apply(&changes, &[]).await.unwrap();
    let both = || vec![notice("7d", "ccaas"), notice("7d", "idim")];
    let one = |_: &[Notice]| Ok::<_, StoreError>(vec![draft("<1@x>", at(NOW))]);
    assert_eq!(store.enqueue(both(), at(NOW), one).await.unwrap().len(), 2);
    let none = |_: &[Notice]| -> Result<Vec<Draft>, StoreError> { panic!("nothing is new") };
    assert_eq!(store.enqueue(both(), at(NOW), none).await.unwrap().len(), 0);
    let another = |fresh: &[Notice]| {
        assert_eq!(fresh[0].key.step, Step::Before("3d".parse().unwrap()));
        Ok::<_, StoreError>(vec![draft("<2@x>", at(NOW))])
    };
    assert_eq!(
        store.enqueue(vec![notice("7d", "ccaas"), notice("3d", "ccaas")], at(NOW), another).await.unwrap().len(),
        1
    );
    let told = store.told().await.unwrap();
    assert_eq!(told.len(), 3);
    assert!(told.contains(&notice("3d", "ccaas").key), "a key reads back exactly");
    let (before, after) = (at(NOW) - SignedDuration::from_secs(1), at(NOW));
    assert_eq!(store.told_since(after).await.unwrap(), []);
    let lately = store.told_since(before).await.unwrap();
    assert!(lately.len() == 3 && lately.contains(&(at(NOW), notice("3d", "ccaas").key)));
    assert_eq!(store.pending().await.unwrap(), ["<1@x>", "<2@x>"]);
}

#[tokio::test]
async fn what_cannot_be_composed_has_not_been_told() {
    let (_folder, store) = fresh().await;
    let failing = |_: &[Notice]| Err(StoreError::Content("no".to_owned()));
    assert!(store.enqueue(vec![notice("7d", "ccaas")], at(NOW), failing).await.is_err());
    let changes = Changes { upserts: vec![entry("key")], removals: Vec::new() };
    store.apply(&changes, &[]).await.unwrap();
    assert!(store.told().await.unwrap().is_empty() && store.pending().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_in_hand_is_nobody_elses_until_its_lease_ends() {
    let (_folder, store) = fresh().await;
    let (one, other) = (Owner::unique(), Owner::unique());
    store.post(&[draft("<1@x>", at(NOW))]).await.unwrap();
    let parcel = store.lease(Pick::Due, &one, at(NOW)).await.unwrap().unwrap();
    assert_eq!((parcel.draft, parcel.attempts), (draft("<1@x>", at(NOW)), 0));
    assert!(store.lease(Pick::Due, &other, later(10)).await.unwrap().is_none());
    assert!(store.lease(Pick::Id("<1@x>"), &other, later(10)).await.unwrap().is_none());
    let again = store.lease(Pick::Due, &other, later(40)).await.unwrap().unwrap();
    assert_eq!(again.attempts, 1);
    // Whoever lost the lease cannot settle what another has in hand.
    store.settle("<1@x>", &one, &Fate::Rejected { why: Text::default() }, later(41)).await.unwrap();
    assert_eq!(store.pending().await.unwrap().len(), 1);
    // But what it delivered has been delivered.
    store.settle("<1@x>", &one, &Fate::Delivered, later(42)).await.unwrap();
    assert!(store.pending().await.unwrap().is_empty());
    store.settle("<1@x>", &other, &Fate::Rejected { why: Text::default() }, later(43)).await.unwrap();
    assert_eq!(store.outbox().await.unwrap().rejected, 0, "what is finished stays finished");
}

#[tokio::test]
async fn a_deferred_message_waits_for_its_time_unless_it_is_asked_for_by_name() {
    let (_folder, store) = fresh().await;
    let owner = Owner::unique();
    store.post(&[draft("<1@x>", at(NOW)), draft("<2@x>", later(1))]).await.unwrap();
    let first = store.lease(Pick::Due, &owner, later(2)).await.unwrap().unwrap();
    let fate = Fate::Deferred { until: later(60), why: Text::clean("451 later") };
    store.settle(&first.draft.id, &owner, &fate, later(2)).await.unwrap();
    let second = store.lease(Pick::Due, &owner, later(3)).await.unwrap().unwrap();
    assert_eq!(second.draft.id, "<2@x>");
    assert!(store.lease(Pick::Due, &owner, later(4)).await.unwrap().is_none());
    assert!(store.lease(Pick::Id("<1@x>"), &owner, later(4)).await.unwrap().is_some());
    let rows = store.outbox().await.unwrap();
    assert_eq!((rows.pending, rows.oldest, rows.rejected), (2, Some(at(NOW)), 0));
    assert_eq!(rows.recent[1].last_error, Some(Text::clean("451 later")));
}

#[tokio::test]
async fn a_lease_written_under_a_clock_that_was_ahead_locks_nobody_out() {
    let (_folder, store) = fresh().await;
    let (ahead, here) = (Owner::unique(), Owner::unique());
    let term = SignedDuration::from_secs(10);
    store.post(&[draft("<1@x>", at(NOW))]).await.unwrap();
    assert!(store.hold("leader", &ahead, term, at("2027-11-21T16:00:00Z")).await.unwrap());
    assert!(store.lease(Pick::Due, &ahead, at("2027-11-21T16:00:00Z")).await.unwrap().is_some());
    assert!(store.hold("leader", &here, term, at(NOW)).await.unwrap());
    assert!(store.lease(Pick::Due, &here, at(NOW)).await.unwrap().is_some());
}

#[tokio::test]
async fn one_of_two_leads_until_it_resigns_or_falls_silent() {
    let (_folder, store) = fresh().await;
    let (one, other) = (Owner::unique(), Owner::unique());
    let term = SignedDuration::from_secs(10);
    let hold = async |owner: &Owner, seconds| store.hold("leader", owner, term, later(seconds)).await.unwrap();
    assert!(hold(&one, 0).await);
    assert!(!hold(&other, 5).await);
    assert!(hold(&one, 8).await, "it may renew");
    assert!(!hold(&other, 15).await);
    assert!(hold(&other, 18).await, "it has fallen silent");
    store.release("leader", &one).await.unwrap();
    assert!(!hold(&one, 19).await, "nobody gives back what is not his");
    store.release("leader", &other).await.unwrap();
    assert!(hold(&one, 19).await);
}

#[tokio::test]
async fn two_processes_may_create_the_state_at_the_same_moment() {
    for _ in 0..10 {
        let ground = Ground::new().await;
        let (one, other) = tokio::join!(ground.open(), ground.open());
        one.ran("notify", at(NOW)).await.unwrap();
        assert_eq!(other.last_run("notify").await.unwrap(), Some(at(NOW)));
    }
}

#[tokio::test]
async fn finished_messages_are_forgotten_in_the_end_and_what_was_told_is_not() {
    let (_folder, store) = fresh().await;
    let owner = Owner::unique();
    let changes = Changes { upserts: vec![entry("key")], removals: Vec::new() };
    store.apply(&changes, &[]).await.unwrap();
    let compose = |_: &[Notice]| Ok::<_, StoreError>(vec![draft("<1@x>", at(NOW)), draft("<2@x>", at(NOW))]);
    store.enqueue(vec![notice("7d", "ccaas")], at(NOW), compose).await.unwrap();
    let parcel = store.lease(Pick::Due, &owner, at(NOW)).await.unwrap().unwrap();
    store.settle(&parcel.draft.id, &owner, &Fate::Delivered, at(NOW)).await.unwrap();
    store.prune(at("2027-11-21T16:00:00Z")).await.unwrap();
    assert_eq!(store.outbox().await.unwrap().recent.len(), 1, "what is pending stays");
    assert_eq!(store.told().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_state_that_cannot_be_used_is_an_error_that_names_it_and_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(Store::open(&path).await.unwrap());
    let whole = std::fs::read(&path).unwrap();
    let mut scrambled = whole.clone();
    scrambled[4096..6000].fill(0x5a);
    for (bytes, said) in [
        (b"this is no database, it is a letter to somebody, long enough to be looked at".to_vec(), "damaged"),
        (whole[..whole.len() / 2].to_vec(), "damaged"),
        (scrambled, "damaged"),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let error = Store::open(&path).await.unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("state.db"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_state_of_a_newer_version_or_of_another_program_is_refused() {
    let (ground, store) = fresh().await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 99, 'later', true, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    store.database().await.unwrap().query(later).execute().await.unwrap();
    drop(store);
    assert!(matches!(Store::open(ground.place()).await, Err(StoreError::Newer { version: 99, .. })));
    assert!(matches!(Store::open_read_only(ground.place()).await, Err(StoreError::Newer { version: 99, .. })));
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign.db");
    let options = options(&foreign).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("CREATE TABLE theirs (x)").execute(&mut connection).await.unwrap();
    drop(connection);
    assert!(matches!(Store::open(&foreign).await, Err(StoreError::Foreign { .. })));
    assert!(matches!(Store::open_read_only(&foreign).await, Err(StoreError::Foreign { .. })));
    let absent = Store::open_read_only(&folder.path().join("absent.db")).await.unwrap();
    assert!(matches!(absent, Found::Nothing), "{absent:?}");
}

#[tokio::test]
async fn clocks_a_little_apart_respect_each_others_leases() {
    let (_folder, store) = fresh().await;
    let (ahead, here) = (Owner::unique(), Owner::unique());
    store.post(&[draft("<1@x>", at(NOW))]).await.unwrap();
    assert!(store.lease(Pick::Due, &ahead, later(2)).await.unwrap().is_some());
    assert!(store.lease(Pick::Due, &here, at(NOW)).await.unwrap().is_none());
    let term = SignedDuration::from_secs(10);
    assert!(store.hold("leader", &ahead, term, later(2)).await.unwrap());
    assert!(!store.hold("leader", &here, term, at(NOW)).await.unwrap());
}

#[tokio::test]
async fn what_was_never_tried_comes_before_what_was_deferred() {
    let (_folder, store) = fresh().await;
    let owner = Owner::unique();
    store.post(&[draft("<1@x>", at(NOW)), draft("<2@x>", later(1))]).await.unwrap();
    let first = store.lease(Pick::Due, &owner, later(2)).await.unwrap().unwrap();
    let fate = Fate::Deferred { until: later(10), why: Text::clean("550 5.7.1 relay access denied") };
    store.settle(&first.draft.id, &owner, &fate, later(2)).await.unwrap();
    assert_eq!(store.lease(Pick::Due, &owner, later(60)).await.unwrap().unwrap().draft.id, "<2@x>");
}

#[tokio::test]
async fn a_history_is_what_was_told_of_one_credential_and_the_messages_that_carried_it() {
    let (_folder, store) = fresh().await;
    let about = |id: &str, credential: &str, at: Timestamp| {
        let mut draft = draft(id, at);
        draft.about[0].credential = credential.to_owned();
        draft.subject = Text::clean(id);
        draft
    };
    let (ours, other) = ("entra:application:app:key", "entra:application:app:other");
    for (step, at, drafts) in [
        ("7d", later(0), vec![about("<1@x>", ours, later(0)), about("<2@x>", other, later(0))]),
        ("3d", later(60), vec![about("<3@x>", ours, later(60))]),
    ] {
        let compose = |_: &[Notice]| Ok::<_, StoreError>(drafts);
        store.enqueue(vec![notice(step, "ccaas"), notice(step, "idim")], at, compose).await.unwrap();
    }
    let mut elsewhere = notice("1d", "ccaas");
    elsewhere.key.credential = CredentialId::parse(other);
    let compose = |_: &[Notice]| Ok::<_, StoreError>(vec![about("<4@x>", other, later(60))]);
    store.enqueue(vec![elsewhere], later(60), compose).await.unwrap();

    let history = store.history(&CredentialId::parse(ours)).await.unwrap();
    let told: Vec<_> = history
        .notices
        .iter()
        .map(|row| (row.enqueued_at, row.key.step.to_string(), row.key.team.to_string()))
        .collect();
    let row = |at, step: &str, team: &str| (at, step.to_owned(), team.to_owned());
    assert_eq!(
        told,
        [
            row(later(60), "3d", "ccaas"),
            row(later(60), "3d", "idim"),
            row(later(0), "7d", "ccaas"),
            row(later(0), "7d", "idim")
        ]
    );
    let subjects: Vec<&str> = history.messages.iter().map(|message| message.subject.as_str()).collect();
    assert_eq!(subjects, ["<3@x>", "<1@x>"]);
    assert!(!history.more);
    assert_eq!(store.history(&CredentialId::parse("x' OR '1'='1")).await.unwrap(), HistoryRows::default());
}

#[tokio::test]
async fn a_long_history_is_cut_at_its_oldest_end_and_says_so() {
    let (_folder, store) = fresh().await;
    let notices: Vec<Notice> = (1..=201).map(|n| notice(&format!("{n}d"), "ccaas")).collect();
    for (seconds, notice) in notices.into_iter().enumerate() {
        let none = |_: &[Notice]| Ok::<_, StoreError>(Vec::new());
        store.enqueue(vec![notice], later(i64::try_from(seconds).unwrap()), none).await.unwrap();
    }
    let history = store.history(&CredentialId::parse("entra:application:app:key")).await.unwrap();
    assert_eq!((history.notices.len(), history.more), (200, true));
    assert_eq!(history.notices[0].key.step.to_string(), "201d");
}

#[tokio::test]
async fn of_two_that_make_the_same_run_one_is_heard_and_its_messages_stand_with_it() {
    let ground = Ground::new().await;
    let (one, other) = (ground.open().await, ground.open().await);
    one.ran("summary", at(NOW)).await.unwrap();
    let seen = one.last_run("summary").await.unwrap();
    let (ours, theirs) = ([draft("<1@x>", at(NOW))], [draft("<2@x>", at(NOW))]);
    let (first, second) = tokio::join!(
        one.ran_with("summary", seen, later(60), &ours),
        other.ran_with("summary", seen, later(60), &theirs)
    );
    assert_eq!(usize::from(first.unwrap()) + usize::from(second.unwrap()), 1);
    assert_eq!(one.pending().await.unwrap().len(), 1);
    assert!(one.ran_with("summary", Some(later(60)), later(120), &[ours, theirs].concat()).await.is_err());
    assert_eq!(one.last_run("summary").await.unwrap(), Some(later(60)), "both, or neither");
}

#[tokio::test]
async fn two_that_write_at_the_same_time_both_get_through() {
    let ground = Ground::new().await;
    let (one, other) = (ground.open().await, ground.open().await);
    let entries: Vec<Entry> = (0..600).map(|n| entry(&format!("k{n}"))).collect();
    let backwards = entries.iter().rev().cloned().collect();
    let (there, back) =
        (Changes { upserts: entries, removals: Vec::new() }, Changes { upserts: backwards, removals: Vec::new() });
    let sources = [source()];
    for _ in 0..5 {
        let (one, other) = tokio::join!(one.apply(&there, &sources), other.apply(&back, &sources));
        one.unwrap();
        other.unwrap();
    }
    let configured = [SourceState::unknown(SourceName::new("entra"), "entra")];
    assert_eq!(one.inventory(&configured).await.unwrap().entries().len(), 600);
}
