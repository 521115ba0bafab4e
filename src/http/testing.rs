//! A server on this machine for the tests: it answers as a script says, also in ways that no HTTP library would let it.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Path and query.
    pub target: String,
    /// Lower-case name and value, a line each.
    pub headers: String,
    pub body: String,
    /// How many requests for the same path and query came before.
    pub before: usize,
}

impl Ask {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// What comes back.
pub enum Reply {
    /// Status, further header lines, body.
    Http(u16, &'static str, Vec<u8>),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// A body that goes on for as long as somebody reads.
    Endless,
    /// Nothing at all; the connection stays open.
    Silence,
}

impl Reply {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Http(200, "content-type: application/json\r\n", body.into())
    }
}

pub struct Server {
    pub url: Url,
    asked: Arc<Mutex<Vec<Ask>>>,
}

impl Server {
    pub async fn start(script: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked: Arc<Mutex<Vec<Ask>>> = Arc::default();
        let (log, script) = (Arc::clone(&asked), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&script)));
            }
        });
        Self { url, asked }
    }

    /// The requests so far for paths that contain `part`.
    pub fn asked(&self, part: &str) -> Vec<Ask> {
        self.asked.lock().unwrap().iter().filter(|ask| ask.path().contains(part)).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Vec<Ask>>>, script: Arc<impl Fn(&Ask) -> Reply>) {
    let Some(mut ask) = receive(&mut stream).await else { return };
    {
        let mut log = log.lock().unwrap();
        ask.before = log.iter().filter(|earlier| earlier.target == ask.target).count();
        log.push(ask.clone());
    }
    let reply = match script(&ask) {
        Reply::Http(status, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
            [head.into_bytes(), body].concat()
        }
        Reply::Raw(bytes) => bytes,
        Reply::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"value\":[").await;
            while stream.write_all(&[b' '; 4096]).await.is_ok() {}
            return;
        }
        Reply::Silence => std::future::pending().await,
    };
    let _ = stream.write_all(&reply).await;
    let _ = stream.shutdown().await;
}

async fn receive(stream: &mut TcpStream) -> Option<Ask> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let (first, headers) = head.split_once("\r\n")?;
    let lower = |line: &str| line.split_once(": ").map(|(name, value)| format!("{}: {value}\n", name.to_lowercase()));
    let headers: String = headers.lines().filter_map(lower).collect();
    let target = first.split(' ').nth(1)?.to_owned();
    let mut ask = Ask { target, headers, body: String::new(), before: 0 };
    let length: usize = ask.header("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    ask.body = String::from_utf8_lossy(&bytes[end..]).into_owned();
    Some(ask)
}
