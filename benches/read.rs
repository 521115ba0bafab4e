//! How fast, and with how much memory, a directory of 100,000 applications is read from this machine.
//!
//! `cargo bench --bench read -- [latency in ms] [gzip]`. The directory runs in a child process (this program again), so that what is
//! measured is the reading alone. Beside it stands the plain download of the same pages over one connection.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first fault")]

use expiry_watch::clock::Clock;
use expiry_watch::config::{
    Azure, AzureCredential, Cloud, Config, EntraConfig, Http, Schedule, SecretRef, SourceConfig, State, System,
};
use expiry_watch::domain::{Credential, Holder, Period, Policy, SourceName, Treatment};
use expiry_watch::schedule::Cron;
use expiry_watch::sources::{Patience, Source, Surroundings};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const APPLICATIONS: usize = 100_000;
const PAGE: usize = 999;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let latency: u64 = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(0);
    let gzip = arguments.iter().any(|argument| argument == "gzip");
    if arguments.first().is_some_and(|argument| argument == "serve") {
        return serve(Duration::from_millis(latency), gzip);
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["serve", &latency.to_string(), if gzip { "gzip" } else { "plain" }])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    measure(address.trim(), latency, gzip);
    stop(&mut child);
}

fn stop(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn measure(address: &str, latency: u64, gzip: bool) {
    let (bytes, pages, download) = (0..3).map(|_| download(address)).min_by_key(|run| run.2).unwrap();
    println!("{pages} pages, {:.1} MB, latency {latency} ms, gzip {gzip}", bytes as f64 / 1e6);
    println!("download over one connection   {:.3} s", download.as_secs_f64());
    let mut runtime = match std::env::var("EXPIRY_WATCH_BENCH_THREADS").as_deref() {
        Ok("1") => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build().unwrap();
    let clock = Clock::System;
    let config = config(address);
    let surroundings = Surroundings { authority_host: Some(format!("http://{address}")) };
    let source = Arc::new(Source::connect_from(&config, &clock, &surroundings).unwrap().remove(0));
    println!("before the first read: {:.1} MB", status("VmRSS:"));
    for run in 1..=5 {
        let (before, started) = (processor_seconds(), Instant::now());
        let read = {
            // As the service reads: in a task.
            let (source, now) = (Arc::clone(&source), clock.now());
            let task = runtime.spawn(async move { source.read(Patience::SHORT, now).await });
            runtime.block_on(task).unwrap().unwrap()
        };
        let (wall, processor) = (started.elapsed().as_secs_f64(), processor_seconds() - before);
        assert!(read.len() >= APPLICATIONS);
        let held = status("VmRSS:");
        println!(
            "read {run}: {} credentials  wall {wall:.3} s  processor {processor:.2} s  {:.2} of the download  peak {:.1} MB, now {held:.1} MB, of which the credentials {:.1} MB",
            read.len(),
            wall / download.as_secs_f64(),
            status("VmHWM:"),
            size(&read),
        );
    }
}

/// The memory that credentials take, in MB, with the allocator's own share.
fn size(credentials: &[Credential]) -> f64 {
    let block = |bytes: usize| if bytes == 0 { 0 } else { (bytes + 8).max(32).next_multiple_of(16) };
    let (mut bytes, mut last) = (size_of_val(credentials), std::ptr::null());
    for credential in credentials {
        let holder = &credential.holder;
        bytes += block(credential.label.as_str().len());
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

/// User and system time of this process, in ticks of 10 ms.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// A line of /proc/self/status, in MB.
fn status(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() * 1024.0 / 1e6
}

/// What a loop around curl does: page after page over one connection, kept nowhere.
fn download(address: &str) -> (usize, usize, Duration) {
    let started = Instant::now();
    let mut stream = BufReader::with_capacity(256 << 10, TcpStream::connect(address).unwrap());
    let (mut bytes, mut pages, mut body) = (0, 0, Vec::new());
    let last = APPLICATIONS.div_ceil(PAGE);
    while pages < last {
        let request = format!("GET /v1.0/applications?$skiptoken={pages} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if let Some(written) = line.strip_prefix("content-length: ") {
                length = written.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).unwrap();
        bytes += length;
        pages += 1;
    }
    (bytes, pages, started.elapsed())
}

fn config(address: &str) -> Config {
    let cron = || Cron::parse("0 0 8 * * *").unwrap();
    let secret = AzureCredential::ClientSecret {
        tenant_id: "contoso".to_owned(),
        client_id: "me".to_owned(),
        secret: SecretRef::File("tests/fixtures/client-secret.txt".into()),
    };
    let entra = EntraConfig {
        graph_url: format!("http://{address}").parse().unwrap(),
        applications: true,
        service_principals: true,
    };
    Config {
        secrets: Vec::new(),
        policy: Policy {
            zone: jiff::tz::TimeZone::UTC,
            defaults: Treatment::default(),
            rules: Vec::new(),
            teams: BTreeMap::new(),
            urgent_within: Period::hours(24),
            stale_after: BTreeMap::new(),
        },
        schedule: Schedule { poll: cron(), notify: cron(), summary: None },
        state: State::Sqlite("unused".into()),
        http: Http { listen: "127.0.0.1:0".parse().unwrap(), public_url: None, access_token: None, feed_listen: None },
        azure: Azure { cloud: Cloud::Public, credential: Some(secret) },
        sources: vec![SourceConfig { name: SourceName::new("entra"), system: System::Entra(entra) }],
        mail: None,
        warnings: Vec::new(),
    }
}

/// The directory: every page rendered before the first request.
fn serve(latency: Duration, gzip: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let pages = APPLICATIONS.div_ceil(PAGE);
    let pack = |body: String| if gzip { packed(body.as_bytes()) } else { body.into_bytes() };
    let bodies: Vec<Vec<u8>> = (0..pages).map(|page| pack(body(page, pages, &address))).collect();
    let bodies: &'static [Vec<u8>] = bodies.leak();
    println!("{address}");
    for stream in listener.incoming() {
        std::thread::spawn(move || answer(stream.unwrap(), bodies, latency, gzip));
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the latency")]
fn answer(stream: TcpStream, bodies: &[Vec<u8>], latency: Duration, gzip: bool) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (mut target, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(written) = line.to_lowercase().strip_prefix("content-length: ") {
                length = written.trim().parse().ok()?;
            }
            match line.as_str() {
                "\r\n" => break,
                _ if target.is_empty() => target = line,
                _ => {}
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        std::thread::sleep(latency);
        let token = br#"{"token_type":"Bearer","expires_in":3599,"access_token":"token"}"#;
        let number =
            target.split_once("skiptoken=").map_or("0", |(_, rest)| rest.split(' ').next().unwrap_or_default());
        let (body, encoding): (&[u8], _) = if target.contains("/token ") {
            (token, "")
        } else if target.contains("/servicePrincipals") {
            (br#"{"value":[]}"#, "")
        } else {
            (&bodies[number.parse::<usize>().ok()?], if gzip { "content-encoding: gzip\r\n" } else { "" })
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\n{encoding}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        reader.get_mut().write_all(head.as_bytes()).ok()?;
        reader.get_mut().write_all(body).ok()?;
    }
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

fn body(page: usize, pages: usize, address: &str) -> String {
    let link = match page + 1 < pages {
        true => format!(r#""@odata.nextLink":"http://{address}/v1.0/applications?$top=999&$skiptoken={}","#, page + 1),
        false => String::new(),
    };
    let range = page * PAGE..APPLICATIONS.min((page + 1) * PAGE);
    let objects: Vec<String> = range.map(application).collect();
    format!(
        r#"{{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#applications",{link}"value":[{}]}}"#,
        objects.join(",")
    )
}

/// About 660 bytes, as Graph writes them: one secret each, every fourth has two.
fn application(n: usize) -> String {
    let guid = |kind: u64| {
        let mixed = (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(kind << 20);
        let low = mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9) & 0xFFFF_FFFF_FFFF;
        format!(
            "{:08x}-{:04x}-5{:03x}-8{:03x}-{low:012x}",
            mixed >> 32,
            mixed >> 16 & 0xFFFF,
            mixed >> 4 & 0xFFF,
            mixed & 0xFFF
        )
    };
    let secret = |kind: u64, year: usize| {
        format!(
            r#"{{"customKeyIdentifier":null,"displayName":"rotated by pipeline {year}","endDateTime":"{year}-{:02}-{:02}T08:12:44.9127305Z","hint":"k8Q","keyId":"{}","secretText":null,"startDateTime":"{}-01-15T08:12:44.9127305Z"}}"#,
            n % 12 + 1,
            n % 28 + 1,
            guid(kind),
            year - 1
        )
    };
    let mut secrets = vec![secret(3, 2027)];
    if n.is_multiple_of(4) {
        secrets.push(secret(4, 2028));
    }
    format!(
        r#"{{"id":"{}","appId":"{}","displayName":"Team {} service {n} - production workload","tags":["team:t{}","WindowsAzureActiveDirectoryIntegratedApp","costcentre:4711-{n:06}","environment:production","contact:platform-operations@example.ca"],"passwordCredentials":[{}],"keyCredentials":[]}}"#,
        guid(1),
        guid(2),
        n % 50,
        n % 50,
        secrets.join(",")
    )
}
