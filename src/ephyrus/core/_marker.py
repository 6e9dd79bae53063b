"""What objects carry that a child list has taken in."""

from __future__ import annotations

from typing import Any

from ephyrus.core.baseneo import parent_attribute

__all__ = ["NO_MARKER", "Marker", "new_marker"]


class Marker:
    """What an object carries that a list has taken in, so that the list knows it again.

    It spares lists that are filled by `ObjectList.append` alone the set of identities.

    Attributes
    ----------
    kind : type or None
        While it is a class, every item of exactly this class in the list carries the marker:
        one that does not carry it is not in the list. It becomes None for good as soon as one
        of the items is marked by another list.
    """

    __slots__ = ("kind",)

    def __init__(self, kind: type[Any] | None) -> None:
        self.kind = kind


# Of all lists that know their items by their identities. No object ever carries it.
NO_MARKER = Marker(None)


def new_marker(classes: tuple[type[Any], ...], parent: Any) -> Marker:
    """Return what an empty list marks its items with: data objects of one class, or nothing."""
    kind: Any = classes[0]
    above: Any = type(parent)
    marked = hasattr(kind, "_marker") and parent_attribute(kind, above) == "segment"
    return Marker(kind) if marked and len(classes) == 1 else NO_MARKER
