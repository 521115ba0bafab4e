//! One connection whose bytes are counted.

use super::ProbeError;
use crate::domain::Text;
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// The most that one connection may say. A chain has five kilobytes; rustls refuses one above 64 KiB by itself.
const MOST_RECEIVED: usize = 256 << 10;

/// What is read at once: most chains in one go.
const PIECE: usize = 8 << 10;

pub(super) struct Wire {
    stream: TcpStream,
    received: usize,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> Result<Self, ProbeError> {
        let stream = TcpStream::connect(address).await.map_err(|error| ProbeError::Unreachable(said(&error)))?;
        // Without it, small writes wait for each other; where it cannot be set, they do.
        let _ = stream.set_nodelay(true);
        Ok(Self { stream, received: 0 })
    }

    pub fn local_address(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok()
    }

    /// Some bytes; none at the end of the stream. Room for them is made once they are there: a thousand silent servers cost no
    /// buffers.
    pub async fn read(&mut self) -> io::Result<Vec<u8>> {
        let room = PIECE.min(MOST_RECEIVED - self.received);
        if room == 0 {
            return Err(io::Error::other("it says more than 256 KiB"));
        }
        loop {
            self.stream.readable().await?;
            let mut bytes = vec![0; room];
            match self.stream.try_read(&mut bytes) {
                Ok(read) => {
                    bytes.truncate(read);
                    self.received += read;
                    return Ok(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }
}

/// What the system says, without its error number.
pub(super) fn said(error: &io::Error) -> Text {
    let said = error.to_string();
    Text::clean(said.split(" (os error").next().unwrap_or_default())
}
