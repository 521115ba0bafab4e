//! Many targets at once, of which some will never answer.
//!
//! A slot is for a probe that is getting on: one that is not done in a fifth of a second gives its slot back and waits on
//! without one. So a thousand silent targets cost that much each, shared by all slots, rather than a time-out each; and what is
//! worked on at one time, in memory and on the server's side, stays small. How many wait in all is bounded by open files.

use super::resolve::{literal, resolve};
use super::{ProbeError, Round, Served, Target, Trust};
use crate::domain::Text;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinError, JoinSet};

/// How many probes get on at one time, where nobody says otherwise.
pub const DEFAULT_LIMIT: usize = 64;

/// How long a probe may hold its slot.
const BRISK: Duration = Duration::from_millis(200);

/// How many names are looked up at one time; each takes a thread of the system while it waits.
const LOOKUPS: usize = 256;

/// One address behind one target. None where the target's name has no address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetAddress {
    pub target: Arc<Target>,
    pub address: Option<SocketAddr>,
}

/// What stands behind it.
pub type Found = (TargetAddress, Result<Served, ProbeError>);

/// Probes every address of every target, `limit` at a time, each within `timeout`; the whole takes little more than one time-out.
/// Answers come in the order of the targets. What two targets have in common is probed once, for the first of them.
pub async fn probe_all(
    targets: Vec<Target>,
    limit: usize,
    timeout: Duration,
    trust: &Trust,
    now: Timestamp,
) -> Vec<Found> {
    let mut crowd = Crowd::new(targets, limit, timeout, trust, now);
    crowd.run().await;
    let mut found = crowd.found;
    found.sort_by_key(|(place, (at, _))| (*place, at.address));
    found.into_iter().map(|(_, found)| found).collect()
}

/// The place of the target in the list, and one of its addresses.
type Job = (usize, TargetAddress);

struct Crowd {
    targets: Vec<Arc<Target>>,
    timeout: Duration,
    round: Arc<Round>,
    slots: Arc<Semaphore>,
    files: Arc<Semaphore>,
    lookups: JoinSet<(usize, Result<Vec<SocketAddr>, ProbeError>)>,
    /// What is ready to be probed.
    waiting: VecDeque<Job>,
    taken: HashSet<(String, SocketAddr, Option<super::StartTls>)>,
    probes: JoinSet<Result<Served, ProbeError>>,
    running: HashMap<Id, Job>,
    found: Vec<(usize, Found)>,
}

impl Crowd {
    fn new(targets: Vec<Target>, limit: usize, timeout: Duration, trust: &Trust, now: Timestamp) -> Self {
        let targets: Vec<_> = targets.into_iter().map(Arc::new).collect();
        let found = Vec::with_capacity(targets.len());
        Self {
            targets,
            timeout,
            round: Arc::new(Round::new(trust, now)),
            slots: Arc::new(Semaphore::new(limit.max(1))),
            files: Arc::new(Semaphore::new(open_files())),
            lookups: JoinSet::new(),
            waiting: VecDeque::new(),
            taken: HashSet::new(),
            probes: JoinSet::new(),
            running: HashMap::new(),
            found,
        }
    }

    async fn run(&mut self) {
        self.look_up();
        loop {
            let (slots, files) = (self.slots.clone(), self.files.clone());
            tokio::select! {
                Some(done) = self.probes.join_next_with_id(), if !self.probes.is_empty() => self.probed(done),
                Some(done) = self.lookups.join_next(), if !self.lookups.is_empty() => self.looked_up(done),
                room = room(files, slots), if !self.waiting.is_empty() => self.start(room),
                else => return,
            }
        }
    }

    /// What names its address goes first: it is ready.
    fn look_up(&mut self) {
        let threads = Arc::new(Semaphore::new(LOOKUPS));
        for place in 0..self.targets.len() {
            let target = self.targets[place].clone();
            if let Some(address) = literal(&target) {
                self.enqueue(place, address);
                continue;
            }
            let (threads, timeout) = (threads.clone(), self.timeout);
            self.lookups.spawn(async move {
                // The semaphore is never closed; without a permit it would still be right to go on.
                let _thread = threads.acquire_owned().await;
                (place, resolve(&target, timeout).await)
            });
        }
    }

    fn enqueue(&mut self, place: usize, address: SocketAddr) {
        let target = self.targets[place].clone();
        if self.taken.insert((target.server_name.clone(), address, target.starttls)) {
            self.waiting.push_back((place, TargetAddress { target, address: Some(address) }));
        }
    }

    fn looked_up(&mut self, done: Result<(usize, Result<Vec<SocketAddr>, ProbeError>), JoinError>) {
        // A lookup has nothing in it that can panic.
        let Ok((place, resolved)) = done else { return };
        match resolved {
            Ok(addresses) => addresses.into_iter().for_each(|address| self.enqueue(place, address)),
            Err(error) => {
                let nowhere = TargetAddress { target: self.targets[place].clone(), address: None };
                self.found.push((place, (nowhere, Err(error))));
            }
        }
    }

    fn start(&mut self, (file, slot): (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>)) {
        let Some((place, at)) = self.waiting.pop_front() else { return };
        let Some(address) = at.address else { return };
        let (round, target, timeout) = (self.round.clone(), at.target.clone(), self.timeout);
        let probe = self.probes.spawn(async move {
            let _file = file;
            let mut probe = Box::pin(round.probe(&target, address, timeout));
            if let Ok(done) = tokio::time::timeout(BRISK, &mut probe).await {
                return done;
            }
            drop(slot);
            probe.await
        });
        self.running.insert(probe.id(), (place, at));
    }

    fn probed(&mut self, done: Result<(Id, Result<Served, ProbeError>), JoinError>) {
        let (id, result) = match done {
            Ok(done) => done,
            // A defect of ours must not take the other targets with it.
            Err(error) => {
                (error.id(), Err(ProbeError::Incompatible(Text::clean("the probe broke down; please report it"))))
            }
        };
        if let Some((place, at)) = self.running.remove(&id) {
            self.found.push((place, (at, result)));
        }
    }
}

/// Room for one more probe. The semaphores are never closed.
async fn room(
    files: Arc<Semaphore>,
    slots: Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>) {
    (files.acquire_owned().await.ok(), slots.acquire_owned().await.ok())
}

/// How many connections may be open at one time, after asking the system for as many as it grants: many shells give 1,024 files,
/// which a thousand silent targets use up.
#[cfg(unix)]
fn open_files() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const WANTED: u64 = 8_192;
    const OTHERS: u64 = 200;
    let limits = getrlimit(Resource::Nofile);
    let granted = limits.current.unwrap_or(WANTED);
    let wanted = limits.maximum.map_or(WANTED, |most| most.min(WANTED));
    let raised = granted < wanted
        && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limits.maximum }).is_ok();
    let files = if raised { wanted } else { granted.min(WANTED) };
    usize::try_from(files.saturating_sub(OTHERS).max(32)).unwrap_or(32)
}

#[cfg(not(unix))]
fn open_files() -> usize {
    4_096
}
