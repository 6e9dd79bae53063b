"""A process that answers requests for a parent does not outlive it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

__all__ = ["stop_with_parent"]


def stop_with_parent() -> None:
    """End this process, in good order, when the one that started it is gone.

    A parent that is killed cannot tell its workers to stop: they would go on to hold the port, and
    what is started in place of the parent could not listen. In a process that `multiprocessing` has
    not started nothing is done.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="ephyrus-parent", daemon=True).start()
