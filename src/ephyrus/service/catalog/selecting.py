"""The conditions of a list request: what exists, what may be seen, and what filters say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_
from sqlalchemy import select as sql_select

from ephyrus.service.accounts.names import normal_name
from ephyrus.service.accounts.tables import USER
from ephyrus.service.catalog import tagged
from ephyrus.service.catalog.driving import Drive
from ephyrus.service.catalog.lookups import Column, apply, refused, split_list
from ephyrus.service.catalog.paths import Path, condition
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.snapshots import Rows, Snapshot, id_style

__all__ = ["conditions"]

Condition = ColumnElement[bool]
_PREFIX = re.compile(r"\^\d*")
_MOST_USER = 2**63 - 1


def conditions(
    connection: Connection, snapshot: Snapshot, rows: Rows, query: ListQuery, drive: Drive
) -> list[Condition]:
    """Make all conditions of a list request.

    Parameters
    ----------
    connection : Connection
        Database.
    snapshot : Snapshot
        What is seen.
    rows : Rows
        Rows of the list.
    query : ListQuery
        What is asked for.
    drive : Drive
        Decides on the way.

    Returns
    -------
    list of condition
        All of them must hold.

    Raises
    ------
    ServiceError
        ``wrong_params``: a filter is not understood.
    """
    result = [rows.alive, snapshot.visible(rows)]
    style = id_style(connection)
    for key, text in query.filters:
        result.append(_filter(Path(snapshot, style, key, drive), rows, text))
    result.extend(drive.ranges())
    result.extend(tagged.by_words(snapshot, rows, query.search))
    return result


def _filter(path: Path, rows: Rows, text: str) -> Condition:
    """Make the condition of one filter, with its prefixes."""
    name, is_excluded = path.key, False
    marked = _PREFIX.match(name)
    if marked:
        name = name[marked.end() :]
    if name.startswith("n__"):
        name, is_excluded = name[3:], True
        path = replace(path, drive=None)
    marked = _PREFIX.match(name)
    if marked:
        name = name[marked.end() :]
    tokens = tuple(name.split("__"))
    if not all(tokens):
        raise refused(path.key, "is not a name of fields joined by __")
    special = _SPECIAL.get(tokens[0])
    found = (
        condition(path, rows, tokens, text)
        if special is None
        else special(path, rows, tokens[1:], text)
    )
    # what is unknown (null) is not fulfilled, so that it is among what is left when excluded
    return func.coalesce(found, False).is_(False) if is_excluded else found


def _owner(path: Path, rows: Rows, rest: tuple[str, ...], text: str) -> Condition:
    """Compare the owner: a name, an id, or the address of a profile."""
    lookup = rest[0] if rest else "exact"
    if len(rest) > 1 or lookup not in {"exact", "iexact", "in"}:
        raise refused(path.key, "has a lookup that owner does not have: exact and in")
    wanted = split_list(text) if lookup == "in" else [text.strip()]
    ways: list[Condition] = []
    for each in wanted:
        last = each.rstrip("/").rsplit("/", 1)[-1]
        ways.append(USER.c.name == normal_name(last))
        if last.isascii() and last.isdigit() and int(last) <= _MOST_USER:
            ways.append(USER.c.id == int(last))
    users = sql_select(USER.c.id).where(or_(false(), *ways))
    return path.snapshot.by_holder(rows, lambda table, _: table.c.owner_id.in_(users))


def _visibility(path: Path, rows: Rows, rest: tuple[str, ...], text: str) -> Condition:
    """Select by who can see an object: ``private``, ``public``, ``shared`` or ``all``."""
    snapshot = path.snapshot
    if rest or text not in {"private", "public", "shared", "all"}:
        raise refused(path.key, "must be private, public, shared or all")
    if text == "all":
        return rows.alive
    if text == "public":
        return snapshot.by_holder(rows, lambda table, _: table.c.safety_level == 1)
    if text == "shared":
        return snapshot.by_holder(rows, snapshot.shared)
    user = snapshot.principal.user_id
    return snapshot.by_holder(
        rows, lambda table, _: and_(table.c.safety_level == 3, table.c.owner_id == user)
    )


def _created(lookup: str) -> Callable[[Path, Rows, tuple[str, ...], str], Condition]:
    """Make the filter of ``created_min`` or ``created_max``."""

    def compare(path: Path, rows: Rows, rest: tuple[str, ...], text: str) -> Condition:
        if rest:
            raise refused(path.key, "has no lookups")
        return apply(path.key, Column("moment", rows.column("date_created")), lookup, text)

    return compare


def _top(path: Path, rows: Rows, rest: tuple[str, ...], text: str) -> Condition:
    """Select what has no parent of its own type that can be seen, owned or of others."""
    snapshot = path.snapshot
    same = [parent for parent in rows.kind.parents if parent.type == rows.kind.name]
    if rest or text not in {"owned", "shared"} or not same:
        raise refused(path.key, "is for sections, and must be owned or shared")
    column = rows.column(f"{same[0].name}_id")
    above = snapshot.rows(rows.kind)
    seen = sql_select(above.column("id")).where(above.alive, snapshot.visible(above))
    user = snapshot.principal.user_id
    mine = snapshot.by_holder(rows, lambda table, _: table.c.owner_id == user)
    return and_(or_(column.is_(None), ~column.in_(seen)), mine if text == "owned" else ~mine)


def _selection(path: Path, rows: Rows, rest: tuple[str, ...], text: str) -> Condition:
    """Refuse what looks like a saved selection: one is put into the query, and is no filter."""
    raise refused(path.key, "has a prefix or lookup; write selection=<id of a saved selection>")


_SPECIAL: Mapping[str, Callable[[Path, Rows, tuple[str, ...], str], Condition]] = {
    "owner": _owner,
    "visibility": _visibility,
    "created_min": _created("gte"),
    "created_max": _created("lte"),
    "top": _top,
    "selection": _selection,
}
