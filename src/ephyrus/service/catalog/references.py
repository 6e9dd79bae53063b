"""References of a body: that what is named exists, may be edited, and fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from ephyrus.service.catalog import rights, tree
from ephyrus.service.catalog.fields import Change
from ephyrus.service.catalog.reading import arrays_of
from ephyrus.service.catalog.records import ArrayRow
from ephyrus.service.db.schema import DELETED, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import ArrayField, ObjectType

__all__ = ["check_aligned", "check_references"]

_ARRAY_FILE = 5


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
    for parent in kind.parents:
        wanted = set(change.links.get(parent.name, ()))
        if change.parents.get(parent.name) is not None:
            wanted.add(change.parents[parent.name] or 0)
        if wanted:
            _check_editable(connection, principal, parent.name, parent.type, wanted)
            _check_not_served(connection, parent.name, parent.type, wanted)
        if parent.type == kind.name:
            _check_no_circle(connection, kind, parent.name, ids, wanted)
    datafiles = {number for number in change.arrays.values() if number is not None}
    if datafiles:
        _check_editable(connection, principal, "data", "datafile", datafiles)
        _check_arrays(connection, kind, change, datafiles)


def _check_editable(
    connection: Connection, principal: Principal, field: str, kind: str, ids: set[int]
) -> None:
    """Check that objects exist and may be edited."""
    table = TABLES[kind]
    query = select(table.c.id).where(table.c.id.in_(ids), table.c.current_state != DELETED)
    absent = sorted(ids - set(connection.execute(query).scalars()))
    if absent:
        raise ServiceError(
            "wrong_reference",
            f"{field!r}: there is no {kind} with the id {absent[0]}.",
            details={"field": field, "id": absent[0]},
        )
    found = rights.levels(connection, principal, kind, ids)
    closed = sorted(number for number in ids if found.get(number, 0) < rights.WRITE)
    if closed:
        raise rights.refuse(
            principal, f"{field!r}: the {kind} {closed[0]} may not be edited by you."
        )


def _check_not_served(connection: Connection, field: str, above: str, ids: set[int]) -> None:
    """Check that nothing is put below an object of a served recording, which comes and goes."""
    table = TABLES[above]
    query = select(table.c.id).where(table.c.id.in_(ids), table.c.recording_id.is_not(None))
    found = connection.execute(query.limit(1)).scalar()
    if found is not None:
        raise ServiceError(
            "not_authorized",
            f"{field!r}: the {above} {found} belongs to a recording that is served from its own "
            "files; nothing can be put below it. Annotate it instead, or import the recording.",
        )


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


def _check_arrays(
    connection: Connection, kind: ObjectType, change: Change, datafiles: set[int]
) -> None:
    """Check that datafiles hold arrays of the right form."""
    table = TABLES["datafile"]
    query = select(table.c.id, table.c.file_type).where(table.c.id.in_(datafiles))
    types = dict(connection.execute(query).all())
    rows = arrays_of(connection, datafiles)
    for array in kind.arrays:
        number = change.arrays.get(array.name)
        if number is None:
            continue
        if types.get(number) != _ARRAY_FILE or number not in rows:
            raise _inconsistent(array.name, f"the datafile {number} holds no array (type 5)")
        _check_form(array, rows[number])


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
        for group in kind.aligned:
            lengths = {
                name: found[row[f"{name}_id"]].shape[0]
                for name in group
                if row[f"{name}_id"] in found
            }
            if len(set(lengths.values())) > 1:
                text = ", ".join(f"{name} {length}" for name, length in lengths.items())
                raise ServiceError(
                    "data_inconsistency",
                    f"Arrays that belong together differ in length: {text}.",
                    details=lengths,
                )
