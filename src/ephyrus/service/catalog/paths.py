"""Filters as conditions: from ``segment__block__name__icontains`` and its value to SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from sqlalchemy import ColumnElement, FromClause, or_, select, true

from ephyrus.service.catalog import permalinks, tagged
from ephyrus.service.catalog.driving import Drive
from ephyrus.service.catalog.lookups import ALIASES, NAMES, Column, apply, refused
from ephyrus.service.catalog.snapshots import Rows, Snapshot
from ephyrus.service.db.functions import unindexed
from ephyrus.service.db.schema import ORDERED
from ephyrus.service.errors import ServiceError
from ephyrus.service.types import CATEGORIES, TYPES, ObjectType, Parent

__all__ = ["Path", "condition", "plain_column"]

Condition = ColumnElement[bool]
_MOST_STEPS = 8
_TEXT_FACTS = ("mime",)
_NUMBER_FACTS = ("size", "file_type")
_INDEXED = ORDERED | {"name", "last_modified"}
_RANGES = frozenset({"gt", "gte", "ge", "lt", "lte", "le", "range", "startswith"})


@dataclass(frozen=True, slots=True)
class Path:
    """What a filter is resolved with.

    Attributes
    ----------
    snapshot : Snapshot
        What is seen.
    style : str
        Style of ids.
    key : str
        Name of the filter as it was sent.
    drive : Drive or None
        What decides on the way from parents to objects.
    """

    snapshot: Snapshot
    style: str
    key: str
    drive: Drive | None = None


def condition(path: Path, rows: Rows, tokens: tuple[str, ...], text: str) -> Condition:
    """Make the condition of a filter on rows of a type.

    Parameters
    ----------
    path : Path
        The filter's surroundings.
    rows : Rows
        What is filtered.
    tokens : tuple of str
        Parts of the filter's name: fields, and at the end perhaps a lookup.
    text : str
        Its value.

    Returns
    -------
    condition
        For ``WHERE``. Rows for which it is unknown do not fulfil it.

    Raises
    ------
    ServiceError
        ``wrong_params``: a field or lookup is unknown, or the value cannot be read.
    """
    if len(tokens) > _MOST_STEPS:
        raise refused(path.key, f"has more than {_MOST_STEPS} parts")
    name, rest = tokens[0], tokens[1:]
    column = _column(path, rows, name)
    if column is not None:
        return _compared(path, rows, name, column, _lookup(path, name, rest), text)
    if name == "safety_level":
        return _safety_level(path, rows, rest, text)
    if name == "metadata":
        return tagged.by_value(path, rows, _lookup(path, name, rest), text)
    for parent in rows.kind.parents:
        if parent.name == name:
            return _through_parent(path, rows, parent, rest, text)
    child = _child(rows.kind, name)
    if child is not None:
        return _through_child(path, rows, *child, rest, text)
    if name in tagged.KINDS and rows.kind.category == "electrophysiology":
        return tagged.by_text(path, rows, name, _lookup(path, name, rest, "icontains"), text)
    routes = _routes(rows.kind.name, name)
    if len(routes) == 1:
        return condition(path, rows, (*routes[0], *rest), text)
    if routes:
        path = replace(path, drive=None)
        return or_(*(condition(path, rows, (*route, *rest), text) for route in routes))
    raise refused(path.key, f"names {name!r}, which a {rows.kind.name} does not have")


def _compared(
    path: Path, rows: Rows, name: str, column: Column, lookup: str, text: str
) -> Condition:
    """Compare a column; of those with an index the drive decides whether it is used."""
    found = apply(path.key, column, lookup, text)
    is_range = name in _INDEXED and lookup in _RANGES and rows.is_present
    if not is_range or path.drive is None or path.drive.rows is not rows:
        return found
    plain = replace(column, plain=unindexed(column.plain))
    path.drive.add_range(name, found, apply(path.key, plain, lookup, text))
    return true()


def plain_column(rows: Rows, name: str) -> Column | None:
    """Find a column of a type's own by the name of its field; None: there is none."""
    if name in {"date_created", "last_modified"}:
        return Column("moment", rows.column(name))
    if name == "guid":
        return Column("text", rows.column("guid"), rows.column("guid"), str.lower)
    if name == "current_state" and rows.is_present:
        return Column("number", rows.column(name))
    for attribute in rows.kind.attributes:
        if name in {attribute.name, attribute.alias}:
            return _attribute_column(rows, attribute.name, attribute.value)
    if any(quantity.name == name for quantity in rows.kind.quantities):
        return Column("number", rows.column(name))
    if any(array.name == name for array in rows.kind.arrays):
        return Column("set", rows.column(f"{name}_id"))
    return _fact_column(rows, name)


def _attribute_column(rows: Rows, name: str, value: str) -> Column:
    """Make the column of an attribute."""
    plain = rows.column(name)
    if value in {"text", "text or int"}:
        return Column("text", plain, rows.column(f"{name}__folded"))
    if value == "datetime":
        return Column("moment", plain)
    return Column("bool" if value == "bool" else "number", plain)


def _fact_column(rows: Rows, name: str) -> Column | None:
    """Make the column of something that the server knows of a datafile."""
    if rows.kind.name != "datafile" or not rows.is_present:
        return None
    name = "file_type" if name == "conversion_type" else name
    if name in _NUMBER_FACTS:
        return Column("number", rows.column(name))
    return Column("text", rows.column(name), rows.column(name)) if name in _TEXT_FACTS else None


def _column(path: Path, rows: Rows, name: str) -> Column | None:
    """Find a column that a filter compares with its value."""
    if name in {"id", "pk"}:
        return Column("number", rows.column("id"), None, _reader(path, rows.kind))
    return plain_column(rows, name)


def _reader(path: Path, kind: ObjectType) -> Callable[[str], int]:
    """Make what reads an id or a permalink of a type; what is out of range names nothing."""

    def read(text: str) -> int:
        try:
            return permalinks.parse(text.strip(), kind=kind.name, style=path.style).id
        except ServiceError:
            if path.style == "int" and text.strip().lstrip("-").isdigit():
                return 0
            raise ValueError(text) from None

    return read


def _lookup(path: Path, name: str, rest: tuple[str, ...], default: str = "exact") -> str:
    """Take the lookup of a field that has nothing below it."""
    if not rest:
        return default
    if len(rest) > 1 or rest[0] not in NAMES:
        raise refused(path.key, f"names {rest[0]!r}, which is neither below {name!r} nor a lookup")
    return rest[0]


def _safety_level(path: Path, rows: Rows, rest: tuple[str, ...], text: str) -> Condition:
    """Compare the safety level, which is that of the object whose rights hold."""
    lookup = _lookup(path, "safety_level", rest)
    if lookup in {"exact", "iexact"} and text.strip() not in {"1", "2", "3"}:
        raise refused(path.key, "must be 1 (public), 2 (friendly) or 3 (private)")
    return path.snapshot.by_holder(
        rows, lambda table, _: apply(path.key, Column("number", table.c.safety_level), lookup, text)
    )


def _seen(path: Path, rows: Rows) -> Condition:
    """Give the condition that rows exist and may be seen, which those on the way must too."""
    return rows.alive & path.snapshot.visible(rows)


def _through_parent(
    path: Path, rows: Rows, parent: Parent, rest: tuple[str, ...], text: str
) -> Condition:
    """Make the condition on a parent, or on something of it."""
    links: FromClause | None = None
    holds: Condition = true()
    own = rows.column("id") if parent.many else rows.column(f"{parent.name}_id")
    if parent.many:
        links, holds = path.snapshot.links(rows.kind, parent)
    above = path.snapshot.rows(parent.type)
    if not rest or (len(rest) == 1 and _is_lookup(rest[0], above.kind)):
        column = Column("number", own, None, _reader(path, above.kind))
        if links is not None:
            column = Column("number", links.c[f"{parent.name}_id"], None, column.read)
        return _by_parent_id(path, rows, column, links, holds, rest, text)
    wanted = select(above.column("id")).where(
        _seen(path, above), condition(path, above, rest, text)
    )
    if links is None:
        if path.drive is not None and path.drive.rows is rows:
            return path.drive.among(own, above, wanted)
        return own.in_(wanted)
    children = select(links.c[f"{rows.kind.name}_id"]).where(
        holds, links.c[f"{parent.name}_id"].in_(wanted)
    )
    return own.in_(children)


def _is_lookup(name: str, kind: ObjectType) -> bool:
    """Tell whether a name is a lookup and no field of a type."""
    groups = (kind.attributes, kind.quantities, kind.arrays, kind.parents)
    return name in NAMES and all(field.name != name for group in groups for field in group)


def _by_parent_id(
    path: Path,
    rows: Rows,
    column: Column,
    links: FromClause | None,
    holds: Condition,
    rest: tuple[str, ...],
    text: str,
) -> Condition:
    """Compare the id of a parent."""
    lookup = ALIASES.get(rest[0], rest[0]) if rest else "exact"
    if lookup not in {"exact", "iexact", "in", "isnull"}:
        raise refused(path.key, f"has the lookup {lookup!r}; a relation has exact, in and isnull")
    if links is None:
        return apply(path.key, column, lookup, text)
    linked = select(links.c[f"{rows.kind.name}_id"]).where(holds)
    if lookup == "isnull":
        found = rows.column("id").in_(linked)
        return found if text == "0" else ~found
    return rows.column("id").in_(linked.where(apply(path.key, column, lookup, text)))


def _child(kind: ObjectType, name: str) -> tuple[ObjectType, Parent] | None:
    """Find the relation of ``<type>_set``."""
    if not name.endswith("_set"):
        return None
    wanted = name.removesuffix("_set")
    for child, parent in kind.children:
        if wanted in {child.name, *child.aliases}:
            return child, parent
    return None


def _through_child(
    path: Path, rows: Rows, kind: ObjectType, parent: Parent, rest: tuple[str, ...], text: str
) -> Condition:
    """Make the condition that any child fulfils something."""
    below = path.snapshot.rows(kind)
    isnull = rest == ("isnull",)
    if not rest or (len(rest) == 1 and _is_lookup(rest[0], kind) and not isnull):
        rest = ("id", *rest)
    inner = [_seen(path, below)]
    if not isnull:
        inner.append(condition(path, below, rest, text))
    if parent.many:
        links, holds = path.snapshot.links(kind, parent)
        children = select(below.column("id")).where(*inner)
        found = select(links.c[f"{parent.name}_id"]).where(
            holds, links.c[f"{kind.name}_id"].in_(children)
        )
    else:
        above = below.column(f"{parent.name}_id")
        found = select(above).where(above.is_not(None), *inner)
    among: Condition = rows.column("id").in_(found)
    return ~among if isnull and text != "0" else among


@lru_cache(maxsize=256)
def _routes(start: str, wanted: str) -> tuple[tuple[str, ...], ...]:
    """Find the ways from a type up to another one: those through relations that own, or any."""
    kinds = {name: kind for names in CATEGORIES.values() for name, kind in names.items()}
    if wanted not in kinds:
        return ()
    target = kinds[wanted].name
    owned = tuple(_climb(TYPES[start], target, (start,), owning=True))
    return owned or tuple(_climb(TYPES[start], target, (start,), owning=False))


def _climb(
    kind: ObjectType, target: str, seen: tuple[str, ...], *, owning: bool
) -> Iterator[tuple[str, ...]]:
    """Go up from a type in all ways that do not return."""
    for parent in kind.parents:
        if (owning and not parent.owns) or parent.type in seen:
            continue
        if parent.type == target:
            yield (parent.name,)
        else:
            above = _climb(TYPES[parent.type], target, (*seen, parent.type), owning=owning)
            yield from ((parent.name, *way) for way in above)
