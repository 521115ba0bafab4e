//! What the last read found, so that the next one hands out the same thing where nothing has changed.
//!
//! A directory hardly changes between two polls. Each of them would otherwise hold all of it a second time, in pieces scattered
//! over the memory, only for it to be compared and thrown away. Says nothing about what is new or gone: whoever takes the snapshot
//! finds that out.

use crate::domain::{ById, Credential};
use std::collections::HashSet;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Known(HashSet<ById>);

impl Known {
    pub fn of(credentials: &[Arc<Credential>]) -> Self {
        Self(credentials.iter().map(|credential| ById(Arc::clone(credential))).collect())
    }

    /// The one that is known, if it is the same in everything.
    pub fn or_new(&self, credential: Credential) -> Arc<Credential> {
        match self.0.get(&credential.id) {
            Some(ById(known)) if **known == credential => Arc::clone(known),
            _ => Arc::new(credential),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CredentialId, Holder, Ident, Kind, SourceName, Text};

    fn secret(key: &str, end: &str) -> Credential {
        let holder = Holder {
            name: Text::clean("app"),
            id: Ident::new("app"),
            app_id: None,
            team_tags: Box::default(),
            enabled: true,
            owners: None,
        };
        Credential {
            id: CredentialId::parse(&format!("entra:application:app:{key}")),
            source: SourceName::new("entra"),
            kind: Kind::ClientSecret,
            holder: Arc::new(holder),
            label: Text::clean("secret"),
            not_before: None,
            expires_at: Some(end.parse().unwrap()),
            enabled: true,
            in_use: false,
            x509: None,
            trouble: None,
            mark: None,
        }
    }

    #[test]
    fn what_has_not_changed_in_anything_is_handed_out_again() {
        let first = Arc::new(secret("k", "2027-01-01T00:00:00Z"));
        let known = Known::of(std::slice::from_ref(&first));
        assert!(Arc::ptr_eq(&first, &known.or_new(secret("k", "2027-01-01T00:00:00Z"))));
        assert_eq!(*known.or_new(secret("k", "2028-01-01T00:00:00Z")), secret("k", "2028-01-01T00:00:00Z"));
        assert_eq!(*known.or_new(secret("l", "2027-01-01T00:00:00Z")), secret("l", "2027-01-01T00:00:00Z"));
    }
}
