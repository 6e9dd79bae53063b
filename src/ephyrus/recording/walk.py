"""Walking chains of packets of variable length: where each packet begins, and nothing else.

Packet k + 1 is only found from packet k. A Python loop costs half a microsecond a packet, so the
walk *gallops*: recordings are repetitions of rounds (one block of each channel), hence as soon as
the lengths of the last packets repeat, the heads of thousands of further rounds are compared in one
vectorised step, and those that agree are taken. Where lengths do not repeat, the loop goes on. With
the extra ``fast`` a compiled loop replaces both; the result is the same.
"""

from __future__ import annotations

import importlib.util
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct  # noqa: TID251 - one head at a time is what the loop is about
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.files import ByteSource
from ephyrus.recording.limits import NullProgress, Progress, under_way

__all__ = ["PacketLayout", "Walked", "walk"]

WalkEnd = Literal["whole", "cut", "sentinel", "short", "blank"]
Step = tuple[NDArray[np.int64], int, WalkEnd | None]

WINDOW_BYTES = 16 * 2**20  # walked between two reports of progress
COMPILE_FROM_BYTES = 32 * 2**20  # importing and starting numba costs as much as a loop over less
LONGEST_ROUND = 64  # packets
LOOKED_AT = 2 * LONGEST_ROUND  # lengths that must repeat before a gallop is tried
FIRST_GALLOP, LONGEST_GALLOP = 16, 2**16  # rounds
LONGEST_LOOP = 2**14  # packets before the next attempt to gallop


@dataclass(frozen=True, slots=True)
class PacketLayout:
    """How long a packet is: ``base + unit * product of fields`` bytes.

    Attributes
    ----------
    head : int
        Bytes of a packet's head, and the least length of a packet.
    factors : tuple of int
        Byte offsets, within the head, of one or two little-endian ``u2`` fields.
    unit, base : int
        Bytes of one item, bytes that every packet has.
    sentinel : int or None
        Value of the first factor that ends the chain.
    """

    head: int
    factors: tuple[int, ...]
    unit: int = 1
    base: int = 0
    sentinel: int | None = None

    def loop_struct(self) -> tuple[Struct, int, int | None]:
        """Give a reader of the first ``u2`` of a head and the factors, and their places in it."""
        places = sorted({0, *self.factors})
        text, at = "<", 0
        for place in places:
            text += "x" * (place - at) + "H"
            at = place + 2
        second = places.index(self.factors[1]) if len(self.factors) > 1 else None
        return Struct(text), places.index(self.factors[0]), second


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """Where the packets of a chain are.

    Attributes
    ----------
    offsets : ndarray of int64, shape (packets,)
        First byte of each whole packet.
    stop : int
        Where the walk ended: the first byte that belongs to no whole packet.
    end : {"whole", "cut", "sentinel", "short", "blank"}
        Why: at the exact end; inside the last packet; at the value that ends a chain; at a length
        that no packet can have; at a head that begins with zero.
    """

    offsets: NDArray[np.int64]
    stop: int
    end: WalkEnd


def walk(
    source: ByteSource,
    start: int,
    layout: PacketLayout,
    *,
    stop: int | None = None,
    progress: Progress | None = None,
    label: str = "indexing",
) -> Walked:
    """Find the packets of a chain.

    Parameters
    ----------
    source : ByteSource
        The file.
    start, stop : int
        First byte of the first packet; end of the chain (default: of the file).
    layout : PacketLayout
        How long a packet is.
    progress : Progress, optional
        Told of every 16 MiB; may raise `Cancelled`.
    label : str
        What progress shows.

    Returns
    -------
    Walked
        Offsets of whole packets, and why and where the chain ended. Judging that is the caller's.
    """
    progress = progress or NullProgress()
    end = source.size if stop is None else min(stop, source.size)
    step = _compiled_step() if end - start >= COMPILE_FROM_BYTES else None
    found: list[NDArray[np.int64]] = []
    at, reason = start, None
    with under_way(progress, max(end - start, 0), "B", label):
        while reason is None:
            window = source.array(at, "u1", max(min(WINDOW_BYTES, end - at), 0))
            offsets, after, reason = (step or _step)(window, at, end, layout)
            found.append(offsets)
            progress.advance(after - at)
            at = after
    return Walked(np.concatenate(found), at, reason)


def _step(window: NDArray[np.uint8], base: int, end: int, layout: PacketLayout) -> Step:
    """Walk through one window: loop and gallop in turns."""
    offsets = array("q")
    pieces: list[NDArray[np.int64]] = []
    at, turns = 0, LOOKED_AT
    while True:
        at, reason = _loop(window, at, end - base, layout, offsets, turns)
        if reason is not None or len(window) - at < layout.head:
            break
        recent = np.array([*offsets[-LOOKED_AT:], at], np.int64)
        lengths = recent[1:] - recent[:-1]
        period = _period(lengths)
        taken = 0
        if period:
            galloped, at = _gallop(window, at, end - base, layout, lengths[-period:])
            taken = galloped.size
            pieces += [np.array(offsets, np.int64), galloped]
            del offsets[:]
        turns = LOOKED_AT if taken > LOOKED_AT else min(2 * turns, LONGEST_LOOP)
    pieces.append(np.array(offsets, np.int64))
    if reason is None and len(window) == end - base:  # the chain ends with this window
        reason = "whole" if at == len(window) else "cut"
    return np.concatenate(pieces) + base, base + at, reason


def _loop(
    window: NDArray[np.uint8],
    at: int,
    left: int,
    layout: PacketLayout,
    offsets: array[int],
    turns: int,
) -> tuple[int, WalkEnd | None]:
    """Walk at most `turns` packets from `at` one by one; ``left`` bytes belong to the chain."""
    reader, first, second = layout.loop_struct()
    unpack, append = reader.unpack_from, offsets.append
    base, unit, head, sentinel = layout.base, layout.unit, layout.head, layout.sentinel
    data, last = window.data, len(window) - layout.head
    for _ in range(turns):
        if at > last:
            return at, None
        fields = unpack(data, at)
        factor = fields[first]
        length = base + unit * (factor if second is None else factor * fields[second])
        if fields[0] == 0:
            return at, "blank"
        if factor == sentinel:
            return at, "sentinel"
        if length < head:
            return at, "short"
        if at + length > left:
            return at, "cut"
        append(at)
        at += length
    return at, None


def _period(lengths: NDArray[np.int64]) -> int:
    """Give the shortest period with which lengths repeat, or 0."""
    if lengths.size < LOOKED_AT:
        return 0
    for period in range(1, LONGEST_ROUND + 1):
        if lengths[-1] == lengths[-1 - period] and np.array_equal(
            lengths[period:], lengths[:-period]
        ):
            return period
    return 0


def _gallop(
    window: NDArray[np.uint8], at: int, left: int, layout: PacketLayout, lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """Take all whole rounds from `at` on whose packets have these lengths."""
    places, size = np.cumsum(lengths) - lengths, int(lengths.sum())
    found: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    wanted = FIRST_GALLOP
    while True:
        there = min(len(window) - layout.head - int(places[-1]) - at, left - size - at) // size + 1
        rounds = min(wanted, max(there, 0))
        alike = _rounds_alike(window, at, rounds, size, layout, places, lengths)
        found.append((at + np.arange(alike)[:, np.newaxis] * size + places).ravel())
        at += alike * size
        if alike < wanted:
            return np.concatenate(found), at
        wanted = min(4 * wanted, LONGEST_GALLOP)


def _rounds_alike(
    window: NDArray[np.uint8],
    at: int,
    rounds: int,
    size: int,
    layout: PacketLayout,
    places: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> int:
    """Count the rounds from `at` on whose heads promise the same lengths."""
    alike = rounds
    for place, length in zip(places.tolist(), lengths.tolist(), strict=True):
        if alike == 0:
            break

        def field(offset: int, begin: int = at + place, count: int = alike) -> NDArray[np.uint16]:
            return np.ndarray((count,), "<u2", window, begin + offset, (size,))

        factor = field(layout.factors[0])
        product = factor.astype(np.int64)
        for other in layout.factors[1:]:
            product *= field(other)
        differs = (layout.base + layout.unit * product != length) | (field(0) == 0)
        if layout.sentinel is not None:
            differs |= factor == layout.sentinel
        if differs.any():
            alike = int(np.argmax(differs))
    return alike


def _compiled_step() -> Callable[[NDArray[Any], int, int, PacketLayout], Step] | None:
    """Give the compiled walk where the extra ``fast`` is installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    from ephyrus.recording._compiled import step

    return step
