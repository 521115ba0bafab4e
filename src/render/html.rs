//! The HTML layout, for the plainest of readers: classic Outlook lays mails out with Word, which knows tables and inline styles.
//! No image, no style sheet, nothing that is fetched.

use super::item::{Fact, Item, is_web_address};
use super::wording::Tone;
use super::{ALL_CARDS, Digest, FIRST_CARDS};
use maud::{DOCTYPE, Markup, html};

/// Word does not hand a font down into a table: each cell names it.
const CELL: &str = "font:14px/20px Segoe UI,Arial,sans-serif;color:#222;word-break:break-word";
const NAME: &str = "font:14px/20px Segoe UI,Arial,sans-serif;color:#666;padding-right:12px";
const SMALL: &str = "font:12px/18px Segoe UI,Arial,sans-serif;color:#666";
const HEADING: &str = "font:bold 16px/22px Segoe UI,Arial,sans-serif;color:#222;word-break:break-word";

pub(super) fn digest(digest: &Digest) -> String {
    let cards = if digest.items.len() <= ALL_CARDS { digest.items.len() } else { FIRST_CARDS };
    let (cards, run_on) = digest.items.split_at(cards);
    let body = html! {
        (paragraph(&digest.intro))
        @for item in cards { (card(item)) }
        @if !run_on.is_empty() { (compact(run_on)) }
        @if !digest.lines.is_empty() { (heading("In short, less urgent")) }
        @for line in &digest.lines { (paragraph(line)) }
        @if digest.uncounted > 0 { (paragraph(&format!("and {} more that are not named here", digest.uncounted))) }
    };
    page(&digest.subject, &body, &digest.footer)
}

/// The frame of every letter: 600 pixels wide, on a quiet ground.
pub(super) fn page(title: &str, body: &Markup, footer: &[String]) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta name="color-scheme" content="light";
                title { (title) }
            }
            body style="margin:0;padding:0;background:#f2f3f5" {
                table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="#f2f3f5" {
                    tr { td align="center" style="padding:16px 8px" {
                        table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0" style="width:600px" {
                            (body)
                            tr { td style="padding:16px 4px 0 4px" {
                                @for line in footer { div style=(SMALL) { (linked(line)) } }
                            } }
                        }
                    } }
                }
            }
        }
    }
    .into_string()
}

pub(super) fn paragraph(text: &str) -> Markup {
    html! { tr { td style={ (CELL) ";padding:4px" } { (text) } } }
}

pub(super) fn heading(text: &str) -> Markup {
    html! { tr { td style={ (HEADING) ";padding:16px 4px 4px 4px" } { (text) } } }
}

fn card(item: &Item) -> Markup {
    html! {
        tr { td style="padding:6px 0" {
            table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0" bgcolor="#ffffff" style="width:600px;border:1px solid #d9dce0" {
                tr {
                    td width="5" bgcolor=(colour(item.tone)) style="font-size:1px" { (maud::PreEscaped("&nbsp;")) }
                    td style="padding:12px 16px" {
                        div style={ "font:bold 13px/18px Segoe UI,Arial,sans-serif;color:" (colour(item.tone)) } { (item.headline) }
                        div style={ (HEADING) ";padding-bottom:8px" } { (item.title) }
                        table role="presentation" cellpadding="0" cellspacing="0" border="0" {
                            @for fact in &item.facts {
                                tr valign="top" {
                                    td width="130" style=(NAME) { (fact.name) }
                                    td style=(CELL) { (value(fact)) }
                                }
                            }
                        }
                    }
                }
            }
        } }
    }
}

/// The same facts, run on, with as little markup as can be.
fn compact(items: &[Item]) -> Markup {
    html! {
        tr { td bgcolor="#ffffff" style={ (CELL) ";padding:8px 16px" } {
            @for item in items {
                b style={ "color:" (colour(item.tone)) } { (item.headline) }
                @for fact in &item.facts { br; (fact.name) ": " (value(fact)) }
                br; br;
            }
        } }
    }
}

fn value(fact: &Fact) -> Markup {
    html! { @if fact.is_link { a href=(fact.value) { (fact.value) } } @else { (fact.value) } }
}

/// A line whose last word may be a web address.
fn linked(line: &str) -> Markup {
    match line.rsplit_once(' ') {
        Some((before, last)) if is_web_address(last) => html! { (before) " " a href=(last) { (last) } },
        _ => html! { (line) },
    }
}

fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Alarm => "#b3261e",
        Tone::Task => "#9a5b00",
        Tone::Calm => "#3a6b4a",
    }
}

/// A plain table with a head; each row has as many cells as the head.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        tr { td style="padding:4px 0" {
            table width="600" cellpadding="4" cellspacing="0" border="0" bgcolor="#ffffff" style="width:600px;border:1px solid #d9dce0" {
                tr valign="top" { @for name in head { th align="left" style=(SMALL) { (name) } } }
                @for row in rows {
                    tr valign="top" { @for cell in row { td style=(CELL) { (cell) } } }
                }
            }
        } }
    }
}
