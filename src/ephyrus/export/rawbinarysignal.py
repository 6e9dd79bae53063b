"""Writes the signals of one segment as interleaved raw binary.

Stored number = (value - offset) / gain, rounded to the nearest integer and clipped to the range of
its type. Nothing but numbers is written: the report tells what the reader must be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.words import counted
from ephyrus.export import WriteReport
from ephyrus.export.columns import Columns, left_out, notes_left_out, single_segment
from ephyrus.export.files import beside
from ephyrus.formats.rawbinarysignal import checked_dtype, scaling
from ephyrus.recording import under_way

if TYPE_CHECKING:
    from ephyrus.core import Block
    from ephyrus.recording import Progress

__all__ = ["write"]

LABEL = "raw binary"
COARSE = 100  # steps over the range of the values below which rounding is most of them
WHOLE = 4e-7  # of the largest value: what scaling in float32 adds to numbers that were whole


@dataclass(slots=True)
class _Encoder:
    """Turns values into stored numbers, and counts what that costs.

    Attributes
    ----------
    dtype : numpy.dtype
        Type of a stored number.
    gain, offset : float
        Value = stored number * gain + offset.
    clipped, missing : int
        Values beyond the range of the type; values that are NaN, written as 0.
    low, high : float
        Range of the values, in steps.
    rounded : float
        How far a value was from the number that is stored, in steps.
    """

    dtype: np.dtype[Any]
    gain: float
    offset: float
    clipped: int = 0
    missing: int = 0
    low: float = np.inf
    high: float = -np.inf
    rounded: float = 0.0

    def __call__(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """Encode values; the array given is overwritten."""
        if self.offset:
            values -= self.offset
        if self.gain != 1:
            values /= self.gain
        if self.dtype.kind == "f":
            return values.astype(self.dtype)
        if not values.size:
            return values.astype(self.dtype)
        values = self._whole(values)
        low, high = float(values.min()), float(values.max())
        if np.isnan(low):
            missing = np.isnan(values)
            self.missing += int(missing.sum())
            values[missing] = 0
            low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        limits = np.iinfo(self.dtype)
        if low >= limits.min and high <= limits.max:
            return values.astype(self.dtype)
        self.clipped += int(np.count_nonzero((values < limits.min) | (values > limits.max)))
        return _clipped(values, self.dtype)

    def _whole(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Round values, and note by how much; the array given is overwritten."""
        whole = np.rint(values)
        with np.errstate(invalid="ignore"):  # infinite ones are clipped later
            np.subtract(values, whole, out=values)
        np.abs(values, out=values)
        self.rounded = float(np.fmax(self.rounded, np.fmax.reduce(values, axis=None)))
        return whole

    @property
    def losses(self) -> list[str]:
        """What the stored numbers do not tell of the values."""
        found = []
        if self.clipped:
            found.append(
                f"clipped to the range of {self.dtype} with a gain of {self.gain:g}: "
                f"{counted(self.clipped, 'value')}"
            )
        if self.missing:
            found.append(f"written as 0: {counted(self.missing, 'missing value')} (NaN)")
        if self.rounded > WHOLE * max(abs(self.low), abs(self.high)):
            steps = self.high - self.low
            coarse = f", of which they span {steps:g}" if steps < COARSE else ""
            found.append(
                f"values were rounded to whole steps of {self.gain:g}{coarse}; a smaller "
                "signal_gain or dtype='float32' keeps more"
            )
        return found


def _clipped(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Clip to the range of an integer type; its largest number may not be a float."""
    limits = np.iinfo(dtype)
    inside = np.clip(values, float(limits.min), np.nextafter(float(limits.max), 0))
    result = inside.astype(dtype)
    result[values >= float(limits.max)] = limits.max
    return result


def write(
    blocks: Sequence[Block],
    path: Path,
    options: Mapping[str, Any],
    *,
    progress: Progress,
) -> WriteReport:
    """Write the analog signals of one segment as interleaved samples.

    Parameters
    ----------
    blocks : sequence of Block
        One block with one segment.
    path : Path
        The file.
    options : mapping
        ``dtype``; ``signal_gain`` and ``signal_offset``, or ``rangemin`` and ``rangemax``;
        ``units`` to write in.
    progress : Progress
        Told about bytes.

    Returns
    -------
    WriteReport
        Losses: other objects, clipped values, coarse rounding, and everything but the numbers.

    Raises
    ------
    NeoReadWriteError
        If there is not exactly one segment, or it has no analog signal.
    ValueError
        If signals differ in rate, beginning or length, ``bytesoffset`` is not 0, or the type or
        scaling is none that raw files have.
    """
    if options["bytesoffset"]:
        raise ValueError(f"bytesoffset={options['bytesoffset']}: no header is written, only 0 goes")
    segment = single_segment(blocks, LABEL)
    dtype = checked_dtype(options["dtype"])
    columns = Columns.of(segment, LABEL, options["units"])
    encode = _Encoder(dtype, *scaling(dtype, options))
    nbytes = columns.length * columns.width * dtype.itemsize
    with (
        under_way(progress, nbytes, "B", f"writing {path.name}"),
        beside(path) as (part,),
        part.open("wb") as file,
    ):
        for values in columns.pieces():
            stored = encode(values)
            file.write(stored.data)
            progress.advance(stored.nbytes)
    losses = [
        *left_out(segment, "analogsignals", LABEL),
        *notes_left_out(blocks, columns.signals),
        *encode.losses,
        _told(columns, encode),
    ]
    return WriteReport((path,), tuple(losses))


def _told(columns: Columns, encode: _Encoder) -> str:
    """Tell what a reader of the file must be told."""
    units: Any = columns.column_units
    units = units[0] if len(set(units)) == 1 else units
    return (
        "names, units, rate and scaling are not in the file; to read it, say "
        f"dtype={encode.dtype.str!r}, nb_channel={columns.width}, "
        f"sampling_rate={columns.rate!r}, signal_gain={encode.gain!r}, "
        f"signal_offset={encode.offset!r}, units={units!r}, t_start={columns.t_start!r}"
    )
