//! The service: the loops, what wakes them, and how they stop.
//!
//! ```text
//!   heartbeat ──1 s──┬─> conductor   what is due by the schedule: poll, tell, summarise (one after another: nothing overlaps itself)
//!                    ├─> postman     what waits in the outbox, one message at a time
//!                    └─> leadership  renews the lease that lets this process tell and deliver
//!   a request ─────────> archivist   what was told about one credential
//! ```
//! The loops share the store and one observable state, nothing else. Each step is a function that tests call without a loop.

mod archivist;
mod conductor;
mod heartbeat;
mod outlook;
mod postman;
mod said;
mod server;

pub use conductor::Conductor;
pub use postman::Round;

use crate::clock::Clock;
use crate::config::{Config, SecretError};
use crate::cycle::Cycle;
use crate::decide::Ledger;
use crate::deliver::{Postman, Transport};
use crate::domain::{TeamId, Text};
use crate::inventory::Inventory;
use crate::observe::{Archive, Observed};
use crate::sources::Source;
use crate::store::{Owner, Store};
use crate::web;
use jiff::SignedDuration;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

/// How long a message that is being sent may go on after the signal to stop; whoever stops us gives 5 s in all.
const LAST_SEND: Duration = Duration::from_secs(3);

/// How long open HTTP requests may go on.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How long giving the lease back may take; if the state is locked, the lease runs out by itself.
const LAST_WRITE: Duration = Duration::from_millis(500);

/// The lease that lets one of several processes tell and deliver, and how often it is renewed. Who does not lead looks every second,
/// so that ten seconds after a leader's death another one leads.
const LEADER: &str = "leader";
const LEADER_TERM: SignedDuration = SignedDuration::from_secs(9);
const RENEW_EVERY: u64 = 3;

/// Everything that the service is made of.
pub struct Service {
    pub config: Config,
    pub clock: Clock,
    pub sources: Vec<Source>,
    pub transport: Option<Transport>,
    pub store: Store,
    pub known: Inventory,
    /// Pages beside the service's own (the demo's mailbox).
    pub extra_pages: Option<axum::Router>,
}

/// The service could not begin.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("{key}: {address} cannot be listened on: {why}")]
    Listen { key: &'static str, address: SocketAddr, why: std::io::Error },
    #[error("http.access_token: {0}")]
    Token(#[from] SecretError),
    #[error("teams.{team}.feed_token: {why}")]
    FeedToken { team: TeamId, why: SecretError },
    #[error("the metrics cannot be set up: {0}")]
    Metrics(String),
    #[error("the heartbeat cannot be started: {0}")]
    Heartbeat(String),
    #[error(transparent)]
    State(#[from] crate::store::StoreError),
}

/// Serves until `stop` is done, then ends within five seconds with nothing lost.
///
/// # Errors
/// When it cannot begin. Once begun, it goes on through every failure of what it depends on.
pub async fn serve(service: Service, stop: impl Future<Output = ()>) -> Result<(), StartError> {
    let Service { config, clock, sources, transport, store, known, extra_pages } = service;
    let listener = listen("http.listen", config.http.listen).await?;
    let feed_listener = match config.http.feed_listen {
        Some(address) => Some(listen("http.feed_listen", address).await?),
        None => None,
    };
    let access_token = config.http.access_token.as_ref().map(crate::config::SecretRef::read).transpose()?;
    let feeds = Arc::new(feeds(&config)?);
    let store = Arc::new(store);
    let owner = Owner::unique();
    let mail = config.mail.map(Arc::new);
    let config = Config { mail: None, ..config };
    let cycle = Cycle::new(&config, mail.clone(), sources, clock.clone(), known);
    let told: Ledger = store.told().await?.into_iter().collect();
    let names = config.sources.iter().map(|source| &source.name);
    let metrics =
        Arc::new(web::Metrics::new(&config.policy, names).map_err(|error| StartError::Metrics(error.to_string()))?);
    let observed = Arc::new(Observed::new(cycle.view(told)));

    let (stopping, stopped) = watch::channel(false);
    let (archive, enquiries) = Archive::new();
    let app = web::App {
        observed: observed.clone(),
        archive,
        metrics: metrics.clone(),
        clock: clock.clone(),
        version: env!("CARGO_PKG_VERSION"),
        revision: option_env!("EXPIRY_WATCH_REVISION").unwrap_or_default(),
        access_token,
        feeds,
        demo_mail: extra_pages.is_some(),
    };
    let mut pages = web::router(app.clone());
    pages = extra_pages.into_iter().fold(pages, axum::Router::merge);
    let mut servers = vec![server::spawn(listener, pages, stopped.clone())];
    servers
        .extend(feed_listener.map(|listener| server::spawn(listener, web::feed_router(app.clone()), stopped.clone())));
    info!(listen = %config.http.listen, version = env!("CARGO_PKG_VERSION"), time_zones = crate::config::zone::database_version(), "serving");

    let beats = heartbeat::start().await.map_err(StartError::Heartbeat)?;
    let leadership =
        Leadership { store: store.clone(), owner: owner.clone(), observed: observed.clone(), clock: clock.clone() };
    leadership.renew().await;
    let conductor =
        Conductor::new(cycle, store.clone(), config.schedule.clone(), clock.clone(), observed.clone(), metrics.clone());
    let mut tasks = [
        tokio::spawn(leadership.clone().run(beats.ticks(), stopped.clone())),
        on_a_thread(conductor.run(beats.ticks(), stopped.clone())),
        tokio::spawn(archivist::run(enquiries, store.clone())),
    ];
    let mut delivery = None;
    if let (Some(mail), Some(transport)) = (mail, transport) {
        let postman =
            Postman { store, transport, from: mail.from.clone(), owner, clock, deadline: crate::outbox::SEND_DEADLINE };
        let round = Round::new(postman, observed, metrics);
        delivery = Some(tokio::spawn(round.run(beats.ticks(), stopped)));
    }

    stop.await;
    info!("stopping");
    stopping.send_replace(true);
    let last_send = async {
        if let Some(delivery) = &mut delivery
            && tokio::time::timeout(LAST_SEND, &mut *delivery).await.is_err()
        {
            warn!(
                "a message was still being sent; it stays in the outbox and goes out again under the same Message-ID"
            );
        }
    };
    let last_answers = async {
        for server in servers {
            let _ = tokio::time::timeout(LAST_ANSWERS, server).await;
        }
    };
    tokio::join!(last_send, last_answers);
    for task in tasks.iter_mut().chain(&mut delivery) {
        task.abort();
    }
    let _ = tokio::time::timeout(LAST_WRITE, leadership.resign()).await;
    info!("stopped");
    Ok(())
}

/// Every team's feed, with the token that opens it.
fn feeds(config: &Config) -> Result<web::Feeds, StartError> {
    let mut tokens = Vec::new();
    for (team, token) in &config.feed_tokens {
        let token = token.read().map_err(|why| StartError::FeedToken { team: team.clone(), why })?;
        tokens.push((team, token));
    }
    Ok(web::Feeds::new(&config.policy, tokens))
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|why| StartError::Listen { key, address, why })
}

/// Runs `work` on one thread that nothing else uses, until it ends by itself.
///
/// To judge a hundred thousand credentials takes a tenth of a second, which the web need not wait for; and what is rebuilt at each
/// poll finds the room of the time before last again, in the allocator's arena of this thread, instead of taking as much in others.
fn on_a_thread(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work))
}

/// Holds the lease that lets this process tell and deliver.
#[derive(Clone)]
struct Leadership {
    store: Arc<Store>,
    owner: Owner,
    observed: Arc<Observed>,
    clock: Clock,
}

impl Leadership {
    async fn run(self, mut ticks: heartbeat::Ticks, stopped: watch::Receiver<bool>) {
        let mut beat: u64 = 0;
        while ticks.next(&stopped).await {
            beat += 1;
            if beat.is_multiple_of(RENEW_EVERY) || !self.observed.pulse().leader {
                self.renew().await;
            }
        }
    }

    async fn renew(&self) {
        let was = self.observed.pulse().leader;
        match self.store.hold(LEADER, &self.owner, LEADER_TERM, self.clock.now()).await {
            Ok(leader) => {
                if leader != was {
                    info!(leader, "leadership changed");
                }
                // Writing the lease is also the proof that the state can be written.
                self.observed.beat(|pulse| (pulse.leader, pulse.store_error) = (leader, None));
            }
            Err(error) => {
                let why = Text::clean(&error.to_string());
                // Once for each reason, not every second.
                if self.observed.pulse().store_error.as_ref() != Some(&why) {
                    error!(%error, "leadership could not be renewed; trying again every second");
                }
                self.observed.beat(|pulse| (pulse.leader, pulse.store_error) = (false, Some(why)));
            }
        }
    }

    /// Lets another process take over at once.
    async fn resign(&self) {
        if let Err(error) = self.store.release(LEADER, &self.owner).await {
            warn!(%error, "leadership could not be given back; it runs out by itself in a few seconds");
        }
    }
}
