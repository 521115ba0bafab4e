//! What can be wrong beside the dates: untrusted, not deployed, unreachable.

use super::calendar::Calendar;
use super::verdict::Condition;
use crate::domain::{Credential, Kind, NoticeKind, Policy, Trouble};
use crate::inventory::{Entry, Inventory};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// What authorities have issued, by the names it covers (a wildcard under its own spelling).
pub struct Issued<'a> {
    by_name: HashMap<&'a str, Vec<&'a Entry>>,
}

impl<'a> Issued<'a> {
    #[must_use]
    pub fn of(inventory: &'a Inventory) -> Self {
        let mut by_name: HashMap<&str, Vec<&Entry>> = HashMap::new();
        for entry in inventory.entries() {
            let credential = &entry.credential;
            if credential.kind == Kind::IssuedCertificate && entry.missing_since.is_none() {
                for name in credential.x509.iter().flat_map(|x509| &x509.names) {
                    by_name.entry(name.as_str()).or_default().push(entry);
                }
            }
        }
        Self { by_name }
    }

    /// All that cover `name`, exactly or by a wildcard, valid or not.
    pub fn covering(&self, name: &str) -> impl Iterator<Item = &'a Entry> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        [Some(name), wildcard]
            .into_iter()
            .flatten()
            .filter_map(|name| self.by_name.get(name.as_str()))
            .flatten()
            .copied()
    }

    /// The newest valid one that covers `name`.
    fn newest(&self, name: &str, now: Timestamp) -> Option<&'a Entry> {
        let valid = self.covering(name).filter(|entry| entry.credential.is_valid_at(now));
        valid.max_by_key(|entry| (entry.credential.not_before, entry.credential.expires_at))
    }

    /// Whether `served` is served though no authority that is read has issued it. Nothing can be said where none is read.
    #[must_use]
    pub fn is_foreign(&self, served: &Credential) -> bool {
        let Some(x509) = served.x509.as_deref().filter(|_| served.kind == Kind::ServedCertificate) else {
            return false;
        };
        let issued = || x509.names.iter().filter_map(|name| self.by_name.get(name.as_str())).flatten();
        !self.by_name.is_empty()
            && !issued().filter_map(|entry| entry.credential.x509.as_ref()).any(|issued| issued.is_same(x509))
    }
}

/// Everything that is wrong with what `entry` describes, whether anybody has been told or not.
#[must_use]
pub fn conditions(entry: &Entry, issued: &Issued<'_>, policy: &Policy, calendar: &Calendar<'_>) -> Vec<Condition> {
    [trouble(entry, policy, calendar.now), not_deployed(entry, issued, calendar)].into_iter().flatten().collect()
}

/// Make sure that a target is called unreachable only after its source's patience, and untrusted at once.
fn trouble(entry: &Entry, policy: &Policy, now: Timestamp) -> Option<Condition> {
    let since = **entry.trouble_since.as_ref()?;
    let condition = |kind, reason: &str| Some(Condition { kind, since, reason: reason.to_owned(), due: false });
    match entry.credential.trouble.as_deref()? {
        // What has expired is expired, not also untrusted.
        Trouble::Untrusted(_) if entry.credential.has_ended_at(now) => None,
        Trouble::Untrusted(why) => condition(NoticeKind::Untrusted, why.as_str()),
        Trouble::Unreachable(why) | Trouble::Unresolved(why) => {
            let patience = SignedDuration::from_secs(policy.stale_after.get(&entry.credential.source)?.seconds());
            (now.duration_since(since) > patience).then_some(())?;
            condition(NoticeKind::Unreachable, why.as_str())
        }
    }
}

/// Make sure that a certificate that was bought and not installed is an alarm: an authority has issued a newer and longer-lived one
/// for the name, and this node still serves the older.
fn not_deployed(entry: &Entry, issued: &Issued<'_>, calendar: &Calendar<'_>) -> Option<Condition> {
    let served = &*entry.credential;
    if served.kind != Kind::ServedCertificate {
        return None;
    }
    let (old, newer) = (served.x509.as_deref()?, issued.newest(served.holder.name.as_str(), calendar.now)?);
    let new = newer.credential.x509.as_deref()?;
    if old.is_same(new) || !is_newer(&newer.credential, served) {
        return None;
    }
    let end = |credential: &Credential| {
        credential.expires_at.map_or("never".to_owned(), |end| calendar.date(end).to_string())
    };
    let reason = format!(
        "{} still serves the certificate {} (ends {}), though {} (ends {}) was issued for it",
        served.label,
        old.serial,
        end(served),
        new.serial,
        end(&newer.credential)
    );
    Some(Condition { kind: NoticeKind::NotDeployed, since: newer.first_seen.max(entry.first_seen), reason, due: false })
}

fn is_newer(new: &Credential, old: &Credential) -> bool {
    let started_later = matches!((new.not_before, old.not_before), (Some(new), Some(old)) if new > old);
    let ends_later = match (new.expires_at, old.expires_at) {
        (Some(new), Some(old)) => new > old,
        (None, Some(_)) => true,
        _ => false,
    };
    started_later && ends_later
}
