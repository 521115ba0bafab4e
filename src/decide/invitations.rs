//! Which calendar messages are owed: what the calendars should show, less what they have been told.
//!
//! ```text
//!               seen               day or end moves            rotated, gone, not wanted
//!   (nothing) ───────> invited n ───────────────────> n+1 ─────────────────────────────> cancelled n+2
//!                         ^                                                                │ back, or wanted again
//!                         └───────────────────────────── n+3 ──────────────────────────────┘
//! ```
//! A number that has been used is never used again, so whatever order messages arrive in, the last one counts. An entry whose end
//! has passed stays where it is until its credential is rotated or gone: nobody is invited to the past. Another display name alone is
//! no reason to write; the entry takes it when it next moves.

use super::agenda::{Dated, agenda};
use super::verdict::Verdict;
use crate::domain::{
    Address, Appointment, CalendarChoice, Change, CredentialId, Invitation, Invited, Policy, TeamId, Withdrawal,
};
use crate::inventory::Inventory;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many calendar messages an address gets in one run. The first run over hundreds of credentials would otherwise look like a flood
/// to the mail system, which may then refuse the notices too; the rest follows in the next runs, the nearest days first.
pub const MOST_IN_A_RUN: usize = 100;

/// What is owed now, and how many more in the runs to come.
#[derive(Debug, Default)]
pub struct Invitations {
    pub now: Vec<Invitation>,
    pub later: usize,
}

/// What each address of the teams that want invitations is owed, given what calendars have been told. What is taken back comes
/// first, then what moves, then what is new.
#[must_use]
pub fn invitations(
    inventory: &Inventory,
    policy: &Policy,
    verdicts: &[Verdict],
    told: Vec<Invited>,
    now: Timestamp,
) -> Invitations {
    let mut told: BTreeMap<(CredentialId, Address), Invited> =
        told.into_iter().map(|entry| ((entry.credential.clone(), entry.address.clone()), entry)).collect();
    let mut owed = Vec::new();
    let mut seen = BTreeSet::new();
    for Dated { appointment, teams } in agenda(inventory, policy, verdicts, now, |team| is_invited(policy, team)) {
        for address in addresses(policy, &teams) {
            let key = (appointment.credential.id.clone(), address.clone());
            // An address of two teams has one entry.
            if seen.insert(key.clone()) {
                owed.extend(put(&appointment, address, told.remove(&key), now));
            }
        }
    }
    let rotated = rotated(inventory, verdicts, told.values());
    owed.extend(told.into_values().filter(|entry| !entry.is_cancelled).map(|entry| withdraw(entry, &rotated, now)));
    in_portions(owed)
}

fn is_invited(policy: &Policy, team: &TeamId) -> bool {
    policy.teams.get(team).is_some_and(|team| team.calendar == CalendarChoice::Invite)
}

fn addresses<'a>(policy: &'a Policy, teams: &[TeamId]) -> impl Iterator<Item = &'a Address> {
    let invited = teams.iter().filter(|team| is_invited(policy, team)).filter_map(|team| policy.teams.get(team));
    invited.flat_map(|team| &team.addresses)
}

/// `None`: the calendar shows that already, or the end has passed.
fn put(appointment: &Appointment, address: &Address, told: Option<Invited>, now: Timestamp) -> Option<Invitation> {
    let is_shown =
        |told: &Invited| !told.is_cancelled && (told.day, told.expires_at) == (appointment.day, appointment.expires_at);
    if appointment.expires_at < now || told.as_ref().is_some_and(is_shown) {
        return None;
    }
    let to = appointment.clone();
    let entry = Invited {
        credential: appointment.credential.id.clone(),
        address: address.clone(),
        sequence: told.as_ref().map_or(0, |told| told.sequence.saturating_add(1)),
        day: appointment.day,
        expires_at: appointment.expires_at,
        stamped_at: now,
        title: appointment.title(),
        is_cancelled: false,
    };
    let change = match told {
        Some(told) if !told.is_cancelled => Change::Move { from: told.day, to },
        _ => Change::Put(to),
    };
    Some(Invitation { change, entry })
}

/// For each credential that is there: whether another has taken its place. What is not there is not in it.
fn rotated<'a>(
    inventory: &Inventory,
    verdicts: &[Verdict],
    mut of: impl Iterator<Item = &'a Invited>,
) -> HashMap<CredentialId, bool> {
    if of.all(|entry| entry.is_cancelled) {
        return HashMap::new();
    }
    verdicts.iter().map(|verdict| (verdict.credential(inventory).id.clone(), verdict.is_covered())).collect()
}

fn withdraw(told: Invited, rotated: &HashMap<CredentialId, bool>, now: Timestamp) -> Invitation {
    let why = match rotated.get(&told.credential) {
        Some(true) => Withdrawal::Rotated,
        Some(false) => Withdrawal::NotWanted,
        None => Withdrawal::Gone,
    };
    let sequence = told.sequence.saturating_add(1);
    Invitation {
        change: Change::Withdraw(why),
        entry: Invited { sequence, stamped_at: now, is_cancelled: true, ..told },
    }
}

fn in_portions(mut owed: Vec<Invitation>) -> Invitations {
    let rank = |change: &Change| match change {
        Change::Withdraw(_) => 0,
        Change::Move { .. } => 1,
        Change::Put(_) => 2,
    };
    owed.sort_by(|a, b| {
        let key = |i: &Invitation| (rank(&i.change), i.entry.day);
        (key(a), &a.entry.credential, &a.entry.address).cmp(&(key(b), &b.entry.credential, &b.entry.address))
    });
    let all = owed.len();
    let mut counts: HashMap<Address, usize> = HashMap::new();
    owed.retain(|invitation| {
        let count = counts.entry(invitation.entry.address.clone()).or_default();
        *count += 1;
        *count <= MOST_IN_A_RUN
    });
    Invitations { later: all - owed.len(), now: owed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{at, entry, policy, secret};
    use crate::decide::{Ledger, World, decide};
    use crate::domain::{Credential, Text};
    use crate::inventory::Entry;

    const FROM: &str = "2026-06-01T20:00:00Z";
    const END: &str = "2026-12-01T20:00:00Z";

    /// A place whose calendars are told everything that is owed, run by run.
    struct Runs {
        policy: Policy,
        told: Vec<Invited>,
    }

    impl Runs {
        fn new() -> Self {
            let mut policy = policy(&["ccaas"]);
            policy.teams.values_mut().for_each(|team| team.calendar = CalendarChoice::Invite);
            Self { policy, told: Vec::new() }
        }

        fn owed(&self, credentials: &[Credential], now: &str) -> Invitations {
            let entries: Vec<Entry> = credentials.iter().map(|credential| entry(credential.clone(), FROM)).collect();
            let inventory = Inventory::new(entries, Vec::new());
            let ledger = Ledger::default();
            let world = World { inventory: &inventory, policy: &self.policy, ledger: &ledger, foreseen_from: None };
            let verdicts = decide(&world, at(now)).verdicts;
            invitations(&inventory, &self.policy, &verdicts, self.told.clone(), at(now))
        }

        /// What one run sends, as `key number change day`.
        fn run(&mut self, credentials: &[Credential], now: &str) -> Vec<String> {
            let sent = self.owed(credentials, now).now;
            for Invitation { entry, .. } in &sent {
                self.told.retain(|old| (&old.credential, &old.address) != (&entry.credential, &entry.address));
                self.told.push(entry.clone());
            }
            assert!(self.owed(credentials, now).now.is_empty(), "nothing is owed twice");
            sent.iter().map(line).collect()
        }
    }

    fn line(Invitation { change, entry }: &Invitation) -> String {
        let id = entry.credential.to_string();
        let change = match change {
            Change::Put(_) => "put".to_owned(),
            Change::Move { from, .. } => format!("move {from}"),
            Change::Withdraw(why) => format!("{why:?}"),
        };
        format!("{} {} {change} {}", id.rsplit(':').next().unwrap(), entry.sequence, entry.day)
    }

    #[test]
    fn an_entry_is_put_moved_cancelled_and_put_again_and_its_number_only_rises() {
        let mut runs = Runs::new();
        let old = || secret("k", FROM, END);
        let renewed = || secret("k", FROM, "2027-06-01T20:00:00Z");
        let none: [&str; 0] = [];
        assert_eq!(runs.run(&[old()], "2026-09-01T15:00:00Z"), ["k 0 put 2026-10-02"]);
        assert_eq!(runs.run(&[old()], "2026-10-02T15:00:00Z"), none);
        assert_eq!(runs.run(&[old()], "2026-10-03T15:00:00Z"), ["k 1 move 2026-10-02 2026-12-01"]);
        assert_eq!(runs.run(&[renewed()], "2026-11-01T15:00:00Z"), ["k 2 move 2026-12-01 2027-04-02"]);
        assert_eq!(runs.run(&[], "2026-11-02T15:00:00Z"), ["k 3 Gone 2027-04-02"]);
        assert_eq!(runs.run(&[], "2026-11-03T15:00:00Z"), none);
        assert_eq!(runs.run(&[renewed()], "2026-11-04T15:00:00Z"), ["k 4 put 2027-04-02"]);
        let next = secret("n", "2026-11-05T00:00:00Z", "2027-11-05T20:00:00Z");
        assert_eq!(
            runs.run(&[renewed(), next], "2026-11-06T15:00:00Z"),
            ["k 5 Rotated 2027-04-02", "n 0 put 2027-09-06"]
        );
    }

    #[test]
    fn another_end_on_the_same_day_is_told_too() {
        let mut runs = Runs::new();
        runs.run(&[secret("k", FROM, END)], "2026-09-01T15:00:00Z");
        let later = secret("k", FROM, "2026-12-01T21:00:00Z");
        assert_eq!(runs.run(&[later], "2026-09-02T15:00:00Z"), ["k 1 move 2026-10-02 2026-10-02"]);
    }

    #[test]
    fn nobody_is_invited_to_the_past_and_what_has_ended_stays_until_it_is_renewed_or_gone() {
        let mut runs = Runs::new();
        let none: [&str; 0] = [];
        assert_eq!(runs.run(&[secret("k", FROM, END)], "2026-12-02T15:00:00Z"), none);
        assert_eq!(runs.run(&[secret("k", FROM, END)], "2026-11-01T15:00:00Z"), ["k 0 put 2026-12-01"]);
        assert_eq!(runs.run(&[secret("k", FROM, END)], "2026-12-02T15:00:00Z"), none);
        assert_eq!(runs.run(&[], "2026-12-03T15:00:00Z"), ["k 1 Gone 2026-12-01"]);
    }

    #[test]
    fn a_team_that_wants_none_any_more_or_is_no_longer_told_is_cancelled() {
        let mut runs = Runs::new();
        let credentials = [secret("k", FROM, END)];
        runs.run(&credentials, "2026-09-01T15:00:00Z");
        let team = TeamId::new("ccaas");
        runs.policy.teams.get_mut(&team).unwrap().calendar = CalendarChoice::Feed;
        assert_eq!(runs.run(&credentials, "2026-09-02T15:00:00Z"), ["k 1 NotWanted 2026-10-02"]);
        runs.policy.teams.get_mut(&team).unwrap().calendar = CalendarChoice::Invite;
        assert_eq!(runs.run(&credentials, "2026-09-03T15:00:00Z"), ["k 2 put 2026-10-02"]);
        runs.policy.defaults.ignore = Some(Text::clean("managed"));
        assert_eq!(runs.run(&credentials, "2026-09-04T15:00:00Z"), ["k 3 NotWanted 2026-10-02"]);
    }

    #[test]
    fn each_address_of_a_team_has_its_own_entry_and_an_address_of_two_teams_one() {
        let mut runs = Runs::new();
        let shared: Address = "shared@example.ca".parse().unwrap();
        runs.policy.defaults.teams.push(TeamId::new("idim"));
        for team in runs.policy.teams.values_mut() {
            team.addresses.push(shared.clone());
        }
        runs.run(&[secret("k", FROM, END)], "2026-09-01T15:00:00Z");
        let mut addresses: Vec<String> = runs.told.iter().map(|told| told.address.to_string()).collect();
        addresses.sort();
        assert_eq!(addresses, ["ccaas@example.ca", "idim@example.ca", "shared@example.ca"]);
    }

    #[test]
    fn one_run_sends_an_address_so_much_and_the_next_runs_the_rest_the_nearest_first() {
        let mut runs = Runs::new();
        let now = "2026-09-01T15:00:00Z";
        let end = |n: usize| (at(END) + jiff::SignedDuration::from_hours(24 * (n as i64 % 50))).to_string();
        let credentials: Vec<Credential> = (0..250)
            .map(|n| Credential { label: Text::clean(&n.to_string()), ..secret(&format!("k{n:03}"), FROM, &end(n)) })
            .collect();
        let mut counts = Vec::new();
        let mut days = Vec::new();
        loop {
            let owed = runs.owed(&credentials, now);
            if owed.now.is_empty() {
                break;
            }
            counts.push((owed.now.len(), owed.later));
            days.extend(owed.now.iter().map(|invitation| invitation.entry.day));
            runs.told.extend(owed.now.into_iter().map(|invitation| invitation.entry));
        }
        assert_eq!(counts, [(100, 150), (100, 50), (50, 0)]);
        assert!(days.is_sorted());
    }
}
