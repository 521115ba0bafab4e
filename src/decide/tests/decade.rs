//! Ten years of a thousand holders, each of their 3,650 mornings lived: rotations that come in time, late or never, consumers that
//! move late, secrets deleted by mistake, sources that do not answer, a watch that is down, restarted, or begins anew.
//!
//! Each morning, what was told is held against a second decision, made of whole days and nothing else ([`naive`]): what it asks for
//! has been told, that day or before, and nothing else was. It knows no time zone, no ledger and no code of the first.

mod naive;
mod script;

use super::Life;
use crate::decide::testing::{policy, rule, team_ids};
use crate::domain::{
    CredentialId, Escalation, Glob, LastUse, Match, Notice, NoticeKind, Period, SourceName, Successor, Text,
};
use crate::inventory::{Inventory, Reading, SourceState};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use naive::{Memory, TEAMS};
use script::{DAYS, Days, Holder, Style};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

const FIRST: Date = date(2026, 1, 5);

/// Some holders that live through the same ten years.
struct World {
    life: Life,
    holders: Vec<Holder>,
    days: Days,
    place_of: HashMap<CredentialId, (usize, usize)>,
    /// Five o'clock on each day, when consumers sign in.
    at_five: Vec<Timestamp>,
    /// Every identity that was ever told.
    ever: HashSet<crate::domain::NoticeKey>,
    /// The mornings on which each holder was news, for `idim`.
    mails: Vec<Vec<i32>>,
    mornings: usize,
    notices: usize,
}

impl World {
    fn new(seed: u64, holders: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let life = life();
        let days = Days::new(&mut random);
        let holders: Vec<Holder> = (0..holders).map(|n| Holder::new(n, &mut random, &life)).collect();
        let places = holders.iter().enumerate().flat_map(|(holder, one)| {
            one.secrets.iter().enumerate().map(move |(secret, one)| (one.credential.id.clone(), (holder, secret)))
        });
        Self {
            place_of: places.collect(),
            mails: vec![Vec::new(); holders.len()],
            at_five: (0..DAYS).map(|day| life.on_day(FIRST, day.into(), 5, 0)).collect(),
            ever: HashSet::new(),
            mornings: 0,
            notices: 0,
            life,
            holders,
            days,
        }
    }

    fn live(&mut self) {
        let mut memory = Memory::default();
        for day in 0..DAYS {
            if self.days.is_down(day) {
                continue;
            }
            if self.days.restarts.contains(&day) {
                self.restart();
                memory.restart();
            }
            if self.days.begins_anew.contains(&day) {
                self.life.inventory = Inventory::default();
                memory.forget(&mut self.holders);
            }
            self.holders.iter_mut().for_each(|holder| holder.advance(day));
            let now = self.life.on_day(FIRST, day.into(), 8, 0);
            let answers = !self.days.is_out(day);
            let reading = self.read(day, now, answers);
            let told = self.life.run_all(now, vec![reading]);
            if answers {
                memory.read(day, now, &mut self.holders);
            }
            self.mornings += 1;
            self.notices += told.len();
            self.hold_against(&memory, day, &told);
        }
    }

    /// The store has all but the report of sign-ins.
    fn restart(&mut self) {
        let forgetful = |source: &SourceState| SourceState { last_use: None, ..source.clone() };
        let sources = self.life.inventory.sources().iter().map(forgetful).collect();
        self.life.inventory = Inventory::new(self.life.inventory.entries().to_vec(), sources);
    }

    fn read(&self, day: i32, now: Timestamp, answers: bool) -> Reading {
        let there = || self.holders.iter().flat_map(Holder::current).filter(|secret| secret.is_there(day));
        let last_use = || {
            let rows =
                there().filter_map(|secret| Some((secret.key.clone(), self.at_five[secret.last_used(day)? as usize])));
            Arc::new(LastUse::read(now, rows))
        };
        let credentials = || there().map(|secret| Arc::clone(&secret.credential)).collect();
        Reading {
            source: SourceName::new("entra"),
            system: "entra",
            at: now,
            outcome: if answers { Ok(credentials()) } else { Err(Text::clean("503")) },
            unreadable: Vec::new(),
            last_use: answers.then(last_use),
        }
    }

    fn hold_against(&mut self, memory: &Memory, day: i32, told: &[Notice]) {
        let mut again = Vec::new();
        for notice in told.iter().filter(|notice| notice.key.kind != NoticeKind::SourceStale) {
            let key = &notice.key;
            assert!(self.ever.insert(key.clone()), "day {day}: told twice: {key:?}");
            let Some(&(holder, secret)) = self.place_of.get(&key.credential) else { continue };
            let team = TEAMS.iter().position(|team| *team == key.team.as_str()).unwrap();
            if team == 1 && self.mails[holder].last() != Some(&day) {
                self.mails[holder].push(day);
            }
            if key.kind == NoticeKind::Resolved {
                self.holders[holder].secrets[secret].told[team].resolve(key.closes);
            } else {
                again.push((holder, secret, team, notice));
            }
        }
        for (holder, secret, team, notice) in again {
            let due = memory.due(&self.holders[holder], secret, day);
            let step = naive::step(notice.key.step);
            assert!(due.includes(notice.key.kind, step, team), "day {day}: {:?}, though {due:?}", notice.key);
            self.holders[holder].secrets[secret].told[team].tell(notice.key.kind, step);
        }
        for holder in &self.holders {
            memory.check(holder, day);
        }
    }

    /// In a punctual rotation, three mails a cycle; more only where the source was silent on a morning that mattered.
    fn count_mails(&self) -> usize {
        let mut cycles = 0;
        for (holder, mails) in
            self.holders.iter().zip(&self.mails).filter(|(holder, _)| holder.style == Style::Punctual)
        {
            for made in holder.secrets.iter().map(|secret| secret.made).filter(|made| made + 110 < DAYS) {
                let own = mails.iter().filter(|day| (made + 20..made + 110).contains(*day)).count();
                // A silent source hides that it has been rotated, or makes an old report of sign-ins count for longer.
                let first_after = (made + 90..DAYS).find(|day| !self.days.is_down(*day));
                let silent = first_after.into_iter().chain(made + 30..made + 40).any(|day| self.days.is_out(day));
                let most = if silent { 6 } else { 3 };
                assert!(own <= most, "{own} mails in the cycle that began on day {made}: {mails:?}");
                cycles += 1;
            }
        }
        cycles
    }
}

fn life() -> Life {
    let mut life = Life::new(policy(&["ccaas"]));
    for (pattern, teams, every) in [("api-*", &["ccaas", "idim"][..], Some(Period::days(90))), ("*", &["ccaas"], None)]
    {
        let mut rule = rule(Match { holder: Some(vec![Glob::new(pattern)]), ..Match::default() }, teams);
        rule.treatment.rotate_every = every;
        rule.treatment.successor = Successor::Holder;
        rule.treatment.escalate = Some(Escalation { at: "3d".parse().unwrap(), teams: team_ids(&["oversight"]) });
        life.policy.rules.push(rule);
    }
    life
}

/// So many holders, in small worlds with weather of their own, as many at a time as there are cores.
fn decade(holders: usize, world: usize) {
    let seeds: Vec<u64> = (0..(holders / world) as u64).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut mornings, mut notices, mut cycles, mut rotated) = (0, 0, 0, 0);
    std::thread::scope(|scope| {
        let lanes: Vec<_> = seeds
            .chunks(seeds.len().div_ceil(cores))
            .map(|seeds| {
                scope.spawn(move || {
                    seeds
                        .iter()
                        .map(|seed| {
                            let mut one = World::new(*seed, world);
                            one.live();
                            let cycles = one.count_mails();
                            let secrets: usize = one.holders.iter().map(|holder| holder.secrets.len()).sum();
                            (one.mornings, one.notices, cycles, secrets)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for lane in lanes {
            for world in lane.join().unwrap() {
                mornings += world.0;
                notices += world.1;
                cycles += world.2;
                rotated += world.3;
            }
        }
    });
    println!(
        "{holders} holders, {rotated} secrets, {mornings} mornings of a world, {notices} notices, {cycles} punctual cycles"
    );
    // A decade in which nothing happens proves nothing.
    assert!(rotated > holders * 5 && notices > rotated && cycles > holders * 5);
}

/// A tenth of it with every run of the tests: without optimisation, a secret's day costs some ten microseconds.
#[test]
fn a_decade_of_a_hundred_holders_is_told_as_it_should_be() {
    decade(100, 50);
}

#[test]
#[ignore = "for optimised builds: cargo test --release --lib decade -- --ignored"]
fn a_decade_of_a_thousand_holders_is_told_as_it_should_be() {
    decade(1_000, 50);
}
