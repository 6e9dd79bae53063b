"""Signals side by side: what formats need that write all signals as the columns of one table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.words import counted
from ephyrus.core.units import UnitInfo, as_unit, conversion_factor, convert
from ephyrus.errors import NeoReadWriteError

if TYPE_CHECKING:
    from ephyrus.core import AnalogSignal, Block, Segment

__all__ = [
    "Columns",
    "groups_left_out",
    "left_out",
    "notes_left_out",
    "signal_shape",
    "single_segment",
]

PIECE_BYTES = 4 * 2**20  # of values that are held at a time
SHIFT = 1e-3  # samples by which signals may begin apart and still stand side by side

# What reading makes anew, or what is told as the names.
_MADE_NOTES = {"stream_id", "unit_id", "unit_name", "id"}
_NAME_NOTES = {"channel_names", "channel_ids", "channel_index"}

_KINDS = {
    "analogsignals": "analog signal",
    "irregularlysampledsignals": "irregularly sampled signal",
    "spiketrains": "spike train",
    "events": "event array",
    "epochs": "epoch array",
    "imagesequences": "image sequence",
}


def single_segment(blocks: Sequence[Block], label: str) -> Segment:
    """Give the one segment of the one block.

    Raises
    ------
    NeoReadWriteError
        If there are more or fewer: the format has one.
    """
    segments = [segment for block in blocks for segment in block.segments]
    if len(segments) != 1:
        raise NeoReadWriteError(
            f"{label} holds one segment, there are {len(segments)}: write each segment to a file "
            "of its own (write_segment)"
        )
    return segments[0]


def left_out(segment: Segment, kept: str, label: str) -> tuple[str, ...]:
    """Tell what of a segment is not written: a sentence for each kind of object.

    Parameters
    ----------
    segment : Segment
        What was to be written.
    kept : str
        The child list that is written (``"analogsignals"``).
    label : str
        What the format is called.
    """
    counts = Counter(
        {name: _count(getattr(segment, name), name) for name in _KINDS if name != kept}
    )
    return tuple(
        f"{counted(count, _KINDS[name])} {'is' if count == 1 else 'are'} left out: {label} holds "
        f"{_KINDS[kept]}s only"
        for name, count in counts.items()
        if count
    )


def _count(objects: Sequence[Any], name: str) -> int:
    """Count objects; of events and epochs those that hold any."""
    if name not in ("events", "epochs"):
        return len(objects)
    return sum(1 for each in objects if len(each) or (each.lazy_shape or (0,))[0])


def notes_left_out(blocks: Sequence[Block], objects: Sequence[Any]) -> list[str]:
    """Tell which annotations and groups are lost where a format holds numbers only.

    Parameters
    ----------
    blocks : sequence of Block
        What was to be written.
    objects : sequence of DataObject
        The objects whose data are written.
    """
    holders = [*blocks, *(segment for block in blocks for segment in block.segments), *objects]
    arrays = {name for each in objects for name in each.array_annotations}
    notes = {name for each in holders for name in each.annotations} - arrays
    found = []
    if lost := sorted(notes - _MADE_NOTES):
        found.append(f"annotations are left out: {', '.join(lost)}")
    if lost := sorted(arrays - _NAME_NOTES):
        found.append(f"array annotations are left out: {', '.join(lost)}")
    return [*found, *groups_left_out(blocks)]


def groups_left_out(blocks: Sequence[Block]) -> list[str]:
    """Tell how many groups are lost; those that reading makes of streams and units come back."""
    groups = [group for block in blocks for group in block.groups]
    count = sum(1 for group in groups if not _MADE_NOTES & set(group.annotations))
    if not count:
        return []
    return [f"{counted(count, 'group')} {'is' if count == 1 else 'are'} left out"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Signals of equal rate, beginning and length.

    Attributes
    ----------
    signals : tuple of AnalogSignal
        At least one.
    units : tuple of str
        Unit of each signal as it is written.
    unit : UnitInfo or None
        Unit that all are converted to; None: each stays in its own.
    rate, t_start : float
        In Hz and s.
    length : int
        Samples.
    """

    signals: tuple[AnalogSignal, ...]
    units: tuple[str, ...]
    unit: UnitInfo | None
    rate: float
    t_start: float
    length: int

    @classmethod
    def of(cls, segment: Segment, label: str, unit: Any = None) -> Columns:
        """Take the analog signals of a segment.

        Parameters
        ----------
        segment : Segment
            Has one signal at least.
        label : str
            What the format is called.
        unit : str, optional
            Unit to write in (default: that of each signal).

        Raises
        ------
        NeoReadWriteError
            If there is no signal.
        ValueError
            If signals differ in rate, beginning or length (the message names them), or have not
            the dimension of the unit.
        """
        signals = tuple(segment.analogsignals)
        if not any(signal_shape(signal)[1] for signal in signals):
            raise NeoReadWriteError(f"{label} holds analog signals, the segment has none")
        rates = [float(signal.sampling_rate.rescale("Hz").magnitude) for signal in signals]
        starts = [float(signal.t_start.rescale("s").magnitude) for signal in signals]
        lengths = [signal_shape(signal)[0] for signal in signals]
        for at in range(1, len(signals)):
            same_rate = math.isclose(rates[at], rates[0], rel_tol=1e-9)
            same_start = abs(starts[at] - starts[0]) * rates[0] <= SHIFT
            if not (same_rate and same_start and lengths[at] == lengths[0]):
                raise ValueError(
                    f"{label} writes signals as columns of equal rate, beginning and length; "
                    f"{_facts(signals, rates, starts, lengths, 0)} and "
                    f"{_facts(signals, rates, starts, lengths, at)} differ"
                )
        units = tuple(_unit_text(signal) if unit is None else str(unit) for signal in signals)
        target = None if unit is None else as_unit(str(unit))
        for signal in signals:
            conversion_factor(signal.units, target or signal.units)  # refuses other dimensions
        return cls(signals, units, target, rates[0], starts[0], lengths[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(signal_shape(signal)[1] for signal in self.signals)

    @property
    def column_units(self) -> list[str]:
        """Unit of each column."""
        pairs = zip(self.signals, self.units, strict=True)
        return [unit for signal, unit in pairs for _ in range(signal_shape(signal)[1])]

    def pieces(self, item_bytes: int = 8) -> Iterator[NDArray[Any]]:
        """Give all columns piece by piece, in float64.

        Parameters
        ----------
        item_bytes : int
            What a value takes where the piece is used.

        Yields
        ------
        ndarray of float64, shape (samples, columns)
            Owned by the caller.
        """
        samples = max(1, PIECE_BYTES // (item_bytes * max(1, self.width)))
        chunks = [signal.iter_chunks(samples=samples) for signal in self.signals]
        for parts in zip(*chunks, strict=True):
            table = np.empty((len(parts[0]), self.width))
            column = 0
            for part in parts:
                width = part.shape[1]
                table[:, column : column + width] = self._converted(part)
                column += width
            yield table

    def _converted(self, part: AnalogSignal) -> NDArray[Any]:
        """Numbers of a piece in the unit that is written."""
        values = np.asarray(part.magnitude)
        return values if self.unit is None else convert(values, as_unit(part.units), self.unit)


def signal_shape(signal: AnalogSignal) -> tuple[int, int]:
    """Give samples and channels of a signal, loaded or lazy."""
    samples, channels = signal.true_shape
    return int(samples), int(channels)


def _unit_text(signal: AnalogSignal) -> str:
    return str(signal.units.dimensionality.string)


def _facts(
    signals: Sequence[AnalogSignal],
    rates: Sequence[float],
    starts: Sequence[float],
    lengths: Sequence[int],
    at: int,
) -> str:
    """Name a signal and what it would have to share."""
    return (
        f"{signals[at].name or f'signal {at}'!r} ({rates[at]:g} Hz, from {starts[at]:g} s, "
        f"{lengths[at]:,} samples)"
    )
