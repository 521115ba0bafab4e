//! A directory object -> the credentials that we watch.
//!
//! Owns what counts as one credential and what is left out. Pure: knows nothing of requests and pages.

use super::known::Known;
use super::owners::Book;
use super::page::{Key, Object, PageError, Written, read};
use crate::domain::{Credential, CredentialId, DirectoryObject, Holder, Ident, Kind, SourceName, Text};
use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use std::sync::Arc;

/// The tenants that own Microsoft's own applications; their principals stand in every directory and renew themselves.
const MICROSOFT: [&str; 2] = ["f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"];

/// Collects the credentials of one collection, page by page.
pub(super) struct Fold {
    source: SourceName,
    object: DirectoryObject,
    now: Timestamp,
    known: Arc<Known>,
    /// Who owns what, where that is asked for.
    book: Option<Book>,
    pub credentials: Vec<Arc<Credential>>,
}

impl Fold {
    pub fn new(
        source: &SourceName,
        object: DirectoryObject,
        now: Timestamp,
        known: Arc<Known>,
        book: Option<Book>,
    ) -> Self {
        Self { source: source.clone(), object, now, known, book, credentials: Vec::new() }
    }

    /// Adds a page's credentials and gives the link to the next page.
    pub fn page(&mut self, body: &[u8]) -> Result<Option<String>, PageError> {
        read(body, &mut |object| self.object(&object))
    }

    /// Adds what one object holds.
    fn object(&mut self, object: &Object<'_>) -> Result<(), String> {
        let passwords = object.password_credentials.as_deref().unwrap_or_default();
        let keys = object.key_credentials.as_deref().unwrap_or_default();
        let owner = object.app_owner_organization_id.as_deref().unwrap_or_default();
        if passwords.is_empty() && keys.is_empty() || MICROSOFT.contains(&owner) {
            return Ok(());
        }
        let first = self.credentials.len();
        self.credentials.reserve(passwords.len() + keys.len());
        let mut holder = holder(object)?;
        holder.owners = self.book.as_ref().and_then(|book| book.of(self.object, &holder.id));
        let holder = Arc::new(holder);
        let signing: Vec<&Key<'_>> = keys.iter().filter(|key| has_usage(key, "Sign")).collect();
        for key in passwords.iter().filter(|key| !signing.iter().any(|sign| is_password_of(key, sign))) {
            self.add(&holder, Kind::ClientSecret, key, false)?;
        }
        for key in keys {
            if has_usage(key, "Sign") {
                self.add(&holder, Kind::SamlSigningCertificate, key, is_preferred(object, key)?)?;
            } else if !signing.iter().any(|sign| is_other_half_of(key, sign)) {
                self.add(&holder, Kind::ClientCertificate, key, false)?;
            }
        }
        if object.service_principal_type.as_deref() == Some("ManagedIdentity") {
            self.keep_only_the_lapsed(first);
        }
        Ok(())
    }

    fn add(&mut self, holder: &Arc<Holder>, kind: Kind, key: &Key<'_>, in_use: bool) -> Result<(), String> {
        let key_id = key.key_id.as_deref().filter(|id| !id.is_empty());
        let key_id = key_id.ok_or_else(|| format!("{} {} has a key without keyId", self.object.as_str(), holder.id))?;
        let wrong = |field: &str| {
            let key = Text::clean(key_id);
            format!("{} {} has in its key {key} a {field} that is not a date", self.object.as_str(), holder.id)
        };
        let end = instant(key.end_date_time.as_deref()).ok_or_else(|| wrong("endDateTime"))?;
        let start = instant(key.start_date_time.as_deref()).ok_or_else(|| wrong("startDateTime"))?;
        self.credentials.push(self.known.or_new(Credential {
            id: CredentialId::directory(self.object, holder.id.clone(), Ident::new(key_id)),
            source: self.source.clone(),
            kind,
            holder: Arc::clone(holder),
            label: Text::clean(key.display_name.as_deref().unwrap_or_default()),
            // One that begins in 2200 or later has not begun as far as anybody can see.
            not_before: match start {
                Date::Never => Some(Timestamp::MAX),
                Date::Unknown => None,
                Date::At(start) => Some(start),
            },
            expires_at: if let Date::At(end) = end { Some(end) } else { None },
            enabled: true,
            in_use,
            x509: None,
            trouble: None,
            mark: None,
        }));
        Ok(())
    }

    /// The platform renews a managed identity's certificates; only where it has failed to (all have ended) is there something
    /// to tell, and the newest one tells it.
    fn keep_only_the_lapsed(&mut self, first: usize) {
        let added = self.credentials.drain(first..).collect::<Vec<_>>();
        if added.iter().all(|credential| credential.has_ended_at(self.now)) {
            self.credentials.extend(added.into_iter().max_by_key(|credential| credential.expires_at));
        }
    }
}

fn holder(object: &Object<'_>) -> Result<Holder, String> {
    if object.id.is_empty() {
        return Err("an object has no id".to_owned());
    }
    let app_id = object.app_id.as_deref().filter(|id| !id.is_empty());
    let name = Text::clean(object.display_name.as_deref().unwrap_or_default());
    Ok(Holder {
        name: if name.is_empty() { Text::clean(app_id.unwrap_or(&object.id)) } else { name },
        id: Ident::new(&object.id),
        app_id: app_id.map(Ident::new),
        team_tags: team_tags(object),
        enabled: object.account_enabled.unwrap_or(true),
        owners: None,
    })
}

fn team_tags(object: &Object<'_>) -> Box<[Box<str>]> {
    let tags = object.tags.iter().flatten().flatten();
    let named = |tag: &'_ Written<'_>| -> Option<Text> {
        // Tags are typed by hand, and nothing in a portal tells `Team:` from `team:`.
        let (prefix, team) = tag.split_at_checked("team:".len())?;
        Some(Text::clean(team)).filter(|team| prefix.eq_ignore_ascii_case("team:") && !team.is_empty())
    };
    let teams = tags.filter_map(named);
    teams.map(|team| team.as_str().into()).collect()
}

fn has_usage(key: &Key<'_>, usage: &str) -> bool {
    key.usage.as_deref().is_some_and(|written| written.eq_ignore_ascii_case(usage))
}

/// A SAML signing certificate stands as three entries: a key to sign, a key to verify, and the password that protects the private
/// key. The password carries the signing key's id.
fn is_password_of(password: &Key<'_>, sign: &Key<'_>) -> bool {
    password.key_id.is_some() && password.key_id == sign.key_id
}

/// All three share `customKeyIdentifier`.
fn is_other_half_of(key: &Key<'_>, sign: &Key<'_>) -> bool {
    has_usage(key, "Verify")
        && key.custom_key_identifier.is_some()
        && key.custom_key_identifier == sign.custom_key_identifier
}

/// Whether it is the certificate that signs at present. Compared by the second: the two dates are written by different hands.
fn is_preferred(object: &Object<'_>, sign: &Key<'_>) -> Result<bool, String> {
    let Some(preferred) = object.preferred_token_signing_key_end_date_time.as_deref() else { return Ok(false) };
    let preferred = instant(Some(preferred)).ok_or_else(|| {
        let id = Ident::new(&object.id);
        format!("service_principal {id} has a preferredTokenSigningKeyEndDateTime that is not a date")
    })?;
    Ok(match (preferred, instant(sign.end_date_time.as_deref())) {
        (Date::At(preferred), Some(Date::At(end))) => preferred.as_second() == end.as_second(),
        (Date::Never, Some(Date::Never)) => true,
        _ => false,
    })
}

/// A date as Graph writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Date {
    Unknown,
    /// In the year 2200 or later: what people write for "never".
    Never,
    At(Timestamp),
}

/// `None` where it is not a date: an end that cannot be read must not pass for one that never comes.
fn instant(written: Option<&str>) -> Option<Date> {
    let Some(written) = written else { return Some(Date::Unknown) };
    // The year is judged before the conversion: 9999-12-31T23:59:59Z is a date, but no `Timestamp`.
    if written.as_bytes().first().is_some_and(|first| *first >= b'2') && written.get(..4).is_some_and(|y| y >= "2200") {
        return Pieces::parse(written).ok().map(|_| Date::Never);
    }
    written.parse().ok().map(Date::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T16:00:00Z";

    fn fold(object: DirectoryObject, body: &str) -> Result<Vec<Arc<Credential>>, PageError> {
        let known = Arc::default();
        let mut fold = Fold::new(&SourceName::new("entra"), object, NOW.parse().unwrap(), known, None);
        fold.page(body.as_bytes())?;
        Ok(fold.credentials)
    }

    fn principal(fields: &str) -> Vec<Arc<Credential>> {
        fold(DirectoryObject::ServicePrincipal, &format!(r#"{{"value":[{{"id":"o","appId":"a",{fields}}}]}}"#)).unwrap()
    }

    /// Kind, key id, label, end, and whether it is in use.
    fn lines(credentials: &[Arc<Credential>]) -> Vec<String> {
        let line = |c: &Arc<Credential>| {
            let end = c.expires_at.map_or("never".to_owned(), |end| end.to_string());
            let key = c.id.key_id().unwrap().to_string();
            format!("{} {} {}.. {:?} {end} {}", c.holder.name, c.kind, &key[..key.len().min(4)], c.label, c.in_use)
        };
        credentials.iter().map(line).collect()
    }

    #[test]
    fn the_documented_applications_are_read_with_their_nulls_fractions_and_nevers() {
        let mut read =
            fold(DirectoryObject::Application, include_str!("../../../tests/fixtures/graph/applications-page1.json"))
                .unwrap();
        read.extend(
            fold(DirectoryObject::Application, include_str!("../../../tests/fixtures/graph/applications-page2.json"))
                .unwrap(),
        );
        insta::assert_snapshot!(lines(&read).join("\n"), @r#"
        billing-api client_secret ee06.. "rotate 2024" 2026-02-01T08:00:00Z false
        billing-api client_secret 52e9.. "rotate 2026" 2028-01-15T08:12:44.9127305Z false
        legacy-batch-job client_secret 440f.. "" never false
        edge-gateway client_certificate f133.. "CN=edge-gateway" 2026-11-04T10:00:00Z false
        mobile-bff client_secret 871d.. "ci secret" 2026-01-02T03:04:05.67Z false
        data-export (staged) client_secret 0b70.. "starts later" 2027-07-01T00:00:00Z false
        imported-no-enddate client_secret 2768.. "" never false
        billing-api client_secret 1112.. "same display name as another app" 2026-09-30T23:59:59.9999999Z false
        billing-api client_certificate bb9c.. "CWAP_AuthSecret" 2026-09-30T00:00:00Z false
        "#);
        assert_eq!(&*read[0].holder.team_tags, ["payments".into()]);
        assert_eq!(&*read[3].holder.team_tags, ["network".into()]);
        assert_eq!(
            read[0].id.to_string(),
            "entra:application:9a1ceabc-1390-548a-95a9-5ae3e5cbfe6d:ee06ee2e-e53a-5942-be7e-e124a434151b"
        );
        let (one, other) = (&read[0].holder, &read[7].holder);
        assert_eq!(one.name, other.name);
        assert_ne!(one.id, other.id, "two applications of one name are two holders");
    }

    #[test]
    fn the_documented_principals_are_read_without_microsofts_own_and_managed_identities() {
        let body = include_str!("../../../tests/fixtures/graph/serviceprincipals-page.json");
        let read = fold(DirectoryObject::ServicePrincipal, body).unwrap();
        insta::assert_snapshot!(lines(&read).join("\n"), @r#"
        Northwind Expenses (SAML) saml_signing_certificate 41fa.. "CN=Microsoft Azure Federated SSO Certificate" 2026-10-05T12:00:00Z true
        Northwind Expenses (SAML) saml_signing_certificate aa4a.. "CN=Microsoft Azure Federated SSO Certificate" 2029-09-01T12:00:00Z false
        old-portal-principal client_secret 5246.. "" 2026-12-31T00:00:00Z false
        tenant-local secret on SP client_secret c2d2.. "added with servicePrincipal addPassword" 2026-12-01T00:00:00.1234567Z false
        "#);
        assert!(read[0].id.to_string().ends_with(":41fa8ea4-91ef-53c0-958c-783944cf91d0"), "the key that signs");
    }

    #[test]
    fn no_part_of_a_secret_is_kept() {
        let body = r#"{"value":[{"id":"o","passwordCredentials":[{"keyId":"k","hint":"HINT!","secretText":"SECRET!",
            "endDateTime":null}],"keyCredentials":[{"keyId":"l","usage":"Verify","key":"KEYBYTES!"}]}]}"#;
        let read = fold(DirectoryObject::Application, body).unwrap();
        assert_eq!(read.len(), 2);
        assert!(!format!("{read:?}").contains('!'));
    }

    #[test]
    fn three_entries_are_one_signing_certificate_only_where_they_belong_together() {
        const SIGN: &str =
            r#"{"keyId":"s","usage":"Sign","customKeyIdentifier":"c","endDateTime":"2027-01-01T00:00:00Z"}"#;
        let verify =
            |key: &str, id: &str| format!(r#"{{"keyId":"{key}","usage":"Verify","customKeyIdentifier":{id}}}"#);
        let with = |keys: &str, passwords: &str| {
            let preferred = r#""preferredTokenSigningKeyEndDateTime":"2027-01-01T00:00:00.0000000Z""#;
            let read =
                principal(&format!(r#"{preferred},"keyCredentials":[{keys}],"passwordCredentials":[{passwords}]"#));
            let line = |c: &Arc<Credential>| {
                format!("{} {}{}", c.kind, c.id.key_id().unwrap(), if c.in_use { " in use" } else { "" })
            };
            read.iter().map(line).collect::<Vec<_>>()
        };
        let signing = "saml_signing_certificate s in use";
        assert_eq!(with(&format!(r#"{},{SIGN}"#, verify("v", r#""c""#)), r#"{"keyId":"s"}"#), [signing]);
        assert_eq!(with(&format!(r#"{SIGN},{}"#, verify("v", r#""other""#)), ""), [signing, "client_certificate v"]);
        assert_eq!(with(&verify("v", r#""c""#), ""), ["client_certificate v"]);
        assert_eq!(with(&format!(r#"{SIGN},{}"#, verify("v", "null")), ""), [signing, "client_certificate v"]);
        assert_eq!(with(SIGN, r#"{"keyId":"p","customKeyIdentifier":null}"#), ["client_secret p", signing]);
    }

    #[test]
    fn a_managed_identity_is_watched_only_once_all_its_keys_have_lapsed() {
        let identity = |ends: &[&str]| {
            let keys = ends.iter().map(|end| format!(r#"{{"keyId":"k","endDateTime":"{end}","usage":"Verify"}}"#));
            let keys = keys.collect::<Vec<_>>().join(",");
            principal(&format!(r#""servicePrincipalType":"ManagedIdentity","keyCredentials":[{keys}]"#)).len()
        };
        const LAPSED: &str = "2026-11-01T00:00:00Z";
        const RUNNING: &str = "2026-12-01T00:00:00Z";
        assert_eq!(identity(&[LAPSED, RUNNING]), 0);
        assert_eq!(identity(&[LAPSED, LAPSED]), 1);
        assert_eq!(identity(&[]), 0);
    }

    #[test]
    fn a_disabled_or_nameless_holder_is_kept_and_says_so() {
        let read =
            principal(r#""accountEnabled":false,"displayName":" ","keyCredentials":[{"keyId":"k","usage":null}]"#);
        assert!(!read[0].holder.enabled && read[0].enabled);
        assert_eq!(read[0].holder.name.as_str(), "a");
        let read =
            principal(r#""accountEnabled":null,"displayName":null,"tags":null,"keyCredentials":[{"keyId":"k"}]"#);
        assert!(read[0].holder.enabled);
    }

    #[test]
    fn hostile_names_are_made_harmless() {
        let read = principal(
            r#""displayName":"pay\r\nBcc: all@x.ca\u202e<b>","tags":["team:ops\r\n","team:",null,"other"],
               "passwordCredentials":[{"keyId":"k\r\nX: y","displayName":"\u001b[2Jlabel"}]"#,
        );
        assert_eq!(read[0].holder.name.as_str(), "pay Bcc: all@x.ca<b>");
        assert_eq!(&*read[0].holder.team_tags, ["ops".into()]);
        assert_eq!(read[0].label.as_str(), "[2Jlabel");
        assert_eq!(read[0].id.to_string(), "entra:service_principal:o:k X_ y");
    }

    #[test]
    fn a_team_tag_counts_however_it_is_spelt_and_the_name_stays_as_written() {
        let tags = r#""tags":["Team:ccaas","TEAM: Net","team:idim","steam:x","teams:y","é","tea"]"#;
        let read = principal(&format!(r#"{tags},"passwordCredentials":[{{"keyId":"k"}}]"#));
        assert_eq!(&*read[0].holder.team_tags, ["ccaas".into(), "Net".into(), "idim".into()]);
    }

    #[test]
    fn an_end_that_is_not_a_date_is_an_error_that_names_object_and_key() {
        let body = r#"{"value":[{"id":"obj","passwordCredentials":[{"keyId":"key","endDateTime":"31/12/2026"}]}]}"#;
        let said = "application obj has in its key key a endDateTime that is not a date".to_owned();
        assert_eq!(fold(DirectoryObject::Application, body), Err(PageError::Invalid(said)));
    }

    #[test]
    fn dates_have_any_fraction_and_2200_is_never() {
        let at = |text: &str| Some(Date::At(text.parse().unwrap()));
        for (written, read) in [
            ("2026-12-01T00:00:00Z", at("2026-12-01T00:00:00Z")),
            ("2026-12-01T00:00:00.5Z", at("2026-12-01T00:00:00.500Z")),
            ("2026-12-01T00:00:00.1234567Z", at("2026-12-01T00:00:00.123456700Z")),
            ("2026-12-01T01:00:00+01:00", at("2026-12-01T00:00:00Z")),
            ("0001-01-01T00:00:00Z", at("0001-01-01T00:00:00Z")),
            ("2199-12-31T23:59:59Z", at("2199-12-31T23:59:59Z")),
            ("2200-01-01T00:00:00Z", Some(Date::Never)),
            ("2299-12-31T00:00:00Z", Some(Date::Never)),
            ("9999-12-31T23:59:59.9999999Z", Some(Date::Never)),
            ("", None),
            ("never", None),
            ("2026-13-01T00:00:00Z", None),
            ("2299-13-01T00:00:00Z", None),
            ("2026-12-01", None),
            ("9", None),
        ] {
            assert_eq!(instant(Some(written)), read, "{written}");
        }
        assert_eq!(instant(None), Some(Date::Unknown));
    }
}
