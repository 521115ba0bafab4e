//! Microsoft Entra ID through Microsoft Graph: the credentials of applications and service principals.
//!
//! Owns which collections are read and how they make one snapshot. The parts: [`listing`] turns pages, [`page`] knows their format,
//! [`fold`] what counts as a credential. Beside the listings stand two facts that it can do without: [`last_use`] and [`owners`].

mod fold;
mod known;
mod last_use;
mod listing;
mod owners;
mod page;
mod said;
mod trail;
mod workbench;

pub(super) use page::{Written, without_quotes};

use super::azure::{Surroundings, Tokens};
use super::graph;
use super::http::{Access, Http, Limits, Waiting};
use super::{ConnectError, Patience, ReadError};
use crate::clock::Clock;
use crate::config::{Azure, Cloud, EntraConfig};
use crate::domain::{Credential, CredentialId, DirectoryObject, Ident, LastUse, SourceName};
use fold::Fold;
use jiff::Timestamp;
use known::Known;
use last_use::Report;
use owners::Registrar;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;
use workbench::Workbench;

#[derive(Debug)]
pub struct Entra {
    name: SourceName,
    config: EntraConfig,
    graph: Http,
    workbench: Workbench,
    /// Of the last read that succeeded.
    known: Mutex<Arc<Known>>,
    /// Where it is asked for.
    report: Option<Report>,
    /// Where it is asked for.
    registrar: Option<Registrar>,
}

impl Entra {
    /// # Errors
    /// When there is no way to sign in, or a secret is missing.
    pub(super) fn connect(
        name: &SourceName,
        config: &EntraConfig,
        azure: &Azure,
        clock: &Clock,
        surroundings: &Surroundings,
    ) -> Result<Self, ConnectError> {
        let tokens = Tokens::connect(azure, azure.cloud.graph_url(), clock, surroundings)?;
        Self::with(name, config, (tokens, azure.cloud), clock, Limits::default())
    }

    fn with(
        name: &SourceName,
        config: &EntraConfig,
        (tokens, cloud): (Tokens, Cloud),
        clock: &Clock,
        limits: Limits,
    ) -> Result<Self, ConnectError> {
        let graph = Http::new(&config.graph_url, Access::Tokens(Box::new(tokens)), graph::MANNER, clock, limits)
            .map_err(|error| ConnectError::new(&format!("sources.{name}"), error.without_url()))?;
        let workbench = Workbench::start().map_err(|error| ConnectError::new(&format!("sources.{name}"), error))?;
        let report = config.last_use.then(|| Report::new(&graph, &config.graph_url, cloud));
        let registrar = config.owners.then(|| Registrar::new(&graph, &config.graph_url));
        let (name, config) = (name.clone(), config.clone());
        Ok(Self { name, config, graph, workbench, known: Mutex::default(), report, registrar })
    }

    /// What was read before this process began; handed out again where nothing has changed.
    pub(super) fn remember(&self, read: &[Arc<Credential>]) {
        if let Some(registrar) = &self.registrar {
            registrar.book().remember(read);
        }
        self.keep(read);
    }

    fn keep(&self, read: &[Arc<Credential>]) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Known::of(read));
    }

    #[must_use]
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    #[must_use]
    pub fn requests(&self) -> Vec<(String, u64)> {
        self.graph.requests()
    }

    /// When keys were last used; `None` where that is not asked for, or has not been yet.
    #[must_use]
    pub fn last_use(&self) -> Option<Arc<LastUse>> {
        self.report.as_ref()?.known()
    }

    /// Reads both collections side by side, and the report of last uses beside them; then owners are asked for. The first
    /// failure of a collection ends it: half a directory is no snapshot. What else fails is no failure of the read.
    ///
    /// # Errors
    /// When either listing did not reach its end.
    pub async fn read(&self, patience: Patience, now: Timestamp) -> Result<Vec<Arc<Credential>>, ReadError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let list = async |object, wanted: bool| {
            // The two wait at the same time, so each may use the whole patience.
            let waiting = Waiting { left: patience.waiting };
            let book = self.registrar.as_ref().map(|registrar| registrar.book().clone());
            let fold = Fold::new(&self.name, object, now, Arc::clone(&known), book);
            if wanted {
                listing::read(&self.graph, &self.workbench, self.first(object), fold, waiting).await
            } else {
                Ok(Vec::new())
            }
        };
        let report = async {
            if let Some(report) = &self.report {
                report.read(&self.name, patience.waiting, now).await;
            }
            Ok(())
        };
        let (applications, principals, ()) = tokio::try_join!(
            list(DirectoryObject::Application, self.config.applications),
            list(DirectoryObject::ServicePrincipal, self.config.service_principals),
            report,
        )?;
        let mut all = merge(applications, principals);
        if let Some(registrar) = &self.registrar {
            registrar.refresh(&self.name, &all, patience.waiting, now).await;
            all = registrar.book().dress(all);
        }
        self.keep(&all);
        Ok(all)
    }

    /// The first page's address. Only what is used is asked for; 999 is the most that a page can hold.
    fn first(&self, object: DirectoryObject) -> Url {
        const COMMON: &str = "id,appId,displayName,tags,passwordCredentials,keyCredentials";
        let base = self.config.graph_url.as_str().trim_end_matches('/');
        let written = match object {
            DirectoryObject::Application => format!("{base}/v1.0/applications?$select={COMMON}&$top=999"),
            DirectoryObject::ServicePrincipal => format!(
                "{base}/v1.0/servicePrincipals?$select={COMMON},servicePrincipalType,appOwnerOrganizationId,accountEnabled,\
                 preferredTokenSigningKeyEndDateTime&$top=999"
            ),
        };
        // A URL with a known path after it is one still; should it not be, the base alone is asked and answers with an error.
        Url::parse(&written).unwrap_or_else(|_| self.config.graph_url.clone())
    }
}

/// One snapshot of two listings.
///
/// Make sure that: an object that Graph repeats on a later page counts once, as it was seen last; and a key that is reported by
/// application and principal is one credential, the application's.
fn merge(mut applications: Vec<Arc<Credential>>, mut principals: Vec<Arc<Credential>>) -> Vec<Arc<Credential>> {
    keep_last(&mut applications);
    keep_last(&mut principals);
    let key = |credential: &Arc<Credential>| -> Option<(Ident, Ident)> {
        Some((credential.holder.app_id.clone()?, credential.id.key_id()?.clone()))
    };
    let principals_keys: HashSet<(Ident, Ident)> = principals.iter().filter_map(key).collect();
    if !principals_keys.is_empty() {
        let both: HashSet<(Ident, Ident)> =
            applications.iter().filter_map(key).filter(|key| principals_keys.contains(key)).collect();
        principals.retain(|credential| key(credential).is_none_or(|key| !both.contains(&key)));
    }
    applications.append(&mut principals);
    applications
}

fn keep_last(credentials: &mut Vec<Arc<Credential>>) {
    let mut seen: HashSet<&CredentialId> = HashSet::with_capacity(credentials.len());
    let mut last: Vec<bool> = credentials.iter().rev().map(|credential| seen.insert(&credential.id)).collect();
    if seen.len() < credentials.len() {
        credentials.retain(|_| last.pop().unwrap_or(true));
    }
}

#[cfg(test)]
mod tests;

/// For the fuzzer: a page of either collection, of the report or of owners, from anybody.
#[cfg(fuzzing)]
pub fn page_from_anybody(body: &[u8], now: Timestamp) {
    use crate::domain::DirectoryObject::{Application, ServicePrincipal};
    let _ = (page::early_link(body), last_use::page_from_anybody(body, now), owners::page_from_anybody(body));
    for object in [Application, ServicePrincipal] {
        let mut fold = Fold::new(&SourceName::new("entra"), object, now, Default::default(), None);
        let _ = fold.page(body);
    }
}
