//! What goes wrong at the simulated Graph and sign-in, as a script.
//!
//! Each place has a queue: every request there takes the next entry, and answers as usual once the queue is empty. What stands
//! ("always", an outage, latency) holds until it is taken back.

use super::directory::Collection;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where a request arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Applications,
    ServicePrincipals,
    /// The report of last uses.
    Report,
    /// The owners of any object.
    Owners,
    /// The authority's token endpoint.
    SignIn,
    /// The managed identity's endpoint.
    ManagedIdentity,
}

impl From<Collection> for Place {
    fn from(collection: Collection) -> Self {
        match collection {
            Collection::Applications => Self::Applications,
            Collection::ServicePrincipals => Self::ServicePrincipals,
        }
    }
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: this request is answered as usual, the next entry is for the next one.
    Pass,
    /// 429 `TooManyRequests`, with seconds in Retry-After or without it.
    TooManyRequests { retry_after: Option<u32> },
    /// 503 `ServiceUnavailable`.
    Unavailable { retry_after: Option<u32> },
    /// 401 `InvalidAuthenticationToken` although the token is good.
    Unauthorized,
    /// 403 `Authorization_RequestDenied`: the permission has not been granted.
    Denied,
    /// 403 `Authentication_RequestFromNonPremiumTenantOrB2CTenant`: what the tenant has not paid for.
    NoLicence,
    /// 400 `Directory_ExpiredPageToken`.
    ExpiredPageToken,
    /// Any other refusal in Graph's envelope.
    Refusal { status: u16, code: &'static str },
    /// The connection ends in the middle of an announced body.
    CutOff,
    /// A complete answer whose JSON stops half way.
    TruncatedJson,
    /// A gateway's 502 in HTML.
    Html502,
    /// No object, and a link to the page that was asked for.
    EmptyPage,
    /// The page's link leads to this host, such as `https://elsewhere.example`.
    NextLinkTo(String),
    /// 302 to this address.
    RedirectTo(String),
    /// A list that never ends.
    Endless,
    /// The answer comes this much later.
    Slow(Duration),
    /// No answer ever; the connection stays open.
    Silence,
}

/// A handle on the script; clones share it.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    queues: HashMap<Place, VecDeque<Fault>>,
    standing: HashMap<Place, Fault>,
    graph_down: bool,
    sign_in_down: bool,
    users_hidden: bool,
    latency: Duration,
}

impl Faults {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request at `place` meets this, after what is queued there already.
    pub fn next(&self, place: Place, fault: Fault) {
        self.script().queues.entry(place).or_default().push_back(fault);
    }

    /// The same, `times` times over.
    pub fn next_times(&self, times: usize, place: Place, fault: &Fault) {
        for _ in 0..times {
            self.next(place, fault.clone());
        }
    }

    /// Every request at `place` meets this until it is taken back, after what is queued.
    pub fn always(&self, place: Place, fault: Fault) {
        self.script().standing.insert(place, fault);
    }

    /// Takes back whatever stands or is queued at `place`.
    pub fn heal(&self, place: Place) {
        let mut script = self.script();
        script.queues.remove(&place);
        script.standing.remove(&place);
    }

    /// While true, Graph answers everything with 503.
    pub fn graph_down(&self, down: bool) {
        self.script().graph_down = down;
    }

    /// While true, neither the authority nor the managed identity hands out tokens.
    pub fn sign_in_down(&self, down: bool) {
        self.script().sign_in_down = down;
    }

    /// While true, whoever asks may not read users: owners show their ids alone.
    pub fn hide_users(&self, hidden: bool) {
        self.script().users_hidden = hidden;
    }

    pub(super) fn are_users_hidden(&self) -> bool {
        self.script().users_hidden
    }

    /// How long every answer of Graph takes, in real time.
    pub fn latency(&self, latency: Duration) {
        self.script().latency = latency;
    }

    /// How many queued entries no request has met yet.
    #[must_use]
    pub fn unmet(&self) -> usize {
        self.script().queues.values().map(VecDeque::len).sum()
    }

    pub(super) fn delay(&self) -> Duration {
        self.script().latency
    }

    /// What the request that has just arrived at `place` meets.
    pub(super) fn meet(&self, place: Place) -> Option<Fault> {
        let mut script = self.script();
        let down = match place {
            Place::Applications | Place::ServicePrincipals | Place::Report | Place::Owners => script.graph_down,
            Place::SignIn | Place::ManagedIdentity => script.sign_in_down,
        };
        if down {
            return Some(Fault::Unavailable { retry_after: None });
        }
        let queued = script.queues.get_mut(&place).and_then(VecDeque::pop_front);
        queued.or_else(|| script.standing.get(&place).cloned()).filter(|fault| *fault != Fault::Pass)
    }
}
