//! `demo`: the service, whole, against a simulated tenant on this machine.
//!
//! Everything but the tenant is the real thing: the same sign-in, listing, decision, outbox and SMTP as in production, with a clock
//! that runs no faster. Only the schedule is quick. State and mail live in a folder that goes when the demo ends.

use super::run::serve;
use super::setup::{self, fail};
use super::{DemoArguments, Exit};
use crate::clock::Clock;
use crate::config::{self, AzureCredential, Config, SecretRef, State, System, Transport as TransportConfig};
use crate::daemon::Service;

use crate::demo::{Bundle, Options, Secret, Tenant, pages, scenario};
use crate::inventory::Inventory;
use crate::sources::{Source, Surroundings};
use jiff::{SignedDuration, Timestamp};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The registration that somebody rotates while one watches, and after how long.
const ROTATED: &str = "33758b54-a9cb-48ef-a363-5aaf10888f80";
const ROTATED_AFTER: Duration = Duration::from_secs(45);

/// What opens the demo's feeds; it is printed, since it guards nothing.
const FEED_TOKEN: &str = "0c0ffee00c0ffee00c0ffee00c0ffee0";

/// When somebody installs the certificate that was bought for the conferencing test node.
const INSTALLED_AFTER: Duration = Duration::from_secs(75);

pub async fn run(arguments: &DemoArguments) -> Result<Exit, Exit> {
    if arguments.quarter {
        return super::quarter::run(Clock::System.now()).await;
    }
    let clock = Clock::System;
    let cannot = |error: std::io::Error| fail(Exit::Configuration, format_args!("the demo cannot be set up: {error}"));
    let certcentral = scenario::certificates(clock.now());
    let directory = scenario::mission(clock.now());
    let vault = scenario::vault(clock.now(), &directory);
    let options = Options { nodes: scenario::nodes(&certcentral), certcentral, vault, ..Options::default() };
    let tenant = Tenant::start(directory, options).await.map_err(cannot)?;
    let folder = Folder::new().map_err(cannot)?;
    let config = configuration(&tenant, &folder.0, arguments.listen).map_err(|why| fail(Exit::Configuration, why))?;
    let surroundings = Surroundings { authority_host: Some(tenant.authority_url()) };
    let sources =
        Source::connect_from(&config, &clock, &surroundings).map_err(|problem| fail(Exit::Configuration, problem))?;
    let transport = setup::transport(&config, &clock, &surroundings)?;
    let store = setup::store(&config, &clock, &surroundings).await?;
    introduce(arguments);
    let tenant = Arc::new(tenant);
    tokio::spawn(tell_of_mail(tenant.clone(), clock.clone()));
    tokio::spawn(rotate(tenant.clone(), clock.clone()));
    tokio::spawn(install(tenant.clone(), clock.clone()));
    let extra_pages = Some(pages::router(tenant.mailbox()));
    serve(Service { config, clock, sources, transport, store, known: Inventory::default(), extra_pages }).await
}

fn introduce(arguments: &DemoArguments) {
    let at = arguments.listen;
    println!(
        "A simulated tenant is running, and the watch reads it every 30 s. Nothing leaves this machine.\n\n  \
         status page     http://{at}/\n  mails it sent   http://{at}/demo/mail\n  \
         metrics         http://{at}/metrics\n  health          http://{at}/health\n  \
         as JSON         http://{at}/api/v1/credentials\n  \
         calendar feed   http://{at}/calendar/{FEED_TOKEN}/idim.ics\n\n\
         In {} s somebody rotates the secret of the Pexip test registration; half a minute later the watch says so.\n\
         Of four nodes one serves the old certificate though a new one was issued, and one forgot the intermediate.\n\
         In {} s somebody installs the new one on {}: that alarm is over.\n\
         Stop with Ctrl-C.\n",
        ROTATED_AFTER.as_secs(),
        INSTALLED_AFTER.as_secs(),
        scenario::CONFERENCE_TEST
    );
}

/// The shipped demo configuration, pointed at the tenant.
pub(super) fn configuration(tenant: &Tenant, folder: &Path, listen: SocketAddr) -> Result<Config, String> {
    let mut config = config::parse(include_str!("../../config/demo.toml"), "the demo's configuration")
        .map_err(|problems| problems.to_string())?;
    let here = |url: String| Url::parse(&url).map_err(|error| error.to_string());
    let kept = |name: &str, secret: &str| {
        let path = folder.join(name);
        std::fs::write(&path, secret).map(|()| SecretRef::File(path)).map_err(|error| error.to_string())
    };
    config.azure.credential = Some(AzureCredential::ClientSecret {
        tenant_id: tenant.tenant_id().to_owned(),
        client_id: tenant.client_id().to_owned(),
        secret: kept("client-secret", tenant.client_secret())?,
    });
    for source in &mut config.sources {
        match &mut source.system {
            System::Entra(entra) => entra.graph_url = here(tenant.graph_url())?,
            System::KeyVault(vault) => vault.vault_url = here(tenant.vault_url())?,
            System::Digicert(digicert) => {
                digicert.url = here(tenant.certcentral_url())?;
                digicert.api_key = kept("certcentral-key", &tenant.certcentral().key())?;
            }
            System::Tls(tls) => {
                tls.roots = Some(kept("roots.pem", tenant.nodes().roots_pem())?);
                for target in &mut tls.targets {
                    let node = tenant.nodes().iter().find(|(name, _)| *name == target.server_name);
                    target.port = node.ok_or_else(|| format!("no node serves {}", target.server_name))?.1;
                }
            }
            System::Files(_) | System::Declared(_) => {}
        }
    }
    if let Some(TransportConfig::Smtp(smtp)) = config.mail.as_mut().map(|mail| &mut mail.transport) {
        (smtp.host, smtp.port) = (tenant.smtp_addr().ip().to_string(), tenant.smtp_addr().port());
    }
    for token in config.feed_tokens.values_mut() {
        *token = kept("feed-token", FEED_TOKEN)?;
    }
    config.state = State::Sqlite(folder.join("demo.db"));
    config.http.listen = listen;
    config.http.public_url = Some(here(format!("http://{listen}"))?);
    Ok(config)
}

/// Prints each mail as it arrives.
async fn tell_of_mail(tenant: Arc<Tenant>, clock: Clock) {
    let mut seen = 0;
    loop {
        for message in tenant.mailbox().messages().into_iter().skip_while(move |message| message.number <= seen) {
            seen = message.number;
            println!("mail {:>3}  to {:<32} {}", message.number, message.to.join(", "), message.read().subject);
        }
        clock.sleep(Duration::from_secs(1)).await;
    }
}

async fn rotate(tenant: Arc<Tenant>, clock: Clock) {
    clock.sleep(ROTATED_AFTER).await;
    let now = clock.now();
    let in_half_a_year = now.saturating_add(SignedDuration::from_hours(24 * 180)).unwrap_or(Timestamp::MAX);
    let secret = Secret::labelled("Pexip Administration OICD client secret");
    let secret = secret.from(now.to_string().as_str()).until(in_half_a_year.to_string().as_str());
    tenant.directory().add_secret(ROTATED, secret);
    println!("somebody has rotated the secret of the Pexip test registration");
}

/// The bought certificate is at last put where it is served.
async fn install(tenant: Arc<Tenant>, clock: Clock) {
    clock.sleep(INSTALLED_AFTER).await;
    let name = scenario::CONFERENCE_TEST;
    let issued = tenant.certcentral().certificates().into_iter();
    let newest =
        issued.filter(|issued| issued.names.iter().any(|covered| covered == name)).max_by_key(|i| i.valid_from);
    let Some(newest) = newest else { return };
    match tenant.nodes().install(name, &Bundle::of(newest)) {
        Ok(()) => println!("somebody has installed the new certificate on {name}"),
        Err(error) => println!("nobody can install the new certificate on {name}: {error}"),
    }
}

/// A folder of our own, removed with all that is in it.
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("expiry-watch-demo-{}", uuid::Uuid::new_v4()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
