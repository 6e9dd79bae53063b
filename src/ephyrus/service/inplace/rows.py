"""Rows of objects that are to be put into the catalog."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["NewObject"]


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object whose relations are told by keys of the same lot."""

    type: str
    key: Hashable
    attributes: Mapping[str, Any] = field(default_factory=dict)
    quantities: Mapping[str, tuple[float | None, str | None]] = field(default_factory=dict)
    arrays: Mapping[str, tuple[Any, str | None]] = field(default_factory=dict)
    parents: Mapping[str, Any] = field(default_factory=dict)
    safety_level: int = 3
    array: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[Any, ...] = ()
