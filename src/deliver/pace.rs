//! Staying below the number of messages that Exchange Online takes from one mailbox: 30 a minute, by SMTP and by Graph alike.

use crate::clock::Clock;
use crate::http::pacer::{Budget, Pacer};
use jiff::SignedDuration;

/// At most 26 in any minute. In small portions rather than in a large one, so that nobody waits for longer than an attempt may take.
const BUDGET: &[Budget] = &[Budget { requests: 2, within: SignedDuration::from_secs(4) }];

pub(super) struct Pace {
    pacer: Pacer,
    clock: Clock,
}

impl Pace {
    pub(super) fn new(clock: &Clock) -> Self {
        Self { pacer: Pacer::new(BUDGET), clock: clock.clone() }
    }

    /// Waits for the next message's turn: a few seconds at most.
    pub(super) async fn turn(&self) {
        loop {
            let pause = self.pacer.reserve(self.clock.now());
            if pause.is_zero() {
                return;
            }
            self.clock.sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use jiff::Timestamp;

    #[tokio::test]
    async fn no_minute_holds_thirty_messages_and_a_few_do_not_wait() {
        let manual = ManualClock::at("2026-11-21T16:00:00Z".parse().unwrap());
        let pace = Pace::new(&Clock::Manual(manual.clone()));
        let mut sent: Vec<Timestamp> = Vec::new();
        for _ in 0..100 {
            let before = manual.now();
            pace.turn().await;
            assert!(manual.now().duration_since(before) <= SignedDuration::from_secs(5));
            sent.push(manual.now());
        }
        assert_eq!(sent[1], sent[0]);
        let within =
            |first: &Timestamp| sent.iter().filter(|at| (0..60).contains(&at.duration_since(*first).as_secs())).count();
        assert!(sent.iter().all(|first| within(first) < 30));
    }
}
