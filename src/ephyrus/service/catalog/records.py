"""Objects as the rest of the service sees them: values, not rows of a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ephyrus.service.catalog.permalinks import permalink
from ephyrus.service.types import TYPES, ObjectType

__all__ = ["BRIEF", "FULL", "ArrayRef", "ArrayRow", "Detail", "Page", "Record"]

Number = int | float


@dataclass(frozen=True, slots=True)
class ArrayRef:
    """An array of an object: the datafile that it lies in, and its unit."""

    datafile_id: int
    units: str | None


@dataclass(frozen=True, slots=True)
class ArrayRow:
    """What the array of a datafile is, and where its numbers lie (a row of table ``array``).

    Attributes
    ----------
    datafile_id : int
        The datafile.
    dtype : str
        Type of the values as numpy spells it.
    shape : tuple of int
        Shape.
    sorted : bool or None
        The values never decrease; None: unknown.
    location : mapping
        Where the numbers lie.
    levels_key : str or None
        Key of the file of levels; None: there is none yet.
    """

    datafile_id: int
    dtype: str
    shape: tuple[int, ...]
    sorted: bool | None
    location: Mapping[str, Any]
    levels_key: str | None


@dataclass(frozen=True, slots=True)
class Detail:
    """What is read beside the object itself, each for a whole page in few queries."""

    children: bool = True
    metadata: bool = True
    shares: bool = True


FULL = Detail()
BRIEF = Detail(children=False, metadata=False, shares=False)


@dataclass(frozen=True, slots=True)
class Record:
    """An object.

    Attributes
    ----------
    type : str
        Name of its type.
    id : int
        Its id, for life.
    guid : str
        Digest of its content.
    owner_id, owner : int, str
        The user it belongs to, and the user's name.
    safety_level : int
        1 public, 2 friendly, 3 private.
    state : int
        10 active, 20 deleted, 30 archived.
    created, modified : datetime
        When, in UTC.
    attributes : mapping
        Plain values by name.
    quantities : mapping
        Name to (number, unit); (None, None): not set.
    arrays : mapping
        Name to :class:`ArrayRef`; None: not set.
    parents : mapping
        Name of the field to id, None, or (several) a tuple of ids.
    children : mapping or None
        Type to ids, those that may be seen; None: not read.
    shared_with : mapping or None
        User name to level (1 read, 2 read and write), for those who may know; None: not shared,
        or not read.
    metadata : tuple of int or None
        Values that it is annotated with; None: not read.
    facts : mapping
        What the server knows of a datafile.
    recording_id : int or None
        The served recording that it belongs to, which makes it read-only.
    """

    type: str
    id: int
    guid: str
    owner_id: int
    owner: str
    safety_level: int
    state: int
    created: datetime
    modified: datetime
    attributes: Mapping[str, Any]
    quantities: Mapping[str, tuple[Number | None, str | None]]
    arrays: Mapping[str, ArrayRef | None]
    parents: Mapping[str, int | tuple[int, ...] | None]
    children: Mapping[str, tuple[int, ...]] | None = None
    shared_with: Mapping[str, int] | None = None
    metadata: tuple[int, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    recording_id: int | None = None

    @property
    def kind(self) -> ObjectType:
        """The type, as data."""
        return TYPES[self.type]

    @property
    def permalink(self) -> str:
        """The address, with the id as a number."""
        return permalink(self.type, self.id)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes
    ----------
    records : tuple of Record
        The objects.
    offset : int
        Position of the first one in the selection; after a cursor: 0.
    has_more : bool
        Others follow.
    total : int or None
        Size of the selection; None: it was not asked for and is not known.
    next_cursor : str or None
        What continues behind the last object; None: nothing follows.
    """

    records: tuple[Record, ...]
    offset: int
    has_more: bool
    total: int | None
    next_cursor: str | None
