"""Datafiles with what is needed to send their data, kept until something changes."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from ephyrus.service.catalog import reading, rights
from ephyrus.service.catalog.query import parse_at_time
from ephyrus.service.catalog.records import BRIEF, ArrayRow, Record
from ephyrus.service.db.schema import TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.routes.parts import array_opener
from ephyrus.service.types import TYPES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ephyrus.service.arrays.opening import OpenArray
    from ephyrus.service.routes.call import Call

__all__ = ["Entry", "entries_of", "entry_of", "load_entry", "opened"]

_ALL = Principal(None, is_admin=True, scopes=frozenset({"read"}))  # after rights were checked
_AT_ONCE = 500  # ids in one query


@dataclass(frozen=True)
class Entry:
    """A datafile that somebody may read the data of.

    Attributes
    ----------
    id : int
        Its id.
    guid : str
        Its version.
    is_public : bool
        Everybody may keep the answer.
    row : ArrayRow or None
        Its array; None: it holds none.
    owner : Record or None
        The object whose array it is, if the one who asks may see it.
    field : str
        Name of the array in the owner.
    """

    id: int
    guid: str
    is_public: bool
    row: ArrayRow | None
    owner: Record | None = None
    field: str = ""

    @cached_property
    def row_bytes(self) -> int:
        """Bytes that are stored for one row of the array."""
        return np.dtype(self.array.dtype).itemsize * prod(self.array.shape[1:])

    @property
    def name(self) -> str:
        """Name of the array in a body: guid of the owner, else of the datafile."""
        return self.guid if self.owner is None else self.owner.guid

    @property
    def array(self) -> ArrayRow:
        """The array.

        Raises
        ------
        ServiceError
            The datafile holds none (400 ``no_hdf5_array``).
        """
        if self.row is None:
            raise ServiceError(
                "no_hdf5_array",
                "This datafile holds no array; get its description or download it.",
                details={"datafile": self.id},
            )
        return self.row


class _Entries:
    """Entries by who asks, as long as nothing changes in the catalog."""

    def __init__(self, most: int) -> None:
        self._most = max(most, 1)
        self._kept: dict[Hashable, tuple[Any, Entry]] = {}
        self._lock = threading.Lock()

    def known(self, key: Hashable, stamp: Any) -> Entry | None:
        found = self._kept.get(key)
        return found[1] if found is not None and found[0] == stamp else None

    def keep(self, key: Hashable, stamp: Any, entry: Entry) -> None:
        with self._lock:
            while len(self._kept) >= self._most:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = stamp, entry


def _kept(call: Call) -> _Entries:
    return call.service.part("entries", lambda each: _Entries(each.settings.cached_objects))


async def entry_of(call: Call, number: int, at_time: datetime | None = None) -> Entry:
    """Find a datafile that is asked for, from memory where nothing has changed.

    Raises
    ------
    ServiceError
        There is none (404), or its data may not be read (403, 401).
    """
    found = _kept(call).known((call.principal, number, at_time), call.stamp)
    if found is None:
        found = await call.thread(load_entry, call, number, at_time)
    return found


def load_entry(call: Call, number: int, at_time: datetime | None = None) -> Entry:
    """Find a datafile that is asked for; may ask the database.

    Raises
    ------
    ServiceError
        As `entry_of`.
    """
    key = call.principal, number, at_time
    entry = _kept(call).known(key, call.stamp)
    if entry is None:
        with call.service.database.reading() as connection:
            entry = _read(connection, call, number, at_time)
        _kept(call).keep(key, call.stamp, entry)
    return entry


def _read(connection: Connection, call: Call, number: int, at_time: datetime | None) -> Entry:
    principal = call.principal
    rights.require_data(connection, principal, number, at_time=at_time)
    file = reading.get(connection, _ALL, "datafile", number, at_time=at_time, detail=BRIEF)
    row = reading.array_of(connection, number, at_time=at_time)
    found = reading.owner_of_array(connection, number, at_time=at_time) if row else None
    owner = None
    if found is not None:
        owner = _seen(connection, principal, found, at_time)
    return _entry(call, file, row, owner, found.field if found is not None else "")


def _seen(
    connection: Connection, principal: Principal, owner: reading.Owner, at_time: datetime | None
) -> Record | None:
    """Read the owner of an array, if it may be seen."""
    try:
        return reading.get(
            connection, principal, owner.type, owner.id, at_time=at_time, detail=BRIEF
        )
    except ServiceError:
        return None


def _entry(
    call: Call, file: Record, row: ArrayRow | None, owner: Record | None, field: str
) -> Entry:
    is_public = file.safety_level == 1 and call.service.settings.anonymous_read
    return Entry(file.id, file.guid, is_public, row, owner, "" if owner is None else field)


def entries_of(call: Call, numbers: Sequence[int]) -> dict[int, Entry]:
    """Find many datafiles with few queries.

    Raises
    ------
    ServiceError
        One does not exist (404), or its data may not be read (403, 401).
    """
    kept, found = _kept(call), {}
    for number in dict.fromkeys(numbers):
        known = kept.known((call.principal, number, None), call.stamp)
        if known is not None:
            found[number] = known
    missing = [number for number in dict.fromkeys(numbers) if number not in found]
    for at in range(0, len(missing), _AT_ONCE):
        with call.service.database.reading() as connection:
            entries = _read_many(connection, call, missing[at : at + _AT_ONCE])
        for entry in entries:
            kept.keep((call.principal, entry.id, None), call.stamp, entry)
            found[entry.id] = entry
    return found


def _read_many(connection: Connection, call: Call, numbers: list[int]) -> list[Entry]:
    principal = call.principal
    files = reading.get_many(connection, _ALL, "datafile", numbers, detail=BRIEF)
    readable = reading.get_many(connection, principal, "datafile", numbers, detail=BRIEF)
    for number in numbers:
        if number not in readable:
            rights.require_data(connection, principal, number)
    rows = reading.arrays_of(connection, numbers)
    owners = _owners(connection, principal, numbers)
    return [
        _entry(call, files[number], rows.get(number), *owners.get(number, (None, "")))
        for number in numbers
    ]


def _owners(
    connection: Connection, principal: Principal, numbers: list[int]
) -> Mapping[int, tuple[Record | None, str]]:
    """Find the objects whose arrays datafiles are: of several the first, by type and id."""
    found: dict[int, tuple[Record | None, str]] = {}
    for kind in TYPES.values():
        table = TABLES[kind.name]
        for array in kind.arrays:
            column = table.c[f"{array.name}_id"]
            pairs = connection.execute(
                select(column, table.c.id).where(column.in_(numbers)).order_by(table.c.id.desc())
            ).all()
            owners = {number: owner for number, owner in pairs if number not in found}
            records = reading.get_many(
                connection, principal, kind.name, list(owners.values()), detail=BRIEF
            )
            for number, owner in owners.items():
                if owner in records:
                    found[number] = records[owner], array.name
    return found


def opened(call: Call, entry: Entry) -> OpenArray:
    """Open the array of an entry.

    Raises
    ------
    ServiceError
        It holds none (400), or cannot be read now (503).
    """
    return array_opener(call.service).open(entry.array)


def moment_of(call: Call) -> datetime | None:
    """Read ``at_time`` of a request."""
    text = call.query.one("at_time")
    return None if text is None else parse_at_time(text)
