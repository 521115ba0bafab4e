//! From notices and views to finished messages, one an address.

use crate::config::Mail;
use crate::decide::Verdict;
use crate::domain::{Address, Notice, Policy, Team, TeamId, Text};
use crate::observe::View;
use crate::outbox::{About, Draft};
use crate::render::{self, ComposeError, Letter, Stationery, SummaryItem, SummarySource};
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

/// One summary for each address of each team.
pub fn summaries(view: &View, stationery: &Stationery<'_>) -> Result<Vec<Draft>, ComposeError> {
    let sources: Vec<SummarySource> = view.inventory.sources().iter().map(summary_source).collect();
    let unowned: Vec<SummaryItem> = items(view, |verdict| verdict.teams.is_empty());
    let mut addresses: BTreeMap<&Address, Vec<&TeamId>> = BTreeMap::new();
    for team in view.policy.teams.values() {
        for address in &team.addresses {
            addresses.entry(address).or_default().push(&team.id);
        }
    }
    let summary = |(address, teams): (&Address, Vec<&TeamId>)| {
        let owned = items(view, |verdict| verdict.teams.iter().any(|team| teams.contains(&team)));
        let letter = render::summary(stationery, address, &owned, &unowned, &sources, view.at);
        draft(stationery, address, &letter, &[], view.at)
    };
    addresses.into_iter().map(summary).collect()
}

fn items(view: &View, wanted: impl Fn(&Verdict) -> bool) -> Vec<SummaryItem> {
    let item = |verdict: &Verdict| {
        let credential = verdict.credential(&view.inventory);
        SummaryItem {
            holder: credential.holder.name.clone(),
            label: credential.label.clone(),
            kind: credential.kind,
            environment: verdict.treatment(&view.policy).environment.clone(),
            expires_at: credential.expires_at,
            days_left: verdict.days_left.map(i64::from),
            status: verdict.status.as_str(),
        }
    };
    let mut items: Vec<SummaryItem> = view.verdicts.iter().filter(|verdict| wanted(verdict)).map(item).collect();
    items.sort_by_key(|item| (item.expires_at.is_none(), item.expires_at));
    items
}

fn summary_source(source: &crate::inventory::SourceState) -> SummarySource {
    SummarySource {
        name: source.name.clone(),
        system: source.system,
        last_success: source.last_success,
        last_error: source.last_error.clone(),
    }
}

/// A message, fixed: its Message-ID and Date are those of this moment, however often it is tried.
fn draft(
    stationery: &Stationery<'_>,
    address: &Address,
    letter: &Letter,
    notices: &[&Notice],
    now: Timestamp,
) -> Result<Draft, ComposeError> {
    let domain = stationery.from.as_str().rsplit('@').next().unwrap_or("localhost");
    let id = format!("<{}@{domain}>", Uuid::new_v4());
    let raw = render::compose(stationery, address, letter, &id, now, notices)?;
    Ok(Draft {
        id,
        address: address.clone(),
        subject: Text::clean(&letter.subject),
        enqueued_at: now,
        raw,
        about: notices.iter().map(|notice| About::notice(notice)).collect(),
    })
}
