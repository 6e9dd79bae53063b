"""The channels of the file: the signals of all segments, and what the header says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import NeoReadWriteError
from ephyrus.export.columns import Columns, signal_shape

if TYPE_CHECKING:
    from ephyrus.core import AnalogSignal, Segment

__all__ = [
    "CHANNEL_NOTES",
    "LABEL",
    "Channel",
    "Table",
    "channels_of",
    "sample_count",
    "tables_of",
]

LABEL = "BrainVision"
COORDINATES = ("coordinates_0", "coordinates_1", "coordinates_2")
# Array annotations that the header holds, or that reading makes anew.
CHANNEL_NOTES = {"channel_names", "channel_ids", "reference", "resolution", *COORDINATES}

_SCALED_UNIT = re.compile(r"\(?([0-9.eE+-]+)\*(.+?)\)?")
_MICRO = re.compile(r"\bu(?=(?:V|A|S|F|W|C|N|m|s|g|ohm)\b)")


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of the file.

    Attributes
    ----------
    id : str
        As the signal says it; empty if it does not.
    name, reference, unit : str
        As the header says them.
    resolutions : tuple of float
        Resolutions of integers that might keep the values exactly.
    is_single : bool
        The signal's values are 32-bit floats.
    place : tuple of float
        Radius, theta and phi; empty where they are not known.
    """

    id: str
    name: str
    reference: str
    unit: str
    resolutions: tuple[float, ...]
    is_single: bool
    place: tuple[float, ...]


def sample_count(segment: Segment) -> int:
    """Count the samples of a segment's longest signal that has channels."""
    shapes = (signal_shape(signal) for signal in segment.analogsignals)
    return max((samples for samples, channels in shapes if channels), default=0)


def _width(signal: AnalogSignal) -> int:
    return signal_shape(signal)[1]


@dataclass(frozen=True, slots=True)
class Table:
    """The signals of one segment side by side.

    Attributes
    ----------
    columns : Columns
        Signals of equal rate, beginning and length.
    factors : ndarray of float64, shape (channels,)
        What values are multiplied with to be in the unit of the header.
    order : ndarray of int, shape (channels,)
        Position of each channel of the file among the columns.
    """

    columns: Columns
    factors: NDArray[np.float64]
    order: NDArray[np.intp]

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.columns.rate

    @property
    def t_start(self) -> float:
        """Time of the first sample in s."""
        return self.columns.t_start

    @property
    def length(self) -> int:
        """Samples."""
        return self.columns.length

    def pieces(self, item_bytes: int) -> Iterator[NDArray[np.float64]]:
        """Give values of all channels piece by piece; each belongs to the caller.

        Parameters
        ----------
        item_bytes : int
            What a value takes where the piece is used.
        """
        is_ordered = np.array_equal(self.order, np.arange(self.order.size))
        for stored in self.columns.pieces(item_bytes):
            values = stored if is_ordered else stored.take(self.order, axis=1)
            yield values if np.all(self.factors == 1) else values * self.factors


def tables_of(segments: Sequence[Segment]) -> list[Table]:
    """Put the signals of each segment side by side.

    Raises
    ------
    NeoReadWriteError
        If there is no segment.
    ValueError
        If signals of a segment differ in rate, beginning or length, or segments differ in rate,
        channels or units.
    """
    if not segments:
        raise NeoReadWriteError(f"{LABEL} holds analog signals, the block has no samples of any")
    tables: list[Table] = []
    for number, segment in enumerate(segments):
        columns = Columns.of(segment, LABEL)
        first = tables[0].columns if tables else columns
        if _layout(first) != _layout(columns) or not _is_near(first.rate, columns.rate):
            raise ValueError(
                f"{LABEL} writes segments one after the other, with the same channels and rate: "
                f"segment 0 has {_facts(first)}, segment {number} has {_facts(columns)}"
            )
        order = _order(columns)
        factors = [_unit(signal)[0] for signal in columns.signals for _ in range(_width(signal))]
        tables.append(Table(columns, np.array(factors)[order], order))
    return tables


def _order(columns: Columns) -> NDArray[np.intp]:
    """Give the order of the channels: that of a recording whose channels are all there.

    Signals hold channels of equal unit; numbers from 1 as ids tell how they stood before.
    """
    ids = [each for signal in columns.signals for each in _ids_of(signal)]
    numbers = {str(number): number for number in range(1, len(ids) + 1)}
    if set(ids) != numbers.keys():
        return np.arange(len(ids))
    return np.argsort([numbers[each] for each in ids])


def _ids_of(signal: AnalogSignal) -> list[str]:
    """Ids of a signal's channels; empty where there are none."""
    ids = signal.array_annotations.get("channel_ids")
    return [""] * _width(signal) if ids is None else [str(each) for each in ids]


def _is_near(first: float, other: float) -> bool:
    return abs(first - other) <= 1e-9 * first


def _layout(columns: Columns) -> list[tuple[str, str]]:
    """Names and units of the channels."""
    return [
        (name, _unit(signal)[1])
        for number, signal in enumerate(columns.signals)
        for name in _names_of(signal, number)
    ]


def _names_of(signal: AnalogSignal, number: int) -> list[str]:
    width = _width(signal)
    names = signal.array_annotations.get("channel_names")
    if names is not None:
        return [str(name) for name in names]
    name = signal.name or f"signal {number}"
    return [name] if width == 1 else [f"{name} {i}" for i in range(width)]


def _facts(columns: Columns) -> str:
    layout = _layout(columns)
    shown = ", ".join(f"{name} in {unit}" for name, unit in layout[:4])
    more = ", ..." if len(layout) > 4 else ""
    return f"{len(layout)} channels ({shown}{more}) at {columns.rate:g} Hz"


def _unit(signal: AnalogSignal) -> tuple[float, str]:
    """Give a factor, and the unit as the header says it: with a micro sign, and never empty."""
    text = str(signal.units.dimensionality.string)
    scaled = _SCALED_UNIT.fullmatch(text)  # of signals that hold the integers of a file
    factor, unit = (1.0, text) if scaled is None else (float(scaled.group(1)), scaled.group(2))
    if unit == "dimensionless":
        return factor, str(signal.annotations.get("units_string") or "n/a")
    return factor, _MICRO.sub("\u00b5", unit).replace("degC", "°C")


def channels_of(table: Table) -> list[Channel]:
    """Describe the channels, by the signals of the first segment."""
    found = [
        channel
        for number, signal in enumerate(table.columns.signals)
        for channel in _channels_of_signal(signal, number)
    ]
    return [found[at] for at in table.order]


def _channels_of_signal(signal: AnalogSignal, number: int) -> list[Channel]:
    width = _width(signal)
    notes = {key: np.asarray(value) for key, value in signal.array_annotations.items()}
    ids = _ids_of(signal)
    references = notes.get("reference", np.full(width, ""))
    known = notes.get("resolution", np.zeros(width))
    factor, unit = _unit(signal)
    whole = (factor,) if signal.dtype.kind in "iu" else ()
    places = np.full((width, 3), np.nan)
    if all(key in notes for key in COORDINATES):
        places = np.column_stack([notes[key].astype(np.float64) for key in COORDINATES])
    return [
        Channel(
            id=ids[i],
            name=name,
            reference=str(references[i]),
            unit=unit,
            resolutions=(float(known[i]), *whole) if _is_factor(known[i]) else whole,
            is_single=signal.dtype == np.float32,
            place=tuple(places[i].tolist()) if np.isfinite(places[i]).all() else (),
        )
        for i, name in enumerate(_names_of(signal, number))
    ]


def _is_factor(value: Any) -> bool:
    return isinstance(value, np.number) and bool(np.isfinite(value)) and bool(value > 0)
