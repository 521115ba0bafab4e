//! What is wrong with a configuration, as its author reads it: every problem at once, each with its place and an example.
//!
//! Shows what was found only as far as that is safe: a value can be a secret put into the wrong place, so whatever is quoted is
//! cut short, escaped, and loses the parts of a URL that carry credentials.

use std::fmt;
use thiserror::Error;
use toml::de::DeValue;

/// The most of a found value that is shown, in characters.
const SHOWN: usize = 60;

/// The most of one message that is kept, in characters: a report stays readable whatever was in the file.
const LONGEST: usize = 600;

/// The most problems that are printed; the rest is counted.
const PRINTED: usize = 100;

/// Everything that is wrong with a configuration; never empty. Its `Display` is the report, one problem after another in the
/// order of the file.
#[derive(Debug, Error)]
#[error("{}", self.report())]
pub struct Problems {
    /// The file, as it was named.
    pub origin: String,
    pub list: Vec<Problem>,
}

/// One thing to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `sources.entra.graph_url` or `rules[2].match.kind` (counted from 0); empty for the file as a whole.
    pub path: String,
    /// Counted from 1, where the problem has a line.
    pub line: Option<usize>,
    /// What was found and why it will not do.
    pub message: String,
    /// TOML that would do; empty where there is nothing to show.
    pub example: String,
}

impl Problems {
    /// Puts the problems into the order of the file; those without a line come last.
    pub(super) fn new(origin: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        Self { origin: origin.to_owned(), list }
    }

    /// One that concerns the file as a whole.
    pub(super) fn of_file(origin: &str, message: impl fmt::Display) -> Self {
        Self::new(origin, vec![Problem::new("", None, message, "")])
    }

    fn report(&self) -> String {
        let count = self.list.len();
        let mut report = match count {
            1 => format!("{}: 1 problem", self.origin),
            _ => format!("{}: {count} problems", self.origin),
        };
        for problem in self.list.iter().take(PRINTED) {
            report.push_str(&format!("\n\n{problem}"));
        }
        if count > PRINTED {
            report.push_str(&format!("\n\n… and {} more", count - PRINTED));
        }
        report
    }
}

impl Problem {
    pub(super) fn new(path: &str, line: Option<usize>, message: impl fmt::Display, example: &str) -> Self {
        Self { path: path.to_owned(), line, message: cut(&message.to_string(), LONGEST), example: example.to_owned() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path.is_empty(), self.line) {
            (true, None) => {}
            (true, Some(line)) => write!(f, "line {line}: ")?,
            (false, None) => write!(f, "{}: ", self.path)?,
            (false, Some(line)) => write!(f, "{} (line {line}): ", self.path)?,
        }
        f.write_str(&self.message)?;
        for (number, line) in self.example.lines().enumerate() {
            let lead = if number == 0 { "for example: " } else { "             " };
            write!(f, "\n    {lead}{line}")?;
        }
        Ok(())
    }
}

/// A value as a sentence can quote it.
pub(super) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => format!("the number {}", cut(&number.to_string(), SHOWN)),
        DeValue::Float(number) => format!("the number {}", cut(&number.to_string(), SHOWN)),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(when) => when.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Text from the file in quotes: on one line, of bounded length, without the credentials that a URL may carry.
pub(super) fn quoted(text: &str) -> String {
    let (text, hidden) = match text.split_once(':') {
        Some((scheme, rest)) if rest.contains('@') || rest.starts_with("//") && rest.contains(['?', '#']) => {
            (&text[..=scheme.len()], "…")
        }
        _ => (text, ""),
    };
    format!("{:?}", cut(text, SHOWN) + hidden)
}

/// A key as a path shows it: bare where TOML allows that, else in quotes.
pub(super) fn key_text(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { cut(key, SHOWN) } else { quoted(key) }
}

/// The candidate that was probably meant, if any is close.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer than any of our words; also keeps the comparison cheap whatever stands in the file.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let near = candidates.into_iter().map(|candidate| {
        let distance = strsim::osa_distance(&word, &candidate.to_ascii_lowercase());
        (distance, candidate)
    });
    near.filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1)).min().map(|(_, candidate)| candidate)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_short_and_on_one_line_and_carries_no_credentials() {
        for (text, shown) in [
            ("plain", "\"plain\""),
            ("two\nlines\u{1b}[2J", "\"two\\nlines\\u{1b}[2J\""),
            ("turned\u{202e}round", "\"turned\\u{202e}round\""),
            ("https://user:hunter2@example.ca/x", "\"https:…\""),
            ("postgres://app:hunter2@db/app", "\"postgres:…\""),
            ("https://example.ca/?token=hunter2", "\"https:…\""),
            ("https:user:hunter2@example.ca", "\"https:…\""),
            ("user:hunter2@smtp.example.ca", "\"user:…\""),
            ("https://example.ca/x", "\"https://example.ca/x\""),
            ("ops@example", "\"ops@example\""),
        ] {
            assert_eq!(quoted(text), shown);
        }
        assert_eq!(quoted(&"é".repeat(5_000)), format!("\"{}…\"", "é".repeat(60)));
    }

    #[test]
    fn a_suggestion_is_made_only_for_what_is_close() {
        let known = ["listen", "public_url", "access_token", "at"];
        for (word, meant) in [
            ("lsiten", Some("listen")),
            ("Public_URL", Some("public_url")),
            ("accesstoken", Some("access_token")),
            ("colour", None),
            ("xy", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"listen".repeat(100_000), known), None);
    }
}
