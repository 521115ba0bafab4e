//! The watch as it runs, but for the tenant it watches and the clock on its wall.
//!
//! A [`Place`] is what outlives a process: the tenant, the time, the folder with the state. A [`Process`] is everything that a kill
//! takes away. A [`TestWatcher`] is one process in its place; most stories need no more.

use crate::pages::{app, get};
use crate::state::{Message as Kept, State};
use expiry_watch::clock::{Clock, ManualClock};
use expiry_watch::config::{self, AzureCredential, Config, SecretRef, SmtpLogin, System};
use expiry_watch::cycle::{Cycle, Polled, Tell};
use expiry_watch::daemon::{Conductor, Round};
use expiry_watch::deliver::{Postman, Step, Transport};
use expiry_watch::demo::{Directory, Letter, Message, Options, Tenant};
use expiry_watch::domain::{Notice, NoticeKey};
use expiry_watch::observe::Observed;
use expiry_watch::sources::{Patience, Source, Surroundings};
use expiry_watch::store::{Owner, Pick, Store};
use expiry_watch::web;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;
use url::Url;

pub const OPS: &str = "ccaas-ops@example.ca";
pub const IDIM: &str = "idim-techops@example.ca";

/// Whom the stories are about. What each adds: defaults, rules, a schedule, further sources and teams.
const PLACE: &str = r#"
    timezone = "America/Vancouver"
    [azure]
    credential = "client_secret"
    tenant_id = "953fc14a-00c7-4452-a2fb-0a73070de7f3"
    client_id = "00000000-0000-4000-8000-000000000001"
    client_secret = { env = "REPLACED_BY_THE_TEST" }
    [sources.entra]
    type = "entra"
    graph_url = "http://127.0.0.1:9"
    stale_after = "6h"
    [mail]
    from = "Expiry Watch <expiry-watch@example.ca>"
    [mail.transport]
    type = "smtp"
    host = "127.0.0.1"
    tls = "none"
    [teams.ccaas]
    name = "CCaaS Azure Operations"
    email = [ "ccaas-ops@example.ca" ]
    [teams.idim]
    name = "IDIM Technical Operations"
    email = [ "idim-techops@example.ca" ]
"#;

/// Everything belongs to one team.
pub const ONE_TEAM: &str = "[defaults]\nteams = [ \"ccaas\" ]\n";

/// What opens every feed of the stories.
pub const FEED_TOKEN: &str = "f00dfeedf00dfeedf00dfeedf00dfeed";

/// What outlives a process.
pub struct Place {
    pub tenant: Tenant,
    pub clock: ManualClock,
    pub state: State,
    folder: TempDir,
    config: String,
}

impl Place {
    /// `more` completes the configuration; the time is 08:00 in Vancouver on `date`.
    pub async fn new(directory: Directory, date: &str, more: &str) -> Self {
        Self::with(directory, date, more, |_| {}).await
    }

    /// The same, with a tenant that is set up otherwise. Where its mail server asks for a login, the password that we send stands in
    /// the file `smtp-password`.
    pub async fn with(directory: Directory, date: &str, more: &str, change: impl FnOnce(&mut Options)) -> Self {
        let clock = ManualClock::at(at_eight(date));
        let clock_of_tenant = Clock::Manual(clock.clone());
        let mut options =
            Options { clock: clock_of_tenant, requests_per_minute: None, gzip: false, ..Options::default() };
        change(&mut options);
        let tenant = Tenant::start(directory, options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("client-secret"), tenant.client_secret()).unwrap();
        std::fs::write(folder.path().join("certcentral-key"), tenant.certcentral().key()).unwrap();
        std::fs::write(folder.path().join("feed-token"), FEED_TOKEN).unwrap();
        std::fs::write(folder.path().join("roots.pem"), tenant.nodes().roots_pem()).unwrap();
        let state = State::new(folder.path()).await;
        Self { tenant, clock, state, folder, config: format!("{PLACE}{more}") }
    }

    /// The same place with its state in a file, whatever the other stories use; and where that file is.
    pub fn in_a_file(mut self) -> Self {
        self.state = State::File(self.file());
        self
    }

    pub fn file(&self) -> PathBuf {
        self.path("state.db")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration, pointed at the tenant.
    pub fn config(&self) -> Config {
        let mut config = config::parse(&self.config, "the story").unwrap_or_else(|problems| panic!("{problems}"));
        config.azure.credential = Some(AzureCredential::ClientSecret {
            tenant_id: self.tenant.tenant_id().to_owned(),
            client_id: self.tenant.client_id().to_owned(),
            secret: SecretRef::File(self.path("client-secret")),
        });
        for source in &mut config.sources {
            self.point_at_tenant(&mut source.system);
        }
        if let Some(config::Transport::Smtp(smtp)) = config.mail.as_mut().map(|mail| &mut mail.transport) {
            smtp.port = self.tenant.smtp_addr().port();
            let password = self.path("smtp-password");
            if password.exists() {
                let (username, password) = ("expiry-watch".to_owned(), SecretRef::File(password));
                smtp.login = Some(SmtpLogin::Password { username, password });
            }
        }
        if let Some(config::Transport::Graph(graph)) = config.mail.as_mut().map(|mail| &mut mail.transport) {
            graph.graph_url = Url::parse(&self.tenant.graph_url()).unwrap();
        }
        for token in config.feed_tokens.values_mut() {
            *token = SecretRef::File(self.path("feed-token"));
        }
        config.state = self.state.configured();
        config
    }

    /// How a process here sends its mail.
    pub fn transport(&self) -> Transport {
        let (config, clock) = (self.config(), Clock::Manual(self.clock.clone()));
        Transport::connect(config.mail.as_ref().unwrap(), &config.azure, &clock, &self.surroundings()).unwrap()
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings { authority_host: Some(self.tenant.authority_url()) }
    }

    /// What the tenant does not have is left as the story wrote it.
    fn point_at_tenant(&self, system: &mut System) {
        match system {
            System::Entra(entra) if entra.graph_url.port() == Some(9) => {
                entra.graph_url = Url::parse(&self.tenant.graph_url()).unwrap();
            }
            System::KeyVault(vault) if vault.vault_url.port() == Some(9) => {
                vault.vault_url = Url::parse(&self.tenant.vault_url()).unwrap();
            }
            System::Digicert(digicert) => {
                digicert.url = Url::parse(&self.tenant.certcentral_url()).unwrap();
                digicert.api_key = SecretRef::File(self.path("certcentral-key"));
            }
            System::Tls(tls) => {
                tls.roots = Some(SecretRef::File(self.path("roots.pem")));
                for target in &mut tls.targets {
                    let node = self.tenant.nodes().iter().find(|(name, _)| *name == target.server_name);
                    target.port = node.map_or(target.port, |(_, port)| port);
                }
            }
            System::Entra(_) | System::KeyVault(_) | System::Files(_) | System::Declared(_) => {}
        }
    }

    pub fn set(&self, at: &str) {
        self.clock.set(at.parse().unwrap());
    }

    /// Changes the configuration for the processes to come.
    pub fn reconfigure(&mut self, change: impl FnOnce(&str) -> String) {
        self.config = change(&self.config);
    }

    /// The messages that the state holds: Message-ID, bytes and state.
    pub async fn messages(&self) -> Vec<Kept> {
        self.messages_since(Timestamp::UNIX_EPOCH).await
    }

    pub async fn messages_since(&self, at: Timestamp) -> Vec<Kept> {
        self.state.messages_since(i64::try_from(at.as_nanosecond()).unwrap()).await
    }
}

/// What a kill takes away.
pub struct Process {
    pub cycle: Cycle,
    pub store: Arc<Store>,
    pub postman: Postman,
    config: Config,
}

impl Process {
    pub async fn start(place: &Place) -> Self {
        let clock = Clock::Manual(place.clock.clone());
        let config = place.config();
        let sources = Source::connect_from(&config, &clock, &place.surroundings()).unwrap();
        let transport = place.transport();
        let store = Arc::new(Store::open(place.state.place()).await.unwrap());
        let known = store.inventory(&Cycle::configured(&sources)).await.unwrap();
        let mail = place.config().mail.map(Arc::new);
        let from = mail.as_ref().unwrap().from.clone();
        let cycle = Cycle::new(&config, mail, sources, clock.clone(), known);
        let postman = Postman {
            store: store.clone(),
            transport,
            from,
            owner: Owner::unique(),
            clock,
            deadline: expiry_watch::outbox::SEND_DEADLINE,
        };
        Self { cycle, store, postman, config }
    }

    pub async fn poll(&mut self) -> Vec<Polled> {
        self.cycle.poll(Patience::LONG, Some(&self.store)).await.unwrap()
    }

    /// Enqueues all that is owed.
    pub async fn notify(&self) -> Vec<Notice> {
        self.cycle.tell(Tell::All, &self.store).await.unwrap()
    }

    /// Sends what is due until nothing is, or all mail is paused.
    pub async fn deliver(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            match self.postman.deliver_next(Pick::Due).await.unwrap() {
                Step::Idle => return steps,
                step @ Step::Paused { .. } => {
                    steps.push(step);
                    return steps;
                }
                step => steps.push(step),
            }
        }
    }

    pub async fn told(&self) -> Vec<NoticeKey> {
        self.store.told().await.unwrap()
    }

    /// What the web answers about what this process knows now.
    pub async fn answer(&self, path: &str) -> String {
        let view = self.cycle.view(self.told().await.into_iter().collect());
        let names: Vec<_> = self.cycle.sources().iter().map(|source| source.name().clone()).collect();
        let metrics = Arc::new(web::Metrics::new(&self.config.policy, &names).unwrap());
        let observed = Arc::new(Observed::new(view));
        metrics.render(&observed.view());
        let tokens = self.config.feed_tokens.iter().map(|(team, token)| (team, token.read().unwrap()));
        let feeds = web::Feeds::new(&self.config.policy, tokens);
        get(app(observed, metrics, feeds, &self.postman.clock), path).await
    }

    /// The same process as the daemon's loops see it.
    pub fn into_loops(self) -> Loops {
        let Self { cycle, store, postman, config } = self;
        let names = config.sources.iter().map(|source| &source.name);
        let metrics = Arc::new(web::Metrics::new(&config.policy, names).unwrap());
        let observed = Arc::new(Observed::new(cycle.view(expiry_watch::decide::Ledger::default())));
        observed.beat(|pulse| pulse.leader = true);
        let clock = postman.clock.clone();
        let app = app(observed.clone(), metrics.clone(), web::Feeds::default(), &clock);
        let conductor =
            Conductor::new(cycle, store.clone(), config.schedule.clone(), clock, observed.clone(), metrics.clone());
        let round = Round::new(postman, observed.clone(), metrics);
        Loops { conductor, round, observed, store, app, running: tokio::sync::watch::channel(false).1 }
    }
}

/// The daemon's loops, turned by hand.
pub struct Loops {
    pub conductor: Conductor,
    pub round: Round,
    pub observed: Arc<Observed>,
    pub store: Arc<Store>,
    app: web::App,
    running: tokio::sync::watch::Receiver<bool>,
}

impl Loops {
    /// One tick: what is due by the schedule, then what waits in the outbox.
    pub async fn tick(&mut self) {
        self.conductor.turn().await;
        assert_eq!(self.observed.pulse().store_error, None);
        self.round.walk(&self.running).await.unwrap();
    }

    pub async fn metrics(&self) -> String {
        get(self.app.clone(), "/metrics").await
    }
}

/// One process in its place.
pub struct TestWatcher {
    pub place: Place,
    pub process: Process,
    /// How much of the mailbox has been read.
    read: usize,
}

impl TestWatcher {
    pub async fn start(directory: Directory, date: &str, more: &str) -> Self {
        Self::at(Place::new(directory, date, more).await).await
    }

    pub async fn at(place: Place) -> Self {
        let process = Process::start(&place).await;
        Self { place, process, read: 0 }
    }

    /// Everything goes but the state file and the mailbox.
    pub async fn restart(&mut self) {
        self.process = Process::start(&self.place).await;
    }

    pub fn tenant(&self) -> &Tenant {
        &self.place.tenant
    }

    pub fn directory(&self) -> Directory {
        self.place.tenant.directory()
    }

    /// One day's work at 08:00: reads, decides, mails. Returns the mails that arrived, as [`Mail::line`] has them.
    pub async fn day(&mut self, date: &str) -> Vec<String> {
        self.place.clock.set(at_eight(date));
        self.process.poll().await;
        self.process.notify().await;
        self.process.deliver().await;
        self.news().iter().map(Mail::line).collect()
    }

    /// So many days in a row, restarted at every twentieth.
    pub async fn days(&mut self, from: &str, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for (nth, date) in dates(from, count).enumerate() {
            if nth % 20 == 19 {
                self.restart().await;
            }
            told.extend(self.day(&date).await);
        }
        told
    }

    /// The mails that have arrived since this was last asked, by address.
    pub fn news(&mut self) -> Vec<Mail> {
        let all = self.mails();
        let mut news = all[self.read..].to_vec();
        self.read = all.len();
        news.sort_by(|a, b| a.to.cmp(&b.to));
        news
    }

    /// Every mail that has arrived, the oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        mails(&self.place.tenant)
    }

    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.mails().into_iter().filter(|mail| mail.to == address).collect()
    }

    /// The last mail to somebody.
    #[track_caller]
    pub fn last_to(&self, address: &str) -> Mail {
        self.mails_to(address).pop().expect("a mail to that address")
    }

    /// Looks for what must never be written, in everything that was.
    pub async fn assert_nothing_leaked(&self, hints: &BTreeSet<String>) {
        let mut secrets = forbidden(self.tenant());
        secrets.extend(hints.iter().cloned());
        assert!(secrets.len() > 2);
        for mail in self.mails() {
            assert_clean(&format!("{:?}", mail.letter), &secrets, "a mail");
            assert_clean(&String::from_utf8_lossy(&mail.raw), &secrets, "a mail's bytes");
        }
        for path in ["/", "/metrics", "/api/v1/credentials", "/health"] {
            assert_clean(&self.process.answer(path).await, &secrets, path);
        }
        for file in std::fs::read_dir(self.place.folder.path()).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() && !path.ends_with("client-secret") {
                let bytes = std::fs::read(&path).unwrap();
                assert_clean(&String::from_utf8_lossy(&bytes), &secrets, &path.display().to_string());
            }
        }
    }
}

/// The client secret, every token handed out, and every hint that stands in the directory now.
pub fn forbidden(tenant: &Tenant) -> BTreeSet<String> {
    let mut secrets: BTreeSet<String> = tenant.directory().hints().into_iter().collect();
    // A token's middle part is what tells it from others; a log that cut it off elsewhere would still show it.
    secrets.extend(tenant.tokens_issued().iter().map(|token| token.split('.').nth(1).unwrap().to_owned()));
    secrets.insert(tenant.client_secret().to_owned());
    secrets
}

#[track_caller]
pub fn assert_clean(text: &str, secrets: &BTreeSet<String>, place: &str) {
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{place} shows {secret}");
    }
}

/// A mail as its reader has it.
#[derive(Clone, Debug)]
pub struct Mail {
    pub to: String,
    pub id: String,
    pub subject: String,
    /// What the headers say: kind, credential, threshold.
    pub notices: Vec<(String, String, String)>,
    pub letter: Letter,
    pub raw: Vec<u8>,
    pub at: Timestamp,
}

impl Mail {
    pub fn of(message: &Message) -> Self {
        let letter = message.read();
        let headers = letter.all("X-Expiry-Watch-Notice").into_iter();
        Self {
            to: message.to.join(","),
            id: letter.header("Message-ID").unwrap().to_owned(),
            subject: letter.subject.clone(),
            notices: headers.map(notice).collect(),
            raw: message.raw.to_vec(),
            at: message.at,
            letter,
        }
    }

    /// A message that has not been sent.
    pub fn of_raw(raw: &[u8]) -> Self {
        let (at, from, raw) = (Timestamp::UNIX_EPOCH, String::new(), raw.to_vec().into());
        let message = Message { number: 0, at, from, to: Vec::new(), raw, encrypted: false, user: None };
        let mail = Self::of(&message);
        Self { to: mail.letter.header("To").unwrap().to_owned(), ..mail }
    }

    /// `2026-11-21 ccaas-ops: expiring 7d, resolved`: the day in Vancouver, to whom, what.
    pub fn line(&self) -> String {
        let told: Vec<String> = self
            .notices
            .iter()
            .map(|(kind, _, threshold)| if kind == threshold { kind.clone() } else { format!("{kind} {threshold}") })
            .collect();
        let day = vancouver().to_datetime(self.at).date();
        format!("{day} {}: {}", self.to.split('@').next().unwrap(), told.join(", "))
    }

    pub fn text(&self) -> &str {
        self.letter.text.as_deref().unwrap()
    }
}

/// `<kind>; credential=<id>; threshold=<t>`
fn notice(header: &str) -> (String, String, String) {
    let (kind, rest) = header.split_once("; credential=").unwrap();
    let (credential, threshold) = rest.rsplit_once("; threshold=").unwrap();
    (kind.to_owned(), credential.to_owned(), threshold.to_owned())
}

pub fn mails(tenant: &Tenant) -> Vec<Mail> {
    tenant.mailbox().messages().iter().map(Mail::of).collect()
}

pub fn vancouver() -> TimeZone {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| TimeZoneDatabase::bundled().get("America/Vancouver").unwrap());
    ZONE.clone()
}

/// 08:00 in Vancouver.
pub fn at_eight(date: &str) -> Timestamp {
    let date: Date = date.parse().unwrap();
    date.at(8, 0, 0, 0).to_zoned(vancouver()).unwrap().timestamp()
}

pub fn dates(from: &str, count: usize) -> impl Iterator<Item = String> {
    let from: Date = from.parse().unwrap();
    from.series(jiff::ToSpan::days(1)).take(count).map(|date| date.to_string())
}
