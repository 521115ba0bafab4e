//! The simulated tenant: a directory, Microsoft Graph, the sign-in authority, a DigiCert account, nodes that serve what it issued,
//! a key vault, and a mail server, all on loopback.
//!
//! It serves `expiry-watch demo` and every test that goes over the network, so it answers as the real ones do, keeps what it got,
//! and breaks as it is told. It stands outside the watched system: of ours it knows the clock alone, and shares no type with the
//! code that reads it, so that a mistake there is not repeated here.
//!
//! ```no_run
//! # use expiry_watch::demo::{Directory, Options, Secret, Tenant};
//! # async fn example() -> std::io::Result<()> {
//! let directory = Directory::new();
//! directory.application("billing").secret(Secret::labelled("ci").from("2026-06-01").until("2026-11-28"));
//! let tenant = Tenant::start(directory, Options::default()).await?;
//! println!("{}/v1.0/applications", tenant.graph_url());
//! # Ok(())
//! # }
//! ```

mod answers;
pub mod certcentral;
mod credentials;
mod directory;
mod entry;
mod facts;
mod faults;
mod graph;
mod letter;
mod listing;
pub mod mail;
mod nodes;
pub mod pages;
pub mod quarter;
pub mod scenario;
mod sign_in;
#[cfg(test)]
mod tests;
mod throttle;
mod traffic;
pub mod vault;

pub use certcentral::{CertCentral, Issued, Order};
pub use credentials::{Certificate, KEY_BYTES, Moment, SamlCertificate, Secret};
pub use directory::{Collection, Directory, HOME, MICROSOFT, PrincipalType};
pub use entry::Entry;
pub use faults::{Fault, Faults, Place};
pub use letter::Letter;
pub use mail::{MailFault, MailFaults, MailOptions, MailServer, MailTls, Mailbox, Message};
pub use nodes::{Bundle, Nodes};
pub use vault::{Vault, Version};

use crate::clock::Clock;
use axum::Router;
use axum::serve::ListenerExt;
use graph::Site;
use jiff::SignedDuration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use traffic::Traffic;

/// How the tenant is set up. Nothing in it is a real secret.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the throttle and the mailbox read. Tokens live by wall time in any case.
    pub clock: Clock,
    /// Port of Graph and the authority; 0 takes a free one.
    pub port: u16,
    pub smtp_port: u16,
    pub mail: MailOptions,
    pub tenant_id: String,
    /// Who may sign in, by secret, by assertion, or as the managed identity.
    pub client_id: String,
    pub client_secret: String,
    /// The only assertion that is believed; none = any that looks like a signed one.
    pub federated_token: Option<String>,
    /// What the managed identity's endpoint asks for in `X-IDENTITY-HEADER`.
    pub identity_header: String,
    pub token_lifetime: SignedDuration,
    /// The limit on each collection; none = no limit.
    pub requests_per_minute: Option<usize>,
    /// How many rows a page of the report of last uses has, and how many owners a page of owners.
    pub report_page: usize,
    pub owners_page: usize,
    /// Whether pages are compressed for those who accept it.
    pub gzip: bool,
    /// The DigiCert account. Empty where nothing is said.
    pub certcentral: CertCentral,
    /// The key vault. Empty where nothing is said.
    pub vault: Vault,
    /// The TLS nodes, by name, each with what it serves. None where nothing is said.
    pub nodes: Vec<(String, Bundle)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Clock::System,
            port: 0,
            smtp_port: 0,
            mail: MailOptions::default(),
            tenant_id: HOME.to_owned(),
            client_id: "fb804aaa-716d-57d8-83be-0bc6566dc120".to_owned(),
            client_secret: "simulated~client~secret~value".to_owned(),
            federated_token: None,
            identity_header: "simulated-identity-header".to_owned(),
            token_lifetime: SignedDuration::from_hours(1),
            requests_per_minute: Some(150),
            report_page: 100,
            owners_page: 100,
            gzip: true,
            certcentral: CertCentral::new(),
            vault: Vault::new(),
            nodes: Vec::new(),
        }
    }
}

/// A running tenant; everything in it stops when it is dropped.
pub struct Tenant {
    directory: Directory,
    site: Arc<Site>,
    address: SocketAddr,
    elsewhere: (SocketAddr, Arc<Traffic>),
    /// Who came to the DigiCert account.
    desk: certcentral::Desk,
    /// Who came to the key vault.
    vault: vault::Desk,
    mail: MailServer,
    nodes: Nodes,
    _stop: [oneshot::Sender<()>; 2],
}

impl Tenant {
    /// Starts all of it on 127.0.0.1.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub async fn start(directory: Directory, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        let address = listener.local_addr()?;
        let mail = MailServer::start(options.smtp_port, options.mail.clone(), options.clock.clone()).await?;
        let desk = certcentral::Desk {
            central: options.certcentral.clone(),
            clock: options.clock.clone(),
            traffic: Arc::new(Traffic::default()),
        };
        let nodes = Nodes::start(&options.nodes).await?;
        let (base, kept) = (format!("http://{address}"), options.vault.clone());
        let site = Site::new(directory.clone(), options, base.clone());
        let vault = vault::Desk {
            vault: kept,
            site: site.clone(),
            traffic: Arc::new(Traffic::default()),
            values: Arc::new(Traffic::default()),
            base,
        };
        let routers = graph::router(site.clone()).merge(certcentral::router(desk.clone()));
        let stop = serve(listener, routers.merge(vault::router(vault.clone())));
        let other = TcpListener::bind(("127.0.0.1", 0)).await?;
        let elsewhere = (other.local_addr()?, Arc::new(Traffic::default()));
        let stop_other = serve(other, graph::elsewhere(elsewhere.1.clone()));
        Ok(Self { directory, site, address, elsewhere, desk, vault, mail, nodes, _stop: [stop, stop_other] })
    }

    /// What stands in for `https://graph.microsoft.com`.
    #[must_use]
    pub fn graph_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What stands in for `https://login.microsoftonline.com`.
    #[must_use]
    pub fn authority_url(&self) -> String {
        self.graph_url()
    }

    /// What stands in for `https://www.digicert.com/services/v2`.
    #[must_use]
    pub fn certcentral_url(&self) -> String {
        format!("http://{}/services/v2", self.address)
    }

    /// The DigiCert account, with what goes wrong there.
    #[must_use]
    pub fn certcentral(&self) -> CertCentral {
        self.desk.central.clone()
    }

    /// Path and query of the requests to the DigiCert account; the other counts are without them.
    #[must_use]
    pub fn certcentral_requests(&self) -> Vec<String> {
        self.desk.traffic.addresses()
    }

    /// Requests to the DigiCert account without its key.
    #[must_use]
    pub fn wrong_keys(&self) -> Vec<String> {
        self.desk.traffic.wrong_tokens()
    }

    /// What stands in for `https://<name>.vault.azure.net`.
    #[must_use]
    pub fn vault_url(&self) -> String {
        self.graph_url()
    }

    /// The key vault, with what goes wrong there.
    #[must_use]
    pub fn vault(&self) -> Vault {
        self.vault.vault.clone()
    }

    /// Path and query of the requests to the key vault; the other counts are without them.
    #[must_use]
    pub fn vault_requests(&self) -> Vec<String> {
        self.vault.traffic.addresses()
    }

    /// The most requests that the key vault was answering at the same time.
    #[must_use]
    pub fn vault_most_at_once(&self) -> usize {
        self.vault.traffic.most_at_once()
    }

    /// Requests to the key vault without a good token for it.
    #[must_use]
    pub fn wrong_vault_tokens(&self) -> Vec<String> {
        self.vault.traffic.wrong_tokens()
    }

    /// Requests that asked the key vault for a value. One is one too many.
    #[must_use]
    pub fn values_asked(&self) -> Vec<String> {
        self.vault.values.addresses()
    }

    /// What serves TLS, and who can change what it serves.
    #[must_use]
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// For `IDENTITY_ENDPOINT`.
    #[must_use]
    pub fn identity_endpoint(&self) -> String {
        format!("http://{}/msi/token", self.address)
    }

    /// For `IDENTITY_HEADER`.
    #[must_use]
    pub fn identity_header(&self) -> &str {
        &self.site.options.identity_header
    }

    #[must_use]
    pub fn tenant_id(&self) -> &str {
        &self.site.options.tenant_id
    }

    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.site.options.client_id
    }

    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.site.options.client_secret
    }

    #[must_use]
    pub fn smtp_addr(&self) -> SocketAddr {
        self.mail.address()
    }

    #[must_use]
    pub fn directory(&self) -> Directory {
        self.directory.clone()
    }

    /// What goes wrong at Graph and at sign-in.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.site.faults.clone()
    }

    /// What goes wrong at the mail server.
    #[must_use]
    pub fn mail_faults(&self) -> MailFaults {
        self.mail.faults()
    }

    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        self.mail.mailbox()
    }

    /// While true, Graph answers everything with 503.
    pub fn graph_down(&self, down: bool) {
        self.site.faults.graph_down(down);
    }

    /// Makes every token handed out so far worthless, so that the next request gets a 401.
    pub fn revoke_tokens(&self) {
        self.site.tokens.revoke_all();
    }

    /// Every token handed out, good or not. None may appear in anything that we write.
    #[must_use]
    pub fn tokens_issued(&self) -> Vec<String> {
        self.site.tokens.issued()
    }

    /// How many requests came in, good or bad.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.site.traffic.count()
    }

    /// How many of the remembered requests went to this path, whatever their query.
    #[must_use]
    pub fn requests_to(&self, path: &str) -> usize {
        let is_to = |address: &&String| address.split('?').next() == Some(path);
        self.site.traffic.addresses().iter().filter(is_to).count()
    }

    /// Path and query of the first requests (10,000 are remembered), in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.site.traffic.addresses()
    }

    /// Requests to Graph without a good token, each with what was wrong.
    #[must_use]
    pub fn wrong_tokens(&self) -> Vec<String> {
        self.site.traffic.wrong_tokens()
    }

    /// The most requests that were being answered at the same time.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.site.traffic.most_at_once()
    }

    /// Starts the counts of requests anew.
    pub fn forget_requests(&self) {
        self.site.traffic.forget();
    }

    /// Another host, for links and redirects that must not be followed.
    #[must_use]
    pub fn elsewhere_url(&self) -> String {
        format!("http://{}", self.elsewhere.0)
    }

    /// Who came to the other host: path and query.
    #[must_use]
    pub fn elsewhere_requests(&self) -> Vec<String> {
        self.elsewhere.1.addresses()
    }

    /// How many of them carried an Authorization header. More than none is a leak.
    #[must_use]
    pub fn tokens_sent_elsewhere(&self) -> usize {
        self.elsewhere.1.wrong_tokens().len()
    }
}

/// Serves until the sender is dropped.
fn serve(listener: TcpListener, router: Router) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = listener.tap_io(|stream| {
        // Only delays small answers when it fails.
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move {
        let until = async {
            let _ = stopped.await;
        };
        // A listener that fails shows as refused connections, which is what its clients are there to notice.
        let _ = axum::serve(listener, router).with_graceful_shutdown(until).await;
    });
    stop
}
