//! Dates as iCalendar texts (RFC 5545, 5546, 7986): an invitation, its cancellation, a feed. The `icalendar` crate writes them; what
//! is ours is which properties Outlook wants, and that the same dates always give the same bytes.
//!
//! Nothing here says how many days are left, or when it was written: a reader that polls must find nothing changed when nothing has.

use super::when;
use crate::domain::{Address, Appointment, Change, Invitation, Invited, TeamId, Text};
use aws_lc_rs::digest::{SHA256, digest};
use icalendar::{Alarm, Calendar, Component, Event, EventLike, Parameter, Property};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil::Date};

const PRODUCT: &str = "-//Expiry Watch//Expiry Watch//EN";

/// How often a reader may look for news; Outlook on the web takes its own time all the same.
const REFRESH: &str = "PT6H";

/// So long before the day begins: at nine in the morning of the day before.
const REMINDER: &str = "-PT15H";

/// The longest line, in octets (RFC 5545, section 3.1).
const LINE: usize = 75;

/// So many dates a feed has, the nearest first; the rest is counted. Nobody's calendar takes more.
const MOST: usize = 20_000;

/// Who invites whom.
pub(super) struct Parties<'a> {
    pub from_name: &'a str,
    pub from: &'a Address,
}

/// What an invitation says about itself in the MIME header too: both must agree.
pub(super) fn method(invitation: &Invitation) -> &'static str {
    match invitation.change {
        Change::Put(_) | Change::Move { .. } => "REQUEST",
        Change::Withdraw(_) => "CANCEL",
    }
}

/// The calendar part of an invitation or of its cancellation.
pub(super) fn invitation(invitation: &Invitation, parties: &Parties<'_>, zone: &TimeZone) -> String {
    let entry = &invitation.entry;
    let uid = uid(&entry.credential.to_string(), entry.address.as_str());
    let mut event = all_day(&uid, entry.day, entry.stamped_at);
    event.summary(entry.title.as_str()).sequence(entry.sequence);
    let mut organizer = Property::new("ORGANIZER", mailto(parties.from));
    if !parties.from_name.is_empty() {
        organizer.append_parameter(Parameter::new("CN", &parameter(parties.from_name)));
    }
    event.append_property(organizer.done());
    event.append_multi_property(attendee(entry));
    match &invitation.change {
        Change::Put(to) | Change::Move { to, .. } => {
            event.description(&description(to, zone)).add_property("STATUS", "CONFIRMED");
            event.alarm(reminder(&uid, entry));
        }
        Change::Withdraw(_) => {
            event.add_property("STATUS", "CANCELLED");
        }
    }
    folded(&calendar(method(invitation)).push(event.done()).to_string())
}

/// All of a team's dates, in order of their day.
#[must_use]
pub fn feed(name: &Text, team: &TeamId, mut dates: Vec<Appointment>, zone: &TimeZone) -> String {
    dates.sort_by(|a, b| (a.day, a.expires_at, &a.credential.id).cmp(&(b.day, b.expires_at, &b.credential.id)));
    let mut calendar = calendar("PUBLISH");
    let name = format!("{name}: what runs out");
    calendar.append_property(text("NAME", &name)).append_property(text("X-WR-CALNAME", &name));
    if let Some(more @ 1..) = dates.len().checked_sub(MOST) {
        calendar.append_property(text("X-WR-CALDESC", &format!("{more} later dates are left out.")));
    }
    let refresh = Property::new("REFRESH-INTERVAL", REFRESH).add_parameter("VALUE", "DURATION").done();
    calendar.append_property(refresh).append_property(("X-PUBLISHED-TTL", REFRESH));
    for date in dates.iter().take(MOST) {
        let uid = uid(&date.credential.id.to_string(), team.as_str());
        let mut event = all_day(&uid, date.day, date.first_seen);
        event.summary(date.title().as_str()).sequence(0).description(&description(date, zone));
        event.add_property("STATUS", "CONFIRMED");
        calendar.push(event.done());
    }
    folded(&calendar.to_string())
}

fn calendar(method: &str) -> Calendar {
    let mut calendar = Calendar::empty();
    for property in [("PRODID", PRODUCT), ("VERSION", "2.0"), ("CALSCALE", "GREGORIAN"), ("METHOD", method)] {
        calendar.append_property(property);
    }
    calendar
}

/// What is the same in every entry. `stamped_at` is a stored instant: the crate would write the current time where none is given.
fn all_day(uid: &str, day: Date, stamped_at: Timestamp) -> Event {
    let date = |key: &str, day: Date| {
        Property::new(key, day.strftime("%Y%m%d").to_string()).add_parameter("VALUE", "DATE").done()
    };
    let mut event = Event::with_uid(uid);
    event
        .add_property("DTSTAMP", stamp(stamped_at))
        .append_property(date("DTSTART", day))
        .append_property(date("DTEND", day.saturating_add(1.day())))
        .add_property("CLASS", "PUBLIC")
        // Nobody is busy all day because of it.
        .add_property("TRANSP", "TRANSPARENT")
        .add_property("X-MICROSOFT-CDO-BUSYSTATUS", "FREE")
        .add_property("X-MICROSOFT-CDO-ALLDAYEVENT", "TRUE")
        .add_property("X-MICROSOFT-DISALLOW-COUNTER", "TRUE");
    event
}

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn attendee(entry: &Invited) -> Property {
    let address = entry.address.as_str();
    let mut attendee = Property::new("ATTENDEE", mailto(&entry.address));
    for (key, value) in
        [("CUTYPE", "INDIVIDUAL"), ("ROLE", "REQ-PARTICIPANT"), ("PARTSTAT", "NEEDS-ACTION"), ("RSVP", "FALSE")]
    {
        attendee.append_parameter(Parameter::new(key, value));
    }
    attendee.add_parameter("CN", &parameter(address)).done()
}

/// With UID and DTSTAMP of its own, since the crate would draw a random one and read the clock for the other.
fn reminder(uid: &str, entry: &Invited) -> Alarm {
    let mut alarm = Alarm::display(entry.title.as_str(), chrono::TimeDelta::zero());
    // The crate would write it in seconds.
    alarm.add_property("TRIGGER", REMINDER);
    alarm.add_property("UID", format!("reminder-{uid}")).add_property("DTSTAMP", stamp(entry.stamped_at));
    alarm
}

/// The facts, a line each; the exact end among them, since the entry has only a day.
fn description(date: &Appointment, zone: &TimeZone) -> String {
    facts(date, zone).iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}

/// What an entry says, and the mail that carries it.
pub(super) fn facts(date: &Appointment, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let credential = &date.credential;
    let holder = &credential.holder;
    let facts = [
        ("Ends", Some(format!("{}, {}", when::local(date.expires_at, zone), when::utc(date.expires_at)))),
        ("Holder", Some(holder.name.to_string())),
        ("Label", Some(credential.label.to_string())),
        ("Kind", Some(credential.kind.spoken().to_owned())),
        ("Environment", date.environment.as_ref().map(Text::to_string)),
        ("Application id", holder.app_id.as_ref().map(ToString::to_string)),
        ("Credential id", Some(credential.id.to_string())),
        ("Runbook", date.runbook.as_ref().map(Text::to_string)),
    ];
    let shown = |(name, value): (&'static str, Option<String>)| {
        Some((name, super::readable(&value?))).filter(|(_, value)| !value.is_empty())
    };
    facts.into_iter().filter_map(shown).collect()
}

/// The same for one credential and recipient, always; neither can be read from it.
fn uid(credential: &str, recipient: &str) -> String {
    let hash = digest(&SHA256, format!("{credential}\0{recipient}").as_bytes());
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}@expiry-watch")
}

/// As a URI (RFC 6068): whatever an address may hold beside the usual is given by its number.
fn mailto(address: &Address) -> String {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"!$&'*+-./=_~@".contains(&byte);
    let encoded = address
        .as_str()
        .bytes()
        .map(|byte| if usual(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    encoded.fold("mailto:".to_owned(), |uri, piece| uri + &piece)
}

/// The value of a parameter cannot hold a double quote in any way that every reader knows.
fn parameter(value: &str) -> String {
    super::readable(value).replace('"', "'")
}

/// A text that the crate does not know as one. It is escaped where that is needed, and then says its type.
fn text(key: &str, value: &str) -> Property {
    let mut property = Property::new(key, value);
    if value.contains(['\\', ',', ';']) {
        property.add_parameter("VALUE", "TEXT");
    }
    property
}

/// The same content in lines of at most 75 octets, none parted within a character. The library's own folding makes some of 76.
#[must_use]
pub fn folded(written: &str) -> String {
    let mut out = String::with_capacity(written.len() + 64);
    let mut used = 0;
    for line in written.replace("\r\n ", "").split_inclusive("\r\n") {
        for c in line.trim_end_matches("\r\n").chars() {
            if used + c.len_utf8() > LINE {
                out.push_str("\r\n ");
                used = 1;
            }
            out.push(c);
            used += c.len_utf8();
        }
        out.push_str("\r\n");
        used = 0;
    }
    out
}

#[cfg(test)]
mod tests;
