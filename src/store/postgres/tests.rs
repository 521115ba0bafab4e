//! What only a server can do to us: refuse, hang, forget, restart.
//!
//! `tests/postgres/run` starts the server and runs what needs one.

use super::line::{IDLE, REST};
use super::*;
use crate::azure::tests as azure;
use crate::config::{PostgresUrl, SecretRef};
use crate::domain::{CredentialId, Text};
use crate::http::testing::Server as Authority;
use crate::inventory::{Changes, SourceState};
use crate::store::testing::{Ground, server};
use crate::store::{Owner, Place, Store};
use jiff::SignedDuration;
use sqlx::{AssertSqlSafe, Executor};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};

const TERM: SignedDuration = SignedDuration::from_secs(10);

/// Another client, with every right.
async fn administrator() -> PgConnection {
    let server = server().expect("tests/postgres/run starts the server that this needs");
    PgConnection::connect(&server).await.unwrap()
}

async fn administer(statement: String) {
    administrator().await.execute(AssertSqlSafe(statement)).await.unwrap();
}

/// A name that nothing else on the server has.
fn name() -> String {
    format!("n{}", uuid::Uuid::new_v4().simple())
}

/// The address of the server for somebody else.
fn address(who: &str, host: &str, database: &str, parameters: &str) -> String {
    let server = url::Url::parse(&server().unwrap()).unwrap();
    format!("postgres://{who}@{host}:{}/{database}?{parameters}", server.port().unwrap())
}

fn kept(url: &str) -> (NamedTempFile, config::Postgres) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(url.as_bytes()).unwrap();
    let url = PostgresUrl::Kept(SecretRef::File(file.path().into()));
    (file, config::Postgres { url, auth: PostgresAuth::Password })
}

fn place_of(postgres: &config::Postgres) -> Place {
    let server = Server::of(postgres, &Azure::default(), &Clock::System, &Surroundings::default()).unwrap();
    Place::Server(Box::new(server))
}

/// What is said of a state at this address; never a password.
async fn refusal(url: &str) -> String {
    let (_file, postgres) = kept(url);
    let Err(error) = Store::open(place_of(&postgres)).await else { panic!("{url} was let in") };
    let said = error.to_string();
    assert!(!format!("{said} {error:?} {postgres:?}").contains("hunter2"), "{said}");
    said
}

async fn role(password: &str) -> String {
    let role = name();
    administer(format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'")).await;
    role
}

/// A database of its own, for that role.
async fn database(owner: &str) -> String {
    let database = name();
    administer(format!("CREATE DATABASE {database} OWNER {owner}")).await;
    database
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn each_way_of_not_getting_in_is_said_with_what_to_do() {
    let role = role("hunter2").await;
    let own = database(&role).await;
    let foreign = database(&role).await;
    let bystander = name();
    administer(format!("CREATE ROLE {bystander} LOGIN PASSWORD 'hunter2'")).await;
    let (file, theirs) = kept(&address(&format!("{role}:hunter2"), "localhost", &foreign, ""));
    let options = options(&theirs.address().unwrap().0, theirs.address().unwrap().1.as_ref());
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    connection.execute("CREATE TABLE invoices (id INTEGER)").await.unwrap();
    drop(file);
    for (url, said) in [
        (
            address(&format!("{role}:hunter2-wrong"), "localhost", &own, ""),
            "the sign-in is refused: password authentication failed",
        ),
        (address(&role, "localhost", &own, ""), "the sign-in is refused"),
        (address(&format!("{role}:hunter2"), "localhost", "nowhere", ""), "make it with CREATE DATABASE"),
        (
            address(&format!("{bystander}:hunter2"), "localhost", &own, ""),
            "the role needs USAGE and CREATE on the schema",
        ),
        (address(&format!("{role}:hunter2"), "localhost", &foreign, ""), "the tables of something else"),
        (
            address(&format!("{role}:hunter2"), "localhost", &own, "options=-c%20default_transaction_read_only%3Don"),
            "name the server that takes writes",
        ),
        (
            address(&format!("{role}:hunter2"), "localhost", &own, "options=-c%20search_path%3Dnowhere"),
            "USAGE and CREATE",
        ),
        (format!("postgres://{role}:hunter2@127.0.0.1:1/{own}"), "nothing answers there"),
        (format!("postgres:///{own}?host=/nowhere&user={role}&password=hunter2"), "there is no such socket or host"),
        (address(&format!("{role}:hunter2"), "localhost", &own, "sslrootcert=/nowhere"), "sslrootcert /nowhere"),
    ] {
        let found = refusal(&url).await;
        assert!(found.contains(said) && found.starts_with("the state "), "{said}: {found}");
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn a_server_is_believed_who_proves_who_it_is() {
    let roots = std::env::var("EXPIRY_WATCH_TEST_POSTGRES_ROOTS").unwrap();
    let role = role("hunter2").await;
    let own = database(&role).await;
    let at = |host: &str, parameters: String| address(&format!("{role}:hunter2"), host, &own, &parameters);
    let (_file, proved) = kept(&at("localhost", format!("sslmode=verify-full&sslrootcert={roots}")));
    let store = Store::open(place_of(&proved)).await.unwrap();
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = store.database().await.unwrap().query(encrypted).fetch_one().await.unwrap();
    assert!(row.get::<bool>("ssl"));
    for (host, parameters) in [
        ("localhost", "sslmode=verify-full".to_owned()),
        ("localhost", "sslmode=verify-ca".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={roots}")),
    ] {
        let said = refusal(&at(host, parameters)).await;
        assert!(said.contains("does not prove who it is") && said.contains("sslrootcert"), "{said}");
    }
    let (_file, by_authority) = kept(&at("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={roots}")));
    Store::open(place_of(&by_authority)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn a_password_that_is_replaced_is_read_anew_and_a_role_without_the_right_to_make_tables_goes_on() {
    let role = role("hunter2").await;
    let own = database(&role).await;
    let (file, postgres) = kept(&address(&format!("{role}:hunter2"), "localhost", &own, ""));
    let store = Store::open(place_of(&postgres)).await.unwrap();
    administer(format!("ALTER DATABASE {own} OWNER TO app")).await;
    administer(format!("ALTER ROLE {role} PASSWORD 'hunter3'")).await;
    hang_up(&role).await;
    rest().await;
    let said = store.last_run("notify").await.unwrap_err().to_string();
    assert!(said.contains("the sign-in is refused"), "{said}");
    std::fs::write(file.path(), address(&format!("{role}:hunter3"), "localhost", &own, "")).unwrap();
    rest().await;
    assert_eq!(store.last_run("notify").await.unwrap(), None);
    Store::open(place_of(&postgres)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn a_token_is_the_password_and_each_line_has_one_that_is_valid() {
    let (clock, _) = azure::clock();
    let authority = Authority::start(azure::token).await;
    let role = role("token-0").await;
    let own = database(&role).await;
    let (_file, postgres) = kept(&address(&role, "localhost", &own, ""));
    let postgres = config::Postgres { auth: PostgresAuth::Azure, ..postgres };
    let surroundings = Surroundings { authority_host: Some(authority.url.to_string()) };
    let server = Server::of(&postgres, &azure::with_secret(azure::SECRET_FILE), &clock, &surroundings).unwrap();
    let store = Store::open(Place::Server(Box::new(server))).await.unwrap();
    let asked = authority.asked("token");
    assert_eq!(asked.len(), 1);
    assert!(asked[0].body.contains("ossrdbms-aad.database.windows.net%2F.default"), "{}", asked[0].body);
    assert!(!format!("{store:?}").contains("token-0"));
    // The line lives on when its token is worth nothing any more; the next one gets another.
    administer(format!("ALTER ROLE {role} PASSWORD 'token-1'")).await;
    rest().await;
    assert_eq!((store.last_run("notify").await.unwrap(), authority.asked("token").len()), (None, 1));
    hang_up(&role).await;
    rest().await;
    assert_eq!((store.last_run("notify").await.unwrap(), authority.asked("token").len()), (None, 2));
    // Whoever is no role there hears it, and is let in once he is one. Meanwhile not every attempt asks for a token.
    administer(format!("ALTER ROLE {role} NOLOGIN")).await;
    hang_up(&role).await;
    for _ in 0..3 {
        rest().await;
        let said = store.last_run("notify").await.unwrap_err().to_string();
        assert!(said.contains("the sign-in is refused") && !said.contains("token-"), "{said}");
    }
    assert_eq!(authority.asked("token").len(), 2);
    administer(format!("ALTER ROLE {role} LOGIN")).await;
    rest().await;
    assert_eq!(store.last_run("notify").await.unwrap(), None);
}

/// Ends every line of that role, as a restart does.
async fn hang_up(role: &str) {
    administer(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")).await;
}

/// Longer than a line is idle before it is tried, and than nobody knocks again after a failure.
async fn rest() {
    Clock::System.sleep(IDLE.max(REST) + Duration::from_millis(100)).await;
}

/// So much that it takes a while.
fn many() -> Changes {
    Changes { upserts: Vec::new(), removals: (0..300_000).map(|n| CredentialId::parse(&format!("x:{n}"))).collect() }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn what_is_dropped_in_the_middle_has_not_happened_and_holds_nobody_up() {
    let ground = Ground::new().await;
    let (one, other) = (ground.open().await, ground.open().await);
    let source = SourceState::unknown(crate::domain::SourceName::new("entra"), "entra");
    for wait in [1, 5, 20, 50] {
        let (changes, sources) = (many(), [source.clone()]);
        let broken_off = timeout(Duration::from_millis(wait), one.apply(&changes, &sources)).await;
        assert!(broken_off.is_err(), "it was done within {wait} ms");
        timeout(Duration::from_secs(5), other.ran("notify", "2026-11-21T16:00:00Z".parse().unwrap()))
            .await
            .unwrap()
            .unwrap();
        let failing = |_: &[_]| Err(StoreError::Content("no".to_owned()));
        other.enqueue(Vec::new(), jiff::Timestamp::UNIX_EPOCH, failing).await.unwrap();
        let rows = one.database().await.unwrap().query("SELECT * FROM sources").fetch_all().await.unwrap();
        assert!(rows.is_empty(), "half of it was done");
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn the_lease_does_not_wait_for_a_long_write() {
    let ground = Ground::new().await;
    let store = ground.open().await;
    let owner = Owner::unique();
    let now = Clock::System.now();
    let mut database = store.database().await.unwrap();
    let transaction = database.session().begin().await.unwrap();
    assert!(timeout(Duration::from_secs(2), store.hold("leader", &owner, TERM, now)).await.unwrap().unwrap());
    drop(transaction);
}

/// A way to the server that can be broken: 0 lets through, 1 says nothing any more, 2 hangs up.
struct Way {
    port: u16,
    mode: Arc<AtomicU8>,
}

impl Way {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = url::Url::parse(&server().unwrap()).unwrap().port().unwrap();
        let mode = Arc::new(AtomicU8::new(0));
        let watched = mode.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, server, watched.clone()));
            }
        });
        Self { port, mode }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

async fn carry(mut near: TcpStream, server: u16, mode: Arc<AtomicU8>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut far = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let (mut out, mut back) = ([0; 4096], [0; 4096]);
    loop {
        let (read, is_out) = tokio::select! {
            read = near.read(&mut out) => (read, true),
            read = far.read(&mut back) => (read, false),
        };
        let Ok(length @ 1..) = read else { return };
        match mode.load(Ordering::SeqCst) {
            0 => {}
            1 => continue,
            _ => return,
        }
        let written = if is_out { far.write_all(&out[..length]).await } else { near.write_all(&back[..length]).await };
        if written.is_err() {
            return;
        }
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn a_network_that_breaks_or_falls_silent_is_noticed_in_time_and_found_again() {
    let way = Way::new().await;
    let own = database("app").await;
    let (_file, postgres) = kept(&format!("postgres://app@127.0.0.1:{}/{own}?sslmode=disable", way.port));
    let store = Store::open(place_of(&postgres)).await.unwrap();
    let owner = Owner::unique();
    let hold = async || store.hold("leader", &owner, TERM, Clock::System.now()).await;
    assert!(hold().await.unwrap());
    for mode in [2, 1] {
        way.set(mode);
        for _ in 0..3 {
            let begun = Instant::now();
            let said = hold().await.unwrap_err().to_string();
            assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
            assert!(said.starts_with("the state "), "{said}");
        }
        way.set(0);
        rest().await;
        assert!(hold().await.unwrap(), "found again");
        assert_eq!(store.last_run("notify").await.unwrap(), None);
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: tests/postgres/run"]
async fn a_restart_between_two_uses_goes_unnoticed() {
    let role = role("hunter2").await;
    let own = database(&role).await;
    let (_file, postgres) = kept(&address(&format!("{role}:hunter2"), "localhost", &own, ""));
    let store = Store::open(place_of(&postgres)).await.unwrap();
    for _ in 0..3 {
        hang_up(&role).await;
        rest().await;
        assert_eq!(store.last_run("notify").await.unwrap(), None);
    }
}

#[test]
fn a_fault_is_told_in_words_that_say_what_to_do() {
    use std::io::{Error, ErrorKind};
    for (kind, said) in [
        (ErrorKind::ConnectionRefused, "is it running"),
        (ErrorKind::InvalidData, "sslrootcert"),
        (ErrorKind::UnexpectedEof, "closed the connection"),
    ] {
        let sentence = fault::sentence(&sqlx::Error::Io(Error::new(kind, "x")));
        assert!(sentence.contains(said), "{sentence}");
    }
    let tls = fault::sentence(&sqlx::Error::Tls("server does not support TLS".into()));
    assert!(tls.contains("sslmode=disable"), "{tls}");
    assert_eq!(Text::clean(&tls).as_str(), tls, "it fits into a line");
}
