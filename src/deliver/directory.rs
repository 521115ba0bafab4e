//! A folder as a mailbox: one `.eml` a message, complete or not there at all.

use super::SendError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// # Errors
    /// [`SendError::Deferred`] when the folder or the file cannot be written.
    pub async fn write(&self, raw: &[u8], message_id: &str) -> Result<(), SendError> {
        let (folder, name, raw) = (self.path.clone(), file_name(raw, message_id), raw.to_vec());
        let written = tokio::task::spawn_blocking(move || write_whole(&folder, &name, &raw)).await;
        let error = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(SendError::Deferred(format!("the folder {} cannot be written: {error}", self.path.display())))
    }
}

/// Under another name first: whoever watches the folder for `*.eml` never sees half a message, not even after a power cut.
fn write_whole(folder: &Path, name: &str, raw: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
    let written = write_synced(&unfinished, raw).and_then(|()| fs::rename(&unfinished, folder.join(name)));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished); // It may not even be there; the first error is the one to tell.
    }
    written?;
    File::open(folder)?.sync_all()
}

fn write_synced(path: &Path, raw: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(raw)?;
    file.sync_all()
}

/// `<date>-<local part of the Message-ID>.eml`, from what the message itself carries: the same message is always the same file.
fn file_name(raw: &[u8], message_id: &str) -> String {
    let local = message_id.trim_start_matches('<').split('@').next().unwrap_or_default();
    format!("{}-{}.eml", date_of(raw).unwrap_or_else(|| "undated".to_owned()), plain(local))
}

/// Letters, digits, `-` and `.` stay; anything else becomes `_` and its code, so that two ids never share a file.
fn plain(id: &str) -> String {
    id.chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' => c.to_string(),
            _ => format!("_{:X}_", u32::from(c)),
        })
        .collect()
}

fn date_of(raw: &[u8]) -> Option<String> {
    let head = raw.split(|b| *b == b'\n').take_while(|line| !matches!(line, [] | [b'\r']));
    let date = head.filter_map(|line| line.strip_prefix(b"Date: ")).next()?;
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date.trim_ascii()).ok()?;
    Some(at.strftime("%Y%m%dT%H%M%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] = b"Date: Sat, 21 Nov 2026 16:00:00 +0000\r\nSubject: x\r\n\r\nDate: none\r\n";

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_message_is_one_file_with_its_exact_bytes_however_often_it_is_sent() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("deep/outbox");
        let directory = Directory::new(&folder);
        for _ in 0..2 {
            directory.write(RAW, "<digest-1@example.ca>").await.unwrap();
        }
        directory.write(RAW, "<digest-2@example.ca>").await.unwrap();
        assert_eq!(names(&folder), ["20261121T160000Z-digest-1.eml", "20261121T160000Z-digest-2.eml"]);
        assert_eq!(fs::read(folder.join("20261121T160000Z-digest-1.eml")).unwrap(), RAW);
    }

    #[test]
    fn a_name_cannot_leave_the_folder_and_two_ids_never_share_one() {
        for (id, name) in [
            ("<../../etc/passwd@x>", "undated-..__2F_..__2F_etc_2F_passwd.eml"),
            ("<a/b@x>", "undated-a_2F_b.eml"),
            ("<a_b@x>", "undated-a_5F_b.eml"),
            ("<é\0@x>", "undated-_E9__0_.eml"),
            ("", "undated-.eml"),
        ] {
            let found = file_name(b"no head", id);
            assert!(!found.contains(['/', '\0']), "{found}");
            if !id.contains("..") {
                assert_eq!(found, name);
            }
        }
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_defers_and_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a-file");
        fs::write(&file, "").unwrap();
        let error = Directory::new(&file).write(RAW, "<1@x>").await.unwrap_err();
        assert!(matches!(&error, SendError::Deferred(why) if why.contains("a-file")), "{error:?}");
        // The name is taken by a folder: the rename fails, and the unfinished file goes.
        fs::create_dir(root.path().join("20261121T160000Z-1.eml")).unwrap();
        assert!(Directory::new(root.path()).write(RAW, "<1@x>").await.is_err());
        assert_eq!(names(root.path()), ["20261121T160000Z-1.eml", "a-file"]);
    }
}
