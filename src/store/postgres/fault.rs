//! What went wrong with a server, in words that say what to do. Codes: PostgreSQL's manual, appendix A.

use crate::config::PostgresAddress;
use std::io::ErrorKind;

/// Whether the server refuses the role or the password.
pub(super) fn is_refused_sign_in(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("28P01" | "28000"))
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// One line, without what was bound to a statement.
pub(super) fn sentence(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(refusal) => refused(refusal.message(), &code(error).unwrap_or_default()),
        sqlx::Error::Io(error) => cut_off(error),
        sqlx::Error::Tls(why) if why.to_string().contains("does not support TLS") => {
            "the server does not speak TLS; turn it on there, or say `sslmode=disable` where the way to it is safe"
                .to_owned()
        }
        sqlx::Error::Tls(why) => format!("TLS cannot be set up: {why}"),
        other => other.to_string(),
    }
}

fn refused(said: &str, code: &str) -> String {
    match code {
        "28P01" | "28000" => {
            format!("the sign-in is refused: {said}; look at the role, its password, and the server's pg_hba.conf")
        }
        "3D000" => format!("{said}; make it with CREATE DATABASE"),
        "42501" | "3F000" => {
            format!("{said}; the role needs USAGE and CREATE on the schema, and the tables must be its own")
        }
        "25006" => format!("{said}; it is a standby, or its sessions are read-only: name the server that takes writes"),
        "53300" => format!("{said}; each replica needs two connections"),
        "55P03" => "another process has been writing for 10 s; trying again".to_owned(),
        "57014" => "a statement took longer than 25 s and was broken off; trying again".to_owned(),
        "57P01" | "57P02" | "57P03" => format!("{said}; trying again"),
        _ => format!("{said} (SQLSTATE {code})"),
    }
}

fn cut_off(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            format!("nothing answers there ({error}); is it running, and is the port right?")
        }
        ErrorKind::NotFound => format!("there is no such socket or host ({error})"),
        ErrorKind::InvalidData => {
            format!(
                "the server does not prove who it is: {error}; name its authority with `sslrootcert=PATH` in the URL"
            )
        }
        ErrorKind::UnexpectedEof => "the server closed the connection; trying again".to_owned(),
        _ => error.to_string(),
    }
}

/// What is wrong with the files that the address names, which sqlx would not say.
pub(super) fn unreadable_files(address: &PostgresAddress) -> Result<(), String> {
    let roots = address.roots.iter().map(|path| ("sslrootcert", path));
    let own = address.certificate.iter().flat_map(|(certificate, key)| [("sslcert", certificate), ("sslkey", key)]);
    for (name, path) in roots.chain(own) {
        std::fs::File::open(path).map_err(|why| format!("{name} {}: {why}", path.display()))?;
    }
    Ok(())
}
