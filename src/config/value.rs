//! The values that many keys share: text, choices, periods, secrets by reference, URLs. Each getter gives the value or notes
//! what is wrong with it, and never both.

use super::SecretRef;
use super::problem::quoted;
use super::read::{Item, Table};
use crate::domain::{Address, Period, Text, Threshold};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use toml::de::DeValue;
use url::{Host, Url};

/// How a secret is written.
pub(super) const SECRET: &str = "{ env = \"NAME\" }  # or { file = \"/path\" }";

impl<'a> Item<'a> {
    /// Text that is not blank.
    pub(super) fn string(&self, example: &str) -> Option<&'a str> {
        match self.value.as_str() {
            Some(text) if !text.trim().is_empty() => return Some(text),
            Some(_) => self.wrong("it must not be empty", example),
            None => self.wrong("text in quotes is wanted", example),
        }
        None
    }

    /// Text for people: made harmless, at most as long as [`Text`] can be.
    pub(super) fn text(&self, example: &str) -> Option<Text> {
        let written = self.string(example)?;
        let text = Text::clean(written);
        if text.is_empty() || text.as_str().ends_with('…') && !written.trim_end().ends_with('…') {
            self.wrong("text of 1 to 256 visible characters is wanted", example);
            return None;
        }
        Some(text)
    }

    /// Text that something else can read.
    pub(super) fn parsed<T, E: Display>(&self, example: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match parse(self.string(example)?) {
            Ok(value) => Some(value),
            Err(why) => {
                self.wrong(why, example);
                None
            }
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let truth = self.value.as_bool();
        if truth.is_none() {
            self.wrong("true or false is wanted, without quotes", "true");
        }
        truth
    }

    pub(super) fn port(&self, example: &str) -> Option<u16> {
        let number = self.value.as_integer().and_then(|n| u16::from_str_radix(n.as_str(), n.radix()).ok());
        let port = number.filter(|port| *port > 0);
        if port.is_none() {
            self.wrong("a port is a number from 1 to 65535, without quotes", example);
        }
        port
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let first = choices.first().map_or("", |(word, _)| word);
        let written = self.string(&quoted(first))?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == written) {
            return Some(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let meant = self.place.nearest(written, words.iter().copied());
        self.wrong(format_args!("it is one of {}", words.join(", ")), &quoted(meant.unwrap_or(first)));
        None
    }

    /// A length of time, which may be nothing.
    pub(super) fn period(&self, example: &str) -> Option<Period> {
        self.length(example)
    }

    /// A period in which something happens again, so it cannot be of length nothing.
    pub(super) fn period_above_zero(&self, example: &str) -> Option<Period> {
        let period: Period = self.length(example)?;
        if period.seconds() == 0 {
            self.wrong("it must be longer than nothing", example);
            return None;
        }
        Some(period)
    }

    pub(super) fn threshold(&self, example: &str) -> Option<Threshold> {
        self.length(example)
    }

    fn length<T: FromStr<Err = crate::domain::PeriodError>>(&self, example: &str) -> Option<T> {
        use crate::domain::PeriodError;
        self.parsed(example, |written| {
            written.parse().map_err(|error| match error {
                // What was found is said already.
                PeriodError::NotAPeriod(_) => "a whole number and a unit are wanted: d, h, m or s".to_owned(),
                PeriodError::TooLong(_) => format!("it is too long: at most {}d", Period::MOST),
                PeriodError::NotAShare(_) => "a share of the lifetime is \"1%\" to \"99%\"".to_owned(),
            })
        })
    }

    pub(super) fn address(&self) -> Option<Address> {
        self.parsed("\"ops@example.ca\"", |written| {
            written.parse().map_err(|_| "a plain mail address is wanted, such as \"name@example.ca\"")
        })
    }

    /// Where a secret is kept. Whatever else stands there may be the secret itself, so it is never shown.
    pub(super) fn secret(&self) -> Option<SecretRef> {
        if !matches!(self.value, DeValue::Table(_)) {
            self.place.problem(
                "a secret is never written in the file (what was found is not shown here): say where it is kept",
                SECRET,
            );
            return None;
        }
        let (env, file) = self.table(SECRET, |t| (t.get("env"), t.get("file")))?;
        let secret = match (env, file) {
            (Some(env), None) => env.environment_variable().map(SecretRef::Env),
            (None, Some(file)) => file.path_of_secret().map(SecretRef::File),
            _ => {
                self.place.problem("a secret is kept in one place, `env` or `file`", SECRET);
                None
            }
        }?;
        self.place.refers_to(&secret);
        Some(secret)
    }

    fn environment_variable(&self) -> Option<String> {
        let name = self.value.as_str().filter(|name| {
            let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            word && (1..=128).contains(&name.len()) && !name.starts_with(|c: char| c.is_ascii_digit())
        });
        if name.is_none() {
            // Not shown: the usual mistake is the secret itself in the place of the name.
            self.place.problem("not the name of an environment variable: letters, digits and _", "\"SMTP_PASSWORD\"");
        }
        name.map(str::to_owned)
    }

    fn path_of_secret(&self) -> Option<PathBuf> {
        let path = self.value.as_str().filter(|path| {
            (1..=4096).contains(&path.len()) && !path.starts_with("-----") && !path.chars().any(char::is_control)
        });
        if path.is_none() {
            // Not shown: it may be the key itself.
            self.place.problem("not the path of a file", "\"/run/secrets/smtp-password\"");
        }
        path.map(PathBuf::from)
    }

    pub(super) fn path(&self, example: &str) -> Option<PathBuf> {
        self.parsed(example, |written| match written.contains('\0') {
            true => Err("a path cannot hold a NUL character"),
            false => Ok(PathBuf::from(written)),
        })
    }

    /// An address on the web that something may be sent to: https, or http to this very machine.
    pub(super) fn web_url(&self, example: &str) -> Option<Url> {
        self.parsed(example, web_url)
    }

    /// Text of few, harmless characters, such as an identifier that travels in URLs. Not shown when it is wrong, since the usual
    /// mistake is to paste a secret there.
    pub(super) fn plain_word(&self, example: &str) -> Option<String> {
        let plain = |text: &&str| {
            (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        };
        let word = self.value.as_str().filter(plain);
        if word.is_none() {
            self.place
                .problem("an id of letters, digits, `-`, `.` and `_` is wanted (what was found is not shown)", example);
        }
        word.map(str::to_owned)
    }
}

impl Table<'_> {
    pub(super) fn boolean_or(&self, key: &'static str, default: bool) -> bool {
        self.get(key).and_then(|item| item.boolean()).unwrap_or(default)
    }
}

fn web_url(written: &str) -> Result<Url, String> {
    let mut url = Url::parse(written).map_err(|error| format!("not a URL ({error})"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err("a URL that begins with https:// is wanted".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL carries no user name or password here".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a URL ends with its path here, without `?` or `#`".to_owned());
    }
    if url.scheme() == "http" && !url.host().is_some_and(|host| is_loopback(&host)) {
        return Err("plain http is accepted for loopback hosts only".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Whether a host can only be this machine.
pub(crate) fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether it can name a team or a source: it stands in ids, file names and URLs.
pub(super) fn is_name(written: &str) -> bool {
    (1..=64).contains(&written.len()) && written.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// What to say of a name that is none.
pub(super) const NOT_A_NAME: &str = "a name is 1 to 64 letters, digits, `_` or `-`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_reaches_this_machine_only_and_a_url_carries_nothing_else() {
        for accepted in [
            "https://graph.microsoft.com",
            "https://dmz.example.ca:8443/graph/",
            "http://localhost:9001",
            "http://127.3.2.1:9001",
            "http://[::1]:9001",
        ] {
            assert!(web_url(accepted).is_ok(), "{accepted}");
        }
        for refused in [
            "graph.microsoft.com",
            "http://graph.microsoft.com",
            "http://localhost.example.ca",
            "http://127.0.0.1.example.ca",
            "http://10.0.0.1",
            "http://[::2]",
            "https://user@graph.microsoft.com",
            "https://:pw@graph.microsoft.com",
            "https://graph.microsoft.com/?x=1",
            "https://graph.microsoft.com/#x",
            "ftp://localhost",
            "file:///etc/passwd",
            "https://",
            "",
        ] {
            assert!(web_url(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_url_has_no_slash_at_its_end_where_it_has_a_path() {
        assert_eq!(web_url("https://example.ca/watch//").unwrap().as_str(), "https://example.ca/watch");
        // The root's slash is the URL standard's own.
        assert_eq!(web_url("https://example.ca").unwrap().as_str(), "https://example.ca/");
    }
}
