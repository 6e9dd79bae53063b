"""Storing very many new objects without keeping those who write waiting all the while."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, Table, any_, literal, update

from ephyrus.service.catalog.inserting import MANY, NewObject, insert_tree, tell_planner
from ephyrus.service.db.engine import take_turn
from ephyrus.service.db.schema import LINKS, TABLES, TAGGINGS, VERSIONS

__all__ = ["insert_arriving"]

_AT_ONCE = 20_000  # objects of a statement
_TIMES = "date_created", "last_modified", "starts_at"


def insert_arriving(
    connection: Connection, owner_id: int, objects: Sequence[NewObject], *, user_id: int | None
) -> dict[Hashable, int]:
    """Store new objects that refer to one another alone, in a transaction of their own.

    Parameters
    ----------
    connection : Connection
        Of ``Database.writing(late=True)``. Others who write are kept waiting when this returns.
    owner_id : int
        Whom they belong to.
    objects : sequence of NewObject
        As for `insert_tree`. What they refer to is among them: nobody else knows of them before
        the transaction has ended, so that it does not matter what others write meanwhile.
    user_id : int or None
        Who makes them, for the history.

    Returns
    -------
    dict
        Ids by key.

    Notes
    -----
    The objects get the time of the transaction's turn in the end, so that times follow the order in
    which changes were seen, as everywhere.
    """
    ids = insert_tree(connection, owner_id, objects, user_id=user_id)
    now = take_turn(connection)
    if now is None:  # the turn was taken at the beginning, as on SQLite
        return ids
    by_type: dict[str, list[int]] = defaultdict(list)
    for each in objects:
        by_type[each.type].append(ids[each.key])
    for kind, numbers in by_type.items():
        _date(connection, TABLES[kind], TABLES[kind].c.id, numbers, now)
        _date(connection, VERSIONS[kind], VERSIONS[kind].c.id, numbers, now)
        for (of, _), links in LINKS.items():
            if of == kind:
                _date(connection, links, links.c[f"{kind}_id"], numbers, now)
        _date(connection, TAGGINGS, TAGGINGS.c.object_id, numbers, now, TAGGINGS.c.type == kind)
    tell_planner(connection, [kind for kind, found in by_type.items() if len(found) >= MANY])
    return ids


def _date(
    connection: Connection,
    table: Table,
    column: ColumnElement[Any],
    numbers: Sequence[int],
    now: datetime,
    *conditions: ColumnElement[bool],
) -> None:
    """Give rows of new objects the time that holds."""
    values = {name: now for name in _TIMES if name in table.c}
    for at in range(0, len(numbers), _AT_ONCE):
        part = literal(list(numbers[at : at + _AT_ONCE]), ARRAY(BigInteger))
        connection.execute(update(table).where(column == any_(part), *conditions).values(values))
