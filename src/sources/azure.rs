//! Signing in to Azure: a token for one audience (Microsoft Graph, key vaults), by any of the five ways that the configuration
//! knows.
//!
//! Owns how tokens are got, kept and given up. `azure_identity` does the protocols; around it stand what it lacks: a limit on
//! time and size, a way to drop a token that was refused, and the last token staying in use while a renewal fails. No token, secret
//! or assertion appears in an error.

mod assertion;
mod error;
mod transport;

pub(super) use error::SignInError;

use self::assertion::Signer;
use self::transport::Door;
use super::ConnectError;
use crate::clock::Clock;
use crate::config::{Azure, AzureCredential, Cloud, Secret};
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret as AzureSecret, TokenCredential};
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity as identity;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderValue;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// How long one sign-in may take. A virtual machine's metadata service is asked seven times over 100 s when it has nothing to say.
const PATIENCE: Duration = Duration::from_secs(20);

/// A token is renewed when it has less than this left.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// What the environment has to say about signing in, apart from what `azure_identity` reads itself (the managed identity's endpoint,
/// the workload identity's token file).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `AZURE_AUTHORITY_HOST`: the sign-in service, instead of the cloud's own. Plain http for this machine only.
    pub authority_host: Option<String>,
}

impl Surroundings {
    #[must_use]
    pub fn of_this_process() -> Self {
        Self { authority_host: std::env::var(AUTHORITY_HOST).ok().filter(|host| !host.is_empty()) }
    }
}

const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";

/// The tokens for one audience.
pub(super) struct Tokens {
    sign_in: SignIn,
    scope: String,
    clock: Clock,
    state: Mutex<State>,
}

/// A token in use.
#[derive(Clone)]
pub(super) struct Bearer {
    /// Marked sensitive: it does not show itself.
    pub header: HeaderValue,
    /// Counts the tokens that were given out, so that two requests that were refused together renew once.
    pub serial: u64,
    expires_at: Timestamp,
}

#[derive(Default)]
struct State {
    credential: Option<Arc<dyn TokenCredential>>,
    held: Option<Bearer>,
    given: u64,
}

impl Tokens {
    /// `audience` is the cloud's own for what is asked, whatever address the requests go to (contract, section 3).
    ///
    /// # Errors
    /// When there is no credential, a secret is missing, or a value cannot be used.
    pub fn connect(
        azure: &Azure,
        audience: &str,
        clock: &Clock,
        surroundings: &Surroundings,
    ) -> Result<Self, ConnectError> {
        let missing = || ConnectError::new("azure.credential", "sources of the types entra and key_vault need it");
        let credential = azure.credential.clone().ok_or_else(missing)?;
        let authority = authority(azure.cloud, surroundings)?;
        let sign_in = SignIn { credential, authority, clock: clock.clone() };
        // Built once now, so that what is missing is said at the start.
        let state = Mutex::new(State { credential: Some(sign_in.build()?), ..State::default() });
        Ok(Self { sign_in, scope: format!("{audience}/.default"), clock: clock.clone(), state })
    }

    /// The token to use now.
    pub async fn bearer(&self) -> Result<Bearer, SignInError> {
        // One at a time: who comes second finds what the first one got.
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        let left = |bearer: &Bearer| bearer.expires_at.duration_since(now);
        if let Some(held) = state.held.as_ref().filter(|held| left(held) > RENEW_BEFORE) {
            return Ok(held.clone());
        }
        match self.renew(&mut state).await {
            Ok(bearer) => Ok(bearer),
            // The renewal has failed, but what we hold still opens.
            Err(error) => state.held.clone().filter(|held| left(held) > SignedDuration::ZERO).ok_or(error),
        }
    }

    async fn renew(&self, state: &mut State) -> Result<Bearer, SignInError> {
        // Built anew after a failure: a secret's file may have a new value by now.
        let credential = match state.credential.take() {
            Some(credential) => credential,
            None => self.sign_in.build().map_err(|error| SignInError::lasting(&error.to_string()))?,
        };
        let scopes = [self.scope.as_str()];
        let answer = tokio::time::timeout(PATIENCE, credential.get_token(&scopes, None)).await;
        let how = self.sign_in.describe();
        let token = answer
            .map_err(|_| {
                SignInError::lasting(&format!("signing in ({how}): no answer within {} s", PATIENCE.as_secs()))
            })?
            .map_err(|error| SignInError::from_azure(&how, &error, self.sign_in.hidden().as_ref()))?;
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.token.secret())).map_err(|_| {
            SignInError::lasting(&format!("signing in ({how}): the token is not of printable characters"))
        })?;
        header.set_sensitive(true);
        state.credential = Some(credential);
        state.given += 1;
        let expires_at = Timestamp::from_second(token.expires_on.unix_timestamp()).unwrap_or(Timestamp::MAX);
        let bearer = Bearer { header, serial: state.given, expires_at };
        state.held = Some(bearer.clone());
        Ok(bearer)
    }

    /// Gives up the token with this serial number, and the credential that keeps a copy of it.
    pub async fn forget(&self, serial: u64) {
        let mut state = self.state.lock().await;
        if state.held.as_ref().is_some_and(|held| held.serial == serial) {
            state.held = None;
            state.credential = None;
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// The sign-in service.
fn authority(cloud: Cloud, surroundings: &Surroundings) -> Result<Url, ConnectError> {
    let written = surroundings.authority_host.as_deref();
    let wrong = |why: &str| ConnectError::new(AUTHORITY_HOST, format!("{why}; write it like {}", cloud.login_url()));
    let with_scheme = match written {
        Some(host) if host.contains("://") => host.to_owned(),
        Some(host) => format!("https://{host}"),
        None => cloud.login_url().to_owned(),
    };
    let url = Url::parse(&with_scheme).map_err(|error| wrong(&error.to_string()))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if super::http::is_loopback(&url) => Ok(url),
        _ => Err(wrong("it must be https (http is for this machine only)")),
    }
}

/// All that is needed to sign in, again and again.
struct SignIn {
    credential: AzureCredential,
    authority: Url,
    clock: Clock,
}

impl SignIn {
    /// The way of signing in, for errors.
    fn describe(&self) -> String {
        let at = self.authority.host_str().unwrap_or_default();
        match &self.credential {
            AzureCredential::ManagedIdentity { .. } => "managed_identity".to_owned(),
            AzureCredential::AzureCli { .. } => "azure_cli".to_owned(),
            AzureCredential::WorkloadIdentity { .. } => format!("workload_identity at {at}"),
            AzureCredential::ClientSecret { .. } => format!("client_secret at {at}"),
            AzureCredential::ClientCertificate { .. } => format!("client_certificate at {at}"),
        }
    }

    /// What must not appear in an error, even if the other side sends it back.
    fn hidden(&self) -> Option<Secret> {
        match &self.credential {
            AzureCredential::ClientSecret { secret, .. } => secret.read().ok(),
            _ => None,
        }
    }

    fn build(&self) -> Result<Arc<dyn TokenCredential>, ConnectError> {
        let wrong = |error: azure_core::Error| ConnectError::new("azure", error);
        Ok(match &self.credential {
            AzureCredential::ManagedIdentity { client_id } => {
                let options = identity::ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(identity::UserAssignedId::ClientId),
                    client_options: self.options()?,
                };
                identity::ManagedIdentityCredential::new(Some(options)).map_err(wrong)?
            }
            AzureCredential::WorkloadIdentity { client_id, tenant_id } => {
                let options = identity::WorkloadIdentityCredentialOptions {
                    credential_options: self.assertion_options()?,
                    client_id: client_id.clone(),
                    tenant_id: tenant_id.clone(),
                    token_file_path: None,
                };
                identity::WorkloadIdentityCredential::new(Some(options)).map_err(wrong)?
            }
            AzureCredential::AzureCli { tenant_id } => {
                let tenant_id = tenant_id.clone();
                let options = identity::AzureCliCredentialOptions { tenant_id, ..Default::default() };
                identity::AzureCliCredential::new(Some(options)).map_err(wrong)?
            }
            AzureCredential::ClientSecret { tenant_id, client_id, secret } => {
                let secret = read("azure.client_secret", secret)?;
                let secret = AzureSecret::new(secret.expose().to_owned());
                let options = identity::ClientSecretCredentialOptions { client_options: self.options()? };
                identity::ClientSecretCredential::new(tenant_id, client_id.clone(), secret, Some(options))
                    .map_err(wrong)?
            }
            AzureCredential::ClientCertificate { tenant_id, client_id, pem } => {
                const KEY: &str = "azure.client_certificate";
                let pem = read(KEY, pem)?;
                let audience =
                    format!("{}/{tenant_id}/oauth2/v2.0/token", self.authority.as_str().trim_end_matches('/'));
                let signer = Signer::new(&pem, audience, client_id.clone(), self.clock.clone())
                    .map_err(|why| ConnectError::new(KEY, why))?;
                let (tenant, client) = (tenant_id.clone(), client_id.clone());
                let options = Some(self.assertion_options()?);
                identity::ClientAssertionCredential::new(tenant, client, signer, options).map_err(wrong)?
            }
        })
    }

    fn assertion_options(&self) -> Result<identity::ClientAssertionCredentialOptions, ConnectError> {
        Ok(identity::ClientAssertionCredentialOptions { client_options: self.options()? })
    }

    fn options(&self) -> Result<ClientOptions, ConnectError> {
        let door = Door::new(&self.authority).map_err(|error| ConnectError::new("azure", error.without_url()))?;
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = door.authority().to_string();
        Ok(ClientOptions {
            // Retries are ours, so that they show and are limited together with those of the request.
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(door))),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..ClientOptions::default()
        })
    }
}

fn read(key: &str, place: &crate::config::SecretRef) -> Result<Secret, ConnectError> {
    place.read().map_err(|error| ConnectError::new(key, error))
}

#[cfg(test)]
pub(super) mod tests;
