"""What an overview of a recording shows, as plain arrays of bounded size; knows no drawing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.bins import bin_edges, reduce_pieces, thinned
from ephyrus._shared.drawing import Marks, Raster, Trace
from ephyrus.recording.clock import seconds
from ephyrus.recording.downsample import downsample
from ephyrus.recording.limits import Progress, pieces
from ephyrus.recording.recording import Recording
from ephyrus.recording.scale import scaled
from ephyrus.recording.select import ChannelSelection, channel_positions
from ephyrus.recording.streams import SignalStream, TableStream
from ephyrus.recording.times import gaps, ranges_between, run_extents, run_positions

__all__ = [
    "Marks",
    "Raster",
    "Trace",
    "View",
    "full_view",
    "marks",
    "raster",
    "table_bytes",
    "traces",
    "values",
]

MOST_POINTS = 4_000_000  # of all traces of a stream, whatever the number of sweeps


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at, and at which cost.

    Attributes
    ----------
    t_start, t_stop : float
        Stretch of time in seconds; both ends belong to it.
    width : int
        Columns over that stretch.
    max_bytes : int
        Most bytes read at a time.
    progress : Progress
        Told about bytes read.
    segments : tuple of int, optional
        Only these segments.
    origins : tuple of float, optional
        Where the time of each segment is counted from, in seconds: its beginning, if sweeps are
        laid over each other. None: everything has one time.
    """

    t_start: float
    t_stop: float
    width: int
    max_bytes: int
    progress: Progress
    segments: tuple[int, ...] | None = None
    origins: tuple[float, ...] | None = None


def full_view(
    recording: Recording, streams: Sequence[SignalStream | TableStream], blank: View
) -> View:
    """Give the view that holds all of the streams.

    The times of tables are read only where neither segments nor signals tell an extent.

    Parameters
    ----------
    recording : Recording
        What to look at.
    streams : sequence of SignalStream and TableStream
        What is drawn.
    blank : View
        A view whose bounds are infinite where they are to be found.
    """
    extents = _described_extents(recording, streams, blank)
    tables = [] if extents else [each for each in streams if isinstance(each, TableStream)]
    for table in tables:
        for first, read in _read(recording, table, ("tick",), (0, table.length), blank):
            times = _times(table, first, read["tick"], blank)
            times = times[_inside(table, first, times, blank)]
            extents += [(float(times.min()), float(times.max()))] if times.size else []
    start = min((each[0] for each in extents), default=0.0)
    stop = max((each[1] for each in extents), default=1.0)
    if stop <= start:
        start, stop = start - 0.5, start + 0.5
    found = replace(
        blank,
        t_start=blank.t_start if math.isfinite(blank.t_start) else start,
        t_stop=blank.t_stop if math.isfinite(blank.t_stop) else stop,
    )
    if not found.t_start < found.t_stop:
        raise ValueError(
            f"nothing lies between {found.t_start:g} s and {found.t_stop:g} s; "
            f"the recording has {start:g} s to {stop:g} s"
        )
    return found


def _described_extents(
    recording: Recording, streams: Sequence[SignalStream | TableStream], view: View
) -> list[tuple[float, float]]:
    """Give beginnings and ends of segments and of signals' runs, as far as they last."""
    count = len(recording.segments)
    extents = []
    for segment in range(count) if view.segments is None else view.segments:
        origin = 0.0 if view.origins is None else view.origins[segment]
        described = recording.segments[segment]
        extents.append(
            (float(described.t_start or 0.0) - origin, float(described.t_stop or 0.0) - origin)
        )
    for stream in streams:
        if isinstance(stream, SignalStream):
            wanted = _in_segments(stream.runs, view.segments)
            origins = _origins(stream.runs["segment"], view)
            starts, stops = ((each - origins)[wanted].tolist() for each in run_extents(stream))
            extents += zip(starts, stops, strict=True)
    return [(start, stop) for start, stop in extents if stop > start]


def traces(
    recording: Recording, stream: SignalStream, channels: ChannelSelection, view: View
) -> list[Trace]:
    """Give the traces of a signal's channels; reads the stretch once, piece by piece."""
    positions = channel_positions(stream, channels)
    chosen = np.arange(len(stream.channels)) if positions is None else positions
    ranges = ranges_between(stream, view.t_start, view.t_stop, view.segments, origins=view.origins)
    lines = [_line(recording, stream, each, chosen, view) for each in _binned(stream, ranges, view)]
    times = np.concatenate([np.empty(0), *(line[0] for line in lines)])
    drawn = np.concatenate([np.empty((0, len(chosen)), np.float32), *(line[1] for line in lines)])
    shown = gaps(stream, view.segments if view.origins is None else ())
    shown = shown[(shown[:, 1] > view.t_start) & (shown[:, 0] < view.t_stop)]
    known = times[~np.isnan(times)]
    overlaps = bool(np.any(np.diff(known) < 0))
    return [
        Trace(
            stream.channels.names[channel],
            stream.channels.units[channel],
            stream.id,
            times,
            drawn[:, column],
            shown,
            overlaps,
        )
        for column, channel in enumerate(chosen.tolist())
    ]


def _binned(
    stream: SignalStream, ranges: list[tuple[int, int]], view: View
) -> Iterator[tuple[int, int, int]]:
    """Give each range with the columns it fills."""
    most = max(1, MOST_POINTS // max(1, 2 * len(stream.channels)))
    per_sample = view.width / (float(stream.rate) * (view.t_stop - view.t_start))
    total = sum(stop - start for start, stop in ranges)
    per_sample = min(per_sample, most / max(total, 1))
    for start, stop in ranges:
        yield start, stop, max(1, math.ceil((stop - start) * per_sample))


def _line(
    recording: Recording,
    stream: SignalStream,
    binned: tuple[int, int, int],
    channels: NDArray[np.intp],
    view: View,
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Give times and values of a range, with NaN behind each run."""
    start, stop, bins = binned
    few = stop - start <= 2 * bins
    found = downsample(
        recording,
        stream,
        stop - start if few else bins,
        start=start,
        stop=stop,
        channels=channels,
        method="stride" if few else "minmax",
        max_bytes=view.max_bytes,
        progress=view.progress,
    )
    repeat = 1 if few else 2
    times = found.times - _origins(stream.runs["segment"][found.run], view)
    times, runs = np.repeat(times, repeat), np.repeat(found.run, repeat)
    lines = found.values.reshape(-1, len(channels))
    ends = np.flatnonzero(np.diff(runs, append=-1)) + 1
    return np.insert(times, ends, np.nan), np.insert(lines, ends, np.nan, axis=0)


def values(recording: Recording, table: TableStream, view: View) -> list[Trace]:
    """Give the traces of irregular samples: all of them, or the extremes of `width` groups."""
    channels = table.channels
    if channels is None:
        return []
    start, stop = _items_between(recording, table, view)
    few = stop - start <= 2 * view.width
    edges = bin_edges([start, stop], stop - start if few and stop > start else view.width)
    shape = (1 + len(channels),)

    def columns() -> Iterator[tuple[int, NDArray[np.float64]]]:
        for first, read in _read(recording, table, ("tick", "value"), (start, stop), view):
            times = _times(table, first, read["tick"], view)
            numbers = scaled(read["value"], channels.gain, channels.offset).astype(np.float64)
            numbers[~_inside(table, first, times, view)] = np.nan
            yield first, np.column_stack([times, numbers])

    # the extremes of a group's times are those of its first and last sample
    found = reduce_pieces(columns(), edges, "minmax", dtype=np.dtype("f8"), item_shape=shape)
    lines = found[:, 0] if few else found.reshape(-1, *shape)
    lines = lines[~np.isnan(lines[:, 1:]).all(axis=1)]
    return [
        Trace(name, channels.units[number], table.id, lines[:, 0], lines[:, number + 1])
        for number, name in enumerate(channels.names)
    ]


def table_bytes(table: TableStream) -> int:
    """Give the bytes that drawing a table reads."""
    names = {"spikes": ("tick", "unit"), "samples": ("tick", "tick", "value")}
    wanted = names.get(table.kind, ("tick", "duration", "label"))
    return table.length * sum(
        table.columns[name].itemsize for name in wanted if name in table.columns
    )


def _items_between(recording: Recording, table: TableStream, view: View) -> tuple[int, int]:
    """Give the smallest range of a table's items that holds all items of the view."""
    begin, end = table.length, 0
    for first, read in _read(recording, table, ("tick",), (0, table.length), view):
        inside = _inside(table, first, _times(table, first, read["tick"], view), view)
        places = np.flatnonzero(inside) + first
        if places.size:
            begin, end = min(begin, int(places[0])), int(places[-1]) + 1
    return (begin, end) if begin < end else (0, 0)


def raster(recording: Recording, table: TableStream, view: View) -> list[Raster]:
    """Give the spikes of each unit; of very many, one for each quarter of a column."""
    found: list[NDArray[np.float64]] = [np.empty(0) for _ in table.units]
    for first, read in _read(recording, table, ("tick", "unit"), (0, table.length), view):
        times = _times(table, first, read["tick"], view)
        inside = _inside(table, first, times, view)
        for number, unit in enumerate(table.units):
            mine = times[inside & (read["unit"] == unit.id)]
            found[number] = _thinned(np.concatenate([found[number], mine]), view)[0]
    return [Raster(unit.label, times) for unit, times in zip(table.units, found, strict=True)]


def marks(recording: Recording, table: TableStream, view: View) -> Marks:
    """Give events or epochs that touch the view; of very many, one for each quarter of a column."""
    names = [name for name in ("tick", "duration", "label") if name in table.columns]
    times, lasting, labels = np.empty(0), np.empty(0), np.empty(0, object)
    for first, read in _read(recording, table, names, (0, table.length), view):
        new = _times(table, first, read["tick"], view)
        long = seconds(read["duration"], table.clock) if "duration" in read else np.zeros(len(new))
        inside = _inside(table, first, new, view, long)
        texts = np.asarray(read.get("label", np.full(len(new), "")), object)
        times, kept = _thinned(np.concatenate([times, new[inside]]), view)
        lasting = np.concatenate([lasting, long[inside]])[kept]
        labels = np.concatenate([labels, texts[inside]])[kept]
    durations = lasting if table.kind == "epochs" else None
    return Marks(table.name, times, tuple(map(str, labels)), durations)


def _thinned(times: NDArray[np.float64], view: View) -> tuple[NDArray[np.float64], Any]:
    """Keep one time of each column where there are far more than columns; and which were kept."""
    kept = thinned(times, view.t_start, view.t_stop, view.width)
    return times[kept], kept


def _in_segments(runs: NDArray[Any], segments: tuple[int, ...] | None) -> NDArray[np.bool_]:
    if segments is None:
        return np.ones(len(runs), bool)
    return np.isin(runs["segment"], segments)


def _inside(
    table: TableStream,
    first: int,
    times: NDArray[np.float64],
    view: View,
    lasting: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.bool_]:
    """Tell which items, from position `first` on, touch the view."""
    inside: NDArray[np.bool_] = (times + lasting >= view.t_start) & (times <= view.t_stop)
    if view.segments is None:
        return inside
    return inside & np.isin(_segments_of(table, first, len(times)), view.segments)


def _times(table: TableStream, first: int, ticks: NDArray[Any], view: View) -> NDArray[np.float64]:
    """Give the times of items, from position `first` on, as the view counts them."""
    times = seconds(ticks, table.clock)
    if view.origins is None:
        return times
    return times - _origins(_segments_of(table, first, len(times)), view)


def _segments_of(table: TableStream, first: int, count: int) -> NDArray[Any]:
    runs = run_positions(table, np.arange(first, first + count))
    return np.asarray(table.runs["segment"][runs])


def _origins(segments: NDArray[Any], view: View) -> NDArray[np.float64]:
    """Give where the time of each of the given segments is counted from."""
    if view.origins is None:
        return np.zeros(len(segments))
    origins = np.asarray(view.origins, np.float64)
    return np.take(origins, segments)


def _read(
    recording: Recording,
    table: TableStream,
    columns: Sequence[str],
    items: tuple[int, int],
    view: View,
) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    """Read columns of a table piece by piece and report their bytes."""
    width = sum(table.columns[name].itemsize for name in columns)
    for start, stop in pieces(*items, width, recording.limits.piece_bytes(view.max_bytes)):
        yield start, recording.read_table(table, start, stop, columns)
        view.progress.advance((stop - start) * width)
