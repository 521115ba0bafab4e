//! An HTTP server that nobody can exhaust.
//!
//! So many connections at once, so long to send a request's head, so long a connection lives. Whoever opens connections and says
//! nothing must not take the file handles that polling, mail and the state need.

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tracing::warn;

/// Connections at once; further ones wait in the listener's queue.
const CONNECTIONS: usize = 64;

/// How long a client may take to send a request's head, or to send the next one on the same connection.
const HEAD: Duration = Duration::from_secs(10);

/// How long a connection lives in all, however it is used: longer than any scrape or download here.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// Serves `pages` until `stopped`; then lets requests that are being answered finish.
pub fn spawn(listener: TcpListener, pages: Router, mut stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let next = async {
                let place = places.clone().acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                next = next => next,
            };
            match accepted {
                Ok((stream, _)) => {
                    let serving = serve(stream, pages.clone(), stopped.clone());
                    connections.spawn(async move {
                        let _place = place;
                        let _ = timeout(LIFE, serving).await;
                    });
                }
                // Out of file handles, most likely: others will be closed.
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    let _ = timeout(Duration::from_millis(200), std::future::pending::<()>()).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        while connections.join_next().await.is_some() {}
    })
}

async fn serve(stream: TcpStream, pages: Router, mut stopped: watch::Receiver<bool>) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD).max_concurrent_streams(32);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    tokio::pin!(connection);
    // What goes wrong on a connection is its client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
