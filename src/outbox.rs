//! The life of a message on its way to one address: pending, then delivered or rejected. Pure.
//!
//! ```text
//!   enqueued ──> pending ──lease, send──> delivered
//!                   ^  │ 4xx, network: later, 1 min doubling to 1 h, jittered, for five days
//!                   └──┤
//!                      └ 5xx, or five days of trying: rejected
//! ```
//! A message is fixed when it is enqueued: recipient, Message-ID, Date, every byte. However often it is tried, it stays
//! recognisably the same message, so a repeat after a lost answer can be told from a new one.

use crate::domain::{Address, Channel, Notice, Text};
use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a message is tried. The contract asks for at least three days: a mail system that is down over a long weekend.
pub const TRIED_FOR: SignedDuration = SignedDuration::from_hours(5 * 24);

/// How long one attempt may take.
pub const SEND_DEADLINE: Duration = Duration::from_secs(30);

/// How long whoever leased a message has it for itself: one attempt, and a little.
pub const LEASE: SignedDuration = SignedDuration::from_secs(35);

/// A message before it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The Message-ID, angle brackets and all; also the key of its row.
    pub id: String,
    pub address: Address,
    pub channel: Channel,
    pub subject: Text,
    pub enqueued_at: Timestamp,
    /// The whole message as it goes over the wire (RFC 5322).
    pub raw: Vec<u8>,
    /// What it tells.
    pub about: Vec<About>,
}

/// One notice that a message carries; kept with it for the metrics and the status page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub notice: String,
    pub credential: String,
    pub threshold: String,
    /// When it became true, as RFC 3339.
    pub crossed_at: Timestamp,
}

impl About {
    #[must_use]
    pub fn notice(notice: &Notice) -> Self {
        Self {
            notice: notice.key.kind.to_string(),
            credential: notice.key.credential.to_string(),
            threshold: notice.key.step.to_string(),
            crossed_at: notice.crossed_at,
        }
    }
}

/// A message in hand, for one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub draft: Draft,
    /// How often it was tried before.
    pub attempts: u32,
}

/// What becomes of a message after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    /// Tried again at this time.
    Deferred {
        until: Timestamp,
        why: Text,
    },
    /// Given up, for this address alone.
    Rejected {
        why: Text,
    },
}

/// After a failure that may pass: when to try again, or that it is too late for that.
///
/// `jitter`, from 0 to 1, spreads the attempts over half of each pause. `asked` is how long the server wants to be left alone; that
/// can make a pause longer, up to an hour, and never shorter.
#[must_use]
pub fn after_passing_failure(parcel: &Parcel, why: Text, now: Timestamp, jitter: f64, asked: Duration) -> Fate {
    let age = now.duration_since(parcel.draft.enqueued_at);
    if age >= TRIED_FOR {
        return Fate::Rejected {
            why: Text::clean(&format!("given up after {} days: {why}", TRIED_FOR.as_hours() / 24)),
        };
    }
    let pause = pause(parcel.attempts).mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 2.0).max(asked.min(LONGEST));
    let until = now.saturating_add(SignedDuration::try_from(pause).unwrap_or(SignedDuration::ZERO));
    Fate::Deferred { until: until.unwrap_or(Timestamp::MAX), why }
}

/// The longest pause between two attempts, without jitter.
const LONGEST: Duration = Duration::from_secs(3600);

/// 1 min, 2 min, 4 min, ... 1 h, without jitter.
fn pause(attempts: u32) -> Duration {
    const SHORTEST: Duration = Duration::from_secs(60);
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(SHORTEST)
        .with_max_delay(LONGEST)
        .with_factor(2.0)
        .with_max_times(8)
        .build();
    pauses.nth(attempts as usize).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parcel(attempts: u32) -> Parcel {
        let draft = Draft {
            id: "1@example.ca".to_owned(),
            address: "ops@example.ca".parse().unwrap(),
            channel: Channel::Mail,
            subject: Text::clean("s"),
            enqueued_at: "2026-11-21T16:00:00Z".parse().unwrap(),
            raw: Vec::new(),
            about: Vec::new(),
        };
        Parcel { draft, attempts }
    }

    #[test]
    fn pauses_grow_from_a_minute_to_an_hour_and_stay_there() {
        let minutes: Vec<u64> = (0..9).map(|attempts| pause(attempts).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(u32::MAX).as_secs(), 3600);
    }

    #[test]
    fn a_message_is_tried_for_more_than_three_days_and_then_given_up_with_the_reason() {
        let now = |hours| parcel(0).draft.enqueued_at + SignedDuration::from_hours(hours);
        let fate = after_passing_failure(&parcel(70), Text::clean("451 later"), now(3 * 24 + 1), 0.0, Duration::ZERO);
        assert!(matches!(fate, Fate::Deferred { .. }));
        let fate = after_passing_failure(&parcel(100), Text::clean("451 later"), now(5 * 24), 0.0, Duration::ZERO);
        assert_eq!(fate, Fate::Rejected { why: Text::clean("given up after 5 days: 451 later") });
    }

    #[test]
    fn a_server_that_asks_for_more_time_gets_it_and_one_that_asks_for_less_does_not_hurry_us() {
        let now = parcel(0).draft.enqueued_at;
        for (asked, pause) in [(5, 60), (60, 60), (600, 600), (u64::MAX, 3600)] {
            let asked = Duration::from_secs(asked);
            let fate = after_passing_failure(&parcel(0), Text::default(), now, 0.0, asked);
            let until = now + SignedDuration::from_secs(pause);
            assert_eq!(fate, Fate::Deferred { until, why: Text::default() });
        }
    }

    proptest! {
        #[test]
        fn every_pause_lies_between_a_minute_and_an_hour_and_a_half(attempts in any::<u32>(), jitter in -1.0..2.0f64) {
            let parcel = parcel(attempts);
            let now = parcel.draft.enqueued_at;
            let Fate::Deferred { until, .. } = after_passing_failure(&parcel, Text::default(), now, jitter, Duration::ZERO) else {
                panic!("given up at once");
            };
            let pause = until.duration_since(now).as_secs();
            prop_assert!((60..=5400).contains(&pause), "{pause}");
        }
    }
}
