"""Checks of what a recording says of itself: names, ids, types, runs, units, annotations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from fractions import Fraction
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import (
    RUN_DTYPE,
    BlockInfo,
    Channels,
    Recording,
    SegmentInfo,
    SignalStream,
    TableStream,
)
from ephyrus.testing.subject import all_signals, all_streams, require

__all__ = ["check_annotations", "check_descriptors", "check_extents", "check_runs"]

PLAIN = (str, int, float, bool, NoneType, datetime, date, time, np.generic)
TABLE_COLUMNS = {
    "spikes": {"tick", "unit"},
    "events": {"tick", "label"},
    "epochs": {"tick", "duration", "label"},
    "samples": {"tick", "value"},
}


def check_descriptors(rec: Recording) -> None:
    """Check that ids are unique, names are texts, types, rates and gains can be true."""
    kinds: Mapping[str, Sequence[SignalStream | TableStream]] = {
        "signal": rec.signals,
        "stimulus": rec.stimuli,
        "table": rec.tables,
    }
    for kind, streams in kinds.items():
        _require_unique([stream.id for stream in streams], f"ids of {kind} streams")
        for position, stream in enumerate(streams):
            require(stream.index == position, f"{kind} {stream.id!r}: index is {stream.index}")
            _require_texts([stream.id, stream.name], f"id and name of {kind} {position}")
            _require_positive(stream.clock, f"clock of {kind} {stream.id!r}")
    for _, signal in all_signals(rec):
        _check_signal(signal)
    for table in rec.tables:
        _check_table(table)
    labels = [unit.label for table in rec.tables for unit in table.units]
    _require_unique(labels, "labels of units")
    infos: list[BlockInfo | SegmentInfo] = [*rec.blocks, *rec.segments]
    for info in infos:
        _require_texts([info.name or ""], f"name of {type(info).__name__}")
        when = info.rec_datetime
        require(isinstance(when, NoneType | datetime), f"rec_datetime is a {type(when).__name__}")
    require(isinstance(rec.info.software, NoneType | str), "software is no text")


def _check_signal(signal: SignalStream) -> None:
    what = f"signal {signal.id!r}"
    _require_positive(signal.rate, f"rate of {what}")
    require(isinstance(signal.dtype, np.dtype), f"{what}: dtype {signal.dtype!r}")
    require(signal.dtype.kind in "iufc", f"{what}: samples of type {signal.dtype}")
    require(len(signal.item_shape) in (1, 2), f"{what}: item shape {signal.item_shape}")
    wanted = signal.item_shape[0] if len(signal.item_shape) == 1 else 1
    require(len(signal.channels) == wanted, f"{what}: {len(signal.channels)} channels")
    _check_channels(signal.channels, what)


def _check_channels(channels: Channels, what: str) -> None:
    count = len(channels)
    require(count, f"{what}: no channels")
    _require_texts([*channels.names, *channels.ids, *channels.units], f"channels of {what}")
    _require_unique(channels.ids, f"channel ids of {what}")
    for name in ("names", "ids", "units", "gain", "offset"):
        found = len(getattr(channels, name))
        require(found == count, f"{what}: {found} {name} for {count} channels")
    for name, column in channels.extra.items():
        require(len(column) == count, f"{what}: {len(column)} values of {name!r} for {count}")
    require(np.isfinite(channels.gain).all(), f"{what}: gains {channels.gain}")
    require(np.isfinite(channels.offset).all(), f"{what}: offsets {channels.offset}")
    require(np.all(channels.gain != 0), f"{what}: a gain of 0 loses every value")


def _check_table(table: TableStream) -> None:
    what = f"table {table.id!r}"
    require(table.kind in TABLE_COLUMNS, f"{what}: kind {table.kind!r}")
    missing = TABLE_COLUMNS[table.kind] - set(table.columns)
    require(not missing, f"{what}: {table.kind} without columns {sorted(missing)}")
    for name, dtype in table.columns.items():
        require(isinstance(dtype, np.dtype), f"{what}: column {name!r} has dtype {dtype!r}")
    has_waveforms = "waveform" in table.columns
    require(has_waveforms == (table.waveforms is not None), f"{what}: waveform column, Waveforms")
    if table.waveforms is not None:
        _require_positive(table.waveforms.rate, f"waveform rate of {what}")
        facts = table.waveforms.gain, table.waveforms.offset, float(table.waveforms.left_sweep)
        require(all(map(math.isfinite, facts)), f"{what}: waveform gain, offset, sweep {facts}")
        shape = table.columns["waveform"].shape
        require(len(shape) == 2, f"{what}: waveforms of shape {shape}, expected channels, samples")
    if table.kind == "samples":
        require(table.channels is not None, f"{what}: samples without channels")
    if table.channels is not None:
        _check_channels(table.channels, what)
    if table.kind == "spikes":
        _check_units(table, what)


def _check_units(table: TableStream, what: str) -> None:
    require(table.units, f"{what}: no units (one at least, even without spikes)")
    _require_unique([unit.id for unit in table.units], f"unit ids of {what}")
    _require_texts([text for unit in table.units for text in (unit.name, unit.label)], what)
    shape = len(table.units), len(table.runs)
    require(
        table.unit_counts.shape == shape,
        f"{what}: unit_counts of shape {table.unit_counts.shape}, expected (units, runs) = {shape}",
    )


def _require_unique(items: Iterable[Any], what: str) -> None:
    listed = list(items)
    twice = sorted({str(item) for item in listed if listed.count(item) > 1})
    require(not twice, f"{what} must be unique; given twice: {', '.join(twice)}")


def _require_texts(items: Iterable[Any], what: str) -> None:
    for item in items:
        require(type(item) is str, f"{what}: {item!r} is a {type(item).__name__}, no str")


def _require_positive(value: Any, what: str) -> None:
    require(isinstance(value, Fraction) and value > 0, f"{what} is {value!r}, no Fraction above 0")


def check_runs(rec: Recording) -> None:
    """Check that the runs of each stream follow each other from 0 to its length."""
    for key, stream in all_streams(rec):
        what = f"runs of {' '.join(key)}"
        runs = stream.runs
        require(runs.dtype == RUN_DTYPE, f"{what}: dtype {runs.dtype}")
        require(runs.ndim == 1, f"{what}: shape {runs.shape}")
        least = 1 if isinstance(stream, TableStream) else 0
        require(np.all(runs["count"] >= least), f"{what}: counts {runs['count'].tolist()}")
        firsts = np.cumsum(runs["count"]) - runs["count"]
        require(np.array_equal(runs["first"], firsts), f"{what}: they do not follow each other")
        total = int(runs["count"].sum())
        require(total == stream.length, f"{what}: {total} items, the stream has {stream.length}")
        good = (runs["segment"] >= 0) & (runs["segment"] < len(rec.segments))
        require(good.all(), f"{what}: segments {runs['segment'].tolist()} of {len(rec.segments)}")
        if isinstance(stream, TableStream):
            _require_unique(runs["segment"].tolist(), f"segments of {what} (one run per segment)")


def check_extents(rec: Recording) -> None:
    """Check that blocks have segments and segments an extent, and that each belongs somewhere."""
    require(rec.blocks, "a recording has one block at least")
    for number, segment in enumerate(rec.segments):
        what = f"segment {number}"
        require(0 <= segment.block < len(rec.blocks), f"{what}: block {segment.block}")
        _check_extent(segment, what)


def _check_extent(segment: SegmentInfo, what: str) -> None:
    if segment.t_start is None or segment.t_stop is None:
        raise AssertionError(f"{what}: no extent")
    extent = segment.t_start, segment.t_stop
    require(all(map(math.isfinite, extent)), f"{what}: from {extent[0]} s to {extent[1]} s")
    require(extent[0] <= extent[1], f"{what}: from {extent[0]} s to {extent[1]} s")


def check_annotations(rec: Recording) -> None:
    """Check that annotations are plain values, with texts for keys."""
    owners: list[tuple[str, Mapping[str, Any]]] = [("recording", rec.annotations)]
    owners += [(f"block {at}", info.annotations) for at, info in enumerate(rec.blocks)]
    owners += [(f"segment {at}", info.annotations) for at, info in enumerate(rec.segments)]
    for key, stream in all_streams(rec):
        owners.append((" ".join(key), stream.annotations))
        if isinstance(stream, TableStream):
            owners += [(f"unit {unit.label}", unit.annotations) for unit in stream.units]
    for owner, notes in owners:
        for name, value in notes.items():
            _require_texts([name], f"annotation of {owner}")
            require(name.isidentifier(), f"annotation {name!r} of {owner} is no snake_case name")
            _require_plain(value, f"annotation {name!r} of {owner}")


def _require_plain(value: Any, what: str) -> None:
    if isinstance(value, list | tuple):
        for item in value:
            _require_plain(item, what)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _require_texts([key], what)
            _require_plain(item, what)
    elif isinstance(value, np.ndarray):
        _require_plain_array(value, what)
    else:
        require(isinstance(value, PLAIN), f"{what} is a {type(value).__name__}, no plain value")


def _require_plain_array(value: NDArray[Any], what: str) -> None:
    require(type(value) is np.ndarray, f"{what} is a {type(value).__name__}")
    require(value.dtype.kind in "biufcSUMm", f"{what} is an array of {value.dtype}")
