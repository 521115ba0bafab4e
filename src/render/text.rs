//! The plain-text layout, for 78 columns. A sentence is broken into lines; a name or an identifier never is, so that it can be
//! searched for and copied.

use super::Digest;
use super::facts::{Fact, Weight};
use super::group::groups;
use super::item::Item;
use std::fmt::Write;
use textwrap::{Options, WordSeparator, WordSplitter, wrap};

/// No sentence is longer than this.
const WIDTH: usize = 78;

/// Names of facts are padded to this, so that values stand in one column.
const COLUMN: usize = 20;

pub(super) fn digest(digest: &Digest) -> String {
    let mut out = String::new();
    prose(&mut out, "", &digest.intro);
    if !digest.glance.is_empty() {
        out.push('\n');
        for item in digest.glance {
            let mark = format!("{:<3}", item.tone.mark());
            hanging(&mut out, &mark, "   ", &format!("{}: {}", item.headline, item.in_short()), true);
        }
        if digest.beyond_glance > 0 {
            line(&mut out, &format!("   and {} more below", digest.beyond_glance));
        }
    }
    for item in digest.cards {
        out.push('\n');
        block(&mut out, item);
    }
    for group in groups(digest.compact) {
        out.push('\n');
        let shared = group.shared.iter().copied();
        heading(&mut out, group.items[0].tone.mark(), &group.heading());
        escalated(&mut out, &group.items[0]);
        shared.for_each(|shared| fact(&mut out, shared));
        for item in group.items {
            line(&mut out, &format!("* {}", item.title));
            group
                .own(item)
                .for_each(|own| hanging(&mut out, &format!("  {}: ", own.name), "    ", &own.value, own.is_prose));
        }
    }
    if let Some(more) = &digest.more {
        out.push('\n');
        prose(&mut out, "", more);
    }
    footer(&mut out, &digest.footer);
    out
}

fn block(out: &mut String, item: &Item) {
    heading(out, item.tone.mark(), &format!("{}{}", item.headline, item.aside()));
    escalated(out, item);
    line(out, &item.title);
    item.of_weight(Weight::Key).for_each(|key| fact(out, key));
    out.push('\n');
    item.of_weight(Weight::More).for_each(|more| fact(out, more));
    item.story.iter().for_each(|story| line(out, &format!("{:COLUMN$}{story}", "Its story:")));
}

fn escalated(out: &mut String, item: &Item) {
    item.escalated.iter().for_each(|escalated| prose(out, "", escalated));
}

/// A line with a line beneath it.
pub(super) fn heading(out: &mut String, mark: &str, text: &str) {
    let heading = format!("{mark} {text}");
    let heading = heading.trim_start();
    line(out, heading);
    line(out, &"-".repeat(textwrap::core::display_width(heading).min(WIDTH)));
}

fn fact(out: &mut String, fact: &Fact) {
    let name = format!("{:COLUMN$}", format!("{}:", fact.name));
    let column = " ".repeat(COLUMN);
    for (index, step) in fact.lines().into_iter().enumerate() {
        let (first, others) = if index == 0 { (&name, column.clone()) } else { (&column, format!("{column}   ")) };
        hanging(out, first, &others, step, fact.is_prose);
    }
}

/// A sentence, every line of it behind `indent`.
pub(super) fn prose(out: &mut String, indent: &str, text: &str) {
    hanging(out, indent, indent, text, true);
}

/// A sentence in a list.
pub(super) fn bullet(out: &mut String, text: &str) {
    hanging(out, "* ", "  ", text, true);
}

fn hanging(out: &mut String, first: &str, others: &str, text: &str, is_prose: bool) {
    if !is_prose {
        return line(out, &format!("{first}{text}"));
    }
    let options = Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(others)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    wrap(text, options).iter().for_each(|wrapped| line(out, wrapped));
}

pub(super) fn footer(out: &mut String, lines: &[String]) {
    // The customary mark of a signature: what follows is cut from replies.
    out.push_str("\n-- \n");
    lines.iter().for_each(|text| prose(out, "", text));
}

pub(super) fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{}", text.trim_end()); // Writing to a String cannot fail.
}
