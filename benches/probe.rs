//! Probes the targets of a list once, and says what that took.
//!
//! `cargo bench --bench probe -- LIST [--each] [--roots FILE] [--limit N] [--timeout SECONDS]`. A line of the list is `HOST PORT
//! [SERVER-NAME [PROTOCOL]]`. With `--each` it prints a line for each address instead of the cost. `benches/compare-probe` and
//! `tests/real-servers` make such lists.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first fault")]

use expiry_watch::clock::Clock;
use expiry_watch::sources::tls::{DEFAULT_LIMIT, Found, StartTls, Target, Trust, probe_all};
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let value = |key: &str| {
        let at = arguments.iter().position(|argument| argument == key)?;
        arguments.get(at + 1).cloned()
    };
    let Some(list) = arguments.first().filter(|argument| !argument.starts_with("--")) else {
        println!("no list of targets is given; benches/compare-probe makes one");
        return;
    };
    let targets: Vec<Target> = std::fs::read_to_string(list).unwrap().lines().map(target).collect();
    let limit = value("--limit").map_or(DEFAULT_LIMIT, |limit| limit.parse().unwrap());
    let timeout = Duration::from_secs_f64(value("--timeout").map_or(10.0, |seconds| seconds.parse().unwrap()));
    let roots = value("--roots").map(|file| std::fs::read(file).unwrap());
    let trust = Trust::system(roots.as_deref()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (idle, cpu, begun) = (memory("VmRSS"), processor_time(), Instant::now());
    let found = runtime.block_on(probe_all(targets, limit, timeout, &trust, Clock::System.now()));
    let (took, cpu) = (begun.elapsed().as_secs_f64(), processor_time() - cpu);
    if arguments.iter().any(|argument| argument == "--each") {
        found.iter().for_each(print);
        return;
    }
    let read = found.iter().filter(|(_, result)| result.is_ok()).count();
    let trusted = found.iter().filter(|(_, result)| result.as_ref().is_ok_and(|served| served.trust.is_ok())).count();
    let each = cpu / found.len().max(1) as f64 * 1e3;
    println!("targets {} read {read} trusted {trusted}", found.len());
    println!("seconds {took:.3} targets_per_second {:.0}", found.len() as f64 / took);
    println!("cpu_seconds {cpu:.3} cpu_ms_per_target {each:.3}");
    println!("peak_mb_above_idle {:.1} idle_mb {:.1}", (memory("VmHWM") - idle) / 1024.0, idle / 1024.0);
}

fn target(line: &str) -> Target {
    let mut words = line.split_whitespace();
    let host = words.next().unwrap().to_owned();
    let port = words.next().unwrap().parse().unwrap();
    let server_name = words.next().unwrap_or(&host).to_owned();
    let starttls = words.next().map(|protocol| match protocol {
        "smtp" => StartTls::Smtp,
        "imap" => StartTls::Imap,
        "pop3" => StartTls::Pop3,
        "ldap" => StartTls::Ldap,
        "postgres" => StartTls::Postgres,
        "ftp" => StartTls::Ftp,
        other => panic!("{other} is none of the protocols"),
    });
    Target { host, port, server_name, starttls }
}

fn print((at, result): &Found) {
    let said = match result {
        Ok(served) => {
            let version = served.version.map_or_else(|| "-".to_owned(), |version| format!("{version:?}"));
            let way = if served.outdated { "clear" } else { "handshake" };
            let end = served.leaf.not_after.map_or_else(|| "never".to_owned(), |end| end.to_string());
            let trust = served.trust.as_ref().map_or_else(ToString::to_string, |()| "trusted".to_owned());
            format!("{version} {way} {end} {} {trust}", served.leaf.serial)
        }
        Err(error) => error.to_string(),
    };
    println!("{} {} {said}", at.target.port, at.target.server_name);
}

/// In seconds, of all threads: fields 14 and 15 of stat(5), in ticks of 10 ms.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

/// In KiB.
fn memory(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
