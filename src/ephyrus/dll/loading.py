"""Loading a vendor's library: in a process of its own, unless it is known to be well-behaved."""

from __future__ import annotations

import os

from ephyrus.dll.find import find_library
from ephyrus.dll.interface import NeuroshareLibrary

__all__ = ["WELL_BEHAVED", "is_isolated_by_default", "load_library"]

WELL_BEHAVED = frozenset({"nsMCDLibrary"})  # wrong answers at times, but no crash and no hang


def is_isolated_by_default(name: str) -> bool:
    """Tell whether a library of a name runs in a process of its own unless told otherwise."""
    return name not in WELL_BEHAVED


def load_library(
    library: str | os.PathLike[str],
    *,
    isolate: bool | None = None,
    timeout: float | None = None,
) -> NeuroshareLibrary:
    """Load a vendor's library.

    Parameters
    ----------
    library : path-like or str
        Name or path, see `ephyrus.dll.find.find_library`.
    isolate : bool, optional
        Run it in a process of its own, see `ephyrus.dll.isolated.IsolatedLibrary`. Default: unless
        it is one of `WELL_BEHAVED`.
    timeout : float, optional
        Seconds that a call of an isolated library may take, see there.

    Raises
    ------
    DLLNotFound, DLLUnusable
        If it is not there, or cannot be used here.
    LibraryCrashed, LibraryHung
        If an isolated library does so while it is loaded.
    """
    path = find_library(library)
    if isolate is None:
        isolate = is_isolated_by_default(path.stem)
    if isolate:
        from ephyrus.dll.isolated import IsolatedLibrary

        return IsolatedLibrary(path, timeout=timeout)
    from ephyrus.dll.library import DllLibrary

    return DllLibrary(path)
