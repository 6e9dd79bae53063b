"""Reading samples and items."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.texts import decoded
from ephyrus.formats.nsn.describing import Items, Plan
from ephyrus.formats.nsn.elements import Header
from ephyrus.formats.nsn.layout import ITEM, Kind
from ephyrus.recording import (
    ByteSource,
    Reading,
    SignalStream,
    TableStream,
)
from ephyrus.recording import rows as gathered
from ephyrus.recording.entitytables import NUMBER_BYTES, number_names

__all__ = ["epoch_fields", "signal", "table"]


def signal(
    reading: Reading[Header, Plan],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give samples [start, stop) of some channels."""
    source, places = reading.files.main, reading.index.offsets[stream.index]
    chosen = range(len(places)) if channels is None else channels.tolist()
    found = np.empty((len(chosen), stop - start), stream.dtype)
    runs = stream.runs
    stops = runs["first"] + runs["count"]
    first = int(np.searchsorted(stops, start, "right"))
    last = int(np.searchsorted(runs["first"], stop, "left"))
    for run in range(first, last):
        begin, end = max(start, int(runs["first"][run])), min(stop, int(stops[run]))
        skipped = begin - int(runs["first"][run])
        for row, at in zip(found, chosen, strict=True):
            offset = int(places[at][run]) + skipped * stream.dtype.itemsize
            row[begin - start : end - start] = source.array(offset, stream.dtype, end - begin)
    return found.T


def table(
    reading: Reading[Header, Plan],
    stream: TableStream,
    wanted: NDArray[np.intp],
    names: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of the items at some positions of a table."""
    plan = reading.index
    items, place = plan.items[stream.index], plan.places[stream.index]
    rows = wanted if place.order is None else place.order[wanted]
    source = reading.files.main
    found: dict[str, NDArray[Any]] = {}
    if items.is_epochs and {"label", "duration"} & set(names):
        found |= _epochs(source, items, rows)
    for name in names:
        if name == "tick":
            found[name] = place.ticks[wanted]
        elif name == "unit":
            found[name] = items.units[rows]
        elif name == "waveform":
            found[name] = _waveforms(source, items, rows, stream.columns[name].shape)
        elif name == "value":
            shape = *stream.columns[name].shape, 1
            found[name] = _waveforms(source, items, rows, shape)[:, :, 0]
        elif name not in found:
            found |= _events(source, items, rows)
    return {name: found[name] for name in names}


def _waveforms(
    source: ByteSource, items: Items, rows: NDArray[np.intp], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Gather waveforms, those of equal length together."""
    result = np.full((rows.size, *shape), np.nan, "<f8")
    counts, places = items.counts[rows], items.offsets[rows] + ITEM[Kind.SEGMENT].itemsize
    for count in np.unique(counts).tolist():
        chosen = np.flatnonzero(counts == count)
        flat = gathered(source, places[chosen], "<f8", count * shape[0])
        result[chosen, :, :count] = flat.reshape(chosen.size, shape[0], count)
    return result


def _texts(source: ByteSource, items: Items, rows: NDArray[np.intp]) -> list[bytes]:
    """Give the bytes of items."""
    head = ITEM[Kind.EVENT].itemsize
    places = (items.offsets[rows] + head).tolist()
    return [
        source.read_at(at, count)
        for at, count in zip(places, items.counts[rows].tolist(), strict=True)
    ]


def _events(source: ByteSource, items: Items, rows: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """Give labels, and the numbers of items that are numbers."""
    if not items.numbers:
        return {"label": _objects([decoded(raw) for raw in _texts(source, items, rows)])}
    width = NUMBER_BYTES[items.element.info["event_type"]]
    dtype = np.dtype(f"<u{width}")
    columns = _numbers(source, items, rows, dtype)
    values, which = np.unique(columns[0], return_inverse=True)
    labels = _objects([str(value) for value in values.tolist()])
    return {"label": labels[which], **dict(zip(number_names(len(columns)), columns, strict=True))}


def _numbers(
    source: ByteSource, items: Items, rows: NDArray[np.intp], dtype: np.dtype[Any]
) -> list[NDArray[Any]]:
    """Give the numbers of items, one array for each place; what an item has no bytes for is 0."""
    head = ITEM[Kind.EVENT].itemsize
    places, counts = items.offsets[rows] + head, items.counts[rows]
    columns = []
    for number in range(items.numbers):
        column = np.zeros(rows.size, dtype)
        there = counts >= dtype.itemsize * (number + 1)
        part = gathered(source, places[there] + dtype.itemsize * number, dtype, 1)
        column[there] = part[:, 0]
        columns.append(column)
    return columns


def _epochs(source: ByteSource, items: Items, rows: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """Give labels and durations (in seconds: the clock of epochs is 1)."""
    fields = [epoch_fields(raw) for raw in _texts(source, items, rows)]
    labels = _objects([label for label, _ in fields])
    return {"label": labels, "duration": np.array([length for _, length in fields], np.float64)}


def epoch_fields(raw: bytes) -> tuple[str, float]:
    """Give label and duration (s) of comma-separated values; 0 where there is no number."""
    text = decoded(raw)
    try:
        label, number = next(csv.reader([text]))
        duration = float(number)
    except (ValueError, StopIteration, csv.Error):
        return text, 0.0
    return label, duration if math.isfinite(duration) else 0.0


def _objects(texts: list[str]) -> NDArray[Any]:
    """Give texts as an array of texts."""
    array = np.empty(len(texts), object)
    array[:] = texts
    return array
