//! What an answer of Graph means for the message, and for all mail.
//!
//! Exchange's own codes reach us through Graph: <https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode>.

use super::super::SendError;
use crate::http::Explanation;
use reqwest::StatusCode;
use std::time::Duration;

/// For how long Graph is left alone after a 429 that does not say it.
const CROWDED: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) enum Answer {
    /// Graph has taken the responsibility for the message.
    Accepted,
    Refused {
        status: StatusCode,
        said: Explanation,
        /// For how long it asked to be left alone.
        pause: Option<Duration>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Later,
    Never,
    NoMail,
}

impl Answer {
    pub(super) fn into_result(self, server: &str) -> Result<(), SendError> {
        let Self::Refused { status, said, pause } = self else { return Ok(()) };
        let code = said.code.as_deref().unwrap_or_default();
        let advice = advice(status.as_u16(), code);
        let why = format!("{server}: {}{advice}", said.line(status));
        // Whoever is turned away for coming too often does not come back at once with the next message.
        let pause = pause.or((status == StatusCode::TOO_MANY_REQUESTS).then_some(CROWDED));
        Err(match (meaning(status.as_u16(), code), pause) {
            (Meaning::Later, Some(pause)) => SendError::Busy { why, pause },
            (Meaning::Later, None) => SendError::Deferred(why),
            (Meaning::Never, _) => SendError::Rejected(why),
            (Meaning::NoMail, _) => SendError::Paused(why),
        })
    }
}

fn meaning(status: u16, code: &str) -> Meaning {
    match (status, code) {
        // About this message, and said in so many words. Any other 400 may be about all of them: a proxy's, or a fault of ours that
        // must not throw away one message after another.
        (
            400,
            "ErrorMimeContentInvalidBase64String" | "ErrorMimeContentInvalid" | "ErrorMimeContentConversionFailed",
        ) => Meaning::Never,
        (400, "ErrorInvalidRecipients" | "ErrorMessageSizeExceeded") | (413, _) => Meaning::Never,
        (400, code) if is_about_the_mailbox(code) => Meaning::NoMail,
        (400 | 408 | 425 | 429, _) => Meaning::Later,
        // Redirects are not followed; what the client is refused, the next message would be refused as well.
        (300..=499, _) => Meaning::NoMail,
        // The server's own trouble, and whatever is no answer of Graph at all, such as a proxy's 200.
        _ => Meaning::Later,
    }
}

fn is_about_the_mailbox(code: &str) -> bool {
    matches!(
        code,
        "MailboxNotEnabledForRESTAPI"
            | "MailboxNotSupportedForRESTAPI"
            | "ErrorInvalidUser"
            | "ErrorNonExistentMailbox"
            | "ErrorSendAsDenied"
            | "ErrorAccessDenied"
            | "ErrorAccountSuspend"
            | "ErrorQuotaExceeded"
    )
}

/// What whoever runs the service can do about it; begins with `; `, or is empty.
fn advice(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (_, "ErrorSendAsDenied") => {
            "; the mailbox may not send in the name of mail.from: use the mailbox's own address there, or grant Send As"
        }
        (_, "ErrorQuotaExceeded") => "; the mailbox is full, and keeps what it sent: make room in it",
        (_, "ErrorAccountSuspend") => "; Exchange has suspended the mailbox: an administrator has to release it",
        (401, _) => {
            "; a new token was refused, too: check azure.tenant_id, and that mail.transport.graph_url belongs to azure.cloud"
        }
        (403, _) => {
            "; grant Mail.Send for mail.transport.mailbox in Exchange Online (RBAC for Applications; consent in Entra would open \
             every mailbox); it takes up to two hours to show"
        }
        (400 | 404, code) if is_about_the_mailbox(code) => NO_MAILBOX,
        (404, _) => NO_MAILBOX,
        (300..=399, _) => "; redirects are refused, the token was sent nowhere else: check mail.transport.graph_url",
        _ => "",
    }
}

const NO_MAILBOX: &str = "; there is no such mailbox in Exchange Online (a licence, or a shared mailbox, makes one): check mail.transport.mailbox";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_means_one_thing_and_says_what_to_do() {
        use Meaning::{Later, Never, NoMail};
        for (status, code, expected, said) in [
            (400, "ErrorMimeContentInvalidBase64String", Never, ""),
            (400, "ErrorInvalidRecipients", Never, ""),
            (413, "", Never, ""),
            (400, "", Later, ""),
            (400, "BadRequest", Later, ""),
            (400, "MailboxNotEnabledForRESTAPI", NoMail, "check mail.transport.mailbox"),
            (401, "InvalidAuthenticationToken", NoMail, "check azure.tenant_id"),
            (403, "ErrorAccessDenied", NoMail, "grant Mail.Send"),
            (403, "Authorization_RequestDenied", NoMail, "for mail.transport.mailbox in Exchange"),
            (403, "ErrorSendAsDenied", NoMail, "grant Send As"),
            (403, "ErrorQuotaExceeded", NoMail, "make room"),
            (404, "ErrorInvalidUser", NoMail, "check mail.transport.mailbox"),
            (404, "", NoMail, "check mail.transport.mailbox"),
            (302, "", NoMail, "check mail.transport.graph_url"),
            (407, "", NoMail, ""),
            (429, "TooManyRequests", Later, ""),
            (500, "ErrorInternalServerError", Later, ""),
            (503, "ServiceUnavailable", Later, ""),
            (504, "", Later, ""),
            (200, "", Later, ""),
        ] {
            assert_eq!(meaning(status, code), expected, "{status} {code}");
            let advice = advice(status, code);
            assert!(advice.contains(said) && (said.is_empty() == advice.is_empty()), "{status} {code}: {advice}");
        }
    }
}
