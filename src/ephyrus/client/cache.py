"""Bodies of arrays on the disk: what was fetched once is not fetched again.

An entry is keyed by the service, the guid of the object that owns the array, and the request. A
guid changes with every change of its object, so that an entry never grows old. The folder lies in
the user's cache folder; `EPHYRUS_CACHE` names another one, or is ``off``.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs

__all__ = ["BodyCache", "default_cache"]

CACHE_VARIABLE = "EPHYRUS_CACHE"
MAX_BYTES = 4 * 2**30
SWEEP_EVERY = 64  # entries written between two looks at the size of all


class BodyCache:
    """A folder of bodies.

    Parameters
    ----------
    folder : path-like
        Made when the first entry is written; readable by the user alone.
    max_bytes : int
        Size of all entries beyond which those that were not used for longest are removed.
    """

    def __init__(self, folder: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self._written = 0

    def _path(self, service: str, guid: str, request: str) -> Path:
        key = hashlib.sha256("\0".join((service, guid, request)).encode()).hexdigest()
        return self.folder / key[:2] / key[2:]

    def get(self, service: str, guid: str, request: str) -> bytes | None:
        """Give a body, or None."""
        path = self._path(service, guid, request)
        try:
            body = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):
            os.utime(path)  # it was used: it goes last
        return body

    def put(self, service: str, guid: str, request: str, body: bytes | memoryview) -> None:
        """Keep a body; a disk that is full or read-only is no failure."""
        if len(body) > self.max_bytes // 8:  # one entry must not push out all others
            return
        path = self._path(service, guid, request)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_beside(path, body)
        self._written += 1
        if self._written % SWEEP_EVERY == 0:
            self.sweep()

    def sweep(self) -> None:
        """Remove what was not used for longest, until the rest is within 9/10 of the limit."""
        entries = []
        for path in self.folder.glob("??/*"):
            with suppress(OSError):
                facts = path.stat()
                entries.append((facts.st_mtime, facts.st_size, path))
        excess = sum(size for _, size, _ in entries) - self.max_bytes
        if excess <= 0:
            return
        excess += self.max_bytes // 10
        for _, size, path in sorted(entries):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= size


def _write_beside(path: Path, body: bytes | memoryview) -> None:
    """Write a file that is there whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def default_cache() -> BodyCache | None:
    """Give the user's cache; None where it is switched off."""
    named = os.environ.get(CACHE_VARIABLE, "")
    if named == "off":
        return None
    root = Path(named) if named else Path(platformdirs.user_cache_dir("ephyrus", appauthor=False))
    return BodyCache(root / "client")
