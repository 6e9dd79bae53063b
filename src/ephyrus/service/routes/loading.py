"""Reading objects with all that is shown of them, and keeping what was read."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha1
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.service.catalog import annotation, reading
from ephyrus.service.catalog.limits import (
    MOST_TEXT,
    check_links,
    check_pairs,
    length_of_texts,
    too_much_text,
)
from ephyrus.service.catalog.records import ArrayRow, Record
from ephyrus.service.errors import ServiceError
from ephyrus.service.files.canonical import array_header, array_nbytes
from ephyrus.service.routes.envelope import Facts, present
from ephyrus.service.routes.parts import array_view, inline_values

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ephyrus.service.routes.call import Call, Service
    from ephyrus.service.routes.options import Options

__all__ = ["Loaded", "Loader", "load_many", "load_one", "show_one", "size_of"]

_DEEPEST = 16  # levels of children within children
_AT_ONCE = 500  # objects that are read with one page of queries
_BYTES_OF_ONE = 4096  # memory of an object, with its row of the array and the entry itself

Key = tuple[str, int]


@dataclass(slots=True)
class Loaded:
    """Objects with what belongs to them.

    Attributes
    ----------
    records : tuple of Record
        The objects.
    arrays : mapping
        Rows of the table of arrays by id of the datafile.
    pairs : mapping
        Properties and values by type and id of the object, where they are shown.
    below : mapping
        Objects below the first one by type and id, where they are shown.
    """

    records: tuple[Record, ...]
    arrays: dict[int, ArrayRow] = field(default_factory=dict)
    pairs: dict[Key, Sequence[tuple[Record, Record]]] = field(default_factory=dict)
    below: dict[Key, Record] = field(default_factory=dict)
    _state: str = ""

    @property
    def within(self) -> list[Record]:
        """Objects that are shown within others: those below, properties and values."""
        pairs = [record for found in self.pairs.values() for pair in found for record in pair]
        return [*self.below.values(), *pairs]

    @property
    def state(self) -> str:
        """Digest of all that can be shown, also of what versions do not tell: children, rights."""
        if not self._state:
            shown = [_state_of(each) for each in (*self.records, *self.within)]
            shown += [repr(row) for _, row in sorted(self.arrays.items())]
            self._state = sha1("\n".join(shown).encode(), usedforsecurity=False).hexdigest()
        return self._state


def _state_of(record: Record) -> str:
    """Write what is shown of an object; what its version tells is told by its guid."""
    seen = (record.guid, record.modified, record.state, record.safety_level, record.shared_with)
    return repr((*seen, record.owner_id, record.children, record.metadata, record.facts))


class Loader:
    """What was read from the catalog, as long as nothing changes in it.

    Parameters
    ----------
    most : int
        Bytes that may be kept, about.
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._kept: dict[Hashable, tuple[Any, Any, int]] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, service: Service) -> Loader:
        """Give the one of this process."""
        return service.part(
            "objects", lambda each: cls(each.settings.cached_objects * _BYTES_OF_ONE)
        )

    def known(self, key: Hashable, stamp: Any) -> Any:
        """Give what was read under the same state of the catalog; else None."""
        found = self._kept.get(key)
        return found[1] if found is not None and found[0] == stamp else None

    def keep(self, key: Hashable, stamp: Any, value: Any, *, size: int = _BYTES_OF_ONE) -> None:
        """Keep what was read, and let go of what was kept longest where that is too much."""
        with self._lock:
            self._forget(key)
            while self._kept and self._left < size:
                self._forget(next(iter(self._kept)))
            if size <= self._left:
                self._kept[key] = (stamp, value, size)
                self._left -= size

    def _forget(self, key: Hashable) -> None:
        known = self._kept.pop(key, None)
        if known is not None:
            self._left += known[2]


def size_of(loaded: Loaded) -> int:
    """Estimate the memory of objects in bytes."""
    pairs = sum(len(each) for each in loaded.pairs.values())
    records = (*loaded.records, *loaded.below.values())
    return _BYTES_OF_ONE * (len(records) + 2 * pairs) + sum(map(_extra, records))


def _extra(record: Record) -> int:
    """Estimate what makes an object larger than others: texts, and ids of others."""
    ids = sum(len(each) for each in (record.children or {}).values()) + len(record.metadata or ())
    values = (*record.attributes.values(), *record.facts.values())
    return 40 * ids + sum(len(str(value)) for value in values)


def _links_of(record: Record) -> int:
    """Count the ids of other objects that are shown of one."""
    children = sum(map(len, (record.children or {}).values()))
    parents = sum(len(each) for each in record.parents.values() if isinstance(each, tuple))
    return children + parents + len(record.metadata or ())


@dataclass(slots=True)
class _Sizes:
    """What the objects of one answer add up to; each is checked as soon as it is read."""

    links: int = 0
    text: int = 0

    def add(self, records: Iterable[Record]) -> None:
        """Count objects.

        Raises
        ------
        ServiceError
            ``too_large``.
        """
        for record in records:
            self.links += _links_of(record)
            self.text += length_of_texts(record.attributes)
        check_links(self.links)
        if self.text > MOST_TEXT:
            raise too_much_text()


def load_one(call: Call, kind: str, number: int, options: Options) -> Loaded:
    """Read one object with what belongs to it."""
    with call.service.database.reading() as conn:
        record = reading.get(
            conn, call.principal, kind, number, at_time=options.at_time, detail=options.detail
        )
        loaded = Loaded((record,))
        if options.cascade:
            _load_below(conn, call, loaded, options)
        _load_rest(conn, call, loaded, options)
    return loaded


def load_many(conn: Connection, call: Call, records: Sequence[Record], options: Options) -> Loaded:
    """Read what belongs to the objects of a list."""
    loaded = Loaded(tuple(records))
    _load_rest(conn, call, loaded, options)
    return loaded


def _load_below(conn: Connection, call: Call, loaded: Loaded, options: Options) -> None:
    """Read all objects below the first one, level by level."""
    most = call.service.settings.cascade_objects
    level: Iterable[Record] = loaded.records
    sizes = _Sizes()
    sizes.add(loaded.records)
    for _ in range(_DEEPEST):
        wanted = _children_of(level, loaded.below)
        if not wanted:
            return
        if len(loaded.below) + sum(map(len, wanted.values())) > most:
            raise _too_many(most)
        found: list[Record] = []
        for kind, ids in wanted.items():
            for first in range(0, len(ids), _AT_ONCE):
                read = reading.get_many(
                    conn,
                    call.principal,
                    kind,
                    ids[first : first + _AT_ONCE],
                    at_time=options.at_time,
                    detail=options.detail,
                )
                sizes.add(read.values())
                found += read.values()
        loaded.below.update({(each.type, each.id): each for each in found})
        level = found
    raise ServiceError(
        "too_large", f"The tree is more than {_DEEPEST} levels deep; ask for its parts."
    )


def _as_it_was(record: Record, arrays: Mapping[int, ArrayRow]) -> Record:
    """Give a datafile with the size of its array, which may have grown since.

    What was uploaded as a file, and is still kept as such, has not.
    """
    row = arrays.get(record.id) if record.type == "datafile" else None
    if row is None or row.location["kind"] == "recorded" or record.facts.get("store_key"):
        return record
    dtype, shape = np.dtype(row.dtype), tuple(row.shape)
    size = len(array_header(dtype, shape)) + array_nbytes(dtype, shape)
    info = record.facts.get("extracted_info")
    if info and "shape" in info:
        info = {**info, "shape": list(shape)}
    return replace(record, facts={**record.facts, "size": size, "extracted_info": info})


def _children_of(records: Iterable[Record], known: Mapping[Key, Record]) -> dict[str, list[int]]:
    """Give the children that have not been read, by type."""
    wanted: dict[str, dict[int, None]] = {}
    for record in records:
        for kind, ids in (record.children or {}).items():
            fresh = (number for number in ids if (kind, number) not in known)
            wanted.setdefault(kind, {}).update(dict.fromkeys(fresh))
    return {kind: list(ids) for kind, ids in wanted.items() if ids}


def _too_many(most: int) -> ServiceError:
    return ServiceError(
        "too_large",
        f"There are more than {most} objects below this one; leave cascade=1 out, or ask for its "
        "parts.",
        details={"limit": most},
    )


def _load_rest(conn: Connection, call: Call, loaded: Loaded, options: Options) -> None:
    """Read arrays and annotations of all objects."""
    if options.shown.level == "link":
        return
    everything = (*loaded.records, *loaded.below.values())
    arrays = {ref.datafile_id for each in everything for ref in each.arrays.values() if ref}
    arrays.update(each.id for each in everything if each.type == "datafile")
    if arrays:
        loaded.arrays = reading.arrays_of(conn, sorted(arrays), at_time=options.at_time)
    if options.at_time is not None:
        loaded.records = tuple(_as_it_was(each, loaded.arrays) for each in loaded.records)
        loaded.below = {key: _as_it_was(each, loaded.arrays) for key, each in loaded.below.items()}
    if options.shown.level != "full":
        return
    check_pairs(sum(len(each.metadata or ()) for each in everything))
    by_type: dict[str, list[Record]] = {}
    for each in everything:
        by_type.setdefault(each.type, []).append(each)
    length = 0
    for kind, records in by_type.items():
        pairs = annotation.pairs_of(conn, call.principal, records, at_time=options.at_time)
        shown = (each for found in pairs.values() for pair in found for each in pair)
        length += sum(length_of_texts(each.attributes) for each in shown)
        if length > MOST_TEXT:
            raise too_much_text()
        loaded.pairs.update({(kind, number): found for number, found in pairs.items()})


@dataclass(slots=True)
class _Budget:
    """How many objects may still be shown in one."""

    left: int
    most: int

    def take(self) -> None:
        """Count one object."""
        self.left -= 1
        if self.left < 0:
            raise _too_many(self.most)


def show_one(
    call: Call,
    loaded: Loaded,
    record: Record,
    options: Options,
    *,
    listed: bool,
    budget: _Budget | None = None,
) -> dict[str, Any]:
    """Present an object as a request asks for it.

    Parameters
    ----------
    call : Call
        The request.
    loaded : Loaded
        What was read.
    record : Record
        One of the objects in it.
    options : Options
        What is shown.
    listed : bool
        It is one of a list: a window that misses it is no failure.
    budget : optional
        How many objects may still be nested.

    Returns
    -------
    dict
        The object as it stands in ``selected``.

    Raises
    ------
    ServiceError
        The window misses the object (400), or too much is asked for (413).
    """
    if options.shown.level == "link":
        return present(record, options.shown)
    facts = Facts(arrays=loaded.arrays, pairs=loaded.pairs.get((record.type, record.id), ()))
    if not options.request.is_plain:
        facts.view = array_view(call, record, loaded.arrays, options, listed=listed)
    if options.is_inline and not listed:
        facts.values = inline_values(call, record, loaded.arrays, facts.view)
    if options.cascade:
        most = call.service.settings.cascade_objects
        budget = budget or _Budget(most, most)
        facts.nested = _nested(call, loaded, record, options, budget)
    return present(record, options.shown, facts)


def _nested(
    call: Call, loaded: Loaded, record: Record, options: Options, budget: _Budget
) -> dict[str, list[dict[str, Any]]]:
    """Present the children of an object."""
    nested: dict[str, list[dict[str, Any]]] = {}
    for kind, ids in (record.children or {}).items():
        items = nested.setdefault(kind, [])
        for number in ids:
            child = loaded.below.get((kind, number))
            if child is not None:
                budget.take()
                items.append(show_one(call, loaded, child, options, listed=True, budget=budget))
    return nested
