"""What one would write instead: list what ends within 60 days. Needs `requests`.

Usage: peer.py <graph url> <authority url> <tenant id> <client id> <file with the client secret>
"""

import sys
from datetime import datetime, timedelta, timezone

import requests

graph, authority, tenant, client, secret_file = sys.argv[1:]
session = requests.Session()
with open(secret_file) as file:
    secret = file.read().strip()
answer = session.post(
    f"{authority}/{tenant}/oauth2/v2.0/token",
    data={
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": secret,
        "scope": "https://graph.microsoft.com/.default",
    },
)
answer.raise_for_status()
session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

applications = []
url = f"{graph}/v1.0/applications?$select=id,appId,displayName,tags,passwordCredentials,keyCredentials&$top=999"
while url:
    answer = session.get(url)
    answer.raise_for_status()
    page = answer.json()
    applications.extend(page["value"])
    url = page.get("@odata.nextLink")

now = datetime.now(timezone.utc)
soon = []
credentials = 0
for application in applications:
    for credential in application["passwordCredentials"] + application["keyCredentials"]:
        credentials += 1
        if credential["endDateTime"] is None:
            continue
        end = datetime.fromisoformat(credential["endDateTime"])
        if end - now < timedelta(days=60):
            soon.append((end, application["displayName"], credential["displayName"]))
soon.sort(key=lambda line: line[0])
print(f"{credentials} credentials, {len(soon)} of them end within 60 days")
