"""``ephyrus worker``: does the background jobs of a data service, on any machine."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ephyrus.cli import console
from ephyrus.cli.failures import FINE
from ephyrus.cli.service.needed import check_installed

__all__ = ["run"]


def run(*, once: bool, threads: int, dask: str | None) -> int:
    """Do jobs until somebody stops it, or (`once`) until none waits; gives the exit code."""
    check_installed("'ephyrus worker'")
    from ephyrus.cli.service.configured import read_settings
    from ephyrus.service.files.worker import Worker
    from ephyrus.service.files.workshop import open_workshop
    from ephyrus.service.routes.logs import set_up_logs

    settings = read_settings()
    set_up_logs(settings)
    workshop = open_workshop(settings)
    try:
        workshop.database.upgrade()
        worker = Worker(workshop, most=threads, dask=settings.dask if dask is None else dask)
        if once:
            done = worker.run_once()
            console.say(f"{done} jobs were done")
            return FINE
        with _stopped_by_signals() as stop:
            console.say("doing background jobs; Ctrl-C stops it")
            worker.run(stop)
    finally:
        workshop.nursery.close()
        workshop.database.close()
    return FINE


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give what Ctrl-C and SIGTERM set; a second one ends the program as always."""
    stop = threading.Event()
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def ask(number: int, frame: Any) -> None:
        stop.set()
        for kind, handler in before.items():
            signal.signal(kind, handler)

    for kind in kinds:
        signal.signal(kind, ask)
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
