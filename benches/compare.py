"""The measuring for `compare`, which see: processes in turns, each with its wall time, processor time and most memory."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

bench, rounds, applications = sys.argv[1], int(sys.argv[2]), sys.argv[3]
here = os.path.dirname(os.path.abspath(__file__))
SECRET = os.path.join(here, "..", "tests", "fixtures", "client-secret.txt")
SELECT = "$select=id,appId,displayName,tags,passwordCredentials,keyCredentials&$top=999"


def measured(command):
    """Runs it to its end; gives seconds, processor seconds and MB."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed: {said.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


class Tenant:
    def __init__(self, latency):
        self.process = subprocess.Popen(
            [bench, "serve", applications, str(latency), "plain"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url, self.tenant, self.client = self.process.stdout.readline().split()

    def next_minute(self):
        """Lets a minute pass at the tenant, so that the next one has its 150 requests."""
        self.process.stdin.write("minute\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def opened(url, token=None, form=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        return answer.read()


def pages_for_curl(tenant, folder):
    """Walks the listing once, and writes what curl needs to fetch the same pages without reading them."""
    form = {
        "grant_type": "client_credentials",
        "client_id": tenant.client,
        "client_secret": open(SECRET).read().strip(),
        "scope": "https://graph.microsoft.com/.default",
    }
    token = json.loads(opened(f"{tenant.url}/{tenant.tenant}/oauth2/v2.0/token", form=form))["access_token"]
    url, urls, size = f"{tenant.url}/v1.0/applications?{SELECT}", [], 0
    while url:
        body = opened(url, token)
        urls.append(url)
        size += len(body)
        url = json.loads(body).get("@odata.nextLink")
    path = os.path.join(folder, "curl")
    with open(path, "w") as file:
        file.write(f'silent\nfail\ngloboff\nheader = "Authorization: Bearer {token}"\n')
        file.writelines(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls)
    print(f"{len(urls)} pages, {size / 1e6:.1f} MB")
    return path


def compare(latency, folder):
    print(f"\nlatency {latency} ms a request, {rounds} rounds, load {os.getloadavg()[0]:.1f}: ", end="")
    tenant = Tenant(latency)
    curl = pages_for_curl(tenant, folder)
    contestants = {
        "expiry-watch": [bench, "once", tenant.url, tenant.tenant, tenant.client],
        "curl": ["curl", "--config", curl],
        "script": [sys.executable, os.path.join(here, "peer.py"), tenant.url, tenant.url, tenant.tenant, tenant.client, SECRET],
    }
    figures = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, command in contestants.items():
            tenant.next_minute()
            figures[name].append(measured(command))
    tenant.stop()
    print(f"{'':14}{'wall s':>10}{'processor s':>14}{'most MB':>10}{'times the watch: wall':>24}{'processor':>12}")
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in figures.items()}
    ours = medians["expiry-watch"]
    for name, (wall, processor, memory) in medians.items():
        print(f"{name:14}{wall:10.3f}{processor:14.3f}{memory:10.1f}{wall / ours[0]:24.2f}{processor / ours[1]:12.2f}")
    # Round by round, since the load of the machine changes meanwhile.
    ratio = statistics.median(a[0] / b[0] for a, b in zip(figures["expiry-watch"], figures["curl"]))
    print(f"wall beside the download of the same round: {ratio:.2f}")


with tempfile.TemporaryDirectory() as folder:
    for latency in (0, 20):
        compare(latency, folder)
