//! `demo --quarter`: a quarter of a year in fast motion, told day by day.
//!
//! The tenant is simulated and so is the clock; the sign-in, the reading, the decision, the outbox and the mail are the real thing.
//! Every morning at eight the watch polls, tells and delivers; in the afternoon the people of the place do what they do.

use super::demo::{Folder, configuration};
use super::setup::{self, fail};
use super::{Exit, once};
use crate::clock::{Clock, ManualClock};
use crate::cycle::{Cycle, Polled, Tell};
use crate::deliver::Postman;
use crate::demo::quarter::{DAYS, Quarter};
use crate::demo::{Options, Tenant};
use crate::domain::{CredentialId, Notice, NoticeKind, Step, Subject, TeamId};
use crate::inventory::Inventory;
use crate::outbox::SEND_DEADLINE;
use crate::sources::{Patience, Source, Surroundings};
use crate::store::Owner;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The zone of the demo's configuration.
const ZONE: &str = "America/Vancouver";

const WIDTH: usize = 118;
const MARGIN: &str = "      ";

/// Prints the quarter that begins on the day of `today`.
pub async fn run(today: Timestamp) -> Result<Exit, Exit> {
    tell(today, |page| setup::say(format_args!("{page}"))).await?;
    Ok(Exit::Done)
}

async fn tell(today: Timestamp, mut say: impl FnMut(String) -> Result<(), Exit>) -> Result<(), Exit> {
    let cannot = |error: std::io::Error| fail(Exit::Configuration, format_args!("the demo cannot be set up: {error}"));
    let calendar = Mornings { zone: crate::config::zone::lookup(ZONE).unwrap_or(TimeZone::UTC), today };
    let quarter = Quarter { begins: calendar.morning(0) };
    let manual = ManualClock::at(quarter.begins);
    let clock = Clock::Manual(manual.clone());
    let (directory, options) = quarter.place();
    let options = Options { clock: clock.clone(), requests_per_minute: None, ..options };
    let tenant = Tenant::start(directory, options).await.map_err(cannot)?;
    let folder = Folder::new().map_err(cannot)?;
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let config = configuration(&tenant, &folder.0, nowhere).map_err(|why| fail(Exit::Configuration, why))?;
    let surroundings = Surroundings { authority_host: Some(tenant.authority_url()) };
    let sources =
        Source::connect_from(&config, &clock, &surroundings).map_err(|problem| fail(Exit::Configuration, problem))?;
    let no_mail = || fail(Exit::Configuration, "the demo has no [mail]");
    let mail = config.mail.as_ref().ok_or_else(no_mail)?;
    let transport = setup::transport(&config, &clock, &surroundings)?.ok_or_else(no_mail)?;
    let store = Arc::new(setup::store(&config, &clock, &surroundings).await?);
    let postman = Postman {
        store: store.clone(),
        transport,
        from: mail.from.clone(),
        owner: Owner::unique(),
        clock: clock.clone(),
        deadline: SEND_DEADLINE,
    };
    let (mail, config) = (config.mail.map(Arc::new), crate::config::Config { mail: None, ..config });
    let mut cycle = Cycle::new(&config, mail, sources, clock, Inventory::default());

    say("A quarter of a year in fast motion: a simulated tenant, and the watch as it runs, every morning at eight.\n\
         Days on which nothing happened are left out.\n"
        .to_owned())?;
    let mut days_with_mail = 0;
    for day in 0..DAYS {
        let morning = calendar.morning(day);
        manual.set(morning);
        let failed = |error: crate::cycle::CycleError| fail(Exit::State, error);
        let polled = cycle.poll(Patience::SHORT, Some(&store)).await.map_err(failed)?;
        let told = cycle.tell(Tell::All, &store).await.map_err(failed)?;
        once::deliver(&postman).await.map_err(setup::state_failed)?;
        days_with_mail += usize::from(!told.is_empty());
        let happened = quarter.act(day, &tenant);
        if told.is_empty() && happened.is_empty() {
            continue;
        }
        say(page(day, &calendar.heading(morning), &polled, &told, &happened))?;
    }
    let messages = tenant.mailbox().messages();
    let (calendar, mails): (Vec<_>, Vec<_>) = messages.iter().partition(|message| message.read().calendar.is_some());
    say(format!(
        "{DAYS} days, {DAYS} polls: {} mails on {days_with_mail} days, to {} addresses, and {} changes in calendars. No secret was \
         read: {} values were asked of the vault.",
        mails.len(),
        mails.iter().flat_map(|mail| &mail.to).collect::<BTreeSet<_>>().len(),
        calendar.len(),
        tenant.values_asked().len()
    ))
}

/// Eight o'clock in a zone, day after day.
struct Mornings {
    zone: TimeZone,
    today: Timestamp,
}

impl Mornings {
    fn morning(&self, day: i64) -> Timestamp {
        let date = self.zone.to_datetime(self.today).date().saturating_add(day.days());
        let at_eight = date.to_datetime(Time::constant(8, 0, 0, 0));
        self.zone.to_ambiguous_timestamp(at_eight).compatible().unwrap_or(self.today)
    }

    fn heading(&self, morning: Timestamp) -> String {
        self.zone.to_datetime(morning).strftime("%a %Y-%m-%d").to_string()
    }
}

/// One day: what was told in the morning, what people did in the afternoon.
fn page(day: i64, date: &str, polled: &[Polled], told: &[Notice], happened: &[&str]) -> String {
    let mut out = format!("Day {day}, {date}\n");
    for failed in polled.iter().filter(|polled| polled.error.is_some()) {
        let _ = writeln!(out, "  {} could not be read; its last snapshot stays in force", failed.source.name);
    }
    for fact in facts(told) {
        let _ = writeln!(out, "  {} to {}: {}", fact.what, fact.teams.join(", "), fact.about);
        out.push_str(&textwrap::fill(
            fact.reason,
            textwrap::Options::new(WIDTH).initial_indent(MARGIN).subsequent_indent(MARGIN),
        ));
        out.push('\n');
    }
    for event in happened {
        let _ = writeln!(out, "  > in the afternoon: {event}");
    }
    out
}

/// Something that was told, to however many teams.
struct Fact<'a> {
    what: String,
    teams: Vec<&'a str>,
    about: String,
    reason: &'a str,
}

fn facts(told: &[Notice]) -> Vec<Fact<'_>> {
    let mut facts: BTreeMap<(NoticeKind, &CredentialId, Step), Fact<'_>> = BTreeMap::new();
    for notice in told {
        let key = &notice.key;
        let (kind, step) = (key.kind.to_string(), key.step.to_string());
        let what = if step.starts_with(&kind) || key.step == Step::Now { kind } else { format!("{kind} {step}") };
        let fresh = || Fact { what, teams: Vec::new(), about: about(&notice.subject), reason: &notice.reason };
        let fact = facts.entry((key.kind, &key.credential, key.step)).or_insert_with(fresh);
        fact.teams.push(TeamId::as_str(&key.team));
    }
    facts.into_values().collect()
}

fn about(subject: &Subject) -> String {
    match subject {
        Subject::Credential { holder, label, kind, .. } if label.is_empty() => format!("{holder} ({})", kind.spoken()),
        Subject::Credential { holder, label, kind, .. } => format!("{holder}, {label} ({})", kind.spoken()),
        Subject::Source { name, .. } => format!("the source {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_quarter_is_told_day_by_day() {
        let mut told = String::new();
        let begins = "2026-09-07T15:00:00Z".parse().unwrap();
        let page = |page: String| {
            told += &page;
            told.push('\n');
            Ok(())
        };
        tell(begins, page).await.unwrap();
        // A node stands at another port each time.
        let mut parts = told.split("127.0.0.1:");
        let first = parts.next().unwrap_or_default().to_owned();
        let told =
            parts.fold(first, |told, part| told + "NODE" + part.trim_start_matches(|c: char| c.is_ascii_digit()));
        insta::assert_snapshot!(told);
    }
}
