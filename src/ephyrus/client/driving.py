"""How a client that waits for each call drives flows: connections, threads, attempts."""

from __future__ import annotations

import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from ephyrus.client.calls import Call, Flow, Reply, Step
from ephyrus.client.face import Face
from ephyrus.client.transport import (
    Pieces,
    closed,
    pause_before,
    prepared,
    taken,
    unreachable,
)
from ephyrus.errors import RemoteError

__all__ = ["Driver"]

T = TypeVar("T")


class Driver(Face):
    """A client that makes one call after the other, and those of one step at the same time."""

    def _open(self, transport: Any) -> None:
        """Make what connections need."""
        self._lock = threading.RLock()
        self._pool: ThreadPoolExecutor | None = None
        self._http = self._library.Client(**self._http_options(transport))
        weakref.finalize(self, self._http.close)  # lazy objects hold clients that nobody closes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session, if one was begun, and close the connections."""
        with self._lock:
            self._login = None
            if self._has_session:
                self._has_session = False
                with suppress(RemoteError):  # it ends by itself, later
                    self._drive(self.flows.logout())
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None
            self._http.close()

    @property
    def is_closed(self) -> bool:
        """Nothing can be fetched any more."""
        return bool(self._http.is_closed)

    def take_session(self, cookies: Any) -> None:
        """Go on with the session of another client of the same service."""
        self._http.cookies.update(cookies)

    def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its end."""
        self._ensure_login()
        return self._drive(flow)

    def _ensure_login(self) -> None:
        if self._login is None:
            return
        with self._lock:
            if self._login is not None:
                self._drive(self.flows.login(*self._login))
                self._login, self._has_session = None, True

    def _drive(self, flow: Flow[T]) -> T:
        answer: Any = None
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._taken(step)
                except RemoteError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            found: T = stop.value
            return found

    def _taken(self, step: Step) -> Reply | list[Reply]:
        """Make the call, or the calls, of a step."""
        if isinstance(step, Call):
            return self._send(step)
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.access.connections, "ephyrus-client")
            replies = self._pool.map(self._send, step)
        return list(replies)

    def _send(self, call: Call) -> Reply:
        """Send a call, again where that may help."""
        attempt = 0
        while True:
            try:
                return self._once(call)
            except RemoteError as error:
                pause = pause_before(self.access, call, attempt, error)
                if pause is None:
                    raise
            attempt += 1
            time.sleep(pause)

    def _once(self, call: Call) -> Reply:
        if self._http.is_closed:
            raise closed(self.access)
        request = prepared(self._http, self.access, call)
        try:
            response = self._http.send(request, stream=True)
            try:
                pieces = Pieces(response, call.most_bytes)
                for piece in response.iter_bytes():
                    pieces.add(piece)
            finally:
                response.close()
        except (self._library.TransportError, self._library.DecodingError) as error:
            raise unreachable(self.access, error) from error
        return taken(response, pieces.whole)
