//! `[teams.<name>]`: who can be told.

use super::read::Table;
use super::value::{NOT_A_NAME, is_name};
use crate::domain::{Address, CalendarChoice, Team, TeamId, Text};
use std::collections::BTreeMap;

const SECTION: &str = "[teams.ccaas]\nemail = [ \"ccaas-ops@example.ca\" ]";
const EMAIL: &str = "[ \"ccaas-ops@example.ca\" ]";

const CALENDARS: &[(&str, CalendarChoice)] =
    &[("feed", CalendarChoice::Feed), ("invite", CalendarChoice::Invite), ("none", CalendarChoice::None)];

/// Every team of the file, also one with mistakes in it: a reference to it is no second mistake.
pub(super) fn teams(root: &Table) -> BTreeMap<TeamId, Team> {
    let mut teams = BTreeMap::new();
    for (key, item) in root.named("teams", SECTION) {
        if key == TeamId::OWNER {
            item.place
                .problem("`owner` is reserved for a holder's owners in the directory; choose another name", SECTION);
        } else if !is_name(key) {
            item.place.problem(NOT_A_NAME, SECTION);
        }
        let id = TeamId::new(key);
        let team = item.table(SECTION, |t| team(t, &id, key));
        let nameless =
            || Team { id: id.clone(), name: Text::clean(key), addresses: Vec::new(), calendar: CalendarChoice::None };
        teams.insert(id.clone(), team.unwrap_or_else(nameless));
    }
    teams
}

fn team(t: &Table, id: &TeamId, key: &str) -> Team {
    let name = t.get("name").and_then(|item| item.text("\"CCaaS Azure Operations\""));
    let calendar = t.get("calendar").and_then(|item| item.choice(CALENDARS)).unwrap_or_default();
    if calendar == CalendarChoice::Invite {
        t.at("calendar").warn("this version does not send invitations yet; the team's mails come all the same");
    }
    if t.get("feed_token").and_then(|item| item.secret()).is_some() {
        t.at("feed_token").warn("this version does not serve calendar feeds yet; the key has no effect");
    }
    Team { id: id.clone(), name: name.unwrap_or_else(|| Text::clean(key)), addresses: addresses(t), calendar }
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
