"""Where samples and markers lie, the descriptors, and reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ephyrus.errors import TruncatedError
from ephyrus.formats.brainvision.header import Header
from ephyrus.formats.brainvision.markers import (
    Markers,
    MarkerTable,
    marker_tables,
    read_markers,
)
from ephyrus.formats.brainvision.textdata import TextIndex, index_text, read_text_data
from ephyrus.recording import (
    BlockInfo,
    ByteSource,
    Channels,
    Opening,
    Reading,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    columns,
    run_table,
    seconds,
)
from ephyrus.recording.files import MappedSource, MemorySource
from ephyrus.recording.sampleplaces import EvenRows, PieceRows, Pieces, SamplePlaces

__all__ = ["Index", "describe", "index", "read_signal", "read_table", "sample_places"]

_LABEL_BYTES = 64 * 2**20  # labels of very unequal length are not made one array of equal lengths


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Where samples and markers lie.

    Attributes
    ----------
    points, channels : int
        Samples per channel, and channels that are read.
    stride : int
        Vectorized binary data: samples from one channel's beginning to the next.
    text : TextIndex or None
        Present if data are text.
    segments : tuple of int
        First sample of each segment.
    rec_datetimes : tuple of datetime or None
        When each segment began; the first is that of the recording.
    tables : tuple of MarkerTable
        Markers by type.
    """

    points: int
    channels: int
    stride: int
    text: TextIndex | None
    segments: tuple[int, ...]
    rec_datetimes: tuple[datetime | None, ...]
    tables: tuple[MarkerTable, ...]


def index(opening: Opening, header: Header) -> Index:
    """Find how many samples there are, and read the markers."""
    text = None
    if header.text is not None:
        text = index_text(opening, header, header.text)
        points, channels, stride = text.points, text.channels, 0
        _note_points(opening, header, points)
    else:
        points, channels, stride = _binary_extent(opening, header)
    starts = _segment_starts(opening, header, points)
    markers = read_markers(opening, header.marker_file)
    path = (
        header.path if header.marker_file is None else opening.files.source(header.marker_file).name
    )
    length = _segment_length(opening, header)
    end = None if length is None else starts[-1] + length
    tables = marker_tables(opening, markers, points, starts, end, path)
    dates = _segment_dates(markers, starts)
    return Index(points, channels, stride, text, tuple(starts), dates, tuple(tables))


def _binary_extent(opening: Opening, header: Header) -> tuple[int, int, int]:
    """Give samples, channels, and samples between the beginnings of channels."""
    source = opening.files.source(header.data_file)
    item = header.dtype.itemsize
    frame = header.stored_channels * item
    count, promised = len(header.channels), header.data_points
    points, rest = divmod(source.size, frame)
    if header.is_vectorized and promised is not None and promised != points:
        if promised > points:
            return _cut_channels(opening, header, source)
        _note_points(opening, header, points, f"the first {promised:,} of each channel are read")
        return promised, count, promised
    if rest:
        opening.note(
            f"{source.size:,} bytes are not whole samples of {header.stored_channels} channels "
            f"({frame} bytes each); the last {rest} bytes are left out",
            path=source.name,
            offset=source.size - rest,
        )
    _note_points(opening, header, points)
    return points, count, points


def _cut_channels(opening: Opening, header: Header, source: ByteSource) -> tuple[int, int, int]:
    """Keep the channels that a vectorized file holds whole; its end tells nothing of the others."""
    promised = header.data_points or 0
    whole = min(source.size // (promised * header.dtype.itemsize), len(header.channels))
    needed = promised * header.stored_channels * header.dtype.itemsize
    error = TruncatedError(
        source.name,
        f"{header.stored_channels} channels of {promised:,} points one behind the other need "
        f"{needed:,} bytes, the file has {source.size:,}; correct DataPoints in the header if it "
        f"is wrong (salvage keeps the {whole} channels that are whole)",
        field="[Common Infos] DataPoints",
    )
    if whole == 0:
        raise error
    opening.damaged(error, lost=len(header.channels) - whole)
    return promised, whole, promised


def _note_points(
    opening: Opening, header: Header, points: int, what: str = "the file is right"
) -> None:
    if header.data_points not in (None, points):
        opening.note(
            f"DataPoints={header.data_points:,}, the data file holds {points:,}; {what}",
            path=header.path,
            field="[Common Infos] DataPoints",
        )


def _segment_length(opening: Opening, header: Header) -> int | None:
    """Give the length of the segments, where there are such and they were asked for."""
    return header.segment_points if opening.options.get("segmented") else None


def _segment_starts(opening: Opening, header: Header, points: int) -> list[int]:
    """Give the first samples of the segments."""
    length = _segment_length(opening, header)
    if length is None:
        if opening.options.get("segmented"):
            opening.note(
                "segmented=True: the header tells of no segments of equal length "
                "(SegmentationType=MARKERBASED, SegmentDataPoints); it is read as one",
                path=header.path,
                field="[Common Infos] SegmentationType",
            )
        return [0]
    if points % length:
        opening.note(
            f"{points:,} points are not whole segments of {length:,}; the last one is shorter",
            path=header.path,
            field="[Common Infos] SegmentDataPoints",
        )
    return list(range(0, points, length)) or [0]


def _segment_dates(markers: Markers, starts: Sequence[int]) -> tuple[datetime | None, ...]:
    """Tell when each segment began, by the dated marker at its first sample."""
    dated = markers.beginnings()
    if len(starts) == 1:
        return (dated[0][1] if dated else None,)
    by_sample = {position - 1: date for position, date in reversed(dated)}
    return tuple(by_sample.get(start) for start in starts)


def describe(header: Header, index: Index) -> RecordingInfo:
    """Build the descriptors."""
    counts = np.diff([*index.segments, index.points])
    stream = SignalStream(
        index=0,
        id="0",
        name="Signals",
        length=index.points,
        dtype=header.dtype,
        rate=header.rate,
        channels=_first_channels(header.channels, index.channels),
        runs=run_table(counts, 0),
        clock=header.rate,
    )
    began = next((date for date in index.rec_datetimes if date is not None), None)
    return RecordingInfo(
        segments=tuple(SegmentInfo(rec_datetime=date) for date in index.rec_datetimes),
        blocks=(BlockInfo(None, header.annotations, began),),
        signals=(stream,),
        tables=tuple(_table(i, table, header.rate) for i, table in enumerate(index.tables)),
        software=header.software,
    )


def _first_channels(channels: Channels, count: int) -> Channels:
    """Leave out the channels that a damaged file does not hold."""
    if count == len(channels):
        return channels
    return Channels.table(
        channels.names[:count],
        ids=channels.ids[:count],
        units=channels.units[:count],
        gain=channels.gain[:count],
        extra={key: column[:count] for key, column in channels.extra.items()},
    )


def _table(number: int, table: MarkerTable, rate: Fraction) -> TableStream:
    dtypes = columns(tick="<i8", label=object, durations="<f8", channels="<i8")
    if "dates" in table.columns:
        dtypes = columns(**dtypes, dates=object)
    return TableStream(
        index=number,
        id=table.name,
        name=table.name,
        kind="events",
        length=len(table.columns["tick"]),
        columns=dtypes,
        clock=rate,
        runs=table.runs,
    )


def read_signal(
    reading: Reading[Header, Index],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored numbers of samples [start, stop), a view of the file where that is possible."""
    header, index = reading.header, reading.index
    source = reading.files.source(header.data_file)
    if index.text is not None:
        return read_text_data(source, header, index.text, start, stop, channels)
    chosen = _as_slice(channels, index.channels)
    if header.is_vectorized:
        return _vectorized(source, header.dtype, index.stride, start, stop, chosen)
    stored = header.stored_channels
    first = start * stored * header.dtype.itemsize
    block = source.array(first, header.dtype, (stop - start) * stored, field="data")
    return block.reshape(-1, stored)[:, chosen]


def sample_places(
    reading: Reading[Header, Index], stream: SignalStream, run: int
) -> SamplePlaces | None:
    """Tell where the samples of a segment lie; None: they are text."""
    header, index = reading.header, reading.index
    if index.text is not None:
        return None
    first, item = int(stream.runs["first"][run]), header.dtype.itemsize
    source = reading.files.source(header.data_file)
    if not header.is_vectorized:
        width = header.stored_channels
        return EvenRows(source, first * width * item, header.dtype, width)
    offsets = np.arange(index.channels) * index.stride * item
    ends = np.array([0, stream.length])
    channels = [
        Pieces(source, offsets[at : at + 1], ends, header.dtype) for at in range(len(offsets))
    ]
    return PieceRows(channels, first)


def _as_slice(channels: NDArray[np.intp] | None, count: int) -> slice | NDArray[np.intp]:
    """Give neighbouring channels as a slice, which costs no copy."""
    if channels is None:
        return slice(0, count)
    if channels.size and np.all(np.diff(channels) == 1):
        return slice(int(channels[0]), int(channels[-1]) + 1)
    return channels


def _vectorized(
    source: ByteSource,
    dtype: np.dtype[Any],
    stride: int,
    start: int,
    stop: int,
    chosen: slice | NDArray[np.intp],
) -> NDArray[Any]:
    """Read a range of each channel: mapped neighbours as one view, else each on its own."""
    count, item = stop - start, dtype.itemsize
    if isinstance(chosen, slice):
        width = chosen.stop - chosen.start
        is_free = isinstance(source, MappedSource | MemorySource) or width == 1
        if is_free and count:
            offset = (chosen.start * stride + start) * item
            span = source.array(offset, dtype, (width - 1) * stride + count, field="data")
            return as_strided(span, (count, width), (item, stride * item), writeable=False)
        chosen = np.arange(chosen.start, chosen.stop)
    result = np.empty((chosen.size, count), dtype)
    for row, channel in enumerate(chosen):
        offset = (int(channel) * stride + start) * item
        result[row] = source.array(offset, dtype, count, field="data")
    return result.T


def read_table(
    reading: Reading[Header, Index],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of markers [start, stop)."""
    stored = reading.index.tables[stream.index].columns
    found = {name: stored[name][start:stop] for name in columns}
    if "durations" in found:
        found["durations"] = seconds(found["durations"], reading.header.rate)
    for name in {"label", "dates"} & found.keys():
        found[name] = _texts(found[name])
    return found


def _texts(labels: NDArray[Any]) -> NDArray[Any]:
    """Give texts as a string array, unless one long text among many would fill the memory."""
    longest = max(map(len, labels), default=0)
    return labels if 4 * longest * len(labels) > _LABEL_BYTES else labels.astype(str)
