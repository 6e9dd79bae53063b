"""Objects that wait to be created together, and name one another before they have ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ephyrus.client.sync import Client

__all__ = ["NewObject", "Waiting"]

OBJECTS_AT_ONCE = 1000  # that are created by one request
BYTES_AT_ONCE = 2**20  # of its body


@dataclass(slots=True, eq=False)
class NewObject:
    """An object that has been created, or will be with the next request.

    Attributes
    ----------
    name : str
        How others name it: ``#`` and a number, its id once it has one.
    permalink : str
        Path of the object, once it was created.
    """

    name: str
    permalink: str = ""


@dataclass(slots=True)
class Waiting:
    """Objects on their way to a service.

    Attributes
    ----------
    client : Client
        How the service is reached.
    """

    client: Client
    _items: list[tuple[NewObject, str, dict[str, Any]]] = field(default_factory=list)
    _bytes: int = 0
    _count: int = 0

    def add(self, type_name: str, **values: Any) -> NewObject:
        """Let an object be created; values may be other such objects."""
        size = len(json.dumps(values, default=_name))
        if len(self._items) >= OBJECTS_AT_ONCE or self._bytes + size > BYTES_AT_ONCE:
            self.flush()
        self._count += 1
        self._bytes += size
        new = NewObject(f"#{self._count}")
        self._items.append((new, type_name, values))
        return new

    def flush(self) -> None:
        """Create all that wait.

        Raises
        ------
        RemoteError
            If the service refuses one: none is created then.
        """
        if not self._items:
            return
        sent = [
            {"model": type_name, "id": new.name, "fields": _named(values)}
            for new, type_name, values in self._items
        ]
        made = self.client.run(self.client.flows.create_many(sent))
        for (new, _, _), found in zip(self._items, made, strict=True):
            new.name, new.permalink = found.id, found.permalink
        self._items, self._bytes = [], 0


def _name(value: Any) -> str:
    """Give the name of an object where JSON asks for what it does not know."""
    if isinstance(value, NewObject):
        return value.name
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give values with the names of objects in their places."""
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.name if isinstance(value, NewObject) else value
