"""The dashboard's queries: what each asks, and why it stays cheap with ten thousand credentials.

Refuses to know how they are drawn. Three habits:

- What concerns single credentials and holders is read from series that prometheus/rules.yml records: the ends that come first.
- What is drawn over time is counted first, there too.
- Replicas show the same things; `max by` makes one series of them.
"""

DAY = 86400
JOB = 'job=~"$job"'
OWNED = f'{JOB}, team=~"$team", environment=~"$environment", kind=~"$kind"'
CHOSEN = f'{OWNED}, holder=~"(?i).*$search.*"'

# The days, and the instants in milliseconds for a second column of the same rows.
SOONEST = f"bottomk(200, expiry_watch:credential_end:soonest{{{CHOSEN}}})"
DAYS = f"({SOONEST} - time()) / {DAY}"
ENDS = f"{SOONEST} * 1000"
COVERED = f"expiry_watch:holder_covered_until:soonest{{{CHOSEN}}}"
COVER_DAYS = f"(bottomk(30, {COVERED}) - time()) / {DAY}"
COVER_ENDS = f"bottomk(200, {COVERED}) * 1000"


def ends_within(days, by=None):
    """How many end within so many days, or ended lately, without a successor."""
    total = f'(expiry_watch:credential_end:count{{{OWNED}, within="{days}d"}})'
    return f"sum by ({by}) {total}" if by else f"sum{total} or vector(0)"


ROTATIONS = f"expiry_watch:rotation:open{{{CHOSEN}}} * 1000"
LAPSED = f'count(expiry_watch:rotation:open{{{CHOSEN}, state="lapsed"}}) or vector(0)'
STATE_COUNTS = f'sum by (state) (expiry_watch:rotation:count{{{JOB}, team=~"$team"}})'
STATUS_COUNTS = f'sum by (status) (max by (job, source, kind, status) (expiry_watch_credentials{{{JOB}, kind=~"$kind"}}))'

# Instants since when, in milliseconds.
CONDITIONS = f"bottomk(200, expiry_watch:condition_since:seconds{{{CHOSEN}}}) * 1000"

SOURCE_UP = f"min by (source, type) (expiry_watch_source_up{{{JOB}}})"
SOURCE_AGE = f"time() - max by (source, type) (expiry_watch_source_last_success_timestamp_seconds{{{JOB}}})"
# 1: its `stale_after` has passed.
SOURCE_PATIENCE = f"({SOURCE_AGE}) / on (source, type) max by (source, type) (expiry_watch_source_stale_after_seconds{{{JOB}}})"
POLL_SECONDS = (
    f"sum by (source) (rate(expiry_watch_source_poll_duration_seconds_sum{{{JOB}}}[$window]))"
    f" / (sum by (source) (rate(expiry_watch_source_poll_duration_seconds_count{{{JOB}}}[$window])) > 0)"
)
REQUESTS = f"sum by (source, code) (increase(expiry_watch_source_requests_total{{{JOB}}}[$window]))"

PENDING = f"max(expiry_watch_outbox_pending{{{JOB}}})"
# The series is absent while nothing waits, which is an age of nothing.
OLDEST = (
    f"time() - min(expiry_watch_outbox_oldest_pending_timestamp_seconds{{{JOB}}})"
    f" or 0 * max(expiry_watch_outbox_pending{{{JOB}}})"
)
DELIVERIES = f"sum by (channel, outcome) (increase(expiry_watch_deliveries_total{{{JOB}}}[$window]))"
NOTICES = f"sum by (notice) (increase(expiry_watch_notices_total{{{JOB}, team=~\"$team\"}}[$window])) > 0"
TOLD = f"sum by (notice, team) (max by (job, instance, notice, team) (expiry_watch_notices_total{{{JOB}, team=~\"$team\"}})) > 0"
REJECTED = f'sum(increase(expiry_watch_deliveries_total{{{JOB}, outcome="rejected"}}[$__range]))'


def delay(quantile):
    buckets = f"sum by (le) (increase(expiry_watch_notice_delay_seconds_bucket{{{JOB}}}[$window]))"
    return f"histogram_quantile({quantile}, {buckets})"


FIRING = 'max by (alertname, severity, holder, source, team) (ALERTS{alertname=~"ExpiryWatch.*", alertstate="firing"})'
