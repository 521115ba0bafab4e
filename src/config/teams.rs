//! `[teams.<name>]`: who can be told.

use super::SecretRef;
use super::read::Table;
use super::value::{NOT_A_NAME, is_name};
use crate::domain::{Address, CalendarChoice, Team, TeamId, Text};
use std::collections::BTreeMap;

const SECTION: &str = "[teams.ccaas]\nemail = [ \"ccaas-ops@example.ca\" ]";
const EMAIL: &str = "[ \"ccaas-ops@example.ca\" ]";

const CALENDARS: &[(&str, CalendarChoice)] =
    &[("feed", CalendarChoice::Feed), ("invite", CalendarChoice::Invite), ("none", CalendarChoice::None)];

/// Every team of the file, also one with mistakes in it: a reference to it is no second mistake. With them, what opens their feeds.
pub(super) fn teams(root: &Table) -> (BTreeMap<TeamId, Team>, BTreeMap<TeamId, SecretRef>) {
    let (mut teams, mut feed_tokens) = (BTreeMap::new(), BTreeMap::new());
    for (key, item) in root.named("teams", SECTION) {
        if key == TeamId::OWNER {
            item.place
                .problem("`owner` is reserved for a holder's owners in the directory; choose another name", SECTION);
        } else if !is_name(key) {
            item.place.problem(NOT_A_NAME, SECTION);
        }
        let id = TeamId::new(key);
        let team = item.table(SECTION, |t| {
            let team = team(t, &id, key);
            feed_tokens.extend(feed_token(t, team.calendar).map(|token| (id.clone(), token)));
            team
        });
        let nameless =
            || Team { id: id.clone(), name: Text::clean(key), addresses: Vec::new(), calendar: CalendarChoice::None };
        teams.insert(id.clone(), team.unwrap_or_else(nameless));
    }
    (teams, feed_tokens)
}

fn team(t: &Table, id: &TeamId, key: &str) -> Team {
    let name = t.get("name").and_then(|item| item.text("\"CCaaS Azure Operations\""));
    let calendar = t.get("calendar").and_then(|item| item.choice(CALENDARS)).unwrap_or_default();
    Team { id: id.clone(), name: name.unwrap_or_else(|| Text::clean(key)), addresses: addresses(t), calendar }
}

fn feed_token(t: &Table, calendar: CalendarChoice) -> Option<SecretRef> {
    let token = t.get("feed_token").and_then(|item| item.secret());
    match calendar {
        CalendarChoice::None if token.is_some() => {
            t.at("feed_token").warn("it opens nothing, since `calendar` is \"none\"");
        }
        CalendarChoice::Feed if token.is_none() && t.get("calendar").is_some() => {
            t.at("calendar").warn("there is no feed without a `feed_token`, which is a part of its address");
        }
        _ => {}
    }
    token
}

/// How many bits of chance a token has at most, by the characters that it is made of.
pub(super) fn bits(token: &str) -> usize {
    let all = |is: fn(&u8) -> bool| token.bytes().all(|byte| is(&byte));
    // In tenths of a bit.
    let each = if all(u8::is_ascii_digit) {
        33
    } else if all(u8::is_ascii_hexdigit) {
        40
    } else {
        59
    };
    token.len() * each / 10
}

fn addresses(t: &Table) -> Vec<Address> {
    let items = t.get("email").map(|item| item.elements()).unwrap_or_default();
    if items.is_empty() {
        t.at("email").warn(format_args!("no address, so this team gets no mail; for example {EMAIL}"));
    }
    let mut addresses = Vec::new();
    for address in items.iter().filter_map(|item| item.address()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}
