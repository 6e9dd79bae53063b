"""Writes down what a file holds: objects, one JSON document a line, and files with arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.files.canonical import ArrayWriter, StoredArrayInfo, array_nbytes
from ephyrus.service.files.frames import MANIFEST, MOST_OBJECTS
from ephyrus.service.files.nursery import Refused

__all__ = ["Manifest"]

FLOATS = np.dtype(np.float64)


class Manifest:
    """The list of objects that is being made in a folder.

    Parameters
    ----------
    folder : Path
        Where it and the arrays are written.
    room : int
        Bytes that the arrays may have, all together.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self._folder = folder
        self._room = room
        self._file = (folder / MANIFEST).open("x", encoding="ascii")
        self._keys: dict[Hashable, str] = {}
        self._arrays = 0
        self.count = 0

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(
        self,
        type_: str,
        key: Hashable,
        *,
        attributes: Mapping[str, Any] | None = None,
        quantities: Mapping[str, tuple[float | None, str | None]] | None = None,
        arrays: Mapping[str, tuple[Hashable, str | None]] | None = None,
        parents: Mapping[str, Any] | None = None,
        tags: Iterable[Hashable] = (),
        facts: Mapping[str, Any] | None = None,
        array: StoredArrayInfo | None = None,
    ) -> None:
        """Write down one object; what it refers to was written down before.

        Raises
        ------
        Refused
            If there are too many.
        """
        self.count += 1
        if self.count > MOST_OBJECTS:
            raise Refused(f"the file holds more than {MOST_OBJECTS:,} objects")
        self._keys[key] = str(self.count)
        document = {
            "type": type_,
            "key": str(self.count),
            "attributes": _plain(attributes or {}),
            "quantities": _plain(quantities or {}),
            "arrays": {
                name: [self._key(datafile), units]
                for name, (datafile, units) in (arrays or {}).items()
            },
            "parents": {name: self._keys_of(above) for name, above in (parents or {}).items()},
            "tags": [self._key(tag) for tag in tags],
            "facts": _plain(facts or {}),
            "array": None if array is None else {**array.row, "digest": array.digest},
        }
        json.dump(document, self._file, allow_nan=False, separators=(",", ":"))
        self._file.write("\n")

    def _key(self, key: Hashable) -> str:
        return self._keys[key]

    def _keys_of(self, above: Any) -> Any:
        """Give the key of a parent, or the list of keys of several."""
        if above is None or (isinstance(above, Hashable) and above in self._keys):
            return None if above is None else self._keys[above]
        return [self._key(key) for key in above]

    def write_array(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], blocks: Iterable[NDArray[Any]]
    ) -> StoredArrayInfo:
        """Write an array to a file of its own; its location names the file."""

        def write(writer: ArrayWriter) -> None:
            for block in blocks:
                writer.write(block)

        return self.array_of(shape, write, dtype)

    def array_of(
        self,
        shape: tuple[int, ...],
        write: Callable[[ArrayWriter], None],
        dtype: np.dtype[Any] = FLOATS,
    ) -> StoredArrayInfo:
        """Have a function write an array to a file of its own.

        Raises
        ------
        Refused
            If there is no room for it.
        """
        self._room -= array_nbytes(dtype, shape)
        if self._room < 0:
            raise Refused(
                "the arrays of the file would need more room than is allowed for its size; convert "
                "it where it is and send the result"
            )
        path = self._folder / f"array-{self._arrays}"
        self._arrays += 1
        with path.open("xb") as sink:
            writer = ArrayWriter(sink, dtype, shape)
            write(writer)
        return writer.finish(path.name)


def _plain(value: Any) -> Any:
    """Give a value as JSON has it: times as text, no NaN."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
