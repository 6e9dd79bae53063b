"""How much one request may ask of the catalog: its memory stays below 256 MiB, whatever is asked.

What is refused is refused before it is loaded or written, with a message that says what to do.
The figures were chosen by the growth of a server that is asked for just so much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from ephyrus.service.errors import ServiceError

__all__ = [
    "BATCH",
    "MOST_CHANGED",
    "MOST_IN_TREE",
    "MOST_LINKS",
    "MOST_PAIRS",
    "MOST_TAGGED",
    "MOST_TAGS",
    "MOST_TEXT",
    "check_links",
    "check_pairs",
    "check_product",
    "check_tree",
    "few",
    "length_of_texts",
    "too_large",
    "too_much_text",
]

MOST_LINKS = 300_000
"""Ids of children, of several parents and of values in one answer (about 300 bytes each)."""

MOST_PAIRS = 20_000
"""Annotations that are written out in one answer (``q=full``; about 4 KiB each)."""

MOST_TEXT = 8 * 2**20
"""Characters of text in one answer (up to 16 bytes each on their way)."""

MOST_CHANGED = 100_000
"""Objects that one bulk update changes or annotates, with those below: about half a minute, for
which other writers wait."""

MOST_IN_TREE = 1_000_000
"""Objects that one request deletes or shares, with all that lies below them."""

MOST_TAGGED = 500_000
"""Annotations, or relations to several parents, that one request makes: objects times values."""

MOST_TAGS = 2000
"""Values that one object is annotated with."""

BATCH = 500
"""Objects that are in memory at a time while many are written in one transaction."""

_FEW = 5
_LONGEST_NAME = 60


def too_large(message: str, limit: int) -> ServiceError:
    """Make the error of a request that asks for too much."""
    return ServiceError("too_large", message, details={"limit": limit})


def check_links(count: int) -> None:
    """Check the number of ids of other objects in one answer.

    Raises
    ------
    ServiceError
        ``too_large``.
    """
    if count > MOST_LINKS:
        raise too_large(
            f"The objects have more than {MOST_LINKS} children, parents and annotations together. "
            "Ask for fewer objects at once (max_results), leave the children out (show_kids=0), or "
            "list these themselves with a filter.",
            MOST_LINKS,
        )


def check_pairs(count: int) -> None:
    """Check the number of annotations that are written out in one answer.

    Raises
    ------
    ServiceError
        ``too_large``.
    """
    if count > MOST_PAIRS:
        raise too_large(
            f"The objects have {count} annotations together; an answer shows {MOST_PAIRS}. Ask for "
            "fewer objects at once (max_results), or without q=full, which gives their addresses.",
            MOST_PAIRS,
        )


def too_much_text() -> ServiceError:
    """Make the error of an answer whose texts are too long together."""
    return too_large(
        f"The texts of the objects have more than {MOST_TEXT} characters together. Ask for fewer "
        "objects at once (max_results), or for their addresses alone (q=link).",
        MOST_TEXT,
    )


def check_product(name: str, objects: int, values: int) -> None:
    """Check how many relations a request makes, before it makes the first.

    Raises
    ------
    ServiceError
        ``too_large``.
    """
    if objects * values > MOST_TAGGED:
        raise too_large(
            f"{name!r}: {objects} objects times {values} values are more than {MOST_TAGGED}; "
            "nothing was changed. Narrow the selection, name fewer values, or leave out what lies "
            "below with cascade=0.",
            MOST_TAGGED,
        )


def check_tree(count: int, most: int) -> None:
    """Check how many objects a request concerns, with all that lies below them.

    Raises
    ------
    ServiceError
        ``too_large``.
    """
    if count > most:
        raise too_large(
            f"This concerns more than {most} objects, with those below; nothing was changed. Take "
            "the parts one after the other, or leave out what lies below (cascade=0) where that is "
            "possible.",
            most,
        )


def few(names: Sequence[object]) -> str:
    """Name the first few of many.

    Parameters
    ----------
    names : sequence
        Names as they were sent, of any number and length.

    Returns
    -------
    str
        ``"a, b, c, d, e and 349,995 others"``.
    """
    shown = ", ".join(
        text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}..."
        for text in map(str, islice(names, _FEW))
    )
    left = len(names) - _FEW
    if left <= 0:
        return shown
    return f"{shown} and {left:,} other{'s' if left > 1 else ''}"


def length_of_texts(values: Mapping[str, Any] | Iterable[Any]) -> int:
    """Count the characters of those values that are text."""
    given = values.values() if isinstance(values, Mapping) else values
    return sum(len(value) for value in given if isinstance(value, str))
