"""Objects of served recordings: taking them away, and putting new ones in their place."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, insert, select, update

from ephyrus.service.catalog.inserting import NewObject, insert_tree, type_order
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.storing import record
from ephyrus.service.db.engine import moment
from ephyrus.service.db.schema import ARRAYS, LINKS, SHARES, TABLES, TAGGINGS, VERSIONS
from ephyrus.service.types import TYPES

__all__ = ["remove_recording", "replace_recording"]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What people did with a block of a recording."""

    safety_level: int
    section_id: int | None
    shares: tuple[Mapping[str, Any], ...]
    tags: tuple[int, ...]


def remove_recording(connection: Connection, recording_id: int) -> dict[str, int]:
    """Remove all objects of a served recording for good, with their versions.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    recording_id : int
        The recording; its own row stays.

    Returns
    -------
    dict of str to int
        Numbers of objects by type.
    """
    tagged = _remove_tags(connection, recording_id)
    _detach(connection, recording_id)
    connection.execute(delete(ARRAYS).where(ARRAYS.c.recording_id == recording_id))
    counts = {}
    for kind in reversed(type_order()):
        table, mine = TABLES[kind], _mine(kind, recording_id)
        for parent in TYPES[kind].parents:
            if parent.many:
                links = LINKS[kind, parent.name]
                connection.execute(delete(links).where(links.c[f"{kind}_id"].in_(mine)))
        versions = VERSIONS[kind]
        connection.execute(delete(versions).where(versions.c.id.in_(mine)))
        for extra in (SHARES, TAGGINGS):
            here = and_(extra.c.type == kind, extra.c.object_id.in_(mine))
            connection.execute(delete(extra).where(here))
        if kind == "section":  # the ones below refer to those above
            connection.execute(
                update(table)
                .where(table.c.recording_id == recording_id)
                .values(parent_section_id=None)
            )
        done = connection.execute(delete(table).where(table.c.recording_id == recording_id))
        if done.rowcount:
            counts[kind] = done.rowcount
    for kind, ids in tagged.items():
        record(connection, kind, {("metadata",): ids}, None)
    return counts


def _mine(kind: str, recording_id: int) -> Select[Any]:
    """Select the ids of a recording's objects of one type."""
    table = TABLES[kind]
    return select(table.c.id).where(table.c.recording_id == recording_id)


def _remove_tags(connection: Connection, recording_id: int) -> dict[str, set[int]]:
    """Remove annotations with the recording's values; give the objects of others that had them."""
    here = TAGGINGS.c.value_id.in_(_mine("value", recording_id))
    found: dict[str, set[int]] = {}
    query = select(TAGGINGS.c.type, TAGGINGS.c.object_id).where(here, TAGGINGS.c.ends_at.is_(None))
    for kind, number in connection.execute(query):
        found.setdefault(kind, set()).add(number)
    connection.execute(delete(TAGGINGS).where(here))
    for kind, ids in found.items():
        for part in chunks(ids):
            table = TABLES[kind]
            mine = select(table.c.id).where(
                table.c.id.in_(part), table.c.recording_id == recording_id
            )
            found[kind] = found[kind] - set(connection.execute(mine).scalars())
    return found


def _detach(connection: Connection, recording_id: int) -> None:
    """Take references of other objects to the recording's away (sections of blocks and files)."""
    for kind in TYPES.values():
        table = TABLES[kind.name]
        foreign = table.c.recording_id.is_distinct_from(recording_id)
        for parent in kind.parents:
            if parent.many or parent.type not in {"section", "document"}:
                continue
            column = table.c[f"{parent.name}_id"]
            here = and_(column.in_(_mine(parent.type, recording_id)), foreign)
            changed = list(connection.execute(select(table.c.id).where(here)).scalars())
            if changed:
                connection.execute(update(table).where(here).values({column: None}))
                record(connection, kind.name, {(parent.name,): changed}, None)


def replace_recording(
    connection: Connection,
    owner_id: int,
    recording_id: int,
    objects: Iterable[NewObject],
) -> dict[Hashable, int]:
    """Put new objects in the place of those of a recording whose files have changed.

    Safety level, shares, section and annotations of a block go over to the block of the same
    name; level and shares hold for all new objects if there was one block.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    owner_id : int
        Whom the objects belong to.
    recording_id : int
        The recording.
    objects : iterable of NewObject
        Its objects.

    Returns
    -------
    dict
        Ids by key.
    """
    kept = _kept(connection, recording_id)
    remove_recording(connection, recording_id)
    new = list(objects)
    if len(kept) == 1:
        (only,) = kept.values()
        new = [replace(each, safety_level=only.safety_level) for each in new]
    ids = insert_tree(connection, owner_id, new, recording_id=recording_id)
    everything: dict[str, list[int]] = {kind: [] for kind in TYPES}
    for each in new:
        everything[each.type].append(ids[each.key])
    blocks = [
        (ids[each.key], kept[str(each.attributes.get("name"))])
        for each in new
        if each.type == "block" and str(each.attributes.get("name")) in kept
    ]
    for number, former in blocks:
        _give_back(connection, number, former)
        targets = everything if len(kept) == 1 else {"block": [number]}
        for kind, numbers in targets.items():
            _share(connection, kind, numbers, former.shares)
    return ids


def _kept(connection: Connection, recording_id: int) -> dict[str, _Kept]:
    """Read what people did with the blocks of a recording, by name."""
    table, section = TABLES["block"], TABLES["section"]
    foreign = select(section.c.id).where(section.c.recording_id.is_distinct_from(recording_id))
    result = {}
    query = select(table.c.id, table.c.name, table.c.safety_level, table.c.section_id).where(
        table.c.recording_id == recording_id
    )
    outside = set(connection.execute(foreign).scalars())
    value = TABLES["value"]
    for number, name, safety, above in connection.execute(query).all():
        shares = select(SHARES.c.user_id, SHARES.c.group_id, SHARES.c.level).where(
            SHARES.c.type == "block", SHARES.c.object_id == number
        )
        tags = (
            select(TAGGINGS.c.value_id)
            .join(value, value.c.id == TAGGINGS.c.value_id)
            .where(
                TAGGINGS.c.type == "block",
                TAGGINGS.c.object_id == number,
                TAGGINGS.c.ends_at.is_(None),
                value.c.recording_id.is_distinct_from(recording_id),
            )
        )
        result[str(name)] = _Kept(
            safety,
            above if above in outside else None,
            tuple(dict(row) for row in connection.execute(shares).mappings()),
            tuple(connection.execute(tags).scalars()),
        )
    return result


def _give_back(connection: Connection, number: int, former: _Kept) -> None:
    """Give a new block the section and the annotations of the former one."""
    table = TABLES["block"]
    if former.section_id is not None:
        connection.execute(
            update(table).where(table.c.id == number).values(section_id=former.section_id)
        )
    rows = [
        {"type": "block", "object_id": number, "value_id": value, "starts_at": moment(connection)}
        for value in former.tags
    ]
    if rows:
        connection.execute(insert(TAGGINGS), rows)
    record(connection, "block", {("section", "metadata"): [number]}, None)


def _share(
    connection: Connection, kind: str, numbers: Sequence[int], shares: Sequence[Mapping[str, Any]]
) -> None:
    """Share objects as a former block was."""
    if TYPES[kind].rights_from:
        return
    rows = [{"type": kind, "object_id": number, **share} for number in numbers for share in shares]
    if rows:
        connection.execute(insert(SHARES), rows)
