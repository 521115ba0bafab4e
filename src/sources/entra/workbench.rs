//! The one thread on which a source's pages are parsed.
//!
//! It lives as long as the source. What a read keeps is allocated on it, in one of the allocator's arenas, and the next read finds
//! the room of the one before again; on whichever thread happened to be free, the process grew to twice its size.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Debug)]
pub(super) struct Workbench {
    jobs: mpsc::Sender<Job>,
}

impl Workbench {
    /// # Errors
    /// When the system has no thread left.
    pub fn start() -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new().name("parse".to_owned()).spawn(move || {
            // Ends with the source. A job that panics ends alone: whoever waits for it sees its answer's sender gone.
            for job in queue {
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
        Ok(Self { jobs })
    }

    /// Has `work` done in its turn. Nothing is sent where it panicked.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        let job = Box::new(move || {
            // Nobody may be waiting any more: a read can be dropped at any point.
            let _ = done.send(work());
        });
        // The thread is there for as long as we are; if it were not, the receiver would say so.
        let _ = self.jobs.send(job);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_fails_alone() {
        let bench = Workbench::start().unwrap();
        assert!(bench.run(|| -> u8 { std::panic::resume_unwind(Box::new("fault")) }).await.is_err());
        assert_eq!(bench.run(|| 7).await, Ok(7));
    }
}
