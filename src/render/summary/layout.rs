//! The two layouts of a summary: words, lists, and a line of time for each end.

use super::{NAME, SummaryItem};
use crate::render::bar::{self, SCALE, bar};
use crate::render::html::{BODY, SMALL, band, class, heading, ink, page, paragraph, sheet};
use crate::render::wording::Tone;
use crate::render::{Letter, Stationery, shortened, text, when};
use jiff::Timestamp;
use maud::{Markup, html};

/// Width of the distances before the lines of time.
const DISTANCE: usize = 13;

const MONO: &str = "font:12px/18px Consolas,Menlo,Courier New,monospace;color:#57606a;white-space:nowrap";

pub(super) struct Page {
    pub(super) subject: String,
    /// What the mail is.
    pub(super) intro: String,
    /// How things stand, in a sentence.
    pub(super) word: String,
    /// How loud that is.
    pub(super) tone: Tone,
    pub(super) sections: Vec<Section>,
    pub(super) footer: Vec<String>,
}

pub(super) enum Section {
    Ends { title: String, ends: Vec<End>, more: usize },
    Lines { title: String, lines: Vec<String>, more: usize },
}

/// One credential's end, ready to be laid out.
pub(super) struct End {
    tone: Tone,
    distance: String,
    bar: String,
    at: String,
    holder: String,
    which: String,
}

pub(super) fn end(item: &SummaryItem, stationery: &Stationery, now: Timestamp) -> End {
    let has_ended = item.expires_at.is_some_and(|end| end < now);
    let environment = item.environment.as_ref().filter(|environment| !environment.is_empty());
    let wrong = item.conditions.iter().map(|kind| kind.as_str().replace('_', " "));
    let named = [Some(&item.label).filter(|label| !label.is_empty()), environment].into_iter().flatten();
    let which: Vec<String> = named
        .map(|name| shortened(name.as_str(), NAME))
        .chain([item.kind.spoken().to_owned(), item.status.replace('_', " ")])
        .chain(wrong)
        .collect();
    let is_unknown = item.expires_at.is_none() && item.status == "unreachable";
    let without_end = if is_unknown { "not known" } else { "never ends" };
    End {
        tone: match item.status {
            "expired" => Tone::Alarm,
            _ if !item.conditions.is_empty() => Tone::Alarm,
            "expiring" | "unreachable" => Tone::Task,
            _ => Tone::Calm,
        },
        distance: item.days_left.map_or(without_end.to_owned(), when::in_words),
        bar: if is_unknown { bar::unknown() } else { bar(item.days_left, has_ended) },
        at: item.expires_at.map_or(String::new(), |end| when::local(end, stationery.zone)),
        holder: shortened(item.holder.as_str(), NAME),
        which: which.join(", "),
    }
}

pub(super) fn lay_out(page: Page) -> Letter {
    Letter { text: plain(&page), html: rich(&page), subject: page.subject }
}

fn plain(page: &Page) -> String {
    let mut out = String::new();
    text::prose(&mut out, "", &page.word);
    if !page.intro.is_empty() {
        out.push('\n');
        text::prose(&mut out, "", &page.intro);
    }
    for section in &page.sections {
        out.push('\n');
        let more = match section {
            Section::Ends { title, ends, more } => {
                text::heading(&mut out, "", title);
                if !ends.is_empty() {
                    text::line(&mut out, &format!("{:DISTANCE$}{SCALE}", ""));
                }
                for end in ends {
                    text::line(&mut out, &format!("{:DISTANCE$}{} {}", end.distance, end.bar, end.at));
                    text::line(&mut out, &format!("{:DISTANCE$}{}", "", end.holder));
                    text::prose(&mut out, &" ".repeat(DISTANCE), &end.which);
                }
                *more
            }
            Section::Lines { title, lines, more } => {
                text::heading(&mut out, "", title);
                lines.iter().for_each(|line| text::bullet(&mut out, line));
                *more
            }
        };
        if more > 0 {
            text::bullet(&mut out, &and_more(more));
        }
    }
    text::footer(&mut out, &page.footer);
    out
}

fn and_more(more: usize) -> String {
    format!("and {more} more, which are on the status page")
}

fn rich(summary: &Page) -> String {
    let word = html! {
        tr { td class=(class(summary.tone)) bgcolor=(band(summary.tone)) style={ (BODY) ";padding:12px 16px;font-weight:bold;color:" (ink(summary.tone)) } { (summary.word) } }
    };
    let body = html! {
        (sheet(&word))
        @if !summary.intro.is_empty() { (paragraph(&summary.intro)) }
        @for section in &summary.sections {
            @match section {
                Section::Ends { title, ends, more } => {
                    (heading(title))
                    @if !ends.is_empty() { (sheet(&rows_of_ends(ends))) }
                    @if *more > 0 { (paragraph(&and_more(*more))) }
                }
                Section::Lines { title, lines, more } => {
                    (heading(title))
                    (sheet(&html! { tr { td class="i" style={ (BODY) ";padding:8px 16px" } {
                        @for (index, line) in lines.iter().enumerate() { @if index > 0 { br; } (line) }
                    } } }))
                    @if *more > 0 { (paragraph(&and_more(*more))) }
                }
            }
        }
    };
    page(&summary.subject, &summary.word, &body, &summary.footer)
}

/// The distance in the colour of its urgency and what it is, the line of time beneath it; each as wide as a phone.
fn rows_of_ends(ends: &[End]) -> Markup {
    let chip = |end: &End| {
        let (ground, ink) = (band(end.tone), ink(end.tone));
        format!("font:bold 12px/18px Segoe UI,Arial,sans-serif;padding:1px 6px;background:{ground};color:{ink}")
    };
    html! {
        tr { td class="d" style={ (MONO) ";padding:8px 16px 0 16px" } { (SCALE.replace(' ', "\u{a0}")) } }
        @for end in ends {
            tr { td class="i" style={ (BODY) ";padding:4px 16px 8px 16px" } {
                span class="d" style=(MONO) { (end.bar) } " "
                span class=(class(end.tone)) style=(chip(end)) { (end.distance) }
                br;
                b { (end.holder) }
                br;
                (end.which)
                @if !end.at.is_empty() { br; span class="d" style=(SMALL) { (end.at) } }
            } }
        }
    }
}
