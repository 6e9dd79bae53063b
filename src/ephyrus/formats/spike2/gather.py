"""Items spread over blocks: their times and codes, and their data."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.spike2.model import Channel
from ephyrus.recording import ByteSource, PacketedSignal, heads

__all__ = ["item_data", "item_heads"]


def item_heads(source: ByteSource, channel: Channel, blocks: NDArray[Any]) -> NDArray[Any]:
    """Give time and codes of all items of a channel.

    Returns
    -------
    ndarray, shape (items,)
        Fields ``time``, and ``codes`` of markers; packed.
    """
    packed, size = channel.head, channel.item.itemsize
    if not source.is_in_memory:
        return heads(source, _places(blocks, size, np.arange(int(blocks["count"].sum()))), packed)
    width = packed.itemsize
    opaque = np.dtype(f"V{width}")  # numpy copies bytes faster than fields
    found = np.empty(int(blocks["count"].sum()), opaque)
    done = 0
    for first, last in _stretches(blocks):
        low, count = int(blocks["offset"][first]), int(blocks["count"][first])
        step = int(blocks["offset"][first + 1]) - low if last > first + 1 else 0
        span = step * (last - first - 1) + (count - 1) * size + width
        whole = source.array(low, "u1", span)
        shape = last - first, count
        table: NDArray[Any] = np.ndarray(shape, opaque, whole, 0, (step, size))
        found[done : done + table.size].reshape(shape)[...] = table
        done += table.size
    return found.view(packed)


def item_data(
    source: ByteSource,
    channel: Channel,
    blocks: NDArray[Any],
    start: int,
    stop: int,
    rows: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give the data of items [start, stop), or of the items at `rows`.

    Returns
    -------
    ndarray, shape (items, ...)
        As the field ``data`` of the channel's item.
    """
    if rows is None:
        whole = PacketedSignal(
            source, blocks["offset"], blocks["count"], f"V{channel.item.itemsize}"
        ).read(start, stop)
        data: NDArray[Any] = whole.view(channel.item)["data"]
        return data
    item = channel.item.fields
    assert item is not None  # noqa: S101 - for type checkers: items have fields
    dtype, offset = item["data"][:2]
    places = _places(blocks, channel.item.itemsize, rows) + offset
    return heads(source, places, np.dtype([("data", dtype.base, dtype.shape)]))["data"]


def _places(blocks: NDArray[Any], size: int, rows: NDArray[Any]) -> NDArray[np.int64]:
    """Give the offset of the items at `rows`."""
    counts = blocks["count"]
    ends = np.cumsum(counts)
    if (counts[:-1] == counts[0]).all() and counts[-1] <= counts[0]:
        block = rows // counts[0]
    else:
        block = np.searchsorted(ends, rows, "right")
    places: NDArray[np.int64] = (blocks["offset"] - (ends - counts) * size)[block]
    places += rows * size
    return places


def _stretches(blocks: NDArray[Any]) -> list[tuple[int, int]]:
    """Cut blocks into ranges of equal counts at equal distances."""
    if len(blocks) < 2:
        return [(0, len(blocks))]
    steps, counts = np.diff(blocks["offset"]), blocks["count"]
    sizes, times = np.unique(steps, return_counts=True)
    usual = sizes[np.argmax(times)]
    apart = (steps != usual) | (usual <= 0) | (counts[1:] != counts[:-1])
    bounds = [0, *(np.flatnonzero(apart) + 1).tolist(), len(blocks)]
    return list(pairwise(bounds))
