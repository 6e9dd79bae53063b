"""Packets of .nev files: all of one size, so that they are looked at as one table.

The index keeps 9 or 13 bytes of each packet (number, time stamp, unit or reason), sorted by
packet id and then by time, so that the spikes of an electrode are one slice of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.blackrock.header import NevHeader
from ephyrus.formats.blackrock.layout import COMMENT, STAMPS, event_layout, packet_head
from ephyrus.formats.blackrock.texts import packet_texts
from ephyrus.recording import ByteSource, Opening, grouped, heads, time_ordered, under_way

__all__ = ["Packets", "index_packets", "packet_offsets"]

BATCH_BYTES = 8 * 2**20
LARGEST_STAMP = 2**62
MOST_NUMBERED = 2**32  # packets
RESTART = "critical load restart"  # what the comment says with which a clock begins anew
MOST_RESETS = 1000  # where only the packets tell of them
DISORDER = 2**27  # ticks (an hour) by which no packets are out of order
RESET_SECONDS = 1  # packets of one clock are written out of order, but not by so much


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """The packets of a .nev file, sorted by id, clock and time.

    Attributes
    ----------
    ids : ndarray of int64, shape (ids,)
        Packet ids that occur.
    bounds : ndarray of int64, shape (ids + 1,)
        Where the packets of each id begin in the columns.
    numbers : ndarray of uint32 (int64 where there are more)
        Position of each packet in the file.
    ticks : ndarray of uint32 or int64
        Time stamps.
    marks : ndarray of uint8
        Unit of a spike, reason of an input, first byte of anything else.
    resets : ndarray of int64
        Numbers of the packets with which the clock begins anew.
    """

    ids: NDArray[np.int64]
    bounds: NDArray[np.int64]
    numbers: NDArray[Any]
    ticks: NDArray[Any]
    marks: NDArray[np.uint8]
    resets: NDArray[np.int64]


def packet_offsets(header: NevHeader, numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Give the first bytes of packets."""
    return header.start + numbers.astype(np.int64) * header.packet_bytes


def index_packets(
    opening: Opening, header: NevHeader, resets: int | None, *, wraps: bool = False
) -> Packets:
    """Sort the packets of a file.

    Parameters
    ----------
    opening : Opening
        The recording that is opened.
    header : NevHeader
        Its header.
    resets : int or None
        How often the clock of the continuous files began anew; None: there are no such files.
    wraps : bool
        The recording is longer than time stamps of 32 bits can tell.
    """
    columns = opening.cached(
        f"packets, {resets} resets, wraps {wraps}",
        lambda: _columns(opening, header, resets, wraps=wraps),
        (header.name,),
    )
    return Packets(**columns)


def _columns(
    opening: Opening, header: NevHeader, resets: int | None, *, wraps: bool
) -> Mapping[str, NDArray[Any]]:
    """Read the heads of all packets and sort them."""
    source = opening.files.source(header.name)
    table = _heads(opening, source, header)
    ticks, ids, marks = (np.ascontiguousarray(table[name]) for name in ("stamp", "id", "byte"))
    numbers: NDArray[Any] | None = None
    if header.major > 2 and not (sound := ticks < LARGEST_STAMP).all():
        opening.note(
            "packets whose time stamps cannot be true are left out",
            path=source.name,
            lost=int(np.count_nonzero(~sound)),
        )
        numbers = np.flatnonzero(sound)
        ticks, ids, marks = (each[sound] for each in (ticks, ids, marks))
    if header.major > 2:
        ticks = ticks.view(np.int64)
    if wraps:
        ticks = _unwrapped(ticks)
    begins = _reset_places(opening, source, header, ids, numbers, ticks, resets)
    clocks = np.searchsorted(begins, np.arange(ticks.size), "right") if begins.size else None
    by_time = time_ordered(ticks, clocks)
    groups = grouped(ids if by_time is None else ids[by_time])
    order = groups.order if by_time is None else by_time[groups.order]
    return {
        "ids": groups.values.astype(np.int64),
        "bounds": groups.bounds.astype(np.int64),
        "numbers": (order if numbers is None else numbers[order]).astype(
            np.uint32 if len(table) <= MOST_NUMBERED else np.int64
        ),
        "ticks": ticks[order],
        "marks": marks[order],
        "resets": (begins if numbers is None else numbers[begins]).astype(np.int64),
    }


def _heads(opening: Opening, source: ByteSource, header: NevHeader) -> NDArray[Any]:
    """Copy the heads of all packets in one pass."""
    head, size = packet_head(header.major), header.packet_bytes
    count, rest = divmod(source.size - header.start, size)
    if rest:
        opening.note(
            f"the last packet has {rest} of {size} bytes; it is left out",
            path=source.name,
            offset=source.size - rest,
            field="packet",
            lost=1,
        )
    table = np.empty(count, f"V{head.itemsize}")
    step = max(BATCH_BYTES // size, 1)
    with under_way(opening.progress, count, "packets", f"indexing {header.name}"):
        for first in range(0, count, step):
            many = min(step, count - first)
            raw = source.array(header.start + first * size, "u1", (many - 1) * size + head.itemsize)
            table[first : first + many] = np.ndarray((many,), table.dtype, raw, 0, (size,))
            opening.progress.advance(many)
    return table.view(head)


def _unwrapped(ticks: NDArray[Any]) -> NDArray[np.int64]:
    """Count on where time stamps of 32 bits begin again at 0, and where they fall back."""
    steps = np.diff(ticks.astype(np.int64))
    turns = (steps < -DISORDER).astype(np.int64) - (steps > STAMPS - DISORDER)
    counted = np.zeros(ticks.size, np.int64)
    counted[1:] = np.cumsum(turns)
    counted -= np.minimum.accumulate(counted)  # the first ones do not come before the beginning
    counted *= STAMPS
    counted += ticks
    return counted


def _reset_places(
    opening: Opening,
    source: ByteSource,
    header: NevHeader,
    ids: NDArray[Any],
    numbers: NDArray[Any] | None,
    ticks: NDArray[Any],
    resets: int | None,
) -> NDArray[np.intp]:
    """Find the packets with which the clock begins anew.

    The continuous files tell how often that happened; the stamps that go back farthest are it,
    because packets of one clock are written a little out of order. Without continuous files it is
    where stamps go back by more than a second, or where a comment says so.
    """
    if resets == 0:
        return np.empty(0, np.intp)
    back = np.flatnonzero(ticks[1:] < ticks[:-1]) + 1
    limit = RESET_SECONDS * header.resolution
    if resets is None:
        back = back[_steps(ticks, back) < -limit]
        found = _with_restarts(back, _restarts(source, header, ids, numbers), ticks, limit)
        if found.size <= MOST_RESETS:
            return found
        opening.note(
            f"the time stamps go back {found.size:,} times, which no clock does: they are sorted",
            path=source.name,
        )
        return np.empty(0, np.intp)
    if back.size < resets:
        back = np.union1d(back, _restarts(source, header, ids, numbers)).astype(np.intp)
        back = back[back > 0]
    if back.size < resets:
        opening.note(
            f"the clock of the continuous files was reset {resets} times, that of the packets "
            f"{back.size} times; spikes and events may be in the wrong segment",
            path=source.name,
        )
        return back
    farthest = np.argsort(_steps(ticks, back), kind="stable")[:resets]
    return np.sort(back[farthest])


def _steps(ticks: NDArray[Any], places: NDArray[np.intp]) -> NDArray[np.int64]:
    """Give by how much time stamps differ from the ones before."""
    steps: NDArray[np.int64] = ticks[places].astype(np.int64) - ticks[places - 1]
    return steps


def _with_restarts(
    back: NDArray[np.intp], said: NDArray[np.intp], ticks: NDArray[Any], limit: int
) -> NDArray[np.intp]:
    """Add the restarts that comments tell of, but for those that stamps have just told of."""
    said = said[said > 0]
    if not back.size:
        return said
    before = np.searchsorted(back, said, "right") - 1
    passed = ticks[said].astype(np.int64) - ticks[back[before]]
    seen = (before >= 0) & (passed <= limit)
    return np.union1d(back, said[~seen]).astype(np.intp)


def _restarts(
    source: ByteSource, header: NevHeader, ids: NDArray[Any], numbers: NDArray[Any] | None
) -> NDArray[np.intp]:
    """Find the comments that tell of a restart."""
    places = np.flatnonzero(ids == COMMENT)
    layout = event_layout(COMMENT, header.major, header.packet_bytes)
    if not places.size or "text" not in (layout.names or ()):
        return np.empty(0, np.intp)
    packets = heads(
        source, packet_offsets(header, places if numbers is None else numbers[places]), layout
    )
    texts = packet_texts(packets["text"], packets["charset"])
    return places[np.char.find(np.char.lower(texts), RESTART) >= 0]
