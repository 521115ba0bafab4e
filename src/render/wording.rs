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
}

pub(super) struct Wording {
    pub(super) tone: Tone,
    /// `{when}` stands for "in 7 days", "today", "2 days ago"; what has no end loses it.
    pub(super) headline: &'static str,
    /// The same once the end has passed while the mail was on its way.
    pub(super) headline_past: &'static str,
    pub(super) advice: &'static str,
}

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
            "A successor is valid, yet the old one is still used. Find what signs in with it and move that to the successor before it ends.",
        ),
        N::RotationDue => said(Task, "Rotation due {when}", "Rotation due, expired", rotate(kind)),
        N::Retiring => said(
            Calm,
            "Retires {when}, as planned",
            "Retired {when}, as planned",
            "Nothing is wrong: a successor is valid. Make sure that everything uses the successor, then let this one end by itself; until then it is the way back.",
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
            "Install the new certificate, with its chain, on every host that serves this name, and check what is served afterwards.",
        ),
        N::DateMismatch => said(
            Task,
            "Vault and directory disagree",
            "Vault and directory disagree",
            "Compare the vault's entry with the directory: store the value that is valid now, and set the entry's end to the same date.",
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

/// How a credential of each kind is renewed, where no runbook says it better.
fn renew(kind: Kind) -> &'static str {
    match kind {
        Kind::ClientSecret => {
            "Make a new client secret for the application, give it to whatever uses it, test a sign-in, and update its copy and end date in the vault. Leave the old one until the new one is proven."
        }
        Kind::ClientCertificate => {
            "Make a new certificate, add it to the application, give it to whatever uses it and test a sign-in. Leave the old one until the new one is proven."
        }
        Kind::SamlSigningCertificate => {
            "Make a new signing certificate, hand it to the service provider, make it the active one at an agreed time, and test a sign-in."
        }
        Kind::IssuedCertificate => {
            "Renew the certificate with its authority, install it with its complete chain wherever it is used, and check what is served."
        }
        Kind::ServedCertificate => {
            "Renew the certificate, install it with its complete chain on this host, and check what is served."
        }
        Kind::CertificateFile => {
            "Renew the certificate, replace the file, and make sure that whatever reads it has loaded the new one."
        }
        Kind::VaultSecret => {
            "Store the renewed value as a new version with its end date, and check that what reads it has picked it up."
        }
        Kind::VaultCertificate => {
            "Renew the certificate as a new version, and check that what reads it has picked it up."
        }
        Kind::Declared => "Renew it, then write its new end into the configuration of Expiry Watch.",
    }
}

fn rotate(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(kind) if kind.is_certificate() => {
            "Make the next certificate now and move everything to it; the present one stays valid meanwhile and is the way back."
        }
        _ => {
            "Make the next one now, hand it to whoever uses it, and verify that they have moved; the present one stays valid meanwhile and is the way back."
        }
    }
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
    fn only_what_is_planned_or_over_is_calm() {
        let calm: Vec<_> = NoticeKind::ALL.iter().filter(|kind| wording(**kind, None).tone.is_calm()).collect();
        assert_eq!(calm, [&NoticeKind::Retiring, &NoticeKind::Resolved]);
    }
}
