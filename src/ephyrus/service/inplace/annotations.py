"""Annotations as metadata: sections, properties and values of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any

import numpy as np

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
            texts = _texts(value)
            if not texts or self.left < 1 + len(texts):
                continue
            self.left -= 1 + len(texts)
            place = f"{key}/{number}"
            about = {"name": title[:MOST_LETTERS]} | ({"unit": unit} if unit else {})
            yield NewObject("property", place, attributes=about, parents={"section": key})
            for at, text in enumerate(texts):
                yield NewObject(
                    "value",
                    f"{place}/{at}",
                    attributes={"data": text} | ({"unit": unit} if unit else {}),
                    parents={"parent_property": place},
                )


def tags_of(rows: list[NewObject]) -> tuple[Any, ...]:
    """Give the keys of the first values of the properties of a section."""
    values = [row for row in rows if row.type == "value"]
    first = [row.key for row in values if str(row.key).endswith("/0")]
    return tuple(first[:MOST_TAGS])


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


def _texts(value: Any) -> list[str]:
    """Give the values of a property as text."""
    if value is None:
        return []
    if isinstance(value, np.ndarray):
        value = value.ravel()[:MOST_VALUES].tolist()
    if isinstance(value, list | tuple | set | frozenset):
        items = list(value)[:MOST_VALUES]
        return [text for item in items if (text := _text(item))]
    text = _text(value)
    return [text] if text else []


def _text(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, Fraction):
        value = float(value)
    text = str(value).replace("\0", "")
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 3]}..."
