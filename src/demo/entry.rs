//! The handle by which a script describes, and later changes, one application or principal.

use super::credentials::{Certificate, Moment, SamlCertificate, Secret};
use super::directory::{Collection, Directory, Owner, PrincipalType, Record};

/// An application or principal in the directory. Every call changes the directory at once.
#[derive(Clone)]
pub struct Entry {
    directory: Directory,
    collection: Collection,
    id: String,
}

impl Entry {
    pub(super) fn of(directory: Directory, collection: Collection, id: String) -> Self {
        Self { directory, collection, id }
    }

    fn change(self, change: impl FnOnce(&mut Record)) -> Self {
        let mut content = self.directory.content();
        if let Some(record) = content.of_mut(self.collection).get_mut(&self.id) {
            change(record);
        }
        drop(content);
        self
    }

    fn read<T>(&self, read: impl FnOnce(&Record) -> T) -> Option<T> {
        self.directory.content().of(self.collection).get(&self.id).map(read)
    }

    /// Its object id, under which credentials are known.
    #[must_use]
    pub fn object_id(&self) -> &str {
        &self.id
    }

    /// The key ids of its secrets, in order.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.read(|record| record.secrets.iter().filter_map(|secret| secret.key_id.clone()).collect())
            .unwrap_or_default()
    }

    pub fn app_id(self, id: &str) -> Self {
        self.change(|record| record.app_id = id.to_owned())
    }

    /// Gives it another object id.
    pub fn with_object_id(self, id: &str) -> Self {
        let mut content = self.directory.content();
        if let Some(record) = content.of_mut(self.collection).remove(&self.id) {
            content.insert(self.collection, Record { id: id.to_owned(), ..record });
        }
        drop(content);
        Self { id: id.to_owned(), ..self }
    }

    pub fn rename(self, name: &str) -> Self {
        self.change(|record| record.name = Some(name.to_owned()))
    }

    /// As some old entries stand: with `displayName: null`.
    pub fn nameless(self) -> Self {
        self.change(|record| record.name = None)
    }

    pub fn tags(self, tags: &[&str]) -> Self {
        self.change(|record| record.tags = tags.iter().map(|tag| (*tag).to_owned()).collect())
    }

    pub fn secret(self, secret: Secret) -> Self {
        self.change(|record| record.push_secret(secret))
    }

    pub fn certificate(self, certificate: Certificate) -> Self {
        self.change(|record| record.push_certificate(certificate))
    }

    /// Adds a SAML signing certificate as its three entries; an active one becomes the preferred one.
    pub fn saml(self, certificate: &SamlCertificate) -> Self {
        self.change(|record| {
            let (keys, password) = certificate.entries();
            record.certificates.extend(keys);
            record.secrets.push(password);
            record.saml = true;
            if certificate.active {
                record.signing_end = Some(certificate.until.clone());
                record.signing_thumbprint = Some(certificate.thumbprint());
            }
        })
    }

    /// # Panics
    /// When it holds no secret of that id.
    pub fn remove_secret(self, key_id: &str) -> Self {
        self.change(|record| {
            let before = record.secrets.len();
            record.secrets.retain(|secret| secret.key_id.as_deref() != Some(key_id));
            assert!(record.secrets.len() < before, "no secret of the id {key_id} at {:?}", record.name);
        })
    }

    /// # Panics
    /// When it holds no certificate of that id.
    pub fn remove_certificate(self, key_id: &str) -> Self {
        self.change(|record| {
            let before = record.certificates.len();
            record.certificates.retain(|certificate| certificate.key_id.as_deref() != Some(key_id));
            assert!(record.certificates.len() < before, "no certificate of the id {key_id} at {:?}", record.name);
        })
    }

    /// `accountEnabled`, which principals have.
    pub fn enabled(self, enabled: bool) -> Self {
        self.change(|record| record.enabled = enabled)
    }

    pub fn principal_type(self, principal_type: PrincipalType) -> Self {
        self.change(|record| record.principal_type = principal_type)
    }

    /// The organisation that the application belongs to; a managed identity's is null.
    pub fn owned_by(self, organisation: Option<&str>) -> Self {
        self.change(|record| record.owner = organisation.map(ToOwned::to_owned))
    }

    /// Adds an owner with this address.
    pub fn owner(self, mail: &str) -> Self {
        self.change(|record| record.owners.push(Owner::Person { mail: Some(mail.to_owned()) }))
    }

    /// Adds an owner who has no mailbox.
    pub fn owner_without_mail(self) -> Self {
        self.change(|record| record.owners.push(Owner::Person { mail: None }))
    }

    /// Adds a service principal as an owner.
    pub fn owned_by_principal(self) -> Self {
        self.change(|record| record.owners.push(Owner::Principal))
    }

    /// Takes all its owners away.
    pub fn disowned(self) -> Self {
        self.change(|record| record.owners.clear())
    }

    /// Somebody signs in with this secret.
    ///
    /// # Panics
    /// When it holds no secret of that id.
    pub fn used(self, key_id: &str, at: impl Into<Moment>) -> Self {
        let at = at.into();
        self.change(|record| {
            let secret = record.secrets.iter_mut().find(|secret| secret.key_id.as_deref() == Some(key_id));
            let Some(secret) = secret else { panic!("no secret of the id {key_id} at {:?}", record.name) };
            secret.used = Some(at);
        })
    }

    /// Adds the principal that stands for this application here, without credentials of its own, and returns its handle.
    pub fn principal(&self) -> Entry {
        let (name, app_id) = self.read(|record| (record.name.clone(), record.app_id.clone())).unwrap_or_default();
        self.directory.service_principal(name.as_deref().unwrap_or_default()).app_id(&app_id)
    }

    /// The same, for a script that goes on with the application.
    pub fn with_principal(self) -> Self {
        self.principal();
        self
    }

    /// Takes it out of the directory.
    pub fn remove(self) {
        self.directory.content().of_mut(self.collection).remove(&self.id);
    }
}
