"""Where rows come from: the present or an earlier state, and what of it somebody may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Table,
    and_,
    false,
    or_,
    select,
    true,
)

from ephyrus.service.db.schema import DELETED, LINKS, SHARES, TABLES, TAGGINGS, VERSIONS
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES, ObjectType, Parent

__all__ = ["Rows", "Snapshot", "field_parent", "id_style", "readable"]

Condition = ColumnElement[bool]


def field_parent(kind: ObjectType, name: str) -> Parent:
    """Find a relation by the name of its field, which exists."""
    return next(parent for parent in kind.parents if parent.name == name)


def id_style(connection: Connection) -> str:
    """Tell how ids of a database are printed."""
    return str(connection.get_execution_options().get("id_style", "int"))


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a type in a statement.

    Attributes
    ----------
    kind : ObjectType
        The type.
    table : FromClause
        An alias of the table of present states or of the table of versions.
    alive : condition
        What rows of the table are meant.
    is_present : bool
        The table is that of present states.
    """

    kind: ObjectType
    table: FromClause
    alive: Condition
    is_present: bool

    def column(self, name: str) -> ColumnElement[Any]:
        """Give a column by name."""
        return self.table.c[name]


@cache
def _alias(table: Table, place: int) -> FromClause:
    """Give the name of its own that a table has at a place: making one takes long."""
    del place
    return table.alias()


@cache
def _exists(table: FromClause) -> Condition:
    """Make the condition that a row of the present is not deleted."""
    condition: Condition = table.c.current_state != DELETED
    return condition


@dataclass(slots=True)
class Snapshot:
    """The state of all objects at a time, as a principal may see it.

    Each table that it gives has another name, so that all can be in one statement.

    Parameters
    ----------
    principal : Principal
        Who asks.
    at_time : datetime or None
        When, in UTC; None: now.
    anonymous_read : bool
        Those who are not logged in see what is public.
    """

    principal: Principal
    at_time: datetime | None = None
    anonymous_read: bool = True
    _used: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(
        cls, connection: Connection, principal: Principal, at_time: datetime | None = None
    ) -> Snapshot:
        """Make the snapshot for a connection's settings."""
        options = connection.get_execution_options()
        return cls(principal, at_time, bool(options.get("anonymous_read", True)))

    def rows(self, kind: ObjectType | str) -> Rows:
        """Give the rows of a type under a name of their own."""
        kind = TYPES[kind] if isinstance(kind, str) else kind
        if self.at_time is None:
            table = self._named(TABLES[kind.name])
            return Rows(kind, table, _exists(table), is_present=True)
        table = self._named(VERSIONS[kind.name])
        return Rows(kind, table, self._holds(table), is_present=False)

    def links(self, kind: ObjectType, parent: Parent) -> tuple[FromClause, Condition]:
        """Give the table of a relation to several parents, and what rows of it hold."""
        return self._dated(LINKS[kind.name, parent.name])

    def taggings(self) -> tuple[FromClause, Condition]:
        """Give the table of annotations, and what rows of it hold."""
        return self._dated(TAGGINGS)

    def visible(self, rows: Rows) -> Condition:
        """Give the condition that the principal may read a row."""
        if self.principal.is_admin:
            return true()
        return self.by_holder(rows, self._readable)

    def by_holder(
        self, rows: Rows, make: Callable[[FromClause, ObjectType], Condition]
    ) -> Condition:
        """Give a condition on the object that holds the rights of a row: mostly the row itself.

        Rights are not versioned: they are those of the present row, also of a deleted object.
        """
        if rows.kind.rights_from:
            parent = field_parent(rows.kind, rows.kind.rights_from)
            table = self._named(TABLES[parent.type])
            above = Rows(TYPES[parent.type], table, true(), is_present=True)
            inner = self.by_holder(above, make)
            return rows.column(f"{parent.name}_id").in_(select(table.c.id).where(inner))
        if rows.is_present:
            return make(rows.table, rows.kind)
        present = self._named(TABLES[rows.kind.name])
        return rows.column("id").in_(select(present.c.id).where(make(present, rows.kind)))

    def shared(self, table: FromClause, kind: ObjectType, *, level: int = 1) -> Condition:
        """Give the condition that an object is shared with the principal directly."""
        return _shared(self.principal, table, kind.name, level)

    def _named(self, table: Table) -> FromClause:
        """Give a table under a name that is not used yet."""
        place = self._used[table.name]
        self._used[table.name] += 1
        return _alias(table, place)

    def _readable(self, table: FromClause, kind: ObjectType) -> Condition:
        """Give the condition that an object with rights of its own may be read."""
        return readable(self.principal, self.anonymous_read, table, kind.name)

    def _dated(self, table: Table) -> tuple[FromClause, Condition]:
        """Give a table of relations and what rows of it hold at the time."""
        named = self._named(table)
        return named, named.c.ends_at.is_(None) if self.at_time is None else self._holds(named)

    def _holds(self, table: FromClause) -> Condition:
        """Give the condition that a row holds at the time."""
        after = or_(table.c.ends_at.is_(None), table.c.ends_at > self.at_time)
        return and_(table.c.starts_at <= self.at_time, after)


def _shared(principal: Principal, table: FromClause, kind: str, level: int) -> Condition:
    """Make the condition that an object is shared with somebody directly."""
    who: list[Condition] = []
    if not principal.is_anonymous:
        who.append(SHARES.c.user_id == principal.user_id)
    if principal.groups:
        who.append(SHARES.c.group_id.in_(sorted(principal.groups)))
    objects = select(SHARES.c.object_id).where(
        SHARES.c.type == kind, SHARES.c.level >= level, or_(false(), *who)
    )
    return table.c.id.in_(objects)


@lru_cache(maxsize=1024)  # it is part of every statement, and the same for all of somebody's
def readable(principal: Principal, anonymous_read: bool, table: FromClause, kind: str) -> Condition:
    """Make the condition that somebody may read what has rights of its own (``schema.HELD``)."""
    shared = _shared(principal, table, kind, 1)
    if principal.is_anonymous:
        public = table.c.safety_level == 1 if anonymous_read else false()
        # who holds a share link belongs to its group, and is nobody else
        return or_(public, shared) if principal.groups else public
    ways = [table.c.owner_id == principal.user_id, table.c.safety_level == 1]
    if principal.friends:
        friends = table.c.owner_id.in_(sorted(principal.friends))
        ways.append(and_(table.c.safety_level == 2, friends))
    return or_(*ways, shared)
