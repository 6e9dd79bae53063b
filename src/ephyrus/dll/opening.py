"""Vendors' libraries by file or name: each is loaded once and kept."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ephyrus.dll.find import find_library, find_library_for_file
from ephyrus.dll.interface import NeuroshareLibrary
from ephyrus.dll.loading import is_isolated_by_default, load_library

__all__ = ["kept_library", "library_for"]

_kept: dict[tuple[str, bool], NeuroshareLibrary] = {}
_lock = threading.Lock()


def library_for(
    filename: str | os.PathLike[str],
    library: str | os.PathLike[str] | None = None,
    *,
    isolate: bool | None = None,
) -> NeuroshareLibrary:
    """Give the library for a file.

    Parameters
    ----------
    filename : path-like or str
        The recording.
    library : path-like or str, optional
        Name or path of the library (default: by the ending of the file's name).
    isolate : bool, optional
        Run it in a process of its own (default: unless it is known to be well-behaved).

    Raises
    ------
    ArgumentError, DLLTypeUnknown, DLLNotFound, DLLUnusable
        If there is none that can be used here.
    """
    path = find_library_for_file(filename) if library is None else find_library(library)
    return kept_library(path, isolate=isolate)


def kept_library(path: str | os.PathLike[str], *, isolate: bool | None = None) -> NeuroshareLibrary:
    """Give the library in a file; the same one whenever it is asked for again."""
    place = Path(path)
    is_apart = is_isolated_by_default(place.stem) if isolate is None else isolate
    key = str(place.absolute()), is_apart
    with _lock:
        if key not in _kept:
            _kept[key] = load_library(place, isolate=is_apart)
        return _kept[key]
