"""Groups: entities of a block that belong together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ephyrus.nix.base_tag import find_in
from ephyrus.nix.containers import LinkContainer
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.data_frame import DataFrame
from ephyrus.nix.entity import EntityWithMetadata
from ephyrus.nix.multi_tag import MultiTag
from ephyrus.nix.source import SourceLinks
from ephyrus.nix.store import Links
from ephyrus.nix.tag import Tag

__all__ = ["Group"]


class Group(EntityWithMetadata):
    """Entities of a block that belong together. Made by :meth:`Block.create_group`."""

    _words = "group"

    def _members(self, key: str, kind: Any) -> Any:
        block = self._parent
        lookup: Callable[[str], Any] = lambda name: find_in(getattr(block, key), name)  # noqa: E731
        return LinkContainer(self, key.encode(), kind, lookup, lambda: block)

    @property
    def data_arrays(self) -> LinkContainer[DataArray]:
        """The data arrays of the group."""
        members: LinkContainer[DataArray] = self._members("data_arrays", DataArray)
        return members

    @property
    def data_frames(self) -> LinkContainer[DataFrame]:
        """The data frames of the group."""
        members: LinkContainer[DataFrame] = self._members("data_frames", DataFrame)
        return members

    @property
    def tags(self) -> LinkContainer[Tag]:
        """The tags of the group."""
        members: LinkContainer[Tag] = self._members("tags", Tag)
        return members

    @property
    def multi_tags(self) -> LinkContainer[MultiTag]:
        """The multi tags of the group."""
        members: LinkContainer[MultiTag] = self._members("multi_tags", MultiTag)
        return members

    @property
    def sources(self) -> SourceLinks:
        """Where the members come from."""
        return SourceLinks(self)

    def _child_links(self, key: bytes) -> Links | None:
        """Give the links of a container; the C++ library has ``data_frame`` for the data frames."""
        found = super()._child_links(key)
        if found is None and key == b"data_frames":
            return super()._child_links(b"data_frame")
        return found

    def _made_links(self, key: bytes) -> Links:
        """Give the links of a container; what the C++ library made is taken over."""
        if key == b"data_frames" and super()._child_links(key) is None:
            old = super()._child_links(b"data_frame")
            if old is not None:
                self._store.links_of(self._gid).move("data_frame", "data_frames")
                self._children.clear()
        return super()._made_links(key)
