//! What this watch would tell in the days to come, by its own schedule. Reads nothing, tells nobody.

use super::Cycle;
use crate::config::Schedule;
use crate::decide::{Forecast, Ledger, Rounds, TooMany, World, forecast};
use jiff::{Timestamp, ToSpan};

impl Cycle {
    /// Foresees `days` days, given what has been told and when a run last told all that was owed.
    ///
    /// As the daemon does, a run that was missed since then is made up for at once. Where none was ever made, the first is taken to
    /// be made at `from`, as `once` makes it: what is due already is the first thing that anybody wants to see.
    ///
    /// # Errors
    /// When there is too much to hold.
    pub fn foresee(
        &self,
        ledger: &Ledger,
        schedule: &Schedule,
        notified: Option<Timestamp>,
        from: Timestamp,
        days: u32,
    ) -> Result<Forecast, TooMany> {
        let zone = &self.policy.zone;
        let poll = |after| schedule.poll.next_after(after, zone);
        let notify = |after| schedule.notify.next_after(after, zone);
        let first_notify = match notified.filter(|last| *last <= from) {
            Some(last) => notify(last).map_or(Timestamp::MAX, |due| due.max(from)),
            None => from,
        };
        let to = from.to_zoned(zone.clone()).saturating_add(i64::from(days).days()).timestamp();
        let world = World { inventory: &self.inventory, policy: &self.policy, ledger, foreseen_from: Some(from) };
        forecast(&world, to, &Rounds::new(from, &poll), &Rounds::new(first_notify, &notify))
    }
}
