"""What lies below an object: one statement per relation and level, not per object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, select

from ephyrus.service.catalog.limits import MOST_IN_TREE, check_tree
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.db.schema import DELETED, LINKS, TABLES
from ephyrus.service.types import TYPES, ObjectType, Parent

__all__ = ["ancestors", "descendants", "owned"]

Ids = dict[str, set[int]]


def descendants(
    connection: Connection, roots: Mapping[str, set[int]], *, category: str = ""
) -> Ids:
    """Find all that is shown below objects, with the objects themselves.

    Parameters
    ----------
    connection : Connection
        Database.
    roots : mapping of str to set of int
        Ids by type.
    category : str
        Do not leave this category.

    Returns
    -------
    dict of str to set of int
        Ids by type.

    Raises
    ------
    ServiceError
        ``too_large``: there are more than ``MOST_IN_TREE``.
    """

    def following(frontier: Ids, found: Ids) -> Iterator[tuple[str, set[int]]]:
        for kind, ids in frontier.items():
            for child, parent in TYPES[kind].children:
                if not category or child.category == category:
                    yield child.name, set(_below(connection, child, parent, ids))

    return _walked(roots, following)


def owned(connection: Connection, roots: Mapping[str, set[int]]) -> Ids:
    """Find all that goes when objects are deleted, with the objects themselves.

    What has several parents by a relation of that kind stays as long as one of all its owning
    parents stays.

    Raises
    ------
    ServiceError
        ``too_large``: there are more than ``MOST_IN_TREE``.
    """

    def following(frontier: Ids, found: Ids) -> Iterator[tuple[str, set[int]]]:
        for kind in list(found):
            ids = found[kind] if _is_shared(kind) else frontier.get(kind, set())
            for child, parent in TYPES[kind].children if ids else ():
                if not parent.owns:
                    continue
                below = set(_below(connection, child, parent, ids)) - found[child.name]
                if below and any(each.many for each in child.parents):
                    below -= _held(connection, child, below, found)
                yield child.name, below

    return _walked(roots, following)


def _walked(
    roots: Mapping[str, set[int]],
    following: Callable[[Ids, Ids], Iterator[tuple[str, set[int]]]],
) -> Ids:
    """Go down level by level: from those found last, and all found, to those below."""
    found: Ids = defaultdict(set)
    frontier: Ids = dict(roots)
    while frontier:
        for kind, ids in frontier.items():
            found[kind] |= ids
        check_tree(sum(map(len, found.values())), MOST_IN_TREE)
        below: Ids = defaultdict(set)
        for kind, ids in following(frontier, found):
            below[kind] |= ids
        frontier = _new(below, found)
    return dict(found)


def ancestors(connection: Connection, kind: str, number: int) -> set[int]:
    """Find all objects of the same type that an object lies below, with the object itself."""
    table = TABLES[kind]
    same = next(parent for parent in TYPES[kind].parents if parent.type == kind)
    seen: set[int] = set()
    here: int | None = number
    while here is not None and here not in seen:
        seen.add(here)
        query = select(table.c[f"{same.name}_id"]).where(table.c.id == here)
        here = connection.execute(query).scalar()
    return seen


def _is_shared(kind: str) -> bool:
    """Tell whether children of a type may have several parents of it."""
    return any(parent.many for _, parent in TYPES[kind].children)


def _new(following: Mapping[str, set[int]], found: Ids) -> Ids:
    """Keep what was not found before."""
    fresh = {kind: ids - found[kind] for kind, ids in following.items()}
    return {kind: ids for kind, ids in fresh.items() if ids}


def _below(
    connection: Connection, child: ObjectType, parent: Parent, ids: set[int]
) -> Iterator[int]:
    """Find the children of one relation that exist, as many as one request may concern."""
    count = 0
    for part in chunks(ids):
        table = TABLES[child.name]
        query: Select[Any] = select(table.c.id).where(table.c.current_state != DELETED)
        if parent.many:
            links = LINKS[child.name, parent.name]
            linked = select(links.c[f"{child.name}_id"]).where(
                links.c[f"{parent.name}_id"].in_(part), links.c.ends_at.is_(None)
            )
            query = query.where(table.c.id.in_(linked))
        else:
            query = query.where(table.c[f"{parent.name}_id"].in_(part))
        for number in connection.execute(query.limit(MOST_IN_TREE + 1)).scalars():
            count += 1
            yield number
        check_tree(count, MOST_IN_TREE)


def _held(connection: Connection, child: ObjectType, ids: set[int], gone: Ids) -> set[int]:
    """Find the children that another owning parent holds, one that is not among what goes."""
    held: set[int] = set()
    table = TABLES[child.name]
    for parent in child.parents:
        if not parent.owns:
            continue
        for part in chunks(ids):
            if parent.many:
                links = LINKS[child.name, parent.name]
                query = select(links.c[f"{child.name}_id"], links.c[f"{parent.name}_id"]).where(
                    links.c[f"{child.name}_id"].in_(part), links.c.ends_at.is_(None)
                )
            else:
                above = table.c[f"{parent.name}_id"]
                query = select(table.c.id, above).where(table.c.id.in_(part), above.is_not(None))
            rows = connection.execute(query)
            held |= {number for number, above in rows if above not in gone.get(parent.type, ())}
    return held
