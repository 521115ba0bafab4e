//! The HTML layout, for the plainest of readers: classic Outlook lays mails out with Word, which knows tables, attributes and inline
//! styles, and ignores the one small block that gives others their dark colours. No image, nothing that is fetched, no script.

use super::Digest;
use super::facts::{Fact, Weight, is_web_address};
use super::group::{Group, groups};
use super::item::Item;
use super::wording::Tone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Word does not hand a font down into a table: each cell names its own.
pub(super) const BODY: &str = "font:14px/20px Segoe UI,Arial,sans-serif;color:#1f2328;word-break:break-word";
const NAME: &str = "font:14px/20px Segoe UI,Arial,sans-serif;color:#57606a;padding-right:12px";
pub(super) const SMALL: &str = "font:12px/18px Segoe UI,Arial,sans-serif;color:#57606a;word-break:break-word";
const TITLE: &str = "font:bold 17px/23px Segoe UI,Arial,sans-serif;color:#1f2328;word-break:break-word";
const BAND: &str = "font:bold 16px/22px Segoe UI,Arial,sans-serif;mso-line-height-rule:exactly;padding:8px 16px";
const LINK: &str = "color:#0b57d0";

/// Dark colours: `g` ground, `c` card, `i` ink, `d` dim, `l` link, `b` button; `alarm`, `task`, `calm` bands. The darker and the
/// lighter of each pair keep a contrast of 4.5 at least (WCAG 2.2, 1.4.3).
const STYLE: &str = ":root{color-scheme:light dark;supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){
.g{background:#15181c!important}.c{background:#1f242a!important;border-color:#3a424c!important}
.i{color:#e6e9ed!important}.d{color:#a9b2bd!important;border-color:#3a424c!important}.l{color:#8ab4f8!important}
.b{background:#8ab4f8!important}.b a{color:#10233f!important}
.alarm{background:#b3261e!important;color:#fff!important}.task{background:#e0a93b!important;color:#241a00!important}
.calm{background:#263c2e!important;color:#bfe3c9!important}.e{background:#3b3210!important;color:#f2dfa0!important}}";

pub(super) fn digest(digest: &Digest) -> String {
    let body = html! {
        (heading(&digest.intro))
        @if !digest.glance.is_empty() { (glance(digest)) }
        @for item in digest.cards { (card(item)) }
        @for group in groups(digest.compact) { (compact(&group)) }
        @if let Some(more) = &digest.more { tr { td class="i" style={ (BODY) ";padding:8px 4px" } { (linked(more)) } } }
    };
    page(&digest.subject, &digest.glimpse, &body, &digest.footer)
}

/// The frame of every letter: at most 600 pixels wide, on a quiet ground. Word, which knows no greatest width, gets a table of that
/// width around it. `glimpse` is what a list of messages shows beneath the subject.
pub(super) fn page(title: &str, glimpse: &str, body: &Markup, footer: &[String]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body class="g" style="margin:0;padding:0;background:#f2f4f6" {
                @if !glimpse.is_empty() { div style="display:none;max-height:0;overflow:hidden;mso-hide:all" { (glimpse) } }
                table class="g" role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="#f2f4f6" {
                    tr { td align="center" style="padding:16px 8px" {
                        (PreEscaped("<!--[if mso]><table width=\"600\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"><tr><td><![endif]-->"))
                        table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:600px" {
                            (body)
                            tr { td class="d" style={ (SMALL) ";padding:12px 4px 0 4px" } {
                                @for line in footer { (linked(line)) br; }
                            } }
                        }
                        (PreEscaped("<!--[if mso]></td></tr></table><![endif]-->"))
                    } }
                }
            }
        }
    };
    // Lines that stay short; what is markup here is so nowhere else, since names are escaped.
    page.into_string().replace("</tr>", "</tr>\n").replace("<br>", "<br>\n")
}

pub(super) fn paragraph(text: &str) -> Markup {
    html! { tr { td class="i" style={ (BODY) ";padding:0 4px 12px 4px" } { (text) } } }
}

pub(super) fn heading(text: &str) -> Markup {
    html! { tr { td class="i" style={ (TITLE) ";padding:12px 4px 6px 4px" } { (text) } } }
}

/// A white sheet across the whole width.
pub(super) fn sheet(rows: &Markup) -> Markup {
    html! {
        tr { td style="padding:0 0 16px 0" {
            table class="c" role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="#ffffff" style="border:1px solid #d5dae0" {
                (rows)
            }
        } }
    }
}

/// All of a longer digest in a few lines.
fn glance(digest: &Digest) -> Markup {
    let rows = html! {
        tr { td style="padding:8px 12px" {
            table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" {
                @for item in digest.glance {
                    tr valign="top" {
                        td width="12" class=(class(item.tone)) bgcolor=(band(item.tone)) style="font-size:1px" { (PreEscaped("&nbsp;")) }
                        td class="i" style={ (BODY) ";padding:2px 4px 2px 8px" } { b { (item.headline) } ": " (item.in_short()) }
                    }
                }
            }
            @if digest.beyond_glance > 0 { span class="d" style=(SMALL) { "and " (digest.beyond_glance) " more below" } }
        } }
    };
    sheet(&rows)
}

fn card(item: &Item) -> Markup {
    let key: Vec<&Fact> = item.of_weight(Weight::Key).collect();
    let more: Vec<&Fact> = item.of_weight(Weight::More).collect();
    let rows = html! {
        (title_band(item.tone, &item.headline, &item.which()))
        (escalated(item))
        tr { td class="i" style={ (TITLE) ";padding:12px 16px 6px 16px" } { (item.title) } }
        tr { td style="padding:0 16px" {
            table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" {
                @for fact in key {
                    tr valign="top" { td class="d" width="96" style=(NAME) { (fact.name) } td class="i" style=(BODY) { (in_steps(fact)) } }
                }
            }
        } }
        @if let Some(link) = item.link() { (button(link)) }
        tr { td style="font-size:6px;line-height:12px" { (PreEscaped("&nbsp;")) } }
        tr { td class="d" style={ (SMALL) ";padding:8px 16px 12px 16px;border-top:1px solid #d5dae0" } {
            @for (index, fact) in more.into_iter().enumerate() { @if index > 0 { br; } (named(fact)) }
            @if let Some(story) = &item.story { br; a class="l" style=(LINK) href=(story) { "Its story: who was told what, and what comes next" } }
        } }
    };
    sheet(&rows)
}

fn title_band(tone: Tone, headline: &str, which: &str) -> Markup {
    html! {
        tr { td class=(class(tone)) bgcolor=(band(tone)) style={ (BAND) ";color:" (ink(tone)) } {
            (headline)
            @if !which.is_empty() { " " span style="font-weight:normal;font-size:14px" { (PreEscaped("&nbsp;")) (which) } }
        } }
    }
}

fn escalated(item: &Item) -> Markup {
    html! {
        @if let Some(escalated) = &item.escalated {
            tr { td class="e" bgcolor="#fff3cd" style={ (BODY) ";color:#513c06;padding:8px 16px" } { (escalated) } }
        }
    }
}

/// A coloured cell with a link in it: what Word shows of a button.
fn button(link: &str) -> Markup {
    html! {
        tr { td style="padding:10px 16px 0 16px" {
            table role="presentation" cellpadding="0" cellspacing="0" border="0" { tr {
                td class="b" bgcolor="#0b57d0" style="padding:8px 16px" {
                    a href=(link) style="font:bold 14px/20px Segoe UI,Arial,sans-serif;color:#ffffff;text-decoration:none" { "Open the runbook" }
                }
            } }
        } }
    }
}

/// The same facts, run on, with as little markup as can be.
fn compact(group: &Group) -> Markup {
    let first = &group.items[0];
    let rows = html! {
        (title_band(first.tone, &group.heading(), ""))
        (escalated(first))
        @if !group.shared.is_empty() {
            tr { td class="d" style={ (SMALL) ";padding:8px 16px 0 16px" } { @for fact in &group.shared { (named(fact)) br; } } }
        }
        tr { td class="i" style={ (BODY) ";font-size:13px;padding:8px 16px" } {
            @for item in group.items {
                b { (item.title) }
                @for fact in group.own(item) { br; (named(fact)) }
                br; br;
            }
        } }
    };
    sheet(&rows)
}

fn in_steps(fact: &Fact) -> Markup {
    let lines = fact.lines();
    match lines.len() {
        1 => value(fact),
        _ => html! { @for (index, step) in lines.into_iter().enumerate() { @if index > 0 { br; } (step) } },
    }
}

fn named(fact: &Fact) -> Markup {
    html! { (fact.name) ": " (value(fact)) }
}

fn value(fact: &Fact) -> Markup {
    html! { @if fact.is_link { (anchor(&fact.value)) } @else { (fact.value) } }
}

fn anchor(address: &str) -> Markup {
    html! { a class="l" style=(LINK) href=(address) { (address) } }
}

/// A line whose last word may be a web address.
fn linked(line: &str) -> Markup {
    match line.rsplit_once(' ') {
        Some((before, last)) if is_web_address(last) => html! { (before) " " (anchor(last)) },
        _ => html! { (line) },
    }
}

pub(super) fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Alarm => "alarm",
        Tone::Task => "task",
        Tone::Calm => "calm",
    }
}

pub(super) fn band(tone: Tone) -> &'static str {
    match tone {
        Tone::Alarm => "#b3261e",
        Tone::Task => "#f4c04e",
        Tone::Calm => "#dcebe0",
    }
}

pub(super) fn ink(tone: Tone) -> &'static str {
    match tone {
        Tone::Alarm => "#ffffff",
        Tone::Task => "#2b1e00",
        Tone::Calm => "#1f4a2e",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2, relative luminance.
    fn luminance(colour: &str) -> f64 {
        let digits: String = match colour.trim_start_matches('#') {
            short if short.len() == 3 => short.chars().flat_map(|digit| [digit, digit]).collect(),
            long => long.to_owned(),
        };
        let part = |at: usize| {
            let part = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    }

    #[track_caller]
    fn check(ink: &str, ground: &str) {
        let (a, b) = (luminance(ink), luminance(ground));
        let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
        assert!(contrast >= 4.5, "{ink} on {ground}: {contrast:.2}");
    }

    /// The value of a property in the dark rules of a class.
    fn dark(class: &str, property: &str) -> String {
        let rule = STYLE.split(&format!(".{class}{{")).nth(1).unwrap();
        let rule = rule.split('}').next().unwrap();
        let mut values = rule.split(';').filter_map(|declaration| declaration.split_once(':'));
        values.find(|(name, _)| *name == property).unwrap().1.replace("!important", "")
    }

    #[test]
    fn what_is_written_can_be_read_in_light_and_in_dark() {
        for tone in [Tone::Alarm, Tone::Task, Tone::Calm] {
            check(ink(tone), band(tone));
            check(&dark(class(tone), "color"), &dark(class(tone), "background"));
        }
        for ground in ["#ffffff", "#f2f4f6"] {
            ["#1f2328", "#57606a", "#0b57d0"].into_iter().for_each(|ink| check(ink, ground));
        }
        for ground in ["g", "c"] {
            ["i", "d", "l"].into_iter().for_each(|ink| check(&dark(ink, "color"), &dark(ground, "background")));
        }
        check("#ffffff", "#0b57d0");
        check(&dark("b a", "color"), &dark("b", "background"));
        check("#513c06", "#fff3cd");
        check(&dark("e", "color"), &dark("e", "background"));
    }

    #[test]
    fn nothing_that_word_cannot_lay_out_and_nothing_that_is_fetched() {
        let page = page("title", "glimpse", &paragraph("text"), &["see https://example.ca".to_owned()]);
        for unknown in ["flex", "grid", "url(", "<img", "<link", "src=", "position:", "float:", "@import"] {
            assert!(!page.contains(unknown), "{unknown}");
        }
    }
}
