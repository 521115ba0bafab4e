//! The plain-text layout.

use super::Digest;
use super::item::Item;
use std::fmt::Write;

/// Names of facts are padded to this, so that values stand in one column.
const COLUMN: usize = 20;

pub(super) fn digest(digest: &Digest) -> String {
    let mut out = format!("{}\n", digest.intro);
    for item in &digest.items {
        out.push('\n');
        block(&mut out, item);
    }
    if !digest.lines.is_empty() {
        out.push_str("\nIn short, less urgent:\n\n");
        digest.lines.iter().for_each(|line| bullet(&mut out, line));
    }
    if digest.uncounted > 0 {
        bullet(&mut out, &format!("and {} more that are not named here", digest.uncounted));
    }
    footer(&mut out, &digest.footer);
    out
}

fn block(out: &mut String, item: &Item) {
    let heading = format!("{}: {}{}", item.headline, item.title, item.aside());
    line(out, &heading);
    line(out, &"-".repeat(heading.chars().count().min(72)));
    for fact in &item.facts {
        line(out, &format!("{:COLUMN$}{}", format!("{}:", fact.name), fact.value));
    }
}

pub(super) fn footer(out: &mut String, lines: &[String]) {
    // The customary mark of a signature: what follows is cut from replies.
    out.push_str("\n-- \n");
    lines.iter().for_each(|text| line(out, text));
}

pub(super) fn bullet(out: &mut String, text: &str) {
    line(out, &format!("* {text}"));
}

pub(super) fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}"); // Writing to a String cannot fail.
}
