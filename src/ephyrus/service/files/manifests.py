"""Reads the lists of objects that child processes write, and believes nothing in them unchecked."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ephyrus.service.catalog.bulk import NewObject
from ephyrus.service.files.canonical import StoredArrayInfo
from ephyrus.service.files.frames import MANIFEST, MOST_OBJECTS
from ephyrus.service.files.kinds import ARRAY
from ephyrus.service.files.looking import checked_array
from ephyrus.service.files.nursery import ChildFailed
from ephyrus.service.types import TYPES, ObjectType

__all__ = ["ARRAY_MIME", "array_facts", "read_objects"]

ARRAY_MIME = "application/x-hdf"
MOST_LINE = 16 * 2**20  # characters of one object
_ARRAY = re.compile(r"array-[0-9]{1,9}")


def array_facts(array: StoredArrayInfo) -> dict[str, Any]:
    """Give what the catalog is told of a datafile that holds an array and was not uploaded."""
    return {
        "size": array.size,
        "mime": ARRAY_MIME,
        "file_type": ARRAY,
        "extracted_info": {"dtype": array.dtype, "shape": list(array.shape)},
        "operations_log": [],
        "content": array.digest,
    }


class Adopting(Protocol):
    """What takes files over."""

    def adopt(self, path: Path) -> str:
        """Take over a file; gives its key."""


@dataclass(slots=True)
class _Reader:
    """Reads one list."""

    folder: Path
    store: Adopting
    safety_level: int
    types: dict[str, str] = field(default_factory=dict)

    def objects(self) -> Iterator[NewObject]:
        """Give the objects, in order."""
        with (self.folder / MANIFEST).open(encoding="ascii") as file:
            while line := file.readline(MOST_LINE):
                if not line.endswith("\n") or len(self.types) >= MOST_OBJECTS:
                    raise _wrong()
                yield self._object(_Document(json.loads(line)))

    def _object(self, document: _Document) -> NewObject:
        kind = TYPES.get(document.text("type"))
        key = document.text("key")
        if kind is None or key in self.types:
            raise _wrong()
        array = self._array(document.get("array"), kind)
        made = NewObject(
            kind.name,
            key,
            attributes=_attributes(document.mapping("attributes"), kind),
            quantities=_quantities(document.mapping("quantities"), kind),
            arrays=self._arrays(document.mapping("arrays"), kind),
            parents=self._parents(document.mapping("parents"), kind),
            safety_level=self.safety_level,
            array=None if array is None else array.row,
            facts={} if array is None else array_facts(array),
            tags=tuple(self._known(tag, "value") for tag in document.sequence("tags")),
        )
        self.types[key] = kind.name
        return made

    def _known(self, key: Any, type_: str) -> str:
        """Give the key of an object of the list, which has to be of the right type."""
        if not isinstance(key, str) or self.types.get(key) != type_:
            raise _wrong()
        return key

    def _array(self, report: Any, kind: ObjectType) -> StoredArrayInfo | None:
        """Check the array of a datafile, and take it over into the store."""
        if report is None:
            return None
        location = report.get("location") if isinstance(report, dict) else None
        name = location.get("key") if isinstance(location, dict) else None
        if kind.name != "datafile" or not isinstance(name, str) or not _ARRAY.fullmatch(name):
            raise _wrong()
        path = self.folder / name
        return checked_array(path, report).at(self.store.adopt(path))

    def _arrays(
        self, given: Mapping[str, Any], kind: ObjectType
    ) -> dict[str, tuple[Hashable, str | None]]:
        names = {array.name for array in kind.arrays}
        found: dict[str, tuple[Hashable, str | None]] = {}
        for name, value in given.items():
            if name not in names or not isinstance(value, list) or len(value) != 2:
                raise _wrong()
            found[name] = self._known(value[0], "datafile"), _text_or_none(value[1])
        return found

    def _parents(self, given: Mapping[str, Any], kind: ObjectType) -> dict[str, Any]:
        known = {parent.name: parent for parent in kind.parents}
        found: dict[str, Any] = {}
        for name, value in given.items():
            parent = known.get(name)
            if parent is None or parent.many != isinstance(value, list):
                if parent is None or value is not None:
                    raise _wrong()
                continue
            found[name] = (
                tuple(self._known(each, parent.type) for each in value)
                if parent.many
                else self._known(value, parent.type)
            )
        return found


class _Document:
    """One line of a list."""

    def __init__(self, content: Any) -> None:
        if not isinstance(content, dict):
            raise _wrong()
        self._content = content

    def get(self, name: str) -> Any:
        """Give a value, or None."""
        return self._content.get(name)

    def text(self, name: str) -> str:
        """Give a text."""
        value = self._content.get(name)
        if not isinstance(value, str):
            raise _wrong()
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Give an object."""
        value = self._content.get(name)
        if not isinstance(value, dict):
            raise _wrong()
        return value

    def sequence(self, name: str) -> list[Any]:
        """Give a list."""
        value = self._content.get(name)
        if not isinstance(value, list):
            raise _wrong()
        return value


def _wrong() -> ChildFailed:
    return ChildFailed("the process that took the file apart wrote a list that cannot be true")


def _text_or_none(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise _wrong()


def _attributes(given: Mapping[str, Any], kind: ObjectType) -> dict[str, Any]:
    """Give plain values as the catalog takes them; names that the type has not are left out."""
    kinds = {attribute.name: attribute.value for attribute in kind.attributes}
    found = {}
    for name, value in given.items():
        if name not in kinds or value is None:
            continue
        if not isinstance(value, str | int | float | bool):
            raise _wrong()
        found[name] = datetime.fromisoformat(str(value)) if kinds[name] == "datetime" else value
    return found


def _quantities(
    given: Mapping[str, Any], kind: ObjectType
) -> dict[str, tuple[float | None, str | None]]:
    names = {quantity.name for quantity in kind.quantities}
    found: dict[str, tuple[float | None, str | None]] = {}
    for name, value in given.items():
        if name not in names or not isinstance(value, list) or len(value) != 2:
            raise _wrong()
        number, units = value
        if not (number is None or type(number) in (int, float)):
            raise _wrong()
        found[name] = number, _text_or_none(units)
    return found


def read_objects(folder: Path, store: Adopting, *, safety_level: int) -> list[NewObject]:
    """Read the objects that a child wrote down, and take their arrays over into the store.

    Parameters
    ----------
    folder : Path
        Where it wrote.
    store : object with adopt
        Takes the arrays.
    safety_level : int
        Of all objects.

    Returns
    -------
    list of NewObject
        Parents before children, with keys of the list.

    Raises
    ------
    ChildFailed
        If the list or one of the arrays is not what it has to be.
    """
    try:
        return list(_Reader(folder, store, safety_level).objects())
    except (ValueError, OSError, RecursionError) as error:
        raise _wrong() from error
