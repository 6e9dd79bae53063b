"""Finding entities in trees, and whom a section or a source is referred to by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ephyrus.nix import storage

if TYPE_CHECKING:
    from ephyrus.nix.block import Block
    from ephyrus.nix.entity import Entity
    from ephyrus.nix.file import File
    from ephyrus.nix.section import Section
    from ephyrus.nix.source import Source

__all__ = [
    "all_sections",
    "all_sources",
    "breadth_first",
    "entities_with_metadata",
    "entities_with_sources",
    "everything",
    "linking_to",
    "parent_of_section",
]

T = TypeVar("T")
_KINDS = ("groups", "data_arrays", "data_frames", "tags", "multi_tags")


def everything(_: Any) -> bool:
    """Accept every entity: the default filter."""
    return True


def breadth_first(
    roots: Iterable[T],
    children: Callable[[T], Iterable[T]],
    filtr: Callable[[T], bool],
    limit: int | None,
    level: int,
) -> list[T]:
    """List the entities of a tree, level by level.

    Parameters
    ----------
    roots : iterable
        The first level.
    children : callable
        Gives the next level below an entity.
    filtr : callable
        Which entities to list.
    limit : int or None
        The last level; None for all.
    level : int
        Number of the first level, which is always looked at.
    """
    found: list[T] = []
    waiting = deque((root, level) for root in roots)
    while waiting:
        entity, depth = waiting.popleft()
        if filtr(entity):
            found.append(entity)
        if limit is None or depth < limit:
            waiting.extend((child, depth + 1) for child in children(entity))
    return found


def all_sections(file: File) -> Iterator[Section]:
    """Walk all sections of a file."""
    waiting: deque[Section] = deque(file.sections)
    while waiting:
        section = waiting.popleft()
        yield section
        waiting.extend(section.sections)


def all_sources(block: Block) -> Iterator[Source]:
    """Walk all sources of a block, at any depth."""
    waiting: deque[Source] = deque(block.sources)
    while waiting:
        source = waiting.popleft()
        yield source
        waiting.extend(source.sources)


def parent_of_section(section: Section) -> Any:
    """Find the section (or the file) that owns a section, which was reached by a link."""
    address = storage.address_of(section._gid)
    key = storage.encode(section.name)
    file = section._file
    owners: list[File | Section] = [file, *all_sections(file)]
    for owner in owners:
        links = owner._child_links(owner._section_key)
        if links is not None and storage.child_address(links.gid, key) == address:
            return owner
    return None


def entities_with_sources(block: Block) -> Iterator[Any]:
    """Walk the entities of a block that may refer to sources."""
    for kind in _KINDS:
        yield from getattr(block, kind)


def entities_with_metadata(file: File) -> Iterator[Any]:
    """Walk all entities of a file that may refer to a section."""
    for block in file.blocks:
        yield block
        yield from entities_with_sources(block)
        yield from all_sources(block)


def linking_to(target: Entity, entities: Iterable[T], key: bytes) -> list[T]:
    """Choose the entities whose link `key` leads to `target`: the object, not one with its id."""
    address = storage.address_of(target._gid)
    return [each for each in entities if storage.child_address(_object(each), key) == address]


def referring_to_source(target: Source, entities: Iterable[T]) -> list[T]:
    """Choose the entities that refer to a source."""
    address, key = storage.address_of(target._gid), storage.encode(target.id)
    found = []
    for entity in entities:
        links = _links(entity, b"sources")
        if links is not None and storage.child_address(links.gid, key) == address:
            found.append(entity)
    return found


def _object(entity: Any) -> Any:
    return entity._gid


def _links(entity: Any, key: bytes) -> Any:
    return entity._child_links(key)
