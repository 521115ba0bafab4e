//! The words around a calendar entry, for whoever reads mail where no calendar does.

use super::calendar::facts;
use super::html::{heading, page, paragraph, sheet};
use super::{Letter, SUBJECT, Stationery, readable, shortened, text};
use crate::domain::{Change, Invitation, Withdrawal};
use jiff::Timestamp;
use jiff::civil::Date;
use maud::html;

/// What goes with an invitation, a moved one, or one that is taken back.
#[must_use]
pub fn invitation(stationery: &Stationery, invitation: &Invitation, now: Timestamp) -> Letter {
    let title = readable(invitation.entry.title.as_str());
    let on = spoken(invitation.entry.day);
    let (head, intro) = match &invitation.change {
        Change::Put(_) => (format!("{on}: "), format!("An all-day entry for your calendar, on {on}.")),
        Change::Move { from, .. } if *from == invitation.entry.day => {
            (format!("{on}, changed: "), format!("The entry in your calendar on {on} has changed: it has another end."))
        }
        Change::Move { from, .. } => {
            (format!("{on}, moved: "), format!("The entry in your calendar moves from {} to {on}.", spoken(*from)))
        }
        Change::Withdraw(why) => (
            "Cancelled: ".to_owned(),
            format!("The entry in your calendar on {on} is taken back: {}. There is nothing to do.", because(*why)),
        ),
    };
    let subject = format!("{head}{}", shortened(&title, SUBJECT.saturating_sub(head.chars().count())));
    let facts = match &invitation.change {
        Change::Put(to) | Change::Move { to, .. } => facts(to, stationery.zone),
        Change::Withdraw(_) => Vec::new(),
    };
    let footer = stationery.footer(now);
    let lines: Vec<String> = facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let mut plain = format!("{intro}\n\n");
    text::heading(&mut plain, "", &title);
    lines.iter().for_each(|line| text::line(&mut plain, line));
    text::footer(&mut plain, &footer);
    let rows = html! {
        (heading(&title))
        @for line in &lines { (paragraph(line)) }
    };
    let body = html! {
        (paragraph(&intro))
        (sheet(&rows))
    };
    Letter { html: page(&subject, &intro, &body, &footer), text: plain, subject }
}

/// `Sat 2026-11-28`
fn spoken(day: Date) -> String {
    day.strftime("%a %Y-%m-%d").to_string()
}

fn because(why: Withdrawal) -> &'static str {
    match why {
        Withdrawal::Rotated => "another credential has taken its place",
        Withdrawal::Gone => "the credential is gone",
        Withdrawal::NotWanted => "it is no longer yours to renew",
    }
}
