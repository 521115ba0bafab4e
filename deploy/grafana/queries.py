"""The dashboard's queries: what each asks, and why it stays cheap with ten thousand credentials.

Refuses to know how they are drawn. Three habits:

- Replicas show the same things; `max by` makes one series of them, and `topk(1, ...)` takes one of the labels while they differ.
- Only instant queries touch the series of single credentials; what is drawn over time is counted first.
- What ended more than 30 days ago is the past: old directories are full of it, and it would fill every list.
"""

DAY = 86400
JOB = 'job=~"$job"'
CREDENTIAL = f'{JOB}, team=~"$team", environment=~"$environment", kind=~"$kind", holder=~"(?i).*$search.*"'
WHO = "job, source, kind, holder, holder_id"

END = f"max by (source, kind, holder, credential, environment, team) (expiry_watch_credential_expires_timestamp_seconds{{{CREDENTIAL}}})"
INFO = f'expiry_watch_credential_info{{{JOB}, kind=~"$kind"}}'
# A planned end and what a rule ignores are no work for anybody.
PLANNED = f'expiry_watch_credential_info{{{JOB}, kind=~"$kind", status=~"superseded|ignored|not_yet_valid"}}'
COVERED = f"expiry_watch_holder_covered_until_timestamp_seconds{{{CREDENTIAL}}}"
# The state's series name no team: what is known to be another team's or environment's is taken away, so that a holder without
# cover, which has no "covered until", stays.
ELSEWHERE = (
    f'expiry_watch_holder_covered_until_timestamp_seconds{{{JOB}, team!~"$team"}}'
    f' or expiry_watch_holder_covered_until_timestamp_seconds{{{JOB}, environment!~"$environment"}}'
)


def ends_within(days):
    """What ends within so many days and has no successor, or has ended lately without one."""
    near = f"{END} < time() + {days} * {DAY} > time() - 30 * {DAY}"
    return f"({near}) unless on (source, credential) {PLANNED}"


def count(expression, by=None):
    return f"count by ({by}) ({expression})" if by else f"count({expression}) or vector(0)"


def state(states):
    selected = f'expiry_watch_rotation_state{{{JOB}, kind=~"$kind", holder=~"(?i).*$search.*", state=~"{states}"}}'
    return f"max by ({WHO}, state) ({selected}) unless on ({WHO}) ({ELSEWHERE})"


SOONEST = f"bottomk(200, {END} > time() - 30 * {DAY})"
# One row a credential; the labels of the second come to the first's.
DAYS = (
    f"({SOONEST} - time()) / {DAY} * on (source, credential) group_left (app_id, label, rule, status)"
    f" topk by (source, credential) (1, max by (source, credential, app_id, label, rule, status) ({INFO}))"
)
ENDS = f"max by (source, credential) ({SOONEST}) * 1000"

HOLDERS = "max by (source, kind, holder, holder_id, environment, team)"
COVER_DAYS = f"(bottomk(50, {HOLDERS} ({COVERED})) - time()) / {DAY}"
COVER_ENDS = f"bottomk(200, {HOLDERS} ({COVERED})) * 1000"

ROTATIONS = state("overlap|rotation_due|old_in_use|retire_ready|lapsed")
STATE_COUNTS = f'count by (state) (max by ({WHO}, state) (expiry_watch_rotation_state{{{JOB}, kind=~"$kind", state!~"steady|unknown"}}))'
STATUS_COUNTS = f'sum by (status) (max by (job, source, kind, status) (expiry_watch_credentials{{{JOB}, kind=~"$kind"}}))'

SOURCE_UP = f"min by (source, type) (expiry_watch_source_up{{{JOB}}})"
SOURCE_AGE = f"time() - max by (source, type) (expiry_watch_source_last_success_timestamp_seconds{{{JOB}}})"
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
