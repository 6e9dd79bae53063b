"""Uploaded files and arrays in an object store (S3, Google, Azure), through obstore."""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import obstore
from numpy.typing import NDArray
from obstore import store as stores
from obstore.exceptions import BaseError

from ephyrus.recording.files import ByteSource
from ephyrus.service.files.store import COPIED, KEY, Discarded, checked_key, new_key

__all__ = ["ObjectSource", "ObjectStore", "open_object_store"]

_CONNECT = timedelta(seconds=5)
_RETRIES = 3
_REST = 1.0  # seconds between two trials of a store that did not answer


def open_object_store(address: str, *, seconds: float) -> ObjectStore:
    """Open an object store.

    Parameters
    ----------
    address : str
        Bucket and prefix (``s3://bucket/prefix``). How it is reached, and who asks, is said by the
        variables of the environment that the provider's own programs know (``AWS_...``).
    seconds : float
        What one request to it may take.

    Raises
    ------
    OSError
        If the address is none of a store.
    """
    limit = timedelta(seconds=seconds)
    if ":" not in address:
        raise OSError(f"array_store {address}: it does not begin with the kind of store (s3://...)")
    network: dict[str, Any] = {
        "client_options": {
            "timeout": limit,
            "connect_timeout": min(_CONNECT, limit),
            "allow_http": _is_plain(),
        },
        "retry_config": {"max_retries": _RETRIES, "retry_timeout": limit},
    }
    try:
        store = stores.from_url(address, **({} if address.startswith("file:") else network))
    except BaseError as error:
        raise _as_of_system(error, f"array_store {address}") from error
    return ObjectStore(store, seconds=seconds)


def _is_plain() -> bool:
    """Tell whether the environment names a store that is reached without TLS, as in one's own net.

    The options above take the place of those of the environment, so that nobody else looks there.
    """
    return any(
        "ENDPOINT" in name and address.startswith("http://") for name, address in os.environ.items()
    )


class _Line:
    """Asks the store, unless it has just let somebody wait in vain.

    A store that hangs would otherwise get hold of one thread after the other. Failures are those of
    the file system: nobody else knows the exceptions of obstore.

    Parameters
    ----------
    seconds : float
        What one request may take; one that fails after that was not answered.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._seconds = seconds
        self._lost: float | None = None  # when somebody waited in vain; None: it answers
        self._trying = threading.Lock()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask something within the block.

        Raises
        ------
        OSError
            The store refuses it, does not answer, or did not a moment ago and somebody is trying.
        """
        is_trial = self._lost is not None
        if is_trial and not (self._has_rested() and self._trying.acquire(blocking=False)):
            raise OSError("the object store does not answer")
        started = time.monotonic()
        try:
            yield
        except FileNotFoundError:
            self._lost = None
            raise
        except (BaseError, OSError) as error:
            was_answered = time.monotonic() - started < self._seconds
            self._lost = None if was_answered else time.monotonic()
            raise _as_of_system(error) from error
        else:
            self._lost = None
        finally:
            if is_trial:
                self._trying.release()

    def _has_rested(self) -> bool:
        return self._lost is None or time.monotonic() - self._lost > _REST


def _as_of_system(error: Exception, what: str = "the object store") -> OSError:
    told = str(error).partition("Debug source:")[0]
    return OSError(f"{what}: {' '.join(told.split())}")


class ObjectSource(ByteSource):
    """An object, read by ranges."""

    def __init__(self, store: Any, path: str, line: _Line) -> None:
        self._store = store
        self._path = path
        self._line = line
        with self._line.asking():
            super().__init__(path, int(obstore.head(store, path)["size"]))

    def _read(self, offset: int, count: int) -> bytes:
        if count == 0:
            return b""
        with self._line.asking():
            return bytes(obstore.get_range(self._store, self._path, start=offset, length=count))

    def _array(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        return np.frombuffer(self._read(offset, count * dtype.itemsize), dtype)

    def _fill_ranges(self, offsets: list[int], sizes: list[int], buffer: NDArray[np.uint8]) -> None:
        """Ask for many ranges at once: near ones are joined, the others are got side by side."""
        wanted = [(offset, size) for offset, size in zip(offsets, sizes, strict=True) if size]
        starts, lengths = [each[0] for each in wanted], [each[1] for each in wanted]
        with self._line.asking():
            got = obstore.get_ranges(self._store, self._path, starts=starts, lengths=lengths)
        at = 0
        for part in got:
            buffer[at : at + len(part)] = np.frombuffer(part, np.uint8)
            at += len(part)


class NewObject(Discarded):
    """An object that is being sent in parts; it is there when all of them have arrived."""

    def __init__(self, store: Any, path: str, key: str, line: _Line) -> None:
        self.key = key
        self.size = 0
        self._store = store
        self._path = path
        self._line = line
        with self._line.asking():
            self._writer = obstore.open_writer(store, path, buffer_size=COPIED, max_concurrency=2)
        self._is_open = True

    def __enter__(self) -> NewObject:
        return self

    def write(self, data: Any) -> None:
        """Append bytes."""
        view = memoryview(data).cast("B")
        with self._line.asking():
            for start in range(0, len(view), COPIED):
                self._writer.write(view[start : start + COPIED])
        self.size += len(view)

    def commit(self, *, settled: bool = True) -> str:
        """Send the last part and give the key."""
        with self._line.asking():
            self._writer.close()
        self._is_open = False
        return self.key

    def abort(self) -> None:
        """Take back what was written, unless it was committed."""
        if self._is_open:
            self._is_open = False
            # The only way to end the parts that are under way is to end the object.
            with suppress(OSError), self._line.asking():
                self._writer.close()
            # what cannot be taken back now is swept when it is old
            with suppress(OSError), self._line.asking():
                obstore.delete(self._store, self._path)


class ObjectStore:
    """Files in an object store (S3, GCS, Azure), through obstore.

    Parameters
    ----------
    store : obstore store
        Bucket and prefix.
    seconds : float
        What one request to it may take.
    """

    def __init__(self, store: Any, *, seconds: float = math.inf) -> None:
        self._store = store
        self._line = _Line(seconds)

    def create(self) -> NewObject:
        """Begin an object under a new key."""
        key = new_key()
        return NewObject(self._store, self._path(key), key, self._line)

    def adopt(self, path: Path, *, settled: bool = True) -> str:
        """Send a finished local file, which is removed afterwards; gives its key."""
        with path.open("rb") as source, self.create() as new:
            shutil.copyfileobj(source, new, COPIED)
            new.commit()
        path.unlink()
        return new.key

    def settle(self, keys: Iterable[str]) -> None:
        """Objects are durable when they are there."""

    def source(self, key: str) -> ObjectSource:
        """Open an object for reading; raises `FileNotFoundError` if there is none."""
        return ObjectSource(self._store, self._path(key), self._line)

    def local_path(self, key: str) -> Path | None:
        """Objects have no place in the file system."""
        return None

    def size(self, key: str) -> int:
        """Give the length of an object; raises `FileNotFoundError` if there is none."""
        with self._line.asking():
            return int(obstore.head(self._store, self._path(key))["size"])

    def delete(self, key: str) -> None:
        """Remove an object, if it is there."""
        path = self._path(key)
        with suppress(FileNotFoundError), self._line.asking():
            obstore.delete(self._store, path)

    def keys(self, *, older_than: float = 0.0) -> Iterator[str]:
        """List the objects that were finished more than `older_than` seconds ago."""
        latest = time.time() - older_than
        with self._line.asking():
            batches = iter(obstore.list(self._store))
            batch = next(batches, None)
        while batch is not None:
            for found in batch:
                name = str(found["path"]).rpartition("/")[2]
                if KEY.fullmatch(name) and found["last_modified"].timestamp() <= latest:
                    yield name
            with self._line.asking():
                batch = next(batches, None)

    def sweep(self, *, older_than: float) -> int:
        """Leave unfinished uploads to the store, which has rules of its own for their life."""
        return 0

    def check(self) -> None:
        """Make sure that the bucket answers, which the answer for a missing key does not tell."""
        with self._line.asking():
            next(iter(obstore.list(self._store, prefix=self._path("0" * 32))), None)

    def _path(self, key: str) -> str:
        checked_key(key)
        return f"{key[:2]}/{key}"
