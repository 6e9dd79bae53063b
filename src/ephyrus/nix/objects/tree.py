"""A NIX block that is being read, and what the sections of its entities tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import quantities as pq

from ephyrus.core.units import HERTZ, SECOND, UnitInfo, as_unit, unit_from_text
from ephyrus.errors import CorruptError
from ephyrus.nix.block import Block as NixBlock
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.objects.annotations import ARRAY_ANNOTATION, array_of, key_of, value_of
from ephyrus.nix.objects.kinds import DATE, NO_DATE, NO_RATE, RESERVED
from ephyrus.nix.objects.sources import TIME, NixPath

__all__ = [
    "Facts",
    "Tree",
    "as_keywords",
    "facts_of",
    "recorded",
    "time_axis",
    "time_unit",
    "unit_of",
]


@dataclass(slots=True)
class Tree:
    """A block that is being read.

    Attributes
    ----------
    place : NixPath
        The file.
    block : nix.Block
        The NIX block.
    lazy : bool
        Objects load their data when asked to.
    made : dict of str to object
        Objects by the names of their entities.
    signals : set of str
        Names of those that are signals or image sequences.
    arrays : set of str
        Names of the data arrays that objects were made of.
    """

    place: NixPath
    block: NixBlock
    lazy: bool
    made: dict[str, Any] = field(default_factory=dict)
    signals: set[str] = field(default_factory=set)
    arrays: set[str] = field(default_factory=set)

    def corrupt(self, reason: str, what: str) -> CorruptError:
        """Make the error for entities that contradict each other."""
        return CorruptError(self.place.path, reason, field=f"{what} in block {self.block.name}")


@dataclass(slots=True)
class Facts:
    """What the section of an object tells, inherited properties too.

    Attributes
    ----------
    reserved : dict of str to object
        Values of properties that are no annotations.
    annotations : dict of str to object
        Annotations.
    arrays : dict of str to ndarray
        Array annotations.
    section : Section, optional
        The section.
    """

    reserved: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    section: Any = None

    @property
    def has_no_rate(self) -> bool:
        """Whether it was noted that there is no sampling rate."""
        return self.section is not None and self.section.definition == NO_RATE

    def scalar(self, name: str) -> pq.Quantity | None:
        """Give a reserved value with its unit, or None."""
        found = self.reserved.get(name)
        if isinstance(found, pq.Quantity) and found.size:
            return pq.Quantity(float(np.ravel(found.magnitude)[0]), found.units)
        return None

    def time(self, name: str) -> pq.Quantity | None:
        """Give a reserved value that is a time, or None."""
        found = self.scalar(name)
        if found is None or as_unit(found.units).base is not SECOND.base:
            return None
        return found if np.isfinite(found.magnitude) else None

    def rate(self, name: str) -> pq.Quantity | None:
        """Give a reserved value that is a rate, or None."""
        found = self.scalar(name)
        if found is None or as_unit(found.units).base is not HERTZ.base:
            return None
        return found if 0 < found.magnitude < np.inf else None

    def take_time(self, name: str) -> pq.Quantity | None:
        """Take a time, or several, out of the annotations; None if there is none."""
        found = self.annotations.get(name)
        if not isinstance(found, pq.Quantity) or as_unit(found.units).base is not SECOND.base:
            return None
        del self.annotations[name]
        return found

    def common(self, entity: Any, path: str) -> dict[str, Any]:
        """Give name, description, file and annotations of an object."""
        name = self.reserved.get("neo_name")
        return {
            "name": name if isinstance(name, str) and name else None,
            "description": entity.definition,
            "file_origin": path,
            "annotations": self.annotations | {"nix_name": entity.name},
        }

    def columns(self, count: int) -> dict[str, Any]:
        """Give the array annotations that have a value for each of `count` items."""
        return {name: column for name, column in self.arrays.items() if len(column) == count}


def facts_of(entity: Any) -> Facts:
    """Read the section of an entity."""
    facts = Facts()
    section = entity.metadata
    if section is None:
        return facts
    facts.section = section
    seen: set[str] = set()
    for found in section.props if section.link is None else section.inherited_properties():
        name = found.name
        if name in seen:
            continue
        seen.add(name)
        if found.type == ARRAY_ANNOTATION:
            facts.arrays[key_of(found)] = array_of(found)
        elif name in RESERVED:
            facts.reserved[name] = value_of(found)
        else:
            facts.annotations[key_of(found)] = value_of(found)
    return facts


def as_keywords(common: Mapping[str, Any]) -> dict[str, Any]:
    """Give what every object has as arguments; annotations named like attributes are left out."""
    taken = {"name", "description", "file_origin", "rec_datetime", "file_datetime", "index"}
    facts = {name: common[name] for name in ("name", "description", "file_origin")}
    notes = common["annotations"]
    return facts | {name: value for name, value in notes.items() if name not in taken}


def recorded(entity: Any) -> datetime | None:
    """Give when it was recorded: others keep it, in whole seconds, as the time of creation."""
    section = entity.metadata
    said = "" if section is None else section.definition or ""
    if said == NO_DATE:
        return None
    try:
        if said.startswith(DATE):
            return datetime.fromisoformat(said.removeprefix(DATE))
        return datetime.fromtimestamp(entity.created_at)
    except (OverflowError, OSError, ValueError):
        return None


def unit_of(text: str | None, annotations: dict[str, Any]) -> UnitInfo:
    """Give the unit of a text; what is not known is noted in the annotations."""
    if not text:
        return as_unit(pq.dimensionless)
    unit, known = unit_from_text(text)
    if not known:
        annotations["units_string"] = text
    return as_unit(unit)


def time_unit(tree: Tree, text: str | None, what: str) -> UnitInfo:
    """Give the unit of times.

    Raises
    ------
    CorruptError
        If it is of something else.
    """
    unit = as_unit(unit_from_text(text or "s")[0])
    if unit.base is not SECOND.base:
        raise tree.corrupt(f"times in {text!r}, which is no unit of time", what)
    return unit


def time_axis(array: DataArray) -> Any:
    """Give the dimension of time of a data array, or None."""
    dimensions = list(array.dimensions)
    if len(dimensions) == 1:
        return dimensions[0]
    named = [each for each in dimensions if getattr(each, "label", None) == TIME]
    return named[0] if named else next(iter(dimensions), None)
