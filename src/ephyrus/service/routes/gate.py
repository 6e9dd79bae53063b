"""Few requests at a time that take much computing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ephyrus.service.encoders.body import Buffer
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.answers import Answer, StreamAnswer

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call, Service

__all__ = ["Gate"]

P = ParamSpec("P")
Made = TypeVar("Made", bound=Answer | StreamAnswer)


class Gate:
    """Lets few requests do heavy work at a time."""

    def __init__(self, service: Service) -> None:
        self._most = service.settings.heavy_waiting
        self._free = asyncio.Semaphore(service.settings.heavy_requests)
        self._loop = asyncio.get_running_loop()
        self._waiting = 0

    async def enter(self) -> None:
        """Wait for a place.

        Raises
        ------
        ServiceError
            Too many wait already (429).
        """
        if self._free.locked() and self._waiting >= self._most:
            raise ServiceError(
                "too_many_requests",
                "Too many requests for large parts of arrays at once; try again.",
                headers={"Retry-After": "5"},
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1

    async def through(
        self, call: Call, make: Callable[P, Made], /, *args: P.args, **kwargs: P.kwargs
    ) -> Made:
        """Make an answer in a worker thread, when it is its turn.

        A streamed answer keeps its place until it has been sent.
        """
        await self.enter()
        try:
            answer = await call.thread(make, *args, **kwargs)
        except BaseException:
            self.leave()
            raise
        if isinstance(answer, StreamAnswer):
            # what is made here gives plain iterators
            answer.blocks = _Gated(answer.blocks, self)  # type: ignore[arg-type]
        else:
            self.leave()
        return answer

    def leave(self) -> None:
        """Give the place back; from any thread."""
        self._loop.call_soon_threadsafe(self._free.release)


class _Gated:
    """Blocks that hold a place in the gate until they end or are closed."""

    def __init__(self, blocks: Iterator[Buffer], gate: Gate) -> None:
        self._blocks = blocks
        self._gate: Gate | None = gate

    def __iter__(self) -> _Gated:
        return self

    def __next__(self) -> Buffer:
        return next(self._blocks)

    def close(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave()
        close = getattr(self._blocks, "close", None)
        if close is not None:
            close()
