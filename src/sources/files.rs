//! Certificates that lie in files: PEM bundles, found by pattern.
//!
//! Owns which files there are and what each can tell. Each file stands for itself: one that cannot be read says so and hides no
//! other. Refuses to know what a certificate is for. A private key beside a certificate is overwritten in memory once the file has
//! been read.

use super::x509::{Certificate, X509Error, parse_pem_bundle};
use crate::domain::Text;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;
use zeroize::Zeroizing;

/// The largest file that is read: all public roots together have a quarter of it.
const LARGEST: u64 = 1 << 20;

/// The most files that one source reads.
const MOST: usize = 10_000;

/// Why a file told nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FileError {
    #[error("there is no such file")]
    Missing,
    #[error("it cannot be read: {0}")]
    Unreadable(Text),
    #[error("it is larger than {} KiB, which no bundle of certificates is", LARGEST >> 10)]
    TooLarge,
    #[error("it holds no certificate{}", if *.keys > 0 { ", only a private key" } else { "" })]
    NoCertificate { keys: usize },
    #[error("the certificate in it cannot be read: {0}")]
    Damaged(X509Error),
}

/// Why a pattern names no files.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{pattern}`: {problem}")]
pub struct PatternError {
    pub pattern: Text,
    pub problem: Text,
}

/// All files behind the patterns, each once, in order. A pattern without wildcards names its file whether it is there or not: that
/// it went missing must be said. One with wildcards that finds nothing is an
/// error: it may be a folder that is not there at present.
///
/// # Errors
/// When a pattern is not one, or finds too much.
pub fn find(patterns: &[String]) -> Result<Vec<PathBuf>, PatternError> {
    let mut found = Vec::new();
    for pattern in patterns {
        let wrong = |problem: &str| PatternError { pattern: Text::clean(pattern), problem: Text::clean(problem) };
        if !pattern.contains(['*', '?', '[']) {
            found.push(PathBuf::from(pattern));
            continue;
        }
        let paths = glob::glob(pattern).map_err(|error| wrong(error.msg))?;
        let before = found.len();
        // A folder that may not be listed is no file, but it is said: what is in it would be missing in silence.
        for path in paths {
            let path = path.map_err(|error| wrong(&format!("{}: {}", error.path().display(), error.error())))?;
            if path.is_dir() {
                continue;
            }
            if found.len() == MOST {
                return Err(wrong("it finds more files than one source reads (10,000)"));
            }
            found.push(path);
        }
        // A volume that is not there must not pass for certificates that were taken away.
        if found.len() == before {
            return Err(wrong("it finds no file"));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The leaf certificate of one file.
///
/// # Errors
/// When the file cannot be read or holds none.
pub fn read(path: &Path) -> Result<Certificate, FileError> {
    let bytes = contents(path)?;
    let mut bundle = parse_pem_bundle(&bytes);
    // A damaged block may have been the leaf: an authority beside it must not pass for it.
    let damaged = bundle.unreadable.pop().map(FileError::Damaged);
    match bundle.leaf.map(|at| bundle.certificates.swap_remove(at)) {
        Some(leaf) if !leaf.is_ca => Ok(leaf),
        leaf => damaged.map_or_else(|| leaf.ok_or(FileError::NoCertificate { keys: bundle.keys }), Err),
    }
}

/// One file, and what it tells.
pub type Found = (PathBuf, Result<Certificate, FileError>);

/// All files behind the patterns, with what each tells.
///
/// # Errors
/// As [`find`].
pub fn read_all(patterns: &[String]) -> Result<Vec<Found>, PatternError> {
    let read_one = |path: PathBuf| {
        let read = read(&path);
        (path, read)
    };
    Ok(find(patterns)?.into_iter().map(read_one).collect())
}

fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let why = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => FileError::Missing,
        _ => FileError::Unreadable(Text::clean(&error.to_string())),
    };
    // A pipe or a device may never end, and opening a pipe waits for its writer.
    let about = path.metadata().map_err(why)?;
    if !about.is_file() {
        return Err(FileError::Unreadable(Text::clean("it is not a regular file")));
    }
    if about.len() > LARGEST {
        return Err(FileError::TooLarge);
    }
    // One allocation with room to spare, so that no copy of a key stays behind in an outgrown one.
    let room = about.len() + 4096;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(room).unwrap_or_default()));
    let mut file = File::open(path).map_err(why)?.take(room - 1);
    file.read_to_end(&mut bytes).map_err(why)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
