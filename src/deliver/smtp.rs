//! SMTP submission (RFC 5321, 6409), one recipient and one connection a message.
//!
//! The steps are taken one by one rather than through lettre's transport: only so it is known which step was refused, and that
//! decides what the refusal means. A refused password concerns every message, a refused recipient only this one. It also keeps a
//! server that falls silent after it has accepted a message from looking like a failure, which would send the message twice.

mod answer;
mod login;

use super::{ConnectError, SendError};
use crate::azure::Surroundings;
use crate::clock::Clock;
use crate::config::{self, Azure, SmtpTls};
use crate::domain::{Address, Text};
use answer::{Answer, Hidden, Step};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters, TlsParametersBuilder};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use login::Login;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;
use std::time::Duration;

/// The longest that handing over one message may take in all. A server may scan a message for a while before it accepts it.
const DEADLINE: Duration = Duration::from_secs(60);

/// The longest that is waited for the answer to a farewell, which nothing depends on.
const FAREWELL: Duration = Duration::from_secs(1);

/// A mail server, and how to speak to it.
pub struct Smtp {
    config: config::Smtp,
    tls: Tls,
    login: Option<Login>,
    deadline: Duration,
}

enum Tls {
    /// By STARTTLS, before anything else is said.
    Upgraded(TlsParameters),
    Implicit(TlsParameters),
    None,
}

impl Smtp {
    /// # Errors
    /// When the password or the trust anchors cannot be read, or signing in to Azure cannot be set up.
    pub fn connect(
        config: &config::Smtp,
        azure: &Azure,
        clock: &Clock,
        surroundings: &Surroundings,
    ) -> Result<Self, ConnectError> {
        let tls = tls(config)?;
        let login = config.login.as_ref().map(|login| Login::connect(login, azure, clock, surroundings)).transpose()?;
        Ok(Self { config: config.clone(), tls, login, deadline: DEADLINE })
    }

    /// With another limit on the time that one message may take.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// # Errors
    /// See [`SendError`].
    pub async fn send(&self, from: &Address, to: &Address, raw: &[u8]) -> Result<(), SendError> {
        // Lettre's own limit covers only the making of a connection: a server that falls silent later would hold us for ever.
        let mut hidden = Hidden::default();
        let handed_over = match tokio::time::timeout(self.deadline, self.hand_over(from, to, raw, &mut hidden)).await {
            Ok(handed_over) => handed_over,
            Err(_) => Err(Answer::Silence(self.deadline)),
        };
        match handed_over {
            Ok(mut connection) => {
                let _ = tokio::time::timeout(FAREWELL, connection.quit()).await;
                Ok(())
            }
            Err(answer) => {
                let advice = self.login.as_ref().map_or("", Login::advice);
                Err(answer.into_error(&self.to_string(), &hidden, advice))
            }
        }
    }

    /// Until the server has taken the responsibility for it (RFC 5321, section 4.2.5). On an error the connection is dropped.
    async fn hand_over(
        &self,
        from: &Address,
        to: &Address,
        raw: &[u8],
        hidden: &mut Hidden,
    ) -> Result<AsyncSmtpConnection, Answer> {
        let mut connection = match &self.login {
            None => self.open().await?,
            Some(Login::Password(password)) => {
                let mut connection = self.open().await?;
                password.present(&mut connection, hidden).await?;
                connection
            }
            Some(Login::Token(token)) => token.enter(|| self.open(), hidden).await?,
        };
        let sender = mailbox(from, Step::Sender)?;
        let recipient = mailbox(to, Step::Recipient)?;
        connection.command(Mail::new(Some(sender), Vec::new())).await.map_err(at(Step::Sender))?;
        connection.command(Rcpt::new(recipient, Vec::new())).await.map_err(at(Step::Recipient))?;
        connection.command(Data).await.map_err(at(Step::Message))?;
        // Lettre ends the message with a line break of its own: ours would become an empty line.
        let raw = raw.strip_suffix(b"\r\n").unwrap_or(raw);
        connection.message(raw).await.map_err(at(Step::Message))?;
        Ok(connection)
    }

    /// A connection on which nobody has signed in yet.
    async fn open(&self) -> Result<AsyncSmtpConnection, Answer> {
        let hello = ClientId::default();
        let implicit = match &self.tls {
            Tls::Implicit(parameters) => Some(parameters.clone()),
            Tls::Upgraded(_) | Tls::None => None,
        };
        let server = (self.config.host.as_str(), self.config.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, Some(self.deadline), &hello, implicit, None)
            .await
            .map_err(at(Step::Connection))?;
        if let Tls::Upgraded(parameters) = &self.tls {
            if !connection.can_starttls() {
                return Err(Answer::NoStartTls);
            }
            connection.starttls(parameters.clone(), &hello).await.map_err(at(Step::Connection))?;
        }
        Ok(connection)
    }

    /// Reads again what may have been replaced meanwhile.
    pub(super) async fn set_up_anew(&mut self) -> Result<(), ConnectError> {
        self.tls = tls(&self.config)?;
        match &mut self.login {
            Some(login) => login.set_up_anew().await,
            None => Ok(()),
        }
    }
}

fn at(step: Step) -> impl Fn(lettre::transport::smtp::Error) -> Answer {
    move |error| Answer::Error(step, error)
}

/// Every [`Address`] was parsed by lettre's own parser, so this does not fail; were it to, only this message would be concerned.
fn mailbox(address: &Address, step: Step) -> Result<lettre::Address, Answer> {
    address.as_str().parse().map_err(|_| Answer::NotAnAddress(step))
}

fn tls(config: &config::Smtp) -> Result<Tls, ConnectError> {
    let parameters = || {
        let mut builder = TlsParameters::builder(config.host.clone());
        if let Some(roots) = &config.roots {
            let pem = roots.read().map_err(|source| ConnectError::Secret { key: "roots", source })?;
            builder = with_roots(builder, pem.expose())?;
        }
        builder.build().map_err(|error| ConnectError::Tls(one_line(&error)))
    };
    Ok(match config.tls {
        SmtpTls::StartTls => Tls::Upgraded(parameters()?),
        SmtpTls::Implicit => Tls::Implicit(parameters()?),
        SmtpTls::None => Tls::None,
    })
}

fn with_roots(mut builder: TlsParametersBuilder, pem: &str) -> Result<TlsParametersBuilder, ConnectError> {
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let roots = roots.map_err(|error| ConnectError::Roots(one_line(&error)))?;
    if roots.is_empty() {
        return Err(ConnectError::Roots("there is no certificate in it".to_owned()));
    }
    for root in roots {
        let root = Certificate::from_der(root.to_vec()).map_err(|error| ConnectError::Roots(one_line(&error)))?;
        builder = builder.add_root_certificate(root);
    }
    Ok(builder)
}

fn one_line(error: &impl fmt::Display) -> String {
    Text::clean(&error.to_string()).to_string()
}

impl fmt::Display for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.config.host, self.config.port)
    }
}

/// Shows the server and nothing that signs in to it.
impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({self})")
    }
}

#[cfg(test)]
mod tests;
