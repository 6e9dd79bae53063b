"""One request, answered and shown: what ``ephyrus serve --once`` ends with."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ephyrus.cli import console
from ephyrus.cli.failures import FINE, PROBLEMS, Failure

__all__ = ["show_one"]

TYPES = ("analogsignalarray", "analogsignal", "irsaanalogsignal", "spiketrain", "eventarray")
ARRAYS = ("signal", "times")
PATIENCE = 30.0  # seconds until the service must answer
WINDOW = "start_index=0&samples_count=5"


def show_one(address: str, token: str) -> int:
    """Ask a service for an object and the first values of its array; gives the exit code."""
    for name in TYPES:
        path = f"/electrophysiology/{name}/?max_results=1"
        found = _asked(address, path, token)["selected"]
        if found:
            return _shown(address, found[0], token)
    console.note("warning", "there are no data in these recordings")
    return PROBLEMS


def _shown(address: str, listed: Any, token: str) -> int:
    """Show an object with a window of its data."""
    path = f"{listed['permalink']}?{WINDOW}&format=json"
    console.say(f"\nGET {path}")
    found = _asked(address, path, token)["selected"][0]
    fields = {name: value for name, value in found["fields"].items() if not _is_empty(value)}
    head = {"permalink": found["permalink"], "model": found["model"], "fields": fields}
    console.say(json.dumps(head, indent=2))
    link = next(fields[name]["data"] for name in ARRAYS if name in fields)
    console.say(f"\nGET {link}")
    console.say(json.dumps(_asked(address, link, token)))
    return FINE


def _is_empty(value: Any) -> bool:
    """Tell whether a field says nothing."""
    if isinstance(value, dict):
        return value.get("data", value) is None
    return value is None or value == []


def _asked(address: str, path: str, token: str) -> Any:
    """Send a request; waits for a service that is just starting."""
    request = Request(f"{address}{path}", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own address
    last = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise Failure(f"{path}: the service answers {error.code}: {text[:500]}") from error
        except (URLError, ConnectionError):
            if time.monotonic() > last:
                raise
            time.sleep(0.05)
