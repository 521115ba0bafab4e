//! The command line: what can be asked, and what each command prints. Logs go to stderr, results to stdout.

mod check;
#[cfg(feature = "demo")]
mod demo;
mod exit;
mod forecast;
mod live;
mod manual;
mod once;
mod progress;
#[cfg(feature = "demo")]
mod quarter;
mod run;
mod setup;
mod small;

pub use exit::Exit;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// Tells the right people, in time, that a credential they depend on is about to expire.
///
/// Reads dates and identifiers, never a secret's value. Try it without any setup: `expiry-watch demo`.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 --fail-on found something, or unhealthy; \
    2 wrong usage or configuration; 3 a source could not be read; 4 mail could not be handed over or was refused; \
    5 the state could not be opened.\n\nEnvironment: EXPIRY_WATCH_CONFIG names the configuration; EXPIRY_WATCH_LOG takes \
    filter directives (such as info, or expiry_watch=debug); EXPIRY_WATCH_LOG_FORMAT=json writes one JSON object a line."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: poll, decide, mail, serve metrics and the status page
    Run(ConfigArgument),
    /// Make one poll, deliver all due notices, then exit (for a scheduled job)
    Once(ConfigArgument),
    /// Read everything and print why each credential is or is not due; sends nothing, writes nothing
    Check(CheckArguments),
    /// Print every notice that would be sent in the coming days if nothing is rotated; sends nothing, writes nothing
    ///
    /// Reads every source as `check` does, then makes the service's own decision at each instant at which
    /// the service would: after each poll, what is urgent; at the times of `schedule.notify`, all.
    ///
    /// - What is due already comes first. It goes out with the notify run that is owed next: at once where
    ///   one was missed; otherwise at its next time. Where none was ever made it is shown at once, as
    ///   `once` would send it; the service's first run waits for its time, but for what is urgent.
    /// - What has been told, as the state says, is not told again.
    /// - Sources are taken to keep answering, and secrets that are in use to stay in use.
    #[command(verbatim_doc_comment, after_help = FORECAST_EXAMPLES)]
    Forecast(ForecastArguments),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Try the way to the inboxes
    #[command(subcommand)]
    Mail(MailCommand),
    /// Print the completions of a shell, to be sourced or put where it looks for them
    #[command(after_help = "For example: expiry-watch completions bash > /etc/bash_completion.d/expiry-watch")]
    Completions { shell: clap_complete::Shell },
    /// Print the man page, or write those of all commands into a folder
    #[command(after_help = "For example: expiry-watch man | man -l -")]
    Man {
        /// Write one page a command here
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Exit with 0 when /health answers 200 (for a container without a shell)
    Healthcheck(HealthArguments),
    /// Run the service against a simulated tenant: nothing to set up
    #[cfg(feature = "demo")]
    Demo(DemoArguments),
}

impl Command {
    fn is_service(&self) -> bool {
        match self {
            Self::Run(_) => true,
            #[cfg(feature = "demo")]
            Self::Demo(arguments) => !arguments.quarter,
            _ => false,
        }
    }
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Validate, and print all problems together, each with its key path
    Check(ConfigArgument),
}

#[derive(Debug, Subcommand)]
enum MailCommand {
    /// Send one test message to a team through the configured transport, once
    Test(MailTestArguments),
}

#[derive(Clone, Debug, Args)]
pub struct ConfigArgument {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "EXPIRY_WATCH_CONFIG", default_value = "config/expiry-watch.toml")]
    pub config: PathBuf,
}

#[derive(Debug, Args)]
pub struct CheckArguments {
    #[command(flatten)]
    pub file: ConfigArgument,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Judge as if it were this time: RFC 3339, or a date (its start in the configured zone)
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Exit with 1 when something is due, or expired
    #[arg(long, value_enum)]
    pub fail_on: Option<FailOn>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

const FORECAST_EXAMPLES: &str = "Examples:\n  \
    expiry-watch forecast                             the next month, day by day\n  \
    expiry-watch forecast --days 90 --format json     a quarter, one object a notice and team\n  \
    expiry-watch forecast --format ics > plan.ics     for a calendar: one entry a credential and day\n\n\
    Ends as `check` does: with 3 where a source could not be read; what was known of it is foreseen all the same.";

#[derive(Debug, Args)]
pub struct ForecastArguments {
    #[command(flatten)]
    pub file: ConfigArgument,
    /// How many days to look ahead, from now on: 1 to 3650
    #[arg(long, value_name = "N", default_value = "30", value_parser = forecast::days)]
    pub days: u32,
    /// How to print: for people, for programs, or for a calendar
    #[arg(long, value_enum, default_value_t = ForecastFormat::Table)]
    pub format: ForecastFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ForecastFormat {
    Table,
    Json,
    Ics,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FailOn {
    /// Any verdict or condition that is due
    Due,
    /// Only what has expired
    Expired,
}

#[derive(Debug, Args)]
pub struct MailTestArguments {
    /// The team's key in the configuration
    #[arg(long, value_name = "NAME")]
    pub team: String,
    #[command(flatten)]
    pub file: ConfigArgument,
}

#[derive(Debug, Args)]
pub struct HealthArguments {
    /// Where the service answers
    #[arg(long, default_value = "http://127.0.0.1:8080/health")]
    pub url: String,
}

#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Where the status page is served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: std::net::SocketAddr,
    /// Tell a quarter of a year in fast motion instead: each day on which somebody was told, and why
    #[arg(long)]
    pub quarter: bool,
}

/// Logs to stderr, as the environment asks. What runs for long tells its story; the others print what they have to say.
fn start_logging(command: &Command) {
    let default = if command.is_service() { "expiry_watch=info,warn" } else { "error" };
    let wanted = std::env::var("EXPIRY_WATCH_LOG").unwrap_or_default();
    let filter = match EnvFilter::try_new(&wanted) {
        Ok(filter) if !wanted.is_empty() => filter,
        Ok(_) => EnvFilter::new(default),
        Err(error) => {
            eprintln!("expiry-watch: warning: EXPIRY_WATCH_LOG: {error}; logging as if it were not set");
            EnvFilter::new(default)
        }
    };
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match std::env::var("EXPIRY_WATCH_LOG_FORMAT").as_deref() {
        Ok("json") => logging.json().flatten_event(true).init(),
        _ => logging.with_ansi(false).init(),
    }
}

/// Runs the command.
#[must_use]
pub fn run(arguments: Arguments) -> Exit {
    start_logging(&arguments.command);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return setup::fail(Exit::Configuration, format_args!("the runtime cannot be started: {error}")),
    };
    let done = runtime.block_on(async {
        match arguments.command {
            Command::Run(arguments) => run::run(&arguments).await,
            Command::Once(arguments) => once::run(arguments).await,
            Command::Check(arguments) => check::run(arguments).await,
            Command::Forecast(arguments) => forecast::run(arguments).await,
            Command::Completions { shell } => manual::completions(shell),
            Command::Man { dir } => manual::man(dir.as_deref()),
            Command::Config(ConfigCommand::Check(arguments)) => small::config_check(&arguments),
            Command::Mail(MailCommand::Test(arguments)) => small::mail_test(&arguments).await,
            Command::Healthcheck(arguments) => small::healthcheck(&arguments).await,
            #[cfg(feature = "demo")]
            Command::Demo(arguments) => demo::run(&arguments).await,
        }
    });
    // A read that hangs in the background must not hold up the end.
    runtime.shutdown_background();
    done.unwrap_or_else(|exit| exit)
}
