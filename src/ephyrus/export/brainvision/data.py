"""The data file: one pass over the values, and for integers one before it that measures them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.words import counted
from ephyrus.export.brainvision.channels import Channel, Table
from ephyrus.formats.brainvision.layout import NUMBER_FORMATS
from ephyrus.recording import under_way

if TYPE_CHECKING:
    from ephyrus.recording import Progress

__all__ = ["DataWriter"]

Put = Callable[[int, NDArray[np.float64]], None]

# A number of text: significant digits that keep it, and the longest one with a blank behind it.
_SINGLE, _DOUBLE = (9, 16), (17, 25)
_TEXT_BYTES = 64  # that a number takes while it is made text
_SEPARATORS = re.compile(r"[\s\x00-\x20,]+")
_NEAR_WHOLE = 4  # rounding errors by which value / resolution may differ from a whole number
_FARTHEST = 0.25
_TINY = 1e-300


class DataWriter:
    """Writes the values of all segments, one after the other.

    Parameters
    ----------
    tables : sequence of Table
        Signals side by side, one for each segment.
    channels : sequence of Channel
        Their channels.
    options : mapping
        Write options.
    progress : Progress
        Told about bytes.

    Attributes
    ----------
    points : int
        Samples per channel.
    resolution : ndarray of float64, shape (channels,)
        What stored numbers are to be multiplied with; known after `write`.
    """

    def __init__(
        self,
        tables: Sequence[Table],
        channels: Sequence[Channel],
        options: Mapping[str, Any],
        progress: Progress,
    ) -> None:
        self.tables, self.channels, self.progress = tables, channels, progress
        self.points = sum(table.length for table in tables)
        self.is_text = options["format"] == "ascii"
        self.is_vectorized = options["orientation"] == "vectorized"
        self.number_format = str(options["number_format"])
        self.dtype = NUMBER_FORMATS[self.number_format].dtype
        self.resolution = np.ones(len(channels))
        self.is_rounded = np.zeros(len(channels), bool)

    def write(self, path: Path) -> None:
        """Write the file.

        Raises
        ------
        ValueError
            If a channel holds what the number format cannot hold.
        """
        is_measured = not self.is_text and self.dtype.kind == "i"
        nbytes = self.points * len(self.channels) * self.dtype.itemsize
        nbytes *= 1 + is_measured
        with under_way(self.progress, nbytes, "B", f"writing {path.name}"):
            if is_measured:
                self._measure()
            with path.open("wb") as file:
                put = self._text_put(file) if self.is_text else self._binary_put(file)
                for first, values in self._pieces():
                    put(first, values)

    def losses(self) -> list[str]:
        """Tell what was rounded."""
        count = int(np.count_nonzero(self.is_rounded))
        if not count:
            return []
        values = f"values of {counted(count, 'channel')} are rounded"
        if self.dtype.kind == "f":
            return [f"{values} to 32-bit floats"]
        largest = float(self.resolution[self.is_rounded].max())
        return [
            f"{values} to multiples of their resolution (up to {largest:.3g}): {self.number_format}"
        ]

    def _pieces(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Give first sample and values of each piece, in the units of the header."""
        first = 0
        for table in self.tables:
            for values in table.pieces(_TEXT_BYTES if self.is_text else 8):
                yield first, values
                first += len(values)
                self.progress.advance(values.size * self.dtype.itemsize)

    def _measure(self) -> None:
        """Find the resolution of each channel: a known one that keeps all values, else the finest.

        A value computed as whole number * resolution in the precision of the signal is taken for
        exact: dividing it gives the whole number up to some rounding errors.
        """
        width = len(self.channels)
        known = np.array([(*c.resolutions, 0.0, 0.0)[:2] for c in self.channels]).T
        keeps = known > 0
        known[~keeps] = 1.0
        types = np.array([np.float32 if c.is_single else np.float64 for c in self.channels])
        error = _NEAR_WHOLE * np.array([np.finfo(kind).eps for kind in types])
        limits = np.iinfo(self.dtype)
        largest = np.zeros(width)
        for _, values in self._pieces():
            self._check_finite(values)
            largest = np.maximum(largest, np.abs(values).max(axis=0, initial=0))
            for candidate in np.flatnonzero(keeps.any(axis=1)):
                counts = values / known[candidate]
                whole = np.rint(counts)
                allowed = error * np.maximum(np.abs(whole), 1)
                is_kept = (np.abs(counts - whole) <= allowed) & (allowed < _FARTHEST)
                is_kept &= (whole >= limits.min) & (whole <= limits.max)
                keeps[candidate] &= is_kept.all(axis=0)
        finest = np.maximum(largest / limits.max, _TINY)
        finest[largest == 0] = 1.0
        self.resolution = np.where(keeps[0], known[0], np.where(keeps[1], known[1], finest))
        self.is_rounded = ~keeps.any(axis=0) & (largest > 0)

    def _check_finite(self, values: NDArray[np.float64]) -> None:
        is_bad = ~np.isfinite(values).all(axis=0)
        if is_bad.any():
            names = ", ".join(repr(self.channels[i].name) for i in np.flatnonzero(is_bad)[:4])
            raise ValueError(
                f"{self.number_format} cannot hold NaN or infinity, which are in {names}; "
                "use number_format='IEEE_FLOAT_32', or replace them"
            )

    def _stored(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """Give values as they are stored; the array given may be overwritten."""
        if self.dtype.kind == "i":
            values /= self.resolution
            return np.rint(values, out=values).astype(self.dtype)
        with np.errstate(over="ignore"):
            stored = values.astype(self.dtype)
        is_lost = np.isinf(stored) & np.isfinite(values)
        if is_lost.any():
            name = self.channels[int(np.flatnonzero(is_lost.any(axis=0))[0])].name
            raise ValueError(
                f"{name!r} holds values that are too large for {self.number_format}; "
                "write it in a larger unit"
            )
        self.is_rounded |= ((stored != values) & ~np.isnan(values)).any(axis=0)
        return stored

    def _binary_put(self, file: BinaryIO) -> Put:
        """Give the function that writes a piece of numbers."""
        if not self.is_vectorized:
            return lambda first, values: _ignore(file.write(self._stored(values).data))
        item = self.dtype.itemsize

        def put(first: int, values: NDArray[np.float64]) -> None:
            for channel, row in enumerate(np.ascontiguousarray(self._stored(values).T)):
                file.seek((channel * self.points + first) * item)
                file.write(row.data)

        return put

    def _text_put(self, file: BinaryIO) -> Put:
        """Give the function that writes a piece of text.

        One line per channel needs places that are known beforehand: numbers are filled up with
        blanks to equal lengths then.
        """
        names = [_SEPARATORS.sub("", channel.name) or "-" for channel in self.channels]
        forms = [_SINGLE if channel.is_single else _DOUBLE for channel in self.channels]
        if not self.is_vectorized:
            file.write(" ".join(names).encode() + b"\r\n")
            line = " ".join(f"%.{digits}g" for digits, _ in forms) + "\r\n"

            def put_lines(first: int, values: NDArray[np.float64]) -> None:
                file.write((line * len(values) % tuple(values.ravel().tolist())).encode())

            return put_lines
        places = []
        for name, (_, length) in zip(names, forms, strict=True):
            file.write(name.encode() + b" ")
            places.append(file.tell())
            file.seek(places[-1] + length * self.points)
            file.write(b"\r\n")

        def put_columns(first: int, values: NDArray[np.float64]) -> None:
            for place, (digits, length), column in zip(places, forms, values.T, strict=True):
                file.seek(place + length * first)
                number = f"%-{length - 1}.{digits}g "
                file.write((number * column.size % tuple(column.tolist())).encode())

        return put_columns


def _ignore(written: int) -> None:
    """Drop the count that a write gives."""
