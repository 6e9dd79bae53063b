"""Annotations as metadata: sections, properties and values of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ephyrus._shared.notes import typed_texts
from ephyrus.service.catalog.bulk import NewObject

__all__ = ["Metadata"]

MOST_PROPERTIES = 200  # of one section
MOST_VALUES = 64  # of one property
MOST_LETTERS = 4000  # of one value
MOST_TAGS = 32  # values that one object is tagged with
MOST_OBJECTS = 20_000  # properties and values of one recording
DEPTH = 4  # of mappings within annotations


class Metadata:
    """Makes the sections of a recording, within bounds.

    Attributes
    ----------
    left : int
        Properties and values that may still be made.
    """

    def __init__(self) -> None:
        self.left = MOST_OBJECTS

    def section(
        self,
        key: str,
        name: str,
        annotations: Mapping[str, Any],
        *,
        parent: str | None = None,
        **attributes: Any,
    ) -> Iterator[NewObject]:
        """Make a section with a property for each annotation."""
        yield NewObject(
            "section",
            key,
            attributes={"name": name, **attributes},
            parents={} if parent is None else {"parent_section": parent},
        )
        flat = list(_flattened(annotations))[:MOST_PROPERTIES]
        for number, (title, value, unit) in enumerate(flat):
            dtype, texts = _texts(value)
            if not texts or self.left < 1 + len(texts):
                continue
            self.left -= 1 + len(texts)
            place = f"{key}/{number}"
            about = {"name": title[:MOST_LETTERS], "dtype": dtype}
            about |= {"unit": unit} if unit else {}
            yield NewObject("property", place, attributes=about, parents={"section": key})
            for at, text in enumerate(texts):
                yield NewObject(
                    "value",
                    f"{place}/{at}",
                    attributes={"data": text} | ({"unit": unit} if unit else {}),
                    parents={"parent_property": place},
                )


def tags_of(rows: list[NewObject]) -> tuple[Any, ...]:
    """Give the keys of the values that objects are tagged with: all of a property, or none.

    Properties with one value come first, as there may be long lists.
    """
    properties: dict[str, list[Any]] = {}
    for row in rows:
        if row.type == "value":
            properties.setdefault(str(row.parents["parent_property"]), []).append(row.key)
    found: list[Any] = []
    for keys in sorted(properties.values(), key=lambda keys: len(keys) > 1):
        if len(found) + len(keys) <= MOST_TAGS:
            found += keys
    return tuple(found)


def _flattened(
    annotations: Mapping[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, Any, str]]:
    """Give name, value and unit of each annotation; mappings as names with dots."""
    for name, value in annotations.items():
        title = f"{prefix}{name}"
        if isinstance(value, Mapping):
            if set(value) == {"magnitude", "units"}:
                yield title, value["magnitude"], str(value["units"])
            elif depth < DEPTH:
                yield from _flattened(value, f"{title}.", depth + 1)
        elif hasattr(value, "dimensionality"):
            yield title, value.magnitude, str(value.dimensionality)
        else:
            yield title, value, ""


def _texts(value: Any) -> tuple[str, list[str]]:
    """Give the type of the values of a property, and the values as text."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[:MOST_VALUES].tolist()
    several = isinstance(value, list | tuple | set | frozenset)
    items = list(value)[:MOST_VALUES] if several else [value]
    plain = [_plain(each) for each in items if each is not None]
    dtype, texts = typed_texts(plain)
    return dtype, [_short(text) for text in texts if text]


def _plain(value: Any) -> Any:
    """Give a value as Python has it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return float(value) if isinstance(value, Fraction) else value


def _short(text: str) -> str:
    text = text.replace("\0", "")
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 3]}..."
