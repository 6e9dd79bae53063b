"""`Library`: what reads a Neuroshare file, and which one is chosen."""

from __future__ import annotations

import os
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from ephyrus.dll.constants import LibraryFlags
from ephyrus.dll.find import find_library, find_library_for_file
from ephyrus.dll.interface import FileDescription, LibraryInfo, NeuroshareLibrary
from ephyrus.dll.opening import kept_library, library_for
from ephyrus.errors import ArgumentError, DLLException
from ephyrus.neuroshare.recordinglibrary import NAME, RecordingLibrary
from ephyrus.registry import BY_NAME, matches_of

__all__ = ["Library", "find_library_for_file", "load_library_for_file"]

THROUGH_LIBRARIES = "neuroshare"  # the format whose files are read by vendors' libraries

# Names of the C interface for the facts of a library.
_KEYS = {
    "Description": "description",
    "Creator": "creator",
    "LibVersionMaj": "version_major",
    "LibVersionMin": "version_minor",
    "APIVersionMaj": "api_version_major",
    "APIVersionMin": "api_version_minor",
    "Time_Year": "year",
    "Time_Month": "month",
    "Time_Day": "day",
    "MaxFiles": "max_files",
}

_own = RecordingLibrary()


class Library:
    """A library that reads recordings: a vendor's, or the package's own readers.

    Parameters
    ----------
    name : str
        Its name.
    path : path-like or str, optional
        A vendor's library; by default the one of that name in the folders of libraries, or for the
        name ``"ephyrus"`` the package's own readers.
    isolate : bool, optional
        Run it in a process of its own (default: unless it is known to be well-behaved).
    calls : NeuroshareLibrary, optional
        A library that is there already, such as a `RecordingLibrary` with options.

    Attributes
    ----------
    calls : NeuroshareLibrary
        The calls of the C interface.

    Raises
    ------
    DLLNotFound, DLLUnusable
        If the library is not there, or cannot be used here.
    """

    def __init__(
        self,
        name: str,
        path: str | os.PathLike[str] | None = None,
        *,
        isolate: bool | None = None,
        calls: NeuroshareLibrary | None = None,
    ) -> None:
        self.name = name
        if calls is None and path is None and name == NAME:
            calls = _own
        if calls is None:
            calls = kept_library(find_library(name if path is None else path), isolate=isolate)
        self.calls: NeuroshareLibrary = calls

    @classmethod
    def for_file(cls, filename: str | os.PathLike[str], *, isolate: bool | None = None) -> Library:
        """Choose what reads a file.

        The package's own reader, if the file is there and of a format that the package reads; else
        the vendor's library for the ending of its name.

        Raises
        ------
        ArgumentError
            If the name has no ending.
        DLLTypeUnknown, DLLNotFound
            If no library is known for it, or it is not installed.
        FileNotFoundError
            If it is not there.
        """
        if _is_read_here(filename):
            return cls(NAME)
        try:
            calls = library_for(filename, isolate=isolate)
        except (ArgumentError, DLLException):
            if not Path(filename).exists():
                raise FileNotFoundError(f"{os.fspath(filename)}: no such file or folder") from None
            raise
        return cls(calls.name, calls=calls)

    @classmethod
    def chosen(
        cls,
        filename: str | os.PathLike[str],
        library: Library | NeuroshareLibrary | str | os.PathLike[str] | None,
        *,
        isolate: bool | None = None,
    ) -> Library:
        """Give the library that a caller names, or the one for a file."""
        if library is None:
            return cls.for_file(filename, isolate=isolate)
        if isinstance(library, Library):
            return library
        if isinstance(library, str | os.PathLike):
            if os.fspath(library) == NAME:
                return cls(NAME)
            return cls(Path(library).stem, library, isolate=isolate)
        return cls(library.name, calls=library)

    @property
    def path(self) -> str | None:
        """The library's file; None for the package's own readers."""
        return self.calls.path

    @cached_property
    def _info(self) -> LibraryInfo:
        return self.calls.library_info()

    @property
    def description(self) -> str:
        """What the library says of itself."""
        return self._info.description

    @property
    def creator(self) -> str:
        """Who made it."""
        return self._info.creator

    @property
    def api_version(self) -> tuple[int, int]:
        """Revision of the Neuroshare interface: major, minor."""
        return self._info.api_version_major, self._info.api_version_minor

    @property
    def library_version(self) -> tuple[int, int]:
        """Version of the library: major, minor."""
        return self._info.version_major, self._info.version_minor

    @property
    def max_files(self) -> int:
        """How many files can be open at once."""
        return self._info.max_files

    @property
    def mtime(self) -> date | None:
        """When it was changed; None where it says no date."""
        try:
            return date(self._info.year, self._info.month, self._info.day)
        except (ValueError, OverflowError):
            return None

    @property
    def flags(self) -> LibraryFlags:
        """What it says of its build, and whether it can be called from several threads."""
        return self._info.flags

    @property
    def file_types(self) -> tuple[FileDescription, ...]:
        """The types of files that it reads."""
        return self._info.file_types

    @property
    def metadata_raw(self) -> dict[str, Any]:
        """All facts by the names of the C interface."""
        return {key: getattr(self._info, name) for key, name in _KEYS.items()}

    def __repr__(self) -> str:
        return f"neuroshare.Library({self.name!r}, {self.path!r})"


def load_library_for_file(filename: str | os.PathLike[str]) -> Library:
    """Choose what reads a file; see `Library.for_file`."""
    return Library.for_file(filename)


def _is_read_here(filename: str | os.PathLike[str]) -> bool:
    """Tell whether the package's own readers know a file by more than its name."""
    try:
        matches = matches_of(filename)
    except FileNotFoundError:
        return False
    names = [match.format.name for match in matches if match.confidence > BY_NAME]
    return bool(names) and names[0] != THROUGH_LIBRARIES
