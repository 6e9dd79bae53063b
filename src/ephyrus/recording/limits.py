"""Memory limits, progress and cancellation, shared by readers, writers and the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ephyrus.errors import Cancelled, LimitError

__all__ = [
    "HEADER_BYTES",
    "PIECE_BYTES",
    "SNIFF_BYTES",
    "CallbackProgress",
    "Limits",
    "NullProgress",
    "Progress",
    "pieces",
    "under_way",
]

PIECE_BYTES = 64 * 2**20
"""Most bytes that conversion, export and iteration hold of one data object at a time."""

SNIFF_BYTES = 16 * 2**10
"""First bytes of a file that every format is shown, to tell whether it is its own."""

HEADER_BYTES = 32 * 2**20
"""Longest text header that is read whole."""


@runtime_checkable
class Progress(Protocol):
    """What long work reports to; a terminal bar, a GUI or nothing stands behind it."""

    def start(self, total: int | None, unit: str, label: str) -> None:
        """Begin a piece of work of `total` units (None: not known)."""

    def advance(self, n: int) -> None:
        """Report `n` more units done; raise `Cancelled` to stop the work here."""

    def finish(self) -> None:
        """End the piece of work, whether it succeeded or not."""


class NullProgress:
    """Progress that nobody watches."""

    def start(self, total: int | None, unit: str, label: str) -> None:
        """Ignore the beginning."""

    def advance(self, n: int) -> None:
        """Ignore the advance."""

    def finish(self) -> None:
        """Ignore the end."""


@dataclass(slots=True)
class CallbackProgress:
    """Progress that calls ``callback(done, total)`` and can be cancelled from another thread.

    Parameters
    ----------
    callback : callable
        Receives units done and the total (None where it is not known).

    Examples
    --------
    >>> seen = []
    >>> progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    >>> progress.start(10, "B", "reading")
    >>> progress.advance(4)
    >>> seen
    [(0, 10), (4, 10)]
    """

    callback: Callable[[int, int | None], None]
    done: int = field(default=0, init=False)
    total: int | None = field(default=None, init=False)
    _cancelled: bool = field(default=False, init=False)

    def start(self, total: int | None, unit: str, label: str) -> None:
        """Begin a piece of work and report 0 done."""
        self.done, self.total = 0, total
        self.advance(0)

    def advance(self, n: int) -> None:
        """Report `n` more units; raise `Cancelled` once :meth:`cancel` was called."""
        if self._cancelled:
            raise Cancelled("cancelled by the caller")
        self.done += n
        self.callback(self.done, self.total)

    def finish(self) -> None:
        """End the piece of work."""

    def cancel(self) -> None:
        """Make the next advance raise `Cancelled`; safe to call from any thread."""
        self._cancelled = True


@contextmanager
def under_way(progress: Progress, total: int | None, unit: str, label: str) -> Iterator[None]:
    """Begin a piece of work, and end it with the block, however that ends."""
    progress.start(total, unit, label)
    try:
        yield
    finally:
        progress.finish()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost.

    Parameters
    ----------
    read_bytes : int, optional
        Most bytes that one read of a stream may return; None: no limit but the stream's length.
    """

    read_bytes: int | None = None

    def check_read(self, nbytes: int, what: str) -> None:
        """Raise `LimitError` if a read of `nbytes` bytes is not allowed."""
        if self.read_bytes is not None and nbytes > self.read_bytes:
            raise LimitError(
                f"{what}: {nbytes:,} bytes were asked for, {self.read_bytes:,} are allowed; "
                "ask for a shorter time, fewer channels or a downsampled form"
            )

    def piece_bytes(self, wanted: int) -> int:
        """Give the size of pieces: as wanted, as far as one read may be that large."""
        return wanted if self.read_bytes is None else min(wanted, self.read_bytes)


def pieces(start: int, stop: int, item_bytes: int, max_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut the item range [start, stop) into ranges of at most `max_bytes`, at least one item each.

    Parameters
    ----------
    start, stop : int
        Half-open item range.
    item_bytes : int
        Bytes of one item.
    max_bytes : int
        Most bytes of one piece.

    Yields
    ------
    tuple of int
        Half-open ranges that cover [start, stop) in order.

    Examples
    --------
    >>> list(pieces(0, 10, 8, 32))
    [(0, 4), (4, 8), (8, 10)]
    """
    step = max(1, max_bytes // max(1, item_bytes))
    for first in range(start, stop, step):
        yield first, min(first + step, stop)
