"""Serving folders: a thread that keeps the catalog in step with them while they are served."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ephyrus.errors import Cancelled, EphyrusError
from ephyrus.recording.limits import CallbackProgress
from ephyrus.service.inplace.overviews import build_missing, forget_unusable
from ephyrus.service.inplace.register import Event, Registrar

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.store import ArrayStore
    from ephyrus.service.inplace.discover import Scanner
    from ephyrus.service.inplace.pool import RecordingPool

__all__ = ["FolderService"]

INTERVAL = 2.0  # seconds between looking at the disk
SHARE = 20  # looking may take a twentieth of the time
LAST_IN_LINE = 15  # priority of building levels (19 is the lowest)

log = logging.getLogger(__name__)


class FolderService:
    """Registers recordings in the background, and builds their levels.

    Parameters
    ----------
    database : Database
        The catalog.
    store : ArrayStore
        Holds levels.
    scanner : Scanner
        What is served.
    pool : RecordingPool
        Recordings that are open in this process.
    owner_id : int
        Who owns the objects.
    folder : Path
        Where files are written before they go into the store.
    tell : callable
        Is told of each `Event`, from the thread.
    interval : float
        Seconds between looking at the disk.
    """

    def __init__(
        self,
        database: Database,
        store: ArrayStore,
        scanner: Scanner,
        pool: RecordingPool,
        owner_id: int,
        folder: Path,
        *,
        tell: Callable[[Event], None] = lambda event: None,
        interval: float = INTERVAL,
    ) -> None:
        self._database, self._store, self._pool, self._folder = database, store, pool, folder
        self._interval = interval
        self._stop, self._wake = threading.Event(), threading.Event()
        self._first = threading.Event()
        self._skipped: set[int] = set()
        progress = CallbackProgress(self._cancel)
        self.registrar = Registrar(
            database, scanner, owner_id, store, pool=pool, tell=tell, progress=progress
        )
        self._threads = [
            threading.Thread(target=self._watch, name="ephyrus-recordings", daemon=True),
            threading.Thread(target=self._overviews, name="ephyrus-levels", daemon=True),
        ]
        pool.on_change = lambda recording_id: self._wake.set()

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def wait_until_listed(self, timeout: float | None = None) -> bool:
        """Wait until everything that is there has been opened once."""
        return self._first.wait(timeout)

    def stop(self) -> None:
        """End, within a read of a recording or so."""
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._pool.on_change = None

    def _cancel(self, done: int, total: int | None) -> None:
        if self._stop.is_set():
            raise Cancelled("the service stops")

    def _watch(self) -> None:
        """Look at the disk, again and again."""
        while not self._stop.is_set():
            began = time.monotonic()
            with self._failures_told("the folders cannot be listed"):
                self.registrar.sync()
                self._first.set()
            took = time.monotonic() - began
            self._wake.wait(max(self._interval, SHARE * took if took > 1 else 0))
            self._wake.clear()

    def _overviews(self) -> None:
        """Build levels when the recordings are listed, and then for what is new."""
        _yield_to_others()
        while not self._first.wait(0.2):
            if self._stop.is_set():
                return
        with self._failures_told("levels cannot be looked at"):
            forget_unusable(self._database, self._store)
        while not self._stop.is_set():
            with self._failures_told("levels cannot be built"):
                build_missing(
                    self._database,
                    self._store,
                    self._pool,
                    self._folder,
                    self._stop,
                    skipped=self._skipped,
                )
            self._stop.wait(self._interval)

    @contextlib.contextmanager
    def _failures_told(self, what: str) -> Any:
        """Go on after a failure of the database or the disk: the next pass may be luckier."""
        try:
            yield
        except Cancelled:
            pass
        except (EphyrusError, OSError) as error:
            log.warning("%s: %s", what, error)
        except Exception:
            log.exception("%s", what)


def _yield_to_others() -> None:
    """Let this thread run when nothing else wants to (Linux has priorities of threads)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LAST_IN_LINE)
