"""Descriptors of signals, spikes, events, epochs and segments."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.spike2 import model
from ephyrus.formats.spike2.model import Channel, Header
from ephyrus.formats.spike2.plan import Index, Items, Levels, Signal, Table
from ephyrus.recording import (
    BlockInfo,
    Channels,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    Unit,
    Waveforms,
    as_fraction,
    columns,
    run_table,
    seconds,
)
from ephyrus.recording.times import run_extents

__all__ = ["CHARACTER", "CODE_COLUMNS", "recording_info", "value_columns"]

CODE_COLUMNS = tuple(f"code_{number}" for number in range(1, model.CODES + 1))
CHARACTER = "character"  # the first code, where it is a printable one
ALL_CODES = 0  # unit of a channel whose codes are no units


def recording_info(header: Header, index: Index, options: Mapping[str, Any]) -> RecordingInfo:
    """Build the descriptors of a file."""
    ideal, by_code = options["take_ideal_sampling_rate"], options["ced_units"]
    signals = tuple(
        _signal(number, header, each, ideal=ideal) for number, each in enumerate(index.signals)
    )
    tables = tuple(
        _table(number, header, each, by_code=by_code) for number, each in enumerate(index.tables)
    )
    return RecordingInfo(
        segments=_segments(header, index, signals, tables),
        blocks=(BlockInfo(annotations=header.annotations, rec_datetime=header.recorded),),
        signals=signals,
        tables=tables,
        software=header.creator or None,
    )


def _rate(header: Header, channel: Channel, *, ideal: bool) -> Fraction:
    """Give samples per second: the real ones, or those that were asked for."""
    if ideal and np.isfinite(channel.ideal_rate) and channel.ideal_rate > 0:
        return as_fraction(channel.ideal_rate)
    return header.clock / channel.interval


def _signal(number: int, header: Header, signal: Signal, *, ideal: bool) -> SignalStream:
    leader = signal.waves[0].channel
    return SignalStream(
        index=number,
        id=leader.id,
        name=_joint_name(signal),
        length=int(signal.runs["count"].sum()),
        dtype=leader.item,
        rate=_rate(header, leader, ideal=ideal),
        channels=_channel_table(signal),
        runs=signal.runs,
        clock=header.clock,
    )


def _joint_name(signal: Signal) -> str:
    names = [wave.channel.name for wave in signal.waves]
    return names[0] if len(names) == 1 else f"Channels: ({' '.join(names)})"


def _channel_table(signal: Signal) -> Channels:
    channels = [wave.channel for wave in signal.waves]
    return Channels.table(
        [channel.name for channel in channels],
        ids=[str(channel.slot) for channel in channels],
        units=[channel.units for channel in channels],
        gain=[channel.gain for channel in channels],
        offset=[channel.shift for channel in channels],
        extra={
            "physical_channel": [channel.physical for channel in channels],
            "comment": [channel.comment for channel in channels],
            "ideal_rate": [channel.ideal_rate for channel in channels],
        },
    )


def _table(number: int, header: Header, table: Table, *, by_code: bool) -> TableStream:
    if isinstance(table, Signal):
        return _samples(number, header, table)
    if isinstance(table, Levels):
        return _epochs(number, header, table)
    if table.channel.kind in model.SPIKES:
        return _spikes(number, header, table, by_code=by_code)
    return _events(number, header, table)


def _samples(number: int, header: Header, signal: Signal) -> TableStream:
    """Give a signal with gaps as samples at times of their own."""
    counts = np.bincount(signal.runs["segment"], weights=signal.runs["count"]).astype(np.int64)
    there = np.flatnonzero(counts)
    firsts = np.searchsorted(signal.runs["segment"], there)
    width = len(signal.waves)
    return TableStream(
        index=number,
        id=signal.waves[0].channel.id,
        name=_joint_name(signal),
        kind="samples",
        length=int(counts.sum()),
        columns=columns(tick="<i8", value=(signal.waves[0].channel.item, (width,))),
        clock=header.clock,
        runs=run_table(counts[there], signal.runs["tick"][firsts], there),
        channels=_channel_table(signal),
    )


def _epochs(number: int, header: Header, levels: Levels) -> TableStream:
    channel = levels.channel
    return TableStream(
        index=number,
        id=f"{channel.id}-high",
        name=channel.name,
        kind="epochs",
        length=len(levels.ticks),
        columns=columns(tick="<i8", duration="<i8", label=object, is_cut="?"),
        clock=header.clock,
        runs=levels.runs,
        annotations=_facts(channel),
    )


def _events(number: int, header: Header, items: Items) -> TableStream:
    channel = items.channel
    found: dict[str, Any] = {"tick": "<i8", "label": object}
    if channel.kind in (model.MARKER, model.TEXT_MARK):
        found |= dict.fromkeys(CODE_COLUMNS, "u1")
    if channel.kind == model.MARKER:
        found[CHARACTER] = "<U1"
    return TableStream(
        index=number,
        id=channel.id,
        name=channel.name,
        kind="events",
        length=len(items.heads),
        columns=columns(**found),
        clock=header.clock,
        runs=items.runs,
        annotations=_facts(channel),
    )


def _spikes(number: int, header: Header, items: Items, *, by_code: bool) -> TableStream:
    channel = items.channel
    found: dict[str, Any] = {"tick": "<i8", "unit": "u1", **dict.fromkeys(CODE_COLUMNS, "u1")}
    found |= dict.fromkeys(value_columns(channel), "<f4")
    waveforms = None
    if channel.has_waveforms:
        found["waveform"] = (channel.item["data"].base, (channel.traces, channel.rows))
        rate = header.clock / channel.interval
        left_sweep = channel.pre_trigger / rate
        waveforms = Waveforms(rate, left_sweep, channel.units, channel.gain, channel.shift)
    units, counts = _units(items) if by_code else _one_unit(items)
    return TableStream(
        index=number,
        id=channel.id,
        name=channel.name,
        kind="spikes",
        length=len(items.heads),
        columns=columns(**found),
        clock=header.clock,
        runs=items.runs,
        units=units,
        unit_counts=counts,
        waveforms=waveforms,
        annotations=_facts(channel),
    )


def value_columns(channel: Channel) -> tuple[str, ...]:
    """Give the names of the columns that hold the numbers of a RealMark channel."""
    if channel.kind != model.REAL_MARK:
        return ()
    return tuple(f"value_{number}" for number in range(1, channel.rows * channel.traces + 1))


def _units(items: Items) -> tuple[tuple[Unit, ...], NDArray[np.int64]]:
    """Give one unit per first code, and the spikes of each in each run."""
    channel, runs = items.channel, items.runs
    keys = items.picked(slice(None))["codes"][:, 0]
    if len(runs) > 1:
        keys = keys + np.repeat(np.arange(len(runs)) * 256, runs["count"])
    counts = np.bincount(keys, minlength=len(runs) * 256).reshape(-1, 256)
    ids = np.flatnonzero(counts.any(axis=0))
    units = tuple(
        Unit(code, channel.name, f"{channel.id}#{code}", {"is_unsorted": code == 0})
        for code in ids.tolist()
    )
    return units, counts[:, ids].T.astype(np.int64)


def _one_unit(items: Items) -> tuple[tuple[Unit, ...], NDArray[np.int64]]:
    unit = Unit(ALL_CODES, items.channel.name, f"{items.channel.id}#all")
    return (unit,), items.runs["count"][np.newaxis, :]


def _facts(channel: Channel) -> dict[str, Any]:
    return {
        "channel_kind": model.KIND_NAMES[channel.kind],
        "physical_channel": channel.physical,
        "comment": channel.comment,
        "ideal_rate": channel.ideal_rate,
        **channel.annotations,
    }


def _segments(
    header: Header,
    index: Index,
    signals: tuple[SignalStream, ...],
    tables: tuple[TableStream, ...],
) -> tuple[SegmentInfo, ...]:
    """Give segments that hold their samples and items; without samples, one from 0 to the end."""
    count = len(index.starts)
    t_start, t_stop = np.full(count, np.inf), np.full(count, -np.inf)
    for signal in signals:
        begins, ends = run_extents(signal)
        np.minimum.at(t_start, signal.runs["segment"], begins)
        np.maximum.at(t_stop, signal.runs["segment"], ends)
    for stream, table in zip(tables, index.tables, strict=True):
        segments = stream.runs["segment"]
        firsts, lasts = (seconds(ticks, header.clock) for ticks in _edges(stream, table))
        np.minimum.at(t_start, segments, firsts)
        np.maximum.at(t_stop, segments, lasts)
    if not any(isinstance(each, Signal) for each in (*index.signals, *index.tables)):
        end = float(seconds(max(header.last_tick, 0), header.clock))
        t_start, t_stop = np.minimum(t_start, 0.0), np.maximum(t_stop, end)
    return tuple(
        SegmentInfo(float(begin), float(end)) for begin, end in zip(t_start, t_stop, strict=True)
    )


def _edges(stream: TableStream, table: Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the first and the last tick of each run of a table."""
    firsts = stream.runs["first"]
    lasts = firsts + stream.runs["count"] - 1
    if isinstance(table, Levels):
        return table.ticks[firsts], table.ticks[lasts]
    if isinstance(table, Items):
        return table.ticks(firsts), table.ticks(lasts)
    interval = table.waves[0].channel.interval
    begins = table.runs["tick"]
    ends = begins + table.runs["count"] * interval
    edges = np.searchsorted(table.runs["segment"], stream.runs["segment"], "right") - 1
    return stream.runs["tick"], ends[edges]
