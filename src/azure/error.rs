//! What a failed sign-in says, and what it must not say.

use crate::config::Secret;
use azure_core::error::ErrorKind;
use std::error::Error;
use std::time::Duration;

/// Why there is no token.
#[derive(Debug)]
pub(crate) struct SignInError {
    pub problem: String,
    /// Whether trying again may help.
    pub passing: bool,
    /// For how long the sign-in service asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl SignInError {
    pub fn lasting(problem: &str) -> Self {
        Self { problem: problem.to_owned(), passing: false, retry_after: None }
    }

    /// Words an error of `azure_identity`. Of the service's own words only the first line is used, and no word in it that could be a
    /// token, nor `hidden`.
    pub fn from_azure(how: &str, error: &azure_core::Error, hidden: Option<&Secret>) -> Self {
        let mut links = chain(error).filter_map(|error| error.downcast_ref::<azure_core::Error>());
        let answer = links.find_map(|error| match error.kind() {
            ErrorKind::HttpResponse { status, raw_response, .. } => {
                let headers = raw_response.as_ref().map(|response| response.headers());
                Some((u16::from(*status), headers, error.to_string()))
            }
            _ => None,
        });
        if let Some((status, headers, said)) = answer {
            let retry_after =
                headers.and_then(|headers| headers.get_optional_as::<u64, _>(&"retry-after".into()).ok()?);
            return Self {
                problem: format!("signing in ({how}): {status} {}", presentable(&said, hidden)),
                passing: matches!(status, 429 | 500 | 502 | 503 | 504),
                retry_after: retry_after.filter(|seconds| *seconds > 0).map(Duration::from_secs),
            };
        }
        let kinds: Vec<&ErrorKind> = chain(error)
            .filter_map(|error| error.downcast_ref::<azure_core::Error>())
            .map(|error| error.kind())
            .collect();
        if kinds.contains(&&ErrorKind::DataConversion) {
            // The message would quote the answer, which may hold a token.
            return Self::lasting(&format!("signing in ({how}): the answer of the sign-in service is not understood"));
        }
        let root = chain(error).last().map_or_else(String::new, ToString::to_string);
        Self {
            problem: format!("signing in ({how}): {}", presentable(&root, hidden)),
            passing: kinds.iter().any(|kind| matches!(kind, ErrorKind::Connection | ErrorKind::Io)),
            retry_after: None,
        }
    }
}

/// The error and its causes.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The first line, without the words that are too long for a word or begin like a JSON web token.
fn presentable(said: &str, hidden: Option<&Secret>) -> String {
    let said = hidden.map_or(said.to_owned(), |secret| said.replace(secret.expose(), "…"));
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let secretive = |word: &&str| word.contains("eyJ") || word.len() > 60;
    line.split_whitespace().map(|word| if secretive(&word) { "…" } else { word }).collect::<Vec<_>>().join(" ")
}
