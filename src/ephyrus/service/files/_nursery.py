"""The process in which uploaded files are opened: ``python -m ephyrus.service.files._nursery``.

It imports once what the tasks need and then makes a copy of itself for each of them, so that a task
begins within milliseconds. A task has a process group, limits and a scratch folder of its own; it
is told what to do and reports over a socket. Started by `ephyrus.service.files.nursery` only.

On the control socket the parent sends orders of nine bytes: ``T`` and a number, with the task's
socket, begins a task; ``K`` and a number kills it. The nursery reports how each task ended over the
task's own socket. It ends, and ends all tasks, when the control socket is closed.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from ephyrus.registry import all_formats
from ephyrus.service.files import frames
from ephyrus.service.files.inside.tasks import perform

ORDER_BYTES = 9
PATIENCE = 2.0  # seconds for the parent to take what a task reported


@dataclass(frozen=True, slots=True)
class Task:
    """A task that runs."""

    number: int
    report: socket.socket


class Nursery:
    """Begins, ends and reaps tasks.

    Parameters
    ----------
    control : socket
        Where orders come from.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._tasks: dict[int, Task] = {}  # by process id
        self._bell, wakeup = socket.socketpair()
        wakeup.setblocking(False)
        self._bell.setblocking(False)
        self._wakeup = wakeup
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        """Follow orders until the parent is gone."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            is_wanted = True
            while is_wanted:
                for key, _ in selector.select():
                    if key.fileobj is self._bell:
                        self._reap()
                    else:
                        is_wanted = self._follow()
        for process in self._tasks:
            _kill(process)

    def _follow(self) -> bool:
        """Follow one order; False when there will be no more."""
        order, descriptors, _, _ = socket.recv_fds(self._control, ORDER_BYTES, 1)
        if len(order) < ORDER_BYTES:
            return False
        number = int.from_bytes(order[1:], "little")
        if order[:1] == b"T":
            self._begin(number, socket.socket(fileno=descriptors[0]))
        else:
            for process, task in self._tasks.items():
                if task.number == number:
                    _kill(process)
        return True

    def _begin(self, number: int, report: socket.socket) -> None:
        """Make the process of a task."""
        nursery = os.getpid()
        process = os.fork()
        if process == 0:
            self._become(report, nursery)
        with suppress(OSError):  # the child does it too: whoever is first
            os.setpgid(process, process)
        self._tasks[process] = Task(number, report)

    def _become(self, report: socket.socket, nursery: int) -> NoReturn:
        """Do a task in the process that was made for it, and end."""
        code = 1
        try:
            os.setpgid(0, 0)
            _end_with(nursery)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for task in self._tasks.values():
                task.report.close()
            for one in (self._control, self._bell, self._wakeup):
                one.close()
            run(report)
            code = 0
        finally:
            os._exit(code)  # nothing of the nursery's is to be tidied up here

    def _reap(self) -> None:
        """Report how tasks ended."""
        with suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass
        while self._tasks:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                return
            task = self._tasks.pop(process)
            _kill(process)  # what it may have left behind in its group
            ending = {"exit": os.waitstatus_to_exitcode(status)}
            with task.report, suppress(OSError):
                task.report.settimeout(PATIENCE)
                frames.send(task.report, frames.ENDING, ending)


def _end_with(nursery: int) -> None:
    """Have the system end this process when the nursery dies, where it can (Linux)."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != nursery:  # it died before
            os._exit(1)


def _kill(process: int) -> None:
    """Kill a task with everything that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def run(report: socket.socket) -> None:
    """Receive a task, do it within its limits, and report."""
    kind, request = frames.receive(report, most=frames.MOST_REQUEST)
    if kind != frames.REQUEST:
        return
    limit(request["limits"])
    frames.send(report, frames.REPORT, perform(request))


def limit(limits: Mapping[str, Any]) -> None:
    """Take away what a task does not need: memory, time, space, core dumps, priority.

    Parameters
    ----------
    limits : mapping
        ``memory`` (bytes beyond what there is), ``seconds``, ``file_bytes``, ``niceness``.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limits; the parent's clock remains
        return
    seconds = int(limits["seconds"]) + 1
    for what, most in (
        (resource.RLIMIT_AS, _address_space() + int(limits["memory"])),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, int(limits["file_bytes"])),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS knows some of them by name only
            resource.setrlimit(what, (value, value))
    signal.setitimer(signal.ITIMER_REAL, seconds + 1)  # ends it even if the parent is stuck
    with suppress(OSError):
        os.nice(int(limits["niceness"]))


def _address_space() -> int:
    """Give the address space of this process, in bytes."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - no need for a Path here
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**30


def main(arguments: list[str]) -> None:
    """Run the nursery on a descriptor, or one task on standard input and output."""
    for interruption in (signal.SIGINT, signal.SIGTERM):
        signal.signal(interruption, signal.SIG_IGN)  # the parent decides when it ends
    if arguments == ["one"]:
        request = json.loads(sys.stdin.buffer.read(frames.MOST_REQUEST))
        limit(request["limits"])
        sys.stdout.buffer.write(json.dumps(perform(request)).encode())
        sys.stdout.buffer.flush()
        os._exit(0)
    all_formats()  # imports them once for all tasks
    gc.collect()
    gc.freeze()  # else the first collection in each task would copy all memory there is
    Nursery(socket.socket(fileno=int(arguments[0]))).serve()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
