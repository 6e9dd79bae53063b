"""Creating many objects at once, which may refer to one another: all of them or none.

Each is checked as one that is created alone (`ephyrus.service.catalog.writing`): values, rights on
what it refers to, forms of arrays. What has to be asked of the database is asked for all together.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sqlalchemy import Connection, select

from ephyrus.service.catalog import permalinks, rights
from ephyrus.service.catalog.fields import Change, flatten, read_change
from ephyrus.service.catalog.guid import guid_of
from ephyrus.service.catalog.inserting import MANY, tell_planner, type_order
from ephyrus.service.catalog.limits import MOST_TAGGED, MOST_TAGS, too_large
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.references import References, check_lengths
from ephyrus.service.catalog.snapshots import id_style
from ephyrus.service.catalog.storing import (
    add_links,
    allocate,
    datafile_guids,
    insert_rows,
    open_versions,
)
from ephyrus.service.catalog.writing import first_parent, new_row, writer
from ephyrus.service.db.engine import moment
from ephyrus.service.db.schema import ARRAYS, SHARES, TABLES, TAGGINGS
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES, ObjectType

__all__ = ["MOST_NEW", "Made", "NewItem", "about_item", "create_many"]

MOST_NEW = 10_000
"""Objects that one request creates: about two seconds, for which other writers wait."""

MOST_RIGHTS = 100
"""Different rights that the objects of one request may be given."""

MOST_DEEP = 100
"""Levels in which new objects of one type (sections) may lie in one another."""

_MOST_NAME = 100  # characters of the name of a new object within a request


@dataclass(frozen=True, slots=True)
class NewItem:
    """An object that is to be created.

    Attributes
    ----------
    kind : str
        Its type.
    document : mapping
        The body, as for one that is created alone.
    name : str
        What the others of the request name it by: begins with ``#``. Empty: they do not.
    facts : mapping
        Of a datafile: what the server knows of it.
    array : mapping or None
        Of a datafile: ``dtype``, ``shape``, ``sorted`` and ``location`` of its array.
    """

    kind: str
    document: Mapping[str, Any]
    name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    array: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """An object that was created.

    Attributes
    ----------
    type : str
        Its type.
    id : int
        Its id.
    guid : str
        Its guid.
    """

    type: str
    id: int
    guid: str


@dataclass(slots=True)
class _Draft:
    """An object on its way."""

    place: int
    item: NewItem
    kind: ObjectType
    number: int
    change: Change = field(default_factory=Change)
    tags: frozenset[int] = frozenset()
    row: dict[str, Any] = field(default_factory=dict)


@contextmanager
def about_item(place: int, name: str = "") -> Iterator[None]:
    """Say in errors which item of a list they are about."""
    try:
        yield
    except ServiceError as error:
        raise ServiceError(
            error.message_type,
            f"Item {place}{f' ({name})' if name else ''}: {error.message}",
            details={"item": place, "parameter": error.details},
            headers=error.headers,
            extra=error.extra,
        ) from error


def create_many(
    connection: Connection, principal: Principal, items: Sequence[NewItem]
) -> list[Made]:
    """Create objects.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction, which is given up if this fails.
    principal : Principal
        Who creates and then owns them.
    items : sequence of NewItem
        The objects, in any order. Parents and ``metadata`` may name others by their ``#names``.

    Returns
    -------
    list of Made
        One for each item. Safety level and shares are those of the first parent, unless given.

    Raises
    ------
    ServiceError
        What is wrong with which item; details are ``{"item": place, "parameter": ..}``.
        ``too_large``: they are more than `MOST_NEW`.
    """
    user = writer(principal)
    if len(items) > MOST_NEW:
        raise too_large(
            f"One request creates at most {MOST_NEW:,} objects, not {len(items):,}; send the "
            "others apart.",
            MOST_NEW,
        )
    drafts = _drafts(connection, items)
    _read(connection, drafts)
    known = _check_references(connection, principal, drafts)
    for batch in _batches(drafts):
        _insert(connection, principal, user, known, batch)
    _insert_tags(connection, drafts)
    counts = Counter(draft.kind.name for draft in drafts)
    tell_planner(connection, [kind for kind, count in counts.items() if count >= MANY])
    return [Made(each.kind.name, each.number, each.row["guid"]) for each in drafts]


def _drafts(connection: Connection, items: Sequence[NewItem]) -> list[_Draft]:
    """Give all objects their ids."""
    counts = Counter(item.kind for item in items)
    ids = {kind: iter(allocate(connection, kind, count)) for kind, count in counts.items()}
    return [
        _Draft(place, item, TYPES[item.kind], next(ids[item.kind]))
        for place, item in enumerate(items)
    ]


def _read(connection: Connection, drafts: Sequence[_Draft]) -> None:
    """Read the bodies, with ids in place of the names of new objects."""
    style = id_style(connection)
    named: dict[str, _Draft] = {}
    for draft in drafts:
        name = draft.item.name
        if not name:
            continue
        with about_item(draft.place):
            _check_name(name)
            if name in named:
                raise ServiceError(
                    "bad_parameter",
                    f"{name!r} is also the name of item {named[name].place}.",
                    details="id",
                )
        named[name] = draft
    relations = 0
    for draft in drafts:
        with about_item(draft.place, draft.item.name):
            values = _with_ids(draft, named, style)
            draft.change = read_change(draft.kind, values, is_new=True, style=style)
            draft.tags = _tags_of(draft, style)
        relations += len(draft.tags) + sum(map(len, draft.change.links.values()))
        if relations > MOST_TAGGED:
            raise too_large(
                f"The objects have more than {MOST_TAGGED} annotations and relations together; "
                "send them in several requests.",
                MOST_TAGGED,
            )


def _check_name(name: str) -> None:
    if not name.startswith("#") or not 2 <= len(name) <= _MOST_NAME:
        raise ServiceError(
            "bad_parameter",
            f"The id of a new object is a name that begins with # and has at most {_MOST_NAME} "
            f"characters, not {name[:60]!r}; or leave it out.",
            details="id",
        )


def _with_ids(draft: _Draft, named: Mapping[str, _Draft], style: str) -> dict[str, Any]:
    """Put addresses in the places where new objects are named."""
    values = flatten(draft.item.document)

    def found(value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith("#"):
            return value
        other = named.get(value)
        if other is None:
            raise ServiceError(
                "wrong_reference",
                f"no object of this request is called {value[:60]!r}.",
                details=value[:60],
            )
        return permalinks.permalink(other.kind.name, other.number, style)

    for name in ("metadata", *(parent.name for parent in draft.kind.parents)):
        value = values.get(name)
        if isinstance(value, list):
            values[name] = [found(each) for each in value]
        elif value is not None:
            values[name] = found(value)
    return values


def _tags_of(draft: _Draft, style: str) -> frozenset[int]:
    """Read which values an object is annotated with."""
    given = draft.change.metadata or ()
    if given and draft.kind.category == "metadata":
        raise ServiceError(
            "post_data_invalid",
            f"A {draft.kind.name} is metadata itself and cannot be annotated.",
            details="metadata",
        )
    if len(given) > MOST_TAGS:
        raise too_large(
            f"'metadata' names {len(given)} values; an object has at most {MOST_TAGS}.", MOST_TAGS
        )
    return frozenset(permalinks.parse(each, kind="value", style=style).id for each in given)


def _check_references(
    connection: Connection, principal: Principal, drafts: Sequence[_Draft]
) -> References:
    """Check all that the objects refer to: what is there already is asked for together."""
    known = References(connection, principal)
    for kind, ids in _ids_by_type(drafts).items():
        known.add_new(kind, ids)
    known.read((draft.kind, draft.change) for draft in drafts)
    known.read_objects("value", {tag for draft in drafts for tag in draft.tags})
    for draft in drafts:
        with about_item(draft.place, draft.item.name):
            known.check(draft.kind, draft.change)
            known.check_level("metadata", "value", set(draft.tags), rights.READ)
    return known


def _ids_by_type(drafts: Sequence[_Draft]) -> dict[str, list[int]]:
    ids: defaultdict[str, list[int]] = defaultdict(list)
    for draft in drafts:
        ids[draft.kind.name].append(draft.number)
    return ids


def _batches(drafts: Sequence[_Draft]) -> Iterator[list[_Draft]]:
    """Sort objects into lists of one type, each after those that it refers to."""
    depths = _depths(drafts)
    sorted_: defaultdict[tuple[str, int], list[_Draft]] = defaultdict(list)
    for draft in drafts:
        sorted_[draft.kind.name, depths.get(draft.place, 0)].append(draft)
    ranks = {kind: rank for rank, kind in enumerate(type_order())}
    for key in sorted(sorted_, key=lambda key: (ranks[key[0]], key[1])):
        yield sorted_[key]


def _depths(drafts: Sequence[_Draft]) -> dict[int, int]:
    """Tell how many new objects of their own type lie above those that have any.

    Raises
    ------
    ServiceError
        ``data_inconsistency``: one lies below itself. ``too_large``: there are too many levels.
    """
    places = {(draft.kind.name, draft.number): draft.place for draft in drafts}
    graph = {
        draft.place: [places[key] for key in keys if key in places]
        for draft in drafts
        if (keys := _of_own_type(draft))
    }
    depths: dict[int, int] = {}
    try:
        for place in TopologicalSorter(graph).static_order():
            depths[place] = max((depths[each] + 1 for each in graph.get(place, ())), default=0)
    except CycleError as error:
        place = min(error.args[1])
        with about_item(place, drafts[place].item.name):
            raise ServiceError(
                "data_inconsistency",
                f"the {drafts[place].kind.name} would lie below itself.",
                details="id",
            ) from None
    if max(depths.values(), default=0) >= MOST_DEEP:
        raise too_large(
            f"The objects lie in one another in more than {MOST_DEEP} levels; send the upper ones "
            "first.",
            MOST_DEEP,
        )
    return depths


def _of_own_type(draft: _Draft) -> list[tuple[str, int]]:
    """Give the parents of an object that are of its own type: sections."""
    name = draft.kind.name
    numbers = (
        draft.change.parents.get(each.name) for each in draft.kind.parents if each.type == name
    )
    return [(name, number) for number in numbers if number is not None]


def _insert(
    connection: Connection,
    principal: Principal,
    user: int,
    known: References,
    batch: Sequence[_Draft],
) -> None:
    """Store objects of one type whose parents are there."""
    kind = batch[0].kind
    sources: defaultdict[tuple[str, int], list[_Draft]] = defaultdict(list)
    for draft in batch:
        draft.row = {
            **new_row(connection, kind, draft.change, user),
            "id": draft.number,
            **draft.item.facts,
        }
        with about_item(draft.place, draft.item.name):
            check_lengths(kind, draft.row, known.arrays)
        source = first_parent(kind, draft.change)
        if source is not None:
            sources[source].append(draft)
    _take_safety(connection, sources)
    datafiles = datafile_guids(connection, kind, [draft.row for draft in batch])
    for draft in batch:
        links = draft.change.links
        draft.row["guid"] = guid_of(
            kind, draft.row, links=links, metadata=draft.tags, datafiles=datafiles
        )
    insert_rows(connection, TABLES[kind.name], (draft.row for draft in batch))
    for name in {name for draft in batch for name in draft.change.links}:
        pairs = (
            (draft.number, above) for draft in batch for above in draft.change.links.get(name, ())
        )
        add_links(connection, kind.name, name, pairs)
    insert_rows(
        connection,
        ARRAYS,
        (
            {"datafile_id": draft.number, **draft.item.array}
            for draft in batch
            if draft.item.array is not None
        ),
    )
    open_versions(connection, kind.name, [draft.number for draft in batch], user, ["created"])
    if not kind.rights_from:
        _take_shares(connection, kind.name, sources)
    _set_rights(connection, principal, batch)


def _take_safety(
    connection: Connection, sources: Mapping[tuple[str, int], Sequence[_Draft]]
) -> None:
    """Give new objects the safety level of what they lie in."""
    for kind, ids in _by_type(sources).items():
        table = TABLES[kind]
        for part in chunks(ids):
            query = select(table.c.id, table.c.safety_level).where(table.c.id.in_(part))
            for number, safety in connection.execute(query):
                for draft in sources[kind, number]:
                    draft.row["safety_level"] = safety


def _take_shares(
    connection: Connection, kind: str, sources: Mapping[tuple[str, int], Sequence[_Draft]]
) -> None:
    """Give new objects the shares of what they lie in."""
    columns = SHARES.c.object_id, SHARES.c.user_id, SHARES.c.group_id, SHARES.c.level
    for above, ids in _by_type(sources).items():
        for part in chunks(ids):
            query = select(*columns).where(SHARES.c.type == above, SHARES.c.object_id.in_(part))
            found = connection.execute(query).all()
            if sum(len(sources[above, share[0]]) for share in found) > MOST_TAGGED:
                raise too_large(
                    f"The objects would get more than {MOST_TAGGED} shares of what they lie in; "
                    "send them in several requests.",
                    MOST_TAGGED,
                )
            rows = (
                {"type": kind, "object_id": draft.number, "user_id": user, "group_id": group,
                 "level": level}
                for number, user, group, level in found
                for draft in sources[above, number]
            )  # fmt: skip
            insert_rows(connection, SHARES, rows)


def _by_type(sources: Mapping[tuple[str, int], object]) -> dict[str, list[int]]:
    ids: defaultdict[str, list[int]] = defaultdict(list)
    for kind, number in sources:
        ids[kind].append(number)
    return ids


def _set_rights(connection: Connection, principal: Principal, batch: Sequence[_Draft]) -> None:
    """Set the rights that objects are given in words; equal ones together."""
    groups: defaultdict[str, list[_Draft]] = defaultdict(list)
    for draft in batch:
        if draft.change.rights:
            groups[json.dumps(draft.change.rights, sort_keys=True)].append(draft)
    if len(groups) > MOST_RIGHTS:
        raise too_large(
            f"The objects are given more than {MOST_RIGHTS} different rights; share them "
            "afterwards, or send them in several requests.",
            MOST_RIGHTS,
        )
    for drafts in groups.values():
        ids = [each.number for each in drafts]
        with about_item(drafts[0].place, drafts[0].item.name):
            rights.set_many(
                connection, principal, drafts[0].kind.name, ids, drafts[0].change.rights
            )


def _insert_tags(connection: Connection, drafts: Sequence[_Draft]) -> None:
    """Store the annotations, when all values are there."""
    now = moment(connection)
    rows = (
        {"type": draft.kind.name, "object_id": draft.number, "value_id": tag, "starts_at": now}
        for draft in drafts
        for tag in sorted(draft.tags)
    )
    insert_rows(connection, TAGGINGS, rows)
