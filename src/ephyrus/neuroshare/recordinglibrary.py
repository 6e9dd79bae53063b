"""`RecordingLibrary`: the package's own readers behind the calls of the Neuroshare interface."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ephyrus._version import __version__
from ephyrus.dll.constants import LibraryFlags, Result
from ephyrus.dll.failures import failure
from ephyrus.dll.interface import (
    AnalogInfo,
    EntityInfo,
    EventInfo,
    EventItems,
    FileDescription,
    FileInfo,
    LibraryInfo,
    NeuralInfo,
    SegmentInfo,
    SegmentItems,
    SourceInfo,
)
from ephyrus.neuroshare.happenings import EpochMember, EventMember, event_members
from ephyrus.neuroshare.members import (
    Member,
    SampleMember,
    SignalMember,
    SpikeMember,
    TableMember,
    UnitMember,
)
from ephyrus.neuroshare.timeline import Timeline
from ephyrus.recording import Recording, TableStream
from ephyrus.registry import all_formats, open_recording

__all__ = ["RecordingLibrary", "members_of"]

MemberT = TypeVar("MemberT", bound=Member)

NAME = "ephyrus"
MOST_FILES = 2**31 - 1  # the system's own limit comes first
OF_ENTITIES = ("nsn", "neuroshare")  # formats whose streams are entities, by their numbers
FINEST = 10**9  # ticks per second that a recording system counts
_LAID_OUT = "segments that overlap in time follow each other here"


class RecordingLibrary:
    """Gives any recording that the package reads as a Neuroshare library would.

    Entities are, in this order: each channel of each signal (analog, with a gap between runs);
    then, table by table: events (text; a further entity for each further column, of numbers of 8,
    16 or 32 bits where the column is of such, else of texts), epochs (comma-separated label and
    duration, at their beginning), spikes (a segment entity if there are waveforms, then a neural
    entity for each unit), samples at times of their own (segments of one sample). Images are not
    given: the interface has nothing like them. Files that have entities themselves (``.nsn``) give
    those, in their order.

    Times are those of the recording. The interface has one time span, in which the items of an
    entity follow each other: a segment that begins before the one before it ends (sweeps that each
    begin at 0) is moved so that it follows that one; the file's comment says so then.

    Errors of reading files are those of the package (`FormatError`, `OSError`); wrong numbers of
    entities, items and sources are `NeuroshareError` as from any library.

    Parameters
    ----------
    **options
        As for :func:`ephyrus.open`: ``format``, ``salvage``, options of the format.
    """

    path: str | None = None

    def __init__(self, **options: Any) -> None:
        self.name = NAME
        self._options = options
        self._files: dict[int, _Contents] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def library_info(self) -> LibraryInfo:
        """Tell what the library is; its file types are the formats that the package reads."""
        major, minor = (int(part) for part in __version__.split(".")[:2])
        types = tuple(
            FileDescription(declared.label, ending, "", b"")
            for declared in all_formats()
            for ending in declared.extensions
        )
        return LibraryInfo(
            version_major=major,
            version_minor=minor,
            api_version_major=1,
            api_version_minor=3,
            description="Recordings that ephyrus reads",
            creator=NAME,
            year=0,
            month=0,
            day=0,
            flags=LibraryFlags.MULTITHREADED,
            max_files=MOST_FILES,
            file_types=types,
        )

    def open(self, filename: str | os.PathLike[str]) -> int:
        """Open a recording and give its handle; raises as :func:`ephyrus.open`."""
        return self.add(open_recording(filename, **self._options))

    def add(self, recording: Recording) -> int:
        """Take a recording that is open already; closing the handle closes it."""
        contents = _Contents(recording)
        with self._lock:
            handle = next(self._numbers)
            self._files[handle] = contents
        return handle

    def close(self, handle: int) -> None:
        """Close a recording."""
        with self._lock:
            contents = self._files.pop(handle, None)
        if contents is None:
            raise failure(Result.BADFILE)
        contents.recording.close()

    def file_info(self, handle: int) -> FileInfo:
        """Tell what a file is."""
        return self._contents(handle).file_info()

    def entity_info(self, handle: int, entity: int) -> EntityInfo:
        """Tell what an entity is."""
        member = self._member(handle, entity, Member)
        return EntityInfo(member.label, int(member.entity_type), member.count)

    def event_info(self, handle: int, entity: int) -> EventInfo:
        """Tell what the items of an event entity are."""
        return self._member(handle, entity, EventMember).event_info()

    def analog_info(self, handle: int, entity: int) -> AnalogInfo:
        """Tell how an analog entity was recorded."""
        return self._member(handle, entity, SignalMember).analog_info()

    def segment_info(self, handle: int, entity: int) -> SegmentInfo:
        """Tell what the items of a segment entity are."""
        return self._segment(handle, entity).segment_info()

    def source_info(self, handle: int, entity: int, source: int) -> SourceInfo:
        """Tell how a source of a segment entity was recorded."""
        return self._segment(handle, entity).source_info(source)

    def neural_info(self, handle: int, entity: int) -> NeuralInfo:
        """Tell where a neural entity comes from."""
        return self._member(handle, entity, UnitMember).neural_info()

    def event_data(self, handle: int, entity: int, start: int, count: int) -> EventItems:
        """Give items of an event entity."""
        member = self._member(handle, entity, EventMember)
        return member.items(*_range(member, start, count))

    def analog_data(
        self, handle: int, entity: int, start: int, count: int
    ) -> tuple[NDArray[np.float64], int]:
        """Give samples, and how many from `start` on have no gap between them."""
        member = self._member(handle, entity, SignalMember)
        bounds = _range(member, start, count)
        return member.values(*bounds), member.together(start, count)

    def continuous_count(self, handle: int, entity: int, start: int, count: int) -> int:
        """Tell how many of `count` samples from `start` on have no gap, without reading them."""
        member = self._member(handle, entity, SignalMember)
        _range(member, start, count)
        return member.together(start, count)

    def segment_data(self, handle: int, entity: int, start: int, count: int) -> SegmentItems:
        """Give items of a segment entity."""
        member = self._segment(handle, entity)
        return member.items(*_range(member, start, count))

    def neural_data(self, handle: int, entity: int, start: int, count: int) -> NDArray[np.float64]:
        """Give times of spikes in seconds."""
        member = self._member(handle, entity, UnitMember)
        return member.times(*_range(member, start, count))

    def time_by_index(self, handle: int, entity: int, index: int) -> float:
        """Give the time of an item in seconds."""
        member = self._member(handle, entity, Member)
        _range(member, index, 1)
        return member.time_of(index)

    def index_by_time(self, handle: int, entity: int, time: float, search: int) -> int:
        """Give the item that `search` means by a time."""
        return self._member(handle, entity, Member).index_at(time, search)

    def _contents(self, handle: int) -> _Contents:
        try:
            return self._files[handle]
        except KeyError:
            raise failure(Result.BADFILE) from None

    def _member(self, handle: int, entity: int, kind: type[MemberT]) -> MemberT:
        """Find an entity, which must be of a kind."""
        members = self._contents(handle).members
        if not 0 <= entity < len(members):
            raise failure(
                Result.BADENTITY, f"there are {len(members)} entities, asked for entity {entity}"
            )
        member = members[entity]
        if not isinstance(member, kind):
            text = f"entity {entity} ({member.label!r}) is of another type"
            raise failure(Result.BADENTITY, text)
        return member

    def _segment(self, handle: int, entity: int) -> SpikeMember | SampleMember:
        member = self._member(handle, entity, TableMember)
        if isinstance(member, SpikeMember | SampleMember):
            return member
        raise failure(Result.BADENTITY, f"entity {entity} ({member.label!r}) is no segment entity")


def _range(member: Member, start: int, count: int) -> tuple[int, int]:
    """Give the half-open range of some items, which must be there."""
    if start < 0 or count < 0 or start + count > member.count:
        raise failure(
            Result.BADINDEX,
            f"{member.label!r} has {member.count:,} items, asked for {count:,} from {start:,} on",
        )
    return start, start + count


class _Contents:
    """An open recording and its entities."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._timeline = Timeline.of(recording)
        self.members = tuple(members_of(recording, self._timeline))

    def file_info(self) -> FileInfo:
        """Tell what the file is."""
        recording = self.recording
        when = _date(recording)
        return FileInfo(
            file_type=recording.format.label,
            entity_count=len(self.members),
            time_stamp_resolution=_resolution(recording),
            time_span=self._timeline.t_stop,
            app_name=recording.info.software or "",
            year=0 if when is None else when.year,
            month=0 if when is None else when.month,
            day=0 if when is None else when.day,
            hour=0 if when is None else when.hour,
            minute=0 if when is None else when.minute,
            second=0 if when is None else when.second,
            millisecond=0 if when is None else when.microsecond // 1000,
            comment=self._comment(),
        )

    def _comment(self) -> str:
        facts = {**self.recording.annotations, **self.recording.blocks[0].annotations}
        said = str(facts.get("comment") or facts.get("comments") or "")
        parts = [said, _LAID_OUT if self._timeline.is_laid_out else ""]
        return "; ".join(part for part in parts if part)


def members_of(recording: Recording, timeline: Timeline) -> Iterator[Member]:
    """Make the entities of a recording."""
    if recording.format.name in OF_ENTITIES:
        yield from _given_members(recording, timeline)
        return
    number = 0
    for stream in recording.signals:
        if len(stream.item_shape) == 1:
            for channel in range(len(stream.channels)):
                yield SignalMember(recording, timeline, stream, channel)
                number += 1
    for table in recording.tables:
        for member in _table_members(recording, timeline, table, number):
            yield member
            number += 1


def _table_members(
    recording: Recording, timeline: Timeline, table: TableStream, number: int
) -> Iterator[Member]:
    """Make the entities of a table, the first of which has a number."""
    if table.kind == "events":
        yield from event_members(recording, timeline, table)
    elif table.kind == "epochs":
        yield EpochMember(recording, timeline, table)
    elif table.kind == "samples":
        yield SampleMember(recording, timeline, table)
    else:
        spikes = SpikeMember(recording, timeline, table)
        has_waveforms = table.waveforms is not None
        if has_waveforms:
            yield spikes
        for unit in range(len(table.units)):
            yield UnitMember(spikes, unit, number if has_waveforms else number + unit)


def _given_members(recording: Recording, timeline: Timeline) -> Iterator[Member]:
    """Make the entities of a file that has entities itself, in its order."""
    found: dict[int, Member] = {}
    for stream in recording.signals:
        for channel, name in enumerate(stream.channels.ids):
            found[int(name)] = SignalMember(recording, timeline, stream, channel)
    tables = [table for table in recording.tables if table.id.isdecimal()]
    numbers = sorted([*found, *(int(table.id) for table in tables)])
    positions = {number: position for position, number in enumerate(numbers)}
    for table in tables:
        number = int(table.id)
        first, *_ = _table_members(recording, timeline, table, positions[number])
        if isinstance(first, UnitMember):
            source = table.units[0].annotations.get("source_entity_id", number)
            first.source_entity = positions.get(source, positions[number])
        found[number] = first
    yield from (found[number] for number in numbers)


def _date(recording: Recording) -> datetime | None:
    """Give when the recording began, as far as it is told."""
    infos: tuple[Any, ...] = (*recording.blocks, *recording.segments)
    return next((info.rec_datetime for info in infos if info.rec_datetime is not None), None)


def _resolution(recording: Recording) -> float:
    """Give the least difference between times in seconds; 0 for an empty recording."""
    clocks = {stream.clock for stream in recording.signals}
    clocks |= {table.clock for table in recording.tables}
    per_second = [stream.rate for stream in recording.signals]
    per_second += [clock for clock in clocks if clock <= FINEST]  # finer ones are made of floats
    return float(1 / max(per_second)) if per_second else 0.0
