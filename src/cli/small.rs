//! The small commands: `config check`, `mail test`, `healthcheck`.

use super::setup::{self, fail, say};
use super::{ConfigArgument, Exit, HealthArguments, MailTestArguments};
use crate::azure::Surroundings;
use crate::clock::Clock;
use crate::config;
use crate::cycle::letters;
use crate::deliver::SendError;
use crate::domain::TeamId;
use crate::report::count_of;
use std::time::Duration;

/// Validates, and prints all problems together.
pub fn config_check(arguments: &ConfigArgument) -> Result<Exit, Exit> {
    let config = setup::configuration(&arguments.config)?;
    for warning in &config.warnings {
        eprintln!("expiry-watch: warning: {warning}");
    }
    say(format_args!(
        "{} is valid: {}, {}, {}; {} (time zones: {})",
        arguments.config.display(),
        count_of(config.sources.len(), "source"),
        count_of(config.policy.rules.len(), "rule"),
        count_of(config.policy.teams.len(), "team"),
        count_of(config.warnings.len(), "warning"),
        config::zone::database_version(),
    ))?;
    Ok(Exit::Done)
}

/// Sends one test message to each address of a team, once, through the configured transport.
pub async fn mail_test(arguments: &MailTestArguments) -> Result<Exit, Exit> {
    let config = setup::configuration(&arguments.file.config)?;
    let wrong = |problem: String| fail(Exit::Configuration, problem);
    let no_mail = || wrong("there is no [mail] section to test".to_owned());
    let mail = config.mail.as_ref().ok_or_else(no_mail)?;
    let team = config.policy.teams.get(&TeamId::new(&arguments.team)).ok_or_else(|| {
        let known: Vec<&str> = config.policy.teams.keys().map(TeamId::as_str).collect();
        wrong(format!("--team: there is no team `{}`; the configuration has: {}", arguments.team, known.join(", ")))
    })?;
    if team.addresses.is_empty() {
        return Err(wrong(format!("the team `{}` has no address: set teams.{}.email", team.id, team.id)));
    }
    let clock = Clock::System;
    let transport = setup::transport(&config, &clock, &Surroundings::of_this_process())?.ok_or_else(no_mail)?;
    let public_url = config.http.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/'));
    let stationery = letters::stationery(&config.policy, mail, public_url);
    let drafts = letters::tests(team, &stationery, clock.now()).map_err(|error| fail(Exit::Mail, error))?;
    let mut exit = Exit::Done;
    for draft in drafts {
        match transport.send(&mail.from, &draft.address, &draft.raw, &draft.id).await {
            Ok(()) => say(format_args!("{}: handed over, Message-ID {}", draft.address, draft.id))?,
            Err(SendError::Deferred(why) | SendError::Busy { why, .. }) => {
                exit = fail(Exit::Mail, format_args!("{}: not now: {why}", draft.address))
            }
            Err(SendError::Rejected(why)) => exit = fail(Exit::Mail, format_args!("{}: refused: {why}", draft.address)),
            Err(SendError::Paused(why)) => {
                exit = fail(Exit::Mail, format_args!("{}: the mail system refuses us: {why}", draft.address));
            }
        }
    }
    Ok(exit)
}

/// For a container without a shell: 0 when `/health` answers 200.
pub async fn healthcheck(arguments: &HealthArguments) -> Result<Exit, Exit> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let unhealthy = |why: &dyn std::fmt::Display| fail(Exit::Found, format_args!("{}: {why}", arguments.url));
    let client =
        reqwest::Client::builder().no_proxy().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build();
    let client = client.map_err(|error| unhealthy(&error))?;
    let answer = client.get(&arguments.url).send().await.map_err(|error| unhealthy(&error.without_url()))?;
    if answer.status() == reqwest::StatusCode::OK {
        say(format_args!("healthy"))?;
        return Ok(Exit::Done);
    }
    Err(unhealthy(&format!("it answers {}", answer.status())))
}
