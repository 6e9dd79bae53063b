"""Limits of time and memory that fail a test, and counts of what it left open.

The limits are made to be cheap (about 20 microseconds), so that each of thousands of damaged files
can have its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NoReturn

try:
    import resource
except ImportError:  # there is none on Windows
    resource = None  # type: ignore[assignment]  # a module elsewhere

__all__ = [
    "LimitExceeded",
    "MemoryMethod",
    "TimeMethod",
    "TooMuchMemory",
    "TooSlow",
    "memory_limit",
    "open_descriptors",
    "opened_paths",
    "time_limit",
]

MemoryMethod = Literal["auto", "address space", "tracemalloc"]
TimeMethod = Literal["auto", "signal", "thread"]

_STATM = Path("/proc/self/statm")


class LimitExceeded(BaseException):
    """A limit was exceeded; a failure that no ``except Exception`` of a reader hides."""


class TooSlow(LimitExceeded):
    """The time is over."""


class TooMuchMemory(LimitExceeded):
    """More memory was asked for than is allowed."""


def time_limit(
    seconds: float, what: str, *, method: TimeMethod = "auto"
) -> AbstractContextManager[None]:
    """Fail the test if the block takes longer than `seconds` of wall-clock time.

    Parameters
    ----------
    seconds : float
        The limit.
    what : str
        Named in the failure.
    method : {"auto", "signal", "thread"}
        ``"signal"`` needs a main thread and interval timers; a timer that runs already (as that of
        pytest-timeout) goes on afterwards. ``"thread"`` works everywhere, but interrupts no
        system call.

    Raises
    ------
    TooSlow
        In the block, where it is when the time is over.
    """
    if method == "auto":
        main = threading.current_thread() is threading.main_thread()
        method = "signal" if main and hasattr(signal, "setitimer") else "thread"
    return _by_signal(seconds, what) if method == "signal" else _by_thread(seconds, what)


@contextmanager
def _by_signal(seconds: float, what: str) -> Iterator[None]:
    def expired(number: int, frame: FrameType | None) -> NoReturn:
        raise TooSlow(f"{what}: not done after {seconds:g} s")

    handler = signal.signal(signal.SIGALRM, expired)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        unused, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            gone = seconds - unused
            signal.setitimer(signal.ITIMER_REAL, max(left - gone, 1e-3), interval)


@contextmanager
def _by_thread(seconds: float, what: str) -> Iterator[None]:
    raising = ctypes.pythonapi.PyThreadState_SetAsyncExc
    thread = ctypes.c_ulong(threading.get_ident())
    expired, done, lock = threading.Event(), threading.Event(), threading.Lock()

    def expire() -> None:
        with lock:
            if not done.is_set():
                expired.set()
                raising(thread, ctypes.py_object(TooSlow))

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    except TooSlow:
        if expired.is_set():
            raise TooSlow(f"{what}: not done after {seconds:g} s") from None
        raise
    finally:
        timer.cancel()
        with lock:
            done.set()
        raising(thread, None)  # takes back one that is on its way


def memory_limit(
    nbytes: int, what: str, *, method: MemoryMethod = "auto"
) -> AbstractContextManager[None]:
    """Fail the test if the block allocates more than `nbytes` at a time.

    Parameters
    ----------
    nbytes : int
        Most bytes beyond those in use before.
    what : str
        Named in the failure.
    method : {"auto", "address space", "tracemalloc"}
        ``"address space"`` (Linux) makes larger allocations fail at once, also those of memory that
        is never touched; ``"tracemalloc"`` works everywhere, sees what Python and numpy allocate,
        and costs two to four times the time of the block.

    Raises
    ------
    TooMuchMemory
        In place of the `MemoryError` of the block, or at its end.
    """
    if method == "auto":
        method = "address space" if _STATM.exists() and resource is not None else "tracemalloc"
    return _by_space(nbytes, what) if method == "address space" else _by_trace(nbytes, what)


@contextmanager
def _by_space(nbytes: int, what: str) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(_STATM.read_bytes().split()[0])
    allowed = pages * resource.getpagesize() + nbytes
    if soft != resource.RLIM_INFINITY:
        allowed = min(allowed, soft)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))
    try:
        yield
    except MemoryError as error:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        _too_much(nbytes, what, error)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _by_trace(nbytes: int, what: str) -> Iterator[None]:
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start(1)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    try:
        yield
    except MemoryError as error:
        _too_much(nbytes, what, error)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        if not tracing:
            tracemalloc.stop()
        if peak - before > nbytes:
            _too_much(nbytes, f"{what} (peak {peak - before:,} bytes)", sys.exception())


def _too_much(nbytes: int, what: str, error: BaseException | None) -> NoReturn:
    reason = f": {error!r}" if error is not None else ""
    raise TooMuchMemory(f"{what}: needs more than {nbytes:,} bytes{reason}") from error


def open_descriptors() -> int:
    """Count the file descriptors that the process has open."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        if Path(folder).is_dir():
            return len(os.listdir(folder))  # noqa: PTH208 - a list of names, no Path objects
    return sum(_is_open(descriptor) for descriptor in range(2048))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


_listeners: list[list[str]] = []
_state = {"listening": False}


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _listeners and isinstance(arguments[0], str | bytes | os.PathLike):
        for paths in _listeners:
            paths.append(os.fsdecode(arguments[0]))


@contextmanager
def opened_paths() -> Iterator[list[str]]:
    """Collect the paths that Python code opens in the block, by whatever function.

    Yields
    ------
    list of str
        Grows while the block runs. Files that a C library opens by itself are not in it.
    """
    if not _state["listening"]:
        _state["listening"] = True
        # A hook stays for the life of the process; this one does nothing without listeners.
        sys.addaudithook(_audit)
    paths: list[str] = []
    _listeners.append(paths)
    try:
        yield paths
    finally:
        _listeners[:] = [each for each in _listeners if each is not paths]
