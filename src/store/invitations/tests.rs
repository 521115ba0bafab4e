//! What calendars were told reads back, and is written with its message or not at all.

use super::*;
use crate::domain::{Address, Channel};
use crate::outbox::Fate;
use crate::store::testing::Ground;
use crate::store::{Owner, Pick};
use jiff::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn fresh() -> (Ground, Store) {
    let ground = Ground::new().await;
    let store = ground.open().await;
    (ground, store)
}

fn entry(address: &str, sequence: u32) -> Invited {
    Invited {
        credential: CredentialId::parse("entra:application:app:key"),
        address: address.parse().unwrap(),
        sequence,
        day: "2026-09-29".parse().unwrap(),
        expires_at: at("2026-11-28T19:00:00.9127305Z"),
        stamped_at: at("2026-09-20T15:00:00.25Z"),
        title: Text::clean("Renew: Müller's <app>"),
        is_cancelled: sequence == 9,
    }
}

fn draft(id: &str, address: &Address) -> Draft {
    Draft {
        id: id.to_owned(),
        address: address.clone(),
        channel: Channel::Calendar,
        subject: Text::clean("Renew"),
        enqueued_at: at("2026-09-20T15:00:00Z"),
        raw: b"x".to_vec(),
        about: Vec::new(),
    }
}

/// Tells it, in a message of this id; gives back what had been told.
async fn tell(store: &Store, id: &str, entry: Invited) -> Vec<Invited> {
    let mut known = Vec::new();
    let compose = |told| {
        known = told;
        let draft = draft(id, &entry.address);
        Ok::<_, StoreError>(vec![(entry, draft)])
    };
    assert_eq!(store.invite(compose).await.unwrap(), 1);
    known
}

#[tokio::test]
async fn what_was_told_last_reads_back_exactly_for_each_address() {
    let (_folder, store) = fresh().await;
    assert_eq!(tell(&store, "<1@x>", entry("a@example.ca", 0)).await, []);
    assert_eq!(tell(&store, "<2@x>", entry("b@example.ca", 0)).await, [entry("a@example.ca", 0)]);
    tell(&store, "<3@x>", entry("a@example.ca", 9)).await;
    let mut known = tell(&store, "<4@x>", entry("c@example.ca", 0)).await;
    known.sort_by(|a, b| a.address.cmp(&b.address));
    assert_eq!(known, [entry("a@example.ca", 9), entry("b@example.ca", 0)]);
}

#[tokio::test]
async fn a_message_that_waits_gives_way_to_a_newer_one_and_what_was_sent_stays() {
    let (_folder, store) = fresh().await;
    let now = at("2026-09-20T16:00:00Z");
    tell(&store, "<1@x>", entry("a@example.ca", 0)).await;
    tell(&store, "<2@x>", entry("b@example.ca", 0)).await;
    tell(&store, "<3@x>", entry("a@example.ca", 1)).await;
    assert_eq!(store.pending().await.unwrap(), ["<2@x>", "<3@x>"]);
    let owner = Owner::unique();
    let parcel = store.lease(Pick::Id("<3@x>"), &owner, now).await.unwrap().unwrap();
    assert_eq!(parcel.draft.channel, Channel::Calendar);
    store.settle("<3@x>", &owner, &Fate::Delivered, now).await.unwrap();
    tell(&store, "<4@x>", entry("a@example.ca", 2)).await;
    assert_eq!(store.outbox().await.unwrap().recent.len(), 3);
}

#[tokio::test]
async fn what_cannot_be_written_has_not_been_told() {
    let (_folder, store) = fresh().await;
    let failing = |_| Err(StoreError::Content("no".to_owned()));
    assert!(store.invite(failing).await.is_err());
    let twice = |_| {
        let told = |address: &str| (entry(address, 0), draft("<1@x>", &address.parse().unwrap()));
        Ok::<_, StoreError>(vec![told("a@example.ca"), told("b@example.ca")])
    };
    assert!(store.invite(twice).await.is_err(), "one Message-ID, two messages");
    assert!(store.pending().await.unwrap().is_empty());
    assert_eq!(tell(&store, "<1@x>", entry("a@example.ca", 0)).await, []);
}

#[tokio::test]
async fn what_is_to_be_read_goes_before_what_only_changes_a_calendar() {
    let (_folder, store) = fresh().await;
    tell(&store, "<1@x>", entry("a@example.ca", 0)).await;
    let later = Draft {
        channel: Channel::Mail,
        enqueued_at: at("2026-09-20T15:30:00Z"),
        ..draft("<2@x>", &"a@example.ca".parse().unwrap())
    };
    store.post(&[later]).await.unwrap();
    assert_eq!(store.pending().await.unwrap(), ["<2@x>", "<1@x>"]);
    let first = store.lease(Pick::Due, &Owner::unique(), at("2026-09-20T16:00:00Z")).await.unwrap().unwrap();
    assert_eq!(first.draft.id, "<2@x>");
}
