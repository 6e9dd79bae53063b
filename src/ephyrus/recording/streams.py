"""What a recording consists of: streams with one item axis each, their runs, channels and units.

A recording is a header plus streams. Each stream has one item axis, ``0..length``, whatever its
packets look like on disk; *runs* tell which items follow each other in time without a gap, when
each run begins, and to which segment it belongs. Gaps, pauses and sweeps are all just runs.
All classes here are frozen values, shared between threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "RUN_DTYPE",
    "BlockInfo",
    "Channels",
    "Problem",
    "RecordingInfo",
    "SegmentInfo",
    "SignalStream",
    "TableKind",
    "TableStream",
    "Unit",
    "Waveforms",
    "columns",
    "run_table",
]

TableKind = Literal["spikes", "events", "epochs", "samples"]

RUN_DTYPE = np.dtype(
    [
        ("first", "<i8"),  # index of the run's first item
        ("count", "<i8"),  # number of items
        ("tick", "<i8"),  # time of the first item (tables: of the segment) on the stream's clock
        ("segment", "<i4"),  # index of the segment the run belongs to
    ]
)


def run_table(
    counts: ArrayLike, ticks: ArrayLike = 0, segments: ArrayLike | None = None
) -> NDArray[Any]:
    """Make a runs table from item counts in stream order.

    Parameters
    ----------
    counts : array_like of int, shape (runs,)
        Items of each run.
    ticks : array_like of int, shape () or (runs,)
        First tick of each run.
    segments : array_like of int, shape (runs,), optional
        Segment of each run (default: run i is segment i).

    Returns
    -------
    ndarray of RUN_DTYPE, shape (runs,)

    Examples
    --------
    >>> run_table([10, 5], [0, 40])
    array([( 0, 10,  0, 0), (10,  5, 40, 1)],
          dtype=[('first', '<i8'), ('count', '<i8'), ('tick', '<i8'), ('segment', '<i4')])
    """
    count = np.atleast_1d(np.asarray(counts, np.int64))
    table = np.zeros(count.size, RUN_DTYPE)
    table["count"] = count
    table["first"] = np.cumsum(count) - count
    table["tick"] = ticks
    table["segment"] = np.arange(count.size) if segments is None else segments
    table.flags.writeable = False
    return table


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """The channels of a stream.

    Attributes
    ----------
    names, ids, units : tuple of str
        One per channel; units as text (``"uV"``), empty for dimensionless.
    gain, offset : ndarray of float64, shape (channels,)
        Physical value = stored value * gain + offset.
    extra : mapping of str to ndarray
        Further columns, one value per channel (position, filter, impedance, ...).
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    units: tuple[str, ...]
    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def table(
        cls,
        names: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        units: str | Sequence[str] = "",
        gain: ArrayLike = 1.0,
        offset: ArrayLike = 0.0,
        extra: Mapping[str, ArrayLike] | None = None,
    ) -> Channels:
        """Make a table; single values are meant for all channels, ids default to the position."""
        count = len(names)
        return cls(
            tuple(names),
            tuple(map(str, range(count))) if ids is None else tuple(ids),
            (units,) * count if isinstance(units, str) else tuple(units),
            np.broadcast_to(np.asarray(gain, np.float64), (count,)).copy(),
            np.broadcast_to(np.asarray(offset, np.float64), (count,)).copy(),
            MappingProxyType({key: np.asarray(column) for key, column in (extra or {}).items()}),
        )

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class SignalStream:
    """Regularly sampled data: an array with one row per sample.

    Attributes
    ----------
    index : int
        Position among the recording's streams of this kind.
    id, name : str
        Identifier (unique among the recording's signals) and name for people.
    length : int
        Samples over all runs.
    dtype : numpy.dtype
        Type of the stored numbers that ``read_signal`` gives.
    rate : Fraction
        Samples per second.
    channels : Channels
        One entry per column (for images: one entry for the whole frame).
    runs : ndarray of RUN_DTYPE
        Contiguous stretches.
    clock : Fraction
        Ticks per second of ``runs["tick"]``.
    item_shape : tuple of int
        ``(channels,)``, or ``(rows, columns)`` for images.
    annotations : mapping
        Further facts.
    """

    index: int
    id: str
    name: str
    length: int
    dtype: np.dtype[Any]
    rate: Fraction
    channels: Channels
    runs: NDArray[Any]
    clock: Fraction
    item_shape: tuple[int, ...] = ()
    annotations: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.item_shape:
            object.__setattr__(self, "item_shape", (len(self.channels),))

    @property
    def item_bytes(self) -> int:
        """Bytes of one stored item."""
        return int(np.prod(self.item_shape, dtype=np.int64)) * self.dtype.itemsize

    def t_start(self, run: int = 0) -> Fraction:
        """Exact time of a run's first sample, in seconds."""
        return int(self.runs["tick"][run]) / self.clock

    def t_stop(self, run: int = 0) -> Fraction:
        """Exact time just after a run's last sample, in seconds."""
        return self.t_start(run) + int(self.runs["count"][run]) / self.rate


@dataclass(frozen=True, slots=True)
class Unit:
    """One sorted (or the unsorted) unit of a spikes stream.

    Attributes
    ----------
    id : int
        Value of the ``unit`` column.
    name, label : str
        Name of the train; identifier among all trains of the recording (``"ch5#1"``).
    annotations : mapping
        Further facts.
    """

    id: int
    name: str
    label: str
    annotations: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, eq=False)
class Waveforms:
    """How the ``waveform`` column of a spikes stream is to be understood.

    Attributes
    ----------
    rate : Fraction
        Samples per second.
    left_sweep : Fraction
        Seconds from the first sample to the spike's time.
    unit : str
        Physical unit.
    gain, offset : float
        Physical value = stored value * gain + offset.
    """

    rate: Fraction
    left_sweep: Fraction
    unit: str
    gain: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class TableStream:
    """Things that happen at times of their own: spikes, events, epochs, irregular samples.

    Attributes
    ----------
    index : int
        Position among the recording's tables.
    id, name : str
        Identifier (unique among the recording's tables) and name for people.
    kind : {"spikes", "events", "epochs", "samples"}
        What an item is.
    length : int
        Items over all runs.
    columns : mapping of str to numpy.dtype
        ``tick`` always; ``unit`` and ``waveform`` (channels, samples) for spikes; ``label`` (str)
        for events and epochs; ``duration`` (ticks) for epochs; ``value`` (channels) for samples.
        Any other column becomes an array annotation.
    clock : Fraction
        Ticks per second of the ``tick`` and ``duration`` columns and of the runs.
    runs : ndarray of RUN_DTYPE
        One per segment that has items; the items of a run belong to that segment.
    units : tuple of Unit
        The units that occur (spikes only; one at least).
    unit_counts : ndarray of int64, shape (units, runs)
        Spikes of each unit in each run.
    waveforms : Waveforms, optional
        Present if there is a ``waveform`` column.
    channels : Channels, optional
        Columns of ``value`` (samples only).
    is_sorted : bool
        Ticks never decrease within a run.
    annotations : mapping
        Further facts.
    """

    index: int
    id: str
    name: str
    kind: TableKind
    length: int
    columns: Mapping[str, np.dtype[Any]]
    clock: Fraction
    runs: NDArray[Any]
    units: tuple[Unit, ...] = ()
    unit_counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    waveforms: Waveforms | None = None
    channels: Channels | None = None
    is_sorted: bool = True
    annotations: Mapping[str, Any] = field(default_factory=dict)

    _RESERVED = frozenset({"tick", "unit", "label", "duration", "waveform", "value"})

    @property
    def annotation_columns(self) -> tuple[str, ...]:
        """Names of the columns that become array annotations."""
        return tuple(name for name in self.columns if name not in self._RESERVED)

    @property
    def item_bytes(self) -> int:
        """Bytes of one item over all columns (labels counted as references)."""
        return sum(dtype.itemsize for dtype in self.columns.values())


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """One block of a recording (most formats have one).

    Attributes
    ----------
    name : str or None
        Name for people.
    annotations : mapping
        Facts of the whole block.
    rec_datetime : datetime, optional
        When the recording began, as the file says (no time zone unless it gives one).
    """

    name: str | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict, hash=False)
    rec_datetime: datetime | None = None


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """One segment: a sweep, an episode, or the whole recording.

    Attributes
    ----------
    t_start, t_stop : float or None
        Extent in seconds; None: that of the segment's runs.
    name : str or None
        Name for people.
    block : int
        The block it belongs to.
    annotations : mapping
        Further facts.
    rec_datetime : datetime, optional
        When it began.
    """

    t_start: float | None = None
    t_stop: float | None = None
    name: str | None = None
    block: int = 0
    annotations: Mapping[str, Any] = field(default_factory=dict, hash=False)
    rec_datetime: datetime | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that was salvaged, assumed or ignored.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        What was found and what was done about it.
    offset : int or None
        Byte offset.
    field : str or None
        Header field, section or packet.
    lost : int
        Items that could not be read.
    """

    path: str
    reason: str
    offset: int | None = None
    field: str | None = None
    lost: int = 0

    def __str__(self) -> str:
        place = "" if self.offset is None else f" byte {self.offset}"
        what = "" if self.field is None else f" ({self.field})"
        lost = f" [{self.lost:,} items lost]" if self.lost else ""
        separator = ":" if place or what else ""
        return f"{self.path}{separator}{place}{what}: {self.reason}{lost}"


@dataclass(frozen=True, slots=True, eq=False)
class RecordingInfo:
    """Everything that a format says of a recording before any data are read.

    Attributes
    ----------
    blocks : tuple of BlockInfo
        At least one.
    segments : tuple of SegmentInfo
        In order; ``runs["segment"]`` points here.
    signals : tuple of SignalStream
        Recorded signals.
    tables : tuple of TableStream
        Spikes, events, epochs, irregular samples.
    stimuli : tuple of SignalStream
        Command signals that the protocol made; given by ``read_protocol``, not part of the tree.
    software : str or None
        What wrote the file.
    signal_group_mode : str or None
        How this recording wants its channels grouped; None: the format's default.
    annotations : mapping
        Facts of the whole recording.
    """

    segments: tuple[SegmentInfo, ...]
    blocks: tuple[BlockInfo, ...] = (BlockInfo(),)
    signals: tuple[SignalStream, ...] = ()
    tables: tuple[TableStream, ...] = ()
    stimuli: tuple[SignalStream, ...] = ()
    software: str | None = None
    signal_group_mode: str | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict)


def columns(**dtypes: DTypeLike) -> Mapping[str, np.dtype[Any]]:
    """Make the read-only columns mapping of a `TableStream`."""
    return MappingProxyType({name: np.dtype(dtype) for name, dtype in dtypes.items()})
