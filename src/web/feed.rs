//! `/calendar/<token>/<team>.ics`: a team's dates, for a calendar to subscribe to.
//!
//! The address is the key: whoever knows it may read, and whoever does not learns nothing, not even which teams there are. What is
//! served is written once for each view and team, so that readers who poll cost next to nothing, and mostly get 304.

use super::App;
use crate::config::Secret;
use crate::decide;
use crate::domain::{CalendarChoice, Policy, TeamId};
use crate::observe::View;
use crate::render;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use subtle::ConstantTimeEq;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("text/calendar; charset=utf-8");

/// It may be kept, by its reader alone, and is asked for again each time, which mostly costs a 304.
const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The feeds there are, and what opens each.
#[derive(Default)]
pub struct Feeds {
    /// Of the tokens only their digests are kept: enough for comparing them, and of equal length.
    tokens: BTreeMap<TeamId, Vec<u8>>,
    written: Mutex<HashMap<TeamId, Arc<Written>>>,
}

/// A feed as of one view.
struct Written {
    of: Weak<View>,
    body: Bytes,
    tag: HeaderValue,
}

impl Feeds {
    /// A team that wants nothing in its calendar has no feed.
    #[must_use]
    pub fn new<'a>(policy: &Policy, tokens: impl IntoIterator<Item = (&'a TeamId, Secret)>) -> Self {
        let wants_one =
            |team: &TeamId| policy.teams.get(team).is_some_and(|team| team.calendar != CalendarChoice::None);
        let tokens = tokens.into_iter().filter(|(team, _)| wants_one(team));
        Self {
            tokens: tokens.map(|(team, token)| (team.clone(), hash(token.expose()))).collect(),
            written: Mutex::default(),
        }
    }

    /// The team whose feed `<token>/<team>.ics` is, if the token is that team's. An unknown team takes as long as a wrong token.
    fn opened_by(&self, path: &str) -> Option<TeamId> {
        let (token, file) = path.rsplit_once('/')?;
        let team = TeamId::new(file.strip_suffix(".ics")?);
        let nobodys = hash("");
        let (is_known, expected) = self.tokens.get(&team).map_or((false, &nobodys), |expected| (true, expected));
        let fits = bool::from(hash(token).ct_eq(expected));
        (fits && is_known).then_some(team)
    }

    /// What was written for this very view.
    fn kept(&self, team: &TeamId, view: &Arc<View>) -> Option<Arc<Written>> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).get(team).cloned()?;
        std::ptr::eq(written.of.as_ptr(), Arc::as_ptr(view)).then_some(written)
    }

    fn write(&self, team: &TeamId, view: &Arc<View>) -> Arc<Written> {
        let dates = decide::agenda(&view.inventory, &view.policy, &view.verdicts, view.at, |wanted| wanted == team);
        let dates = dates.map(|dated| dated.appointment).collect();
        let name = view.policy.teams.get(team).map(|team| team.name.clone()).unwrap_or_default();
        let body = Bytes::from(render::feed(&name, team, dates, &view.policy.zone));
        let written = Arc::new(Written { of: Arc::downgrade(view), tag: tag(&body), body });
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(team.clone(), written.clone());
        written
    }
}

/// `GET /calendar/...`
pub async fn feed(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let Some(team) = path.ok().and_then(|Path(path)| app.feeds.opened_by(&path)) else { return nothing().await };
    let (feeds, view) = (app.feeds.clone(), app.observed.view());
    let written = match feeds.kept(&team, &view) {
        Some(written) => written,
        // Thousands of entries take a while to write.
        None => match tokio::task::spawn_blocking(move || feeds.write(&team, &view)).await {
            Ok(written) => written,
            Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
    };
    let about = [(header::ETAG, written.tag.clone()), (header::CACHE_CONTROL, CACHE)];
    if is_known(&headers, &written.tag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(header::CONTENT_TYPE, MEDIA_TYPE)], written.body.clone()).into_response()
}

/// The same for a wrong token, an unknown team and any other path.
pub async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "Nothing is here.\n").into_response()
}

fn hash(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

/// A strong entity tag: other bytes, another tag.
fn tag(body: &[u8]) -> HeaderValue {
    let hex: String = digest(&SHA256, body).as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    // Hexadecimal digits in quotes always are a header's value.
    HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the reader has these very bytes (RFC 9110, section 13.1.2, which compares weakly).
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|line| line.split(',')).map(str::trim).any(|candidate| {
        candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate).as_bytes() == tag.as_bytes()
    })
}

#[cfg(test)]
mod tests;
