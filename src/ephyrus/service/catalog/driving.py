"""Which way a list is looked for: along its order, or from parents that a filter selects.

Databases guess badly how many objects fulfil a filter on text: they go through everything in the
order of the list where a few parents would lead to a few objects, or gather nearly everything
where the first page is at hand. So the parents are looked for first, up to a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, false, func, select

from ephyrus.service.catalog.snapshots import Rows
from ephyrus.service.db.functions import among
from ephyrus.service.db.schema import TABLES

__all__ = ["Drive"]

_MOST_PARENTS = 1000
_MOST_CHILDREN = 20_000  # gathered and sorted in about 10 ms


@dataclass(slots=True)
class Drive:
    """The way of one list request.

    Attributes
    ----------
    connection : Connection
        Database.
    rows : Rows
        Rows of the list: only filters on these are driven.
    is_narrow : bool
        A filter leads to few objects: gather these and sort them.
    """

    connection: Connection
    rows: Rows
    is_narrow: bool = False

    def among(
        self, column: ColumnElement[int], above: Rows, wanted: Select[Any]
    ) -> ColumnElement[bool]:
        """Make the condition that a parent is among those that are selected."""
        limited = wanted.limit(_MOST_PARENTS + 1)
        found = [number for (number,) in self.connection.execute(limited)]
        if not found:
            self.is_narrow = True
            return false()
        if len(found) <= _MOST_PARENTS and self._children(above, found) <= _MOST_CHILDREN:
            self.is_narrow = True
            return among(column, found)
        # an expression has no index: the list is followed in its order
        return (column + 0).in_(wanted)

    def _children(self, above: Rows, found: Sequence[int]) -> float:
        """Guess how many objects lie below parents, from how many there ever were of each."""
        highest = [
            select(func.coalesce(func.max(TABLES[kind.name].c.id), 1)).scalar_subquery()
            for kind in (self.rows.kind, above.kind)
        ]
        objects, parents = self.connection.execute(select(*highest)).one()
        return float(len(found) * objects / parents)
