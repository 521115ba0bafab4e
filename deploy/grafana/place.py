"""A monitored place on this machine: Prometheus, Alertmanager and a webhook, on free ports, in a folder that goes away.

Starts real programs and asks them; refuses to know what is asked of them.
"""

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def program(arguments, log):
    """Runs a program for as long as the block lasts; its output goes to a file."""
    with open(log, "wb") as output:
        running = subprocess.Popen([str(one) for one in arguments], stdout=output, stderr=subprocess.STDOUT, cwd=Path(log).parent)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()


@contextlib.contextmanager
def server(answer):
    """An HTTP server; `answer(path, body)` gives the text to send back."""

    class Handler(BaseHTTPRequestHandler):
        def reply(self):
            text = answer(self.path, self.rfile.read(int(self.headers.get("content-length") or 0))).encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(text)

        do_GET = do_POST = reply

        def log_message(self, *_):
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield listener.server_address[1]
    finally:
        listener.shutdown()


def get(url, **query):
    full = f"{url}?{urllib.parse.urlencode(query, doseq=True)}" if query else url
    with urllib.request.urlopen(full, timeout=20) as answer:
        return answer.read()


def wait_for(url, seconds=20):
    limit = time.monotonic() + seconds
    while True:
        try:
            return get(url)
        except OSError as error:
            if time.monotonic() > limit:
                raise SystemExit(f"{url} does not answer: {error}") from error
            time.sleep(0.1)


def quickened(rules):
    """The same expressions, without waiting: a check has no hours to spend."""
    return re.sub(r"^( +interval:) .*", r"\1 1s", re.sub(r"^( +for:) .*", r"\1 2s", rules, flags=re.M), flags=re.M)


@contextlib.contextmanager
def prometheus(folder, target, alertmanager=None, every="1s", quick=True):
    """Scrapes `target` with the rules of the repository; gives the address of its API."""
    rules = (DEPLOY / "prometheus/rules.yml").read_text()
    (folder / "rules.yml").write_text(quickened(rules) if quick else rules)
    config = {
        "global": {"scrape_interval": every, "evaluation_interval": every},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "expiry-watch", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    if alertmanager:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]}
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    arguments = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
    with program(arguments, folder / "prometheus.log"):
        wait_for(f"http://127.0.0.1:{port}/-/ready")
        yield f"http://127.0.0.1:{port}/api/v1"


@contextlib.contextmanager
def alertmanager(folder, webhook):
    """The example configuration, its receivers' addresses replaced and its waiting shortened; gives its port."""
    config = (DEPLOY / "prometheus/alertmanager.yml").read_text()
    config = re.sub(r'https://(\w+)\.example\.ca/\S*"', rf'http://127.0.0.1:{webhook}/\1"', config).replace("group_wait: 30s", "group_wait: 2s")
    (folder / "alertmanager.yml").write_text(config)
    port = free_port()
    arguments = ["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alerts",
                 f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with program(arguments, folder / "alertmanager.log"):
        wait_for(f"http://127.0.0.1:{port}/-/ready")
        yield port
