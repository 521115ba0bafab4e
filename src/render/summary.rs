//! The summary of all that a team owns, and the test letter. Plain tables.

use super::html::{heading, page, paragraph, table};
use super::{Letter, Stationery, readable, shortened, text, when};
use crate::domain::{Address, Kind, SourceName, Team, Text};
use jiff::Timestamp;
use maud::html;

/// So many rows a table has; the rest, which ends last, is counted.
const ROWS: usize = 500;

/// A credential in a summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryItem {
    pub holder: Text,
    pub label: Text,
    pub kind: Kind,
    pub environment: Option<Text>,
    /// `None`: it never expires.
    pub expires_at: Option<Timestamp>,
    /// Calendar days to the day of the end.
    pub days_left: Option<i64>,
    /// `valid`, `expiring`, `expired`...
    pub status: &'static str,
}

/// A source in a summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummarySource {
    pub name: SourceName,
    /// Its `type`.
    pub system: &'static str,
    pub last_success: Option<Timestamp>,
    /// Why the last attempt failed; `None` after a success.
    pub last_error: Option<Text>,
}

struct Section {
    title: String,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// Rows that were left out.
    more: usize,
}

/// Everything that a recipient's teams own, in order of expiry, then what nobody owns, then the health of the sources.
#[must_use]
pub fn summary(
    stationery: &Stationery,
    _recipient: &Address,
    items: &[SummaryItem],
    unowned: &[SummaryItem],
    sources: &[SummarySource],
    now: Timestamp,
) -> Letter {
    let mut sections = vec![credentials(format!("What you own ({})", items.len()), items, stationery)];
    if !unowned.is_empty() {
        let title = format!("Unowned: no rule names a team for these ({})", unowned.len());
        sections.push(credentials(title, unowned, stationery));
    }
    sections.push(health(sources, stationery));
    let subject = subject(items, unowned.len());
    let intro =
        "All that is watched for you, in order of expiry. Nothing in this mail is new: notices come on their own.";
    lay_out(subject, intro, &sections, &stationery.footer(now))
}

fn subject(items: &[SummaryItem], unowned: usize) -> String {
    let soonest = items.iter().filter_map(|item| item.days_left).filter(|days| *days >= 0).min();
    let count = if items.len() == 1 { "1 credential".to_owned() } else { format!("{} credentials", items.len()) };
    let next = soonest.map_or(String::new(), |days| format!(", the next ends {}", when::in_words(days)));
    let alone = if unowned == 0 { String::new() } else { format!(", {unowned} unowned") };
    format!("Summary: {count}{next}{alone}")
}

fn credentials(title: String, items: &[SummaryItem], stationery: &Stationery) -> Section {
    let mut sorted: Vec<&SummaryItem> = items.iter().collect();
    sorted.sort_by_key(|item| (item.expires_at.is_none(), item.expires_at, &item.holder, &item.label));
    let row = |item: &&SummaryItem| {
        let which =
            [Some(&item.label), item.environment.as_ref()].into_iter().flatten().filter(|text| !text.is_empty());
        let which = which.map(Text::as_str).chain([item.kind.spoken()]).collect::<Vec<_>>().join(", ");
        vec![
            item.expires_at.map_or("never".to_owned(), |end| when::local(end, stationery.zone)),
            item.days_left.map_or(String::new(), when::in_words),
            item.holder.to_string(),
            which,
            item.status.replace('_', " "),
        ]
    };
    Section {
        title,
        head: vec!["Ends", "", "Holder", "Which", "Status"],
        rows: sorted.iter().take(ROWS).map(row).collect(),
        more: sorted.len().saturating_sub(ROWS),
    }
}

fn health(sources: &[SummarySource], stationery: &Stationery) -> Section {
    let row = |source: &SummarySource| {
        let read = source.last_success.map_or("never".to_owned(), |at| when::local(at, stationery.zone));
        let state = source.last_error.as_ref().map_or("ok".to_owned(), |error| format!("failing: {error}"));
        vec![readable(source.name.as_str()), source.system.to_owned(), read, state]
    };
    Section {
        title: "Sources".to_owned(),
        head: vec!["Name", "Type", "Last complete read", "State"],
        rows: sources.iter().take(ROWS).map(row).collect(),
        more: sources.len().saturating_sub(ROWS),
    }
}

fn lay_out(subject: String, intro: &str, sections: &[Section], footer: &[String]) -> Letter {
    let more = |n: usize| format!("and {n} more");
    let mut plain = format!("{intro}\n");
    for section in sections {
        text::line(&mut plain, &format!("\n{}\n", section.title));
        for row in &section.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
            text::bullet(&mut plain, &cells.join(" | "));
        }
        if section.more > 0 {
            text::bullet(&mut plain, &more(section.more));
        }
    }
    text::footer(&mut plain, footer);
    let body = html! {
        (paragraph(intro))
        @for section in sections {
            (heading(&section.title))
            (table(&section.head, &section.rows))
            @if section.more > 0 { (paragraph(&more(section.more))) }
        }
    };
    Letter { html: page(&subject, &body, footer), text: plain, subject }
}

/// What `mail test` sends.
#[must_use]
pub fn test_letter(stationery: &Stationery, team: &Team, now: Timestamp) -> Letter {
    let subject = format!("Test message from Expiry Watch for {}", shortened(team.name.as_str(), 100));
    let intro = format!(
        "This is a test, sent by hand to the team “{}”. That you can read it means that notices will reach this address. There is nothing to do.",
        team.name
    );
    lay_out(subject, &intro, &[], &stationery.footer(now))
}
