"""Containers of entities: in the order of creation, by index, name or id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import index as as_index
from typing import Any, Generic, TypeVar, overload

from ephyrus.nix import storage
from ephyrus.nix.entity import Entity, NamedEntity
from ephyrus.nix.store import Links
from ephyrus.nix.util import is_uuid

__all__ = ["Container", "LinkContainer"]

E = TypeVar("E", bound=Entity)


class Container(Generic[E]):
    """The entities of one kind that an entity owns.

    Parameters
    ----------
    owner : Entity or File
        To whom they belong.
    key : bytes
        Name of the group in the file.
    kind : type
        Class of the entities.
    delete : callable
        Removes an entity, with all references to it.
    """

    def __init__(
        self, owner: Any, key: bytes, kind: type[E], delete: Callable[[E], None] | None = None
    ) -> None:
        self._owner = owner
        self._key = key
        self._kind = kind
        self._delete = delete

    # --- the links ---

    def _links(self) -> Links | None:
        found: Links | None = self._owner._child_links(self._key)
        return found

    def _wrap(self, links: Links, link: str, gid: Any = None) -> E:
        """Make the handle of what a link leads to; the link has the name of the entity."""
        made = self._kind(self._owner, links, link, gid=gid, name=link)
        if gid is not None:
            made._checked(gid)
        return made

    def _find(self, key: str) -> tuple[Links, str, Any] | None:
        """Find an entity by name or id: its link, open."""
        links = self._links()
        if links is None or not key:
            return None
        gid = storage.open_child(links.gid, storage.encode(key)) if "/" not in key else None
        if gid is not None:
            return links, key, gid
        link = self._link_of_id(links, key)
        return None if link is None else (links, link, links.open(link))

    def _link_of_id(self, links: Links, key: str) -> str | None:
        return links.id_link(key) if is_uuid(key) else None

    # --- sequence ---

    def __len__(self) -> int:
        links = self._links()
        return 0 if links is None else len(links)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[E]:
        links = self._links()
        if links is not None:
            for link in list(links.names):
                yield self._wrap(links, link)

    @overload
    def __getitem__(self, key: slice) -> list[E]: ...
    @overload
    def __getitem__(self, key: int | str) -> E: ...
    def __getitem__(self, key: Any) -> E | list[E]:
        if isinstance(key, str):
            found = self._find(key)
            if found is None:
                raise KeyError(
                    f"no {self._kind._words} with the name or id {key!r} in {self._place}"
                )
            return self._wrap(*found)
        links = self._links()
        if isinstance(key, slice):
            return [] if links is None else [self._wrap(links, link) for link in links.order[key]]
        position, count = _position(key, self._kind), 0 if links is None else len(links)
        link = None
        if links is not None and -count <= position < count:
            link = links.name_at(position % count)
        if links is None or link is None:
            raise IndexError(
                f"no {self._kind._words} {position} in {self._place}: there are {count}"
            )
        return self._wrap(links, link, links.open(link))

    @property
    def _place(self) -> str:
        owner = self._owner
        return f"{owner._words} {owner.name!r}" if isinstance(owner, NamedEntity) else str(owner)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str):
            return self._find(key) is not None
        entity = self._same_kind(key)
        found = self._find(self._link_name(entity))
        return found is not None and _id_of(found[2]) == entity.id

    def _link_name(self, entity: E) -> str:
        """Give the name of the link to an entity, if it is here."""
        return entity.name if isinstance(entity, NamedEntity) else entity.id

    def _same_kind(self, key: object) -> E:
        if not isinstance(key, self._kind):
            raise TypeError(
                f"this container has {self._kind.__name__} entities; expected one, its name or "
                f"its id, got {type(key).__name__}"
            )
        return key

    def items(self) -> Iterator[tuple[str, E]]:
        """Give the pairs of id and entity."""
        for entity in self:
            yield entity.id, entity

    def __str__(self) -> str:
        return "[" + ", ".join(map(str, self)) + "]"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Container):
            return NotImplemented
        return [each.id for each in self] == [each.id for each in other]

    __hash__ = None  # type: ignore[assignment]  # compares its content, which changes

    # --- removal ---

    def _entity(self, key: Any) -> E:
        """Give the entity for an index, name, id or entity of this container."""
        if isinstance(key, Entity):
            entity = self._same_kind(key)
            if entity not in self:
                raise KeyError(f"{entity} is not in {self._place}")
            key = self._link_name(entity)
        found: E = self[key]
        return found

    def __delitem__(self, key: Any) -> None:
        self._owner._store.check_writable()
        if isinstance(key, slice):
            doomed = self[key]
        else:
            doomed = [self._entity(key)]
        for entity in doomed:
            if self._delete is None:
                self._remove_link(entity)
            else:
                self._delete(entity)

    def _remove_link(self, entity: E) -> None:
        links = entity._links
        if links is not None:
            links.unlink(entity._link, entity.id)


class LinkContainer(Container[E]):
    """References to entities that belong to the block; deleting one removes the reference only.

    Parameters
    ----------
    owner : Entity
        Who refers to them.
    key : bytes
        Name of the group in the file.
    kind : type
        Class of the entities.
    lookup : callable
        Finds an entity of the block: given an id or a name, gives the entity or None.
    parent : callable
        Gives the owner of an entity that is found here (the block).
    """

    def __init__(
        self,
        owner: Any,
        key: bytes,
        kind: type[E],
        lookup: Callable[[str], E | None],
        parent: Callable[[], Any],
    ) -> None:
        super().__init__(owner, key, kind)
        self._lookup = lookup
        self._entity_parent = parent

    def _wrap(self, links: Links, link: str, gid: Any = None) -> E:
        """Make the handle of what a link leads to; the link has the id as its name."""
        made = self._kind(self._entity_parent(), links, link, gid=gid, entity_id=link)
        if gid is not None:
            made._checked(gid)
        return made

    def _link_of_id(self, links: Links, key: str) -> str | None:
        """Find a link by the name of the entity."""
        for link in links.names:
            if storage.text_of(links.gid, b"name", obj_name=storage.encode(link)) == key:
                return link
        return None

    def _link_name(self, entity: E) -> str:
        return entity.id

    def append(self, item: E | str) -> None:
        """Refer to an entity of the block; a second time changes nothing.

        Parameters
        ----------
        item : Entity or str
            The entity, or its id or name.

        Raises
        ------
        TypeError
            If it is no entity of this kind.
        KeyError
            If the block has none with this id or name.
        RuntimeError
            If it is in another block or file.
        """
        self._owner._store.check_writable()
        entity = self._known(item)
        links = self._owner._made_links(self._key)
        if entity.id not in links:
            links.link(entity.id, entity._gid)
            self._owner._changing()

    def _known(self, item: E | str) -> E:
        """Give the entity of the block that is to be referred to."""
        if isinstance(item, str):
            found = self._lookup(item)
            if found is None:
                raise KeyError(f"no {self._kind._words} with the name or id {item!r} in the block")
            return found
        entity = self._same_kind(item)
        if entity._store is self._owner._store:
            # By name first: that needs no index of ids.
            for key in (self._name_of(entity), entity.id):
                found = self._lookup(key)
                if found is not None and _same_object(found, entity):
                    return entity
        raise RuntimeError(
            f"{self._kind._words} {entity} does not belong to the block of {self._place}; "
            "only entities of one block can refer to each other"
        )

    @staticmethod
    def _name_of(entity: Entity) -> str:
        return entity.name if isinstance(entity, NamedEntity) else entity.id

    def extend(self, items: Iterable[E | str]) -> None:
        """Refer to several entities, as :meth:`append`; if one cannot be, none is."""
        entities = [self._known(item) for item in items]
        for entity in entities:
            self.append(entity)


def _position(key: Any, kind: type[Entity]) -> int:
    try:
        return as_index(key)
    except TypeError:
        raise TypeError(
            f"a {kind._words} is found by index, name or id, not by {type(key).__name__}"
        ) from None


def _id_of(gid: Any) -> str | None:
    return storage.text_of(gid, b"entity_id")


def _same_object(one: Entity, other: Entity) -> bool:
    return storage.address_of(one._gid) == storage.address_of(other._gid)
