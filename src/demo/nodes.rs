//! Simulated TLS nodes: each serves what somebody installed on it, which need not be what the authority issued last.
//!
//! They live on 127.0.0.1, a port each. A handshake is all that they know; nobody answers behind it.

mod authority;

use super::certcentral::Issued;
use crate::clock::Clock;
use authority::Authority;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// How long a client may take over its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What is installed on a node: a certificate of the account and, where nobody forgot it, the intermediate above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    certificate: Issued,
    complete: bool,
}

impl Bundle {
    #[must_use]
    pub fn of(certificate: Issued) -> Self {
        Self { certificate, complete: true }
    }

    #[must_use]
    pub fn without_intermediate(self) -> Self {
        Self { complete: false, ..self }
    }
}

/// The running nodes and the authority that signs for them. They stop when this is dropped.
pub struct Nodes {
    authority: Authority,
    nodes: Vec<Node>,
}

struct Node {
    name: String,
    port: u16,
    installed: Arc<Installed>,
    /// None while it is down.
    running: Mutex<Option<JoinHandle<()>>>,
}

impl Nodes {
    pub(super) async fn start(wanted: &[(String, Bundle)]) -> io::Result<Self> {
        let authority = Authority::new()?;
        let mut nodes = Vec::new();
        for (name, bundle) in wanted {
            nodes.push(Node::start(name, authority.certified(bundle)?).await?);
        }
        Ok(Self { authority, nodes })
    }

    /// The root that clients trust, in PEM.
    #[must_use]
    pub fn roots_pem(&self) -> &str {
        &self.authority.root_pem
    }

    /// The nodes by name, each with its port.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.nodes.iter().map(|node| (node.name.as_str(), node.port))
    }

    /// What a node serves from its next handshake on.
    ///
    /// # Errors
    /// When there is no such node, or the certificate cannot be made.
    pub fn install(&self, name: &str, bundle: &Bundle) -> io::Result<()> {
        self.node(name)?.installed.put(self.authority.certified(bundle)?);
        Ok(())
    }

    /// Certificate, key and chain as one file.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn pem(&self, bundle: &Bundle) -> io::Result<String> {
        self.authority.pem(bundle)
    }

    /// Connections are refused from now on.
    ///
    /// # Errors
    /// When there is no such node.
    pub async fn stop(&self, name: &str) -> io::Result<()> {
        let running = self.node(name)?.running().take();
        if let Some(running) = running {
            running.abort();
            // Until it has ended, its port is still open; that it was cancelled is no news.
            let _ = running.await;
        }
        Ok(())
    }

    /// Back at its old port.
    ///
    /// # Errors
    /// When there is no such node, or the port is taken.
    pub async fn restart(&self, name: &str) -> io::Result<()> {
        self.stop(name).await?;
        let node = self.node(name)?;
        let (_, running) = listen(node.port, node.installed.clone()).await?;
        *node.running() = Some(running);
        Ok(())
    }

    fn node(&self, name: &str) -> io::Result<&Node> {
        let node = self.nodes.iter().find(|node| node.name == name);
        node.ok_or_else(|| io::Error::other(format!("there is no node {name}")))
    }
}

impl Node {
    async fn start(name: &str, installed: Arc<CertifiedKey>) -> io::Result<Self> {
        let installed = Arc::new(Installed(Mutex::new(installed)));
        let (port, running) = listen(0, installed.clone()).await?;
        Ok(Self { name: name.to_owned(), port, installed, running: Mutex::new(Some(running)) })
    }

    fn running(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(running) = self.running().take() {
            running.abort();
        }
    }
}

/// What a node presents, whatever the client asks for.
#[derive(Debug)]
struct Installed(Mutex<Arc<CertifiedKey>>);

impl Installed {
    fn put(&self, certified: Arc<CertifiedKey>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = certified;
    }
}

impl ResolvesServerCert for Installed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

async fn listen(port: u16, installed: Arc<Installed>) -> io::Result<(u16, JoinHandle<()>)> {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let config = config.with_no_client_auth().with_cert_resolver(installed);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = listener.local_addr()?.port();
    Ok((port, tokio::spawn(answer(listener, TlsAcceptor::from(Arc::new(config))))))
}

async fn answer(listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        // A connection that was gone before it was taken is no reason to stop; a lack of descriptors may pass.
        let Ok((stream, _)) = listener.accept().await else {
            Clock::System.sleep(Duration::from_millis(10)).await;
            continue;
        };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // Whether it succeeds is the client's concern.
            let _ = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
        });
    }
}
