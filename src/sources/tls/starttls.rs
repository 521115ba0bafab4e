//! Asking for TLS in protocols that begin in clear, and not a word more than that takes.

use super::StartTls;
use super::wire::{Wire, said};
use crate::domain::Text;

/// The longest line of an answer, and the most of all lines together: a greeting has some hundred bytes.
const LONGEST_LINE: usize = 2 << 10;
const LONGEST_TALK: usize = 16 << 10;

/// Leads the conversation up to where the next byte is TLS.
///
/// # Errors
/// What the server said instead.
pub(super) async fn change_over(wire: &mut Wire, protocol: StartTls) -> Result<(), Text> {
    let mut talk = Talk { wire, heard: Vec::new(), total: 0 };
    match protocol {
        StartTls::Smtp => talk.smtp().await?,
        StartTls::Ftp => talk.ftp().await?,
        StartTls::Imap => talk.imap().await?,
        StartTls::Pop3 => talk.pop3().await?,
        StartTls::Ldap => talk.ldap().await?,
        StartTls::Postgres => talk.postgres().await?,
    }
    if talk.heard.is_empty() { Ok(()) } else { Err(Text::clean("it went on talking in clear")) }
}

struct Talk<'a> {
    wire: &'a mut Wire,
    /// What was received and not yet taken.
    heard: Vec<u8>,
    total: usize,
}

impl Talk<'_> {
    /// RFC 3207.
    async fn smtp(&mut self) -> Result<(), Text> {
        self.reply("220").await?;
        let name = match self.wire.local_address().map(|address| address.ip().to_canonical()) {
            Some(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            Some(std::net::IpAddr::V4(ip)) => format!("[{ip}]"),
            None => "[127.0.0.1]".to_owned(),
        };
        self.say(format!("EHLO {name}\r\n").as_bytes()).await?;
        self.reply("250").await?;
        self.say(b"STARTTLS\r\n").await?;
        self.reply("220").await
    }

    /// RFC 4217.
    async fn ftp(&mut self) -> Result<(), Text> {
        self.reply("220").await?;
        self.say(b"AUTH TLS\r\n").await?;
        self.reply("234").await
    }

    /// RFC 9051, section 6.2.1.
    async fn imap(&mut self) -> Result<(), Text> {
        let greeting = self.line().await?;
        if !(begins(&greeting, "* OK") || begins(&greeting, "* PREAUTH")) {
            return Err(Text::clean(&greeting));
        }
        self.say(b"a1 STARTTLS\r\n").await?;
        loop {
            let line = self.line().await?;
            match line.strip_prefix("a1 ") {
                Some(answer) if begins(answer, "OK") => return Ok(()),
                Some(_) => return Err(Text::clean(&line)),
                None => {}
            }
        }
    }

    /// RFC 2595, section 4.
    async fn pop3(&mut self) -> Result<(), Text> {
        for question in [None, Some(&b"STLS\r\n"[..])] {
            if let Some(question) = question {
                self.say(question).await?;
            }
            let line = self.line().await?;
            if !begins(&line, "+OK") {
                return Err(Text::clean(&line));
            }
        }
        Ok(())
    }

    /// RFC 4511, section 4.14: an extended request by its identifier, and the result code in its response.
    async fn ldap(&mut self) -> Result<(), Text> {
        self.say(b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037").await?;
        let (tag, length) = self.header().await?;
        if tag != 0x30 || length > LONGEST_LINE {
            return Err(Text::clean("what answers does not speak LDAP"));
        }
        let message = self.take(length).await?;
        match ldap_result(&message) {
            Some(0) => Ok(()),
            Some(code) => Err(Text::clean(&format!("LDAP result {code}"))),
            None => Err(Text::clean("it answers something else")),
        }
    }

    /// The frontend protocol's SSLRequest.
    async fn postgres(&mut self) -> Result<(), Text> {
        self.say(b"\0\0\0\x08\x04\xd2\x16\x2f").await?;
        match self.take(1).await?[..] {
            [b'S'] => Ok(()),
            [b'N'] => Err(Text::clean("it answers that it has no TLS")),
            _ => Err(Text::clean("what answers does not speak PostgreSQL")),
        }
    }

    /// A reply of one or more lines (RFC 5321, section 4.2.1; RFC 959, section 4.2), which must have this code.
    async fn reply(&mut self, code: &str) -> Result<(), Text> {
        let first = self.line().await?;
        if !first.starts_with(code) {
            return Err(Text::clean(&first));
        }
        let last = format!("{code} ");
        let mut line = first;
        // In FTP only the first and the last line have the code.
        while line != code && !line.starts_with(&last) {
            line = self.line().await?;
        }
        Ok(())
    }

    async fn say(&mut self, words: &[u8]) -> Result<(), Text> {
        self.wire.write(words).await.map_err(|error| said(&error))
    }

    async fn line(&mut self) -> Result<String, Text> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            }
            if self.heard.len() > LONGEST_LINE {
                return Err(Text::clean("it sends a line without end"));
            }
            self.listen().await?;
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Text> {
        while self.heard.len() < length {
            self.listen().await?;
        }
        Ok(self.heard.drain(..length).collect())
    }

    /// The tag and length of what comes next in BER.
    async fn header(&mut self) -> Result<(u8, usize), Text> {
        let head = self.take(2).await?;
        let length = match head[1] {
            short @ 0..=0x7F => usize::from(short),
            // 1 to 4 bytes of length: Active Directory always writes four.
            long @ 0x81..=0x84 => {
                let bytes = self.take(usize::from(long - 0x80)).await?;
                bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
            }
            _ => usize::MAX,
        };
        Ok((head[0], length))
    }

    async fn listen(&mut self) -> Result<(), Text> {
        let read = self.wire.read().await.map_err(|error| said(&error))?;
        self.total += read.len();
        if read.is_empty() {
            return Err(Text::clean("it hung up"));
        }
        if self.total > LONGEST_TALK {
            return Err(Text::clean("it says more than 16 KiB before TLS"));
        }
        self.heard.extend(read);
        Ok(())
    }
}

fn begins(line: &str, word: &str) -> bool {
    line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The result code of an ExtendedResponse: message id, then the response `[APPLICATION 24]`, which begins with the code.
fn ldap_result(message: &[u8]) -> Option<u8> {
    let (&[2, length], rest) = message.split_first_chunk()? else { return None };
    let (&[0x78, length], rest) = rest.get(usize::from(length)..)?.split_first_chunk()? else { return None };
    // The length of the response itself can have more bytes; the code follows them.
    let rest = rest.get(usize::from(length.saturating_sub(0x80))..)?;
    match rest {
        [0x0A, 1, code, ..] => Some(*code),
        _ => None,
    }
}
