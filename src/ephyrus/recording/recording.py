"""`Recording`: an open file, whatever its format."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.arena import Allocate
from ephyrus.recording.declaration import Format, FormatModule, Opening, Reading
from ephyrus.recording.files import FileSet
from ephyrus.recording.limits import PIECE_BYTES, Limits, NullProgress, Progress, pieces
from ephyrus.recording.scale import scaled, scaled_dtype
from ephyrus.recording.select import (
    ChannelSelection,
    StreamKey,
    channel_positions,
    find_stream,
    item_range,
    with_extents,
)
from ephyrus.recording.streams import (
    BlockInfo,
    Problem,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
)

if TYPE_CHECKING:
    from ephyrus.core import Block

__all__ = ["Recording"]

SCALED_BYTES = 8 * 2**20  # stored numbers that are scaled at once: they are still in the cache

_NO_RUNS = np.empty(0, np.intp)
_NO_RUNS.flags.writeable = False


class Recording:
    """An open recording: a header plus streams, read piece by piece.

    Made by :func:`ephyrus.open`. Opening reads the header (and, for formats that need it, walks
    the file); no samples are read before they are asked for. All methods may be called from several
    threads. A pickled recording holds its path and options, not its data, and opens the file again
    where it is unpickled. After :meth:`close` the files are released; reading again opens them.

    Parameters
    ----------
    module : FormatModule
        The format.
    files : FileSet
        Its files.
    options : mapping, optional
        Options of the format.
    salvage : bool
        Read what is sound of a damaged file and list the rest in :attr:`problems`.
    progress : Progress, optional
        Told about a long walk.
    limits : Limits, optional
        What one read may cost.

    Attributes
    ----------
    info : RecordingInfo
        All descriptors.
    problems : tuple of Problem
        What was salvaged, assumed or ignored.
    """

    def __init__(
        self,
        module: FormatModule,
        files: FileSet,
        options: Mapping[str, Any] | None = None,
        *,
        salvage: bool = False,
        progress: Progress | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._module = module
        self._options = dict(options or {})
        self._salvage = salvage
        self._lock = threading.Lock()
        self._runs_of_segments: dict[int, tuple[object, dict[int, NDArray[np.intp]]]] = {}
        self._unit_rows: dict[tuple[int, int], list[NDArray[np.intp]]] = {}
        self.limits = limits or Limits()
        opening = Opening(
            files,
            module.FORMAT.option_values(self._options),
            salvage=salvage,
            progress=progress or NullProgress(),
            format_name=module.FORMAT.name,
        )
        try:
            header = module.parse_header(opening)
            index = module.index(opening, header)
            info = module.describe(header, index)
        except BaseException:
            files.close()
            raise
        self._reading: Reading[Any, Any] = Reading(files, header, index)
        self.info: RecordingInfo = info
        self.problems: tuple[Problem, ...] = tuple(opening.problems)
        self.segments: tuple[SegmentInfo, ...] = with_extents(info)

    @property
    def format(self) -> Format:
        """Declaration of the format."""
        return self._module.FORMAT

    @property
    def module(self) -> FormatModule:
        """The format's functions."""
        return self._module

    @property
    def path(self) -> str:
        """Path or address of the main file."""
        return self._reading.files.address

    @property
    def reading(self) -> Reading[Any, Any]:
        """Files, header and index, as the format's own functions know them."""
        return self._reading

    @property
    def options(self) -> Mapping[str, Any]:
        """Options as given when the recording was opened."""
        return dict(self._options)

    @property
    def blocks(self) -> tuple[BlockInfo, ...]:
        """Blocks, in order."""
        return self.info.blocks

    @property
    def signals(self) -> tuple[SignalStream, ...]:
        """Recorded signals."""
        return self.info.signals

    @property
    def stimuli(self) -> tuple[SignalStream, ...]:
        """Command signals of the protocol."""
        return self.info.stimuli

    @property
    def tables(self) -> tuple[TableStream, ...]:
        """Spikes, events, epochs and irregular samples."""
        return self.info.tables

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Facts of the whole recording."""
        return self.info.annotations

    def signal(self, key: StreamKey | SignalStream) -> SignalStream:
        """Find a signal stream by position, id or name.

        Raises
        ------
        KeyError
            If there is none; the message lists those that exist.
        """
        if isinstance(key, SignalStream):
            return key
        found: SignalStream = find_stream(key, self.signals, "signal")
        return found

    def table(self, key: StreamKey | TableStream) -> TableStream:
        """Find a table by position, id or name.

        Raises
        ------
        KeyError
            If there is none; the message lists those that exist.
        """
        return key if isinstance(key, TableStream) else find_stream(key, self.tables, "table")

    def read_signal(
        self,
        stream: StreamKey | SignalStream,
        start: int = 0,
        stop: int | None = None,
        channels: ChannelSelection = None,
    ) -> NDArray[Any]:
        """Read stored numbers of a signal.

        Parameters
        ----------
        stream : int, str or SignalStream
            Which signal.
        start, stop : int
            Half-open sample range within the stream; `stop` None: to its end.
        channels : int, str, slice or sequence, optional
            Positions, names, or a mask (default: all).

        Returns
        -------
        ndarray, shape (stop - start, channels), dtype of the stream
            Not scaled; may be a read-only view of the file.

        Raises
        ------
        IndexError
            If the range or a channel is not in the stream.
        FormatError
            If the bytes cannot be true.
        LimitError
            If the recording's limits do not allow so much at once.
        """
        found = self.signal(stream)
        start, stop = item_range(start, stop, found.length, found.name)
        chosen = channel_positions(found, channels)
        self.limits.check_read((stop - start) * _item_bytes(found, chosen), found.name)
        return self._module.read_signal(self._reading, found, start, stop, chosen)

    def read_table(
        self,
        stream: StreamKey | TableStream,
        start: int = 0,
        stop: int | None = None,
        columns: Iterable[str] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Read columns of a table.

        Parameters
        ----------
        stream : int, str or TableStream
            Which table.
        start, stop : int
            Half-open item range; `stop` None: to the end.
        columns : iterable of str, optional
            Names of the columns (default: all but waveforms).

        Returns
        -------
        dict of str to ndarray
            First axis of each: the items. Ticks are on the stream's clock.

        Raises
        ------
        IndexError, KeyError
            If the range or a column is not in the table.
        FormatError
            If the bytes cannot be true.
        LimitError
            If the recording's limits do not allow so much at once.
        """
        found = self.table(stream)
        start, stop = item_range(start, stop, found.length, found.name)
        wanted = (
            [name for name in found.columns if name != "waveform"]
            if columns is None
            else list(columns)
        )
        for name in wanted:
            if name not in found.columns:
                raise KeyError(
                    f"table {found.name!r} has no column {name!r}; it has {[*found.columns]}"
                )
        nbytes = sum(found.columns[name].itemsize for name in wanted) * (stop - start)
        self.limits.check_read(nbytes, found.name)
        return self._module.read_table(self._reading, found, start, stop, wanted)

    def read_unit(
        self, stream: TableStream, run: int, unit: int, start: int, stop: int, names: list[str]
    ) -> dict[str, NDArray[Any]]:
        """Read columns of items [start, stop) of one unit within a run; parameters are checked."""
        rows = self.unit_rows(stream, run)[unit][start:stop]
        first = int(stream.runs["first"][run])
        read_rows = getattr(self._module, "read_rows", None)
        if read_rows is not None:
            nbytes = sum(stream.columns[name].itemsize for name in names) * rows.size
            self.limits.check_read(nbytes, stream.name)
            return dict(read_rows(self._reading, stream, rows + first, names))
        begin, end = int(rows[0]), int(rows[-1]) + 1
        found = self.read_table(stream, first + begin, first + end, names)
        return {name: column[rows - begin] for name, column in found.items()}

    def read_scaled(
        self,
        stream: StreamKey | SignalStream,
        start: int = 0,
        stop: int | None = None,
        channels: ChannelSelection = None,
        *,
        dtype: np.dtype[Any] | None = None,
        allocate: Allocate = np.empty,
    ) -> NDArray[Any]:
        """Read a signal in physical units.

        Parameters
        ----------
        stream, start, stop, channels
            As for :meth:`read_signal`.
        dtype : numpy.dtype, optional
            Float type of the result (default: float32 for stored types of up to 16 bits and
            float32, else float64).
        allocate : callable
            ``allocate(shape, dtype)`` makes the result; see `Arena`.

        Returns
        -------
        ndarray of float, shape (stop - start, channels)
            In the units of ``stream.channels.units``; owned by the caller.
        """
        found = self.signal(stream)
        chosen = channel_positions(found, channels)
        start, stop = item_range(start, stop, found.length, found.name)
        item_bytes = _item_bytes(found, chosen)
        self.limits.check_read(item_bytes * (stop - start), found.name)
        table = found.channels
        picked: Any = slice(None) if chosen is None else chosen
        picked = 0 if len(found.item_shape) > 1 else picked
        gain, offset = table.gain[picked], table.offset[picked]
        if item_bytes * (stop - start) <= SCALED_BYTES:
            raw = self.read_signal(found, start, stop, chosen)
            return scaled(raw, gain, offset, dtype=dtype, allocate=allocate)
        shape = found.item_shape if chosen is None else (len(chosen),)
        result = allocate((stop - start, *shape), dtype or scaled_dtype(found.dtype))
        for first, last in pieces(start, stop, item_bytes, SCALED_BYTES):
            raw = self.read_signal(found, first, last, chosen)
            scaled(raw, gain, offset, dtype=dtype, out=result[first - start : last - start])
        return result

    def chunks(
        self,
        stream: StreamKey | SignalStream,
        start: int = 0,
        stop: int | None = None,
        channels: ChannelSelection = None,
        *,
        max_bytes: int = PIECE_BYTES,
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Iterate over a signal in physical units, in pieces of at most `max_bytes`.

        Yields
        ------
        first : int
            Index of the piece's first sample.
        values : ndarray of float, shape (samples, channels)
        """
        found = self.signal(stream)
        start, stop = item_range(start, stop, found.length, found.name)
        chosen = channel_positions(found, channels)
        item = 8 * (len(chosen) if chosen is not None else int(np.prod(found.item_shape)))
        for first, last in pieces(start, stop, item, max_bytes):
            yield first, self.read_scaled(found, first, last, chosen)

    def segment_runs(self, stream: SignalStream | TableStream, segment: int) -> NDArray[np.intp]:
        """Give the positions of a segment's runs in ``stream.runs``."""
        with self._lock:
            known = self._runs_of_segments.get(id(stream))
        if known is None:
            order = np.argsort(stream.runs["segment"], kind="stable")
            present, firsts = np.unique(stream.runs["segment"][order], return_index=True)
            split = np.split(order, firsts[1:])  # one empty part where there are no runs
            parts = dict(zip(present.tolist(), split, strict=False))
            known = stream, parts  # holds the stream: its id stays
            with self._lock:
                self._runs_of_segments[id(stream)] = known
        return known[1].get(segment, _NO_RUNS)

    @cached_property
    def segment_places(self) -> tuple[int, ...]:
        """Position of each segment within its block."""
        counts: Counter[int] = Counter()
        places = []
        for segment in self.segments:
            places.append(counts[segment.block])
            counts[segment.block] += 1
        return tuple(places)

    def unit_rows(self, stream: TableStream, run: int) -> list[NDArray[np.intp]]:
        """Give, for each unit of a spikes stream, its item positions within a run.

        Returns
        -------
        list of ndarray of int
            One array for each of ``stream.units``; positions count from the run's first item.
        """
        key = stream.index, run
        with self._lock:
            rows = self._unit_rows.get(key)
        if rows is None:
            first, count = int(stream.runs["first"][run]), int(stream.runs["count"][run])
            ids = self.read_table(stream, first, first + count, ["unit"])["unit"]
            order = np.argsort(ids, kind="stable")
            wanted = np.array([unit.id for unit in stream.units])
            begins = np.searchsorted(ids, wanted, "left", sorter=order)
            ends = np.searchsorted(ids, wanted, "right", sorter=order)
            rows = [order[a:b] for a, b in zip(begins, ends, strict=True)]
            with self._lock:
                self._unit_rows[key] = rows
        return rows

    @property
    def is_open(self) -> bool:
        """Whether any file is held open."""
        return self._reading.files.is_open

    def close(self) -> None:
        """Release descriptors and maps; a later read opens the files again."""
        self._reading.files.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        name = getattr(self._module, "__name__", "")
        return _reopened, (name, self._reading.files, self._options, self._salvage, self.limits)

    def __repr__(self) -> str:
        from ephyrus.recording.summary import one_line

        return one_line(self)

    def _repr_html_(self) -> str:
        from ephyrus.recording.summary import html

        return html(self)

    def tree(self, *, lazy: bool = False) -> list[Block]:
        """Give the recording as Blocks.

        Parameters
        ----------
        lazy : bool
            Make objects that load their data when asked to.

        Returns
        -------
        list of Block
        """
        from ephyrus.recording.tree import TreeOptions, read_blocks

        return read_blocks(self, TreeOptions(lazy=lazy))

    def to_xarray(self, stream: StreamKey | SignalStream = 0, **selection: Any) -> Any:
        """Give a signal as an ``xarray.DataArray`` (extra ``xarray``); see `frames.to_xarray`."""
        from ephyrus.recording.frames import to_xarray

        return to_xarray(self, stream, **selection)

    def to_dask(self, stream: StreamKey | SignalStream = 0, **selection: Any) -> Any:
        """Give a signal as a lazy ``dask.array`` (extra ``dask``); see `frames.to_dask`."""
        from ephyrus.recording.frames import to_dask

        return to_dask(self, stream, **selection)

    def to_pandas(
        self, stream: StreamKey | SignalStream | TableStream = 0, **selection: Any
    ) -> Any:
        """Give a signal or a table as a ``pandas.DataFrame`` (extra ``pandas``)."""
        from ephyrus.recording.frames import to_pandas

        return to_pandas(self, stream, **selection)

    def plot(self, **options: Any) -> Any:
        """Draw an overview with matplotlib (extra ``plot``); see `plot.plot_recording`."""
        from ephyrus.recording.plot import plot_recording

        return plot_recording(self, **options)


def _item_bytes(stream: SignalStream, channels: NDArray[np.intp] | None) -> int:
    """Give the stored bytes of one item of the chosen channels."""
    if channels is None or len(stream.item_shape) > 1:
        return stream.item_bytes
    return len(channels) * stream.dtype.itemsize


def _reopened(
    name: str, files: FileSet, options: dict[str, Any], salvage: bool, limits: Limits
) -> Recording:
    """Open a pickled recording again."""
    import importlib

    from ephyrus.recording.declaration import as_format_module

    module = as_format_module(importlib.import_module(name))
    return Recording(module, files, options, salvage=salvage, limits=limits)
