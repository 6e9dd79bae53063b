"""Annotation: objects are tagged with values of the metadata, and so is all below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from ephyrus.service.catalog import permalinks, rights, tree
from ephyrus.service.catalog.fields import read_list
from ephyrus.service.catalog.limits import (
    BATCH,
    MOST_CHANGED,
    MOST_TAGS,
    MOST_TEXT,
    check_pairs,
    check_product,
    check_tree,
    length_of_texts,
    too_large,
    too_much_text,
)
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.reading import get, get_many
from ephyrus.service.catalog.records import BRIEF, Detail, Record
from ephyrus.service.catalog.snapshots import id_style
from ephyrus.service.catalog.storing import insert_rows, record
from ephyrus.service.db.engine import moment
from ephyrus.service.db.schema import DELETED, TABLES, TAGGINGS
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES

__all__ = ["annotate", "annotate_changed", "pairs", "pairs_of"]

Pair = tuple[Record, Record]


def annotate(
    connection: Connection,
    principal: Principal,
    kind: str,
    ids: Sequence[int],
    values: object,
    *,
    append: bool = True,
    cascade: bool = True,
) -> int:
    """Tag objects with values.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    principal : Principal
        Who tags: the objects must be editable and the values readable.
    kind, ids : str, sequence of int
        The objects.
    values : list of int or str
        Ids or permalinks of values.
    append : bool
        Add to the tags that are there. False: replace them; an empty list removes all.
    cascade : bool
        Do the same with all below in the electrophysiology tree that may be edited.

    Returns
    -------
    int
        Number of objects whose tags changed, those below included.

    Raises
    ------
    ServiceError
        ``not_iterable``, ``wrong_reference``, ``not_authorized``, ``does_not_exist``;
        ``post_data_invalid``: metadata cannot be tagged; ``too_large``: an object would have more
        than ``MOST_TAGS`` values, or values times objects are more than ``MOST_TAGGED``.
    """
    rights.require_many(connection, principal, kind, ids, rights.WRITE)
    changed = _annotate(connection, principal, kind, ids, values, append=append, cascade=cascade)
    return sum(map(len, changed.values()))


def annotate_changed(
    connection: Connection,
    principal: Principal,
    kind: str,
    ids: Sequence[int],
    values: object,
    *,
    append: bool = True,
    cascade: bool = True,
) -> set[int]:
    """Tag objects whose rights were checked; give those of them whose tags changed."""
    changed = _annotate(connection, principal, kind, ids, values, append=append, cascade=cascade)
    return changed.get(kind, set()) & set(ids)


def _annotate(
    connection: Connection,
    principal: Principal,
    kind: str,
    ids: Sequence[int],
    values: object,
    *,
    append: bool,
    cascade: bool,
) -> dict[str, set[int]]:
    """Tag objects and what lies below them; give what changed, by type."""
    wanted = _read_values(connection, principal, values)
    category = TYPES[kind].category
    if category == "metadata":
        if wanted:
            raise ServiceError(
                "post_data_invalid",
                f"A {kind} is metadata itself and cannot be annotated.",
                details="metadata",
            )
        return {}
    targets: dict[str, set[int]] = {kind: set(ids)}
    if cascade and category == "electrophysiology":
        targets = tree.descendants(connection, targets, category=category)
    count = sum(map(len, targets.values()))
    check_product("metadata", count, len(wanted))
    check_tree(count, MOST_CHANGED)
    result = {}
    for each, numbers in targets.items():
        found = rights.levels(connection, principal, each, numbers)
        editable = [number for number in numbers if found.get(number, 0) >= rights.WRITE]
        changed = _tag(connection, each, sorted(editable), wanted, append=append)
        result[each] = record(connection, each, {("metadata",): changed}, principal.user_id)
    return result


def _read_values(connection: Connection, principal: Principal, values: object) -> set[int]:
    """Read the values of a body, which must exist and be readable."""
    style = id_style(connection)
    given = read_list("metadata", values)
    if len(given) > MOST_TAGS:
        raise too_large(
            f"'metadata' names {len(given)} values; an object has at most {MOST_TAGS}.", MOST_TAGS
        )
    wanted = {permalinks.parse(each, kind="value", style=style).id for each in given}
    table = TABLES["value"]
    for part in chunks(wanted):
        query = select(table.c.id).where(table.c.id.in_(part), table.c.current_state != DELETED)
        absent = sorted(set(part) - set(connection.execute(query).scalars()))
        if absent:
            raise ServiceError(
                "wrong_reference",
                f"'metadata': there is no value with the id {absent[0]}.",
                details={"field": "metadata", "id": absent[0]},
            )
    found = rights.levels(connection, principal, "value", wanted)
    for number in sorted(wanted):
        if found.get(number, 0) < rights.READ:
            raise rights.refuse(principal, f"The value {number} may not be read by you.")
    return wanted


def _tag(
    connection: Connection, kind: str, ids: Sequence[int], wanted: set[int], *, append: bool
) -> set[int]:
    """Bring the tags of objects of one type to what is wanted; give the objects that differ."""
    now = moment(connection)
    changed: set[int] = set()
    for part in chunks(ids, BATCH):
        query = select(TAGGINGS.c.id, TAGGINGS.c.object_id, TAGGINGS.c.value_id).where(
            TAGGINGS.c.type == kind, TAGGINGS.c.object_id.in_(part), TAGGINGS.c.ends_at.is_(None)
        )
        present: dict[int, set[int]] = {number: set() for number in part}
        ended = []
        for tagging, number, value in connection.execute(query):
            present[number].add(value)
            if not append and value not in wanted:
                ended.append(tagging)
                changed.add(number)
        for some in chunks(ended):
            connection.execute(update(TAGGINGS).where(TAGGINGS.c.id.in_(some)).values(ends_at=now))
        lacking = {number: sorted(wanted - present[number]) for number in part}
        if append:
            _check_room(kind, present, lacking)
        rows = (
            {"type": kind, "object_id": number, "value_id": value, "starts_at": now}
            for number, values in lacking.items()
            for value in values
        )
        insert_rows(connection, TAGGINGS, rows)
        changed |= {number for number, values in lacking.items() if values}
    return changed


def _check_room(
    kind: str, present: Mapping[int, set[int]], lacking: Mapping[int, Sequence[int]]
) -> None:
    """Check that no object gets too many tags."""
    for number, values in lacking.items():
        if values and len(present[number]) + len(values) > MOST_TAGS:
            raise too_large(
                f"The {kind} {number} would have more than {MOST_TAGS} annotations; nothing was "
                "changed. Replace those that it has with m2m_append=0.",
                MOST_TAGS,
            )


def pairs(
    connection: Connection,
    principal: Principal,
    kind: str,
    number: int,
    *,
    at_time: datetime | None = None,
) -> list[Pair]:
    """Give the annotations of an object as pairs of property and value.

    Raises
    ------
    ServiceError
        ``does_not_exist``, ``not_authorized``.
    """
    detail = Detail(children=False, metadata=True, shares=False)
    found = get(connection, principal, kind, number, at_time=at_time, detail=detail)
    return pairs_of(connection, principal, [found], at_time=at_time)[number]


def pairs_of(
    connection: Connection,
    principal: Principal,
    records: Iterable[Record],
    *,
    at_time: datetime | None = None,
) -> dict[int, list[Pair]]:
    """Give the annotations of objects of one type whose tags were read, in few queries.

    Returns
    -------
    dict of int to list of (Record, Record)
        Property and value, in the order of the values' ids, by id of the object.

    Raises
    ------
    ServiceError
        ``too_large``: there are more than ``MOST_PAIRS``, or their texts are too long.
    """
    tags = {each.id: each.metadata or () for each in records}
    check_pairs(sum(map(len, tags.values())))
    wanted = {value for values in tags.values() for value in values}
    values = get_many(connection, principal, "value", wanted, at_time=at_time, detail=BRIEF)
    above = {_property(value) for value in values.values()}
    properties = get_many(connection, principal, "property", above, at_time=at_time, detail=BRIEF)
    shown = {
        value: (properties[_property(each)], each)
        for value, each in values.items()
        if _property(each) in properties
    }
    _check_texts(tags.values(), shown)
    return {
        number: [shown[value] for value in mine if value in shown] for number, mine in tags.items()
    }


def _check_texts(tags: Iterable[Sequence[int]], shown: Mapping[int, Pair]) -> None:
    """Check the length of annotations, each of which is written out as often as it is used."""
    lengths = {
        value: sum(length_of_texts(each.attributes) for each in pair)
        for value, pair in shown.items()
    }
    if sum(lengths.get(value, 0) for mine in tags for value in mine) > MOST_TEXT:
        raise too_much_text()


def _property(value: Record) -> int:
    """Give the property of a value, which every value has."""
    found: Any = value.parents["parent_property"]
    return int(found)
