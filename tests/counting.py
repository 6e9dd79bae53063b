"""How much work something is: a number that is the same on every machine."""

from __future__ import annotations

from collections.abc import Callable
from cProfile import Profile
from typing import Any


def calls_of(work: Callable[[], Any]) -> tuple[Any, int]:
    """Do it; gives what it gave, and how many functions were called for it in this thread."""
    profile = Profile()
    result = profile.runcall(work)
    return result, sum(entry.callcount for entry in profile.getstats())
