"""Calling a loaded library: one call at a time, refusals as errors, structures as values."""

from __future__ import annotations

import ctypes
import operator
import os
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from ctypes import byref
from functools import cache
from typing import Any

from ephyrus.dll import structures
from ephyrus.dll.constants import LibraryFlags, Result
from ephyrus.dll.failures import failure
from ephyrus.dll.functions import Function, load_functions
from ephyrus.dll.interface import FileDescription, LibraryInfo
from ephyrus.dll.texts import decoded
from ephyrus.errors import NeuroshareError

__all__ = [
    "SPARE_BYTES",
    "Calls",
    "entity_of",
    "handle_of",
    "month_of",
    "number_of",
    "range_of",
]

SPARE_BYTES = 4096  # of buffers, beyond what a library says that it needs
_MOST = 2**32 - 1  # greatest number that a call takes
_MESSAGE_BYTES = 256  # of the longest message
_FIRST_REVISION = (1, 0)

# Natural alignment first. On Windows all libraries are packed, even those that ignore the size.
_PACKINGS: tuple[int | None, ...] = (None, structures.PACKED)
if sys.platform == "win32":
    _PACKINGS = (structures.PACKED, None)


@cache
def _lock_of(path: str) -> AbstractContextManager[Any]:
    """Give the lock of a library: its state is global, however often it is loaded."""
    return threading.RLock()


class Calls:
    """A loaded library.

    Parameters
    ----------
    path : str
        The library's file.

    Attributes
    ----------
    functions : Functions
        Its functions, to be called with `call`.
    is_first_revision : bool
        It follows revision 1.0 of the interface: months from 0 on, and segments sample by sample.

    Raises
    ------
    DLLUnusable
        If it cannot be loaded, or is no Neuroshare library.
    """

    def __init__(self, path: str) -> None:
        self.functions = load_functions(path)
        self._packing: tuple[int | None] | None = None
        self._lock = _lock_of(os.path.realpath(path))
        self.is_first_revision = False
        try:
            info = self.library_info()
        except NeuroshareError:
            return  # what it does not tell, it need not be asked for
        version = info.api_version_major, info.api_version_minor
        self.is_first_revision = version == _FIRST_REVISION
        if LibraryFlags.MULTITHREADED in info.flags:
            self._lock = nullcontext()

    def call(self, function: Function, *arguments: Any) -> None:
        """Call a function, and raise what it answers unless that is OK."""
        with self._lock:
            code = function(*arguments)
            if code:
                raise self._failure(code)

    def _failure(self, code: int) -> NeuroshareError:
        """Make the error for a code, with the library's own message where it has one."""
        ask = self.functions.GetLastErrorMsg
        if ask is None:
            return failure(code)
        field = ctypes.create_string_buffer(_MESSAGE_BYTES + SPARE_BYTES)
        is_told = ask(byref(field), _MESSAGE_BYTES) == Result.OK
        return failure(code, decoded(field.raw[:_MESSAGE_BYTES]).strip() if is_told else "")

    def library_info(self) -> LibraryInfo:
        """Tell what the library is."""
        filled = structures.structure(structures.LIBRARY_INFO)()
        self.call(self.functions.GetLibraryInfo, byref(filled), ctypes.sizeof(filled))
        values = _values(structures.LIBRARY_INFO, filled)
        count = min(values.pop("file_type_count"), structures.MOST_DESCRIPTIONS)
        values["flags"] = LibraryFlags(values["flags"])
        version = values["api_version_major"], values["api_version_minor"]
        values["month"] = month_of(values, is_first_revision=version == _FIRST_REVISION)
        types = tuple(_file_description(filled.descriptions[k]) for k in range(count))
        return LibraryInfo(**values, file_types=types)

    def info(self, function: Function, table: structures.Table, *numbers: int) -> dict[str, Any]:
        """Let a function fill a structure, and give its values, texts decoded."""
        filled = structures.structure(table, self._packing_for(table, numbers[0]))()
        self.call(function, *numbers, byref(filled), ctypes.sizeof(filled))
        return _values(table, filled)

    def _packing_for(self, table: structures.Table, handle: int) -> int | None:
        """Give the alignment of a structure; the library's is found out with the first file."""
        sizes = {ctypes.sizeof(structures.structure(table, pack)) for pack in _PACKINGS}
        if len(sizes) == 1:
            return None
        if self._packing is None:
            self._packing = (self._found_packing(handle),)
        return self._packing[0]

    def _found_packing(self, handle: int) -> int | None:
        """Ask for what a file is in both alignments: the wrong size is refused."""
        refusals = []
        for pack in _PACKINGS:
            filled = structures.structure(structures.FILE_INFO, pack)()
            size = ctypes.sizeof(filled)
            try:
                self.call(self.functions.GetFileInfo, handle, byref(filled), size)
            except NeuroshareError as error:
                refusals.append(error)
                if error.code != Result.LIBERROR:
                    break
            else:
                return pack
        raise refusals[0]


def month_of(values: dict[str, Any], *, is_first_revision: bool) -> int:
    """Give the month of a date, from 1 on; a date that is none stays so."""
    is_date = values["year"] > 0 and values["day"] > 0
    return int(values["month"]) + int(is_first_revision and is_date)


def handle_of(handle: int) -> int:
    """Give a handle as a call takes it."""
    return number_of(handle, Result.BADFILE, "handle")


def entity_of(entity: int) -> int:
    """Give the number of an entity as a call takes it."""
    return number_of(entity, Result.BADENTITY, "entity")


def number_of(value: int, code: Result, what: str) -> int:
    """Give a number as a call takes it: ctypes would cut what has more than 32 bits."""
    number = operator.index(value)
    if not 0 <= number <= _MOST:
        raise failure(code, f"there is no {what} {number}")
    return number


def range_of(start: int, count: int) -> tuple[int, int]:
    """Give the first item and the number of items as a call takes them."""
    first, number = operator.index(start), operator.index(count)
    if first < 0 or number < 0 or first + number > _MOST:
        raise failure(Result.BADINDEX, f"there are no {number} items from item {first} on")
    return first, number


def _values(table: structures.Table, filled: Any) -> dict[str, Any]:
    """Give the values of a structure, texts decoded."""
    sizes = {name: int(kind[1:]) for name, kind in table if kind[0] == "S"}
    return {
        name: decoded(value, sizes[name]) if name in sizes else value
        for name, value in structures.values_of(table, filled).items()
    }


def _file_description(filled: Any) -> FileDescription:
    """Give a type of files; its magic code stays bytes."""
    raw = structures.values_of(structures.FILE_DESCRIPTION, filled)
    texts = _values(structures.FILE_DESCRIPTION, filled)
    return FileDescription(**(texts | {"magic_code": raw["magic_code"]}))
