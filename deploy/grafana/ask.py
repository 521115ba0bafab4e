"""Asks Prometheus what the dashboard would ask, with its variables filled in, and says what fails, is empty or is slow.

Reads the committed JSON and nothing else of ours, so that it sees what Grafana would see.
"""

import json
import math
import re
import statistics
import time
import urllib.error
from pathlib import Path

from place import get

DASHBOARD = Path(__file__).with_name("expiry-watch.json")
# Panels that are rightly empty where all is well in the demo: none so far. Name: reason.
MAY_BE_EMPTY = {}
RANGE = 24 * 3600


def queries():
    """(row, panel, query) for each."""
    row = ""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        for target in panel.get("targets", []):
            yield row, panel["title"], {**target, "step": RANGE // panel.get("maxDataPoints", 1000)}


def choices():
    """(name, label_values query) of the variables that Prometheus fills."""
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


def filled(text, **chosen):
    values = {"job": "expiry-watch", "team": ".*", "environment": ".*", "kind": ".*", "search": "", "window": "1m", "__range": "1h", **chosen}
    whole = re.sub(r"\$(\w+)", lambda found: values[found[1]], text)
    assert "$" not in whole, whole
    return whole


def ask(api, target, **chosen):
    """The series of one query."""
    now = time.time()
    expression = filled(target["expr"], **chosen)
    try:
        if target.get("instant"):
            answer = get(f"{api}/query", query=expression, time=now)
        else:
            answer = get(f"{api}/query_range", query=expression, start=now - RANGE, end=now, step=chosen.get("step", target["step"]))
    except urllib.error.HTTPError as error:
        raise SystemExit(f"Prometheus refuses {expression}\n{error.read().decode()}") from error
    return json.loads(answer)["data"]["result"]


def is_empty(series):
    values = [pair for one in series for pair in one.get("values", [one.get("value")])]
    return all(math.isnan(float(value)) for _, value in values)


def empty_panels(api, **chosen):
    return [f"{row} / {title} ({target['refId']})" for row, title, target in queries()
            if title not in MAY_BE_EMPTY and is_empty(ask(api, target, **chosen))]


def empty_variables(api):
    for name, query in choices():
        metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
        if not json.loads(get(f"{api}/label/{label}/values", **{"match[]": filled(metric)}))["data"]:
            yield name


def timings(api, rounds=15):
    """(fastest, median, series, panel), the slowest first, as a client sees it: parsed, computed, sent, received, in seconds.

    The fastest says what the query costs; the median also what else this machine does.
    """
    measured = []
    for row, title, target in queries():
        taken = []
        for _ in range(rounds):
            began = time.perf_counter()
            series = ask(api, target)
            taken.append(time.perf_counter() - began)
        measured.append((min(taken), statistics.median(taken), len(series), f"{row} / {title} ({target['refId']})"))
    return sorted(measured, reverse=True)
