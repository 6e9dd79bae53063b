"""Walking chains of packets of variable length: where each packet begins, and nothing else.

Packet k + 1 is only found from packet k. A Python loop costs half a microsecond a packet, so the
walk *gallops*: recordings are repetitions of rounds (one block of each channel), hence as soon as
the lengths of the last packets repeat, the heads of thousands of further rounds are compared in one
vectorised step, and those that agree are taken. Where lengths do not repeat, the loop goes on; with
the extra ``fast`` it is a compiled one. The result is the same.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct  # noqa: TID251 - one head at a time is what the loop is about
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.files import ByteSource
from ephyrus.recording.limits import NullProgress, Progress, under_way

__all__ = ["PacketLayout", "Walked", "walk"]

WalkEnd = Literal["whole", "cut", "sentinel", "short", "blank"]
Found = tuple[NDArray[np.int64], int, WalkEnd | None]  # offsets, the place after them, why
Loop = Callable[[NDArray[np.uint8], int, int, int], Found]  # window, place, bytes left, packets

COMPILED = "ephyrus.recording._compiled"
WINDOW_BYTES = 16 * 2**20  # walked between two reports of progress
COMPILE_FROM_BYTES = 256 * 2**20  # importing numba takes as long as a loop over less
COMPILED_FROM_BYTES = 2**20  # once it is there
LONGEST_ROUND = 64  # packets
LOOKED_AT = 2 * LONGEST_ROUND  # lengths that must repeat before a gallop is tried
RUN = 16  # packets of one length that are taken for a longer run of them
FIRST_GALLOP, LONGEST_GALLOP = 1024, 2**16  # rounds
SHORTEST_LOOP, LONGEST_LOOP = 2 * RUN, 2**14  # packets before the next attempt to gallop
MOST_LENGTHS = 2**12  # remembered by the loop


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

    def head_struct(self) -> Struct:
        """Give a reader of what matters in a head: its first ``u2``, and the factors by place."""
        text, at = "<", 0
        for place in sorted({0, *self.factors}):
            text += "x" * (place - at) + "H"
            at = place + 2
        return Struct(text + "x" * (self.head - at))


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
    loop, turns = _plain_loop(layout), SHORTEST_LOOP
    if _compiles(end - start):
        loop, turns = _compiled_loop(layout), LONGEST_LOOP
    found: list[NDArray[np.int64]] = []
    at, reason = start, None
    with under_way(progress, max(end - start, 0), "B", label):
        while reason is None:
            window = source.array(at, "u1", max(min(WINDOW_BYTES, end - at), 0))
            offsets, after, reason = _step(window, at, end, layout, loop, turns)
            found.append(offsets)
            progress.advance(after - at)
            at = after
    return Walked(np.concatenate(found), at, reason)


def _step(
    window: NDArray[np.uint8], base: int, end: int, layout: PacketLayout, loop: Loop, shortest: int
) -> Found:
    """Walk through one window: loop, for `shortest` packets or more, and gallop in turns."""
    pieces: list[NDArray[np.int64]] = []
    at, turns = 0, shortest
    while True:
        offsets, at, reason = loop(window, at, end - base, turns)
        pieces.append(offsets)
        if reason is not None or len(window) - at < layout.head:
            break
        lengths = _repeating(offsets, at)
        taken = 0
        if lengths is not None:
            galloped, at = _gallop(window, at, end - base, layout, lengths)
            taken = galloped.size
            pieces.append(galloped)
        if lengths is not None and taken > LOOKED_AT:
            turns = shortest if lengths.size == 1 else max(shortest, LOOKED_AT)
        else:
            turns = min(2 * turns, LONGEST_LOOP)
    if reason is None and len(window) == end - base:  # the chain ends with this window
        reason = "whole" if at == len(window) else "cut"
    return np.concatenate(pieces) + base, base + at, reason


class _End(Exception):
    """A head ends the chain; the argument tells why."""


class _Lengths(dict[tuple[int, ...], int]):
    """Length of a packet by the numbers in its head: in a sound file there are a few."""

    def __init__(self, layout: PacketLayout) -> None:
        self._layout = layout
        places = sorted({0, *layout.factors})
        self._factors = [places.index(factor) for factor in layout.factors]

    def __missing__(self, fields: tuple[int, ...]) -> int:
        layout = self._layout
        factors = [fields[place] for place in self._factors]
        length = layout.base + layout.unit * math.prod(factors)
        if fields[0] == 0:
            raise _End("blank")
        if factors[0] == layout.sentinel:
            raise _End("sentinel")
        if length < layout.head:
            raise _End("short")
        if len(self) >= MOST_LENGTHS:
            self.clear()
        self[fields] = length
        return length


def _plain_loop(layout: PacketLayout) -> Loop:
    """Give a function that walks packets one by one."""
    reader, known = layout.head_struct(), _Lengths(layout)

    def loop(window: NDArray[np.uint8], at: int, left: int, turns: int) -> Found:
        found = array("q")
        unpack, append, data = reader.unpack_from, found.append, window.data
        last = len(window) - layout.head
        try:
            for _ in range(turns):
                if at > last:
                    break
                append(at)
                at += known[unpack(data, at)]
        except _End as end:
            return np.array(found[:-1], np.int64), at, end.args[0]
        if at > left:  # only the last one can run past the end
            return np.array(found[:-1], np.int64), found[-1], "cut"
        return np.array(found, np.int64), at, None

    return loop


def _compiles(nbytes: int) -> bool:
    """Tell whether the compiled loop pays for a chain of so many bytes."""
    if COMPILED in sys.modules:
        return nbytes >= COMPILED_FROM_BYTES
    return nbytes >= COMPILE_FROM_BYTES and importlib.util.find_spec("numba") is not None


def _compiled_loop(layout: PacketLayout) -> Loop:
    """Give the compiled form of the same function (extra ``fast``)."""
    from ephyrus.recording._compiled import loop_of

    return loop_of(layout)


def _repeating(offsets: NDArray[np.int64], at: int) -> NDArray[np.int64] | None:
    """Give the lengths of a round if those of the last packets repeat."""
    if len(offsets) < RUN:
        return None
    length = at - int(offsets[-1])
    if at - int(offsets[-RUN]) == RUN * length:  # all equal, most likely; the gallop checks each
        return np.array([length])
    if len(offsets) < LOOKED_AT:
        return None
    recent = np.append(offsets[-LOOKED_AT:], at)
    lengths: NDArray[np.int64] = recent[1:] - recent[:-1]
    for period in range(1, LONGEST_ROUND + 1):
        if lengths[-1] == lengths[-1 - period] and np.array_equal(
            lengths[period:], lengths[:-period]
        ):
            return lengths[-period:]
    return None


def _gallop(
    window: NDArray[np.uint8], at: int, left: int, layout: PacketLayout, lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """Take all whole rounds from `at` on whose heads are those of the round before."""
    places, size = np.cumsum(lengths) - lengths, int(lengths.sum())
    found: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    wanted = FIRST_GALLOP
    while True:
        there = min(len(window) - layout.head - int(places[-1]) - at, left - size - at) // size + 1
        rounds = min(wanted, max(there, 0))
        alike = _rounds_alike(window, at, rounds, size, layout, places)
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
) -> int:
    """Count the rounds from `at` on whose heads promise what those of the round before it do."""
    alike = rounds
    for place in places.tolist():
        if alike <= 0:
            return 0
        before = at + place - size
        same = np.ndarray((alike,), "<u2", window, before + size, (size,)) != 0
        for offset in layout.factors:
            factor = np.ndarray((alike + 1,), "<u2", window, before + offset, (size,))
            same &= factor[1:] == factor[0]
        if not same.all():
            alike = int(np.argmin(same))
    return alike
