//! Secrets by reference, and secrets that do not show themselves.

use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// The most that is read from a file that holds a secret, in bytes.
const LARGEST: u64 = 1 << 20;

/// Where a secret is kept: `{ env = "NAME" }` or `{ file = "PATH" }`. The name is no secret; what it names is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    Env(String),
    File(PathBuf),
}

/// A secret's value. Its `Debug` shows nothing of it, and it has no `Display`.
#[derive(Clone)]
pub struct Secret(String);

#[derive(Debug, Error)]
pub enum SecretError {
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    #[error("the environment variable {0} is empty or not text")]
    NotText(String),
    #[error("the file {path} cannot be read: {why}")]
    Unreadable { path: String, why: String },
}

impl SecretRef {
    /// Fetches the value. A line break at the end, as editors leave one, is not part of it.
    ///
    /// # Errors
    /// When it is not there, not text, empty, or larger than 1 MiB. The message names the place, never the value.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let value = match self {
            Self::Env(name) => match std::env::var(name) {
                Ok(value) => value,
                Err(std::env::VarError::NotPresent) => return Err(SecretError::NotSet(name.clone())),
                Err(std::env::VarError::NotUnicode(_)) => return Err(SecretError::NotText(name.clone())),
            },
            Self::File(path) => {
                let unreadable = |why: &dyn fmt::Display| SecretError::Unreadable {
                    path: path.display().to_string(),
                    why: why.to_string(),
                };
                let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
                if size > LARGEST {
                    return Err(unreadable(&"it is larger than 1 MiB"));
                }
                std::fs::read_to_string(path).map_err(|error| unreadable(&error))?
            }
        };
        let value = value.trim_end_matches(['\r', '\n']);
        match (value.is_empty(), self) {
            (false, _) => Ok(Secret(value.to_owned())),
            (true, Self::Env(name)) => Err(SecretError::NotText(name.clone())),
            (true, Self::File(path)) => {
                Err(SecretError::Unreadable { path: path.display().to_string(), why: "it is empty".to_owned() })
            }
        }
    }
}

impl Secret {
    #[must_use]
    pub fn new(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// The value itself; every use of this is a place to look at twice.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }

    #[test]
    fn a_file_gives_its_text_without_the_last_line_break_and_an_error_names_only_the_place() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "hunter2\r\n").unwrap();
        assert_eq!(SecretRef::File(file.path().into()).read().unwrap().expose(), "hunter2");
        let empty = tempfile::NamedTempFile::new().unwrap();
        assert!(SecretRef::File(empty.path().into()).read().unwrap_err().to_string().contains("it is empty"));
        let error = SecretRef::Env("EXPIRY_WATCH_TEST_NOT_SET".to_owned()).read().unwrap_err();
        assert_eq!(error.to_string(), "the environment variable EXPIRY_WATCH_TEST_NOT_SET is not set");
    }
}
