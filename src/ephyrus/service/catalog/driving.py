"""Which way a list is looked for: along its order, or from parents that a filter selects.

Databases guess badly how many objects fulfil a filter on text: they go through everything in the
order of the list where a few parents would lead to a few objects, or gather nearly everything
where the first page is at hand. So the parents are looked for first, up to a number. Filters on
times that have an index are tried likewise: few objects are gathered by the index, and for many the
list is followed in its order.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    false,
    func,
    literal_column,
    select,
)

from ephyrus.service.catalog.snapshots import Rows
from ephyrus.service.db.functions import among
from ephyrus.service.db.schema import TABLES

__all__ = ["Drive"]

_MOST_PARENTS = 1000
_MOST_CHILDREN = 20_000  # gathered and sorted in about 10 ms
_MOST_WITHIN = 3000  # gathered by an index in about 2 ms
_MEAN_SECONDS = 60.0
_MOST_MEANS = 1000
_MEANS: dict[Hashable, tuple[float, float]] = {}  # a guess, and when it was made


@dataclass(slots=True)
class Drive:
    """The way of one list request.

    Attributes
    ----------
    connection : Connection
        Database.
    rows : Rows
        Rows of the list: only filters on these are driven.
    sorted_by : str
        Name of the first key of the order: its index gives both.
    is_narrow : bool
        A filter leads to few objects: gather these and sort them.
    """

    connection: Connection
    rows: Rows
    sorted_by: str = ""
    is_narrow: bool = False
    _ranges: dict[str, list[tuple[ColumnElement[bool], ColumnElement[bool]]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add_range(
        self, name: str, indexed: ColumnElement[bool], plain: ColumnElement[bool]
    ) -> None:
        """Take a comparison with a column that has an index, spelled with it and without it."""
        self._ranges[name].append((indexed, plain))

    def ranges(self) -> list[ColumnElement[bool]]:
        """Give the conditions of all comparisons that were taken, those on a column together."""
        sorted_by = self._ranges.pop(self.sorted_by, [])
        result = [indexed for indexed, _ in sorted_by]
        indexed = [and_(*(each for each, _ in pairs)) for pairs in self._ranges.values()]
        plain = [and_(*(each for _, each in pairs)) for pairs in self._ranges.values()]
        if not indexed:
            return result
        counts = self._counts(indexed) if not self.is_narrow else [_MOST_WITHIN + 1]
        fewest = counts.index(min(counts))
        if counts[fewest] <= _MOST_WITHIN:
            self.is_narrow = True
            plain[fewest] = indexed[fewest]
        return [*result, *plain]

    def _counts(self, conditions: Sequence[ColumnElement[bool]]) -> list[int]:
        """Count the objects that fulfil conditions which an index answers, up to a number."""
        counted = [
            select(func.count())
            .select_from(
                select(literal_column("1"))
                .select_from(self.rows.table)
                .where(condition)
                .limit(_MOST_WITHIN + 1)
                .subquery()
            )
            .scalar_subquery()
            for condition in conditions
        ]
        return list(self.connection.execute(select(*counted)).one())

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
        """Guess how many objects lie below parents."""
        return len(found) * _mean_children(self.connection, self.rows.kind.name, above.kind.name)


def _mean_children(connection: Connection, kind: str, above: str) -> float:
    """Tell how many objects there ever were for each parent, as of the last minute."""
    key = (connection.engine.url, kind, above)
    known = _MEANS.get(key)
    now = time.monotonic()
    if known is not None and now - known[1] < _MEAN_SECONDS:
        return known[0]
    highest = [
        select(func.coalesce(func.max(TABLES[name].c.id), 1)).scalar_subquery()
        for name in (kind, above)
    ]
    objects, parents = connection.execute(select(*highest)).one()
    mean = float(objects) / float(parents)
    if len(_MEANS) >= _MOST_MEANS:
        _MEANS.clear()
    _MEANS[key] = (mean, now)
    return mean
