"""Blocks -> streams of the whole tank: one segment per block, ordered by their starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.tdt.chunks import StreamPart
from ephyrus.formats.tdt.data import Piece
from ephyrus.formats.tdt.layout import CLOCK, Header
from ephyrus.formats.tdt.points import MarkPart, SpikePart
from ephyrus.formats.tdt.tsq import BlockIndex
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
)

__all__ = ["BlockParts", "Marks", "Spikes", "Tank", "describe_tank"]

_YEAR_9999 = 253_370_764_800  # seconds since 1970
VALUE_COLUMNS = {"values": "<f8", "channel": "<i8", "note": "<i8", "duration": "<i8"}


@dataclass(frozen=True, slots=True, eq=False)
class BlockParts:
    """Everything in one block, on the clock of the block."""

    index: BlockIndex
    streams: tuple[StreamPart, ...]
    marks: tuple[MarkPart, ...]
    spikes: tuple[SpikePart, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The columns of an event or epoch table."""

    columns: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Spikes:
    """The columns of a spikes table, and where its waveforms lie.

    Attributes
    ----------
    ticks, codes, offsets : ndarray, shape (spikes,)
        Times, sort codes, first bytes of waveforms.
    paths : tuple of (int, str)
        First spike of each file, ascending, and the file; empty: there are no waveforms.
    """

    ticks: NDArray[np.int64]
    codes: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    paths: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tank:
    """The index of a recording.

    Attributes
    ----------
    info : RecordingInfo
        Its descriptors.
    pieces : tuple of tuple of Chunks or Strips
        For each signal, where its samples lie.
    tables : tuple of Marks or Spikes
        For each table, its items.
    """

    info: RecordingInfo
    pieces: tuple[tuple[Piece, ...], ...]
    tables: tuple[Marks | Spikes, ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A part, the segment it belongs to, and the ticks of that segment's start."""

    part: Any
    segment: int
    start: int


def describe_tank(header: Header, blocks: Sequence[BlockParts]) -> Tank:
    """Put the parts of the same store in all blocks together.

    Parameters
    ----------
    header : Header
        Names and options.
    blocks : sequence of BlockParts
        In any order.
    """
    blocks = sorted(blocks, key=lambda each: each.index.start)
    zero = blocks[0].index.start
    starts = [round((block.index.start - zero) * float(CLOCK)) for block in blocks]
    streams = _together(blocks, starts, lambda block: block.streams, _stream_key)
    marks = _together(blocks, starts, lambda block: block.marks, _mark_key)
    spikes = _together(blocks, starts, lambda block: block.spikes, _spike_key)
    signals = [
        _signal(header, at, name, placed) for at, (name, placed) in enumerate(_named(streams))
    ]
    spike_tables = [
        _spikes(header, at, name, placed) for at, (name, placed) in enumerate(_named(spikes))
    ]
    mark_tables = [
        _marks(len(spike_tables) + at, name, placed)
        for at, (name, placed) in enumerate(_named(marks))
    ]
    tables: list[tuple[TableStream, Marks | Spikes]] = [*spike_tables, *mark_tables]
    info = RecordingInfo(
        segments=tuple(_segment(block, start) for block, start in zip(blocks, starts, strict=True)),
        blocks=(_block(header, blocks),),
        signals=tuple(signals),
        tables=tuple(stream for stream, _ in tables),
    )
    pieces = tuple(
        tuple(piece for each in placed for piece in each.part.pieces) for placed in streams.values()
    )
    return Tank(info, pieces, tuple(items for _, items in tables))


def _together(
    blocks: Sequence[BlockParts], starts: Sequence[int], parts_of: Any, key_of: Any
) -> dict[tuple[Any, ...], list[_Placed]]:
    """Gather parts by their keys, in the order of the segments."""
    found: dict[tuple[Any, ...], list[_Placed]] = {}
    for segment, (block, start) in enumerate(zip(blocks, starts, strict=True)):
        for part in parts_of(block):
            found.setdefault(key_of(part), []).append(_Placed(part, segment, start))
    return found


def _stream_key(part: StreamPart) -> tuple[Any, ...]:
    return part.name, part.channels, part.dtype.str, part.rate


def _mark_key(part: MarkPart) -> tuple[Any, ...]:
    return part.name, part.kind, "channel" in part.columns


def _spike_key(part: SpikePart) -> tuple[Any, ...]:
    return f"{part.name} ch{part.channel}", part.samples, part.path is None


def _named(
    groups: Mapping[tuple[Any, ...], list[_Placed]],
) -> Iterable[tuple[str, list[_Placed]]]:
    """Give ids: the first part of the key, numbered where several have the same."""
    seen: dict[str, int] = {}
    for key, placed in groups.items():
        seen[key[0]] = seen.get(key[0], 0) + 1
        yield (key[0] if seen[key[0]] == 1 else f"{key[0]}#{seen[key[0]]}"), placed


def _segment(block: BlockParts, start: int) -> SegmentInfo:
    """Describe a block: from its start to its stop, or as far as its data reach."""
    ends: list[float] = [round((block.index.stop - block.index.start) * float(CLOCK))]
    begins = [0]
    for stream in block.streams:
        last = int(stream.ticks[-1]) + int(stream.counts[-1]) / stream.rate * CLOCK
        ends.append(float(last))
        begins.append(int(stream.ticks[0]))
    for mark in block.marks:
        ticks = mark.columns["tick"]
        begins.append(int(ticks[0]))
        ends.append(int((ticks + mark.columns.get("duration", 0)).max()))
    for spikes in block.spikes:
        begins.append(int(spikes.ticks[0]))
        ends.append(int(spikes.ticks[-1]))
    known = block.index.block
    return SegmentInfo(
        t_start=float((start + min(begins)) / CLOCK),
        t_stop=float((start + max(ends)) / float(CLOCK)),
        name=known.files.name,
        rec_datetime=_moment(block.index.start),
        annotations={"sort_results": sorted(known.files.sorts)} if known.files.sorts else {},
    )


def _moment(seconds: float) -> datetime | None:
    """Give the time of a start mark, which counts in UTC."""
    if not 0 <= seconds < _YEAR_9999:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _block(header: Header, blocks: Sequence[BlockParts]) -> BlockInfo:
    notes = {
        block.index.block.files.name: block.index.block.notes
        for block in blocks
        if block.index.block.notes
    }
    return BlockInfo(header.tank, {"notes": notes} if notes else {}, _moment(blocks[0].index.start))


def _signal(header: Header, number: int, name: str, placed: Sequence[_Placed]) -> SignalStream:
    first: StreamPart = placed[0].part
    counts = np.concatenate([each.part.counts for each in placed])
    ticks = np.concatenate([each.part.ticks + each.start for each in placed])
    segments = np.concatenate([np.full(len(each.part.counts), each.segment) for each in placed])
    return SignalStream(
        index=number,
        id=name,
        name=first.name,
        length=int(counts.sum()),
        dtype=first.dtype,
        rate=first.rate,
        channels=Channels.table(
            [f"{first.name} {channel}" for channel in first.channels],
            ids=[str(channel) for channel in first.channels],
            units=header.options["stream_units"],
            gain=header.options["stream_gain"],
        ),
        runs=run_table(counts, ticks, segments),
        clock=CLOCK,
        annotations=first.annotations,
    )


def _marks(number: int, name: str, placed: Sequence[_Placed]) -> tuple[TableStream, Marks]:
    first: MarkPart = placed[0].part
    found: dict[str, NDArray[Any]] = {}
    for key in dict.fromkeys(key for each in placed for key in each.part.columns):
        parts = [
            each.part.columns.get(key, np.zeros(each.part.columns["tick"].size, np.int64))
            for each in placed
        ]
        if key == "tick":
            parts = [part + each.start for part, each in zip(parts, placed, strict=True)]
        found[key] = np.concatenate(parts)
    dtypes = {key: np.dtype(VALUE_COLUMNS[key]) for key in VALUE_COLUMNS if key in found}
    return TableStream(
        index=number,
        id=name,
        name=first.name,
        kind="epochs" if first.kind == "epochs" else "events",
        length=found["tick"].size,
        columns=columns(tick="<i8", label=object, **dtypes),
        clock=CLOCK,
        runs=_runs(placed, [each.part.columns["tick"].size for each in placed]),
        annotations=first.annotations,
    ), Marks(found)


def _runs(placed: Sequence[_Placed], counts: Sequence[int]) -> NDArray[Any]:
    """Make the runs of a table: one per segment that has items."""
    starts, segments = [each.start for each in placed], [each.segment for each in placed]
    return run_table(np.array(counts, np.int64), starts, segments)


def _spikes(
    header: Header, number: int, name: str, placed: Sequence[_Placed]
) -> tuple[TableStream, Spikes]:
    first: SpikePart = placed[0].part
    counts = [each.part.ticks.size for each in placed]
    runs = _runs(placed, counts)
    codes = _joined([each.part.codes for each in placed])
    ids, unit_counts = _counts([each.part.codes for each in placed])
    items = Spikes(
        _joined(
            [each.part.ticks + each.start if each.start else each.part.ticks for each in placed]
        ),
        codes,
        _joined([each.part.offsets for each in placed]),
        tuple(
            (int(run["first"]), each.part.path)
            for run, each in zip(runs, placed, strict=True)
            if each.part.path is not None
        ),
    )
    shape = (first.samples.dtype, (1, first.samples.points))
    waveform = {"waveform": shape} if items.paths else {}
    suffix = name.removeprefix(f"{first.name} ch{first.channel}")
    return TableStream(
        index=number,
        id=name,
        name=f"{first.name} ch{first.channel}",
        kind="spikes",
        length=codes.size,
        columns=columns(tick="<i8", unit="<u2", **waveform),
        clock=CLOCK,
        runs=runs,
        units=tuple(
            Unit(
                code,
                f"ch{first.channel}#{code}",
                f"{first.name} ch{first.channel}#{code}{suffix}",
                {"sort_code": code},
            )
            for code in ids
        ),
        unit_counts=unit_counts,
        waveforms=_waveforms(header, first) if items.paths else None,
        annotations={**first.annotations, "channel": first.channel},
    ), items


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Join columns; a single one is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _counts(codes: Sequence[NDArray[np.uint16]]) -> tuple[list[int], NDArray[np.int64]]:
    """Give the sort codes that occur, and how often each does in each block."""
    width = max(int(each.max()) for each in codes) + 1
    counts = np.stack([np.bincount(each, minlength=width) for each in codes], axis=1)
    ids = np.flatnonzero(counts.any(axis=1))
    return ids.tolist(), counts[ids].astype(np.int64)


def _waveforms(header: Header, part: SpikePart) -> Waveforms:
    return Waveforms(
        as_fraction(part.samples.rate),
        Fraction(0),  # where in it the spike lies is not in the files
        header.options["snippet_units"],
        header.options["snippet_gain"],
    )
