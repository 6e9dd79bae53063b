"""Threads for work on files, apart from those of other requests.

Looking at a file may take its time, and waits while others are looked at: were that done in the
threads of all requests, some uploads at once would keep everybody waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

__all__ = ["Hands", "hands_of"]

RECEIVING = 4  # threads that write what arrives; each needs milliseconds at a time

P = ParamSpec("P")
T = TypeVar("T")


class Hands:
    """Two sets of threads: for writing what arrives, and for looking at what has arrived.

    Parameters
    ----------
    looking : int
        Files that are looked at at the same time.
    """

    def __init__(self, looking: int) -> None:
        self._receiving = ThreadPoolExecutor(RECEIVING, "ephyrus-receive")
        self._looking = ThreadPoolExecutor(looking, "ephyrus-look")

    async def receive(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that writes a piece of what arrives."""
        return await _run(self._receiving, partial(function, *args, **kwargs))

    async def look(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that may take long."""
        return await _run(self._looking, partial(function, *args, **kwargs))

    def close(self) -> None:
        """End all threads after what they are doing."""
        self._looking.shutdown(wait=True, cancel_futures=True)
        self._receiving.shutdown(wait=True, cancel_futures=True)


async def _run(pool: ThreadPoolExecutor, function: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, function)


def hands_of(service: Any) -> Hands:
    """Give the threads of a process that serves requests (a `Service` of the routes)."""
    # More than there are children: what is done before and after these costs time too.
    hands: Hands = service.part("hands", lambda each: Hands(each.settings.child_processes + 2))
    return hands
