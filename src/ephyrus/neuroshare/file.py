"""`File`: a recording opened through a Neuroshare library."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, overload

from ephyrus.dll.interface import EntityInfo, FileInfo, NeuroshareLibrary
from ephyrus.neuroshare.entities import Entity, entity_class
from ephyrus.neuroshare.library import Library

__all__ = ["File"]

# Names of the C interface for the facts of a file.
_KEYS = {
    "FileType": "file_type",
    "AppName": "app_name",
    "FileComment": "comment",
    "EntityCount": "entity_count",
    "TimeStampResolution": "time_stamp_resolution",
    "TimeSpan": "time_span",
    "Time_Year": "year",
    "Time_Month": "month",
    "Time_Day": "day",
    "Time_Hour": "hour",
    "Time_Min": "minute",
    "Time_Sec": "second",
    "Time_MilliSec": "millisecond",
}


class File:
    """A recording, opened through the library for its format.

    Parameters
    ----------
    filename : path-like or str
        The recording.
    library : Library, NeuroshareLibrary, str or path-like, optional
        What reads it: a `Library`, a vendor's library by name or path, ``"ephyrus"`` for the
        package's own readers, or a `RecordingLibrary` with options. By default the package's own
        reader, and where it has none the vendor's library for the name's ending.
    isolate : bool, optional
        Run a vendor's library in a process of its own, so that its crash is an exception here.
        Default: unless the library is known to be well-behaved.

    Raises
    ------
    ArgumentError
        If nothing tells which library is meant.
    DLLTypeUnknown, DLLNotFound
        If no reader or library is known for the name's ending, or it is not installed.
    NeuroshareError
        If the library refuses the file.

    Examples
    --------
    >>> from ephyrus import neuroshare
    >>> with neuroshare.File("recording.fake") as file:
    ...     print(file.entity_count, file.entities[0].label)
    25 ch0
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        library: Library | NeuroshareLibrary | str | os.PathLike[str] | None = None,
        *,
        isolate: bool | None = None,
    ) -> None:
        self._handle: int | None = None
        self._known: FileInfo | None = None
        self.name = os.fspath(filename)
        self._library = Library.chosen(self.name, library, isolate=isolate)
        place = os.path.expanduser(self.name)  # noqa: PTH111 - an address stays one
        self._handle = self._library.calls.open(place)

    @property
    def library(self) -> Library:
        """The library that reads it."""
        return self._library

    @property
    def handle(self) -> int | None:
        """The library's number for the open file; None once it is closed."""
        return self._handle

    @property
    def open_handle(self) -> int:
        """The handle of a file that is open.

        Raises
        ------
        ValueError
            If it is closed.
        """
        if self._handle is None:
            raise ValueError(f"{self.name}: the file is closed; open it again")
        return self._handle

    @property
    def open_library(self) -> NeuroshareLibrary:
        """The calls of its library."""
        return self._library.calls

    @property
    def _info(self) -> FileInfo:
        handle = self.open_handle  # a closed file says so, whatever was asked before
        if self._known is None:
            self._known = self.open_library.file_info(handle)
        return self._known

    @property
    def file_type(self) -> str:
        """What the library calls files like this."""
        return self._info.file_type

    @property
    def app_name(self) -> str:
        """The application that made the file."""
        return self._info.app_name

    @property
    def comment(self) -> str:
        """A comment that was kept in it."""
        return self._info.comment

    @property
    def ctime(self) -> datetime | None:
        """When the recording began; None where the file has no date."""
        info = self._info
        try:
            day = datetime(info.year, info.month, info.day, info.hour, info.minute, info.second)
            return day + timedelta(milliseconds=info.millisecond)
        except (ValueError, OverflowError):
            return None

    @property
    def entity_count(self) -> int:
        """Number of entities."""
        return self._info.entity_count

    @property
    def time_span(self) -> float:
        """Length of the recording in seconds."""
        return self._info.time_span

    @property
    def time_stamp_resolution(self) -> float:
        """Least difference between times in seconds."""
        return self._info.time_stamp_resolution

    @property
    def metadata_raw(self) -> dict[str, Any]:
        """All facts by the names of the C interface."""
        return {key: getattr(self._info, name) for key, name in _KEYS.items()}

    @property
    def entities(self) -> Sequence[Entity]:
        """The entities, by number; each is made when it is asked for."""
        return _Entities(self)

    def entity_info(self, entity_id: int) -> EntityInfo:
        """Give label, type and number of items of an entity."""
        return self.open_library.entity_info(self.open_handle, entity_id)

    def get_entity(self, entity_id: int) -> Entity:
        """Give an entity, of the class for its type.

        Raises
        ------
        NeuroshareError
            If there is no entity of that number.
        """
        number = operator.index(entity_id)
        info = self.entity_info(number)
        return entity_class(info.entity_type)(self, number, info)

    def list_entities(self, start: int = 0, end: int = -1) -> Iterator[Entity]:
        """Give entities from `start` on, up to and without `end` (negative: all)."""
        count = self.entity_count
        stop = count if end < 0 else min(end, count)
        return (self.get_entity(number) for number in range(start, stop))

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._library.calls.close(handle)

    def __enter__(self) -> File:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not sys.is_finalizing():  # libraries may be gone by then, and files go with them
            self.close()

    def __repr__(self) -> str:
        return f"neuroshare.File({self.name!r})"


class _Entities(Sequence[Entity]):
    """Entities of a file by number."""

    def __init__(self, file: File) -> None:
        self._file = file

    def __len__(self) -> int:
        return self._file.entity_count

    @overload
    def __getitem__(self, index: int) -> Entity: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entity]: ...

    def __getitem__(self, index: int | slice) -> Entity | list[Entity]:
        if isinstance(index, slice):
            return [self._file.get_entity(number) for number in range(len(self))[index]]
        try:
            return self._file.get_entity(range(len(self))[index])
        except IndexError:
            raise IndexError(f"entity {index} of {len(self)}") from None

    def __repr__(self) -> str:
        return f"<{len(self)} entities of {self._file!r}>"
