"""Saved selections: filters that a user keeps under a name, and may share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Table,
    delete,
    func,
    insert,
    true,
    update,
)
from sqlalchemy import select as sql_select
from sqlalchemy.exc import IntegrityError

from ephyrus.service.accounts import users
from ephyrus.service.accounts.tables import GROUP, USER, utc_now
from ephyrus.service.catalog import reading, rights, sharing
from ephyrus.service.catalog.query import OTHER_PARAMETERS, ListQuery
from ephyrus.service.catalog.records import BRIEF
from ephyrus.service.catalog.selected import KIND, absent, refusal
from ephyrus.service.catalog.snapshots import Snapshot, readable
from ephyrus.service.db.schema import SELECTIONS, SHARES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import CATEGORIES, TYPES

__all__ = [
    "LONGEST_QUERY",
    "MOST_SELECTIONS",
    "Selection",
    "change",
    "check_query",
    "create",
    "get",
    "kind_named",
    "listing",
    "remove",
]

MOST_SELECTIONS = 500
"""Most selections that a user may have."""

LONGEST_QUERY = 4000
"""Characters of a query, which must fit into an address."""

_LONGEST = {"name": 100, "description": 2000}
_RIGHTS = ("safety_level", "shared_with", "shared_with_groups")
_OF_PAGES = frozenset(
    {"offset", "max_results", "limit", "cursor", "count", "total", "at_time", "groups_of"}
    | {"spacing"}
)


@dataclass(frozen=True, slots=True)
class Selection:
    """A saved selection.

    Attributes
    ----------
    id : int
        Id, for life.
    owner_id, owner : int, str
        Whose it is.
    type : str
        Type of the objects.
    name, description : str
        What it is called, and what it is for.
    query : str
        Filters, words and order, as in the address of a list.
    safety_level : int
        1 public, 2 friendly, 3 private.
    created, modified : datetime
        When, in UTC.
    shared_with, shared_with_groups : mapping of str to int
        Users and groups who may see (1) or change (2) it; to others than its owner only their own
        share is shown.
    """

    id: int
    owner_id: int
    owner: str
    type: str
    name: str
    description: str
    query: str
    safety_level: int
    created: datetime
    modified: datetime
    shared_with: Mapping[str, int]
    shared_with_groups: Mapping[str, int]


_COLUMNS = (
    SELECTIONS.c.id,
    SELECTIONS.c.owner_id,
    USER.c.name.label("owner"),
    SELECTIONS.c.type,
    SELECTIONS.c.name,
    SELECTIONS.c.description,
    SELECTIONS.c.query,
    SELECTIONS.c.safety_level,
    SELECTIONS.c.date_created.label("created"),
    SELECTIONS.c.last_modified.label("modified"),
)


def _statement() -> Select[Any]:
    return sql_select(*_COLUMNS).join_from(SELECTIONS, USER, USER.c.id == SELECTIONS.c.owner_id)


def kind_named(name: str) -> str:
    """Give the type of object that a name, in any spelling of addresses, stands for.

    Raises
    ------
    ServiceError
        ``bad_parameter``: none.
    """
    for kinds in CATEGORIES.values():
        if name in kinds:
            return kinds[name].name
    raise ServiceError(
        "bad_parameter",
        f"There is no type {name[:60]!r}; there are {', '.join(TYPES)}.",
        details={"type": "unknown"},
    )


def check_query(connection: Connection, principal: Principal, kind: str, text: str) -> str:
    """Check a query as a list does, by asking for it.

    Parameters
    ----------
    connection : Connection
        Database.
    principal : Principal
        Who saves it.
    kind : str
        Type of the objects.
    text : str
        Parameters of a list, as in its address; a ``?`` before them is passed over.

    Returns
    -------
    str
        The query, in one spelling.

    Raises
    ------
    ServiceError
        ``wrong_params``: what a list answers; or a parameter does not say what is selected.
        ``bad_parameter``: it is too long.
    """
    plain = _short(text.strip().removeprefix("?"))
    try:
        pairs = parse_qsl(plain, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise ServiceError("wrong_params", "The query is not UTF-8 text.") from None
    for name, _ in pairs:
        if name in _OF_PAGES or name in OTHER_PARAMETERS or name.startswith("_"):
            raise _wrong(name, "says how a list is shown; send it when the selection is read")
        if name == "selection":
            raise _wrong(name, "names another selection; write the filters of that one")
    wanted = replace(ListQuery.parse(pairs), max_results=0)
    reading.select(connection, principal, kind, wanted, detail=BRIEF)
    return _short(urlencode(pairs))


def _short(query: str) -> str:
    if len(query) > LONGEST_QUERY:
        raise _bad("query", f"has {len(query)} characters; at most {LONGEST_QUERY} are kept")
    return query


def create(
    connection: Connection,
    owner: int,
    kind: str,
    values: Mapping[str, Any],
    principal: Principal,
) -> Selection:
    """Keep a selection.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    owner : int
        Whose.
    kind : str
        Type of the objects.
    values : mapping
        ``name``, ``query`` (checked by `check_query`), and if wanted ``description``,
        ``safety_level``, ``shared_with``, ``shared_with_groups``.
    principal : Principal
        Who asks.

    Raises
    ------
    ServiceError
        ``bad_parameter``: the name is none or taken, something is too long, or there are too many.
        As for rights of objects.
    """
    wanted = sharing.read_wanted(connection, _rights_in(values))
    own = sql_select(func.count()).where(SELECTIONS.c.owner_id == owner)
    count = connection.execute(own).scalar_one()
    if count >= MOST_SELECTIONS:
        raise _bad("selections", f"there are {count} already; delete those that are not needed")
    now = utc_now()
    row = {
        "owner_id": owner,
        "type": kind,
        "name": "",
        "description": "",
        "query": values["query"],
        "safety_level": 3,
        "date_created": now,
        "last_modified": now,
        **_texts(values),
    }
    made = insert(SELECTIONS).values(**row).returning(SELECTIONS.c.id)
    with _naming(connection, row["name"]):
        number = int(connection.execute(made).scalar_one())
    sharing.apply(connection, KIND, [number], wanted)
    return get(connection, principal, number)


def change(
    connection: Connection, principal: Principal, number: int, values: Mapping[str, Any]
) -> Selection:
    """Change what is sent of a selection; its rights only if one owns it.

    Raises
    ------
    ServiceError
        ``does_not_exist``, ``not_authorized``; else as for `create`.
    """
    _require(connection, principal, number, rights.WRITE, "changed")
    said = _rights_in(values)
    if said:
        _require(connection, principal, number, rights.OWN, "shared")
        sharing.apply(connection, KIND, [number], sharing.read_wanted(connection, said))
    row = _texts(values)
    if "query" in values:
        row["query"] = values["query"]
    if row:
        row["last_modified"] = utc_now()
        with _naming(connection, row.get("name", "")):
            connection.execute(update(SELECTIONS).where(SELECTIONS.c.id == number).values(**row))
    return get(connection, principal, number)


def remove(connection: Connection, principal: Principal, number: int) -> None:
    """Delete a selection, and nothing of what it selects.

    Raises
    ------
    ServiceError
        ``does_not_exist``; ``not_authorized``: only who owns it may.
    """
    _require(connection, principal, number, rights.OWN, "deleted")
    shares = delete(SHARES).where(SHARES.c.type == KIND, SHARES.c.object_id == number)
    connection.execute(shares)
    connection.execute(delete(SELECTIONS).where(SELECTIONS.c.id == number))


def get(connection: Connection, principal: Principal, number: int) -> Selection:
    """Read a selection.

    Raises
    ------
    ServiceError
        ``does_not_exist``; ``not_authorized`` (``not_authenticated`` if nobody is logged in).
    """
    _require(connection, principal, number, rights.READ, "read")
    rows = connection.execute(_statement().where(SELECTIONS.c.id == number)).mappings().all()
    return _seen(connection, principal, rows)[0]


def listing(
    connection: Connection,
    principal: Principal,
    *,
    kind: str = "",
    owner: str = "",
    offset: int = 0,
    limit: int = 100,
) -> tuple[list[Selection], int]:
    """List the selections that may be read, in the order in which they were made.

    Parameters
    ----------
    connection : Connection
        Database.
    principal : Principal
        Who asks.
    kind, owner : str
        Only those of a type, or of a user (name or id); empty: all.
    offset, limit : int
        Part of the list.

    Returns
    -------
    list of Selection
        The part.
    int
        How many there are.
    """
    where: list[ColumnElement[bool]] = [_visible(connection, principal)]
    if kind:
        where.append(SELECTIONS.c.type == kind)
    if owner:
        found = users.find(connection, owner)
        where.append(SELECTIONS.c.owner_id == (-1 if found is None else found.id))
    query = _statement().where(*where).order_by(SELECTIONS.c.id).offset(offset).limit(limit)
    rows = connection.execute(query).mappings().all()
    count = sql_select(func.count()).select_from(SELECTIONS).where(*where)
    total = int(connection.execute(count).scalar_one())
    return _seen(connection, principal, rows), total


def _visible(connection: Connection, principal: Principal) -> ColumnElement[bool]:
    if principal.is_admin:
        return true()
    snapshot = Snapshot.of(connection, principal)
    return readable(principal, snapshot.anonymous_read, SELECTIONS, KIND)


def _seen(
    connection: Connection, principal: Principal, rows: Sequence[RowMapping]
) -> list[Selection]:
    """Add the shares, as far as whoever asks may know them."""
    ids = [row["id"] for row in rows]
    levels = rights.levels(connection, principal, KIND, ids)
    people = _shares(connection, ids, SHARES.c.user_id, USER)
    teams = _shares(connection, ids, SHARES.c.group_id, GROUP)
    found = []
    for row in rows:
        own, groups = people.get(row["id"], {}), teams.get(row["id"], {})
        if levels[row["id"]] < rights.OWN:
            me = principal.username
            own, groups = ({me: own[me]} if me in own else {}), {}
        found.append(Selection(**row, shared_with=own, shared_with_groups=groups))
    return found


def _shares(
    connection: Connection, ids: Sequence[int], column: ColumnElement[int], table: Table
) -> dict[int, dict[str, int]]:
    """Read the names and levels of users, or of groups, that selections are shared with."""
    query = (
        sql_select(SHARES.c.object_id, table.c.name, SHARES.c.level)
        .join_from(SHARES, table, table.c.id == column)
        .where(SHARES.c.type == KIND, SHARES.c.object_id.in_(ids))
        .order_by(table.c.name)
    )
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for number, name, level in connection.execute(query):
        found[number][name] = level
    return found


def _require(
    connection: Connection, principal: Principal, number: int, least: int, verb: str
) -> None:
    found = rights.levels(connection, principal, KIND, [number])
    if number not in found:
        raise absent(number)
    if found[number] < least:
        raise refusal(principal, verb)


def _rights_in(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _RIGHTS if name in values}


def _texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check name and description."""
    found = {}
    for name, most in _LONGEST.items():
        if name in values:
            text = values[name].strip()
            if len(text) > most or (name == "name" and not text):
                least = 1 if name == "name" else 0
                raise _bad(name, f"must have {least} to {most} characters, not {len(text)}")
            found[name] = text
    return found


@contextmanager
def _naming(connection: Connection, name: str) -> Iterator[None]:
    """Give a name, which a user has but once; one that is taken does not spoil the transaction."""
    try:
        with connection.begin_nested():
            yield
    except IntegrityError:
        raise _bad("name", f"{name!r} is that of another selection of the same user") from None


def _wrong(name: str, reason: str) -> ServiceError:
    return ServiceError("wrong_params", f"The parameter {name[:60]!r} {reason}.", details=name[:60])


def _bad(name: str, rule: str) -> ServiceError:
    return ServiceError("bad_parameter", f"'{name}' {rule}.", details={name: rule})
