//! What happens in a decade, thrown by dice before it begins.

use super::naive::Told;
use super::{FIRST, Life};
use crate::decide::testing::secret;
use crate::domain::{Credential, CredentialId, DirectoryObject, Holder as Owner, Ident, Text};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

pub const DAYS: i32 = 3_650;

/// The weather of one world.
pub struct Days {
    /// The source does not answer.
    out: Vec<bool>,
    /// The watch does not run.
    down: Vec<bool>,
    /// It was started again since yesterday, and has its store.
    pub restarts: HashSet<i32>,
    /// The same, and of what it had stored only what has been told is left.
    pub begins_anew: HashSet<i32>,
}

impl Days {
    pub fn new(random: &mut fastrand::Rng) -> Self {
        let mut days = |often: usize| (0..often).map(|_| random.i32(0..DAYS)).collect::<HashSet<_>>();
        let (restarts, begins_anew) = (days(60), days(6));
        Self { out: spells(random), down: spells(random), restarts, begins_anew }
    }

    pub fn is_out(&self, day: i32) -> bool {
        self.out[day as usize]
    }

    pub fn is_down(&self, day: i32) -> bool {
        self.down[day as usize]
    }
}

/// Spells of one to three days, some weeks apart: shorter than a report of sign-ins stays good.
fn spells(random: &mut fastrand::Rng) -> Vec<bool> {
    let mut spells = vec![false; DAYS as usize];
    let mut day = random.usize(5..60);
    while day + 3 < spells.len() {
        let length = random.usize(1..=3);
        spells[day..day + length].fill(true);
        day += length + random.usize(10..120);
    }
    spells
}

/// How a holder's people rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Every 90 days, and the consumer moves within three weeks.
    Punctual,
    /// Some day after the 90th.
    Late,
    /// Around the end, or long after it.
    Never,
    /// Any of these, and the wrong one is deleted at times.
    Chaotic,
}

pub struct Holder {
    pub style: Style,
    /// Whether a rule says that it is to be replaced every 90 days.
    pub planned: bool,
    pub secrets: Vec<Secret>,
    /// Those that have been made and not been gone for long.
    pub current: Range<usize>,
}

/// One secret, in days from the first.
pub struct Secret {
    pub credential: Arc<Credential>,
    pub key: Ident,
    /// Made early in the morning of this day, before the watch looks; or in the afternoon.
    pub made: i32,
    pub afternoon: bool,
    /// The day on which it ends, at the same hour.
    pub ends: i32,
    /// From this day on it is no longer listed.
    gone: i32,
    /// The last day on which somebody uses it, early in the morning, daily until then.
    used_until: i32,
    /// What has been told of it and not been resolved, a team each.
    pub told: [Told; 3],
    pub first_seen: Option<Timestamp>,
}

impl Secret {
    pub fn is_there(&self, day: i32) -> bool {
        self.made + i32::from(self.afternoon) <= day && day < self.gone
    }

    /// The day of the last use, as a report of `day` tells.
    pub fn last_used(&self, day: i32) -> Option<i32> {
        let last = self.used_until.min(day).min(self.ends);
        (last > self.made).then_some(last)
    }

    pub fn has_ended(&self, day: i32) -> bool {
        day > self.ends || (day == self.ends && !self.afternoon)
    }
}

impl Holder {
    pub fn new(n: usize, random: &mut fastrand::Rng, life: &Life) -> Self {
        let style = match random.u8(0..10) {
            0..=3 => Style::Punctual,
            4..=6 => Style::Late,
            7..=8 => Style::Never,
            _ => Style::Chaotic,
        };
        let planned = style != Style::Never && (style == Style::Punctual || random.bool());
        let name = if planned { format!("api-{n}") } else { format!("app-{n}") };
        let owner = Arc::new(Owner {
            name: Text::clean(&name),
            id: guid(n, 0),
            ..(*secret("x", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z").holder).clone()
        });
        let (mut secrets, mut made) = (Vec::new(), random.i32(0..90));
        while made < DAYS {
            let next = made + next(style, random);
            secrets.push(one(&owner, (n, secrets.len()), style, made, next, random, life));
            made = next;
        }
        Self { style, planned, secrets, current: 0..0 }
    }
}

impl Holder {
    /// Forgets what has been gone for two months, and takes up what has been made.
    pub fn advance(&mut self, day: i32) {
        let Range { start, end } = &mut self.current;
        while self.secrets.get(*end).is_some_and(|secret| secret.made <= day) {
            *end += 1;
        }
        while start < end && self.secrets[*start].gone + 60 < day {
            *start += 1;
        }
    }

    pub fn current(&self) -> &[Secret] {
        &self.secrets[self.current.clone()]
    }

    pub fn current_mut(&mut self) -> &mut [Secret] {
        &mut self.secrets[self.current.clone()]
    }
}

/// In how many days the next one is made.
fn next(style: Style, random: &mut fastrand::Rng) -> i32 {
    match style {
        Style::Punctual => 90,
        Style::Late => 90 + random.i32(1..85),
        Style::Never => 180 + random.i32(-30..150),
        Style::Chaotic => random.i32(20..250),
    }
}

fn one(
    owner: &Arc<Owner>,
    (number, n): (usize, usize),
    style: Style,
    made: i32,
    next: i32,
    random: &mut fastrand::Rng,
    life: &Life,
) -> Secret {
    let afternoon = style != Style::Punctual && random.bool();
    let from = life.on_day(FIRST, made.into(), if afternoon { 14 } else { 6 }, 30);
    let lives = if style == Style::Chaotic { random.i32(5..400) } else { 180 };
    let ends = made + lives;
    let by_mistake = style == Style::Chaotic && random.u8(0..4) == 0;
    let gone = if by_mistake { random.i32(made + 1..=ends) } else { ends + random.i32(1..90) };
    let moves = if style == Style::Punctual { random.i32(0..=22) } else { random.i32(0..160) };
    let key = guid(number, 1 + n);
    Secret {
        credential: Arc::new(Credential {
            id: CredentialId::directory(DirectoryObject::Application, owner.id.clone(), key.clone()),
            holder: Arc::clone(owner),
            label: Text::clean(&format!("{}, secret {n}", owner.name)),
            not_before: Some(from),
            expires_at: Some(from + SignedDuration::from_hours(24 * i64::from(lives))),
            ..secret("x", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
        }),
        key,
        made,
        afternoon,
        ends,
        gone,
        used_until: next + moves,
        told: Default::default(),
        first_seen: None,
    }
}

/// As directories have them.
fn guid(holder: usize, secret: usize) -> Ident {
    Ident::new(&format!("{holder:08x}-0000-4000-8000-{secret:012x}"))
}
