//! What opens the door to a request: a token from the sign-in service, or a key that stays.

use super::Pacer;
use super::trouble::Trouble;
use crate::azure::Tokens;
use crate::config::SecretRef;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::time::Duration;

#[derive(Debug)]
pub(in crate::sources) enum Access {
    /// As a bearer; one that was refused is renewed once.
    Tokens(Box<Tokens>),
    Key(Key),
}

/// A key in a header of its own, and the number of requests that it is good for.
#[derive(Debug)]
pub(in crate::sources) struct Key {
    pub header: HeaderName,
    /// Read for each request: a file may have a new value by now.
    pub place: SecretRef,
    pub pacer: Pacer,
}

/// The header that goes with one request.
pub(super) struct Opener {
    pub name: HeaderName,
    /// Marked sensitive: it does not show itself.
    pub value: HeaderValue,
    /// Which token it is; 0 for a key.
    pub serial: u64,
}

impl Key {
    /// # Errors
    /// When it is not there, or cannot stand in a header; says where it should be, never what it is.
    pub fn value(&self) -> Result<HeaderValue, String> {
        let secret = self.place.read().map_err(|error| error.to_string())?;
        let value = HeaderValue::from_str(secret.expose().trim());
        let mut value = value.map_err(|_| "it is not a single line of printable characters".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Access {
    pub(super) async fn opener(&self) -> Result<Opener, Trouble> {
        match self {
            Self::Tokens(tokens) => {
                let bearer = tokens.bearer().await.map_err(Trouble::signing_in)?;
                Ok(Opener { name: AUTHORIZATION, value: bearer.header, serial: bearer.serial })
            }
            Self::Key(key) => {
                let value = key.value().map_err(|why| Trouble::no_key(format!("no key to send: {why}")))?;
                Ok(Opener { name: key.header.clone(), value, serial: 0 })
            }
        }
    }

    /// Whether there is another to try when one is refused.
    pub(super) fn renews(&self) -> bool {
        matches!(self, Self::Tokens(_))
    }

    /// Gives up the token that was refused.
    pub(super) async fn forget(&self, serial: u64) {
        if let Self::Tokens(tokens) = self {
            tokens.forget(serial).await;
        }
    }

    /// Takes the next request's place in the budget, or says how long until there is one.
    pub(super) fn reserve(&self, now: Timestamp) -> Duration {
        match self {
            Self::Tokens(_) => Duration::ZERO,
            Self::Key(key) => key.pacer.reserve(now),
        }
    }
}
