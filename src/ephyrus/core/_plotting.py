"""Data objects drawn over time, in bounded memory: long ones are reduced piece by piece."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.bins import bin_edges, reduce_pieces, thinned
from ephyrus._shared.drawing import (
    MOST_LANES,
    MOST_ROWS,
    MOST_UNITS,
    Content,
    Marks,
    Raster,
    Trace,
    draw,
    figure_height,
)
from ephyrus._shared.extras import optional_module
from ephyrus._shared.words import counted
from ephyrus.core._channelsignal import ChannelSignal
from ephyrus.core._describe import NOUNS, Node, facts, heading, limits_of
from ephyrus.core._labels import LabelledPoints
from ephyrus.core._points import PointObject
from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.epoch import Epoch
from ephyrus.core.irregularlysampledsignal import IrregularlySampledSignal
from ephyrus.core.lazy import chunk_bounds
from ephyrus.core.segment import Segment
from ephyrus.core.spiketrain import SpikeTrain
from ephyrus.core.spiketrainlist import SpikeTrainList
from ephyrus.core.units import HERTZ, SECOND, UnitInfo, convert, scalar_in, seconds

__all__ = ["plot_object", "plot_segment", "plot_trains"]

PIECE_BYTES = 16 * 2**20  # held at a time
ITEM_BYTES = 128  # of an item of a lazy object: its time, duration and label, roughly


@dataclass(frozen=True, slots=True)
class _View:
    """Stretch of time in seconds, and the columns over it."""

    t_start: float
    t_stop: float
    width: int


@dataclass(frozen=True, slots=True)
class _Page:
    """What is written around the plot, and how it is asked for."""

    title: str
    line: str
    unit: UnitInfo  # of bare numbers
    advice: str = ""


def plot_object(
    obj: Any,
    t_start: Any,
    t_stop: Any,
    width: int,
    figure: Any,
    path: str | os.PathLike[str] | None,
) -> Any:
    """Draw a signal, spike train, event or epoch; see the method `plot` of its class."""
    unit = obj._unit if isinstance(obj, PointObject) else obj._time_unit
    left: list[str] = []
    if isinstance(obj, ChannelSignal):
        signals = _first_channels([obj], left)
        parts: list[Any] = [*signals]
    else:
        parts = [obj]
    line = f"{type(obj).__name__}: {Node('', facts(obj)).told}"
    page = _Page(obj.name or type(obj).__name__, line, unit, "Choose with channels=...")
    return _plotted(parts, left, page, (t_start, t_stop), width, figure, path)


def plot_trains(
    trains: SpikeTrainList,
    t_start: Any,
    t_stop: Any,
    width: int,
    figure: Any,
    path: str | os.PathLike[str] | None,
) -> Any:
    """Draw spike trains below each other; see `SpikeTrainList.plot`."""
    left: list[str] = []
    parts = _first_trains(trains, left)
    unit = parts[0]._unit if parts else SECOND
    line = counted(len(trains), NOUNS["spiketrains"])
    page = _Page(type(trains).__name__, line, unit, "Choose some of the list")
    return _plotted(parts, left, page, (t_start, t_stop), width, figure, path)


def plot_segment(
    segment: Segment,
    t_start: Any,
    t_stop: Any,
    width: int,
    figure: Any,
    path: str | os.PathLike[str] | None,
) -> Any:
    """Draw everything that a segment holds over one axis of time; see `Segment.plot`."""
    left: list[str] = []
    parts: list[Any] = [*segment.events, *segment.epochs]
    parts = [part for part in parts if part._item_count()]
    if len(parts) > MOST_LANES:
        left.append(counted(len(parts) - MOST_LANES, "more Event or Epoch"))
    parts = parts[:MOST_LANES]
    signals = [*segment.analogsignals, *segment.irregularlysampledsignals]
    parts += _first_channels(signals, left)
    parts += _first_trains(segment.spiketrains, left)
    if segment.imagesequences:
        left.append(counted(len(segment.imagesequences), NOUNS["imagesequences"]))
    line = f"Segment: {Node('', facts(segment)).told}"
    page = _Page(
        segment.name or heading(segment), line, SECOND, "Plot parts of the segment by themselves"
    )
    return _plotted(parts, left, page, (t_start, t_stop), width, figure, path)


def _plotted(
    parts: Sequence[Any],
    left: list[str],
    page: _Page,
    window: tuple[Any, Any],
    width: int,
    figure: Any,
    path: str | os.PathLike[str] | None,
) -> Any:
    """Read what is drawn, and draw it."""
    figures = optional_module("matplotlib.figure", "plot", "plot()")
    if width < 1:
        raise ValueError(f"width must be 1 or more, not {width}")
    view = _view(parts, window, page.unit, width)
    content = Content(left_out=left)
    for part in parts:
        if isinstance(part, ChannelSignal):
            content.traces += _traces(part, len(content.traces), view)
        elif isinstance(part, SpikeTrain):
            content.raster.append(_raster(part, len(content.raster), view))
        else:
            content.marks.append(_marks(part, view))
    if figure is None:
        figure = figures.Figure(figsize=(12, figure_height(content)), facecolor="white")
    note = f"Not drawn: {', '.join(left)}. {page.advice}" if left else ""
    extent = view.t_start, view.t_stop
    draw(figure, content, extent, title=page.title, line=page.line, note=note)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


# --- what there is room for -----------------------------------------------------------------


def _first_channels(signals: Sequence[Any], left: list[str]) -> list[Any]:
    """Return the signals, cut to the channels that there is room for."""
    room, chosen, more = MOST_ROWS, [], 0
    for signal in signals:
        channels = signal.shape[1]
        if room:
            chosen.append(signal if channels <= room else signal[:, :room])
        more += max(channels - room, 0)
        room -= min(room, channels)
    if more:
        left.append(counted(more, "channel"))
    return chosen


def _first_trains(trains: SpikeTrainList, left: list[str]) -> list[SpikeTrain]:
    """Return the trains that there is room for; those in multiplexed form stay so."""
    if len(trains) > MOST_UNITS:
        left.append(counted(len(trains) - MOST_UNITS, NOUNS["spiketrains"]))
    origin = trains._untouched()
    if origin is None:
        return list(islice(trains, MOST_UNITS))
    return [
        origin.load_lazy_cascade(place, lazy=False) for place in range(min(len(trains), MOST_UNITS))
    ]


def _view(parts: Sequence[Any], window: tuple[Any, Any], unit: UnitInfo, width: int) -> _View:
    """Return the stretch of time that is drawn: as asked for, else all there is."""
    start, stop = (
        None if each is None else float(convert(scalar_in(each, unit, name), unit, SECOND))
        for each, name in zip(window, ("t_start", "t_stop"), strict=True)
    )
    if start is None or stop is None:
        first, last = _whole_extent(parts)
        start = first if start is None else start
        stop = last if stop is None else stop
    if not start < stop:
        raise ValueError(
            f"nothing lies between {start:g} s and {stop:g} s: t_start must be before t_stop"
        )
    return _View(start, stop, width)


def _whole_extent(parts: Sequence[Any]) -> tuple[float, float]:
    """Return the stretch of time that all parts lie in, in seconds."""
    extents = [extent for part in parts if (extent := _extent(part)) is not None]
    if not extents:
        return 0.0, 1.0
    first = min(extent[0] for extent in extents)
    last = max(extent[1] for extent in extents)
    if first == last:
        return first - 0.5, last + 0.5
    if any(isinstance(part, AnalogSignal | SpikeTrain) for part in parts):
        return first, last
    margin = (last - first) / 50  # so that the first and the last item are seen
    return first - margin, last + margin


def _extent(part: Any) -> tuple[float, float] | None:
    """Return the first and the last time of an object in seconds; None if it has none."""
    limits = limits_of(part)
    if limits is not None:
        return float(seconds(limits[0])), float(seconds(limits[1]))
    if part.lazy_shape is None or not isinstance(part, LabelledPoints):
        return None
    read = [(times, lasting) for times, lasting, _ in _pieces(part, None, None) if len(times)]
    if not read:
        return None
    starts, stops = zip(
        *[(times.min(), (times + lasting).max()) for times, lasting in read], strict=True
    )
    return float(min(starts)), float(max(stops))


# --- signals --------------------------------------------------------------------------------


def _traces(signal: Any, before: int, view: _View) -> list[Trace]:
    """Reduce the channels of a signal to lines."""
    if signal.dtype.kind == "c":
        raise ValueError("complex samples cannot be drawn: plot abs(signal), or a part of it")
    if isinstance(signal, AnalogSignal):
        times, values = _regular_lines(signal, view)
    else:
        times, values = _irregular_lines(signal, view)
    names = [str(name) for name in signal.array_annotations.get("channel_names", ())]
    alone = signal.shape[1] == 1 and signal.name
    unit = "" if signal._unit.symbol == "dimensionless" else signal._unit.symbol
    return [
        Trace(
            names[number] if names else alone or f"channel {number}",
            unit,
            str(before),  # the signal's own colour
            times,
            values[:, number],
        )
        for number in range(signal.shape[1])
    ]


def _regular_lines(
    signal: AnalogSignal, view: _View
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times and values of the samples in view, or the extremes of each column."""
    rate = float(convert(signal._rate, signal._rate_unit, HERTZ))
    begin = float(convert(signal._t0, signal._time_unit, SECOND))
    length = signal._item_count()
    slack = 1e-6  # of a sample
    first = min(max(math.ceil((view.t_start - begin) * rate - slack), 0), length)
    last = min(max(math.floor((view.t_stop - begin) * rate + slack) + 1, first), length)
    count = last - first
    bins = max(1, math.ceil(count * view.width / (rate * (view.t_stop - view.t_start))))
    few = count <= 2 * bins
    edges = bin_edges([0, count], count if few and count else bins)
    cuts = chunk_bounds(count, signal._item_bytes(), PIECE_BYTES, at_least_one=False)
    found = reduce_pieces(
        ((a, signal._piece(first + a, first + b).view(np.ndarray)) for a, b in cuts),
        edges,
        "minmax",
        dtype=signal.dtype,
        item_shape=signal.shape[1:],
    ).astype(np.float64)
    middles = begin + (first + (edges[:-1] + edges[1:] - 1) / 2) / rate
    if few:
        return middles, found[:, 0]
    return np.repeat(middles, 2), found.reshape(-1, signal.shape[1])


def _irregular_lines(
    signal: IrregularlySampledSignal, view: _View
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times and values of the samples in view, or the extremes of groups of them."""
    first, last = _irregular_range(signal, view)
    count = last - first
    few = count <= 2 * view.width
    edges = bin_edges([0, count], count if few and count else view.width)
    width = signal._item_bytes() + 8
    cuts = chunk_bounds(count, width, PIECE_BYTES, at_least_one=False)
    shape = (1 + signal.shape[1],)

    def columns() -> Iterator[tuple[int, NDArray[np.float64]]]:
        for a, b in cuts:
            piece = signal._piece(first + a, first + b)
            times = np.asarray(convert(piece._times, piece._time_unit, SECOND))
            values = piece.view(np.ndarray).astype(np.float64)
            values[(times < view.t_start) | (times > view.t_stop)] = np.nan
            yield a, np.column_stack([times, values])

    # the extremes of a group's times are those of its first and its last sample
    found = reduce_pieces(columns(), edges, "minmax", dtype=np.dtype("f8"), item_shape=shape)
    lines = found[:, 0] if few else found.reshape(-1, *shape)
    lines = lines[~np.isnan(lines[:, 1:]).all(axis=1)]
    return lines[:, 0], lines[:, 1:]


def _irregular_range(signal: IrregularlySampledSignal, view: _View) -> tuple[int, int]:
    """Return the smallest range of samples that holds all those in view."""
    if signal._source is not None:
        return _source_range(signal._source, view.t_start, view.t_stop)
    times = np.asarray(convert(signal._times, signal._time_unit, SECOND))
    inside = np.flatnonzero((times >= view.t_start) & (times <= view.t_stop))
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)


def _source_range(source: Any, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
    """Return a range of items that holds all those of a window."""
    first, last = source.window(t_start, t_stop)
    first = min(max(first, 0), source.length)
    return first, min(max(last, first), source.length)


# --- points in time -------------------------------------------------------------------------

Items = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]


def _pieces(obj: Any, t_start: float | None, t_stop: float | None) -> Iterator[Items]:
    """Yield times and durations in seconds, and labels, of items that may be in a window."""
    source = obj._source
    if source is None:
        unit = obj._unit
        times = np.asarray(convert(obj.view(np.ndarray), unit, SECOND), dtype=np.float64)
        lasting = convert(obj._own_durations(), unit, SECOND) if isinstance(obj, Epoch) else None
        yield _items(times, lasting, getattr(obj, "_labels", None))
        return
    first, last = 0, source.length
    if t_start is not None or t_stop is not None:
        # an epoch that began before the window may reach into it
        first, last = _source_range(source, None if isinstance(obj, Epoch) else t_start, t_stop)
    for start, stop in chunk_bounds(last - first, ITEM_BYTES, PIECE_BYTES):
        points = source.read(first + start, first + stop)
        yield _items(points.times, points.durations, points.labels)


def _items(times: NDArray[np.float64], lasting: Any, labels: Any) -> Items:
    """Fill in what items do not have."""
    count = len(times)
    long = np.zeros(count) if lasting is None else np.asarray(lasting, dtype=np.float64)
    texts = labels if labels is not None and len(labels) else np.full(count, "")
    return times, long, np.asarray(texts, dtype=object)


def _in_view(obj: Any, view: _View) -> Items:
    """Return the items that touch the view; of very many, some."""
    found: Items = np.empty(0), np.empty(0), np.empty(0, dtype=object)
    for times, lasting, labels in _pieces(obj, view.t_start, view.t_stop):
        inside = (times + lasting >= view.t_start) & (times <= view.t_stop)
        new = times[inside], lasting[inside], labels[inside]
        joined = [np.concatenate(pair) for pair in zip(found, new, strict=True)]
        kept = thinned(joined[0], view.t_start, view.t_stop, view.width)
        found = joined[0][kept], joined[1][kept], joined[2][kept]
    return found


def _raster(train: SpikeTrain, before: int, view: _View) -> Raster:
    """Give the spikes of a train."""
    label = train.name or str(train.annotations.get("channel_id", f"train {before}"))
    return Raster(label, _in_view(train, view)[0])


def _marks(obj: Any, view: _View) -> Marks:
    """Give events or epochs."""
    times, lasting, labels = _in_view(obj, view)
    durations = lasting if isinstance(obj, Epoch) else None
    return Marks(obj.name or type(obj).__name__, times, tuple(map(str, labels)), durations)
