//! Source `files`: the certificates in PEM files, as credentials.

use super::ReadError;
use super::files::{self, Found};
use super::nodes::dated;
use crate::config::FilesConfig;
use crate::domain::{Credential, CredentialId, Holder, Ident, Kind, SourceName, Text, Trouble};
use std::sync::Arc;

#[derive(Debug)]
pub struct Bundles {
    name: SourceName,
    paths: Vec<String>,
}

impl Bundles {
    #[must_use]
    pub fn new(name: &SourceName, config: &FilesConfig) -> Self {
        Self { name: name.clone(), paths: config.paths.clone() }
    }

    #[must_use]
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// # Errors
    /// When a pattern is none, or there are files and not one could be read; the error lists them all the same.
    pub async fn read(&self) -> Result<Vec<Arc<Credential>>, ReadError> {
        let paths = self.paths.clone();
        let found = tokio::task::spawn_blocking(move || files::read_all(&paths)).await;
        let found = found.map_err(|_| ReadError::new("reading the files was cut short"))?;
        let found = found.map_err(|why| ReadError::new(&why.to_string()))?;
        let all: Vec<_> = found.iter().map(|found| Arc::new(credential(&self.name, found))).collect();
        match found.first() {
            Some((path, Err(why))) if found.iter().all(|(_, outcome)| outcome.is_err()) => {
                let said =
                    format!("not one of {} files could be read; the first, {}: {why}", found.len(), path.display());
                Err(ReadError { unreadable: all, ..ReadError::new(&said) })
            }
            _ => Ok(all),
        }
    }
}

fn credential(source: &SourceName, (path, outcome): &Found) -> Credential {
    let path = path.display().to_string();
    let serial = outcome.as_ref().map_or_else(|_| String::new(), |certificate| certificate.serial.to_string());
    let bare = Credential {
        id: CredentialId::file(&path, &serial),
        source: source.clone(),
        kind: Kind::CertificateFile,
        holder: Arc::new(Holder {
            name: Text::clean(&path),
            id: Ident::new(&path),
            app_id: None,
            team_tags: Box::default(),
            enabled: true,
            owners: None,
        }),
        label: Text::default(),
        not_before: None,
        expires_at: None,
        enabled: true,
        in_use: false,
        x509: None,
        trouble: None,
        mark: None,
    };
    match outcome {
        Ok(certificate) => {
            let label =
                certificate.subject_cn.clone().or_else(|| certificate.names.first().cloned()).unwrap_or_default();
            dated(Credential { label, ..bare }, certificate)
        }
        // Which certificate it was cannot be said: whatever was known of the path is it.
        Err(why) => Credential { trouble: Some(Box::new(Trouble::Unresolved(Text::clean(&why.to_string())))), ..bare },
    }
}
