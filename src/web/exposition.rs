//! The Prometheus text format, written by hand: a family's two comment lines, then one line for each series.
//!
//! The `prometheus` crate keeps every series as objects, which for a hundred thousand credentials is ten times the time and the
//! memory. Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use crate::domain::{CredentialId, Ident};
use jiff::Timestamp;
use memchr::memchr3;
use std::fmt::Display;
use std::io::Write;
use uuid::fmt::Hyphenated;

/// `# HELP` and `# TYPE`, once a family. Like everything here it writes to memory, which cannot fail.
pub fn family(out: &mut Vec<u8>, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// One series in the making.
pub struct Line<'a> {
    out: &'a mut Vec<u8>,
    opened: bool,
}

impl<'a> Line<'a> {
    pub fn new(out: &'a mut Vec<u8>, name: &str) -> Self {
        out.extend_from_slice(name.as_bytes());
        Self { out, opened: false }
    }

    /// An empty value is the same as no label, so none is written.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.open(name);
            push_escaped(self.out, value);
            self.out.push(b'"');
        }
        self
    }

    #[must_use]
    pub fn ident(mut self, name: &str, ident: &Ident) -> Self {
        self.open(name);
        push_ident(self.out, ident);
        self.out.push(b'"');
        self
    }

    #[must_use]
    pub fn credential(mut self, id: &CredentialId) -> Self {
        self.open("credential");
        match id.in_directory() {
            Some((object, object_id, key_id)) => {
                self.out.extend_from_slice(b"entra:");
                self.out.extend_from_slice(object.as_str().as_bytes());
                self.out.push(b':');
                push_ident(self.out, object_id);
                self.out.push(b':');
                push_ident(self.out, key_id);
            }
            None => push_escaped(self.out, &id.to_string()),
        }
        self.out.push(b'"');
        self
    }

    /// Labels that stand in many lines, written before with [`labels`].
    #[must_use]
    pub fn labels(mut self, labels: &[u8]) -> Self {
        if let Some(rest) = labels.strip_prefix(b",") {
            self.out.push(if self.opened { b',' } else { b'{' });
            self.opened = true;
            self.out.extend_from_slice(rest);
        }
        self
    }

    fn open(&mut self, name: &str) {
        self.out.push(if self.opened { b',' } else { b'{' });
        self.opened = true;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"=\"");
    }

    pub fn value(self, value: impl Display) {
        self.out.extend_from_slice(if self.opened { b"} " } else { b" " });
        let _ = writeln!(self.out, "{value}");
    }

    /// The value of what only its labels say.
    pub fn one(self) {
        self.out.extend_from_slice(if self.opened { b"} 1\n" } else { b" 1\n" });
    }

    pub fn instant(self, at: Timestamp) {
        match at.subsec_nanosecond() {
            0 => self.value(at.as_second()),
            // To the millisecond: a 64-bit float holds no more of a present-day instant than a fraction of a microsecond.
            _ => {
                let millis = at.as_millisecond();
                let sign = if millis < 0 { "-" } else { "" };
                let (seconds, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
                self.value(format_args!("{sign}{seconds}.{rest:03}"));
            }
        }
    }
}

/// `,name="value"` for each that has a value: what [`Line::labels`] takes.
#[must_use]
pub fn labels(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        out.push(b',');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        push_escaped(&mut out, value);
        out.push(b'"');
    }
    out
}

/// A GUID is encoded in its place: through a buffer of its own it takes several times as long, since bytes just written one by one
/// cannot be read back in wide pieces without waiting for the store.
fn push_ident(out: &mut Vec<u8>, ident: &Ident) {
    match ident.as_guid() {
        Some(guid) => {
            let start = out.len();
            out.resize(start + Hyphenated::LENGTH, 0);
            guid.as_hyphenated().encode_lower(&mut out[start..]);
        }
        None => push_escaped(out, &ident.to_string()),
    }
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr3(b'\\', b'"', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'\n' => b"\\n",
            b'"' => b"\\\"",
            _ => b"\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::at;

    fn line(write: impl FnOnce(Line<'_>)) -> String {
        let mut out = Vec::new();
        write(Line::new(&mut out, "m"));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn labels_are_escaped_and_empty_ones_left_out() {
        assert_eq!(line(|line| line.value(1)), "m 1\n");
        assert_eq!(line(|line| line.label("a", "").label("b", "x").label("c", "y").value(1)), "m{b=\"x\",c=\"y\"} 1\n");
        assert_eq!(line(|line| line.label("a", "q\"b\\n\nü").value(1)), "m{a=\"q\\\"b\\\\n\\nü\"} 1\n");
        assert_eq!(line(|line| line.ident("a", &Ident::new("q\"")).one()), "m{a=\"q\\\"\"} 1\n");
        let guid = "33758b54-a9cb-48ef-a363-5aaf10888f80";
        for id in [&format!("entra:application:{guid}:{guid}"), "entra:service_principal:a:b", "declared:x:a/b"] {
            let credential = CredentialId::parse(id);
            assert_eq!(line(|line| line.credential(&credential).one()), format!("m{{credential=\"{id}\"}} 1\n"));
        }
        let common = labels(&[("a", ""), ("b", "\""), ("c", "y")]);
        assert_eq!(line(|line| line.labels(&common).label("d", "z").one()), "m{b=\"\\\"\",c=\"y\",d=\"z\"} 1\n");
        assert_eq!(line(|line| line.labels(b"").one()), "m 1\n");
    }

    #[test]
    fn instants_are_seconds_with_a_fraction_where_there_is_one() {
        assert_eq!(line(|line| line.instant(at("2026-11-28T00:00:00Z"))), "m 1795824000\n");
        assert_eq!(line(|line| line.instant(at("2026-11-28T00:00:00.25Z"))), "m 1795824000.250\n");
        assert_eq!(line(|line| line.instant(at("1969-12-31T23:59:59.5Z"))), "m -0.500\n");
    }
}
