"""A PostgreSQL server that has stopped answering, though its connections stand.

The kernel of such a server goes on confirming what it receives, so that no time limit of a
connection strikes. Whoever gets no answer for a while therefore knocks with a new connection: a
server that is merely slow with a query lets it in, and the waiting goes on; one that hangs does
not, and all who wait are told so.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import psycopg

from ephyrus.service.db.asking import NO_ANSWER
from ephyrus.service.errors import ServiceError

__all__ = ["AttendedConnection", "Pulse"]

_LEAST_KNOCK = 2  # seconds: the driver allows no less for making a connection
_PAUSE = 1.0  # seconds between two looks for a server that hung

Waiting = Generator[Any, Any, Any]


class Pulse:
    """Tells whether the server lets anybody in.

    Parameters
    ----------
    knock : callable
        Makes a connection within the seconds that it is given.
    seconds : float
        A server that hangs is known to do so after about this time: a quarter of it passes in
        silence, the rest with knocking (2 s at least).

    Attributes
    ----------
    silence : float
        Seconds without an answer after which somebody knocks.
    patience : int
        Seconds that making a connection may take.

    Notes
    -----
    Thread-safe. Of all who want to know at the same time one knocks.
    """

    def __init__(self, knock: Callable[[int], Any], seconds: float) -> None:
        self.silence = seconds / 4
        self.patience = max(_LEAST_KNOCK, round(seconds * 3 / 4))
        self._knock = knock
        self._lock = threading.Lock()
        self._heard = time.monotonic()  # when the server was last known to let somebody in
        self._stopped: float | None = None  # when it was last known not to; None: it does

    def require(self) -> None:
        """Refuse work for a server that hung when it was last looked at.

        Raises
        ------
        ServiceError
            ``unavailable``: it does still, or somebody is finding out.
        """
        since = self._stopped
        if since is None:
            return
        if time.monotonic() - since > _PAUSE and self._lock.acquire(blocking=False):
            try:
                if self._look():
                    return
            finally:
                self._lock.release()
        raise ServiceError("unavailable", NO_ANSWER, headers={"Retry-After": "2"})

    def stop(self) -> None:
        """Note that the server let nobody in."""
        self._stopped = time.monotonic()

    def beats(self) -> bool:
        """Find out whether the server lets somebody in."""
        asked = time.monotonic()
        with self._lock:
            if self._heard >= asked - self.silence:
                return True
            if self._stopped is not None and self._stopped >= asked:
                return False  # another one has found that out meanwhile
            return self._look()

    def _look(self) -> bool:
        """Knock."""
        try:
            self._knock(self.patience).close()
        except psycopg.errors.ConnectionTimeout:
            self.stop()
            return False
        except psycopg.OperationalError:  # a refusal is a sign of life
            pass
        self._heard = time.monotonic()
        self._stopped = None
        return True


class AttendedConnection(psycopg.Connection[Any]):
    """A connection that does not wait for ever for a server that hangs.

    Attributes
    ----------
    pulse : Pulse or None
        Of the server.
    most : float
        Seconds that a wait may take even if the server is well: it ends longer queries itself,
        unless the process of this connection hangs.
    """

    pulse: Pulse | None = None
    most: float = math.inf

    def wait(self, gen: Waiting, *args: Any, **options: Any) -> Any:
        """Wait for what the server says.

        Raises
        ------
        psycopg.OperationalError
            If it hangs. The connection is closed then.
        """
        pulse = self.pulse
        attended = gen if pulse is None else self._attended(gen, pulse)
        return super().wait(attended, *args, **options)

    def _attended(self, gen: Waiting, pulse: Pulse) -> Waiting:
        """Let time pass as long as the server is alive: the driver comes by each 0.1 s."""
        try:
            wanted = next(gen)
            begun = time.monotonic()
            patient = begun + pulse.silence
            while True:
                ready = yield wanted
                if not ready and (now := time.monotonic()) > patient:
                    if now - begun > self.most or not pulse.beats():
                        self.pgconn.finish()
                        raise psycopg.OperationalError("the server does not answer")
                    patient = time.monotonic() + pulse.silence
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value
