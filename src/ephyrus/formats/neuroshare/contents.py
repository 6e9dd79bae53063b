"""What a library tells of a file: runs of signals, and all events and spikes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.constants import EntityType, EventType, Result
from ephyrus.dll.handles import OpenFile, temporary_copy
from ephyrus.dll.interface import (
    AnalogInfo,
    EntityInfo,
    FileInfo,
    NeuralInfo,
    NeuroshareLibrary,
    SegmentInfo,
)
from ephyrus.dll.texts import decoded
from ephyrus.dll.times import runs_between
from ephyrus.errors import (
    CorruptError,
    FormatError,
    LibraryCrashed,
    LibraryHung,
    NeuroshareError,
    WrongFormatError,
)
from ephyrus.recording import Opening, SignalStream, TableStream, pieces, under_way
from ephyrus.recording.entities import (
    AnalogEntry,
    Placed,
    Segments,
    is_rate,
    is_time,
    placed,
    signals_of,
)
from ephyrus.recording.entitytables import (
    NUMBER_BYTES,
    Table,
    count_of_numbers,
    number_names,
)

__all__ = ["Contents", "Header", "opened", "walked", "waveforms"]

PIECE_ITEMS = 4096  # asked for together
PIECE_BYTES = 16 * 2**20  # of waveforms that are held while units are looked at
COPY_BYTES = 16 * 2**20  # copied together
LINE_UP, LINE_DOWN = 1, 255  # values of digital lines of MC_Rack


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """An open file.

    Attributes
    ----------
    file : OpenFile
        Where everything is asked.
    path : str
        The file as the user knows it.
    info : FileInfo
        What the library says of it.
    """

    file: OpenFile
    path: str
    info: FileInfo

    def ask(self, call: str, *arguments: Any) -> Any:
        """Make a call for the file; what the library refuses is a `FormatError`."""
        try:
            return self.file.ask(call, *arguments)
        except NeuroshareError as error:
            raise _told(self.path, self.file.library, error, call) from error


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """The items of a table.

    Attributes
    ----------
    entity : int
        The entity that they are from.
    label : str
        Its name.
    times : ndarray of float64, shape (items,)
        Seconds, in the order of the library.
    columns : mapping of str to ndarray
        What is kept of them.
    describe : callable
        Makes the table of its base.
    """

    entity: int
    label: str
    times: NDArray[np.float64]
    columns: Mapping[str, NDArray[Any]]
    describe: Callable[[Table], TableStream]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """The index of a file.

    Attributes
    ----------
    segments : Segments
        Stretches in which anything analog was recorded.
    signals : tuple of SignalStream
        The signals.
    items : tuple of Items
        The items of each table.
    places : tuple of Placed
        How they lie in segments.
    tables : tuple of TableStream
        The tables.
    """

    segments: Segments
    signals: tuple[SignalStream, ...]
    items: tuple[Items, ...]
    places: tuple[Placed, ...]
    tables: tuple[TableStream, ...]


def opened(opening: Opening, library: NeuroshareLibrary) -> Header:
    """Let a library open a file.

    Raises
    ------
    FormatError
        If it refuses the file.
    LibraryCrashed, LibraryHung
        If it does so over it.
    """
    files = opening.files
    size = files.main.size  # a file that is not there, or not to be read, is the system's to tell
    files.main.read_at(0, min(size, 1), field="first byte")
    file = OpenFile(library, files.path, files.attach)
    if files.status(files.name) is None:
        parts = (
            files.main.read_at(start, stop - start)
            for start, stop in pieces(0, size, 1, COPY_BYTES)
        )
        file.path = str(temporary_copy(parts, f".{files.suffix}", file))
    try:
        return Header(file, files.address, file.ask("file_info"))
    except NeuroshareError as error:
        file.close()
        raise _told(files.address, library, error, "open") from error


def _told(
    path: str, library: NeuroshareLibrary, error: NeuroshareError, call: str
) -> FormatError | NeuroshareError:
    """Make an error of a file out of one of a library; what ended the library stays what it is."""
    if isinstance(error, LibraryCrashed | LibraryHung):
        return error
    kind = WrongFormatError if error.code == Result.TYPEERROR else CorruptError
    return kind(path, f"{library.name} answers {error.name}: {error.message}", field=call)


def walked(opening: Opening, header: Header) -> Contents:
    """Ask for everything but samples."""
    count = header.info.entity_count
    entries: list[AnalogEntry] = []
    found: list[tuple[int, EntityInfo]] = []
    items: list[Items] = []
    with under_way(opening.progress, count, "entities", "indexing"):
        for entity in range(count):
            general: EntityInfo = header.ask("entity_info", entity)
            if general.entity_type == EntityType.Analog:
                entry = _analog(opening, header, entity, general)
                entries += [] if entry is None else [entry]
                opening.progress.advance(1)
            else:
                found.append((entity, general))
        repeated = {entry.label for entry in entries}
        for entity, general in found:
            items += _items(opening, header, entity, general, repeated)
            opening.progress.advance(1)
    segments = Segments.of(entries, header.info.time_span)
    resolution = header.info.time_stamp_resolution
    try:
        signals, _ = signals_of(entries, segments, resolution)
    except (ValueError, OverflowError) as error:
        raise CorruptError(header.path, str(error), field="times of analog runs") from error
    places = [
        placed(each.times, segments, 0.0 if "duration" in each.columns else resolution)
        for each in items
    ]
    tables = tuple(
        each.describe(Table(number, each.entity, each.label, place))
        for number, (each, place) in enumerate(zip(items, places, strict=True))
    )
    return Contents(segments, signals, tuple(items), tuple(places), tables)


def _analog(
    opening: Opening, header: Header, entity: int, general: EntityInfo
) -> AnalogEntry | None:
    """Ask for the runs of an analog entity; None where it can have no times."""
    info: AnalogInfo = header.ask("analog_info", entity)
    rate = info.sample_rate
    label = general.label or f"entity {entity}"
    if not is_rate(rate):
        opening.note(f"entity {entity} ({label!r}) is left out: its rate is {rate} Hz")
        return None
    runs = runs_between(
        lambda start, count: header.ask("continuous_count", entity, start, count),
        lambda index: header.ask("time_by_index", entity, index),
        (0, general.item_count),
        rate,
    )
    uneven = sum(1 for run in runs if not run.is_regular)
    if uneven:
        opening.note(
            f"entity {entity} ({label!r}): the samples of {uneven:,} of {len(runs):,} runs do not "
            f"come at {rate:g} Hz, as the library says; they are given as if they did"
        )
    times = np.array([run.t_start for run in runs], np.float64)
    if not is_time(times).all():
        opening.note(f"entity {entity} ({label!r}) is left out: its times cannot be")
        return None
    counts = np.array([run.count for run in runs], np.int64)
    return AnalogEntry(entity, label, info, counts, times)


def _items(
    opening: Opening, header: Header, entity: int, general: EntityInfo, repeated: set[str]
) -> Iterator[Items]:
    """Ask for the items of an entity that is no signal."""
    label, count = general.label or f"entity {entity}", general.item_count
    if general.entity_type == EntityType.Event:
        yield from _events(header, entity, label, count)
    elif general.entity_type == EntityType.Neural:
        yield _neural(header, entity, label, count)
    elif general.entity_type != EntityType.Segment:
        opening.note(
            f"entity {entity} ({label!r}) is of unknown type {general.entity_type}: left out"
        )
    elif label not in repeated:
        yield _segments(header, entity, label, count)


def _events(header: Header, entity: int, label: str, count: int) -> Iterator[Items]:
    """Ask for events; the digital lines of MC_Rack are epochs too."""
    info = header.ask("event_info", entity)
    times, raw = header.ask("event_data", entity, 0, count)
    lengths = np.array([len(item) for item in raw], np.int64)
    numbers = count_of_numbers(info.event_type, lengths)
    columns = _numbers(raw, info.event_type, numbers)
    texts = columns["number"].tolist() if numbers else map(decoded, raw)
    columns["label"] = _objects([str(text) for text in texts])
    yield Items(
        entity,
        label,
        times,
        columns,
        lambda table: table.events(info.event_type, info.csv_desc, numbers),
    )
    if info.event_type == EventType.BYTE and label.startswith("digi"):
        line = _line(entity, label, times, columns["number"])
        if line.times.size:
            yield line


def _numbers(raw: list[bytes], event_type: int, count: int) -> dict[str, NDArray[Any]]:
    """Give the numbers of events, one column for each place."""
    width = NUMBER_BYTES.get(event_type, 0)
    padded = b"".join(item[: width * count].ljust(width * count, b"\0") for item in raw)
    if not count:
        return {}
    rows = np.frombuffer(padded, f"<u{width}").reshape(len(raw), count)
    return dict(zip(number_names(count), rows.T, strict=True))


def _line(entity: int, label: str, times: NDArray[np.float64], values: NDArray[Any]) -> Items:
    """Give the times in which a digital line was up: from 1 to the next 255."""
    is_edge = (values == LINE_UP) | (values == LINE_DOWN)
    edges, at = values[is_edge], times[is_edge]
    is_up = (edges[:-1] == LINE_UP) & (edges[1:] == LINE_DOWN)
    begins, ends = at[:-1][is_up], at[1:][is_up]
    labels = _objects([label] * begins.size)
    columns = {"label": labels, "duration": ends - begins}
    return Items(entity, label, begins, columns, lambda table: table.as_line().epochs())


def _neural(header: Header, entity: int, label: str, count: int) -> Items:
    info: NeuralInfo = header.ask("neural_info", entity)
    times = header.ask("neural_data", entity, 0, count)
    units = np.full(times.size, info.source_unit_id, np.uint32)
    return Items(entity, label, times, {"unit": units}, lambda table: table.times(info))


def _segments(header: Header, entity: int, label: str, count: int) -> Items:
    """Ask for times and units of segments; their samples are asked for again when wanted."""
    info: SegmentInfo = header.ask("segment_info", entity)
    sources = [
        asdict(header.ask("source_info", entity, source)) for source in range(info.source_count)
    ]
    times, units = np.empty(count), np.empty(count, np.uint32)
    lengths = np.empty(count, np.uint32)
    for start, stop in _ranges(count, info.source_count * info.max_sample_count):
        found = header.ask("segment_data", entity, start, stop - start)
        times[start:stop], units[start:stop] = found.times, found.unit_ids
        lengths[start:stop] = found.sample_counts
    columns = {"unit": units}
    if info.max_sample_count == 1 and (lengths == 1).all():
        return Items(entity, label, times, {}, lambda table: table.samples(info.units, sources))
    most = info.max_sample_count
    return Items(
        entity, label, times, columns, lambda table: table.waveforms(info, sources, units, most)
    )


def _ranges(count: int, samples: int) -> Iterator[tuple[int, int]]:
    """Cut items of so many samples into pieces that are asked for together."""
    return pieces(0, count, max(8 * samples, PIECE_BYTES // PIECE_ITEMS), PIECE_BYTES)


def waveforms(
    header: Header, entity: int, rows: NDArray[np.intp], sources: int
) -> NDArray[np.float64]:
    """Give the samples of segments at some positions, shape (items, sources, samples)."""
    info: SegmentInfo = header.ask("segment_info", entity)
    result = np.empty((rows.size, sources, info.max_sample_count))
    if not rows.size:
        return result
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    bounds = np.flatnonzero(np.diff(ordered, prepend=-2) != 1).tolist()
    for begin, end in zip(bounds, [*bounds[1:], rows.size], strict=True):
        for start, stop in _ranges(end - begin, result[0].size):
            first = int(ordered[begin + start])
            found = header.ask("segment_data", entity, first, stop - start)
            result[order[begin + start : begin + stop]] = found.values
    return result


def _objects(texts: list[str]) -> NDArray[Any]:
    """Give texts as an array of texts."""
    array = np.empty(len(texts), object)
    array[:] = texts
    return array
