//! Who owns what: "may not be read" is not "nobody", and what cannot be asked stays as it was known.

use super::{Desk, TODAY, secret};
use crate::support::{ONE_TEAM, Place, Process};
use expiry_watch::demo::{Directory, Fault, Place as At};
use expiry_watch::domain::{Credential, Owners};
use expiry_watch::sources::Patience;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn reachable(addresses: &[&str]) -> Option<Owners> {
    Some(Owners::Reachable(addresses.iter().map(|address| address.parse().unwrap()).collect()))
}

/// The owners of each holder, by its name.
fn owners(read: &[Arc<Credential>]) -> BTreeMap<String, Option<Owners>> {
    let of = |credential: &Arc<Credential>| {
        (credential.holder.name.to_string(), credential.holder.owners.as_deref().cloned())
    };
    read.iter().map(of).collect()
}

fn are_the_same(one: &[Arc<Credential>], other: &[Arc<Credential>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}

/// One holder for each thing that owners can be.
fn every_kind_of_owner() -> Directory {
    let directory = Directory::new();
    directory
        .application("people")
        .owner("B@Example.ca")
        .owner("a@example.ca")
        .owner("b@example.ca")
        .secret(secret("k1"));
    directory.application("nobody").secret(secret("k2"));
    directory.application("pipeline").owned_by_principal().secret(secret("k3"));
    directory.application("no mailbox").owner_without_mail().secret(secret("k4"));
    directory.application("odd mailbox").owner("not an address").owner("c@example.ca").secret(secret("k5"));
    directory.application("nothing held").owner("d@example.ca");
    directory.service_principal("principal").owned_by_principal().owner("e@example.ca").secret(secret("k6"));
    directory
}

#[tokio::test]
async fn owners_are_people_with_an_address_or_nobody_or_without_one() {
    let desk = Desk::with(every_kind_of_owner(), "owners = true", |options| options.owners_page = 1).await;
    let read = owners(&desk.read().await);
    for (holder, owners) in [
        ("people", reachable(&["a@example.ca", "b@example.ca"])),
        ("nobody", Some(Owners::Nobody)),
        ("pipeline", Some(Owners::WithoutAddress)),
        ("no mailbox", Some(Owners::WithoutAddress)),
        ("odd mailbox", reachable(&["c@example.ca"])),
        ("principal", reachable(&["e@example.ca"])),
    ] {
        assert_eq!(read[holder], owners, "{holder}");
    }
    let asked = desk.place.tenant.requests();
    assert!(asked.iter().any(|address| address.ends_with("/owners?$select=id,displayName,mail")));
    assert!(asked.iter().all(|address| !address.contains("expand")));
    assert_eq!(desk.owners_asked(), 3 + 1 + 1 + 1 + 2 + 2, "whoever holds nothing is not asked about");
    assert_eq!(desk.log.lines(), [""; 0]);
}

#[tokio::test]
async fn may_not_read_users_is_not_no_owner_and_is_told_once() {
    let desk = Desk::new(every_kind_of_owner(), "owners = true").await;
    desk.place.tenant.faults().hide_users(true);
    let read = owners(&desk.read().await);
    for (holder, owners) in [
        ("people", Owners::Hidden),
        ("nobody", Owners::Nobody),
        ("pipeline", Owners::WithoutAddress),
        ("principal", Owners::Hidden),
    ] {
        assert_eq!(read[holder], Some(owners), "{holder}");
    }
    let said = desk.log.lines();
    assert!(said.len() == 1 && said[0].contains("grant User.ReadBasic.All or Directory.Read.All"), "{said:?}");
    desk.hours_pass(25);
    desk.read().await;
    assert_eq!(desk.log.lines(), [""; 0]);
    desk.place.tenant.faults().hide_users(false);
    desk.hours_pass(25);
    assert_eq!(owners(&desk.read().await)["principal"], reachable(&["e@example.ca"]));
}

#[tokio::test]
async fn within_a_day_only_new_holders_are_asked_about_and_everything_is_handed_out_again() {
    let directory = every_kind_of_owner();
    let desk = Desk::new(directory.clone(), "owners = true").await;
    let first = desk.read().await;
    assert_eq!(desk.owners_asked(), 6);
    desk.hours_pass(23);
    let second = desk.read().await;
    assert!(are_the_same(&first, &second));
    assert_eq!(desk.owners_asked(), 0);

    directory.application("new").owner("n@example.ca").secret(secret("k7"));
    assert_eq!(owners(&desk.read().await)["new"], reachable(&["n@example.ca"]));
    assert_eq!(desk.owners_asked(), 1);

    desk.hours_pass(2);
    let third = desk.read().await;
    assert_eq!(desk.owners_asked(), 6, "a day has passed for all but the new one");
    assert!(
        first.iter().all(|one| third.iter().any(|other| Arc::ptr_eq(one, other))),
        "the same answer changes nothing"
    );
}

#[tokio::test]
async fn siblings_share_one_holder_and_a_new_owner_changes_that_holder_alone() {
    let directory = Directory::new();
    directory.application("pair").owner("a@example.ca").secret(secret("k1")).secret(secret("k2"));
    directory.application("other").owner("a@example.ca").secret(secret("k3"));
    let desk = Desk::new(directory.clone(), "owners = true").await;
    let pair = |read: &[Arc<Credential>]| -> Vec<Arc<Credential>> {
        read.iter().filter(|credential| credential.holder.name.as_str() == "pair").cloned().collect()
    };
    let first = desk.read().await;
    assert!(Arc::ptr_eq(&pair(&first)[0].holder, &pair(&first)[1].holder));
    directory.find_application("pair").disowned().owner("b@example.ca");
    desk.hours_pass(25);
    let second = desk.read().await;
    assert_eq!(owners(&second)["pair"], reachable(&["b@example.ca"]));
    assert!(Arc::ptr_eq(&pair(&second)[0].holder, &pair(&second)[1].holder));
    let kept = second.iter().filter(|one| first.iter().any(|other| Arc::ptr_eq(one, other))).count();
    assert_eq!(kept, 1, "the other holder's");
}

#[tokio::test]
async fn a_permission_that_is_missing_costs_one_request_a_poll_and_hides_all_until_it_is_given() {
    let desk = Desk::new(every_kind_of_owner(), "owners = true").await;
    desk.place.tenant.faults().always(At::Owners, Fault::Denied);
    let mut first = None;
    for poll in 0..3 {
        let read = desk.read().await;
        assert!(owners(&read).values().all(|owners| *owners == Some(Owners::Hidden)));
        assert_eq!((desk.owners_asked(), desk.log.lines().len()), (1, usize::from(poll == 0)));
        assert!(are_the_same(first.get_or_insert_with(|| read.clone()), &read));
    }
    desk.place.tenant.faults().heal(At::Owners);
    assert_eq!(owners(&desk.read().await)["people"], reachable(&["a@example.ca", "b@example.ca"]));
}

#[tokio::test]
async fn a_holder_that_is_gone_meanwhile_has_no_owners_to_speak_of() {
    let directory = Directory::new();
    directory.application("gone").secret(secret("k1"));
    let desk = Desk::new(directory, "owners = true").await;
    desk.place.tenant.faults().next(At::Owners, Fault::Refusal { status: 404, code: "Request_ResourceNotFound" });
    assert_eq!(owners(&desk.read().await)["gone"], None);
    assert_eq!(desk.log.lines(), [""; 0]);
    desk.read().await;
    assert_eq!(desk.owners_asked(), 1);
}

#[tokio::test]
async fn owners_that_cannot_be_asked_for_stay_as_they_were_and_the_next_poll_asks_again() {
    let directory = every_kind_of_owner();
    let desk = Desk::new(directory.clone(), "owners = true").await;
    let first = desk.read().await;
    let elsewhere = desk.place.tenant.elsewhere_url();
    directory.application("new").owner("n@example.ca").secret(secret("k7"));
    for fault in [
        Fault::TooManyRequests { retry_after: Some(3600) },
        Fault::TooManyRequests { retry_after: None },
        Fault::Unavailable { retry_after: Some(1) },
        Fault::Unauthorized,
        Fault::Html502,
        Fault::CutOff,
        Fault::TruncatedJson,
        Fault::Endless,
        Fault::RedirectTo(elsewhere.clone()),
        Fault::NextLinkTo(elsewhere.clone()),
    ] {
        desk.hours_pass(25);
        desk.place.tenant.faults().always(At::Owners, fault.clone());
        desk.owners_asked();
        let read = desk.read().await;
        assert!(first.iter().all(|one| read.iter().any(|other| Arc::ptr_eq(one, other))), "{fault:?}");
        assert_eq!(owners(&read)["new"], None, "{fault:?}");
        assert!(desk.owners_asked() <= 7 * 5, "{fault:?}");
        let said = desk.log.lines();
        assert!(said.len() <= 1 && said.iter().all(|line| !line.contains('@') && !line.contains("Bearer")), "{said:?}");
    }
    desk.place.tenant.faults().heal(At::Owners);
    assert_eq!(owners(&desk.read().await)["new"], reachable(&["n@example.ca"]));
    assert_eq!(desk.place.tenant.tokens_sent_elsewhere(), 0);
}

#[tokio::test]
async fn at_most_eight_are_asked_about_at_once_and_never_for_longer_than_the_reads_patience() {
    let directory = Directory::new();
    directory.fill(60, format!("{TODAY}T16:00:00Z").parse().unwrap());
    let desk = Desk::new(directory, "owners = true").await;
    desk.place.tenant.faults().latency(Duration::from_millis(10));
    let unknown =
        |read: &[Arc<Credential>]| read.iter().filter(|credential| credential.holder.owners.is_none()).count();
    assert_eq!(unknown(&desk.read().await), 0);
    assert!((2..=8).contains(&desk.place.tenant.most_at_once()), "{}", desk.place.tenant.most_at_once());
    assert_eq!(desk.owners_asked(), 60);

    desk.place.tenant.faults().latency(Duration::ZERO);
    desk.hours_pass(25);
    desk.place.tenant.faults().next_times(20, At::Owners, &Fault::Pass);
    desk.place.tenant.faults().always(At::Owners, Fault::Silence);
    let begun = std::time::Instant::now();
    let read = desk.try_read(Patience { waiting: Duration::from_millis(500) }).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(unknown(&read), 0, "what was known stays");
    assert!(desk.log.lines()[0].contains("holders=40"), "those in time were kept");
    desk.owners_asked();
    desk.place.tenant.faults().heal(At::Owners);
    desk.read().await;
    assert_eq!(desk.owners_asked(), 40, "the next poll asks about the rest");
}

#[tokio::test]
async fn after_three_holders_that_could_not_be_asked_about_the_rest_wait_for_the_next_poll() {
    let directory = Directory::new();
    directory.fill(60, format!("{TODAY}T16:00:00Z").parse().unwrap());
    let desk = Desk::new(directory, "owners = true").await;
    desk.place.tenant.faults().always(At::Owners, Fault::Refusal { status: 400, code: "BadRequest" });
    desk.read().await;
    let asked = desk.owners_asked();
    assert!((3..=3 + 8).contains(&asked), "{asked}");
    let said = desk.log.lines();
    assert!(
        said.len() == 1 && said[0].contains("holders=60") && said[0].contains("the next poll asks again"),
        "{said:?}"
    );
    desk.place.tenant.faults().heal(At::Owners);
    assert!(desk.read().await.iter().all(|credential| credential.holder.owners.is_some()));
    assert_eq!(desk.owners_asked(), 60);
}

#[tokio::test]
async fn owners_outlive_a_restart_while_they_cannot_be_asked_for() {
    let mut place = Place::new(every_kind_of_owner(), TODAY, ONE_TEAM).await;
    place.reconfigure(|config| config.replace("type = \"entra\"", "type = \"entra\"\nowners = true\nlast_use = true"));
    let known = |process: &Process| -> Vec<Arc<Credential>> {
        process.cycle.inventory().entries().iter().map(|entry| entry.credential.clone()).collect()
    };
    let mut process = Process::start(&place).await;
    process.poll().await;
    let before = known(&process);
    assert!(before.iter().all(|credential| credential.holder.owners.is_some()));
    drop(process);
    place.tenant.faults().always(At::Owners, Fault::Unavailable { retry_after: Some(3600) });
    let mut process = Process::start(&place).await;
    let remembered = known(&process);
    assert_eq!(before, remembered);
    process.poll().await;
    assert!(are_the_same(&remembered, &known(&process)));
    let state = &process.cycle.inventory().sources()[0];
    assert!(state.last_use.as_ref().is_some_and(|last_use| last_use.error.is_none()));
}
