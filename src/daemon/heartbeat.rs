//! One tick a second, from the scheduler.
//!
//! The scheduler is the heartbeat and no more: it turns a zone into a fixed offset when a job is made, lets slow jobs overlap
//! themselves and forgets what was due while the process was down. What is due is decided by [`crate::schedule`] at each tick.

use tokio::sync::watch;
use tokio_cron_scheduler::{Job, JobScheduler};

/// The running heartbeat; it ends when this is dropped with the runtime.
pub struct Heartbeat {
    beats: watch::Receiver<u64>,
    _scheduler: JobScheduler,
}

/// One loop's view of the heartbeat. Ticks that pass while the loop is busy become one.
pub struct Ticks(watch::Receiver<u64>);

/// # Errors
/// When the scheduler refuses, in its own words.
pub async fn start() -> Result<Heartbeat, String> {
    let (sender, beats) = watch::channel(0);
    let scheduler = JobScheduler::new().await.map_err(|error| error.to_string())?;
    let job = Job::new("* * * * * *", move |_, _| sender.send_modify(|beat| *beat += 1));
    scheduler.add(job.map_err(|error| error.to_string())?).await.map_err(|error| error.to_string())?;
    scheduler.start().await.map_err(|error| error.to_string())?;
    Ok(Heartbeat { beats, _scheduler: scheduler })
}

impl Heartbeat {
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        Ticks(self.beats.clone())
    }
}

impl Ticks {
    /// Waits for the next tick; false once it is time to stop.
    pub async fn next(&mut self, stopped: &watch::Receiver<bool>) -> bool {
        let mut stopped = stopped.clone();
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => false,
            changed = self.0.changed() => changed.is_ok(),
        }
    }
}
