//! The simulated tenant in a process of its own, so that what is measured is the reader alone.
//!
//! A benchmark that is called with `serve` becomes the tenant. It enforces Graph's 150 requests a minute by a clock that stands
//! still until it is told that a minute has passed: every run begins with a full minute's allowance and may not use more.

use expiry_watch::clock::{Clock, ManualClock};
use expiry_watch::demo::{Directory, Options, Tenant, scenario};
use jiff::SignedDuration;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The file with what the tenant takes for a secret.
pub const SECRET_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/client-secret.txt");

/// What the watch asks of each collection.
const QUERIES: [&str; 2] = [
    "applications?$select=id,appId,displayName,tags,passwordCredentials,keyCredentials&$top=999",
    "servicePrincipals?$select=id,appId,displayName,tags,passwordCredentials,keyCredentials,servicePrincipalType,\
     appOwnerOrganizationId,accountEnabled,preferredTokenSigningKeyEndDateTime&$top=999",
];

/// The running process; it ends with this.
pub struct Place {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub url: String,
    pub tenant_id: String,
    pub client_id: String,
}

impl Place {
    /// `applications` of 0: the mission's dozen credentials.
    pub fn start(applications: u32, latency: Duration, gzip: bool) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", &applications.to_string(), &latency.as_millis().to_string()])
            .arg(if gzip { "gzip" } else { "plain" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        answers.read_line(&mut said).unwrap();
        let mut words = said.split_whitespace().map(str::to_owned);
        let mut word = || words.next().unwrap();
        let (url, tenant_id, client_id) = (word(), word(), word());
        Self { child, orders, answers, url, tenant_id, client_id }
    }

    /// Lets a minute pass at the tenant.
    pub fn next_minute(&mut self) {
        self.orders.write_all(b"minute\n").unwrap();
        self.answers.read_line(&mut String::new()).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Becomes the tenant, until standard input ends.
pub fn serve(arguments: &[String]) {
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(0);
    let (applications, latency) = (number(1), Duration::from_millis(u64::from(number(2))));
    let gzip = arguments.iter().any(|argument| argument == "gzip");
    let now = Clock::System.now();
    let directory = if applications == 0 { scenario::mission(now) } else { Directory::new() };
    directory.fill(applications, now);
    let clock = ManualClock::at(now);
    let options = Options {
        clock: Clock::Manual(clock.clone()),
        client_secret: std::fs::read_to_string(SECRET_FILE).unwrap().trim().to_owned(),
        gzip,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let tenant = runtime.block_on(Tenant::start(directory, options)).unwrap();
    runtime.block_on(warm(&tenant, &clock));
    tenant.faults().latency(latency);
    println!("{} {} {}", tenant.graph_url(), tenant.tenant_id(), tenant.client_id());
    for _order in std::io::stdin().lines() {
        clock.advance(SignedDuration::from_mins(1));
        println!("ok");
    }
}

/// Has every page rendered once, as Graph's own caches would.
async fn warm(tenant: &Tenant, clock: &ManualClock) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let bearer = token(tenant, &client).await;
    for query in QUERIES {
        let mut next = Some(format!("{}/v1.0/{query}", tenant.graph_url()));
        while let Some(url) = next {
            clock.advance(SignedDuration::from_secs(1));
            let page = client.get(url).bearer_auth(&bearer).send().await.unwrap().bytes().await.unwrap();
            let head = std::str::from_utf8(&page[..page.len().min(2048)]).unwrap_or_default();
            let link = head.split_once("\"@odata.nextLink\":\"").and_then(|(_, rest)| rest.split('"').next());
            next = link.map(str::to_owned);
        }
    }
    clock.advance(SignedDuration::from_mins(1));
}

async fn token(tenant: &Tenant, client: &reqwest::Client) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", tenant.client_id()),
        ("client_secret", tenant.client_secret()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let url = format!("{}/{}/oauth2/v2.0/token", tenant.authority_url(), tenant.tenant_id());
    let answer: serde_json::Value = client.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// A figure of a process, in MB: `VmRSS` (now) or `VmHWM` (the most so far).
pub fn memory(process: &str, figure: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap_or_default();
    let kib = line.trim_start_matches(':').split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok());
    kib.unwrap_or_default() * 1024.0 / 1e6
}

/// User and system time of a process so far, in seconds; the system counts in hundredths.
pub fn processor(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
