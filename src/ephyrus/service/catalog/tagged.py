"""Filters by annotation: values that objects are tagged with, and what stands above them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, or_, select

from ephyrus.service.catalog import permalinks
from ephyrus.service.catalog.lookups import Column, apply, refused
from ephyrus.service.catalog.snapshots import Rows, Snapshot
from ephyrus.service.db.functions import contains
from ephyrus.service.errors import ServiceError

if TYPE_CHECKING:
    from ephyrus.service.catalog.paths import Path

__all__ = ["KINDS", "by_text", "by_value", "by_words"]

Condition = ColumnElement[bool]

KINDS = ("section", "property", "value")
"""Names of filters by the text of what stands above a value."""


def _tagged(snapshot: Snapshot, rows: Rows, value: Condition | None, values: Rows) -> Condition:
    """Give the condition that rows are tagged with a value that fulfils something."""
    taggings, holds = snapshot.taggings()
    wanted = select(values.column("id")).where(values.alive, snapshot.visible(values))
    if value is not None:
        wanted = wanted.where(value)
    objects = select(taggings.c.object_id).where(
        taggings.c.type == rows.kind.name, holds, taggings.c.value_id.in_(wanted)
    )
    return rows.column("id").in_(objects)


def by_value(path: Path, rows: Rows, lookup: str, text: str) -> Condition:
    """Make the condition of ``metadata=<value>``: the object is tagged with that value."""
    values = path.snapshot.rows("value")
    if lookup == "isnull":
        found = _tagged(path.snapshot, rows, None, values)
        return found if text == "0" else ~found
    if lookup not in {"exact", "iexact", "in"}:
        raise refused(path.key, f"has the lookup {lookup!r}; annotations have exact, in, isnull")

    def read(part: str) -> int:
        try:
            return permalinks.parse(part, kind="value", style=path.style).id
        except ServiceError as error:
            raise ValueError(part) from error

    column = Column("number", values.column("id"), None, read)
    return _tagged(path.snapshot, rows, apply(path.key, column, lookup, text), values)


def by_text(path: Path, rows: Rows, name: str, lookup: str, text: str) -> Condition:
    """Make the condition of ``section=``, ``property=``, ``value=`` on what can be tagged.

    The object is tagged with a value of which the text (the name of its property; the name of its
    section, or of any section above that one) fulfils the lookup.
    """
    snapshot = path.snapshot
    values = snapshot.rows("value")
    if name == "value":
        column = Column("text", values.column("data"), values.column("data__folded"))
        return _tagged(snapshot, rows, apply(path.key, column, lookup, text), values)
    properties = snapshot.rows("property")
    chosen = select(properties.column("id")).where(properties.alive, snapshot.visible(properties))
    if name == "property":
        column = Column("text", properties.column("name"), properties.column("name__folded"))
        chosen = chosen.where(apply(path.key, column, lookup, text))
    else:
        sections = _sections(path, lookup, text)
        chosen = chosen.where(properties.column("section_id").in_(sections))
    return _tagged(snapshot, rows, values.column("parent_property_id").in_(chosen), values)


def _sections(path: Path, lookup: str, text: str) -> Select[Any]:
    """Select the sections whose name fulfils a lookup, and all below them."""
    snapshot = path.snapshot
    top = snapshot.rows("section")
    column = Column("text", top.column("name"), top.column("name__folded"))
    named = apply(path.key, column, lookup, text)
    below = (
        select(top.column("id").label("id"))
        .where(top.alive, snapshot.visible(top), named)
        .cte("below", recursive=True)
    )
    inner = snapshot.rows("section")
    step = (
        select(inner.column("id"))
        .join_from(inner.table, below, inner.column("parent_section_id") == below.c.id)
        .where(inner.alive)
    )
    tree = below.union(step)
    return select(tree.c.id)


def by_words(snapshot: Snapshot, rows: Rows, words: str) -> list[Condition]:
    """Make the conditions of ``search=``: each word is in a text of the object or of its tags."""
    texts = [
        rows.column(f"{attribute.name}__folded")
        for attribute in rows.kind.attributes
        if attribute.value in {"text", "text or int"}
    ]
    result: list[Condition] = []
    for word in dict.fromkeys(words.casefold().split()):
        ways: list[Condition] = [contains(text, word) for text in texts]
        if rows.kind.category != "metadata":
            ways.append(_tag_holds(snapshot, rows, word))
        result.append(or_(*ways))
    return result


def _tag_holds(snapshot: Snapshot, rows: Rows, word: str) -> Condition:
    """Give the condition that a word is in a tagged value or in the name of its property."""
    values, properties = snapshot.rows("value"), snapshot.rows("property")
    named = select(properties.column("id")).where(
        properties.alive, contains(properties.column("name__folded"), word)
    )
    holds = or_(
        contains(values.column("data__folded"), word),
        values.column("parent_property_id").in_(named),
    )
    return _tagged(snapshot, rows, holds, values)
