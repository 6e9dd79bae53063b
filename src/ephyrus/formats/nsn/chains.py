"""Where the items of an element begin: runs of samples, events, segments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.nsn.layout import ITEM, Kind
from ephyrus.recording import ByteSource, PacketLayout, heads, walk

__all__ = ["event_items", "runs", "segment_items"]

_COUNT = np.dtype("<u4")
_HIGH = np.dtype("<u2")  # the half of a count that chains of packets do not look at


def runs(
    source: ByteSource, start: int, stop: int, samples: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find the runs of an analog element.

    Parameters
    ----------
    source : ByteSource
        The file.
    start, stop : int
        Where the runs lie.
    samples : int
        How many samples there are, as the file says.

    Returns
    -------
    offsets, counts : ndarray of int64, shape (runs,)
        First byte of the samples of each run, and how many of them lie within the element.
    times : ndarray of float64, shape (runs,)
        Times of the first samples in seconds.
    """
    item = ITEM[Kind.ANALOG]
    found = []
    at, left = start, samples
    while left > 0 and at + item.itemsize <= stop:
        head = source.array(at, item, 1)[0]
        first = at + item.itemsize
        count = min(int(head["samples"]), left, (stop - first) // 8)
        if count:
            found.append((first, count, float(head["time"])))
        left -= count
        at = first + 8 * int(head["samples"])
    offsets, counts, times = zip(*found, strict=True) if found else ((), (), ())
    return np.array(offsets, np.int64), np.array(counts, np.int64), np.array(times, np.float64)


def event_items(source: ByteSource, start: int, stop: int, most: int) -> NDArray[np.int64]:
    """Give the first byte of each whole item of an event element."""
    item = ITEM[Kind.EVENT]
    ahead = item.fields["bytes"][1]  # type: ignore[index]  # the type has fields
    layout = PacketLayout(4, (0,), base=item.itemsize)
    return _chain(source, start, stop, layout, ahead, most)


def segment_items(
    source: ByteSource, start: int, stop: int, most: int, rows: int
) -> NDArray[np.int64]:
    """Give the first byte of each whole item of a segment element with so many rows of samples."""
    head = ITEM[Kind.SEGMENT].itemsize
    layout = PacketLayout(head, (0,), unit=8 * rows, base=head)
    return _chain(source, start, stop, layout, 0, most)


def _chain(
    source: ByteSource, start: int, stop: int, layout: PacketLayout, ahead: int, most: int
) -> NDArray[np.int64]:
    """Walk items whose number of units stands `ahead` bytes behind their beginning.

    The walk along packets stops at numbers of 0 and does not see more than 16 bits: those items
    are taken one by one.
    """
    parts: list[NDArray[np.int64]] = []
    at, total = start + ahead, 0
    while total < most and at + 4 <= stop:
        offsets, at = _packets(source, at, stop, layout)
        parts.append(offsets)
        total += offsets.size
        if at + layout.head > stop or total >= most:
            break
        count = int(source.array(at, _COUNT, 1)[0])
        size = layout.base + layout.unit * count
        if at - ahead + size > stop:
            break
        parts.append(np.array([at], np.int64))
        at, total = at + size, total + 1
    found = np.concatenate(parts)[:most] if parts else np.empty(0, np.int64)
    return found - ahead


def _packets(
    source: ByteSource, at: int, stop: int, layout: PacketLayout
) -> tuple[NDArray[np.int64], int]:
    """Give items that the walk along packets sees rightly, and the place after them."""
    walked = walk(source, at, layout, stop=stop)
    wrong = np.flatnonzero(heads(source, walked.offsets + 2, _HIGH))
    if wrong.size:
        first = int(wrong[0])
        return walked.offsets[:first], int(walked.offsets[first])
    return walked.offsets, walked.stop
