"""Items of child lists that are not loaded yet."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Deferred", "LazyCascadeLoader"]


class LazyCascadeLoader(Protocol):
    """What makes the objects of deferred items, a reader for instance."""

    def load_lazy_cascade(self, address: Any, lazy: bool) -> Any:
        """Return the object that `address` stands for.

        Parameters
        ----------
        address : object
            What the reader put into the list.
        lazy : bool
            True for an object whose data stay in the file until they are asked for.
        """


class Deferred:
    """An item that is not loaded yet; once loaded, the one place that knows it."""

    __slots__ = ("address", "lazy", "loaded", "loader")

    def __init__(self, address: Any, loader: LazyCascadeLoader, lazy: bool) -> None:
        self.address = address
        self.loader = loader
        self.lazy = lazy
        # setdefault on a dict is atomic: two threads that load at once get one object
        self.loaded: dict[str, Any] = {}

    def load(self) -> Any:
        if "object" not in self.loaded:
            loaded = self.loader.load_lazy_cascade(self.address, self.lazy)
            return self.loaded.setdefault("object", loaded)
        return self.loaded["object"]
