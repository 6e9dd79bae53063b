"""What lazy objects of a NIX file read through (the protocols of `ephyrus.core.lazy`)."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.core.lazy import Points
from ephyrus.core.units import SECOND, UnitInfo, convert
from ephyrus.nix import storage
from ephyrus.nix.block import Block as NixBlock
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.data_set import read_indexed
from ephyrus.nix.dimensions import Dimension, RangeDimension, SetDimension
from ephyrus.nix.enums import FileMode
from ephyrus.nix.file import File
from ephyrus.nix.objects.claims import check_data_set

__all__ = [
    "NixChannels",
    "NixFrames",
    "NixPath",
    "NixPoints",
    "NixSamples",
    "labels_of",
    "tick_count",
    "ticks_of",
]

TIME = "time"  # label of the axis of time
NEIGHBOURS = 1  # items beside a window that are read too: units are converted with rounding


class NixPath:
    """A NIX file that is opened for reading when something is asked of it.

    Pickles as its path and the function that opens it.

    Parameters
    ----------
    path : str
        The file, as messages show it.
    file : File, optional
        The file, where it is open already.
    opener : callable, optional
        Opens the file (default: by its path, for reading).
    """

    def __init__(
        self, path: str, file: File | None = None, opener: Callable[[], File] | None = None
    ) -> None:
        self.path = path
        self._opener = opener
        self._file = file
        self._lock = threading.Lock()

    @property
    def file(self) -> File:
        """The open file."""
        with self._lock:
            if self._file is None or not self._file.is_open():
                if self._opener is None:
                    self._file = File(self.path, FileMode.ReadOnly)
                else:
                    self._file = self._opener()
            return self._file

    def use(self, file: File) -> None:
        """Read from this open file from now on."""
        with self._lock:
            self._file = file

    def block(self, name: str) -> NixBlock:
        """Give a block of the file."""
        return self.file.blocks[name]

    @property
    def is_open(self) -> bool:
        """Whether the file is held open."""
        return self._file is not None and self._file.is_open()

    def close(self) -> None:
        """Close the file; it is opened again when something is asked of it."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __getstate__(self) -> tuple[str, Callable[[], File] | None]:
        return str(Path(self.path).absolute()) if self._opener is None else self.path, self._opener

    def __setstate__(self, state: tuple[str, Callable[[], File] | None]) -> None:
        NixPath.__init__(self, state[0], opener=state[1])


@dataclass(frozen=True, slots=True)
class _Arrays:
    """Data arrays of one object.

    Attributes
    ----------
    place : NixPath
        The file.
    block : str
        Name of the NIX block.
    arrays : tuple of str
        Names of the data arrays.
    shape : tuple of int
        Shape of the object.
    dtype : numpy.dtype
        Type of its values.
    """

    place: NixPath
    block: str
    arrays: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def empty(self) -> NDArray[Any]:
        """Give the array of no items."""
        return np.empty((0, *self.shape[1:]), self.dtype)

    def read(self, start: int, stop: int, channels: NDArray[np.intp] | None) -> NDArray[Any]:
        """Read items [start, stop)."""
        data_arrays = self.place.block(self.block).data_arrays
        chosen = range(len(self.arrays)) if channels is None else channels.tolist()
        values = np.empty((stop - start, *self.shape[1:-1], len(chosen)), self.dtype)
        for position, number in enumerate(chosen if stop > start else ()):
            values[..., position] = self._part(data_arrays[self.arrays[number]], start, stop)
        return values

    def _part(self, array: DataArray, start: int, stop: int) -> NDArray[Any]:
        return array[start:stop]

    def read_raw(
        self, start: int, stop: int, channels: NDArray[np.intp] | None
    ) -> tuple[NDArray[Any], float]:
        """Read items, which are in physical units."""
        return self.read(start, stop, channels), 1.0


class NixChannels(_Arrays):
    """An analog signal, (time, channel): a data array for each channel."""

    __slots__ = ()


class NixFrames(_Arrays):
    """An image sequence, (frame, row, column): a data array (row, frame) for each column."""

    __slots__ = ()

    def _part(self, array: DataArray, start: int, stop: int) -> NDArray[Any]:
        return array[:, start:stop].T


@dataclass(frozen=True, slots=True)
class NixSamples:
    """An irregularly sampled signal: a data array for each channel, and their ticks.

    Attributes
    ----------
    values : NixChannels
        The channels.
    unit : UnitInfo
        Unit of the ticks.
    """

    values: NixChannels
    unit: UnitInfo

    @property
    def length(self) -> int:
        """Number of samples."""
        return self.values.shape[0]

    def window(self, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
        """Give a range with all samples of a window."""
        times = convert(self._ticks(), self.unit, SECOND)
        start = 0 if t_start is None else int(np.searchsorted(times, t_start, "left"))
        stop = len(times) if t_stop is None else int(np.searchsorted(times, t_stop, "right"))
        return max(start - NEIGHBOURS, 0), min(max(start, stop) + NEIGHBOURS, self.length)

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Read samples [start, stop)."""
        ticks = self._ticks(start, stop)
        return Points(
            times=np.array(convert(ticks, self.unit, SECOND)),
            values=self.values.read(start, stop, None),
            stored={"times": (ticks, self.unit)},
        )

    def _ticks(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        arrays = self.values.place.block(self.values.block).data_arrays
        return ticks_of(arrays[self.values.arrays[0]], start, stop)


def ticks_of(array: DataArray, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
    """Give positions [start, stop) on the range dimension of a data array; none if it has none."""
    for dimension in array.dimensions:
        if isinstance(dimension, RangeDimension):
            _check(dimension, b"ticks")
            did = storage.data_child(dimension._gid, b"ticks")
            found = dimension._ticks()[start:stop] if did is None else _part(did, start, stop)
            return np.asarray(found, np.float64).reshape(-1)
    return np.empty(0)


def tick_count(array: DataArray) -> int:
    """Give the number of positions on the range dimension of a data array."""
    for dimension in array.dimensions:
        if isinstance(dimension, RangeDimension):
            did = storage.data_child(dimension._gid, b"ticks")
            return len(dimension._ticks()) if did is None else math.prod(did.shape)
    return 0


def _part(did: Any, start: int, stop: int | None) -> NDArray[Any]:
    """Read a part of a data set of one axis."""
    values: NDArray[Any] = read_indexed(did, slice(start, stop))
    return values


@dataclass(frozen=True, slots=True)
class NixPoints:
    """An event, epoch or spike train: the positions of a multi tag.

    Attributes
    ----------
    place : NixPath
        The file.
    block, times : str
        Names of the NIX block and of the data array with the times.
    unit : UnitInfo
        Unit of the times.
    length : int
        Number of items.
    durations : str, optional
        Name of the data array with the durations.
    durations_unit : UnitInfo
        Its unit.
    waveforms : str, optional
        Name of the data array with the waveforms.
    has_labels : bool
        The times have labels.
    columns : mapping of str to ndarray
        Array annotations.
    """

    place: NixPath
    block: str
    times: str
    unit: UnitInfo
    length: int
    durations: str | None = None
    durations_unit: UnitInfo = SECOND
    waveforms: str | None = None
    has_labels: bool = False
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def window(self, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
        """Give all items: they need not be sorted."""
        return 0, self.length

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Read items [start, stop)."""
        data_arrays = self.place.block(self.block).data_arrays
        array = data_arrays[self.times]
        times = array[start:stop]
        stored = {"times": (times, self.unit)}
        durations = waves = None
        if self.durations is not None:
            kept = data_arrays[self.durations][start:stop]
            stored["durations"] = kept, self.durations_unit
            durations = np.array(convert(kept, self.durations_unit, SECOND), np.float64)
        if waveforms and self.waveforms is not None:
            waves = data_arrays[self.waveforms][start:stop]
        return Points(
            times=np.array(convert(times, self.unit, SECOND), np.float64),
            durations=durations,
            labels=labels_of(array, self.length)[start:stop] if self.has_labels else None,
            waveforms=waves,
            array_annotations={name: column[start:stop] for name, column in self.columns.items()},
            stored=stored,
        )


def _check(dimension: Dimension, key: bytes) -> None:
    """Check that the positions or labels of a dimension have the bytes for what they claim."""
    did = storage.data_child(dimension._gid, key)
    if did is not None:
        check_data_set(did, None, key.decode())


def labels_of(array: DataArray, length: int) -> NDArray[np.str_]:
    """Give the labels of times; empty ones where there are none."""
    for dimension in array.dimensions:
        if not isinstance(dimension, SetDimension):
            continue
        _check(dimension, b"labels")
        labels = dimension.labels
        if labels:
            texts = np.array(list(labels), np.str_)
            if len(texts) == length:
                return texts
    return np.zeros(length, np.str_)
