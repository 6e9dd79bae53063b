"""Arrays that lie in recordings: what a served file holds, read in rows as any other array.

The place of such an array is the mapping that table ``array`` keeps of it::

    {"kind": "recorded", "recording": 3, "field": "signal",
     "address": {"stream": 0, "run": 2, "channels": [4, 5]}}

``stream`` counts the recording's signals, or, where ``table`` is true, its tables. ``run`` null
is a segment that has no items of the table. Tables of spikes have ``unit``, labels ``width``
(bytes of the longest one), times ``sorted``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import Recording, SignalStream, TableStream
from ephyrus.recording.clock import seconds
from ephyrus.recording.rowsource import Counts, laid_out
from ephyrus.recording.sampleplaces import sample_places_of
from ephyrus.recording.scale import scaled, scaled_dtype
from ephyrus.service.arrays.scaling import Scaling
from ephyrus.service.errors import ServiceError

__all__ = ["PIECE_BYTES", "RecordedArray", "encoded_labels", "recorded_array"]

PIECE_BYTES = 4 * 2**20  # stored bytes that are read of a recording at a time
GAP_BYTES = 64 * 2**10  # reading across so much costs less than asking a format once more
SPAN_ITEMS = 2**18  # items of all units that are read at a time to find those of one
READ_WHOLE = 2**14  # times that are read at once when one is looked up

Channels = Sequence[int] | NDArray[np.intp] | slice | None
Gather = Callable[[NDArray[np.int64], Counts, Channels], NDArray[Any]]
Convert = Callable[[NDArray[Any], bool], NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class RecordedArray:
    """An array of a recording, read in rows from any thread.

    Attributes
    ----------
    dtype : dtype
        Of scaled values: float32 or float64; text is ``"S"``, UTF-8 padded with zeros.
    stored_dtype : dtype
        Of values as the file has them.
    shape : tuple of int
        Axis 0 first.
    is_sorted : bool or None
        The values never decrease; None: not known, or not a matter of this array.
    gain, offset : ndarray of float64, shape (channels,), or None
        ``stored * gain + offset`` is the physical value; None: both are the same.
    channel_names : tuple of str
        Names along axis 1 of a signal; empty for everything else.
    row_bytes : int
        Bytes that are read of the file for one row.
    gather : callable or None
        ``gather(starts, counts, channels)`` reads short ranges of rows of stored numbers, at less
        cost than one by one: see `ephyrus.recording.rowsource.Rows`.
    """

    dtype: np.dtype[Any]
    stored_dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_sorted: bool | None = None
    gain: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None
    channel_names: tuple[str, ...] = ()
    row_bytes: int = 8
    _read: Callable[[int, int, Channels, bool], NDArray[Any]] = field(
        default=lambda start, stop, channels, scale: np.empty(0), repr=False, compare=False
    )
    gather: Gather | None = field(default=None, repr=False, compare=False)

    @property
    def preferred_rows(self) -> int:
        """Rows that are read at once at the best price: about 1 MiB of the file."""
        return max(1, 2**20 // max(1, self.row_bytes))

    def read(
        self,
        start: int = 0,
        stop: int | None = None,
        channels: Channels = None,
        *,
        scaled: bool = True,
    ) -> NDArray[Any]:
        """Read rows [start, stop).

        Parameters
        ----------
        start, stop : int
            Half-open range within the array; `stop` None: to its end.
        channels : sequence of int or slice, optional
            Positions along axis 1 (default: all).
        scaled : bool
            Give physical values; False: the numbers of the file.

        Returns
        -------
        ndarray, shape (stop - start, *shape[1:])
            C-contiguous, in the byte order of the machine; not to be written to.

        Raises
        ------
        IndexError
            If the range or a channel is outside.
        ServiceError
            If the recording cannot be read, or is not the same as when it was registered.
        """
        end = self.shape[0] if stop is None else stop
        if not 0 <= start <= end <= self.shape[0]:
            raise IndexError(f"rows {start} to {end} of {self.shape[0]}")
        if channels is not None and len(self.shape) < 2:
            raise IndexError("the array has one axis: there are no channels to choose")
        return self._read(start, end, channels, scaled)

    def locate(self, time: float, side: Literal["left", "right"] = "left") -> int:
        """Find where a time belongs among sorted times, as `numpy.searchsorted` does.

        Few values are read, however long the array is.

        Raises
        ------
        ValueError
            If the array is not known to be sorted.
        """
        if not self.is_sorted or len(self.shape) != 1:
            raise ValueError("only times that are sorted can be looked up")
        low, high = 0, self.shape[0]
        while high - low > READ_WHOLE:
            middle = (low + high) // 2
            value = self.read(middle, middle + 1)[0]
            if value < time or (side == "right" and value == time):
                low = middle + 1
            else:
                high = middle
        return low + int(np.searchsorted(self.read(low, high), time, side))


def recorded_array(recording: Recording, location: Mapping[str, Any]) -> RecordedArray:
    """Give the array at a place of an open recording.

    Parameters
    ----------
    recording : Recording
        The recording.
    location : mapping
        As table ``array`` keeps it (see the module).

    Raises
    ------
    ServiceError
        If the recording has no such place: it is another one than was registered.
    """
    address, name = location["address"], location["field"]
    try:
        if not address.get("table"):
            return _signal(recording, recording.signals[address["stream"]], address)
        return _TABLE_FIELDS[name](recording, recording.tables[address["stream"]], address)
    except (IndexError, KeyError) as error:
        raise ServiceError(
            "unavailable",
            f"the recording has no such {name} any more: it was replaced by another one; "
            "ask for the list of objects again",
            headers={"Retry-After": "5"},
        ) from error


def _signal(
    recording: Recording, stream: SignalStream, address: Mapping[str, Any]
) -> RecordedArray:
    """Give a run of a signal, or some of its channels; images as rows of pixels."""
    run = stream.runs[address["run"]]
    chosen = address.get("channels")
    positions = None if chosen is None else np.array(chosen, np.intp)
    table, is_image = stream.channels, len(stream.item_shape) > 1
    names = table.names if chosen is None else tuple(table.names[at] for at in chosen)
    picked: Any = slice(None) if positions is None else positions
    gain, offset = table.gain[picked], table.offset[picked]
    width = int(np.prod(stream.item_shape)) if positions is None else len(positions)
    scaling = Scaling.of(gain, offset, scaled_dtype(stream.dtype))
    is_plain = width == 1 and not is_image
    place = address["run"], int(run["first"])
    reader = _SignalRows(recording, stream, *place, positions, scaling, is_plain)
    count = int(run["count"])
    return RecordedArray(
        dtype=scaling.dtype,
        stored_dtype=stream.dtype.newbyteorder("="),
        shape=(count,) if is_plain else (count, width),
        gain=None if scaling.is_identity else gain,
        offset=None if scaling.is_identity else offset,
        channel_names=() if is_image else names,
        row_bytes=stream.item_bytes,
        _read=reader.read_image if is_image else reader.read,
        gather=None if is_image else reader.gather,
    )


@dataclass(frozen=True, slots=True)
class _SignalRows:
    """Reads rows of a run of a signal."""

    recording: Recording
    stream: SignalStream
    run: int
    first: int
    positions: NDArray[np.intp] | None
    scaling: Scaling
    is_plain: bool

    def gather(
        self, starts: NDArray[np.int64], counts: Counts, channels: Channels = None
    ) -> NDArray[Any]:
        """Read short ranges of rows of stored numbers."""
        positions, width = self._chosen(channels)
        dtype = self.stream.dtype.newbyteorder("=")
        # asked for anew each time: what is found holds a file open
        places = sample_places_of(self.recording, self.stream, self.run)
        if places is not None:
            rows = places.gather(starts, counts, positions)
            out = rows[..., :width].astype(dtype, copy=False)
        else:
            out = self._one_by_one(starts, counts, positions, np.empty((0, width), dtype))
        return out[..., 0] if self.is_plain else out

    def _one_by_one(
        self,
        starts: NDArray[np.int64],
        counts: Counts,
        positions: NDArray[np.intp] | None,
        nothing: NDArray[Any],
    ) -> NDArray[Any]:
        """Read short ranges of rows through the format, ranges near each other in one go."""
        read, reading = self.recording.module.read_signal, self.recording.reading
        first, lengths = starts + self.first, np.broadcast_to(counts, starts.shape)
        out = np.empty((int(lengths.sum()), nothing.shape[1]), nothing.dtype)
        at = 0
        for a, b in _near(first, first + lengths, self.stream.item_bytes):
            begin, end = int(first[a]), int((first[a:b] + lengths[a:b]).max())
            rows = laid_out(first[a:b] - begin, lengths[a:b])
            if len(rows):
                values = read(reading, self.stream, begin, end, positions)
                out[at : at + len(rows)] = values[rows]
                at += len(rows)
        return out if isinstance(counts, np.ndarray) else out.reshape(-1, counts, out.shape[1])

    def _chosen(self, channels: Channels) -> tuple[NDArray[np.intp] | None, int]:
        """Give the positions of channels in the stream, and how many they are."""
        positions, width = self.positions, len(self.scaling.gain)
        if channels is None:
            return positions, width
        mine = np.arange(width) if positions is None else positions
        chosen = channels if isinstance(channels, slice) else np.asarray(channels, np.intp)
        positions = mine[chosen]
        return positions, len(positions)

    def read(self, start: int, stop: int, channels: Channels, scale: bool) -> NDArray[Any]:
        """Read rows of some channels, in pieces whatever their number is."""
        positions, width = self._chosen(channels)
        dtype = self.scaling.dtype if scale else self.stream.dtype.newbyteorder("=")
        recording, stream, out = self.recording, self.stream, None
        for a, b in _steps(start, stop, PIECE_BYTES // stream.item_bytes):
            first = self.first + a
            raw = recording.module.read_signal(
                recording.reading, stream, first, self.first + b, positions
            )
            if not scale and b - a == stop - start and raw.flags.c_contiguous:
                out = raw.astype(dtype, copy=False)
                break
            out = np.empty((stop - start, width), dtype) if out is None else out
            target = out[a - start : b - start]
            if scale:
                self.scaling.into(raw, target, channels)
            else:
                np.copyto(target, raw)
        out = np.empty((0, width), dtype) if out is None else out
        return out[:, 0] if self.is_plain else out

    def read_image(self, start: int, stop: int, channels: Channels, scale: bool) -> NDArray[Any]:
        """Read frames as rows of pixels."""
        pixels = int(np.prod(self.stream.item_shape))
        picked: Any = slice(None) if channels is None else channels
        width = len(np.arange(pixels)[picked])
        dtype = self.scaling.dtype if scale else self.stream.dtype.newbyteorder("=")
        out = np.empty((stop - start, width), dtype)
        for a, b in _steps(start, stop, PIECE_BYTES // self.stream.item_bytes):
            frames = self.recording.module.read_signal(
                self.recording.reading, self.stream, self.first + a, self.first + b, None
            )
            raw = frames.reshape(b - a, pixels)[:, picked]
            target = out[a - start : b - start]
            if scale:
                scaled(raw, self.scaling.gain[0], self.scaling.offset[0], dtype=dtype, out=target)
            else:
                np.copyto(target, raw)
        return out


def _near(
    starts: NDArray[np.int64], stops: NDArray[np.int64], item_bytes: int
) -> Iterator[tuple[int, int]]:
    """Join ranges, whose starts do not decrease, where little lies between them."""
    far = np.flatnonzero((starts[1:] - stops[:-1]) * item_bytes > GAP_BYTES) + 1
    most = max(1, PIECE_BYTES // item_bytes)
    for a, b in pairwise([0, *far.tolist(), len(starts)]):
        at = a
        while at < b:
            end = int(np.searchsorted(stops[at:b], starts[at] + most, "right"))
            yield at, at + max(1, end)
            at += max(1, end)


def _steps(start: int, stop: int, rows: int) -> Iterator[tuple[int, int]]:
    """Cut a range into ranges of at most `rows` rows, one at least."""
    step = max(1, rows)
    for first in range(start, stop, step):
        yield first, min(first + step, stop)


@dataclass(frozen=True, slots=True)
class _Items:
    """The items of one segment in a table; of spikes, those of one unit."""

    recording: Recording
    table: TableStream
    run: int | None
    unit: int | None

    @classmethod
    def of(cls, recording: Recording, table: TableStream, address: Mapping[str, Any]) -> _Items:
        run, unit = address["run"], address.get("unit")
        if run is not None and not 0 <= run < len(table.runs):
            raise IndexError(run)
        if table.kind == "spikes" and (unit is None or not 0 <= unit < len(table.units)):
            raise IndexError(unit)
        return cls(recording, table, run, unit)

    @property
    def length(self) -> int:
        """Number of items."""
        if self.run is None:
            return 0
        if self.table.kind == "spikes":
            return int(self.table.unit_counts[self.unit, self.run])
        return int(self.table.runs["count"][self.run])

    def column(self, name: str, start: int, stop: int) -> Iterator[NDArray[Any]]:
        """Read a column of items [start, stop), in pieces."""
        for a, b in self._pieces(name, start, stop):
            run = self.run or 0
            if self.unit is not None:
                yield self.recording.read_unit(self.table, run, self.unit, a, b, [name])[name]
                continue
            first = int(self.table.runs["first"][run])
            yield self.recording.read_table(self.table, first + a, first + b, [name])[name]

    def _pieces(self, name: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Cut a range so that little is read at a time, of other units too."""
        rows = max(1, PIECE_BYTES // max(1, self.table.columns[name].itemsize))
        if self.unit is None or self.run is None:
            yield from _steps(start, stop, rows)
            return
        places = self.recording.unit_rows(self.table, self.run)[self.unit]
        while start < stop:
            reach = int(np.searchsorted(places, places[start] + min(rows, SPAN_ITEMS)))
            yield start, min(reach, stop)
            start = min(reach, stop)


def _table_array(
    items: _Items, name: str, dtype: Any, convert: Convert, **facts: Any
) -> RecordedArray:
    """Give a column as an array; `convert` makes the values of a piece."""
    stored = items.table.columns[name]
    shape = (items.length, *facts.pop("inner", ()))

    def read(start: int, stop: int, channels: Channels, scale: bool) -> NDArray[Any]:
        picked: Any = slice(None) if channels is None else channels
        pieces = [
            convert(piece, scale)[:, picked] if len(shape) > 1 else convert(piece, scale)
            for piece in items.column(name, start, stop)
        ]
        if len(pieces) == 1:
            return np.ascontiguousarray(pieces[0])
        width = shape[1:] if len(shape) < 2 else (len(np.arange(shape[1])[picked]), *shape[2:])
        kind = dtype if scale else facts.get("stored_dtype", dtype)
        return np.concatenate([np.empty((0, *width), kind), *pieces], dtype=kind)

    facts.setdefault("stored_dtype", dtype)
    return RecordedArray(
        dtype=dtype, shape=shape, row_bytes=max(1, stored.itemsize), _read=read, **facts
    )


def _times(name: str, recording: Recording, table: TableStream, address: Any) -> RecordedArray:
    """Give times or durations, in seconds."""
    items = _Items.of(recording, table, address)
    is_sorted = address.get("sorted") if name == "tick" else None

    def convert(ticks: NDArray[Any], scale: bool) -> NDArray[Any]:
        return seconds(ticks, table.clock)

    return _table_array(items, name, np.dtype(np.float64), convert, is_sorted=is_sorted)


def _labels(recording: Recording, table: TableStream, address: Any) -> RecordedArray:
    """Give labels as UTF-8."""
    dtype = np.dtype(f"S{address['width']}")

    def convert(labels: NDArray[Any], scale: bool) -> NDArray[Any]:
        return encoded_labels(labels).astype(dtype)

    return _table_array(_Items.of(recording, table, address), "label", dtype, convert)


def encoded_labels(labels: NDArray[Any]) -> NDArray[np.bytes_]:
    """Give texts as UTF-8 padded with zeros; characters that it lacks become question marks."""
    texts = np.asarray(labels).astype(np.str_)
    try:
        return texts.astype(np.bytes_)  # quick, for plain ASCII
    except UnicodeEncodeError:
        return np.char.encode(texts, "utf-8", "replace")


def _values(recording: Recording, table: TableStream, address: Any) -> RecordedArray:
    """Give the values of irregular samples."""
    chosen, channels = address.get("channels"), table.channels
    if channels is None:
        raise KeyError("channels")
    positions: Any = slice(None) if chosen is None else np.array(chosen, np.intp)
    column = table.columns["value"]
    dtype, gain, offset = scaled_dtype(column.base), channels.gain[positions], channels.offset
    offset = offset[positions]
    width = len(gain)
    stored = column.base.newbyteorder("=")

    def convert(raw: NDArray[Any], scale: bool) -> NDArray[Any]:
        picked = raw.reshape(len(raw), -1)[:, positions]
        values = scaled(picked, gain, offset, dtype=dtype) if scale else picked.astype(stored)
        return values[:, 0] if width == 1 else values

    names = channels.names if chosen is None else tuple(channels.names[at] for at in chosen)
    return _table_array(
        _Items.of(recording, table, address),
        "value",
        dtype,
        convert,
        inner=() if width == 1 else (width,),
        stored_dtype=stored,
        channel_names=() if width == 1 else names,
        **_factors(gain, offset, dtype),
    )


def _waveforms(recording: Recording, table: TableStream, address: Any) -> RecordedArray:
    """Give the waveforms of spikes: spikes x channels x samples."""
    layout, column = table.waveforms, table.columns["waveform"]
    if layout is None:
        raise KeyError("waveforms")
    dtype, stored = scaled_dtype(column.base), column.base.newbyteorder("=")

    def convert(raw: NDArray[Any], scale: bool) -> NDArray[Any]:
        if scale:
            return scaled(raw, layout.gain, layout.offset, dtype=dtype)
        return raw.astype(stored, copy=False)

    return _table_array(
        _Items.of(recording, table, address),
        "waveform",
        dtype,
        convert,
        inner=column.shape,
        stored_dtype=stored,
        **_factors(np.array([layout.gain]), np.array([layout.offset]), dtype),
    )


def _factors(gain: NDArray[Any], offset: NDArray[Any], dtype: Any) -> dict[str, Any]:
    if Scaling.of(gain, offset, dtype).is_identity:
        return {}
    return {"gain": gain, "offset": offset}


_TABLE_FIELDS: Mapping[str, Callable[..., RecordedArray]] = {
    "times": partial(_times, "tick"),
    "durations": partial(_times, "duration"),
    "labels": _labels,
    "signal": _values,
    "waveforms": _waveforms,
}
