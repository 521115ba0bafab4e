//! `/metrics`: what the loops count, what the observed state says, and one series for each credential and holder.
//!
//! Three parts, one after the other. Counters, histograms and the process's own figures are the `prometheus` crate's, in a
//! registry of ours. Gauges are written from the observed state when asked for, so that nothing has to be kept in step. The large
//! part, [`series`], is streamed from the view, and kept compressed for Prometheus, which always asks for that.

use super::App;
use super::body::{streamed, streamed_exactly};
use super::exposition::{Line, family};
use super::gzip::{Joined, Segment};
use super::series;
use crate::domain::{Channel, NoticeKind, Policy, SourceName, TeamId};
use crate::observe::View;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};
use std::sync::{Arc, PoisonError, RwLock, Weak};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Seconds, from a small tenant to one that is throttled.
const POLL_BUCKETS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0];
/// Seconds, from "at once" over "held for the morning" to "something was down for a week".
const DELAY_BUCKETS: &[f64] =
    &[60.0, 300.0, 900.0, 3_600.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0, 129_600.0, 172_800.0, 604_800.0];

/// What became of one attempt to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    Deferred,
    Rejected,
}

impl Outcome {
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Deferred, Self::Rejected];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::Rejected => "rejected",
        }
    }
}

/// What the loops count into, and the compressed series of the last view.
pub struct Metrics {
    registry: Registry,
    poll_duration: HistogramVec,
    requests: IntCounterVec,
    notices: IntCounterVec,
    deliveries: IntCounterVec,
    notice_delay: Histogram,
    compressed: RwLock<Option<Arc<Compressed>>>,
}

struct Compressed {
    of: Weak<View>,
    body: Joined,
}

impl Metrics {
    /// Every series whose labels are known beforehand exists from the start, at 0.
    ///
    /// # Errors
    /// Never in fact: only where two metrics had the same name, which a test would see.
    pub fn new<'a>(policy: &Policy, sources: impl IntoIterator<Item = &'a SourceName>) -> prometheus::Result<Self> {
        let metrics = Self {
            registry: Registry::new(),
            poll_duration: HistogramVec::new(
                HistogramOpts::new("expiry_watch_source_poll_duration_seconds", "How long reading a source took.")
                    .buckets(POLL_BUCKETS.to_vec()),
                &["source"],
            )?,
            requests: counters("expiry_watch_source_requests_total", "Requests to a source.", &["source", "code"])?,
            notices: counters("expiry_watch_notices_total", "Notices enqueued.", &["notice", "team"])?,
            deliveries: counters(
                "expiry_watch_deliveries_total",
                "Attempts to deliver, by what became of them.",
                &["channel", "outcome"],
            )?,
            notice_delay: Histogram::with_opts(
                HistogramOpts::new(
                    "expiry_watch_notice_delay_seconds",
                    "From the instant at which a notice became true to the handing over of its message.",
                )
                .buckets(DELAY_BUCKETS.to_vec()),
            )?,
            compressed: RwLock::default(),
        };
        metrics.register()?;
        metrics.begin_at_zero(policy, sources);
        Ok(metrics)
    }

    fn register(&self) -> prometheus::Result<()> {
        let ours: [Box<dyn Collector>; 5] = [
            Box::new(self.poll_duration.clone()),
            Box::new(self.requests.clone()),
            Box::new(self.notices.clone()),
            Box::new(self.deliveries.clone()),
            Box::new(self.notice_delay.clone()),
        ];
        for collector in ours {
            self.registry.register(collector)?;
        }
        self.registry.register(Box::new(ProcessCollector::for_self()))
    }

    fn begin_at_zero<'a>(&self, policy: &Policy, sources: impl IntoIterator<Item = &'a SourceName>) {
        for source in sources {
            let _ = self.poll_duration.with_label_values(&[source.as_str()]);
        }
        for kind in NoticeKind::ALL {
            for team in policy.teams.keys() {
                let _ = self.notices.with_label_values(&[kind.as_str(), team.as_str()]);
            }
        }
        for channel in Channel::ALL {
            for outcome in Outcome::ALL {
                let _ = self.deliveries.with_label_values(&[channel.as_str(), outcome.as_str()]);
            }
        }
    }

    /// One reading of `source` took so many seconds.
    pub fn poll_took(&self, source: &SourceName, seconds: f64) {
        self.poll_duration.with_label_values(&[source.as_str()]).observe(seconds);
    }

    /// `source` has made `total` requests since the start that were answered with `code`.
    pub fn requests_are(&self, source: &SourceName, code: &str, total: u64) {
        let counter = self.requests.with_label_values(&[source.as_str(), code]);
        counter.inc_by(total.saturating_sub(counter.get()));
    }

    /// One notice was enqueued for `team`.
    pub fn noticed(&self, kind: NoticeKind, team: &TeamId) {
        self.notices.with_label_values(&[kind.as_str(), team.as_str()]).inc();
    }

    /// One attempt to deliver has ended.
    pub fn delivered(&self, channel: Channel, outcome: Outcome) {
        self.deliveries.with_label_values(&[channel.as_str(), outcome.as_str()]).inc();
    }

    /// A notice was handed over so many seconds after it became true.
    pub fn notice_took(&self, seconds: f64) {
        self.notice_delay.observe(seconds);
    }

    /// Compresses the series of `view`, once. To be called when it is shown, off the async threads: a hundred thousand credentials
    /// take most of a second where nothing is as it was. Until then the view is served uncompressed.
    pub fn render(&self, view: &Arc<View>) {
        let previous = self.compressed.read().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = |index: usize, text: &[u8]| {
            let segment = previous.as_ref()?.body.segments().get(index)?;
            segment.holds(text).then(|| segment.clone())
        };
        let segments = series::pieces(view.clone()).enumerate().map(|(index, piece)| {
            kept(index, &piece).unwrap_or_else(|| Arc::new(Segment::new(&piece, Compression::fast())))
        });
        let body = Joined::new(segments.collect());
        let compressed = Arc::new(Compressed { of: Arc::downgrade(view), body });
        *self.compressed.write().unwrap_or_else(PoisonError::into_inner) = Some(compressed);
    }

    /// What was compressed, if it is this very view.
    fn compressed(&self, view: &Arc<View>) -> Option<Arc<Compressed>> {
        let compressed = self.compressed.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        std::ptr::eq(compressed.of.as_ptr(), Arc::as_ptr(view)).then_some(compressed)
    }

    fn counted(&self) -> Vec<u8> {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::warn!(%error, "some metrics could not be written; the others are shown");
        }
        text.into_bytes()
    }
}

fn counters(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

/// `GET /metrics`
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let view = app.observed.view();
    let mut first = app.metrics.counted();
    observed(&mut first, &app, &view);
    family(&mut first, "expiry_watch_time_seconds", "What the clock says by which everything is decided.");
    Line::new(&mut first, "expiry_watch_time_seconds").instant(app.clock.now());
    let compressed = if accepts_gzip(&headers) { app.metrics.compressed(&view) } else { None };
    let vary = (header::VARY, HeaderValue::from_static("accept-encoding"));
    match compressed {
        Some(compressed) => {
            let (parts, length) = compressed.body.after(Segment::new(&first, Compression::fast()));
            let gzip = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            let body = streamed_exactly(parts.into_iter(), length);
            ([(header::CONTENT_TYPE, CONTENT_TYPE), vary, gzip], body).into_response()
        }
        None => {
            let pieces = std::iter::once(first).chain(series::pieces(view)).map(Bytes::from);
            ([(header::CONTENT_TYPE, CONTENT_TYPE), vary], streamed(pieces)).into_response()
        }
    }
}

/// Whether the client names gzip among what it accepts, and not with a weight of 0 (RFC 9110, section 12.5.3).
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.filter_map(|part| part.strip_prefix("q=")).any(|weight| weight.parse() == Ok(0.0));
        named && !refused
    })
}

/// The gauges that the observed state says.
fn observed(out: &mut Vec<u8>, app: &App, view: &View) {
    let gauge = |out: &mut Vec<u8>, name: &str, help: &str, value: u64| {
        family(out, name, help);
        Line::new(out, name).value(value);
    };
    let outbox = app.observed.outbox();
    gauge(out, "expiry_watch_outbox_pending", "Messages that wait to be delivered.", outbox.pending);
    if let Some(oldest) = outbox.oldest {
        let name = "expiry_watch_outbox_oldest_pending_timestamp_seconds";
        family(out, name, "When the oldest pending message was enqueued; absent while none waits.");
        Line::new(out, name).instant(oldest);
    }
    let leader = u64::from(app.observed.pulse().leader);
    gauge(out, "expiry_watch_leader", "1 in the process that decides and delivers.", leader);
    // A poll takes as long as it takes, so its beginning is the sign of life until it has ended.
    let pulse = app.observed.pulse();
    if let Some(turned) = pulse.polling_since.or(pulse.last_turn) {
        let name = "expiry_watch_loop_last_turn_timestamp_seconds";
        family(out, name, "When the loop that polls last turned, or began the poll that is under way.");
        Line::new(out, name).instant(turned);
    }
    family(out, "expiry_watch_build_info", "What is running.");
    Line::new(out, "expiry_watch_build_info").label("version", app.version).label("revision", app.revision).one();
    sources(out, view);
}

fn sources(out: &mut Vec<u8>, view: &View) {
    let sources = view.inventory.sources();
    let line = |out: &mut Vec<u8>, name: &str, index: usize, value: i64| {
        let source = &sources[index];
        Line::new(out, name).label("source", source.name.as_str()).label("type", source.system).value(value);
    };
    family(out, "expiry_watch_source_up", "Whether the last attempt to read a source succeeded.");
    for (index, source) in sources.iter().enumerate() {
        line(out, "expiry_watch_source_up", index, i64::from(source.is_up()));
    }
    let name = "expiry_watch_source_last_success_timestamp_seconds";
    family(out, name, "When a source was last read completely.");
    for (index, source) in sources.iter().enumerate() {
        if let Some(at) = source.last_success {
            line(out, name, index, at.as_second());
        }
    }
    let name = "expiry_watch_source_stale_after_seconds";
    family(out, name, "How long a source may go unread before the default teams are told.");
    for (index, source) in sources.iter().enumerate() {
        if let Some(period) = view.policy.stale_after.get(&source.name) {
            line(out, name, index, period.seconds());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_given_to_those_who_name_it() {
        for (accept, expected) in [
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, identity", false),
            ("identity", false),
            ("x-gzip-not", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(accepts_gzip(&headers), expected, "{accept:?}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
