"""The sources that a recording has open: each once, and no more files than the system allows.

A mapped file holds a descriptor as long as the map lives, and a recording may consist of a thousand
files. Of files beyond a bound, the one that was opened longest ago is let go: it is closed as soon
as nothing looks at it any more, and opened again when it is asked for.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ephyrus.recording.files import ByteSource

if sys.platform != "win32":
    import resource

__all__ = ["Closable", "OpenSources", "most_open"]

FEWEST, MOST = 32, 1024  # files held open by one recording
SHARE = 4  # of the descriptors of the process that one recording may take: a fourth


class Closable(Protocol):
    """Something that is closed with the files of a recording."""

    def close(self) -> None:
        """Release it."""


def most_open() -> int:
    """Give how many files a recording may hold open in this process."""
    if sys.platform == "win32":
        return MOST
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return MOST
    return min(max(limit // SHARE, FEWEST), MOST)


class OpenSources:
    """What is open, by path; may be shared by threads."""

    def __init__(self) -> None:
        self._sources: dict[str, ByteSource] = {}  # the one opened longest ago comes first
        self._attached: list[Closable] = []
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._sources or self._attached)

    @property
    def descriptors(self) -> int:
        """How many files are held open."""
        with self._lock:
            return sum(source.holds_file for source in self._sources.values())

    def get(self, path: str) -> ByteSource | None:
        """Give a source that is open."""
        return self._sources.get(path)

    def opened(self, path: str, opener: Callable[[str], ByteSource]) -> ByteSource:
        """Give the source of a path, and open it if it is not open."""
        with self._lock:
            source = self._sources.get(path)
            if source is None:
                self._let_go(most_open() - 1)
                source = self._sources[path] = opener(path)
            return source

    def _let_go(self, kept: int) -> None:
        """Forget files opened longest ago; who still reads from them has them until then."""
        files = [path for path, source in self._sources.items() if source.holds_file]
        for path in files[: max(len(files) - kept, 0)]:
            del self._sources[path]

    def attach(self, opened: Closable) -> None:
        """Take something that was opened elsewhere, to be closed with the rest."""
        with self._lock:
            self._attached.append(opened)

    def close(self) -> None:
        """Close everything."""
        with self._lock:
            for each in (*self._sources.values(), *self._attached):
                each.close()
            self._sources.clear()
            self._attached.clear()
