//! How fast, and with how much memory, a directory of 100,000 applications is read.
//!
//! `cargo bench --bench read -- [latency in ms] [gzip]` reads it several times in one process, as the service does. `benches/compare`
//! lets this program read it once a process, beside a plain download and a plain script.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first fault")]

mod tenant;

use expiry_watch::clock::Clock;
use expiry_watch::config;
use expiry_watch::domain::{Credential, Holder};
use expiry_watch::sources::{Patience, Source, Surroundings};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenant::{Place, memory, processor};

const APPLICATIONS: u32 = 100_000;
const READS: usize = 7;
const ME: &str = "self";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => tenant::serve(&arguments),
        Some("once") => once(&arguments[1], &arguments[2], &arguments[3]),
        _ => several(&arguments),
    }
}

/// One read, and the end.
fn once(url: &str, tenant_id: &str, client_id: &str) {
    let (source, runtime) = (connect(url, tenant_id, client_id), runtime());
    let credentials = read(&source, &runtime);
    println!("{} credentials", credentials.len());
    // As whoever is measured beside us: what is left is the system's to clear away.
    std::process::exit(0);
}

fn several(arguments: &[String]) {
    let latency = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(0);
    let gzip = arguments.iter().any(|argument| argument == "gzip");
    let mut place = Place::start(APPLICATIONS, Duration::from_millis(latency), gzip);
    let (source, runtime) = (connect(&place.url, &place.tenant_id, &place.client_id), runtime());
    let start = memory(ME, "VmRSS");
    println!("{APPLICATIONS} applications, latency {latency} ms, gzip {gzip}; {start:.1} MB before the first read");
    for number in 1..=READS {
        place.next_minute();
        // Begins the record of the most memory anew.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let (before, started) = (processor(ME), Instant::now());
        let credentials = read(&source, &runtime);
        let (wall, busy) = (started.elapsed().as_secs_f64(), processor(ME) - before);
        assert!(credentials.len() >= APPLICATIONS as usize);
        let (most, held) = (memory(ME, "VmHWM"), size(&credentials));
        println!(
            "read {number}: {} credentials  wall {wall:.3} s  processor {busy:.2} s  memory at most {most:.1} MB, now {:.1} MB: \
             {held:.1} MB of credentials and {:.1} MB for the read",
            credentials.len(),
            memory(ME, "VmRSS"),
            most - start - held,
        );
    }
}

/// As the service reads: in a task, on a runtime of several threads.
fn read(source: &Arc<Source>, runtime: &tokio::runtime::Runtime) -> Vec<Arc<Credential>> {
    let (source, now) = (Arc::clone(source), Clock::System.now());
    let task = runtime.spawn(async move { source.read(Patience::SHORT, now).await });
    runtime.block_on(task).unwrap().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

fn connect(url: &str, tenant_id: &str, client_id: &str) -> Arc<Source> {
    let written = format!(
        "timezone = \"America/Vancouver\"\n[schedule]\npoll = \"0 * * * * *\"\nnotify = \"0 0 8 * * *\"\n\
         [azure]\ncredential = \"client_secret\"\ntenant_id = \"{tenant_id}\"\nclient_id = \"{client_id}\"\n\
         client_secret = {{ file = \"{}\" }}\n\
         [sources.entra]\ntype = \"entra\"\ngraph_url = \"{url}\"\n",
        tenant::SECRET_FILE
    );
    let config = config::parse(&written, "the benchmark's configuration").unwrap();
    let surroundings = Surroundings { authority_host: Some(url.to_owned()) };
    Arc::new(Source::connect_from(&config, &Clock::System, &surroundings).unwrap().remove(0))
}

/// The memory that credentials take, in MB, with the allocator's own share.
fn size(credentials: &[Arc<Credential>]) -> f64 {
    let block = |bytes: usize| if bytes == 0 { 0 } else { (bytes + 8).max(32).next_multiple_of(16) };
    let (mut bytes, mut last) = (size_of_val(credentials), std::ptr::null());
    for credential in credentials {
        let holder = &credential.holder;
        bytes += block(16 + size_of::<Credential>()) + block(credential.label.as_str().len());
        if !std::ptr::eq(last, &raw const **holder) {
            last = &raw const **holder;
            let tags = &holder.team_tags;
            let texts: usize = tags.iter().map(|tag| block(tag.len())).sum();
            bytes += block(16 + size_of::<Holder>())
                + block(holder.name.as_str().len())
                + block(size_of_val(&**tags))
                + texts;
        }
    }
    bytes as f64 / 1e6
}
