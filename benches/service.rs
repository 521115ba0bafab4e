//! The service as it is shipped: how soon it is healthy, how much memory it takes, how fast it serves its metrics.
//!
//! `cargo bench --bench service -- [dozen | page | credentials]`. Starts the release binary with `run` against the simulated tenant;
//! once with the mission's dozen credentials, once with 10,000 for the status page, once with 100,000.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first fault")]

mod tenant;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tenant::{Place, memory, processor};

const STARTS: usize = 7;
const REQUESTS: usize = 15;
const POLLS: usize = 5;
const IDLE: Duration = Duration::from_secs(10);
/// For what follows a poll: the metrics are compressed then.
const SETTLE: Duration = Duration::from_secs(3);
/// So many generated applications hold this many credentials.
const LARGE: (u32, u32) = (65_217, 100_000);
const MEDIUM: u32 = 6_522;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => tenant::serve(&arguments),
        Some("dozen") => dozen(),
        Some("page") => status_page(),
        Some("credentials") => hundred_thousand(),
        _ => {
            dozen();
            status_page();
            hundred_thousand();
        }
    }
}

fn dozen() {
    let mut place = Place::start(0, Duration::ZERO, true);
    let folder = tempfile::tempdir().unwrap();
    let mut starts = Vec::new();
    let mut idle = Vec::new();
    for number in 0..STARTS {
        place.next_minute();
        let state = folder.path().join(format!("{number}"));
        std::fs::create_dir(&state).unwrap();
        let service = Service::start(&place, &state);
        starts.push(service.healthy.as_secs_f64() * 1e3);
        if number < 2 {
            pause(IDLE);
            idle.push(service.memory("VmRSS"));
        }
    }
    println!("a dozen credentials: from the start to 200 on /health, median of {STARTS}: {:.0} ms", median(starts));
    println!("a dozen credentials: resident when idle for {} s: {:.1} MB", IDLE.as_secs(), median(idle));
}

/// The status page and the pages of single credentials, over the wire, as a browser asks for them and as curl does.
fn status_page() {
    let mut place = Place::start(MEDIUM, Duration::ZERO, true);
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&place, folder.path());
    service.wait_for_poll("", &mut place);
    pause(SETTLE);
    let report = get(&service.address, "/api/v1/credentials", "").unwrap();
    let report = String::from_utf8_lossy(&report);
    let credentials = report.matches("\"days_left\":").count();
    println!(
        "{credentials} credentials: start, first poll and a forecast of 90 days: {:.2} s of the processor; resident {:.1} MB",
        service.processor(),
        service.memory("VmRSS")
    );
    let id = report.split_once("\"id\":\"").and_then(|(_, rest)| rest.split('"').next()).unwrap();
    for (what, path) in [
        ("/", "/".to_owned()),
        ("/ with a search", "/?q=7&team=team0&status=valid".to_owned()),
        ("/, the last page", "/?page=9999".to_owned()),
        ("/credential", format!("/credential?id={id}")),
    ] {
        for (how, header) in [("gzipped", "accept-encoding: gzip\r\n"), ("plain", "")] {
            let before = service.processor();
            let answers: Vec<(f64, usize)> = (0..REQUESTS)
                .map(|_| {
                    let started = Instant::now();
                    let answer = get(&service.address, &path, header).unwrap();
                    assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}");
                    (started.elapsed().as_secs_f64() * 1e3, answer.len())
                })
                .collect();
            let busy = (service.processor() - before) * 1e3 / REQUESTS as f64;
            println!(
                "{credentials} credentials: {what} {how}, {:.1} KB: median of {REQUESTS} requests {:.1} ms ({busy:.0} ms of the processor)",
                answers[0].1 as f64 / 1e3,
                median(answers.iter().map(|answer| answer.0).collect())
            );
        }
    }
}

fn hundred_thousand() {
    let (applications, credentials) = LARGE;
    let mut place = Place::start(applications, Duration::ZERO, true);
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&place, folder.path());
    println!(
        "{credentials} credentials: from the start to 200 on /health: {:.0} ms",
        service.healthy.as_secs_f64() * 1e3
    );
    let (first, mut last) = service.wait_for_poll("", &mut place);
    pause(SETTLE);
    println!(
        "{credentials} credentials: first poll, all written to an empty state: {:.1} s, {:.1} s of the processor; resident {:.1} MB",
        first.as_secs_f64(),
        service.processor(),
        service.memory("VmRSS"),
    );
    let before = service.processor();
    for polls in 2..=POLLS {
        last = service.wait_for_poll(&last, &mut place).1;
        pause(SETTLE);
        println!(
            "{credentials} credentials: after poll {polls}: resident {:.1} MB, at most so far {:.1} MB",
            service.memory("VmRSS"),
            service.memory("VmHWM")
        );
    }
    println!(
        "{credentials} credentials: one poll more with all that follows: {:.2} s of the processor",
        (service.processor() - before) / (POLLS - 1) as f64
    );
    for (what, header) in [("plain", ""), ("gzipped", "accept-encoding: gzip\r\n")] {
        let before = service.processor();
        let answers: Vec<(f64, usize)> = (0..REQUESTS)
            .map(|_| {
                let started = Instant::now();
                let body = get(&service.address, "/metrics", header).unwrap();
                (started.elapsed().as_secs_f64() * 1e3, body.len())
            })
            .collect();
        let busy = (service.processor() - before) * 1e3 / REQUESTS as f64;
        println!(
            "{credentials} credentials: /metrics {what}, {:.1} MB: median of {REQUESTS} requests {:.1} ms ({busy:.0} ms of the processor)",
            answers[0].1 as f64 / 1e6,
            median(answers.iter().map(|answer| answer.0).collect())
        );
    }
    println!(
        "{credentials} credentials: after {} requests: resident {:.1} MB, at most {:.1} MB",
        2 * REQUESTS,
        service.memory("VmRSS"),
        service.memory("VmHWM")
    );
    drop(service);
    let service = Service::start(&place, folder.path());
    println!(
        "{credentials} credentials: started again, all known: healthy after {:.0} ms",
        service.healthy.as_secs_f64() * 1e3
    );
    let mut last = String::new();
    for polls in 1..=2 {
        last = service.wait_for_poll(&last, &mut place).1;
        pause(SETTLE);
        println!(
            "{credentials} credentials: started again, after poll {polls}: resident {:.1} MB, at most {:.1} MB",
            service.memory("VmRSS"),
            service.memory("VmHWM")
        );
    }
}

#[allow(clippy::disallowed_methods, reason = "another process is waited for")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// The release binary, running.
struct Service {
    child: Child,
    address: String,
    started: Instant,
    healthy: Duration,
}

impl Service {
    fn start(place: &Place, folder: &Path) -> Self {
        // Free a moment ago; nobody else on this machine is looking for one just now.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let configuration = folder.join("expiry-watch.toml");
        std::fs::write(&configuration, configured(place, folder, &address)).unwrap();
        let started = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_expiry-watch"))
            .args(["run", "--config"])
            .arg(&configuration)
            .env("AZURE_AUTHORITY_HOST", &place.url)
            .env("EXPIRY_WATCH_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while !get(&address, "/health", "").is_some_and(|answer| answer.starts_with(b"HTTP/1.1 200")) {
            assert!(started.elapsed() < Duration::from_secs(30), "the service did not become healthy");
            pause(Duration::from_millis(1));
        }
        Self { child, address, started, healthy: started.elapsed() }
    }

    /// Waits for a poll that ended after the one before; gives the time since the start, and when it was by the service's word.
    fn wait_for_poll(&self, before: &str, place: &mut Place) -> (Duration, String) {
        loop {
            place.next_minute();
            let answer = get(&self.address, "/health", "").unwrap_or_default();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let last = answer.split_once("\"last_success\":\"").and_then(|(_, rest)| rest.split('"').next());
            if let Some(last) = last.filter(|last| *last != before && !answer.contains("first poll")) {
                return (self.started.elapsed(), last.to_owned());
            }
            assert!(self.started.elapsed() < Duration::from_secs(300), "the service does not poll: {answer}");
            pause(Duration::from_millis(20));
        }
    }

    fn memory(&self, figure: &str) -> f64 {
        memory(&self.child.id().to_string(), figure)
    }

    fn processor(&self) -> f64 {
        processor(&self.child.id().to_string())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A poll every ten seconds; mail into a folder; nothing is told before the morning.
fn configured(place: &Place, folder: &Path, address: &str) -> String {
    let Place { url, tenant_id, client_id, .. } = place;
    let (secret, folder) = (tenant::SECRET_FILE, folder.display());
    // A database on a server, empty and for one run, such as postgres://role@127.0.0.1/bench; else a file.
    let state = std::env::var("EXPIRY_WATCH_BENCH_STATE").unwrap_or_else(|_| format!("sqlite:{folder}/state.db"));
    format!(
        r#"
        timezone = "America/Vancouver"
        [schedule]
        poll = "*/10 * * * * *"
        notify = "0 0 8 * * *"
        [state]
        url = "{state}"
        [http]
        listen = "{address}"
        [azure]
        credential = "client_secret"
        tenant_id = "{tenant_id}"
        client_id = "{client_id}"
        client_secret = {{ file = "{secret}" }}
        [sources.entra]
        type = "entra"
        graph_url = "{url}"
        [mail]
        from = "watch@example.ca"
        [mail.transport]
        type = "directory"
        path = "{folder}/outbox"
        [teams.team0]
        name = "Team"
        email = [ "team@example.ca" ]
        [defaults]
        teams = [ "team0" ]
        "#
    )
}

/// The whole answer, head and body, as one connection gives it.
fn get(address: &str, path: &str, header: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{header}\r\n").ok()?;
    let mut answer = Vec::with_capacity(1 << 20);
    stream.read_to_end(&mut answer).ok()?;
    Some(answer)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
