"""Signals as array-likes that are read when they are indexed, and as dask arrays of them."""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.extras import optional_module
from ephyrus.recording.recording import Recording
from ephyrus.recording.scale import scaled_dtype
from ephyrus.recording.select import ChannelSelection, channel_positions
from ephyrus.recording.streams import SignalStream
from ephyrus.recording.times import item_times

__all__ = ["SampleTimes", "Samples", "SignalReader", "SignalSource", "lazy_array"]


class SignalSource:
    """A signal as tasks carry it: pickled it is a recipe, opened once in each process."""

    def __init__(self, recording: Recording, stream: SignalStream) -> None:
        self.recording = recording
        self.stream = stream

    def __reduce__(self) -> tuple[Any, ...]:
        return _source, self.recipe()

    def recipe(self) -> tuple[bytes, tuple[int, float] | None, bool, int]:
        """Tell what identifies the signal: recipe of the recording, state on disk, stream."""
        recording, stream = self.recording, self.stream
        is_stimulus = any(each is stream for each in recording.stimuli)
        state = recording.reading.files.fingerprint()
        return pickle.dumps(recording), state, is_stimulus, stream.index


def _source(
    recipe: bytes, state: tuple[int, float] | None, is_stimulus: bool, index: int
) -> SignalSource:
    recording = _opened(recipe, state)
    return SignalSource(recording, (recording.stimuli if is_stimulus else recording.signals)[index])


@lru_cache(maxsize=8)
def _opened(recipe: bytes, state: tuple[int, float] | None) -> Recording:
    """Open a recording once per process; a file that changed has another `state`."""
    return pickle.loads(recipe)  # type: ignore[no-any-return]  # noqa: S301 - made by `recipe`


class SignalReader:
    """Reads ranges of a signal at once or lazily, scaled or as stored."""

    def __init__(
        self,
        recording: Recording,
        stream: SignalStream,
        channels: ChannelSelection,
        *,
        scaled: bool,
    ) -> None:
        self.source = SignalSource(recording, stream)
        self.is_image = len(stream.item_shape) > 1
        chosen = channel_positions(stream, channels)
        everything = np.arange(len(stream.channels))
        self.channels = everything if chosen is None or self.is_image else chosen
        self.scaled = scaled

    @property
    def token(self) -> str:
        """Name of the array in a task graph: equal for equal requests."""
        tokenize = optional_module("dask.base", "dask", "Recording.to_dask").tokenize
        return str(tokenize(self.source.recipe(), self.channels, self.scaled))

    def array(self, first: int, last: int, *, lazy: bool, piece_bytes: int) -> Any:
        """Give samples [first, last) as a numpy or a dask array."""
        samples = Samples(self.source, first, last, self.channels, scaled=self.scaled)
        if not lazy:
            return samples[:]
        return lazy_array(samples, f"signal-{self.token}-{first}-{last}", piece_bytes)


class Samples:
    """A range of a signal that is read when it is indexed by slices and integers."""

    def __init__(
        self,
        source: SignalSource,
        first: int,
        last: int,
        channels: NDArray[np.intp],
        *,
        scaled: bool,
    ) -> None:
        stream = source.stream
        self.source, self.first, self.last = source, first, last
        self.channels, self.scaled = channels, scaled
        self.is_image = len(stream.item_shape) > 1
        items = stream.item_shape if self.is_image else (len(channels),)
        self.shape = (last - first, *items)
        self.ndim = len(self.shape)
        self.dtype = scaled_dtype(stream.dtype) if scaled else stream.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        time, *rest = key if isinstance(key, tuple) else (key,)
        channels, inner = self.channels, tuple(rest)
        if rest and not self.is_image:  # only the channels that are wanted are read
            inner = (0,) if isinstance(rest[0], int | np.integer) else ()
            channels = np.atleast_1d(channels[rest[0]])
        first, last, wanted = covered(time, self.shape[0])
        rows = self._read(first, last, channels)[wanted]
        whole = () if isinstance(time, int | np.integer) else (slice(None),)
        return rows[(*whole, *inner)]  # type: ignore[no-any-return]  # at least one axis is left

    def _read(self, first: int, last: int, channels: NDArray[np.intp]) -> NDArray[Any]:
        recording, stream = self.source.recording, self.source.stream
        everything = self.is_image or np.array_equal(channels, np.arange(len(stream.channels)))
        chosen = None if everything else channels
        read = recording.read_scaled if self.scaled else recording.read_signal
        return read(stream, self.first + first, self.first + last, chosen)


def covered(key: Any, length: int) -> tuple[int, int, Any]:
    """Find the range that an index along one axis touches.

    Parameters
    ----------
    key : int, slice or array_like of int or bool
        Index along the axis.
    length : int
        Length of the axis.

    Returns
    -------
    first, last : int
        Half-open range.
    inner : int, slice or ndarray
        The index within that range.

    Examples
    --------
    >>> covered(slice(8, 2, -2), 10)
    (4, 9, slice(None, None, -2))
    >>> covered(-1, 10)
    (9, 10, 0)
    """
    everything = range(length)
    if isinstance(key, int | np.integer):
        at = everything[key]
        return at, at + 1, 0
    if isinstance(key, slice):
        wanted = everything[key]
        if not wanted:
            return 0, 0, slice(None)
        first, last = sorted((wanted[0], wanted[-1]))
        return first, last + 1, slice(None, None, wanted.step)
    positions = np.arange(length)[key]
    if not positions.size:
        return 0, 0, positions
    first = int(positions.min())
    return first, int(positions.max()) + 1, positions - first


class SampleTimes:
    """Times of a range of samples, made when they are indexed."""

    def __init__(self, source: SignalSource, first: int, last: int) -> None:
        self.source, self.first = source, first
        self.shape, self.ndim, self.dtype = (last - first,), 1, np.dtype(np.float64)

    def __getitem__(self, key: Any) -> NDArray[np.float64]:
        (time,) = key if isinstance(key, tuple) else (key,)
        first, last, wanted = covered(time, self.shape[0])
        return item_times(self.source.stream, self.first + np.arange(first, last)[wanted])


def lazy_array(array: Any, name: str, piece_bytes: int) -> Any:
    """Wrap an array-like in a dask array, one task per piece."""
    dask_array = optional_module("dask.array", "dask", "Recording.to_dask")
    piece_bytes = array.source.recording.limits.piece_bytes(piece_bytes)
    width = int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize
    rows = max(1, piece_bytes // max(width, 1))
    return dask_array.from_array(
        array,
        chunks=(rows, *array.shape[1:]),
        name=name,
        lock=False,
        asarray=False,
        meta=np.empty((0,) * array.ndim, array.dtype),
        inline_array=True,
    )
