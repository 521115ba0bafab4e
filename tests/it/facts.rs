//! Two facts that a directory can do without: when keys were last used, and who owns what. Whatever is wrong with either, the
//! listing's snapshot is whole and in time.

use crate::support::{ONE_TEAM, Place};
use expiry_watch::clock::Clock;
use expiry_watch::demo::{Directory, Options, Secret};
use expiry_watch::domain::{Credential, LastUse};
use expiry_watch::sources::{Patience, Source, Surroundings};
use jiff::{SignedDuration, Timestamp};
use std::io;
use std::sync::{Arc, Mutex};

mod last_use;
mod owners;

const REPORT: &str = "/beta/reports/appCredentialSignInActivities";
const TODAY: &str = "2026-11-21";

/// A tenant, and the one source that reads it.
struct Desk {
    place: Place,
    source: Source,
    log: Log,
}

impl Desk {
    async fn new(directory: Directory, keys: &str) -> Self {
        Self::with(directory, keys, |_| {}).await
    }

    /// `keys` completes the source's section.
    async fn with(directory: Directory, keys: &str, change: impl FnOnce(&mut Options)) -> Self {
        let mut place = Place::with(directory, TODAY, ONE_TEAM, change).await;
        place.reconfigure(|config| config.replace("type = \"entra\"", &format!("type = \"entra\"\n{keys}")));
        let source = connect(&place);
        Self { place, source, log: Log::default() }
    }

    async fn read(&self) -> Vec<Arc<Credential>> {
        self.try_read(Patience::SHORT).await.unwrap()
    }

    async fn try_read(&self, patience: Patience) -> Result<Vec<Arc<Credential>>, String> {
        let _kept = self.log.keep();
        self.source.read(patience, self.place.clock.now()).await.map_err(|error| error.to_string())
    }

    fn last_use(&self) -> Arc<LastUse> {
        self.source.last_use().unwrap()
    }

    fn error(&self) -> String {
        self.last_use().error.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn hours_pass(&self, hours: i64) {
        self.place.clock.advance(SignedDuration::from_hours(hours));
    }

    fn waited(&self, since: Timestamp) -> i64 {
        self.place.clock.now().duration_since(since).as_secs()
    }

    fn requests(&self) -> usize {
        self.place.tenant.requests_to(REPORT)
    }

    /// How many requests asked for owners since the last time, of which objects.
    fn owners_asked(&self) -> usize {
        let asked = self.place.tenant.requests().iter().filter(|address| address.contains("/owners")).count();
        self.place.tenant.forget_requests();
        asked
    }

    fn throttled(&self) -> bool {
        self.source.requests().iter().any(|(code, _)| code == "429")
    }
}

fn connect(place: &Place) -> Source {
    let surroundings = Surroundings { authority_host: Some(place.tenant.authority_url()) };
    let clock = Clock::Manual(place.clock.clone());
    Source::connect_from(&place.config(), &clock, &surroundings).unwrap().pop().unwrap()
}

/// What was logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let writer = move || log.clone();
        tracing::subscriber::set_default(tracing_subscriber::fmt().with_writer(writer).with_ansi(false).finish())
    }

    /// The lines of this crate that are there now; the next call gives those after them.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        text.lines().filter(|line| line.contains("expiry_watch::sources")).map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn secret(key: &str) -> Secret {
    Secret::labelled(key).key_id(key).from("2026-06-01").until("2027-06-01")
}

/// One application with secrets `k00`, `k01`…, each used on the same day.
fn used(count: usize) -> Directory {
    let directory = Directory::new();
    let application = directory.application("billing");
    for n in 0..count {
        application.clone().secret(secret(&format!("k{n:02}")).used("2026-11-20T10:00:00.1234567Z"));
    }
    directory
}

#[tokio::test]
async fn neither_is_asked_for_where_the_configuration_does_not_say_so() {
    let directory = used(1);
    directory.find_application("billing").owner("a@example.ca");
    let desk = Desk::new(directory, "").await;
    let read = desk.read().await;
    assert!(read[0].holder.owners.is_none() && desk.source.last_use().is_none());
    assert_eq!((desk.requests(), desk.owners_asked()), (0, 0));
}
