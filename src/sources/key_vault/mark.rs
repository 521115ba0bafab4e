//! What an entry says that it keeps: which credential of the directory, by key id, application id, or both.
//!
//! Names are never compared, only ids that somebody wrote there on purpose. The forms, any case, ids as GUIDs with hyphens:
//!
//! | where | form | names |
//! | --- | --- | --- |
//! | tag | `keyId`, `secretId` | the key |
//! | tag | `appId`, `applicationId`, `clientId` | the application |
//! | content type | ends in `<client id>:<key id>` | both |
//! | content type | `key id <id>`, `keyId=<id>`, `secretId: <id>` | the key |
//! | content type | `client id <id>`, `appId=<id>`, `application <id>` | the application |
//! | content type | one id, after whatever else | the key |
//!
//! In names `_`, `-` and blanks do not count: `key_id` is `keyId`. Tags come first; a content type completes them where it does not
//! contradict them. Two different ids for the same thing are no mark, since one of them would be a guess.

use crate::domain::{Ident, Mark};
use uuid::Uuid;

/// Key Vault's own limit for a content type, with room.
const LONGEST: usize = 1024;

/// Hyphenated.
const GUID: usize = 36;

/// What an id is an id of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Key,
    Application,
    /// A tenant, an object: nothing that tells credentials apart.
    Else,
}

/// What `tags` and content type say together.
pub(super) fn read<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>, content_type: Option<&str>) -> Option<Mark> {
    let tags = Found::of(tags.filter_map(|(name, value)| Some((meaning(&squeezed(name))?, guid(value.trim())?))));
    let content = content_type.map(in_content_type).unwrap_or_default();
    let found = if tags.contradicts(&content) { tags } else { tags.or(content) };
    let ident = |id: Said| match id {
        Said::Once(id) => Some(Ident::new(&id.as_hyphenated().to_string())),
        Said::Nothing | Said::Differently => None,
    };
    let mark = Mark { app_id: ident(found.application), key_id: ident(found.key) };
    (mark.app_id.is_some() || mark.key_id.is_some()).then_some(mark)
}

/// What was said about one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Said {
    #[default]
    Nothing,
    Once(Uuid),
    /// Two things that cannot both be true.
    Differently,
}

impl Said {
    fn and(self, id: Uuid) -> Self {
        match self {
            Self::Nothing => Self::Once(id),
            Self::Once(known) if known == id => self,
            _ => Self::Differently,
        }
    }

    fn contradicts(self, other: Self) -> bool {
        self != Self::Nothing && other != Self::Nothing && self != other
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Found {
    key: Said,
    application: Said,
}

impl Found {
    fn of(ids: impl Iterator<Item = (Of, Uuid)>) -> Self {
        ids.fold(Self::default(), |found, (of, id)| match of {
            Of::Key => Self { key: found.key.and(id), ..found },
            Of::Application => Self { application: found.application.and(id), ..found },
            Of::Else => found,
        })
    }

    fn contradicts(&self, other: &Self) -> bool {
        self.key.contradicts(other.key) || self.application.contradicts(other.application)
    }

    fn or(self, other: Self) -> Self {
        let or = |own, other| if own == Said::Nothing { other } else { own };
        Self { key: or(self.key, other.key), application: or(self.application, other.application) }
    }
}

fn in_content_type(text: &str) -> Found {
    if text.len() > LONGEST {
        return Found::default();
    }
    let (ids, rest) = guids(text);
    let ends_in_a_pair = rest.trim().is_empty() && ids.last().is_some_and(|(between, _)| *between == ":");
    let labelled = ids.into_iter().map(|(before, id)| (label(before), id)).collect::<Vec<_>>();
    match labelled[..] {
        [.., (_, client), (_, key)] if ends_in_a_pair => {
            Found { key: Said::Once(key), application: Said::Once(client) }
        }
        [(None, id)] => Found { key: Said::Once(id), application: Said::Nothing },
        _ => Found::of(labelled.into_iter().filter_map(|(of, id)| Some((of?, id)))),
    }
}

/// The ids in a text, each with what stands between it and the one before, and what stands after the last.
fn guids(text: &str) -> (Vec<(&str, Uuid)>, &str) {
    let part_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let (mut found, mut from, mut at) = (Vec::new(), 0, 0);
    while at + GUID <= text.len() {
        let (bytes, end) = (text.as_bytes(), at + GUID);
        let free = !bytes[..at].last().is_some_and(part_of_word) && !bytes.get(end).is_some_and(part_of_word);
        match text.get(at..end).filter(|_| free).and_then(guid) {
            Some(id) => {
                found.push((&text[from..at], id));
                (from, at) = (end, end);
            }
            None => at += 1,
        }
    }
    (found, &text[from..])
}

/// Not the one of zeros, which stands in templates.
fn guid(written: &str) -> Option<Uuid> {
    let hyphenated = written.len() == GUID && written.as_bytes()[8] == b'-';
    hyphenated.then(|| Uuid::try_parse(written).ok())?.filter(|id| !id.is_nil())
}

/// What the words right before an id say that it is.
fn label(before: &str) -> Option<Of> {
    let mut words = before.rsplit(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let (last, one_before) = (words.next()?.to_lowercase(), words.next().unwrap_or_default().to_lowercase());
    meaning(&last).or_else(|| meaning(&format!("{one_before}{last}"))).or_else(|| match &*last {
        "key" => Some(Of::Key),
        "app" | "application" | "client" => Some(Of::Application),
        "tenant" | "object" | "subscription" => Some(Of::Else),
        _ => None,
    })
}

/// A name without what does not count in it.
fn squeezed(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect::<String>().to_lowercase()
}

fn meaning(name: &str) -> Option<Of> {
    match name {
        "keyid" | "secretid" => Some(Of::Key),
        "appid" | "applicationid" | "clientid" => Some(Of::Application),
        "tenantid" | "objectid" | "subscriptionid" => Some(Of::Else),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "52e98664-a50b-5791-82c6-49d4e5e72bcc";
    const APP: &str = "5b23319b-ff43-53d0-b706-2e32f9e97469";
    const OTHER: &str = "849cca37-34d6-42d9-bb7d-4d8592b385c5";
    const NIL: &str = "00000000-0000-0000-0000-000000000000";

    /// `K`, `A`, `O` and `0` stand for the ids above; what is found, the same way.
    fn check(tags: &[(&str, &str)], content_type: Option<&str>, wanted: &str) {
        let ids = [("{K}", KEY), ("{A}", APP), ("{O}", OTHER), ("{0}", NIL)];
        let full = |text: &str| ids.iter().fold(text.to_owned(), |text, (short, id)| text.replace(short, id));
        let tags: Vec<(String, String)> = tags.iter().map(|(name, value)| ((*name).to_owned(), full(value))).collect();
        let content = content_type.map(full);
        let mark = read(tags.iter().map(|(name, value)| (&**name, &**value)), content.as_deref());
        let short = |id: Option<Ident>| {
            let id = id.map(|id| id.to_string()).unwrap_or_default();
            ids.iter().find(|(_, known)| *known == id).map_or(id.clone(), |(short, _)| (*short).to_owned())
        };
        let found =
            mark.map_or("none".to_owned(), |mark| format!("app {} key {}", short(mark.app_id), short(mark.key_id)));
        assert_eq!(found.trim(), wanted, "{tags:?} {content:?}");
    }

    #[test]
    fn tags_name_the_key_and_the_application_however_they_are_spelt() {
        for name in ["keyId", "keyid", "KEYID", "key_id", "key-id", "Key Id", "secretId", "secret_id"] {
            check(&[(name, "{K}")], None, "app  key {K}");
        }
        for name in ["appId", "app_id", "app-id", "AppID", "applicationId", "clientId", "client_id", "CLIENT-ID"] {
            check(&[(name, "{A}")], None, "app {A} key");
        }
        check(&[("appId", "{A}"), ("env", "prod"), ("keyId", " {K} ")], None, "app {A} key {K}");
    }

    #[test]
    fn an_id_is_compared_in_lower_case_whatever_it_was_written_in() {
        check(&[("keyId", &KEY.to_uppercase())], None, "app  key {K}");
        check(&[], Some(&format!("keyId={}", KEY.to_uppercase())), "app  key {K}");
    }

    #[test]
    fn a_content_type_ends_in_both_or_names_one() {
        for (content, wanted) in [
            ("{A}:{K}", "app {A} key {K}"),
            ("client-secret:{A}:{K}", "app {A} key {K}"),
            ("Entra client secret: {A}:{K} ", "app {A} key {K}"),
            ("keyId={K}", "app  key {K}"),
            ("key id {K}", "app  key {K}"),
            ("Key-Id: {K}", "app  key {K}"),
            ("text/plain; key_id=\"{K}\"", "app  key {K}"),
            ("secret id {K} (rotated by hand)", "app  key {K}"),
            ("{K}", "app  key {K}"),
            ("entra secret {K}", "app  key {K}"),
            ("({K})", "app  key {K}"),
            ("clientId={A}", "app {A} key"),
            ("application {A}", "app {A} key"),
            ("appId={A};keyId={K}", "app {A} key {K}"),
            ("keyId={K}, client id {A}, tenant {O}", "app {A} key {K}"),
            ("é key id {K} é", "app  key {K}"),
        ] {
            check(&[], Some(content), wanted);
        }
    }

    #[test]
    fn anything_else_is_no_mark() {
        for content in [
            "",
            "text/plain",
            "application/x-pkcs12",
            "password for 52e98664a50b579182c649d4e5e72bcc",
            "{52e98664-a50b-5791-82c6}",
            "x{K}",
            "{K}-1",
            "{K}{A}",
            "{A} {K}",
            "{A}:{K} and more",
            "tenant id {O}",
            "keyId={0}",
            "keyId={K} keyId={O}",
            "52e98664-a50b-5791-82c6-49d4e5e72bcé",
        ] {
            check(&[], Some(content), "none");
        }
        let long = format!("{}{KEY}", " ".repeat(LONGEST));
        check(&[], Some(&long), "none");
        for (name, value) in [
            ("keyId", ""),
            ("keyId", "see the wiki"),
            ("keyId", "{0}"),
            ("keyId", "52e98664a50b579182c649d4e5e72bcc"),
            ("keyId", "{K}{K}"),
            ("id", "{K}"),
            ("mykeyid", "{K}"),
            ("tenantId", "{O}"),
        ] {
            check(&[(name, value)], None, "none");
        }
        check(&[("keyId", "{K}"), ("key_id", "{O}")], None, "none");
    }

    #[test]
    fn tags_win_over_the_content_type_which_may_complete_but_not_contradict_them() {
        check(&[("keyId", "{K}")], Some("{A}:{O}"), "app  key {K}");
        check(&[("keyId", "{K}")], Some("{A}:{K}"), "app {A} key {K}");
        check(&[("appId", "{A}")], Some("keyId={K}"), "app {A} key {K}");
        check(&[("appId", "{O}")], Some("{A}:{K}"), "app {O} key");
        check(&[("keyId", "rotate me")], Some("keyId={K}"), "app  key {K}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(tag in ".{0,60}", content in ".{0,80}", at in 0_usize..80) {
            let _ = read([("keyId", &*tag)].into_iter(), Some(&content));
            let at = content.char_indices().map(|(at, _)| at).nth(at).unwrap_or(content.len());
            let with_id = format!("{}{KEY}{}", &content[..at], &content[at..]);
            let _ = read(std::iter::empty(), Some(&with_id));
        }
    }
}
