"""An open file of a library, which is closed and opened again as a recording is."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ephyrus.dll.interface import NeuroshareLibrary

__all__ = ["OpenFile", "temporary_copy"]


class OpenFile:
    """A file that a library has open, or will have when it is asked.

    Parameters
    ----------
    library : NeuroshareLibrary
        Who opens it.
    path : path-like or str
        The file.
    opened : callable
        Told about this object whenever the file is opened; whoever it is closes it later.
    """

    def __init__(
        self,
        library: NeuroshareLibrary,
        path: str | os.PathLike[str],
        opened: Callable[[OpenFile], None],
    ) -> None:
        self.library = library
        self.path = os.fspath(path)
        self._opened = opened
        self._handle: int | None = None
        self._lock = threading.Lock()

    def ask(self, call: str, *arguments: Any) -> Any:
        """Make a call of the library for the file, which is opened if it is not.

        Raises
        ------
        NeuroshareError
            If the library refuses it.
        """
        with self._lock:
            if self._handle is None:
                self._handle = self.library.open(self.path)
                self._opened(self)
            handle = self._handle
        return getattr(self.library, call)(handle, *arguments)

    def close(self) -> None:
        """Close the file; it can be asked again."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is not None:
            self.library.close(handle)

    def __del__(self) -> None:
        if not sys.is_finalizing():  # libraries may be gone by then, and files go with them
            self.close()


def temporary_copy(pieces: Iterable[bytes], suffix: str, owner: Any) -> Path:
    """Copy bytes to a file that goes with `owner`: libraries read files on disks only."""
    descriptor, name = tempfile.mkstemp(suffix=suffix, prefix="ephyrus-")
    path = Path(name)
    weakref.finalize(owner, path.unlink, missing_ok=True)
    with os.fdopen(descriptor, "wb") as file:
        for piece in pieces:
            file.write(piece)
    return path
