//! From notices and views to finished messages, one an address.

use crate::config::Mail;
use crate::domain::{Address, Channel, Notice, Policy, Team, Text};
use crate::outbox::{About, Draft};
use crate::render::{self, ComposeError, Letter, Stationery};
use jiff::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

pub fn stationery<'a>(policy: &'a Policy, mail: &'a Mail, public_url: Option<&'a str>) -> Stationery<'a> {
    Stationery {
        zone: &policy.zone,
        from_name: &mail.from_name,
        from: &mail.from,
        reply_to: mail.reply_to.as_ref(),
        public_url,
        teams: &policy.teams,
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// One digest for each address that any of the notices' teams has.
pub fn digests(notices: &[Notice], stationery: &Stationery<'_>, now: Timestamp) -> Result<Vec<Draft>, ComposeError> {
    let mut by_address: BTreeMap<&Address, Vec<&Notice>> = BTreeMap::new();
    for notice in notices {
        let of_team = stationery.teams.get(&notice.key.team).into_iter().flat_map(|team| &team.addresses);
        for address in of_team.chain(&notice.owners) {
            by_address.entry(address).or_default().push(notice);
        }
    }
    let digest = |(address, notices): (&Address, Vec<&Notice>)| {
        let letter = render::digest(stationery, address, &notices, now);
        draft(stationery, address, &letter, &notices, now)
    };
    by_address.into_iter().map(digest).collect()
}

/// One test message for each of the team's addresses.
pub fn tests(team: &Team, stationery: &Stationery<'_>, now: Timestamp) -> Result<Vec<Draft>, ComposeError> {
    let letter = render::test_letter(stationery, team, now);
    team.addresses.iter().map(|address| draft(stationery, address, &letter, &[], now)).collect()
}

/// A message, fixed: its Message-ID and Date are those of this moment, however often it is tried.
pub(super) fn draft(
    stationery: &Stationery<'_>,
    address: &Address,
    letter: &Letter,
    notices: &[&Notice],
    now: Timestamp,
) -> Result<Draft, ComposeError> {
    let id = message_id(stationery);
    let raw = render::compose(stationery, address, letter, &id, now, notices)?;
    Ok(Draft {
        id,
        address: address.clone(),
        channel: Channel::Mail,
        subject: Text::clean(&letter.subject),
        enqueued_at: now,
        raw,
        about: notices.iter().map(|notice| About::notice(notice)).collect(),
    })
}

/// A Message-ID that nothing else has.
pub(super) fn message_id(stationery: &Stationery<'_>) -> String {
    let domain = stationery.from.as_str().rsplit('@').next().unwrap_or("localhost");
    format!("<{}@{domain}>", Uuid::new_v4())
}
