//! Signing in to a mail server: by a password, or in the name of a mailbox with a token from Azure (XOAUTH2).
//!
//! <https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth>

use super::super::pace::Pace;
use super::super::{ConnectError, signing_in};
use super::answer::{Answer, Hidden, Step};
use super::at;
use crate::azure::{Surroundings, Tokens};
use crate::clock::Clock;
use crate::config::{Azure, Secret, SecretRef, SmtpLogin};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Auth;

const PASSWORD_MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

pub(super) enum Login {
    Password(Password),
    Token(Box<Token>),
}

pub(super) struct Password {
    username: String,
    place: SecretRef,
    password: Secret,
}

/// Lettre fixes what signs in before the conversation begins, so each connection gets the token of its moment.
pub(super) struct Token {
    mailbox: String,
    tokens: Tokens,
    pace: Pace,
}

impl Login {
    pub(super) fn connect(
        login: &SmtpLogin,
        azure: &Azure,
        clock: &Clock,
        surroundings: &Surroundings,
    ) -> Result<Self, ConnectError> {
        Ok(match login {
            SmtpLogin::Password { username, password } => Self::Password(Password {
                username: username.clone(),
                place: password.clone(),
                password: read(password)?,
            }),
            SmtpLogin::Xoauth2 { mailbox } => Self::Token(Box::new(Token {
                mailbox: mailbox.as_str().to_owned(),
                tokens: Tokens::connect(azure, azure.cloud.exchange_audience(), clock, surroundings)?,
                pace: Pace::new(clock),
            })),
        })
    }

    pub(super) async fn set_up_anew(&mut self) -> Result<(), ConnectError> {
        match self {
            Self::Password(password) => password.password = read(&password.place)?,
            Self::Token(token) => token.tokens.renew_next().await,
        }
        Ok(())
    }

    /// What to do where the sign-in is refused; begins with `; `, or is empty.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Password(_) => "",
            Self::Token(_) => {
                "; a new token was refused, too: grant SMTP.SendAsApp (Office 365 Exchange Online) to the application, with admin \
                 consent; make it known to Exchange (New-ServicePrincipal); give it the mailbox (Add-MailboxPermission); and allow \
                 SMTP AUTH there (Set-CASMailbox -SmtpClientAuthenticationDisabled $false)"
            }
        }
    }
}

fn read(password: &SecretRef) -> Result<Secret, ConnectError> {
    password.read().map_err(|source| ConnectError::Secret { key: "password", source })
}

impl Password {
    pub(super) async fn present(&self, line: &mut AsyncSmtpConnection, hidden: &mut Hidden) -> Result<(), Answer> {
        hidden.password(&self.username, self.password.expose());
        let credentials = Credentials::new(self.username.clone(), self.password.expose().to_owned());
        line.auth(PASSWORD_MECHANISMS, &credentials).await.map_err(at(Step::Login))?;
        Ok(())
    }
}

impl Token {
    /// A connection from `open` on which the mailbox is signed in. Where its token is refused, it is tried once more with a new one.
    pub(super) async fn enter<F: Future<Output = Result<AsyncSmtpConnection, Answer>>>(
        &self,
        open: impl Fn() -> F,
        hidden: &mut Hidden,
    ) -> Result<AsyncSmtpConnection, Answer> {
        self.pace.turn().await;
        let mut renewed = false;
        loop {
            let bearer = self.tokens.bearer().await.map_err(|error| Answer::NoToken(signing_in(error)))?;
            hidden.token(&self.mailbox, bearer.token());
            let mut line = open().await?;
            match self.present(&mut line, bearer.token()).await {
                Ok(()) => return Ok(line),
                Err(refused) if refused.is_of_the_login() && !renewed => {
                    renewed = true;
                    self.tokens.forget(bearer.serial).await;
                }
                Err(answer) => return Err(answer),
            }
        }
    }

    async fn present(&self, line: &mut AsyncSmtpConnection, token: &str) -> Result<(), Answer> {
        if !line.server_info().supports_auth_mechanism(Mechanism::Xoauth2) {
            return Err(Answer::NoXoauth2);
        }
        let credentials = Credentials::new(self.mailbox.clone(), token.to_owned());
        let auth = Auth::new(Mechanism::Xoauth2, credentials, None).map_err(at(Step::Login))?;
        let response = line.command(auth).await.map_err(at(Step::Login))?;
        if !response.has_code(334) {
            return Ok(());
        }
        // A refusal that comes as a challenge. Its reason follows after an empty answer, which lettre's own way of signing in would
        // not give. Whatever else follows, it was a refusal.
        match line.command("\r\n").await {
            Err(error) if error.status().is_some() => Err(Answer::Error(Step::Login, error)),
            _ => Err(Answer::Challenged),
        }
    }
}
