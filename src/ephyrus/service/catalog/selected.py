"""Saved selections within list requests: ``?selection=<id>``.

What was saved is put into the query before it runs, so that a saved filter is a filter like any
other: it is evaluated when the list is asked for, with the rights of whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from sqlalchemy import Connection, select

from ephyrus.service.accounts.names import as_id
from ephyrus.service.catalog import rights
from ephyrus.service.catalog.driving import Drive
from ephyrus.service.catalog.ordering import ordering
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.selecting import conditions
from ephyrus.service.catalog.snapshots import Snapshot
from ephyrus.service.db.schema import SELECTIONS
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal

__all__ = ["KIND", "absent", "opened", "refusal", "resolved", "stale"]

KIND = SELECTIONS.name
"""Name that shares of selections have."""


class _Saved(NamedTuple):
    """What matters of a selection when a list is asked for."""

    id: int
    type: str
    name: str
    query: str


_COLUMNS = (SELECTIONS.c.id, SELECTIONS.c.type, SELECTIONS.c.name, SELECTIONS.c.query)


def absent(given: object) -> ServiceError:
    """Make the error of a selection that does not exist."""
    return ServiceError("does_not_exist", f"There is no selection with the id {str(given)[:40]!r}.")


def refusal(principal: Principal, verb: str) -> ServiceError:
    """Make the error of a selection that somebody may not read, change or share."""
    return rights.refuse(
        principal, f"This selection may not be {verb} by {principal.username or 'anyone'}."
    )


def resolved(
    connection: Connection, principal: Principal, kind: str, query: ListQuery
) -> ListQuery:
    """Put the filters, words and order of saved selections into a query.

    Parameters
    ----------
    connection : Connection
        Database.
    principal : Principal
        Who asks: must be able to read the selections.
    kind : str
        Type of the list.
    query : ListQuery
        What is asked for.

    Returns
    -------
    ListQuery
        Without selections.

    Raises
    ------
    ServiceError
        ``wrong_params``: a selection does not exist, is one of another type, or together there are
        too many filters. ``not_authorized``: it may not be read.
    """
    for saved in _named(connection, principal, kind, query):
        query = query.within(_parsed(saved))
    return replace(query, selections=()) if query.selections else query


@contextmanager
def opened(
    connection: Connection, principal: Principal, kind: str, query: ListQuery
) -> Iterator[ListQuery]:
    """Resolve a query; what fails within is said to be a selection's fault where it is.

    Filters are checked when they are saved, but fields come and go with versions of the service.
    """
    if not query.selections:
        yield query
        return
    try:
        yield resolved(connection, principal, kind, query)
    except ServiceError as error:
        if error.message_type == "wrong_params":
            _find_fault(connection, principal, kind, query)
        raise


def _named(
    connection: Connection, principal: Principal, kind: str, query: ListQuery
) -> Iterator[_Saved]:
    """Find the selections that a query names."""
    for text in query.selections:
        number = as_id(text.strip().rstrip("/").rpartition("/")[2])
        row: Any = None
        if number is not None:
            row = connection.execute(select(*_COLUMNS).where(SELECTIONS.c.id == number)).first()
        if row is None:
            raise _wrong(f"There is no selection {text[:40]!r}; give the id of one.")
        if rights.level(connection, principal, KIND, row.id) < rights.READ:
            raise refusal(principal, "read")
        if row.type != kind:
            raise _wrong(f"The selection {row.id} is one of {row.type} objects, not of {kind}.")
        yield _Saved(*row)


def _parsed(saved: _Saved) -> ListQuery:
    try:
        return ListQuery.parse(parse_qsl(saved.query, keep_blank_values=True))
    except ServiceError as error:
        raise _stale(saved, error) from error


def _find_fault(connection: Connection, principal: Principal, kind: str, query: ListQuery) -> None:
    """Try each selection alone, and tell which one is no longer understood."""
    for saved in _named(connection, principal, kind, query):
        _check(connection, principal, saved, query.at_time)


def _check(
    connection: Connection, principal: Principal, saved: _Saved, at_time: datetime | None
) -> None:
    """Check that what was saved is understood, without looking for objects."""
    inner = _parsed(saved)
    snapshot = Snapshot.of(connection, principal, at_time)
    rows = snapshot.rows(saved.type)
    try:
        ordering(snapshot, rows, inner.order_by)
        conditions(connection, snapshot, rows, inner, Drive(connection, rows))
    except ServiceError as error:
        raise _stale(saved, error) from error


def stale(connection: Connection) -> Iterator[str]:
    """Say of each selection that is no longer understood what is the matter."""
    query = select(*_COLUMNS, SELECTIONS.c.owner_id).order_by(SELECTIONS.c.id)
    for *values, owner in connection.execute(query).all():
        try:
            _check(connection, Principal(owner), _Saved(*values), None)
        except ServiceError as error:
            yield error.message


def _stale(saved: _Saved, error: ServiceError) -> ServiceError:
    return _wrong(
        f"The selection {saved.id} ({saved.name}) is no longer understood, change its query: "
        f"{error.message}"
    )


def _wrong(message: str) -> ServiceError:
    return ServiceError("wrong_params", message, details="selection")
