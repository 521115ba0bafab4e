//! What the configuration promises: every mistake is named with its place, all of them together, and the shipped files are right.

use super::assemble::examine;
use super::*;
use crate::domain::{TeamId, Threshold};
use std::collections::BTreeSet;
use std::path::Path;

mod accepted;
mod refused;
mod shipped;
mod state;

/// The smallest thing worth running, for cases to add to.
const BASE: &str = r#"
[azure]
credential = "managed_identity"
[sources.entra]
type = "entra"
[mail]
from = "expiry-watch@example.ca"
transport = { type = "directory", path = "outbox/" }
[teams.ccaas]
email = "ccaas@example.ca"
[defaults]
teams = "ccaas"
"#;

fn accepted(text: &str) -> Config {
    parse(text, "test.toml").unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn problems(text: &str) -> Vec<Problem> {
    parse(text, "test.toml").map_or_else(|problems| problems.list, |_| Vec::new())
}

/// The base with one table's lines replaced or added: `[schedule]\npoll = "x"` adds, `[mail]` there takes the place of the base's.
fn with(changed: &str) -> String {
    let header = |line: &str| line.starts_with('[').then(|| line.trim().to_owned());
    let given: BTreeSet<String> = changed.lines().filter_map(header).collect();
    let mut kept = String::new();
    let mut keep = true;
    for line in BASE.lines() {
        keep = header(line).map_or(keep, |header| !given.contains(&header));
        if keep {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    let (top, tables): (Vec<&str>, Vec<&str>) = match changed.find("\n[") {
        _ if changed.starts_with('[') => (vec![], vec![changed]),
        Some(at) => (vec![&changed[..at]], vec![&changed[at..]]),
        None => (vec![changed], vec![]),
    };
    format!("{}\n{kept}\n{}", top.concat(), tables.concat())
}
