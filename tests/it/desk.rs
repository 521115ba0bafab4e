//! The built program as somebody at a desk runs it: a configuration file, an environment, exit codes and what is printed.

use crate::state::State;
use crate::support::{assert_clean, forbidden};
use expiry_watch::clock::Clock;
use expiry_watch::demo::{Directory, Options, Secret, Tenant};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const SMTP_PASSWORD: &str = "simulated~smtp~password";

/// A tenant under the real clock, and a folder to work in.
pub struct Desk {
    pub tenant: Tenant,
    pub state: State,
    folder: TempDir,
    pub port: u16,
    /// The configuration, but for what a test adds at its end.
    config: String,
    environment: Vec<(String, String)>,
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Desk {
    /// The production's way: a managed identity, SMTP, one state file.
    pub async fn new(directory: Directory, more: &str) -> Self {
        Self::with(directory, more, |_| {}).await
    }

    pub async fn with(directory: Directory, more: &str, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options { requests_per_minute: None, ..Options::default() };
        change(&mut options);
        let login = if options.mail.login.is_some() {
            "username = \"expiry-watch\"\npassword = { env = \"SMTP_PASSWORD\" }"
        } else {
            ""
        };
        let tenant = Tenant::start(directory, options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let state = State::new(folder.path()).await;
        let config = format!(
            "timezone = \"America/Vancouver\"\n\
             [schedule]\npoll = \"* * * * * *\"\nnotify = \"* * * * * *\"\n\
             [state]\nurl = \"{state}\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n\
             [azure]\ncredential = \"managed_identity\"\n\
             [sources.entra]\ntype = \"entra\"\ngraph_url = \"{graph}\"\n\
             [mail]\nfrom = \"Expiry Watch <expiry-watch@example.ca>\"\n\
             [mail.transport]\ntype = \"smtp\"\nhost = \"127.0.0.1\"\nport = {smtp}\ntls = \"none\"\n{login}\n\
             [teams.ccaas]\nemail = [ \"ccaas-ops@example.ca\", \"second@example.ca\" ]\n\
             [defaults]\nteams = [ \"ccaas\" ]\n{more}",
            state = state.url(),
            graph = tenant.graph_url(),
            smtp = tenant.smtp_addr().port(),
        );
        let environment = [
            ("IDENTITY_ENDPOINT", tenant.identity_endpoint()),
            ("IDENTITY_HEADER", tenant.identity_header().to_owned()),
            ("AZURE_CLIENT_SECRET", tenant.client_secret().to_owned()),
            ("SMTP_PASSWORD", SMTP_PASSWORD.to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let desk = Self { tenant, state, folder, port, config, environment };
        desk.write_config(&desk.config);
        desk
    }

    pub fn write_config(&self, text: &str) {
        std::fs::write(self.path("watch.toml"), text).unwrap();
    }

    pub fn reconfigure(&self, change: impl FnOnce(&str) -> String) {
        self.write_config(&change(&self.config));
    }

    /// The same configuration with its state in another file.
    pub fn keep_in(&self, name: &str) {
        self.reconfigure(|config| config.replace(&self.state.url(), &format!("sqlite:{}", self.path(name).display())));
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_expiry-watch"));
        // Nothing of whoever runs the tests: their proxies and identities are not ours.
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("EXPIRY_WATCH_CONFIG", self.path("watch.toml")).current_dir(self.folder.path());
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end. Whatever it prints is searched for secrets.
    pub async fn run(&self, arguments: &[&str]) -> Done {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let done =
            Done { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
        let mut secrets = forbidden(&self.tenant);
        secrets.extend([SMTP_PASSWORD.to_owned(), self.tenant.identity_header().to_owned()]);
        assert_clean(&done.out, &secrets, "stdout");
        assert_clean(&done.err, &secrets, "stderr");
        done
    }

    /// Starts the service. What it logs goes to the file `log`.
    pub fn start(&self) -> Service {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Service { child, port: self.port }
    }

    /// Starts a second one beside it, on the same state.
    pub fn start_another(&self, name: &str) -> Service {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (written, log) = (self.path(&format!("{name}.toml")), self.path(&format!("{name}.log")));
        std::fs::write(&written, self.config.replace(&self.port.to_string(), &port.to_string())).unwrap();
        let mut command = self.command(&["run", "--config", written.to_str().unwrap()]);
        let child = command.stdout(Stdio::null()).stderr(std::fs::File::create(log).unwrap()).spawn().unwrap();
        Service { child, port }
    }

    /// As if the leases that a dead process held had run out. Waiting for it would take a minute.
    pub async fn age_leases(&self) {
        for statement in ["DELETE FROM leases", "UPDATE messages SET lease_until = 0 WHERE state = 'pending'"] {
            // The very first process may have been killed before it made the tables.
            self.state.execute(statement).await;
        }
    }
}

/// A running service, which does not outlive its test.
pub struct Service {
    child: Child,
    port: u16,
}

impl Service {
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; returns the exit code and how long it took to end.
    pub async fn stop(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let sent = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
        let deadline = Duration::from_secs(10);
        until("the service to end", deadline, || self.child.try_wait().unwrap().is_some()).await;
        (self.child.wait().unwrap().code(), begun.elapsed())
    }

    /// What it answers, once it does.
    pub async fn get(&self, path: &str) -> (u16, String) {
        self.get_at(self.port, path).await
    }

    /// The same at another of its ports.
    pub async fn get_at(&self, port: u16, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{port}{path}");
        for _ in 0..500 {
            if let Ok(answer) = client.get(&url).send().await {
                return (answer.status().as_u16(), answer.text().await.unwrap());
            }
            Clock::System.sleep(Duration::from_millis(20)).await;
        }
        panic!("nothing answers at {url}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for what another process does, in small steps.
pub async fn until(what: &str, at_most: Duration, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < at_most, "waited in vain for {what}");
        Clock::System.sleep(Duration::from_millis(5)).await;
    }
}

pub fn now() -> Timestamp {
    Clock::System.now()
}

pub fn hours(hours: i64) -> Timestamp {
    now() + SignedDuration::from_hours(hours)
}

/// A secret that ends in so many hours, within a life of half a year.
pub fn ends_in(hours_left: i64) -> Secret {
    Secret::labelled("key").from(hours(hours_left - 180 * 24)).until(hours(hours_left))
}

/// Every line is one JSON object with a level and a message.
#[track_caller]
pub fn assert_json_lines(log: &str) -> usize {
    let mut levels = BTreeSet::new();
    for line in log.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(entry["timestamp"].is_string(), "{line}");
        levels.insert(entry["level"].as_str().unwrap().to_owned());
    }
    assert!(!levels.is_empty(), "nothing was logged");
    log.lines().count()
}
