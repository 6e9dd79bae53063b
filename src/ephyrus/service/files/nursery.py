"""Opens uploaded files in processes of their own, which may crash, hang or eat memory as they like.

What is in an uploaded file may be made to break whatever opens it. No process that serves requests
opens one with a library: a child does, within limits, and what it reports is checked again.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ephyrus.errors import EphyrusError
from ephyrus.service.files import frames

__all__ = ["ChildFailed", "ChildLimits", "ChildLost", "Nursery", "Refused"]

_MODULE = "ephyrus.service.files._nursery"
_QUICK = frozenset({"look", "mains"})  # tasks that do not wait for conversions
_KILLED = 10.0  # seconds for the system to end what was killed
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT", "EPHYRUS_NEUROSHARE_PATH")


class Refused(EphyrusError):
    """A file does not hold what was looked for, or is not to be trusted; the message says why."""


class ChildFailed(EphyrusError):
    """The process that looked at a file crashed, hung or needed too much."""


class ChildLost(ChildFailed):
    """The process that looked at a file was ended from outside; another one may succeed."""


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What a child may use.

    Attributes
    ----------
    memory : int
        Bytes, beyond what it starts with.
    seconds : float
        Of the processor, and by the clock.
    file_bytes : int
        Of the longest file that it writes.
    niceness : int
        How far other processes come before it.
    """

    memory: int
    seconds: float
    file_bytes: int = 2**40
    niceness: int = 0

    def as_mapping(self) -> dict[str, Any]:
        """Give what the child is told."""
        return {
            "memory": self.memory,
            "seconds": self.seconds,
            "file_bytes": self.file_bytes,
            "niceness": self.niceness,
        }


class Nursery:
    """Makes child processes and receives their reports; one per process of the service.

    Parameters
    ----------
    most : int
        Children that run at the same time, each for what takes moments and for what takes long;
        others wait.
    fork : bool, optional
        Copy a prepared process for each task; False: start Python anew for each (the only way on
        Windows; a second instead of some milliseconds).
    """

    def __init__(self, most: int = 2, *, fork: bool | None = None) -> None:
        self._forks = hasattr(os, "fork") if fork is None else fork
        self._free = {quick: threading.BoundedSemaphore(most) for quick in (True, False)}
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._owner = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._finish: Any = None

    def run(
        self,
        task: str,
        request: Mapping[str, Any],
        limits: ChildLimits,
        *,
        patience: float | None = None,
    ) -> dict[str, Any]:
        """Do a task in a child and give its report.

        Parameters
        ----------
        task : str
            One of `ephyrus.service.files.inside.tasks`.
        request : mapping
            Its parameters, as JSON can hold them.
        limits : ChildLimits
            What it may use.
        patience : float, optional
            Seconds to wait while others are at work; None: as long as it takes.

        Raises
        ------
        Refused
            If the child refuses the file.
        ChildLost
            If it was ended from outside, or all are busy.
        ChildFailed
            If it crashes, or takes too long.
        """
        order = {"task": task, "limits": limits.as_mapping(), **request}
        free = self._free[task in _QUICK]
        if not free.acquire(timeout=-1 if patience is None else patience):
            raise ChildLost("other files are being looked at; try again in a moment")
        try:
            report = self._forked(order) if self._forks else _fresh(order)
        finally:
            free.release()
        if "refused" in report:
            raise Refused(str(report["refused"]))
        if not isinstance(report.get("result"), dict):
            raise ChildFailed("the process that looked at the file gave no report")
        return dict(report["result"])

    def close(self) -> None:
        """End the prepared process and all children."""
        with self._lock:
            if self._finish is not None:
                self._finish()
            self._process = self._control = self._finish = None

    def _forked(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let a copy of the prepared process do a task."""
        here, there = socket.socketpair()
        with here:
            with there:
                number = self._order(there)
            deadline = time.monotonic() + float(order["limits"]["seconds"])
            return self._report(here, order, number, deadline)

    def _report(
        self, here: socket.socket, order: Mapping[str, Any], number: int, deadline: float
    ) -> Mapping[str, Any]:
        """Send the request and wait for the report and the end of the child."""
        try:
            here.settimeout(max(0.01, deadline - time.monotonic()))
            frames.send(here, frames.REQUEST, order)
            return _received(here, deadline)
        except TimeoutError:
            self._kill(number, here)
            seconds = order["limits"]["seconds"]
            raise ChildFailed(f"looking at the file took more than {seconds:g} s") from None
        except ConnectionError:
            self._kill(number, here)
            raise ChildLost("the process that prepares others for files ended; try again") from None
        except ValueError:
            self._kill(number, here)
            raise ChildFailed(
                "the process that looked at the file ended without a report"
            ) from None
        except BaseException:
            self._kill(number, here)
            raise

    def _order(self, there: socket.socket) -> int:
        """Have a task begun whose other end is `there`."""
        with self._lock:
            number = next(self._numbers)
            order = b"T" + number.to_bytes(8, "little")
            for is_last in (False, True):
                control = self._prepared()
                try:
                    socket.send_fds(control, [order], [there.fileno()])
                except OSError:  # it was ended by somebody: another one is made, once
                    self._forget()
                    if is_last:
                        raise ChildFailed("no process for looking at files can be made") from None
                else:
                    break
            return number

    def _kill(self, number: int, here: socket.socket) -> None:
        """Have a task killed, and wait until it is."""
        with self._lock:
            if self._control is not None:
                with suppress(OSError):
                    self._control.sendall(b"K" + number.to_bytes(8, "little"))
        with suppress(OSError, ValueError):
            here.settimeout(_KILLED)
            while frames.receive(here, most=frames.MOST_REPORT)[0] not in (frames.ENDING, b""):
                pass

    def _prepared(self) -> socket.socket:
        """Give the control socket of the prepared process, which is made if need be."""
        is_alive = self._process is not None and self._process.poll() is None
        if self._control is not None and is_alive and self._owner == os.getpid():
            return self._control
        self._forget()
        here, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, a module of ours
                [sys.executable, "-P", "-m", _MODULE, str(there.fileno())],
                pass_fds=(there.fileno(),),
                env=_environment(),
                **_QUIET,
            )
        self._control, self._owner = here, os.getpid()
        self._finish = weakref.finalize(self, _ended, os.getpid(), self._process, here)
        return here

    def _forget(self) -> None:
        """Let go of a prepared process that has ended or is another process's."""
        if self._finish is not None:
            self._finish()
        self._process = self._control = self._finish = None


def _received(here: socket.socket, deadline: float) -> Mapping[str, Any]:
    """Receive what a child reports, and how it ends."""
    report: Mapping[str, Any] = {}
    while True:
        here.settimeout(max(0.01, deadline - time.monotonic()))
        kind, value = frames.receive(here, most=frames.MOST_REPORT)
        if not isinstance(value, dict):
            raise ChildLost("the process that prepares others for files ended; try again")
        if kind == frames.ENDING:
            return report if value.get("exit") == 0 else _died(value.get("exit"))
        report = value


def _ended(owner: int, process: subprocess.Popen[bytes], control: socket.socket) -> None:
    """End a prepared process; it ends its children."""
    control.close()
    if owner != os.getpid():
        return
    try:
        process.wait(_KILLED)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


_QUIET: Mapping[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.DEVNULL,
    "stderr": subprocess.DEVNULL,
}


def _fresh(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let a Python of its own do a task."""
    seconds = float(order["limits"]["seconds"])
    try:
        done = subprocess.run(  # noqa: S603 - this Python, a module of ours
            [sys.executable, "-P", "-m", _MODULE, "one"],
            input=json.dumps(order).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            timeout=seconds + _KILLED,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"looking at the file took more than {seconds:g} s") from None
    if done.returncode:
        return _died(done.returncode)
    try:
        report = json.loads(done.stdout[: frames.MOST_REPORT])
    except ValueError:
        report = None
    return report if isinstance(report, dict) else {}


def _died(code: Any) -> Mapping[str, Any]:
    """Say how a child ended that gave no report."""
    name = f"exit code {code}"
    if isinstance(code, int) and code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
    if name == "SIGKILL":
        raise ChildLost("the process that looked at the file was ended by the system; try again")
    told = {
        "SIGXCPU": "it took more time than is allowed",
        "SIGALRM": "it took more time than is allowed",
        "SIGXFSZ": "its content is larger than is allowed",
    }
    raise ChildFailed(
        "the process that looked at the file ended early: " + told.get(name, f"it crashed ({name})")
    )


def _environment() -> dict[str, str]:
    """Give the environment of children: no secret of the service, no plug-in of HDF5."""
    package = str(Path(__file__).parents[3])
    places = [package, *(place for place in sys.path if Path(place).is_absolute())]
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(places)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",  # numpy would make threads, and a process with threads
        "OMP_NUM_THREADS": "1",  # is not to be copied
        "EPHYRUS_CACHE": "off",  # an index of what lies in a scratch folder is of no use later
        "HDF5_PLUGIN_PRELOAD": "::",
        "HDF5_USE_FILE_LOCKING": "FALSE",
    }
