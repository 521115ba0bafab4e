//! Dates that people keep by hand in the configuration. Reading them cannot fail.

use crate::config::Declaration;
use crate::domain::{Credential, CredentialId, Holder, Ident, Kind, SourceName};
use std::sync::Arc;

#[derive(Debug)]
pub struct Declared {
    name: SourceName,
    credentials: Vec<Arc<Credential>>,
}

impl Declared {
    #[must_use]
    pub fn new(name: &SourceName, declarations: &[Declaration]) -> Self {
        let credentials = declarations.iter().map(|declaration| Arc::new(credential(name, declaration))).collect();
        Self { name: name.clone(), credentials }
    }

    #[must_use]
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    #[must_use]
    pub fn read(&self) -> Vec<Arc<Credential>> {
        self.credentials.clone()
    }
}

fn credential(source: &SourceName, declaration: &Declaration) -> Credential {
    let holder = Holder {
        name: declaration.holder.clone(),
        // Within such a source the name is the identity: two declarations of one holder are siblings.
        id: Ident::new(declaration.holder.as_str()),
        app_id: None,
        team_tags: Box::default(),
        enabled: true,
        owners: None,
    };
    Credential {
        id: CredentialId::declared(source.as_str(), declaration.holder.as_str(), declaration.label.as_str()),
        source: source.clone(),
        kind: Kind::Declared,
        holder: Arc::new(holder),
        label: declaration.label.clone(),
        not_before: declaration.not_before,
        expires_at: declaration.expires_at,
        enabled: true,
        in_use: false,
        x509: None,
        trouble: None,
        mark: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Text;

    #[test]
    fn a_declaration_is_a_credential_of_its_holder() {
        let declaration = |label: &str, end: Option<&str>| Declaration {
            holder: Text::clean("SIP trunk password"),
            label: Text::clean(label),
            not_before: None,
            expires_at: end.map(|end| end.parse().unwrap()),
        };
        let declarations = [declaration("carrier", Some("2027-04-01T07:00:00Z")), declaration("spare", None)];
        let read = Declared::new(&SourceName::new("by_hand"), &declarations).read();
        assert_eq!(read[0].id.to_string(), "declared:by_hand:SIP trunk password/carrier");
        assert_eq!((read[0].kind, read[0].holder.id.to_string()), (Kind::Declared, "SIP trunk password".to_owned()));
        assert_eq!(read[0].expires_at.unwrap().to_string(), "2027-04-01T07:00:00Z");
        assert_eq!((read[1].expires_at, &read[1].holder), (None, &read[0].holder));
    }
}
