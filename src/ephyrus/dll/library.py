"""A vendor's library in this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from ctypes import byref, c_double, c_uint32
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll import structures
from ephyrus.dll.blocks import BLOCK, clipped, count_in_blocks, read_in_blocks
from ephyrus.dll.calls import (
    SPARE_BYTES,
    Calls,
    entity_of,
    handle_of,
    month_of,
    number_of,
    range_of,
)
from ephyrus.dll.constants import EntityType, Result, Search
from ephyrus.dll.failures import failure
from ephyrus.dll.functions import Function
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
from ephyrus.dll.search import checked_index, first_index
from ephyrus.dll.texts import encoded_name
from ephyrus.errors import NeuroshareError

__all__ = ["DllLibrary"]

_DOUBLE_BYTES, _UINT_BYTES = 8, 4
_LARGEST_FIRST = 2**26  # bytes of the first buffer for events, whatever the library promises
_MOST_ITEM_BYTES = 2**31  # an item of an event that claims more is not believed
_MOST_BUFFER = 2**32 - 1  # bytes


class DllLibrary:
    """A vendor's Neuroshare library, called in this process.

    Whatever it does wrong, it does to this process: see `IsolatedLibrary` for one that is not
    trusted. Calls are made one after the other, unless the library says that it takes several at
    a time. Follows `ephyrus.dll.interface.NeuroshareLibrary`.

    Parameters
    ----------
    path : path-like or str
        The library.

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
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps ".."
        self.name = Path(self.path).stem
        self._calls = Calls(self.path)
        self._functions = self._calls.functions

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def library_info(self) -> LibraryInfo:
        """Tell what the library is."""
        return self._calls.library_info()

    def open(self, filename: str) -> int:
        """Open a file and give its handle."""
        name = encoded_name(filename)
        handle = c_uint32(0)
        self._calls.call(self._functions.OpenFile, name, byref(handle))
        return handle.value

    def close(self, handle: int) -> None:
        """Close a file."""
        self._calls.call(self._functions.CloseFile, handle_of(handle))

    def file_info(self, handle: int) -> FileInfo:
        """Tell what a file is."""
        ask = self._functions.GetFileInfo
        values = self._calls.info(ask, structures.FILE_INFO, handle_of(handle))
        del values["reserved"]
        is_first = self._calls.is_first_revision
        values["month"] = month_of(values, is_first_revision=is_first)
        return FileInfo(**values)

    # What entities are

    def entity_info(self, handle: int, entity: int) -> EntityInfo:
        """Tell what an entity is.

        A library can promise more items than it has: those of which it refuses both time and
        value are not counted. Where it is honest, that costs one question for a time.
        """
        values = self._entity_values(
            self._functions.GetEntityInfo, structures.ENTITY_INFO, handle, entity
        )
        info = EntityInfo(**values)
        is_missing = partial(self._is_missing, handle, entity, info.entity_type)
        count = info.item_count
        if count and is_missing(count - 1):
            count = first_index(is_missing, count)
        return EntityInfo(info.label, info.entity_type, count)

    def _is_missing(self, handle: int, entity: int, entity_type: int, index: int) -> bool:
        """Tell whether the library refuses both time and value of an item."""
        reads: dict[int, Callable[..., Any]] = {
            EntityType.Event: self.event_data,
            EntityType.Analog: self.analog_data,
            EntityType.Segment: self.segment_data,
            EntityType.Neural: self.neural_data,
        }
        read = reads.get(entity_type)
        if read is None or not _is_refused(self.time_by_index, handle, entity, index):
            return False
        return _is_refused(read, handle, entity, index, 1)

    def _entity_values(
        self, ask: Function, table: structures.Table, handle: int, entity: int, *source: int
    ) -> dict[str, Any]:
        """Ask for what an entity, or a source of one, is."""
        return self._calls.info(ask, table, handle_of(handle), entity_of(entity), *source)

    def event_info(self, handle: int, entity: int) -> EventInfo:
        """Tell what the items of an event entity are."""
        values = self._entity_values(
            self._functions.GetEventInfo, structures.EVENT_INFO, handle, entity
        )
        return EventInfo(**values)

    def analog_info(self, handle: int, entity: int) -> AnalogInfo:
        """Tell how an analog entity was recorded."""
        values = self._entity_values(
            self._functions.GetAnalogInfo, structures.ANALOG_INFO, handle, entity
        )
        return AnalogInfo(**values)

    def segment_info(self, handle: int, entity: int) -> SegmentInfo:
        """Tell what the items of a segment entity are."""
        values = self._entity_values(
            self._functions.GetSegmentInfo, structures.SEGMENT_INFO, handle, entity
        )
        return SegmentInfo(**values)

    def source_info(self, handle: int, entity: int, source: int) -> SourceInfo:
        """Tell how a source of a segment entity was recorded."""
        number = number_of(source, Result.BADSOURCE, "source")
        ask = self._functions.GetSegmentSourceInfo
        values = self._entity_values(ask, structures.SOURCE_INFO, handle, entity, number)
        return SourceInfo(**values)

    def neural_info(self, handle: int, entity: int) -> NeuralInfo:
        """Tell where a neural entity comes from."""
        values = self._entity_values(
            self._functions.GetNeuralInfo, structures.NEURAL_INFO, handle, entity
        )
        return NeuralInfo(**values)

    # Their items

    def event_data(self, handle: int, entity: int, start: int, count: int) -> EventItems:
        """Give items of an event entity."""
        start, count = range_of(start, count)
        info = self.event_info(handle, entity)
        numbers = handle_of(handle), entity_of(entity)
        buffer = np.zeros(min(info.max_data_length, _LARGEST_FIRST) + SPARE_BYTES, np.uint8)
        times, used, values = np.empty(count), c_uint32(0), []
        call, ask, used_there = self._calls.call, self._functions.GetEventData, byref(used)
        for index in range(count):
            time_there = times.ctypes.data + index * _DOUBLE_BYTES
            place = buffer.ctypes.data, len(buffer)
            call(ask, *numbers, start + index, time_there, *place, used_there)
            while used.value > len(buffer):  # it was not as long as promised
                buffer = _longer(used.value, start + index)
                place = buffer.ctypes.data, len(buffer)
                call(ask, *numbers, start + index, time_there, *place, used_there)
            values.append(buffer[: used.value].tobytes())
        return EventItems(times, values)

    def analog_data(
        self, handle: int, entity: int, start: int, count: int
    ) -> tuple[NDArray[np.float64], int]:
        """Give samples, and how many from `start` on have no gap between them."""
        start, count = range_of(start, count)
        return read_in_blocks(partial(self.analog_into, handle, entity), start, count)

    def analog_into(self, handle: int, entity: int, start: int, out: NDArray[np.float64]) -> int:
        """Read samples into an array in one call; gives how many have no gap between them."""
        numbers = handle_of(handle), entity_of(entity), *range_of(start, len(out))
        continuous = c_uint32(0)
        place = byref(continuous), out.ctypes.data
        self._calls.call(self._functions.GetAnalogData, *numbers, *place)
        return clipped(continuous.value, len(out))

    def continuous_count(self, handle: int, entity: int, start: int, count: int) -> int:
        """Tell how many of `count` samples from `start` on have no gap, without reading them."""
        numbers = handle_of(handle), entity_of(entity), *range_of(start, count)
        continuous = c_uint32(0)
        try:
            self._calls.call(self._functions.GetAnalogData, *numbers, byref(continuous), None)
        except NeuroshareError as error:
            if error.code != Result.LIBERROR:
                raise
            # It may want a place for the samples, whether they are wanted or not.
            return count_in_blocks(partial(self.analog_into, handle, entity), start, count)
        return clipped(continuous.value, count)

    def segment_data(self, handle: int, entity: int, start: int, count: int) -> SegmentItems:
        """Give items of a segment entity."""
        start, count = range_of(start, count)
        info = self.segment_info(handle, entity)
        each = info.source_count * info.max_sample_count
        size = each * _DOUBLE_BYTES
        if size > _MOST_BUFFER:
            raise failure(Result.LIBERROR, f"items of {size} bytes are more than a call can give")
        # Whoever writes past the last item does so into memory that is there for it.
        values = np.full(count * each + each + SPARE_BYTES, np.nan)
        times, counts = np.empty(count), np.zeros(count, np.uint32)
        units = np.zeros(count, np.uint32)
        self._read_segments(
            (handle_of(handle), entity_of(entity), start), size, times, values, counts, units
        )
        np.minimum(counts, info.max_sample_count, out=counts)
        items = self._items(values[: count * each], count, info)
        _blank(items, counts)
        return SegmentItems(times, items, counts, units)

    def _items(
        self, values: NDArray[np.float64], count: int, info: SegmentInfo
    ) -> NDArray[np.float64]:
        """Give the values of items their shape: items, sources, samples."""
        sources, most = info.source_count, info.max_sample_count
        if self._calls.is_first_revision:
            return np.ascontiguousarray(values.reshape(count, most, sources).swapaxes(1, 2))
        return values.reshape(count, sources, most)

    def _read_segments(
        self, numbers: tuple[int, int, int], size: int, *arrays: NDArray[Any]
    ) -> None:
        """Let the library fill times, values, numbers of samples and units, item by item."""
        call, ask = self._calls.call, self._functions.GetSegmentData
        handle, entity, start = numbers
        times, values, counts, units = (array.ctypes.data for array in arrays)
        for index in range(start, start + len(arrays[0])):
            call(ask, handle, entity, index, times, values, size, counts, units)
            times += _DOUBLE_BYTES
            values += size
            counts += _UINT_BYTES
            units += _UINT_BYTES

    def neural_data(self, handle: int, entity: int, start: int, count: int) -> NDArray[np.float64]:
        """Give times of spikes in seconds."""
        start, count = range_of(start, count)
        times = np.empty(count)
        for at in range(0, count, BLOCK) or (0,):
            self.neural_into(handle, entity, start + at, times[at : at + BLOCK])
        return times

    def neural_into(self, handle: int, entity: int, start: int, out: NDArray[np.float64]) -> None:
        """Read times of spikes into an array in one call."""
        numbers = handle_of(handle), entity_of(entity), *range_of(start, len(out))
        self._calls.call(self._functions.GetNeuralData, *numbers, out.ctypes.data)

    # Times

    def time_by_index(self, handle: int, entity: int, index: int) -> float:
        """Give the time of an item in seconds."""
        number = number_of(index, Result.BADINDEX, "item")
        time = c_double(0.0)
        numbers = handle_of(handle), entity_of(entity), number
        self._calls.call(self._functions.GetTimeByIndex, *numbers, byref(time))
        return time.value

    def index_by_time(self, handle: int, entity: int, time: float, search: int) -> int:
        """Give the item that `search` means by a time.

        The library's answer is checked against times of items; where it is wrong or refused, the
        item is found by bisection on them.
        """
        numbers = handle_of(handle), entity_of(entity)
        time, search = float(time), Search(search)
        found = c_uint32(0)
        answer = None
        try:
            self._calls.call(self._functions.GetIndexByTime, *numbers, time, search, byref(found))
            answer = found.value
        except NeuroshareError as error:
            if error.code != Result.BADINDEX:
                raise
        count = self.entity_info(*numbers).item_count
        return checked_index(answer, partial(self.time_by_index, *numbers), count, time, search)


def _is_refused(question: Callable[..., Any], *arguments: Any) -> bool:
    """Tell whether a library answers that there is no such item."""
    try:
        question(*arguments)
    except NeuroshareError as error:
        return error.code == Result.BADINDEX
    return False


def _longer(size: int, index: int) -> NDArray[np.uint8]:
    """Make a buffer for an item of an event that is longer than any should be."""
    if size > _MOST_ITEM_BYTES:
        raise failure(Result.LIBERROR, f"the library claims that item {index} has {size} bytes")
    return np.zeros(size + SPARE_BYTES, np.uint8)


def _blank(values: NDArray[np.float64], counts: NDArray[np.uint32]) -> None:
    """Put NaN where an item has no samples, whatever the library wrote there."""
    most = values.shape[2]
    if (counts < most).any():
        beyond = np.arange(most) >= counts[:, np.newaxis]
        values.swapaxes(1, 2)[beyond] = np.nan
