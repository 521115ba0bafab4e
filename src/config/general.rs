//! What concerns the service as a whole: its zone, its timetable, where it keeps its state, where it listens.

use super::read::{Item, Table};
use super::value::SECRET;
use super::zone;
use super::{
    Http, Postgres, PostgresAddress, PostgresAuth, PostgresUrl, STALE_AFTER_POLLS, Schedule, State, URGENT_WITHIN,
};
use crate::domain::{Period, Unit};
use crate::schedule::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

pub(super) const POLL: &str = "0 */30 * * * *";
pub(super) const NOTIFY: &str = "0 0 8 * * *";
const STATE: &str = "state/expiry-watch.db";
const SQLITE: &str = "\"sqlite:state/expiry-watch.db\"";
const POSTGRES: &str = "\"postgres://expiry-watch@db.example.ca/expiry_watch\"";
const AUTHS: &[(&str, PostgresAuth)] = &[("password", PostgresAuth::Password), ("azure", PostgresAuth::Azure)];
const PORT: u16 = 8080;

/// A source is never called stale sooner than this, however often it is polled.
const SHORTEST_STALE_AFTER: i64 = 180;

pub(super) fn zone(root: &Table) -> TimeZone {
    let zone = root.get("timezone").and_then(|item| item.parsed("\"America/Vancouver\"", zone::lookup));
    zone.unwrap_or(TimeZone::UTC)
}

/// `[schedule]`, with [`crate::domain::Policy::urgent_within`]. `None` when a pattern is missing its meaning.
pub(super) fn schedule(t: &Table, zone: &TimeZone) -> (Option<Schedule>, Period) {
    let poll = cron_or(t, "poll", POLL, zone);
    let notify = cron_or(t, "notify", NOTIFY, zone);
    let summary = t.get("summary").map(|item| cron(&item, "\"0 0 8 * * Mon\"", zone));
    let urgent_within = t.get("urgent_within").and_then(|item| item.period("\"24h\"")).unwrap_or(URGENT_WITHIN);
    let schedule = match (poll, notify, summary) {
        (Some(poll), Some(notify), summary) => Some(Schedule { poll, notify, summary: summary.flatten() }),
        _ => None,
    };
    (schedule, urgent_within)
}

fn cron_or(t: &Table, key: &'static str, default: &str, zone: &TimeZone) -> Option<Cron> {
    match t.get(key) {
        Some(item) => cron(&item, &format!("{default:?}"), zone),
        None => Cron::parse(default).ok(),
    }
}

fn cron(item: &Item, example: &str, zone: &TimeZone) -> Option<Cron> {
    item.parsed(example, |written| {
        let cron = Cron::parse(written).map_err(|why| format!("not a timetable: {why}"))?;
        match cron.next_after(reference(), zone) {
            Some(_) => Ok(cron),
            None => Err("there is no such day, so it would never run".to_owned()),
        }
    })
}

/// A fixed Monday to look at timetables from, so that what follows from a file does not depend on when it is read.
fn reference() -> Timestamp {
    Timestamp::constant(1_767_571_200, 0) // 2026-01-05T00:00:00Z
}

/// How long a source may be silent where nothing is said: three of the longest waits between two polls.
pub(super) fn stale_after(poll: &Cron, zone: &TimeZone) -> Period {
    let wait = longest_wait(poll, zone).as_secs() * i64::from(STALE_AFTER_POLLS);
    let seconds = wait.clamp(SHORTEST_STALE_AFTER, Period::days(Period::MOST).seconds());
    let (length, unit) = match seconds {
        s if s % 3_600 == 0 => (s / 3_600, Unit::Hours),
        s if s % 60 == 0 => (s / 60, Unit::Minutes),
        s => (s, Unit::Seconds),
    };
    // Within u32: the clamp above allows 3.2 thousand million seconds.
    Period { amount: u32::try_from(length).unwrap_or(u32::MAX), unit }
}

/// The longest time between two runs within eight days, which shows nights and weekends. Looks at most once a minute: shorter
/// waits make no difference to [`stale_after`].
fn longest_wait(cron: &Cron, zone: &TimeZone) -> SignedDuration {
    let mut longest = SignedDuration::ZERO;
    let Some(first) = cron.next_after(reference(), zone) else { return longest };
    let mut at = first;
    while at.duration_since(first) < SignedDuration::from_hours(8 * 24) {
        let Some(next) = cron.next_after(at, zone) else { break };
        longest = longest.max(next.duration_since(at));
        at = next.max(at.saturating_add(SignedDuration::from_mins(1)).unwrap_or(next));
    }
    longest
}

/// `[state]`. `None` when its URL will not do.
pub(super) fn state(t: &Table) -> Option<State> {
    let auth_item = t.get("auth");
    let auth = auth_item.as_ref().map_or(Some(PostgresAuth::default()), |item| item.choice(AUTHS));
    let state = match t.get("url") {
        None => State::Sqlite(PathBuf::from(STATE)),
        Some(item) if item.value.is_table() => {
            State::Postgres(Postgres { url: PostgresUrl::Kept(item.secret()?), auth: auth? })
        }
        Some(item) => match item.string(SQLITE)? {
            written if is_postgres(written) => {
                let auth = auth?;
                State::Postgres(Postgres { url: PostgresUrl::Written(postgres(&item, written, auth)?), auth })
            }
            _ => State::Sqlite(item.parsed(SQLITE, sqlite_path)?),
        },
    };
    if let (State::Sqlite(_), Some(item)) = (&state, auth_item) {
        item.place.warn("an `sqlite` state has no use for it");
    }
    Some(state)
}

fn is_postgres(written: &str) -> bool {
    ["postgres:", "postgresql:"].iter().any(|scheme| written.starts_with(scheme))
}

/// An address that stands in the file. Whatever is wrong with it, it is not shown: it may hold a password.
fn postgres(item: &Item, written: &str, auth: PostgresAuth) -> Option<PostgresAddress> {
    match PostgresAddress::parse(written) {
        Err(why) => item.place.problem(format_args!("{why} (what was found is not shown)"), POSTGRES),
        Ok((_, Some(_))) => item.place.problem(
            "a password is never written in the file (what was found is not shown): keep the whole URL elsewhere, or leave the \
             password out and set PGPASSWORD",
            SECRET,
        ),
        Ok((address, None)) => match auth.suits(&address, false) {
            Err(why) => item.place.problem(why, POSTGRES),
            Ok(()) => {
                if let Some(exposure) = address.exposure() {
                    item.place.warn(exposure);
                }
                return Some(address);
            }
        },
    }
    None
}

fn sqlite_path(written: &str) -> Result<PathBuf, &'static str> {
    let path = written.strip_prefix("sqlite:").ok_or("`sqlite:` and a path are wanted")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    match path {
        "" => Err("the path is missing"),
        path if path.starts_with(":memory:") => Err("a state in memory would forget who was told already; name a file"),
        path if path.contains(['?', '#', '\0']) => Err("the path goes without `?`, `#` and options"),
        path => Ok(PathBuf::from(path)),
    }
}

pub(super) fn http(t: &Table) -> Http {
    let listen = t.get("listen").and_then(|item| listen_address(&item, "\"127.0.0.1:8080\""));
    let feed = t.get("feed_listen");
    let http = Http {
        listen: listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))),
        public_url: t.get("public_url").and_then(|item| item.web_url("\"https://expiry.example.ca\"")),
        access_token: t.get("access_token").and_then(|item| item.secret()),
        feed_listen: feed.as_ref().and_then(|item| listen_address(item, "\"0.0.0.0:8081\"")),
    };
    if let Some(item) = feed.filter(|_| http.feed_listen == Some(http.listen) && http.listen.port() != 0) {
        item.wrong("the feeds need an address of their own, other than `listen`", "\"0.0.0.0:8081\"");
    }
    if !http.listen.ip().is_loopback() && t.get("access_token").is_none() {
        t.at("listen")
            .warn("others can reach this address and no `access_token` is set: whoever does can read everything");
    }
    http
}

fn listen_address(item: &Item, example: &str) -> Option<SocketAddr> {
    item.parsed(example, |written| {
        let numeric = match written.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => written.to_owned(),
        };
        numeric.parse().map_err(|_| "an IP address and a port are wanted")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_stale_after_three_of_the_longest_waits_between_polls() {
        for (poll, stale) in [
            (POLL, "90m"),
            ("0 0 * * * *", "3h"),
            ("*/30 * * * * *", "3m"),
            ("* * * * * *", "3m"),
            ("0 * * * * *", "3m"),
            ("0 0 6 * * *", "72h"),
            // The weekend: from Friday 17:50 to Monday 08:00, 62 h 10 min.
            ("0 */10 8-17 * * Mon-Fri", "11190m"),
            ("0 0 0 1 * *", "2016h"),
        ] {
            let period = stale_after(&Cron::parse(poll).unwrap(), &TimeZone::UTC);
            assert_eq!(period.to_string(), stale, "{poll}");
        }
    }

    #[test]
    fn the_state_is_a_file() {
        for (written, path) in [
            ("sqlite:state/expiry-watch.db", Some("state/expiry-watch.db")),
            ("sqlite:///var/lib/watch.db", Some("/var/lib/watch.db")),
            ("sqlite://demo.db", Some("demo.db")),
            ("sqlite:", None),
            ("sqlite::memory:", None),
            ("sqlite:x.db?mode=ro", None),
            ("state.db", None),
        ] {
            assert_eq!(sqlite_path(written).ok(), path.map(PathBuf::from), "{written}");
        }
    }
}
