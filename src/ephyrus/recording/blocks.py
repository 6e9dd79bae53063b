"""Block tree -> Recording: objects in memory as a recording like any other.

``from_blocks(blocks)`` gives a `Recording` whose streams read from the objects themselves, so that
built objects are plotted, converted and served like files. Formats that hold a whole object tree
(pickle, NIX, MATLAB) use the same functions for the streams of what they have loaded.

Objects of different segments that agree in everything but their data make one stream, with a run
per segment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.core import (
    Block,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    SpikeTrain,
)
from ephyrus.core.dataobject import DataObject
from ephyrus.recording.clock import as_fraction, exact_clock
from ephyrus.recording.declaration import Format, Opening, Option, Reading, as_format_module
from ephyrus.recording.files import FileSet
from ephyrus.recording.held import lazy_block, table_column
from ephyrus.recording.recording import Recording
from ephyrus.recording.select import with_extents
from ephyrus.recording.streams import (
    BlockInfo,
    Channels,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableKind,
    TableStream,
    Unit,
    Waveforms,
    columns,
    run_table,
)

__all__ = ["FORMAT", "TreeIndex", "check_sound", "from_blocks", "index_blocks"]

IN_MEMORY = "in-memory"
SECONDS = Fraction(1)  # the clock of tables: ticks are times in seconds, as floats
TABLE_LISTS = ("spiketrains", "events", "epochs", "irregularlysampledsignals")
TABLE_KINDS: tuple[tuple[type[Any], TableKind], ...] = (
    (SpikeTrain, "spikes"),
    (Event, "events"),
    (Epoch, "epochs"),
    (IrregularlySampledSignal, "samples"),
)

FORMAT = Format(
    name=IN_MEMORY,
    label="Objects in memory",
    io_class="",
    extensions=(),
    mode="fake",
    holds=("Block", "Segment", "AnalogSignal", "SpikeTrain", "Event", "Epoch"),
    options=(Option("blocks", (), "The Blocks."),),
)


@dataclass(slots=True)
class TreeIndex:
    """Which objects the streams of a tree read from.

    Attributes
    ----------
    blocks : list of Block
        The tree.
    info : RecordingInfo
        Its descriptors.
    signals, tables : list of list of DataObject
        For each stream, the object of each run.
    """

    blocks: list[Block]
    info: RecordingInfo
    signals: list[list[Any]] = field(default_factory=list)
    tables: list[list[Any]] = field(default_factory=list)


def from_blocks(blocks: Block | Sequence[Block]) -> Recording:
    """Give Blocks as a Recording that reads from the objects themselves.

    Parameters
    ----------
    blocks : Block or sequence of Block
        The tree; lazy objects are read when the recording is.

    Returns
    -------
    Recording
        Pickling it pickles the objects.
    """
    given = [blocks] if isinstance(blocks, Block) else list(blocks)
    files = FileSet(IN_MEMORY, memory={IN_MEMORY: b""})
    return Recording(as_format_module(sys.modules[__name__]), files, {"blocks": given})


def sniff(files: FileSet, head: bytes) -> float:
    """Files are never in memory."""
    return 0.0


def parse_header(opening: Opening) -> list[Block]:
    """Take the blocks."""
    return list(opening.options["blocks"])


def index(opening: Opening, header: list[Block]) -> TreeIndex:
    """Sort the objects into streams."""
    return index_blocks(header)


def describe(header: Any, index: TreeIndex) -> RecordingInfo:
    """Give the descriptors."""
    return index.info


def index_blocks(blocks: list[Block]) -> TreeIndex:
    """Sort the objects of a tree into streams and describe them.

    Parameters
    ----------
    blocks : list of Block
        The tree.

    Returns
    -------
    TreeIndex
    """
    signals: dict[Any, list[tuple[int, Any]]] = {}
    tables: dict[Any, list[tuple[int, Any]]] = {}
    segments: list[SegmentInfo] = []
    for block_index, block in enumerate(blocks):
        for segment in block.segments:
            number = len(segments)
            segments.append(_segment_info(segment, block_index))
            _sort(signals, number, (*segment.analogsignals, *segment.imagesequences), _signal_key)
            for name in TABLE_LISTS:
                _sort(tables, number, getattr(segment, name), _table_key)
    info = RecordingInfo(
        segments=tuple(segments),
        blocks=tuple(
            BlockInfo(block.name, _plain(block.annotations), block.rec_datetime) for block in blocks
        ),
        signals=tuple(_signal(at, runs) for at, runs in enumerate(signals.values())),
        tables=tuple(_table(at, runs) for at, runs in enumerate(tables.values())),
    )
    found = TreeIndex(blocks, info)
    found.signals = [[obj for _, obj in runs] for runs in signals.values()]
    found.tables = [[obj for _, obj in runs] for runs in tables.values()]
    return found


def check_sound(tree: TreeIndex) -> None:
    """Read everything once, so that objects which contradict themselves show it here.

    Raises
    ------
    ValueError
        If a stream does not have the shape that its descriptor says; whatever reading objects
        with impossible attributes raises comes through.
    """
    with_extents(tree.info)
    reading: Reading[Any, TreeIndex] = Reading(
        FileSet(IN_MEMORY, memory={IN_MEMORY: b""}), None, tree
    )
    for stream in tree.info.signals:
        values = read_signal(reading, stream, 0, stream.length, None)
        if values.shape != (stream.length, *stream.item_shape) or values.dtype != stream.dtype:
            raise ValueError(f"signal {stream.name!r} has another shape or type than it says")
    for table in tree.info.tables:
        found = read_table(reading, table, 0, table.length, list(table.columns))
        for name, column in found.items():
            if column.shape != (table.length, *table.columns[name].shape):
                raise ValueError(f"column {name!r} of {table.name!r} has shape {column.shape}")
    for block in tree.blocks:
        for obj in lazy_block(block).data_children_recur:
            if isinstance(obj, DataObject):
                obj.load()


def _segment_info(segment: Any, block_index: int) -> SegmentInfo:
    t_start, t_stop = segment.t_start, segment.t_stop
    return SegmentInfo(
        None if t_start is None else float(t_start.rescale("s").magnitude),
        None if t_stop is None else float(t_stop.rescale("s").magnitude),
        segment.name,
        block_index,
        _plain(segment.annotations),
        segment.rec_datetime,
    )


def _plain(annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Give annotations without units: descriptors have plain values, quantities are mappings."""
    return {
        name: {"magnitude": np.asarray(value.magnitude)[()], "units": str(value.dimensionality)}
        if hasattr(value, "dimensionality")
        else value
        for name, value in annotations.items()
    }


def _sort(
    streams: dict[Any, list[tuple[int, Any]]],
    segment: int,
    objects: Iterable[Any],
    key_of: Callable[[Any], tuple[Any, ...]],
) -> None:
    """Put each object into the stream of its key; equal ones of a segment into different ones."""
    seen: dict[Any, int] = {}
    for obj in objects:
        key = key_of(obj)
        occurrence = seen[key] = seen.get(key, -1) + 1
        streams.setdefault((key, occurrence), []).append((segment, obj))


def _signal_key(obj: Any) -> tuple[Any, ...]:
    names = tuple(obj.array_annotations.get("channel_names", ()))
    rate = float(obj.sampling_rate.rescale("Hz").magnitude)
    shape = obj.true_shape[1:]
    return type(obj), obj.name, str(obj.dimensionality), obj.dtype, rate, shape, names


def _table_key(obj: Any) -> tuple[Any, ...]:
    waveforms = getattr(obj, "waveforms", None)
    shape = None if waveforms is None else (waveforms.shape[1:], str(waveforms.dimensionality))
    identity = str(obj.annotations.get("id", ""))
    width = obj.true_shape[1:]
    extra = tuple(sorted(map(str, obj.array_annotations)))
    return type(obj), obj.name, identity, str(obj.dimensionality), width, shape, extra


def _signal(number: int, runs: list[tuple[int, Any]]) -> SignalStream:
    first = runs[0][1]
    objects = [obj for _, obj in runs]
    clock, ticks = exact_clock(float(obj.t_start.rescale("s").magnitude) for obj in objects)
    counts = [obj.true_shape[0] for obj in objects]
    return SignalStream(
        index=number,
        id=str(first.annotations.get("stream_id", number)),
        name=first.name or f"signal {number}",
        length=sum(counts),
        dtype=first.dtype,
        rate=as_fraction(float(first.sampling_rate.rescale("Hz").magnitude)),
        channels=_channels(first),
        runs=run_table(counts, ticks, [segment for segment, _ in runs]),
        clock=clock,
        item_shape=first.true_shape[1:],
        annotations=_plain(first.annotations),
    )


def _channels(obj: DataObject) -> Channels:
    """Make the channels table of a signal from its array annotations."""
    arrays = dict(obj.array_annotations)
    shape = obj.true_shape
    count = 1 if isinstance(obj, ImageSequence) else shape[1]
    names = arrays.pop("channel_names", [f"ch{at}" for at in range(count)])
    ids = arrays.pop("channel_ids", range(count))
    unit = obj.dimensionality.string
    return Channels.table(
        [str(name) for name in names],
        ids=[str(channel) for channel in ids],
        units="" if unit == "dimensionless" else unit,
        extra={name: column for name, column in arrays.items() if len(column) == count},
    )


def _table(number: int, runs: list[tuple[int, Any]]) -> TableStream:
    first = runs[0][1]
    kind = next(kind for cls, kind in TABLE_KINDS if isinstance(first, cls))
    counts = np.array([obj.true_shape[0] for _, obj in runs], np.int64)
    name = first.name or f"{kind} {number}"
    label = str(first.annotations.get("id", number))
    spikes = kind == "spikes"
    return TableStream(
        index=number,
        id=label,
        name=name,
        kind=kind,
        length=int(counts.sum()),
        columns=columns(**dict(_columns(first, kind))),
        clock=SECONDS,
        runs=run_table(counts, 0, [segment for segment, _ in runs]),
        units=(Unit(0, name, label, _plain(first.annotations)),) if spikes else (),
        unit_counts=counts[np.newaxis] if spikes else np.zeros((0, 0), np.int64),
        waveforms=_waveforms(first) if spikes else None,
        channels=_channels(first) if kind == "samples" else None,
        is_sorted=False,
        annotations={} if spikes else _plain(first.annotations),
    )


def _columns(obj: Any, kind: str) -> Iterator[tuple[str, Any]]:
    """Name the columns of a table and their types."""
    yield "tick", np.float64
    if kind == "spikes":
        yield "unit", np.int64
        if obj.waveforms is not None:
            yield "waveform", (obj.waveforms.dtype, obj.waveforms.shape[1:])
    elif kind == "samples":
        yield "value", (obj.dtype, obj.true_shape[1:])
    else:
        yield "label", object
        if kind == "epochs":
            yield "duration", np.float64
    if kind != "samples":
        for name, column in obj.array_annotations.items():
            if len(column) == obj.true_shape[0]:
                yield str(name), object if column.dtype.kind == "U" else column.dtype


def _waveforms(train: SpikeTrain) -> Waveforms | None:
    if train.waveforms is None:
        return None
    rate = train.sampling_rate
    sweep = train.left_sweep
    return Waveforms(
        Fraction(1) if rate is None else as_fraction(float(rate.rescale("Hz").magnitude)),
        Fraction(0)
        if sweep is None
        else Fraction(float(np.ravel(sweep.rescale("s").magnitude)[0])),
        train.waveforms.dimensionality.string,
    )


def read_signal(
    reading: Reading[Any, TreeIndex],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give the values of samples [start, stop)."""
    objects = reading.index.signals[stream.index]
    parts = [_part(objects[run], a, b).magnitude for run, a, b in _cut(stream, start, stop)]
    nothing = np.empty((0, *stream.item_shape), stream.dtype)
    values = parts[0] if len(parts) == 1 else np.concatenate([nothing, *parts])
    return values if channels is None else values[:, channels]


def read_table(
    reading: Reading[Any, TreeIndex],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    objects = reading.index.tables[stream.index]
    pieces = [_part(objects[run], a, b) for run, a, b in _cut(stream, start, stop)]
    if not pieces:
        pieces = [_part(objects[0], 0, 0)]
    return {
        name: np.concatenate([table_column(piece, name) for piece in pieces]) for name in columns
    }


def _part(obj: Any, start: int, stop: int) -> Any:
    """Give items [start, stop) of an object, in memory or lazy."""
    return obj[start:stop] if obj.lazy_shape is None else obj._piece(start, stop)


def _cut(
    stream: SignalStream | TableStream, start: int, stop: int
) -> Iterator[tuple[int, int, int]]:
    """Cut an item range into (run, first, last) with positions within the run."""
    for run, (first, count) in enumerate(
        zip(stream.runs["first"], stream.runs["count"], strict=True)
    ):
        low, high = max(start - first, 0), min(stop - first, count)
        if low < high:
            yield run, int(low), int(high)


def read_blocks(reading: Reading[Any, TreeIndex], *, lazy: bool = False) -> list[Block]:
    """Give the tree itself, or a lazy form of it."""
    blocks = reading.index.blocks
    return [lazy_block(block) for block in blocks] if lazy else blocks
