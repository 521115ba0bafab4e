//! Identifiers, kept small.
//!
//! A tenant can hold a hundred thousand credentials and nearly every identifier in them is a GUID: sixteen bytes instead of a
//! heap string of thirty-six. What is not a GUID is kept as it was written, so every identifier reads back exactly.

use std::cmp::Ordering;
use std::fmt;
use uuid::Uuid;

/// An identifier that some system gave out; shown and compared exactly as that system wrote it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ident(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// Only for the canonical spelling (lower case, hyphenated), so that showing it gives back what was read.
    Guid(Uuid),
    Other(Box<str>),
}

impl Ident {
    #[must_use]
    pub fn new(written: &str) -> Self {
        if written.len() == 36
            && let Ok(guid) = Uuid::try_parse(written)
            && guid.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()) == written
        {
            return Self(Repr::Guid(guid));
        }
        // Identifiers reach headers and pages like any text; a GUID cannot carry anything, another one is cleaned.
        Self(Repr::Other(super::Text::clean(written).as_str().into()))
    }

    /// The GUID that it is: for those who write very many, and know that such a one needs no escaping.
    #[must_use]
    pub fn as_guid(&self) -> Option<Uuid> {
        match self.0 {
            Repr::Guid(guid) => Some(guid),
            Repr::Other(_) => None,
        }
    }
}

impl Ident {
    /// Directories give out GUIDs. Should one give out something with a colon, it must not be taken for two parts of an id.
    fn without_colons(self) -> Self {
        match &self.0 {
            Repr::Other(text) if text.contains(':') => Self(Repr::Other(text.replace(':', "_").into())),
            _ => self,
        }
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Guid(guid) => f.write_str(guid.as_hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Repr::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Ord for Ident {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Guid(a), Repr::Guid(b)) => a.cmp(b),
            (Repr::Other(a), Repr::Other(b)) => a.cmp(b),
            _ => self.to_string().cmp(&other.to_string()),
        }
    }
}

impl PartialOrd for Ident {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Which of the two directory collections an object stands in; part of a credential's identity, since an application and its
/// service principal are different objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DirectoryObject {
    Application,
    ServicePrincipal,
}

impl DirectoryObject {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::ServicePrincipal => "service_principal",
        }
    }
}

/// A credential's stable name across polls, restarts and outputs, such as `entra:application:<object id>:<key id>`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CredentialId(IdRepr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum IdRepr {
    Directory { object: DirectoryObject, object_id: Ident, key_id: Ident },
    Other(Box<str>),
}

impl CredentialId {
    #[must_use]
    pub fn directory(object: DirectoryObject, object_id: Ident, key_id: Ident) -> Self {
        let (object_id, key_id) = (object_id.without_colons(), key_id.without_colons());
        Self(IdRepr::Directory { object, object_id, key_id })
    }

    /// The key id of what stands in a directory.
    #[must_use]
    pub fn key_id(&self) -> Option<&Ident> {
        match &self.0 {
            IdRepr::Directory { key_id, .. } => Some(key_id),
            IdRepr::Other(_) => None,
        }
    }

    /// `declared:<source>:<holder>/<label>`
    #[must_use]
    pub fn declared(source: &str, holder: &str, label: &str) -> Self {
        Self::other(&format!("declared:{source}:{holder}/{label}"))
    }

    /// `tls:<server name>:<address>:<port>`
    #[must_use]
    pub fn tls(server_name: &str, address: &str, port: u16) -> Self {
        Self::other(&format!("tls:{server_name}:{address}:{port}"))
    }

    /// `file:<path>:<serial>`
    #[must_use]
    pub fn file(path: &str, serial: &str) -> Self {
        Self::other(&format!("file:{path}:{serial}"))
    }

    /// `key_vault:secret:<vault host>/<name>`
    #[must_use]
    pub fn vault_secret(host: &str, name: &str) -> Self {
        Self::other(&format!("key_vault:secret:{host}/{name}"))
    }

    /// `key_vault:certificate:<vault host>/<name>`
    #[must_use]
    pub fn vault_certificate(host: &str, name: &str) -> Self {
        Self::other(&format!("key_vault:certificate:{host}/{name}"))
    }

    /// `source:<name>`: what a notice about a source itself stands under.
    #[must_use]
    pub fn source(name: &str) -> Self {
        Self::other(&format!("source:{name}"))
    }

    /// Reads back what `Display` wrote.
    #[must_use]
    pub fn parse(written: &str) -> Self {
        let parts: Vec<&str> = written.split(':').collect();
        let object = match parts[..] {
            ["entra", "application", _, _] => DirectoryObject::Application,
            ["entra", "service_principal", _, _] => DirectoryObject::ServicePrincipal,
            _ => return Self::other(written),
        };
        Self::directory(object, Ident::new(parts[2]), Ident::new(parts[3]))
    }

    /// The object and the key that a directory's id is made of.
    #[must_use]
    pub fn in_directory(&self) -> Option<(DirectoryObject, &Ident, &Ident)> {
        match &self.0 {
            IdRepr::Directory { object, object_id, key_id } => Some((*object, object_id, key_id)),
            IdRepr::Other(_) => None,
        }
    }

    fn other(written: &str) -> Self {
        Self(IdRepr::Other(written.into()))
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            IdRepr::Directory { object, object_id, key_id } => {
                write!(f, "entra:{}:{object_id}:{key_id}", object.as_str())
            }
            IdRepr::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Ord for CredentialId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (
                IdRepr::Directory { object: o1, object_id: i1, key_id: k1 },
                IdRepr::Directory { object: o2, object_id: i2, key_id: k2 },
            ) if [i1, i2].iter().all(|id| id.as_guid().is_some()) => (o1, i1, k1).cmp(&(o2, i2, k2)),
            (IdRepr::Other(a), IdRepr::Other(b)) => a.cmp(b),
            _ => self.to_string().cmp(&other.to_string()),
        }
    }
}

impl PartialOrd for CredentialId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GUID: &str = "849cca37-34d6-42d9-bb7d-4d8592b385c5";

    #[test]
    fn an_identifier_reads_back_as_it_was_written() {
        for written in [GUID, "849CCA37-34D6-42D9-BB7D-4D8592B385C5", "849cca3734d642d9bb7d4d8592b385c5", "app-1", ""] {
            assert_eq!(Ident::new(written).to_string(), written);
        }
    }

    #[test]
    fn credential_ids_sort_as_their_text_does_and_a_colon_within_a_part_separates_nothing() {
        let id =
            |object: &str| CredentialId::directory(DirectoryObject::Application, Ident::new(object), Ident::new("k"));
        assert!(id("o16") < id("o1"), "`o16:k` stands before `o1:k`");
        assert_eq!(CredentialId::parse(&id("a:b").to_string()), id("a:b"));
    }

    #[test]
    fn a_credential_id_reads_back_as_it_was_written() {
        for written in [
            format!("entra:application:{GUID}:{GUID}"),
            format!("entra:service_principal:obj:{GUID}"),
            "declared:by_hand:SIP trunk: east/carrier".to_owned(),
            "key_vault:secret:kvlt-example.vault.azure.net/api-client-secret".to_owned(),
            "source:entra".to_owned(),
            "entra:application:only-three".to_owned(),
        ] {
            assert_eq!(CredentialId::parse(&written).to_string(), written);
        }
    }

    proptest! {
        #[test]
        fn identifiers_sort_as_their_text_does(mut ids in proptest::collection::vec("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[a-z]{1,4}", 2..20)) {
            let mut idents: Vec<Ident> = ids.iter().map(|id| Ident::new(id)).collect();
            ids.sort();
            idents.sort();
            prop_assert_eq!(idents.iter().map(ToString::to_string).collect::<Vec<_>>(), ids);
        }
    }
}
