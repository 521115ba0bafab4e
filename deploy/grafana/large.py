"""The metrics of a place with many credentials, as text: what the watch would write there, so that queries can be timed.

Six in ten holders have one credential, the others two; one in twenty is in some rotation, and many are long dead, as in any old
directory. Nothing is random: each call with the same numbers gives the same place.
"""

DAY = 86400
STATES = ["overlap", "rotation_due", "old_in_use", "retire_ready"]
KINDS = ["client_secret", "client_secret", "client_secret", "client_certificate", "saml_signing_certificate"]
P = "expiry_watch_"


def ident(number):
    return f"{number:08x}-0000-4000-8000-{number * 7919:012x}"


def holders(credentials):
    """(number, its credentials) until there are so many."""
    made, number = 0, 0
    while made < credentials:
        size = min(1 if number % 10 < 6 else 2, credentials - made)
        yield number, range(made, made + size)
        made, number = made + size, number + 1


def text(credentials, now):
    """One scrape, with `@` where the counters stand, so that a later one is made in no time."""
    out, polls = [], "@"

    def line(name, labels, value):
        named = ",".join(f'{key}="{one}"' for key, one in labels.items())
        out.append(f"{P}{name}{{{named}}} {value}" if named else f"{P}{name} {value}")

    for number, own in holders(credentials):
        kind, dead = KINDS[number % 5], number % 4 == 3
        what = {"source": "entra", "kind": kind, "holder": f"Application {number} of the department {number % 40}"}
        holder = {**what, "holder_id": ident(number)}
        owner = {"environment": ("prod", "test", "dev")[number % 3], "team": f"team-{number % 25}"}
        end = now - (40 + number % 900) * DAY if dead else now + (number * 37 % 720) * DAY / 2 + DAY
        for index in own:
            name = {"credential": f"entra:application:{ident(number)}:{ident(index + 10**6)}"}
            own_end = end if index == own[-1] else end - 90 * DAY
            status = "expired" if dead else "superseded" if index != own[-1] else "expiring" if own_end < now + 60 * DAY else "valid"
            line("credential_expires_timestamp_seconds", {**what, **name, **owner}, own_end)
            line("credential_info", {"source": "entra", "kind": kind, **name, "app_id": ident(number + 5 * 10**6), "label": f"secret {index}", "status": status, "rule": f"rule {number % 60}"}, 1)
        if number % 200 == 0:
            line("condition_since_timestamp_seconds", {**what, **name, **owner, "condition": "untrusted"}, now - number)
        state = "lapsed" if dead else STATES[number // 20 % 4] if number % 20 == 0 else "steady"
        line("rotation_state", {**holder, "state": state}, 1)
        if not dead:
            line("holder_covered_until_timestamp_seconds", {**holder, **owner}, end)
    for kind in sorted(set(KINDS)):
        for status in ("valid", "expiring", "expired", "superseded"):
            line("credentials", {"source": "entra", "kind": kind, "status": status}, credentials // 16)
    for source in ("entra", "vault", "nodes", "by_hand"):
        line("source_up", {"source": source, "type": source}, 1)
        line("source_last_success_timestamp_seconds", {"source": source, "type": source}, int(now))
        line("source_stale_after_seconds", {"source": source, "type": source}, 5400)
        line("source_poll_duration_seconds_sum", {"source": source}, "@")
        line("source_poll_duration_seconds_count", {"source": source}, polls)
        line("source_requests_total", {"source": source, "code": 200}, "@")
    for notice in ("expiring", "expired", "retiring", "rotation_due"):
        for team in range(25):
            line("notices_total", {"notice": notice, "team": f"team-{team}"}, polls)
    for outcome in ("delivered", "deferred", "rejected"):
        line("deliveries_total", {"channel": "mail", "outcome": outcome}, polls)
    for bound in (60, 3600, 28800, 129600, "+Inf"):
        line("notice_delay_seconds_bucket", {"le": bound}, polls)
    line("notice_delay_seconds_count", {}, polls)
    line("outbox_pending", {}, 0)
    line("leader", {}, 1)
    line("time_seconds", {}, int(now))
    line("loop_last_turn_timestamp_seconds", {}, int(now))
    line("build_info", {"version": "0.1.0", "revision": "synthetic"}, 1)
    out += [f"process_resident_memory_bytes {40 * 10**6}", f"process_start_time_seconds {now - DAY:.0f}", f"process_cpu_seconds_total @"]
    return "\n".join(out) + "\n"


def history(credentials, now, every=60):
    """A day of what panels draw over time, as OpenMetrics: the counts."""
    series = {one.rsplit(" ", 1)[0]: credentials // 16 for one in text(1, now).splitlines() if one.startswith(f"{P}credentials{{")}
    for team in range(25):
        for state in [*STATES, "lapsed"]:
            series[f'expiry_watch:rotation:count{{team="team-{team}",state="{state}"}}'] = 5
    for name, value in sorted(series.items()):
        labelled = name.replace("{", '{job="expiry-watch",instance="synthetic",', 1)
        for at in range(int(now) - DAY, int(now) - 120, every):
            yield f"{labelled} {value} {at}\n"
    yield "# EOF\n"
