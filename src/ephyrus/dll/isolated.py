"""A vendor's library in a process of its own: its crash or hang is an exception here."""

from __future__ import annotations

import operator
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll import messages
from ephyrus.dll.blocks import read_in_blocks
from ephyrus.dll.calls import entity_of, number_of, range_of
from ephyrus.dll.constants import Result, Search
from ephyrus.dll.failures import failure
from ephyrus.dll.interface import (
    AnalogInfo,
    EntityInfo,
    EventInfo,
    EventItems,
    FileInfo,
    LibraryInfo,
    NeuralInfo,
    SegmentInfo,
    SegmentItems,
    SourceInfo,
)
from ephyrus.dll.memory import ROOM
from ephyrus.dll.texts import encoded_name
from ephyrus.dll.worker import Worker

__all__ = ["TIMEOUT_VARIABLE", "IsolatedLibrary"]

TIMEOUT_VARIABLE = "EPHYRUS_NEUROSHARE_TIMEOUT"  # seconds that a call may take; 0: any
_TIMEOUT = 120.0  # seconds
_BLOCK = ROOM // 8  # samples a message
_ITEMS = 4096  # items a message


class _Open(NamedTuple):
    """A file that is open: the process that has it, and its handle there."""

    worker: Worker
    handle: int


class IsolatedLibrary:
    """A vendor's Neuroshare library, called in a child process.

    Whatever the library does wrong, this process lives. The child is started at once, and ends
    with this object, with `shutdown`, or with this process. Follows
    `ephyrus.dll.interface.NeuroshareLibrary`.

    A library that crashes or hangs takes the files with it that it had open: further calls for
    them raise the same error again. `open` starts a new child, for the same file or another.

    Parameters
    ----------
    path : path-like or str
        The library.
    timeout : float, optional
        Seconds that a call may take before the library is taken to hang and is stopped; 0: as long
        as it likes. Default: that of the environment variable ``EPHYRUS_NEUROSHARE_TIMEOUT``, else
        120. Many items are read in several calls.

    Attributes
    ----------
    name : str
        Name of its file without the ending.
    path : str
        Its file.

    Raises
    ------
    DLLUnusable
        If it cannot be loaded, or is no Neuroshare library.
    LibraryCrashed, LibraryHung
        If it crashes or hangs while it is loaded.
    ValueError
        If the timeout is no number of seconds.
    """

    def __init__(self, path: str | os.PathLike[str], *, timeout: float | None = None) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps ".."
        self.name = Path(self.path).stem
        self.timeout = _seconds(timeout)
        self._lock = threading.RLock()  # files that are forgotten may be closed within open
        self._files: dict[int, _Open] = {}
        self._next = 1
        self._worker = Worker(self.path, self.timeout)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def shutdown(self) -> None:
        """End the child process; a file opened later starts another."""
        self._worker.end()

    def _running(self) -> Worker:
        """Give a child that can be asked, a new one if need be."""
        with self._lock:
            if self._worker.failure is not None:
                self._worker = Worker(self.path, self.timeout)
            return self._worker

    def _file(self, handle: int) -> _Open:
        """Give the file of a handle."""
        try:
            return self._files[operator.index(handle)]
        except KeyError:
            raise failure(Result.BADFILE) from None

    def _ask(self, handle: int, call: str, *arguments: Any) -> Any:
        """Make a call for an open file, and give its value."""
        file = self._file(handle)
        return file.worker.ask(call, file.handle, *arguments).value

    def _arrays(self, handle: int, call: str, *arguments: Any) -> list[NDArray[Any]]:
        """Make a call for an open file, and give its arrays."""
        file = self._file(handle)
        return file.worker.ask(call, file.handle, *arguments).arrays

    def _into(
        self, handle: int, call: str, entity: int, start: int, out: NDArray[np.float64]
    ) -> Any:
        """Make a call that reads numbers into an array, and give its value."""
        file = self._file(handle)
        return file.worker.ask(call, file.handle, entity, start, len(out), into=out).value

    # Libraries and files

    def library_info(self) -> LibraryInfo:
        """Tell what the library is."""
        return messages.library_info(self._running().ask("library_info").value)

    def open(self, filename: str) -> int:
        """Open a file and give its handle; starts a new child if the last one is gone."""
        encoded_name(filename)
        worker = self._running()
        handle = worker.ask("open", os.path.abspath(filename)).value  # noqa: PTH100 - as above
        with self._lock:
            ours, self._next = self._next, self._next + 1
            self._files[ours] = _Open(worker, handle)
        return ours

    def close(self, handle: int) -> None:
        """Close a file; one that went with a library that is gone is closed already."""
        file = self._file(handle)
        with self._lock:
            self._files.pop(handle, None)
        if file.worker.failure is None:
            file.worker.close(file.handle)

    def file_info(self, handle: int) -> FileInfo:
        """Tell what a file is."""
        return FileInfo(**self._ask(handle, "file_info"))

    # What entities are

    def entity_info(self, handle: int, entity: int) -> EntityInfo:
        """Tell what an entity is; items that are promised and not there are not counted."""
        return EntityInfo(**self._ask(handle, "entity_info", entity_of(entity)))

    def event_info(self, handle: int, entity: int) -> EventInfo:
        """Tell what the items of an event entity are."""
        return EventInfo(**self._ask(handle, "event_info", entity_of(entity)))

    def analog_info(self, handle: int, entity: int) -> AnalogInfo:
        """Tell how an analog entity was recorded."""
        return AnalogInfo(**self._ask(handle, "analog_info", entity_of(entity)))

    def segment_info(self, handle: int, entity: int) -> SegmentInfo:
        """Tell what the items of a segment entity are."""
        return SegmentInfo(**self._ask(handle, "segment_info", entity_of(entity)))

    def source_info(self, handle: int, entity: int, source: int) -> SourceInfo:
        """Tell how a source of a segment entity was recorded."""
        number = number_of(source, Result.BADSOURCE, "source")
        return SourceInfo(**self._ask(handle, "source_info", entity_of(entity), number))

    def neural_info(self, handle: int, entity: int) -> NeuralInfo:
        """Tell where a neural entity comes from."""
        return NeuralInfo(**self._ask(handle, "neural_info", entity_of(entity)))

    # Their items

    def event_data(self, handle: int, entity: int, start: int, count: int) -> EventItems:
        """Give items of an event entity."""
        start, count = range_of(start, count)
        times: list[NDArray[np.float64]] = []
        values: list[bytes] = []
        for at in range(0, max(count, 1), _ITEMS):
            numbers = entity_of(entity), start + at, min(_ITEMS, count - at)
            piece, lengths, joined = self._arrays(handle, "event_data", *numbers)
            times.append(piece)
            raw, ends = joined.tobytes(), lengths.cumsum().tolist()
            values += [raw[end - size : end] for end, size in zip(ends, lengths, strict=True)]
        return EventItems(np.concatenate(times), values)

    def analog_data(
        self, handle: int, entity: int, start: int, count: int
    ) -> tuple[NDArray[np.float64], int]:
        """Give samples, and how many from `start` on have no gap between them."""
        start, count = range_of(start, count)
        read = partial(self._into, handle, "analog_into", entity_of(entity))
        return read_in_blocks(read, start, count, _BLOCK)

    def continuous_count(self, handle: int, entity: int, start: int, count: int) -> int:
        """Tell how many of `count` samples from `start` on have no gap, without reading them."""
        numbers = entity_of(entity), *range_of(start, count)
        return int(self._ask(handle, "continuous_count", *numbers))

    def segment_data(self, handle: int, entity: int, start: int, count: int) -> SegmentItems:
        """Give items of a segment entity."""
        start, count = range_of(start, count)
        info = self.segment_info(handle, entity)
        each = info.source_count * info.max_sample_count * 8 + 16  # bytes of an item
        items = max(1, min(_ITEMS, ROOM // each - 1))
        pieces = [
            self._arrays(handle, "segment_data", entity, start + at, min(items, count - at))
            for at in range(0, max(count, 1), items)
        ]
        if len(pieces) == 1:
            return SegmentItems(*pieces[0])
        return SegmentItems(*(np.concatenate(part) for part in zip(*pieces, strict=True)))

    def neural_data(self, handle: int, entity: int, start: int, count: int) -> NDArray[np.float64]:
        """Give times of spikes in seconds."""
        start, count = range_of(start, count)
        times = np.empty(count)
        for at in range(0, max(count, 1), _BLOCK):
            out = times[at : at + _BLOCK]
            self._into(handle, "neural_into", entity_of(entity), start + at, out)
        return times

    # Times

    def time_by_index(self, handle: int, entity: int, index: int) -> float:
        """Give the time of an item in seconds."""
        numbers = entity_of(entity), number_of(index, Result.BADINDEX, "item")
        return float(self._ask(handle, "time_by_index", *numbers))

    def index_by_time(self, handle: int, entity: int, time: float, search: int) -> int:
        """Give the item that `search` means by a time, whatever the library answers."""
        numbers = entity_of(entity), float(time), int(Search(search))
        return int(self._ask(handle, "index_by_time", *numbers))


def _seconds(timeout: float | None) -> float | None:
    """Give the seconds that a call may take; None: any."""
    source, given = "timeout", timeout
    text = os.environ.get(TIMEOUT_VARIABLE, "") or str(_TIMEOUT)
    if given is None:
        source = TIMEOUT_VARIABLE
        try:
            given = float(text)
        except ValueError:
            given = -1.0
    if not given >= 0:
        raise ValueError(
            f"{source} is {text if timeout is None else timeout!r}; it is a number of seconds, "
            "and 0 for a library that may take as long as it likes"
        )
    return given or None
