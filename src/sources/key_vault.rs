//! An Azure key vault: the secrets and certificates that it keeps, by name and date.
//!
//! Owns which listings are read and how they make one snapshot. The parts: [`listing`] turns pages, [`page`] knows their format,
//! [`fold`] what counts as a credential, [`mark`] what an entry says that it keeps, [`refusal`] how a vault says no.
//!
//! The permission to read a value is neither needed nor used: only lists are asked for, and no link is followed to anything else.

mod fold;
mod listing;
mod mark;
mod page;
mod refusal;

use super::azure::{Surroundings, Tokens};
use super::http::{Access, Http, Limits, Waiting};
use super::{ConnectError, Patience, ReadError};
use crate::clock::Clock;
use crate::config::{Azure, KeyVaultConfig};
use crate::domain::{Credential, SourceName};
use fold::{Collection, Entries, Entry, Versions};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use url::Url;

/// A full page has 25 entries of at most 15 tags, far below one MiB. Fifty thousand entries are more than anybody keeps.
const LIMITS: Limits = Limits { request: Duration::from_secs(60), answer: 4 << 20, pages: 2_000 };

#[derive(Debug)]
pub struct KeyVault {
    name: SourceName,
    url: Url,
    http: Http,
}

impl KeyVault {
    /// # Errors
    /// When there is no way to sign in, or a secret is missing.
    pub(super) fn connect(
        name: &SourceName,
        config: &KeyVaultConfig,
        azure: &Azure,
        clock: &Clock,
        surroundings: &Surroundings,
    ) -> Result<Self, ConnectError> {
        let tokens = Tokens::connect(azure, azure.cloud.vault_audience(), clock, surroundings)?;
        Self::with(name, config, tokens, clock, LIMITS)
    }

    fn with(
        name: &SourceName,
        config: &KeyVaultConfig,
        tokens: Tokens,
        clock: &Clock,
        limits: Limits,
    ) -> Result<Self, ConnectError> {
        let http = Http::new(&config.vault_url, Access::Tokens(Box::new(tokens)), refusal::MANNER, clock, limits)
            .map_err(|error| ConnectError::new(&format!("sources.{name}"), error.without_url()))?;
        Ok(Self { name: name.clone(), url: config.vault_url.clone(), http })
    }

    #[must_use]
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    #[must_use]
    pub fn requests(&self) -> Vec<(String, u64)> {
        self.http.requests()
    }

    /// Reads secrets and certificates side by side. The first failure ends it: half a vault is no snapshot.
    ///
    /// # Errors
    /// When any listing did not reach its end, or says what cannot be understood.
    pub async fn read(&self, patience: Patience) -> Result<Vec<Arc<Credential>>, ReadError> {
        let (mut all, mut certificates) = tokio::try_join!(
            self.collection(Collection::Secrets, patience),
            self.collection(Collection::Certificates, patience)
        )?;
        all.append(&mut certificates);
        Ok(all)
    }

    /// The entries of one collection, then the versions of each. Both collections wait at the same time, so each may use the whole
    /// patience; so do the four that ask for versions with what the listing left.
    async fn collection(&self, collection: Collection, patience: Patience) -> Result<Vec<Arc<Credential>>, ReadError> {
        let mut waiting = Waiting { left: patience.waiting };
        let mut entries = Entries::new(collection);
        let first = self.address(collection.as_str());
        listing::read(&self.http, first, &mut waiting, &mut |item| entries.add(item))
            .await
            .map_err(|refusal| refusal.error)?;
        let (entries, next) = (entries.list, AtomicUsize::new(0));
        let ask = || self.ask_for_versions(collection, &entries, &next, waiting.left);
        let (a, b, c, d) = tokio::try_join!(ask(), ask(), ask(), ask())?;
        let mut found = [a, b, c, d].concat();
        found.sort_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, credential)| credential).collect())
    }

    /// Takes one entry after the other from those that nobody has taken yet; gives what they hold with their places.
    async fn ask_for_versions(
        &self,
        collection: Collection,
        entries: &[Entry],
        next: &AtomicUsize,
        left: Duration,
    ) -> Result<Vec<(usize, Arc<Credential>)>, ReadError> {
        let (mut waiting, mut found) = (Waiting { left }, Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(entry) = entries.get(at) else { return Ok(found) };
            let credential = self.newest(collection, entry, &mut waiting).await?;
            found.extend(credential.map(|credential| (at, Arc::new(credential))));
        }
    }

    /// What an entry holds at present; `None` for one that is switched off, or was deleted since it was listed.
    async fn newest(
        &self,
        collection: Collection,
        entry: &Entry,
        waiting: &mut Waiting,
    ) -> Result<Option<Credential>, ReadError> {
        let first = self.address(&format!("{}/{}/versions", collection.as_str(), entry.name));
        let mut versions = Versions::of(collection, entry);
        match listing::read(&self.http, first, waiting, &mut |item| versions.add(item)).await {
            Ok(()) => Ok(versions.credential(&self.name, self.url.host_str().unwrap_or_default())),
            Err(refusal) if refusal::is_gone(&refusal) => Ok(None),
            Err(refusal) => Err(refusal.error),
        }
    }

    /// The first page of a listing. 25 is the most that a page can hold.
    fn address(&self, path: &str) -> Url {
        let base = self.url.as_str().trim_end_matches('/');
        // A URL with a known path after it is one still; should it not be, the base alone is asked and answers with an error.
        Url::parse(&format!("{base}/{path}?api-version=7.4&maxresults=25")).unwrap_or_else(|_| self.url.clone())
    }
}

/// For the fuzzer: a page of either collection, and of versions, from anybody.
#[cfg(fuzzing)]
pub fn page_from_anybody(body: &[u8]) {
    let Ok((items, _)) = page::read(body) else { return };
    for collection in [Collection::Secrets, Collection::Certificates] {
        let mut entries = Entries::new(collection);
        let _ = items.iter().try_for_each(|item| entries.add(item));
        for entry in &entries.list {
            let mut versions = Versions::of(collection, entry);
            let _ = items.iter().try_for_each(|item| versions.add(item));
            let _ = versions.credential(&SourceName::new("vault"), "vault.example");
        }
    }
}

#[cfg(test)]
mod tests;
