//! Turning the pages of one listing until the last one.
//!
//! Owns what keeps a listing whole and harmless: it ends or it fails, and no link leads anywhere but to more of the same list. On
//! the same host, a link to a secret by name would be answered with its value.

use super::page::{self, Item};
use crate::sources::ReadError;
use crate::sources::http::{Http, Refusal, Waiting, pinned};
use reqwest::StatusCode;
use std::collections::HashSet;
use url::Url;

/// Hands each item of the listing that begins at `first` to `sink`, in order.
///
/// # Errors
/// With the vault's refusal, or a reason of ours, which has no code.
pub(super) async fn read(
    http: &Http,
    first: Url,
    waiting: &mut Waiting,
    sink: &mut (dyn FnMut(&Item<'_>) -> Result<(), String> + Send),
) -> Result<(), Refusal> {
    let (mut next, mut seen, mut body) = (first.clone(), HashSet::new(), Vec::new());
    for number in 1..=http.limits.pages {
        let what = format!("GET {} page {number}", first.path());
        seen.insert(next.to_string());
        let answer = http.get(&next, &what, waiting, body).await?;
        let link = {
            let (items, link) = page::read(&answer.body)
                .map_err(|why| broken(&format!("{what}: the answer is no page of a listing: {why}")))?;
            items.iter().try_for_each(&mut *sink).map_err(|why| broken(&format!("{what}: {why}")))?;
            link
        };
        let Some(link) = link else { return Ok(()) };
        next = follow(&first, &link, &seen).map_err(|why| broken(&format!("{what}: {why}")))?;
        body = answer.body;
    }
    let pages = http.limits.pages;
    Err(broken(&format!("GET {}: the listing does not end; {pages} pages were read", first.path())))
}

/// The next page, if it belongs to the same list and has not been read before.
fn follow(first: &Url, link: &str, seen: &HashSet<String>) -> Result<Url, &'static str> {
    let next = pinned(first, link)?;
    // Names are not case-sensitive there.
    if !next.path().eq_ignore_ascii_case(first.path()) {
        return Err("the link to the next page leads to something else than this list; it was not asked for");
    }
    if seen.contains(next.as_str()) {
        return Err("the link to the next page leads back to one that was read: the listing runs in a circle");
    }
    Ok(next)
}

fn broken(why: &str) -> Refusal {
    Refusal { code: String::new(), status: None::<StatusCode>, error: ReadError::new(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_to_more_of_the_same_list_and_to_nothing_else() {
        let first: Url =
            "https://kv.vault.azure.net/secrets/api/versions?api-version=7.4&maxresults=25".parse().unwrap();
        let seen = HashSet::from([first.to_string(), "https://kv.vault.azure.net/secrets/api/versions?b".to_owned()]);
        for (link, said) in [
            (
                "https://kv.vault.azure.net:443/secrets/api/versions?api-version=7.4&$skiptoken=a&maxresults=25",
                "followed",
            ),
            ("https://kv.vault.azure.net/secrets/API/versions?$skiptoken=a", "followed"),
            ("https://kv.vault.azure.net:443/secrets/api/versions?b", "leads back to one that was read"),
            ("https://kv.vault.azure.net:443/secrets/api?api-version=7.4", "something else than this list"),
            (
                "https://kv.vault.azure.net:443/secrets/api/versions/../0123?api-version=7.4",
                "something else than this list",
            ),
            ("https://kv.vault.azure.net:443/secrets/api%2fversions?a", "something else than this list"),
            ("https://kv.vault.azure.net:8443/secrets/api/versions?a", "another host"),
            ("http://kv.vault.azure.net:443/secrets/api/versions?a", "another host"),
            ("https://other.vault.azure.net:443/secrets/api/versions?a", "another host"),
            ("/secrets/api/versions?a", "not a URL"),
        ] {
            let outcome = follow(&first, link, &seen).map_or_else(|why| why, |_| "followed");
            assert!(outcome.contains(said), "{link}: {outcome}");
        }
    }
}
