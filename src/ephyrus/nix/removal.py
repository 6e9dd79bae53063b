"""Deleting entities with all references to them.

References are hard links, so HDF5 counts them: where none is left, nothing is searched. Otherwise
the places where a link to this kind of entity can be are looked at until all are found. What is
removed is told by the object itself, not by its id: a copy may have the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ephyrus.nix import storage
from ephyrus.nix.finding import all_sections, entities_with_metadata, entities_with_sources

if TYPE_CHECKING:
    from ephyrus.nix.block import Block
    from ephyrus.nix.entity import Entity
    from ephyrus.nix.section import Section
    from ephyrus.nix.source import Source
    from ephyrus.nix.store import Links

__all__ = [
    "delete_data",
    "delete_member",
    "delete_plain",
    "delete_section",
    "delete_source",
]

Place = tuple[Any, bytes]  # an open group, and the name of a link in it that may lead to the entity


class _Hunt:
    """The objects to be deleted, and how many links to each are still to be found."""

    def __init__(self, entities: Iterable[Entity]) -> None:
        self._left = {}
        for entity in entities:
            gid = entity._gid
            self._left[storage.address_of(gid)] = storage.link_count(gid) - 1

    def is_over(self) -> bool:
        return all(count <= 0 for count in self._left.values())

    def cut(self, entity: Entity, places: Iterable[Place]) -> None:
        """Remove the links to the doomed objects until none is left but the home links."""
        if self.is_over():
            return
        for gid, name in places:
            address = storage.child_address(gid, name)
            if address not in self._left:
                continue
            entity._store.links_of(gid).unlink(storage.decode(name))
            self._left[address] -= 1
            if self.is_over():
                return


def _unlink_home(entity: Any) -> None:
    """Remove the link by which an entity belongs to its owner."""
    links: Links = entity._home()
    links.unlink(entity.name, entity.id)
    entity._store.edits += 1


def delete_plain(entity: Any) -> None:
    """Delete an entity to which nothing refers: a block or a group."""
    _unlink_home(entity)


def _ids(entities: Iterable[Entity]) -> list[bytes]:
    return [storage.encode(entity.id) for entity in entities]


def _in_containers(owners: Iterable[Any], key: bytes, ids: list[bytes]) -> Iterator[Place]:
    """Give the places of link containers, where the links are named by ids."""
    for owner in owners:
        links = owner._child_links(key)
        if links is not None:
            yield from ((links.gid, each) for each in ids)


def delete_member(entity: Any) -> None:
    """Delete a tag or multi tag, and take it out of the groups."""
    key = b"tags" if entity._words == "tag" else b"multi_tags"
    hunt = _Hunt([entity])
    hunt.cut(entity, _in_containers(entity._parent.groups, key, _ids([entity])))
    _unlink_home(entity)


def delete_data(entity: Any) -> None:
    """Delete a data array or data frame, and all references to it in its block."""
    hunt = _Hunt([entity])
    hunt.cut(entity, _places_of_data(entity))
    _unlink_home(entity)


def _places_of_data(entity: Any) -> Iterator[Place]:
    """Give the places in a block from which data may be referred to, the quick ones first."""
    block: Block = entity._parent
    ids = _ids([entity])
    if entity._words == "data array":
        yield from _in_dimensions([entity], ids[0])
    for key in (b"data_arrays", b"data_frames", b"data_frame"):
        yield from _in_containers(block.groups, key, ids)
    for tags in (block.tags, block.multi_tags):
        for tag in tags:
            yield from ((tag._gid, name) for name in (b"positions", b"extents"))
            yield from _in_containers([tag], b"references", ids)
            yield from _in_features(tag)
    yield from _in_dimensions(block.data_arrays, ids[0])


def _in_features(tag: Any) -> Iterator[Place]:
    links = tag._child_links(b"features")
    if links is not None:
        for name in list(links.names):
            yield links.open(name), b"data"


def _in_dimensions(arrays: Iterable[Any], entity_id: bytes) -> Iterator[Place]:
    """Give the places of dimension links, and those of the older alias and frame dimensions."""
    for array in arrays:
        links = array._child_links(b"dimensions")
        for name in () if links is None else list(links.names):
            gid = links.open(name)
            linked = storage.group_child(gid, b"link")
            if linked is not None:
                yield linked, entity_id
            yield gid, entity_id
            yield gid, b"data_frame"


def _tree(root: Any, kind: str) -> list[Any]:
    """List an entity and all of its kind below it."""
    found = [root]
    for each in found:
        found.extend(getattr(each, kind))
    return found


def delete_source(source: Source) -> None:
    """Delete a source and those below it, and all references to them."""
    doomed = _tree(source, "sources")
    hunt = _Hunt(doomed)
    owners = entities_with_sources(source.parent_block)
    hunt.cut(source, _in_containers(owners, b"sources", _ids(doomed)))
    _unlink_home(source)


def delete_section(section: Section) -> None:
    """Delete a section and those below it, and all references to them."""
    hunt = _Hunt(_tree(section, "sections"))
    hunt.cut(section, ((each._gid, b"link") for each in all_sections(section._file)))
    places = ((each._gid, b"metadata") for each in entities_with_metadata(section._file))
    hunt.cut(section, places)
    _unlink_home(section)
