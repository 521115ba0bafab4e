//! That something is being read, for whoever waits at a terminal: one line that is written over, and gone when there is a result.

use crate::clock::Clock;
use crate::sources::Source;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is quicker than this needs no word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for `work`, and says every second how far it is.
pub async fn shown<T>(sources: &[Arc<Source>], clock: &Clock, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let begun = Instant::now();
    let mut work = std::pin::pin!(work);
    let mut written = false;
    loop {
        tokio::select! {
            done = &mut work => {
                if written {
                    write("\r\x1b[K");
                }
                return done;
            }
            () = clock.sleep(PATIENCE) => {
                written = true;
                write(&format!("\r\x1b[K{}", line(sources, begun.elapsed())));
            }
        }
    }
}

fn line(sources: &[Arc<Source>], elapsed: Duration) -> String {
    let names: Vec<&str> = sources.iter().take(3).map(|source| source.name().as_str()).collect();
    let more =
        if sources.len() > names.len() { format!(" and {} more", sources.len() - names.len()) } else { String::new() };
    let answers: u64 = sources.iter().flat_map(|source| source.requests()).map(|(_, count)| count).sum();
    format!("reading {}{more}: {answers} answers in {} s", names.join(", "), elapsed.as_secs())
}

/// Whether it can be seen is no matter of the result.
fn write(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
