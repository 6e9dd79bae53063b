"""The entities of a NIX file as plain facts, for all commands that show or compare them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.cli.failures import Failure
from ephyrus.nix.dimensions import RangeDimension, SampledDimension
from ephyrus.nix.file import File, FileMode

__all__ = ["CONTAINERS", "Node", "entities", "opened", "properties_of"]

# Containers of a block, and the word for what is in each.
CONTAINERS = {
    "groups": "group",
    "data_arrays": "data array",
    "data_frames": "data frame",
    "tags": "tag",
    "multi_tags": "multi tag",
    "sources": "source",
}
Facts = dict[str, Any]


@dataclass(slots=True)
class Node:
    """An entity among others.

    Attributes
    ----------
    kind : str
        What it is ("data array").
    entity : Entity
        The entity itself.
    facts : dict
        What is set of it, by name; plain values.
    children : list of Node
        What is in it.
    size : int
        Bytes of data in it and its children, as they are in memory.
    """

    kind: str
    entity: Any
    facts: Facts
    children: list[Node] = field(default_factory=list)
    size: int = 0

    @property
    def name(self) -> str:
        """Name of the entity."""
        return str(self.entity.name)

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Give this node and those in it with their paths."""
        mine = f"{path}/{self.name}"
        if self.kind == "section" and not path:
            mine = f"metadata {mine}"
        elif self.kind not in ("block", "section"):
            mine = f"{path}/{self.kind} {self.name}"
        yield mine, self
        for child in self.children:
            yield from child.walk(mine)


@contextmanager
def opened(path: str) -> Iterator[File]:
    """Open a NIX file for reading.

    Raises
    ------
    Failure
        If it is not there, or a folder.
    FormatError
        If it is no NIX file.
    """
    local = path if "://" in path else str(Path(path).expanduser())
    if "://" not in path and not Path(local).is_file():
        raise Failure(f"{path}: no such file")
    with File(local, FileMode.ReadOnly) as file:
        yield file


def entities(file: File) -> list[Node]:
    """Give the blocks and the root sections with everything in them."""
    return [*map(_block, file.blocks), *map(_section, file.sections)]


def _block(block: Any) -> Node:
    made = Node("block", block, _common(block))
    for container, kind in CONTAINERS.items():
        made.children += [_MAKERS[kind](each) for each in getattr(block, container)]
    made.size = sum(child.size for child in made.children)
    return made


def _common(entity: Any) -> Facts:
    """Give what every entity may have."""
    facts = {"type": entity.type, "definition": entity.definition}
    metadata = getattr(entity, "metadata", None)
    if metadata is not None:
        facts["metadata"] = metadata.name
    return _set(facts)


def _set(facts: Facts) -> Facts:
    """Leave out what is not set."""
    return {name: value for name, value in facts.items() if value not in (None, (), [], "")}


def _names(entity: Any, *containers: str) -> Facts:
    """Give the names of what an entity refers to."""
    return _set({name: [each.name for each in getattr(entity, name)] for name in containers})


def _array(array: Any) -> Node:
    shape, dtype = array.shape, array.dtype
    facts = _common(array) | _set(
        {
            "shape": list(shape),
            "data type": "text" if dtype.kind == "O" else str(dtype),
            "unit": array.unit,
            "label": array.label,
            "polynom": list(array.polynom_coefficients),
            "expansion origin": array.expansion_origin,
            "dimensions": [_dimension(each) for each in array.dimensions],
        }
    )
    facts |= _names(array, "sources")
    return Node("data array", array, facts, size=math.prod(shape) * dtype.itemsize)


def _dimension(dimension: Any) -> Facts:
    facts: Facts = {"kind": str(getattr(dimension.dimension_type, "value", "set"))}
    names = ["label", "unit"]
    if isinstance(dimension, SampledDimension):
        names += ["sampling_interval", "offset"]
    for name in names:
        facts[name] = getattr(dimension, name, None)
    if isinstance(dimension, RangeDimension):
        ticks = np.asarray(dimension.ticks)
        facts |= {"ticks": len(ticks)}
        if len(ticks):
            facts |= {"first": float(ticks[0]), "last": float(ticks[-1])}
    elif not isinstance(dimension, SampledDimension):
        facts["labels"] = list(dimension.labels)
    return _set(facts)


def _frame(frame: Any) -> Node:
    facts = _common(frame) | _set(
        {
            "rows": frame.shape[0],
            "columns": list(frame.column_names),
            "data types": [str(dtype) for dtype in frame.dtype],
        }
    )
    return Node("data frame", frame, facts)


def _tag(tag: Any) -> Node:
    is_many = hasattr(tag, "positions")
    facts = _common(tag) | _set({"units": list(tag.units)})
    if is_many:
        extents = tag.extents
        facts |= _set({"positions": tag.positions.name, "extents": extents and extents.name})
    else:
        facts |= _set({"position": list(tag.position), "extent": list(tag.extent)})
    facts |= _names(tag, "references", "sources")
    features = [f"{each.link_type.value}: {each.data.name}" for each in tag.features]
    return Node("multi tag" if is_many else "tag", tag, facts | _set({"features": features}))


def _group(group: Any) -> Node:
    names = ("data_arrays", "data_frames", "tags", "multi_tags", "sources")
    return Node("group", group, _common(group) | _names(group, *names))


def _source(source: Any) -> Node:
    return Node("source", source, _common(source), [_source(each) for each in source.sources])


def _section(section: Any) -> Node:
    link = section.link
    facts = _common(section) | _set(
        {
            "repository": section.repository,
            "reference": section.reference,
            "link": None if link is None else link.name,
            "properties": properties_of(section),
        }
    )
    return Node("section", section, facts, [_section(each) for each in section.sections])


def properties_of(section: Any) -> Facts:
    """Give the properties of a section: values, with unit and uncertainty where they have them."""
    found: Facts = {}
    for each in section.props:
        values = list(each.values)
        more = _set(
            {
                name: getattr(each, name)
                for name in ("unit", "definition", "reference", "value_origin")
            }
        )
        if each.uncertainty:  # 0 is what files before 1.1.1 have where there is none
            more["uncertainty"] = each.uncertainty
        found[each.name] = {"values": values, **more}
    return found


_MAKERS: dict[str, Callable[[Any], Node]] = {
    "group": _group,
    "data array": _array,
    "data frame": _frame,
    "tag": _tag,
    "multi tag": _tag,
    "source": _source,
}
