"""References of a body: that what is named exists, may be edited, and fits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from ephyrus.service.catalog import rights, tree
from ephyrus.service.catalog.fields import Change
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.reading import arrays_of
from ephyrus.service.catalog.records import ArrayRow
from ephyrus.service.db.schema import DELETED, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import ArrayField, ObjectType

__all__ = ["References", "check_aligned", "check_lengths", "check_references"]

_ARRAY_FILE = 5


@dataclass(slots=True)
class References:
    """What is known of the objects that bodies refer to: read for many with few statements.

    Attributes
    ----------
    connection : Connection
        Of the writing transaction.
    principal : Principal
        Who writes: parents and datafiles must be editable.
    levels : dict
        What the principal may do with those objects that exist, by type and id.
    served : dict
        Those that belong to served recordings, by type.
    arrays : dict
        Rows of the arrays of datafiles of type 5.
    """

    connection: Connection
    principal: Principal
    levels: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    served: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    arrays: dict[int, ArrayRow] = field(default_factory=dict)

    def add_new(self, kind: str, ids: Iterable[int]) -> None:
        """Note objects that the same request creates: they need not be looked for."""
        self.levels[kind] |= dict.fromkeys(ids, rights.OWN)

    def read(self, changes: Iterable[tuple[ObjectType, Change]]) -> None:
        """Read what is to be known of all that bodies refer to."""
        wanted: defaultdict[str, set[int]] = defaultdict(set)
        for kind, change in changes:
            for _, above, ids in _parents_of(kind, change):
                wanted[above] |= ids
            wanted["datafile"] |= _datafiles_of(change)
        for each, ids in wanted.items():
            self.read_objects(each, ids)
        self._read_arrays(wanted["datafile"])

    def read_objects(self, kind: str, ids: Iterable[int]) -> None:
        """Read which objects of a type exist, and what may be done with them."""
        table, known = TABLES[kind], self.levels[kind]
        for part in chunks(set(ids) - set(known)):
            query = select(table.c.id, table.c.recording_id).where(
                table.c.id.in_(part), table.c.current_state != DELETED
            )
            there = dict(self.connection.execute(query).all())
            self.served[kind] |= {each for each, owner in there.items() if owner is not None}
            found = rights.levels(self.connection, self.principal, kind, there)
            known |= {each: found.get(each, rights.NONE) for each in there}

    def _read_arrays(self, datafiles: set[int]) -> None:
        table = TABLES["datafile"]
        for part in chunks(datafiles - set(self.arrays)):
            query = select(table.c.id).where(table.c.id.in_(part), table.c.file_type == _ARRAY_FILE)
            typed = set(self.connection.execute(query).scalars())
            rows = arrays_of(self.connection, sorted(typed))
            self.arrays |= {each: row for each, row in rows.items() if each in typed}

    def check(self, kind: ObjectType, change: Change) -> None:
        """Check all that a body refers to, of which everything was read.

        Raises
        ------
        ServiceError
            ``wrong_reference``, ``not_authorized``, ``data_inconsistency``.
        """
        for name, above, ids in _parents_of(kind, change):
            self.check_level(name, above, ids, rights.WRITE)
            self._check_not_served(name, above, ids)
        self.check_level("data", "datafile", _datafiles_of(change), rights.WRITE)
        for array in kind.arrays:
            number = change.arrays.get(array.name)
            if number is None:
                continue
            if number not in self.arrays:
                raise _inconsistent(array.name, f"the datafile {number} holds no array (type 5)")
            _check_form(array, self.arrays[number])

    def check_level(self, name: str, kind: str, ids: set[int], least: int) -> None:
        """Check that objects which were read exist, and may be read or edited."""
        known = self.levels[kind]
        absent = sorted(ids - set(known)) if not ids <= known.keys() else []
        if absent:
            raise ServiceError(
                "wrong_reference",
                f"{name!r}: there is no {kind} with the id {absent[0]}.",
                details={"field": name, "id": absent[0]},
            )
        closed = sorted(number for number in ids if known[number] < least)
        if closed:
            verb = "edited" if least == rights.WRITE else "read"
            raise rights.refuse(
                self.principal, f"{name!r}: the {kind} {closed[0]} may not be {verb} by you."
            )

    def _check_not_served(self, name: str, above: str, ids: set[int]) -> None:
        """Check that nothing is put below an object of a served recording: it comes and goes."""
        found = min(ids & self.served[above], default=None)
        if found is not None:
            raise ServiceError(
                "not_authorized",
                f"{name!r}: the {above} {found} belongs to a recording that is served from its "
                "own files; nothing can be put below it. Annotate it instead, or import the "
                "recording.",
            )


def _parents_of(kind: ObjectType, change: Change) -> list[tuple[str, str, set[int]]]:
    """Give the parents that a body names: field, type and ids."""
    found = []
    for parent in kind.parents:
        wanted = set(change.links.get(parent.name, ()))
        number = change.parents.get(parent.name)
        if number is not None:
            wanted.add(number)
        if wanted:
            found.append((parent.name, parent.type, wanted))
    return found


def _datafiles_of(change: Change) -> set[int]:
    """Give the datafiles that a body names."""
    return {number for number in change.arrays.values() if number is not None}


def check_references(
    connection: Connection,
    principal: Principal,
    kind: ObjectType,
    change: Change,
    ids: Iterable[int] = (),
) -> None:
    """Check all that a body refers to.

    Parameters
    ----------
    connection : Connection
        Of the writing transaction.
    principal : Principal
        Who writes: parents and datafiles must be editable.
    kind : ObjectType
        Type of the objects that are written.
    change : Change
        What the body sets.
    ids : iterable of int
        The objects, if they exist: none may come to lie below itself.

    Raises
    ------
    ServiceError
        ``wrong_reference``, ``not_authorized``, ``data_inconsistency``.
    """
    known = References(connection, principal)
    known.read([(kind, change)])
    known.check(kind, change)
    for name, above, wanted in _parents_of(kind, change):
        if above == kind.name:
            _check_no_circle(connection, kind, name, ids, wanted)


def _check_no_circle(
    connection: Connection, kind: ObjectType, field: str, ids: Iterable[int], above: set[int]
) -> None:
    """Check that no object comes to lie below itself."""
    for target in above:
        over = tree.ancestors(connection, kind.name, target)
        number = next((number for number in ids if number in over), None)
        if number is not None:
            raise ServiceError(
                "data_inconsistency",
                f"{field!r}: the {kind.name} {number} cannot lie below itself.",
                details=field,
            )


def _check_form(array: ArrayField, row: ArrayRow) -> None:
    """Check the number of dimensions and the kind of values."""
    if len(row.shape) not in array.ndims:
        wanted = " or ".join(map(str, array.ndims))
        raise _inconsistent(
            array.name, f"its array has {len(row.shape)} dimensions, {wanted} are needed"
        )
    if not array.is_text and row.dtype.lstrip("<>|=")[:1] in {"S", "U", "O"}:
        raise _inconsistent(array.name, "its array holds text, numbers are needed")


def _inconsistent(field: str, reason: str) -> ServiceError:
    return ServiceError("data_inconsistency", f"{field!r}: {reason}.", details=field)


def check_aligned(
    connection: Connection, kind: ObjectType, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Check that arrays which belong together are equally long, in rows as they would become.

    Raises
    ------
    ServiceError
        ``data_inconsistency``.
    """
    if not kind.aligned:
        return
    wanted = {row[f"{name}_id"] for row in rows for group in kind.aligned for name in group}
    found = arrays_of(connection, wanted - {None})
    for row in rows:
        check_lengths(kind, row, found)


def check_lengths(kind: ObjectType, row: Mapping[str, Any], arrays: Mapping[int, ArrayRow]) -> None:
    """Check that the arrays of one object which belong together are equally long.

    Raises
    ------
    ServiceError
        ``data_inconsistency``.
    """
    for group in kind.aligned:
        lengths = {
            name: arrays[row[f"{name}_id"]].shape[0]
            for name in group
            if row[f"{name}_id"] in arrays
        }
        if len(set(lengths.values())) > 1:
            text = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ServiceError(
                "data_inconsistency",
                f"Arrays that belong together differ in length: {text}.",
                details=lengths,
            )
