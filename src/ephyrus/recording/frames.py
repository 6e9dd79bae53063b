"""Signals and tables as xarray, dask and pandas objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.extras import optional_module
from ephyrus._shared.words import free_name
from ephyrus.recording.clock import sample_times, seconds
from ephyrus.recording.lazyarrays import SampleTimes, SignalReader, lazy_array
from ephyrus.recording.limits import PIECE_BYTES
from ephyrus.recording.recording import Recording
from ephyrus.recording.scale import scaled as to_units
from ephyrus.recording.select import ChannelSelection, StreamKey, item_range
from ephyrus.recording.streams import Channels, SignalStream, TableStream, Waveforms
from ephyrus.recording.times import item_times, run_positions

__all__ = ["signal_or_table", "to_dask", "to_pandas", "to_xarray"]


def to_xarray(
    recording: Recording,
    stream: StreamKey | SignalStream = 0,
    *,
    start: int = 0,
    stop: int | None = None,
    channels: ChannelSelection = None,
    run: int | None = None,
    by_segment: bool = False,
    scaled: bool = True,
    lazy: bool = False,
    piece_bytes: int = PIECE_BYTES,
) -> Any:
    """Give a signal as an ``xarray.DataArray``.

    Parameters
    ----------
    recording : Recording
        What to read from.
    stream : int, str or SignalStream
        Which signal.
    start, stop : int
        Half-open sample range: within the stream, or, with `run` or `by_segment`, within each run.
    channels : int, str, slice or sequence, optional
        Positions, names, or a mask (default: all).
    run : int, optional
        Give one run only.
    by_segment : bool
        Give sweeps of equal length as a third dimension.
    scaled : bool
        Give physical units; False: stored numbers.
    lazy : bool
        Hold a dask array (extra ``dask``); nothing is read before it is computed.
    piece_bytes : int
        Most bytes of one piece of a lazy array (at least one sample is).

    Returns
    -------
    xarray.DataArray
        Dimensions ``time`` and ``channel`` (images: ``time``, ``row``, ``column``), and before them
        ``segment`` with `by_segment`. Coordinates: ``time`` in seconds, ``channel`` (names),
        ``channel_id``, ``unit``, and further columns of the channels table. With `by_segment`,
        ``time`` counts from the beginning of each sweep, ``t_start`` tells when that was, and
        ``segment`` holds the segments' positions. ``attrs``: ``units`` if all channels share one,
        ``sampling_rate`` in Hz, ``stream_id``, ``format``, ``path``.

    Raises
    ------
    MissingExtraError
        If xarray, or dask for `lazy`, is not installed.
    ValueError
        If `by_segment` is asked for and the runs are not one per segment and equally long.
    IndexError
        If the range, the run or a channel is not in the stream.
    LimitError
        If the recording's limits do not allow so much at once.

    Notes
    -----
    The times of a lazy array are a lazy coordinate without an index, so that a recording of any
    length can be opened: cut with ``isel``, then ``set_xindex("time")`` makes the times an index.
    """
    xarray = optional_module("xarray", "xarray", "Recording.to_xarray")
    found = recording.signal(stream)
    if by_segment and run is not None:
        raise ValueError("give run=... for one sweep or by_segment=True for all, not both")
    ranges = [_sample_range(found, start, stop, run)]
    if by_segment:
        _check_sweeps(found)
        ranges = [_sample_range(found, start, stop, each) for each in range(len(found.runs))]
    reader = SignalReader(recording, found, channels, scaled=scaled)
    data: Any = [reader.array(*each, lazy=lazy, piece_bytes=piece_bytes) for each in ranges]
    dims: tuple[str, ...] = ("time", "row", "column") if reader.is_image else ("time", "channel")
    coords = {} if reader.is_image else _channel_coords(found, reader.channels, scaled=scaled)
    if by_segment:
        dims = ("segment", *dims)
        coords |= _sweep_coords(recording, found, *ranges[0])
        data = _stacked(data, lazy=lazy)
    else:
        (data,) = data
        coords |= {} if lazy else {"time": ("time", item_times(found, np.arange(*ranges[0])))}
    attributes = _attributes(recording, found, reader.channels, scaled=scaled)
    result = xarray.DataArray(data, coords, dims, found.name, attributes)
    if by_segment or not lazy:
        return result
    times = lazy_array(SampleTimes(reader.source, *ranges[0]), f"times-{reader.token}", piece_bytes)
    return result.assign_coords(xarray.Coordinates({"time": ("time", times)}, indexes={}))


def to_dask(
    recording: Recording,
    stream: StreamKey | SignalStream = 0,
    *,
    start: int = 0,
    stop: int | None = None,
    channels: ChannelSelection = None,
    scaled: bool = True,
    piece_bytes: int = PIECE_BYTES,
) -> Any:
    """Give a signal as a ``dask.array`` that reads when it is computed.

    Parameters
    ----------
    recording : Recording
        What to read from.
    stream : int, str or SignalStream
        Which signal.
    start, stop : int
        Half-open sample range; `stop` None: to the end.
    channels : int, str, slice or sequence, optional
        Positions, names, or a mask (default: all).
    scaled : bool
        Give physical units; False: stored numbers.
    piece_bytes : int
        Most bytes of one piece (at least one sample is).

    Returns
    -------
    dask.array.Array, shape (samples, channels), for images (samples, rows, columns)
        One task per piece along time. A task holds the recipe of the recording, not data: it works
        with every scheduler, and each worker process opens the recording once. A slice of the array
        reads only the samples and channels that it needs.

    Raises
    ------
    MissingExtraError
        If dask is not installed.
    IndexError
        If the range or a channel is not in the stream.
    """
    found = recording.signal(stream)
    first, last = item_range(start, stop, found.length, found.name)
    reader = SignalReader(recording, found, channels, scaled=scaled)
    return reader.array(first, last, lazy=True, piece_bytes=piece_bytes)


def to_pandas(
    recording: Recording,
    stream: StreamKey | SignalStream | TableStream = 0,
    *,
    start: int = 0,
    stop: int | None = None,
    channels: ChannelSelection = None,
    columns: Iterable[str] | None = None,
    scaled: bool = True,
) -> Any:
    """Give a signal or a table as a ``pandas.DataFrame``.

    Parameters
    ----------
    recording : Recording
        What to read from.
    stream : int, str, SignalStream or TableStream
        A signal by position, id or name, or a table by id or name; or the stream itself.
    start, stop : int
        Half-open range of samples or items; `stop` None: to the end.
    channels : int, str, slice or sequence, optional
        Signals: positions, names, or a mask (default: all).
    columns : iterable of str, optional
        Tables: names of the fields (default: all but waveforms).
    scaled : bool
        Signals, values and waveforms in physical units; False: stored numbers.

    Returns
    -------
    pandas.DataFrame
        Signals: one column per channel, the index is the time in seconds. Tables: the index is the
        item's position; ticks become a column ``time``, durations are in seconds, each channel of
        irregular samples is a column, and ``segment`` is the segment each item belongs to.
        Fields with several numbers per item become numbered columns, waveforms a column of arrays
        (channels, samples). A name that is taken gets an underscore. ``attrs["units"]`` gives
        units by column.

    Raises
    ------
    MissingExtraError
        If pandas is not installed.
    KeyError
        If there is no such signal, table or field.
    TypeError
        If channels are chosen from a table, or fields from a signal.
    ValueError
        If the signal consists of images.
    """
    pandas = optional_module("pandas", "pandas", "Recording.to_pandas")
    found = signal_or_table(recording, stream)
    if isinstance(found, TableStream):
        if channels is not None:
            raise TypeError(f"{found.name!r} is a table: choose from its fields by columns=...")
        first, last = item_range(start, stop, found.length, found.name)
        fields = recording.read_table(found, first, last, columns)
        table, units = _table_columns(found, fields, first, scaled=scaled)
        index = pandas.RangeIndex(first, last, name="item")
        frame = pandas.DataFrame(table, index=index)
    else:
        if columns is not None:
            raise TypeError(f"{found.name!r} is a signal: choose from it by channels=...")
        frame, units = _signal_frame(pandas, recording, found, (start, stop), channels, scaled)
    frame.attrs["units"] = units
    return frame


def _stacked(sweeps: list[Any], *, lazy: bool) -> Any:
    if not lazy:
        return np.stack(sweeps)
    return optional_module("dask.array", "dask", "Recording.to_dask").stack(sweeps)


def _sample_range(
    stream: SignalStream, start: int, stop: int | None, run: int | None
) -> tuple[int, int]:
    """Give positions in the stream of a range of the stream or of one of its runs."""
    if run is None:
        return item_range(start, stop, stream.length, stream.name)
    if not -len(stream.runs) <= run < len(stream.runs):
        raise IndexError(f"{stream.name!r} has {len(stream.runs)} runs, asked for {run}")
    begin, count = int(stream.runs["first"][run]), int(stream.runs["count"][run])
    start, stop = item_range(start, stop, count, f"run {run} of {stream.name}")
    return begin + start, begin + stop


def _check_sweeps(stream: SignalStream) -> None:
    """Refuse runs that do not make a third dimension."""
    counts, segments = stream.runs["count"], stream.runs["segment"]
    if len(counts) == 0 or np.any(counts != counts[0]):
        lengths = ", ".join(f"{count:,}" for count in np.unique(counts)[:5].tolist()) or "none"
        raise ValueError(
            f"the runs of {stream.name!r} are not equally long ({lengths} samples); "
            "take them one by one with run=..."
        )
    if len(np.unique(segments)) != len(segments):
        raise ValueError(
            f"a segment of {stream.name!r} has several runs (there are gaps in it); "
            "take them one by one with run=..."
        )


def _channel_coords(
    stream: SignalStream, channels: NDArray[np.intp], *, scaled: bool
) -> dict[str, Any]:
    """Make the coordinates along the channel dimension."""
    table = stream.channels
    coords: dict[str, Any] = {
        "channel": ("channel", np.array(table.names, object)[channels]),
        "channel_id": ("channel", np.array(table.ids, object)[channels]),
        "unit": ("channel", np.array(table.units, object)[channels]),
    }
    if not scaled:
        coords["gain"] = ("channel", table.gain[channels])
        coords["offset"] = ("channel", table.offset[channels])
    reserved = {*coords, "time", "segment", "segment_name", "t_start"}
    for key, column in table.extra.items():
        flat: dict[str, NDArray[Any]] = {}
        _add_flat(key, column[channels], flat)
        for name, values in flat.items():
            free = free_name(name, reserved)
            reserved.add(free)
            coords[free] = ("channel", values)
    return coords


def _sweep_coords(
    recording: Recording, stream: SignalStream, first: int, last: int
) -> dict[str, Any]:
    """Make the coordinates of sweeps; `first` and `last` are those of the first sweep."""
    runs = stream.runs
    samples = np.arange(first, last) - int(runs["first"][0])
    names = [recording.segments[segment].name or "" for segment in runs["segment"].tolist()]
    return {
        "segment": ("segment", runs["segment"].astype(np.int64)),
        "segment_name": ("segment", np.array(names, object)),
        "t_start": ("segment", seconds(runs["tick"], stream.clock)),
        "time": ("time", sample_times(0, stream.clock, samples, stream.rate)),
    }


def _attributes(
    recording: Recording, stream: SignalStream, channels: NDArray[np.intp], *, scaled: bool
) -> dict[str, Any]:
    units = {stream.channels.units[channel] for channel in channels.tolist()}
    attributes = {"units": units.pop()} if scaled and len(units) == 1 else {}
    return attributes | {
        "sampling_rate": float(stream.rate),
        "stream_id": stream.id,
        "format": recording.format.name,
        "path": recording.path,
    }


def signal_or_table(
    recording: Recording, key: StreamKey | SignalStream | TableStream
) -> SignalStream | TableStream:
    """Find a stream; a text may name a signal or a table, a number is that of a signal.

    Raises
    ------
    KeyError
        If there is none; the message lists those that exist.
    """
    if isinstance(key, TableStream):
        return key
    if isinstance(key, SignalStream | int):
        return recording.signal(key)
    try:
        return recording.signal(key)
    except KeyError as no_signal:
        try:
            return recording.table(key)
        except KeyError as no_table:
            raise KeyError(f"{no_signal.args[0]}; {no_table.args[0]}") from None


def _signal_frame(
    pandas: Any,
    recording: Recording,
    stream: SignalStream,
    limits: tuple[int, int | None],
    channels: ChannelSelection,
    scaled: bool,
) -> tuple[Any, dict[str, str]]:
    """Make a DataFrame of a signal, and its units by column."""
    if len(stream.item_shape) > 1:
        raise ValueError(f"{stream.name!r} consists of images: use to_xarray or to_dask")
    first, last = item_range(*limits, stream.length, stream.name)
    reader = SignalReader(recording, stream, channels, scaled=scaled)
    data = reader.array(first, last, lazy=False, piece_bytes=PIECE_BYTES)
    names = [stream.channels.names[channel] for channel in reader.channels]
    index = pandas.Index(item_times(stream, np.arange(first, last)), name="time")
    units = {"time": "s"}
    if scaled:
        units |= {
            name: stream.channels.units[channel]
            for name, channel in zip(names, reader.channels.tolist(), strict=True)
        }
    return pandas.DataFrame(data, index=index, columns=names), units


def _table_columns(
    stream: TableStream, fields: Mapping[str, NDArray[Any]], first: int, *, scaled: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Make the columns of a table's DataFrame, and units by column."""
    made: dict[str, Any] = {}
    units: dict[str, str] = {}
    length = next((len(field) for field in fields.values()), 0)
    for name, field in fields.items():
        if name in ("tick", "duration"):
            column = free_name("time" if name == "tick" else name, made)
            made[column], units[column] = seconds(field, stream.clock), "s"
        elif name == "value" and stream.channels is not None:
            _add_values(stream.channels, field, made, units, scaled=scaled)
        elif name == "waveform" and stream.waveforms is not None:
            _add_waveforms(stream.waveforms, field, made, units, scaled=scaled)
        else:
            _add_flat(name, field, made)
    runs = run_positions(stream, np.arange(first, first + length))
    made[free_name("segment", made)] = stream.runs["segment"][runs].astype(np.int64)
    return made, units


def _add_values(
    table: Channels,
    field: NDArray[Any],
    made: dict[str, Any],
    units: dict[str, str],
    *,
    scaled: bool,
) -> None:
    """Add one column per channel of irregular samples."""
    values = to_units(field, table.gain, table.offset) if scaled else field
    for channel, name in enumerate(table.names):
        column = free_name(name, made)
        made[column] = values[:, channel]
        if scaled:
            units[column] = table.units[channel]


def _add_waveforms(
    described: Waveforms,
    field: NDArray[Any],
    made: dict[str, Any],
    units: dict[str, str],
    *,
    scaled: bool,
) -> None:
    """Add a column whose cells are arrays (channels, samples)."""
    cells = to_units(field, described.gain, described.offset) if scaled else field
    column = np.empty(len(cells), object)
    for item, cell in enumerate(cells):
        column[item] = cell
    made["waveform"] = column
    if scaled:
        units["waveform"] = described.unit


def _add_flat(name: str, field: NDArray[Any], made: dict[str, Any]) -> None:
    """Add a field: one column, or numbered columns if an item has several numbers."""
    if field.ndim == 1:
        made[free_name(name, made)] = field
        return
    for number, column in enumerate(field.reshape(len(field), -1).T):
        made[free_name(f"{name}_{number}", made)] = column
