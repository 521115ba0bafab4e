//! From a file to a [`Config`], or to everything that is wrong with it.

use super::problem::Problems;
use super::read::{Findings, Report, Table};
use super::rules::{Names, defaults, rules};
use super::{Config, Mail, State, System, azure, general, mail, sources, teams};
use crate::domain::{Period, Policy, SourceName, TeamId};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use toml::de::DeTable;

/// The largest file that is read, in bytes: far more than a configuration of thousands of rules.
pub const LARGEST_FILE: u64 = 1 << 20;

/// Reads and checks a file; secrets that cannot be read here and now become warnings.
///
/// # Errors
/// When the file cannot be read, and with every problem of its text.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let origin = path.display().to_string();
    let text = text_of(path).map_err(|why| Problems::of_file(&origin, why))?;
    let mut config = parse(&text, &origin)?;
    config.warnings.extend(config.unreadable_secrets());
    config.warnings.extend(config.unusable_state());
    config.warnings.extend(config.weak_feed_tokens());
    Ok(config)
}

fn text_of(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(
            "there is no such file; name one with --config FILE or EXPIRY_WATCH_CONFIG (config/reference.toml explains every key)"
                .to_owned(),
        ),
        Err(error) => Err(format!(
            "the file cannot be read: {error}; name another with --config FILE or EXPIRY_WATCH_CONFIG"
        )),
        Ok(_) if bytes.len() as u64 > LARGEST_FILE => Err("the file is larger than 1 MiB; is it a configuration?".to_owned()),
        Ok(_) => String::from_utf8(bytes).map_err(|error| {
            let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
            format!("line {line} is not UTF-8 text; save the file in that encoding")
        }),
    }
}

/// Checks a text; reads neither files nor the environment.
///
/// # Errors
/// With every problem there is, each with its key path; where the text is not TOML at all, with the place where it ceases to be.
pub fn parse(text: &str, origin: &str) -> Result<Config, Problems> {
    let (config, findings) = examine(text).map_err(|problem| Problems::of_file(origin, problem))?;
    match config {
        Some(config) if findings.problems.is_empty() => Ok(config),
        _ if findings.problems.is_empty() => {
            // Each reader notes why it gives nothing; were one to forget, this is better than a panic or a wrong configuration.
            Err(Problems::of_file(
                origin,
                "it cannot be used, and the reason was not noted: this is a fault of expiry-watch",
            ))
        }
        _ => Err(Problems::new(origin, findings.problems)),
    }
}

/// A configuration, as far as one could be made, and all that was noted meanwhile.
pub(super) fn examine(text: &str) -> Result<(Option<Config>, Findings), String> {
    let report = Report::new(text);
    let table = DeTable::parse(text).map_err(|error| not_toml(text, &report, &error))?;
    let config = report.root(table.get_ref(), whole);
    let mut findings = report.into_findings();
    let config = config.map(|config| Config {
        warnings: findings.warnings(),
        secrets: std::mem::take(&mut findings.secrets),
        ..config
    });
    Ok((config, findings))
}

/// Where and why, without the line itself: it may hold a secret.
fn not_toml(text: &str, report: &Report, error: &toml::de::Error) -> String {
    let Some(span) = error.span() else { return format!("this is not TOML: {}", error.message()) };
    let line = report.line_of(span.start);
    let before = text.get(..span.start).unwrap_or(text);
    let column = 1 + before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    format!("line {line}, column {column}: this is not TOML: {}", error.message())
}

fn whole(root: &Table) -> Option<Config> {
    let zone = general::zone(root);
    let (schedule, urgent_within) =
        root.table("schedule", "[schedule]", |t| general::schedule(t, &zone)).unwrap_or((None, super::URGENT_WITHIN));
    let state = root.table("state", "[state]", general::state).flatten();
    let http = root.table("http", "[http]", general::http);
    let azure = root.table("azure", "[azure]\ncredential = \"managed_identity\"", azure::azure).unwrap_or_default();
    let sources = sources::sources(root, &azure, &zone);
    let mail = root.table("mail", mail::SECTION, |t| mail::mail(t, azure.cloud)).flatten();
    let (teams, feed_tokens) = teams::teams(root);
    let owners_are_read = sources.sound.iter().any(|source| source.system.reads_owners());
    let names = Names { teams: &teams, sources: sources.named.keys().collect(), owners_are_read };
    let defaults = root.table("defaults", "[defaults]", |t| defaults(t, &names)).unwrap_or_default();
    let rules = rules(root, &names, &defaults);
    let treatments = || rules.iter().map(|rule| &rule.treatment).chain([&defaults]);
    let owners_are_told = treatments().any(|treatment| treatment.teams.iter().any(TeamId::is_owner));
    let somebody_is_mailed = owners_are_told || teams.values().any(|team| !team.addresses.is_empty());
    note_missing_sections(root, &sources, state.as_ref(), mail.as_ref(), somebody_is_mailed);
    let schedule = schedule?;
    let stale_after = stale_after(sources.named, || general::stale_after(&schedule.poll, &zone));
    let policy = Policy { zone: zone.clone(), defaults, rules, teams, urgent_within, stale_after };
    let (warnings, secrets) = (Vec::new(), Vec::new());
    Some(Config {
        policy,
        schedule,
        state: state?,
        http: http?,
        azure,
        sources: sources.sound,
        feed_tokens,
        mail,
        secrets,
        warnings,
    })
}

/// Sections that only another section makes necessary.
fn note_missing_sections(
    root: &Table,
    sources: &sources::Sources,
    state: Option<&State>,
    mail: Option<&Mail>,
    somebody_is_mailed: bool,
) {
    if root.get("azure").is_none() {
        let signs_in = |system: &System| matches!(system, System::Entra(_) | System::KeyVault(_));
        let sources = sources.sound.iter().filter(|source| signs_in(&source.system));
        let sources = sources.map(|source| format!("the source `{}`", source.name));
        let mail = mail.filter(|mail| mail.transport.signs_in_to_azure()).map(|_| "mail.transport".to_owned());
        let state = state.filter(|state| state.signs_in_to_azure()).map(|_| "state".to_owned());
        for who in sources.chain(state).chain(mail) {
            root.at("azure").problem(
                format_args!("is missing: {who} needs to know how to sign in"),
                "[azure]\ncredential = \"managed_identity\"",
            );
        }
    }
    if somebody_is_mailed && root.get("mail").is_none() {
        root.at("mail").problem("is missing: a team has addresses, but nothing says how mail leaves", mail::SECTION);
    }
}

/// What each source says, and the default, computed at most once, for those that say nothing.
fn stale_after(
    named: BTreeMap<SourceName, Option<Period>>,
    compute: impl Fn() -> Period,
) -> BTreeMap<SourceName, Period> {
    let mut default = None;
    let mut or_default = |said: Option<Period>| said.unwrap_or_else(|| *default.get_or_insert_with(&compute));
    named.into_iter().map(|(name, said)| (name, or_default(said))).collect()
}
