//! What each kind of notice is called, how loud it is, and what to do about it: one table to read from top to bottom.

use crate::domain::{Kind, NoticeKind};

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Something is broken, or about to be.
    Alarm,
    /// Something must be done in time.
    Task,
    /// Planned, or over.
    Calm,
}

impl Tone {
    pub(super) fn is_calm(self) -> bool {
        self == Self::Calm
    }

    /// How loud it is where there are no colours.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Alarm => "!!",
            Self::Task => "!",
            Self::Calm => "-",
        }
    }
}

pub(super) struct Wording {
    pub(super) tone: Tone,
    /// `{when}` stands for "in 7 days", "today", "2 days ago"; what has no end loses it.
    pub(super) headline: &'static str,
    /// The same once the end has passed while the mail was on its way.
    pub(super) headline_past: &'static str,
    pub(super) advice: &'static str,
}

/// What to do about what is over because a successor came: its maker is done, and whoever uses it may not be.
pub(super) const REPLACED: &str =
    "What was told earlier is over. If you use it: move to the successor, where you have not yet.";

/// How to speak of `notice` about a credential of `kind` (`None`: about a source).
pub(super) fn wording(notice: NoticeKind, kind: Option<Kind>) -> Wording {
    use NoticeKind as N;
    use Tone::{Alarm, Calm, Task};
    let said = |tone, headline, headline_past, advice| Wording { tone, headline, headline_past, advice };
    let renew = kind.map_or("", renew);
    match notice {
        N::Expired => said(Alarm, "Expired {when}", "Expired {when}", renew),
        N::Expiring => said(Task, "Expires {when}", "Expired {when}", renew),
        N::StillInUse => said(
            Alarm,
            "Still in use, expires {when}",
            "Still in use, expired {when}",
            "1. Find what still signs in with it. 2. Move that to the successor, which is valid, before this one ends.",
        ),
        N::RotationDue => said(Task, "Rotation due {when}", "Rotation due, expired", rotate(kind)),
        N::Retiring => said(
            Calm,
            "Retires {when}, as planned",
            "Retired {when}, as planned",
            "Nothing is wrong: a successor is valid. Make sure that everything uses it, then let this one end by itself; until then it is the way back.",
        ),
        N::Untrusted => said(
            Alarm,
            "Not trusted by clients",
            "Not trusted by clients",
            "Correct what is served: the certificate for this very host name, within its dates, with its complete chain to a known root.",
        ),
        N::NotDeployed => said(
            Task,
            "Issued, but not served",
            "Issued, but not served",
            "1. Install the new certificate, with its chain, on every host that serves this name. 2. Check what is served.",
        ),
        N::DateMismatch => said(
            Task,
            "Vault and directory disagree",
            "Vault and directory disagree",
            "1. Compare the vault's entry with the directory. 2. Store the value that is valid now. 3. Set the entry's end to the same date.",
        ),
        N::Unreachable => said(
            Task,
            "Could not be read",
            "Could not be read",
            "Check that it answers from where Expiry Watch runs. The dates given are those of the last time it was read.",
        ),
        N::SourceStale => said(
            Task,
            "Source not read",
            "Source not read",
            "Check that Expiry Watch may still sign in there (its secret, its permissions), and that the network path is open. It tries again with every poll.",
        ),
        N::Resolved => said(Calm, "Resolved", "Resolved", "Nothing about what was told earlier: that is over."),
    }
}

/// How a credential of each kind is renewed, in a line or two.
fn renew(kind: Kind) -> &'static str {
    match kind {
        Kind::ClientSecret => {
            "1. Make a new client secret. 2. Give it to what uses it and test a sign-in, production last. 3. Update the vault's copy and its end date. 4. Leave the old one until the new one is proven."
        }
        Kind::ClientCertificate => {
            "1. Make a new certificate and add it to the application. 2. Give it to what uses it and test a sign-in, production last. 3. Leave the old one until the new one is proven."
        }
        Kind::SamlSigningCertificate => {
            "1. Make a new signing certificate. 2. Hand it to the service provider. 3. Make it the active one at an agreed time and test a sign-in."
        }
        Kind::IssuedCertificate => {
            "1. Renew it with its authority. 2. Install it, with its complete chain, wherever it is used. 3. Check what is served."
        }
        Kind::ServedCertificate => {
            "1. Renew the certificate. 2. Install it, with its complete chain, on this host. 3. Check what is served."
        }
        Kind::CertificateFile => {
            "1. Renew the certificate. 2. Replace the file. 3. Make sure that what reads it has loaded the new one."
        }
        Kind::VaultSecret => {
            "1. Store the renewed value as a new version. 2. Set its end date. 3. Check that what reads it has picked it up."
        }
        Kind::VaultCertificate => {
            "1. Renew the certificate as a new version. 2. Check that what reads it has picked it up."
        }
        Kind::Declared => "1. Renew it. 2. Write its new end into the configuration of Expiry Watch.",
    }
}

fn rotate(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(kind) if kind.is_certificate() => {
            "1. Make the next certificate now. 2. Move everything to it. 3. Let the present one end by itself: it stays valid meanwhile and is the way back."
        }
        _ => {
            "1. Make the next one now. 2. Store it in the vault with its end date, and hand it to whoever uses it. 3. Have them confirm, and verify that the present one is no longer used. 4. Let it end by itself: until then it is the way back."
        }
    }
}

/// Advice in its steps, if it has any: `1. Do this. 2. Do that.`
pub(super) fn steps(advice: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let mut rest = advice;
    for number in 2.. {
        let next = rest.find(&format!(" {number}. ")).filter(|_| advice.starts_with("1. "));
        let Some(at) = next else { break };
        steps.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    steps.push(rest);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_about_every_kind_says_what_to_do() {
        for notice in NoticeKind::ALL {
            for kind in Kind::ALL {
                assert!(wording(*notice, Some(*kind)).advice.len() > 20, "{notice} {kind}");
            }
        }
    }

    #[test]
    fn advice_falls_into_its_steps() {
        assert_eq!(
            steps("1. Do this. 2. Do that, in 3 days. 3. Look."),
            ["1. Do this.", "2. Do that, in 3 days.", "3. Look."]
        );
        assert_eq!(steps("Just 2. this"), ["Just 2. this"]);
        assert_eq!(steps(rotate(None)).len(), 4);
    }

    #[test]
    fn only_what_is_planned_or_over_is_calm() {
        let calm: Vec<_> = NoticeKind::ALL.iter().filter(|kind| wording(**kind, None).tone.is_calm()).collect();
        assert_eq!(calm, [&NoticeKind::Retiring, &NoticeKind::Resolved]);
    }
}
