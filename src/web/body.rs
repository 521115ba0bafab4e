//! Bodies that are sent as they are made: a piece at a time, at the reader's pace, never as a whole in memory.

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body of `pieces`; each is made when the connection has room for it.
pub fn streamed(pieces: impl Iterator<Item = Bytes> + Send + Unpin + 'static) -> Body {
    Body::new(Pieces { pieces, left: None })
}

/// The same where the length is known beforehand and can be announced.
pub fn streamed_exactly(pieces: impl Iterator<Item = Bytes> + Send + Unpin + 'static, length: u64) -> Body {
    Body::new(Pieces { pieces, left: Some(length) })
}

struct Pieces<I> {
    pieces: I,
    left: Option<u64>,
}

impl<I: Iterator<Item = Bytes> + Unpin> http_body::Body for Pieces<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.pieces.next();
        if let (Some(left), Some(piece)) = (&mut self.left, &next) {
            *left = left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
