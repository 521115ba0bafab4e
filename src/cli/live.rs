//! What `check` and `forecast` share: everything read as it is now, over what the state remembers; nothing is sent or written.

use super::setup::{self, fail, state_failed};
use super::{Exit, progress};
use crate::azure::Surroundings;
use crate::clock::Clock;
use crate::config::Config;
use crate::cycle::{Cycle, Polled};
use crate::decide::Ledger;
use crate::domain::{CredentialId, Text};
use crate::inventory::Inventory;
use crate::observe::View;
use crate::report;
use crate::sources::{Patience, Source};
use crate::store::{Found, Store};
use jiff::Timestamp;
use std::io::{IsTerminal, StdoutLock, Write};

/// The inventory as it was just read, and what has been told.
pub struct Live {
    pub cycle: Cycle,
    pub ledger: Ledger,
    /// When a run last told all that was owed.
    pub notified: Option<Timestamp>,
    polled: Vec<Polled>,
}

impl Live {
    pub async fn read(config: &Config, clock: &Clock) -> Result<Self, Exit> {
        let sources = setup::sources(config, clock)?;
        let Remembered { known, ledger, notified } = Remembered::of(config, &sources, clock).await?;
        let mut cycle = Cycle::new(config, None, sources, clock.clone(), known);
        let asked = cycle.sources().to_vec();
        let polled = progress::shown(&asked, clock, cycle.poll(Patience::SHORT, None)).await;
        let polled = polled.map_err(|error| fail(Exit::State, error))?;
        Ok(Self { cycle, ledger, notified, polled })
    }

    /// Says which sources could not be read, and gives the code to end with.
    pub fn failures(&self) -> Exit {
        let failed = self.polled.iter().filter_map(|polled| Some((&polled.source, polled.error.as_ref()?)));
        failed.fold(Exit::Done, |exit, (source, error)| {
            let kept =
                source.last_success.map_or("it has no earlier snapshot".to_owned(), |at| format!("shown as of {at}"));
            exit.and(fail(Exit::Source, format_args!("{}: {error}; {kept}", source.name)))
        })
    }
}

/// What the state holds, opened for reading alone; nothing where there is none.
#[derive(Default)]
struct Remembered {
    known: Inventory,
    ledger: Ledger,
    notified: Option<Timestamp>,
}

impl Remembered {
    async fn of(config: &Config, sources: &[Source], clock: &Clock) -> Result<Self, Exit> {
        let place = setup::place(config, clock, &Surroundings::of_this_process())?;
        let store = match Store::open_read_only(place).await.map_err(state_failed)? {
            Found::Current(store) => store,
            Found::Nothing => return Ok(Self::default()),
            Found::Older => {
                eprintln!(
                    "expiry-watch: warning: the state is not yet one of this version (the next `run` or `once` sees to that): shown \
                     as if nothing had been told"
                );
                return Ok(Self::default());
            }
        };
        let known = setup::known(&store, sources).await?;
        let ledger = store.told().await.map_err(state_failed)?.into_iter().collect();
        let notified = store.last_run("notify").await.map_err(state_failed)?;
        Ok(Self { known, ledger, notified })
    }
}

/// What deserves a word beside the result: rules that match nothing, and what could not be read.
pub fn warn(view: &View) {
    for rule in report::unmatched_rules(view) {
        eprintln!("expiry-watch: warning: the rule \"{rule}\" matches no credential: nothing is watched by it");
    }
    for (tag, holder) in report::unknown_tags(view) {
        eprintln!(
            "expiry-watch: warning: the tag `team:{tag}` of {holder} names no team: whoever else is told of it is not that team"
        );
    }
    for (credential, why) in unreadable(view) {
        eprintln!("expiry-watch: {credential}: {why}");
    }
}

/// What stands in the inventory but could not be read.
fn unreadable(view: &View) -> impl Iterator<Item = (&CredentialId, &Text)> {
    let credentials = view.verdicts.iter().map(|verdict| verdict.credential(&view.inventory));
    credentials.filter_map(|credential| Some((&credential.id, credential.trouble.as_ref()?.why_unreachable()?)))
}

/// What the result is looked at with.
pub struct Screen {
    pub width: usize,
    pub colour: bool,
}

/// Prints the result that `write` writes.
pub fn print(write: impl FnOnce(&mut StdoutLock<'_>, &Screen) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = asked.or_else(|| Some(usize::from(terminal_size::terminal_size_of(&out)?.0.0))).unwrap_or(160);
    match write(&mut out, &Screen { width, colour }).and_then(|()| out.flush()) {
        // Whoever reads has seen enough (`| head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}
