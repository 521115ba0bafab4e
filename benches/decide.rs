//! How long it takes to judge 100,000 credentials.
//!
//! `cargo bench --bench decide`. Ten rules, a tenth of the credentials close to their end, five thousand notices told before.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first fault")]

use expiry_watch::config;
use expiry_watch::decide::{Ledger, World, decide};
use expiry_watch::domain::{Credential, CredentialId, DirectoryObject, Holder, Ident, Kind, Policy, SourceName, Text};
use expiry_watch::inventory::{Entry, Inventory};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

const CREDENTIALS: u64 = 100_000;
const TOLD: usize = 5_000;
const RUNS: usize = 15;

fn main() {
    let now: Timestamp = "2026-11-21T16:00:00Z".parse().unwrap();
    let (policy, inventory) = (policy(), inventory(now));
    let nothing = Ledger::default();
    let first = decide(&World { inventory: &inventory, policy: &policy, ledger: &nothing, foreseen_from: None }, now);
    let told: Ledger = first.notices.into_iter().map(|notice| notice.key).take(TOLD).collect();
    for (what, ledger) in [("nothing told yet", &nothing), ("5,000 notices told", &told)] {
        let world = World { inventory: &inventory, policy: &policy, ledger, foreseen_from: None };
        let mut times: Vec<f64> = Vec::new();
        let mut owed = 0;
        for _ in 0..RUNS {
            let started = Instant::now();
            let decision = decide(&world, now);
            times.push(started.elapsed().as_secs_f64() * 1e3);
            assert_eq!(decision.verdicts.len(), CREDENTIALS as usize);
            owed = decision.notices.len();
        }
        times.sort_by(f64::total_cmp);
        println!(
            "deciding {CREDENTIALS} credentials, {what}, {owed} owed: median {:.1} ms, best {:.1} ms, worst {:.1} ms",
            times[RUNS / 2],
            times[0],
            times[RUNS - 1]
        );
    }
}

/// Rules as a real configuration has them: most name one application, a few look for a pattern.
fn policy() -> Policy {
    let mut written =
        "timezone = \"America/Vancouver\"\n[schedule]\npoll = \"0 */30 * * * *\"\nnotify = \"0 0 8 * * *\"\n\
                       [sources.entra]\ntype = \"entra\"\n[azure]\ncredential = \"managed_identity\"\n\
                       [mail]\nfrom = \"watch@example.ca\"\n[mail.transport]\ntype = \"directory\"\npath = \"outbox\"\n\
                       [defaults]\nteams = [ \"team0\" ]\n"
            .to_owned();
    for team in 0..40 {
        written += &format!("[teams.team{team}]\nname = \"Team {team}\"\nemail = [ \"team{team}@example.ca\" ]\n");
    }
    for n in 0..6 {
        let application = guid(2, n * 1_000);
        written += &format!("[[rules]]\nname = \"application {n}\"\nteams = [ \"team{n}\" ]\nsuccessor = \"holder\"\n");
        written += &format!("match = {{ source = \"entra\", app_id = \"{application}\" }}\n");
    }
    for (name, matching, keys) in [
        ("sandbox", "holder = \"sandbox-*\"", "ignore = \"nobody depends on it\""),
        ("pipelines", "label = [ \"*pipeline*\", \"ci-*\" ]", "remind = [ \"14d\", \"3d\" ]"),
        ("signing", "kind = \"saml_signing_certificate\"", "teams = [ \"team7\" ]"),
        ("production", "source = \"entra\", holder = \"*-production-*\"", "environment = \"prod\""),
    ] {
        written += &format!("[[rules]]\nname = \"{name}\"\nmatch = {{ {matching} }}\n{keys}\n");
    }
    config::parse(&written, "the benchmark's configuration").unwrap().policy
}

fn inventory(now: Timestamp) -> Inventory {
    let source = SourceName::new("entra");
    let mut holder = None;
    let entries = (0..CREDENTIALS).map(|n| {
        // Every fourth is the sibling of the one before, and takes over from it.
        let sibling = n % 4 == 1;
        let holder = match &holder {
            Some(holder) if sibling => Arc::clone(holder),
            _ => Arc::clone(holder.insert(Arc::new(holder_of(n)))),
        };
        let end = now + days(n * 37 % 600) - days(60) + if sibling { days(180) } else { days(0) };
        let credential = Credential {
            id: CredentialId::directory(DirectoryObject::Application, holder.id.clone(), Ident::new(&guid(3, n))),
            source: source.clone(),
            kind: if n % 10 == 5 { Kind::ClientCertificate } else { Kind::ClientSecret },
            holder,
            label: Text::clean("rotated by the platform"),
            not_before: Some(end - days(365)),
            expires_at: Some(end),
            enabled: true,
            in_use: false,
            x509: None,
            trouble: None,
            mark: None,
        };
        Entry {
            credential: Arc::new(credential),
            first_seen: now - days(200),
            trouble_since: None,
            missing_since: None,
        }
    });
    Inventory::new(entries.collect(), Vec::new())
}

fn holder_of(n: u64) -> Holder {
    let tag = format!("team{}", n % 40);
    Holder {
        name: Text::clean(&format!("service-{n:06}-{}", if n.is_multiple_of(3) { "production-a" } else { "test" })),
        id: Ident::new(&guid(1, n)),
        app_id: Some(Ident::new(&guid(2, n))),
        team_tags: if n.is_multiple_of(4) { Box::new([tag.into()]) } else { Box::default() },
        enabled: true,
        owners: None,
    }
}

fn days(days: u64) -> SignedDuration {
    SignedDuration::from_hours(24 * days.cast_signed())
}

/// Scattered like real ones, and the same every time.
fn guid(kind: u64, n: u64) -> String {
    let mixed = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ kind.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    Uuid::from_u64_pair(mixed, mixed.wrapping_mul(0x94D0_49BB_1331_11EB)).to_string()
}
