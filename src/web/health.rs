//! `/health`: whether the watch can be relied upon at this moment, and if not, why.
//!
//! The assessment is a function of the observed state and an instant. It fails only for what a restart or an operator must mend;
//! what mends itself, such as a source that is down for an hour, degrades.

use super::App;
use crate::decide::stale_since;
use crate::domain::Text;
use crate::inventory::SourceState;
use crate::observe::{Outbox, Pulse, View};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::sync::Arc;

/// The loop that polls turns every few seconds; silent for this long it has stopped.
const LOOP_STOPPED: SignedDuration = SignedDuration::from_mins(5);
/// No poll takes this long, throttling included.
const POLL_HANGS: SignedDuration = SignedDuration::from_mins(30);
/// Mail is on its way for a moment in every run; older than this it waits.
const MAIL_WAITS: SignedDuration = SignedDuration::from_mins(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Degraded,
    Failing,
}

impl Level {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }
}

/// The level, and every reason for it, the gravest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Health {
    pub level: Level,
    pub reasons: Vec<String>,
}

/// Looks at everything that can be wrong.
#[must_use]
pub fn assess(view: &View, outbox: &Outbox, pulse: &Pulse, now: Timestamp) -> Health {
    let mut found = Vec::new();
    found.extend(loops(pulse, now));
    found.extend(sources(view, now));
    found.extend(mail(outbox, now));
    found.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    let level = found.first().map_or(Level::Ok, |(level, _)| *level);
    Health { level, reasons: found.into_iter().map(|(_, reason)| reason).collect() }
}

type Finding = (Level, String);

fn loops(pulse: &Pulse, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(error) = &pulse.store_error {
        found.push((Level::Failing, format!("the state is out of reach: {error}")));
    }
    match (pulse.polling_since, pulse.last_turn) {
        (Some(since), _) if now.duration_since(since) > POLL_HANGS => {
            found.push((Level::Failing, format!("a poll has been running since {since:.0}")));
        }
        (None, Some(turned)) if now.duration_since(turned) > LOOP_STOPPED => {
            found.push((Level::Failing, format!("the poll loop has not turned since {turned:.0}")));
        }
        _ => (),
    }
    if !pulse.first_poll_done {
        found.push((Level::Degraded, "the first poll has not finished".to_owned()));
    }
    found
}

fn sources(view: &View, now: Timestamp) -> Vec<Finding> {
    let sources = view.inventory.sources();
    let stale = |source: &&SourceState| stale_since(source, &view.policy, now).is_some();
    if !sources.is_empty() && sources.iter().all(|source| stale(&source)) {
        return vec![(Level::Failing, "every source is stale".to_owned())];
    }
    let finding = |source: &SourceState| {
        let how = match (stale(&source), &source.last_error) {
            (true, _) => "is stale",
            (false, Some(_)) => "is down",
            (false, None) => return None,
        };
        Some((Level::Degraded, format!("the source {} {how}", source.name)))
    };
    sources.iter().filter_map(finding).collect()
}

fn mail(outbox: &Outbox, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(why) = &outbox.paused {
        found.push((Level::Degraded, format!("mail is paused: {why}")));
    }
    if let Some(oldest) = outbox.oldest.filter(|oldest| now.duration_since(*oldest) > MAIL_WAITS) {
        found.push((Level::Degraded, format!("mail has been waiting since {oldest:.0}")));
    }
    // A refused address is shown and counted; it is no reason to call the service unwell for ever after.
    found
}

#[derive(Serialize)]
struct Body<'a> {
    status: Level,
    reasons: &'a [String],
    sources: Vec<Source<'a>>,
    outbox: OutboxBody<'a>,
    version: &'a str,
    leader: bool,
}

#[derive(Serialize)]
struct Source<'a> {
    name: &'a str,
    r#type: &'a str,
    ok: bool,
    stale: bool,
    last_success: Option<Timestamp>,
    error: Option<&'a str>,
}

impl<'a> Source<'a> {
    fn new(source: &'a SourceState, view: &View, now: Timestamp) -> Self {
        Self {
            name: source.name.as_str(),
            r#type: source.system,
            ok: source.is_up(),
            stale: stale_since(source, &view.policy, now).is_some(),
            last_success: source.last_success,
            error: source.last_error.as_ref().map(Text::as_str),
        }
    }
}

#[derive(Serialize)]
struct OutboxBody<'a> {
    pending: u64,
    oldest: Option<Timestamp>,
    rejected: u64,
    paused: Option<&'a str>,
}

/// `GET /health`
pub async fn health(State(app): State<Arc<App>>) -> Response {
    let (view, outbox, pulse) = (app.observed.view(), app.observed.outbox(), app.observed.pulse());
    let now = app.clock.now();
    let health = assess(&view, &outbox, &pulse, now);
    let body = Body {
        status: health.level,
        reasons: &health.reasons,
        sources: view.inventory.sources().iter().map(|source| Source::new(source, &view, now)).collect(),
        outbox: OutboxBody {
            pending: outbox.pending,
            oldest: outbox.oldest,
            rejected: outbox.rejected,
            paused: outbox.paused.as_ref().map(Text::as_str),
        },
        version: app.version,
        leader: pulse.leader,
    };
    let code = if health.level == Level::Failing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(body)).into_response()
}

/// `GET /health/live`
pub async fn live() -> &'static str {
    "ok\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceName;
    use crate::report::testing::{NOW, at, source_that_is_up, view_of};

    struct World {
        sources: Vec<SourceState>,
        outbox: Outbox,
        pulse: Pulse,
    }

    fn healthy() -> World {
        let pulse = Pulse { first_poll_done: true, last_turn: Some(at(NOW)), leader: true, ..Pulse::default() };
        World { sources: vec![source_that_is_up()], outbox: Outbox::default(), pulse }
    }

    #[track_caller]
    fn check(level: Level, reason: &str, change: impl FnOnce(&mut World)) {
        let mut world = healthy();
        change(&mut world);
        let view = view_of(&[], world.sources, |_| ());
        let health = assess(&view, &world.outbox, &world.pulse, at(NOW));
        assert_eq!(health.level, level, "{health:?}");
        assert!(health.reasons.first().is_none_or(|first| first.contains(reason)), "{health:?}");
        assert_eq!(health.reasons.is_empty(), reason.is_empty(), "{health:?}");
    }

    #[test]
    fn all_is_well_when_all_is_well() {
        check(Level::Ok, "", |_| ());
        check(Level::Ok, "", |world| world.sources.clear());
        check(Level::Ok, "", |world| {
            (world.outbox.pending, world.outbox.oldest) = (1, Some(at("2026-11-21T15:58:00Z")));
        });
        check(Level::Ok, "", |world| world.pulse.last_turn = Some(at("2026-11-21T15:55:00Z")));
        check(Level::Ok, "", |world| {
            world.pulse.last_turn = Some(at("2026-11-21T15:40:00Z"));
            world.pulse.polling_since = Some(at("2026-11-21T15:40:00Z"));
        });
    }

    #[test]
    fn what_mends_itself_degrades() {
        let failing = |last_success: &str| SourceState {
            last_error: Some(Text::clean("503")),
            last_success: Some(at(last_success)),
            ..source_that_is_up()
        };
        check(Level::Degraded, "first poll", |world| world.pulse.first_poll_done = false);
        check(Level::Degraded, "first poll", |world| world.pulse = Pulse::default());
        check(Level::Degraded, "entra is down", |world| world.sources = vec![failing("2026-11-21T15:00:00Z")]);
        check(Level::Degraded, "entra is stale", |world| {
            let vault = SourceState { name: SourceName::new("vault"), ..source_that_is_up() };
            world.sources = vec![failing("2026-11-20T15:00:00Z"), vault];
        });
        check(Level::Degraded, "waiting since", |world| world.outbox.oldest = Some(at("2026-11-21T15:50:00Z")));
        check(Level::Degraded, "paused: 535", |world| world.outbox.paused = Some(Text::clean("535 no")));
    }

    #[test]
    fn what_somebody_must_mend_fails() {
        check(Level::Failing, "out of reach: disk", |world| {
            world.pulse.store_error = Some(Text::clean("disk full"));
            world.pulse.first_poll_done = false;
        });
        check(Level::Failing, "has not turned", |world| world.pulse.last_turn = Some(at("2026-11-21T15:54:00Z")));
        check(Level::Failing, "a poll has been running", |world| {
            world.pulse.polling_since = Some(at("2026-11-21T15:29:00Z"));
        });
        check(Level::Failing, "every source is stale", |world| {
            world.sources[0].last_success = Some(at("2026-11-21T09:59:00Z"));
        });
    }
}
