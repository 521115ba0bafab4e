//! The Prometheus text format, written by hand: a family's two comment lines, then one line for each series.
//!
//! The `prometheus` crate keeps every series as objects, which for a hundred thousand credentials is ten times the time and the
//! memory. Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use jiff::Timestamp;
use std::fmt::{self, Display, Write};

/// `# HELP` and `# TYPE`, once a family.
pub fn family(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// One series in the making.
pub struct Line<'a> {
    out: &'a mut String,
    opened: bool,
}

impl<'a> Line<'a> {
    pub fn new(out: &'a mut String, name: &str) -> Self {
        out.push_str(name);
        Self { out, opened: false }
    }

    /// An empty value is the same as no label, so none is written.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.open(name);
            push_escaped(self.out, value);
            self.out.push('"');
        }
        self
    }

    /// A label whose value is never empty and is shown rather than kept as text.
    #[must_use]
    pub fn shown(mut self, name: &str, value: &impl Display) -> Self {
        self.open(name);
        // Writing to a string cannot fail.
        let _ = write!(Escaping(self.out), "{value}");
        self.out.push('"');
        self
    }

    fn open(&mut self, name: &str) {
        self.out.push(if self.opened { ',' } else { '{' });
        self.opened = true;
        self.out.push_str(name);
        self.out.push_str("=\"");
    }

    pub fn value(self, value: impl Display) {
        let end = if self.opened { "} " } else { " " };
        let _ = writeln!(self.out, "{end}{value}");
    }

    pub fn instant(self, at: Timestamp) {
        match at.subsec_nanosecond() {
            0 => self.value(at.as_second()),
            // To the millisecond: a 64-bit float holds no more of a present-day instant than a fraction of a microsecond.
            _ => {
                let millis = at.as_millisecond();
                self.value(format_args!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000)));
            }
        }
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

fn push_escaped(out: &mut String, text: &str) {
    // Looks at every byte without stopping early, which the compiler turns into a few wide comparisons.
    let special = text.bytes().fold(false, |found, byte| found | matches!(byte, b'\\' | b'"' | b'\n'));
    if !special {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::at;

    fn line(write: impl FnOnce(Line<'_>)) -> String {
        let mut out = String::new();
        write(Line::new(&mut out, "m"));
        out
    }

    #[test]
    fn labels_are_escaped_and_empty_ones_left_out() {
        assert_eq!(line(|line| line.value(1)), "m 1\n");
        assert_eq!(line(|line| line.label("a", "").label("b", "x").label("c", "y").value(1)), "m{b=\"x\",c=\"y\"} 1\n");
        assert_eq!(line(|line| line.label("a", "q\"b\\n\nü").value(1)), "m{a=\"q\\\"b\\\\n\\nü\"} 1\n");
        assert_eq!(line(|line| line.shown("a", &"q\"").value(0)), "m{a=\"q\\\"\"} 0\n");
    }

    #[test]
    fn instants_are_seconds_with_a_fraction_where_there_is_one() {
        assert_eq!(line(|line| line.instant(at("2026-11-28T00:00:00Z"))), "m 1795824000\n");
        assert_eq!(line(|line| line.instant(at("2026-11-28T00:00:00.25Z"))), "m 1795824000.250\n");
        assert_eq!(line(|line| line.instant(at("1969-12-31T23:59:59.5Z"))), "m -1.500\n");
    }
}
