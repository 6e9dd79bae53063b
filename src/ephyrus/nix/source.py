"""Sources: where data come from, as a tree (animal, slice, cell, ...)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ephyrus.nix import storage
from ephyrus.nix.containers import Container, LinkContainer
from ephyrus.nix.entity import EntityWithMetadata, checked_type, new_entity_attributes
from ephyrus.nix.exceptions import DuplicateName
from ephyrus.nix.finding import (
    all_sources,
    breadth_first,
    entities_with_sources,
    everything,
    referring_to_source,
)
from ephyrus.nix.removal import delete_source
from ephyrus.nix.store import Links
from ephyrus.nix.util import create_id, names

if TYPE_CHECKING:
    from ephyrus.nix.block import Block

__all__ = ["Source", "SourceLinks", "create_source"]


class Source(EntityWithMetadata):
    """Where data come from. Made by ``create_source`` of a block or of another source."""

    _words = "source"

    @property
    def sources(self) -> Container[Source]:
        """The sources below this one."""
        return Container(self, b"sources", Source, delete_source)

    def create_source(self, name: str, type_: str) -> Source:
        """Make a source below this one.

        Raises
        ------
        DuplicateName
            If the name is taken.
        ValueError
            If the name or type cannot be one.
        """
        return create_source(self, name, type_)

    def find_sources(
        self, filtr: Callable[[Source], bool] = everything, limit: int | None = None
    ) -> list[Source]:
        """List this source and those below it, level by level.

        Parameters
        ----------
        filtr : callable
            Tells of a source whether to list it.
        limit : int, optional
            How many levels to go down; 0 looks at this source only.
        """
        return breadth_first([self], lambda each: each.sources, filtr, limit, 0)

    @property
    def parent_block(self) -> Block:
        """The block of the source."""
        owner = self._parent
        while isinstance(owner, Source):
            owner = owner._parent
        block: Block = owner
        return block

    @property
    def parent_source(self) -> Source | None:
        """The source above; None if it belongs to the block directly."""
        owner = self._owner()
        return owner if isinstance(owner, Source) else None

    def _owner(self) -> Any:
        """Give the source or block that owns this one, however this handle was reached."""
        if self._links is None or self._link != self.name:
            block = self.parent_block
            address, key = storage.address_of(self._gid), storage.encode(self.name)
            for owner in (block, *all_sources(block)):
                links = owner._child_links(b"sources")
                if links is not None and storage.child_address(links.gid, key) == address:
                    self._parent, self._links, self._link = owner, links, self.name
                    break
        return self._parent

    def _home(self) -> Links:
        self._owner()
        return super()._home()

    @property
    def referring_objects(self) -> list[Any]:
        """All entities of the block that refer to this source."""
        return referring_to_source(self, entities_with_sources(self.parent_block))

    @property
    def referring_data_arrays(self) -> list[Any]:
        """The data arrays that refer to this source."""
        return referring_to_source(self, self.parent_block.data_arrays)

    @property
    def referring_tags(self) -> list[Any]:
        """The tags that refer to this source."""
        return referring_to_source(self, self.parent_block.tags)

    @property
    def referring_multi_tags(self) -> list[Any]:
        """The multi tags that refer to this source."""
        return referring_to_source(self, self.parent_block.multi_tags)


class SourceLinks(LinkContainer[Source]):
    """The sources to which an entity of a block refers, at any depth of the block's tree."""

    def __init__(self, owner: Any) -> None:
        super().__init__(owner, b"sources", Source, self._in_block, lambda: owner._parent)

    def _in_block(self, key: str) -> Source | None:
        for source in all_sources(self._owner._parent):
            if key in (source.id, source.name):
                return source
        return None

    def _known(self, item: Source | str) -> Source:
        """Give the source; its chain of owners tells the block without a search."""
        if isinstance(item, Source) and item._store is self._owner._store:
            block = item.parent_block
            if storage.address_of(block._gid) == storage.address_of(self._owner._parent._gid):
                return item
        return super()._known(item)


def create_source(owner: Block | Source, name: str, type_: str) -> Source:
    """Make a source in a block or below another source."""
    names.checked(name, "source")
    checked_type(type_, "source")
    store = owner._store
    store.check_writable()
    links = owner._made_links(b"sources")
    if name in links:
        raise DuplicateName(f"there is already a source named {name!r}")
    entity_id = create_id()
    with links.creating(name, entity_id) as gid:
        new_entity_attributes(gid, store, name, type_, entity_id)
    return Source(owner, links, name, gid=gid, name=name, entity_id=entity_id)._is_new()
