"""Processes and ports of tests: who is there, who has ended, and what is waited for."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["PATIENCE", "below", "eventually", "is_alive", "quiet_port"]

PATIENCE = 60.0  # seconds after which a test gives up: machines may be busy
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def eventually(
    condition: Callable[[], Any], *, seconds: float = PATIENCE, what: str = "", pause: float = 0.02
) -> Any:
    """Wait until a condition holds; gives what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come true within {seconds:g} s: {what}")
        time.sleep(pause)


def below(pid: int) -> list[int]:
    """Give the processes that a process has started, and those that they have."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            after = path.read_text(errors="replace").rpartition(")")[2].split()
            parents.setdefault(int(after[1]), []).append(int(path.parent.name))
    found, new = [], [pid]
    while new:
        new = [child for each in new for child in parents.get(each, [])]
        found += new
    return found


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and more than a name that nobody has read yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def quiet_port() -> int:
    """Find a free port that the system gives to no client, also while nobody listens there."""
    first = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    others = range(first // 2, first) if first > 10_000 else range(10_000, 60_000)
    for port in random.SystemRandom().sample(others, 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("100 ports are in use")
