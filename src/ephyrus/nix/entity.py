"""What all entities have: name, id, type, definition, times, and metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from h5py import h5g

from ephyrus.nix import storage
from ephyrus.nix.exceptions import DuplicateName, InvalidAttrType, InvalidEntity
from ephyrus.nix.store import Links, Store, child_links, made_links
from ephyrus.nix.util import create_id, is_uuid, names, str_to_time, time_to_str

if TYPE_CHECKING:
    from ephyrus.nix.file import File
    from ephyrus.nix.section import Section

__all__ = ["Entity", "EntityWithMetadata", "NamedEntity", "stamp_new"]


def stamp_new(gid: Any, store: Store, entity_id: str) -> None:
    """Write the id and the times of a new object."""
    storage.put_text(gid, b"entity_id", entity_id)
    now = store.now()
    storage.put_text(gid, b"created_at", now)
    storage.put_text(gid, b"updated_at", now)


def stored_time(gid: Any, name: bytes) -> int | None:
    """Give a time in whole POSIX seconds; None where there is none, or none that is a time."""
    value = storage.attribute_of(gid, name)
    if isinstance(value, int):
        return value
    try:
        return str_to_time(value)
    except (TypeError, ValueError, AttributeError):
        return None


class Entity:
    """An object of a NIX file that has an id and times.

    Entities are handles: they read from the file when they are asked, and hold nothing but their
    name and id. Two are equal if their ids are.
    """

    _words: ClassVar[str] = "entity"

    def __init__(
        self,
        parent: Any,
        links: Links | None,
        link: str,
        *,
        gid: Any = None,
        name: str | None = None,
        entity_id: str | None = None,
    ) -> None:
        self._parent = parent
        self._file: File = parent._file
        self._store: Store = parent._store
        self._links = links
        self._link = link
        self._object = gid
        self._name = name
        self._renames = self._store.renames
        self._id = entity_id
        self._children: dict[bytes, Links] = {}
        self._stamp = ""  # the time of the update, as far as this handle wrote it

    # --- the object in the file ---

    @property
    def _gid(self) -> Any:
        """The object of HDF5, opened when it is first needed."""
        store = self._store
        if not store.is_open:
            store.check_open()
        if self._object is None:
            self._object = self._opened()
        return self._object

    def _opened(self) -> Any:
        if self._links is None:
            raise InvalidEntity(f"{self._store.path}: {self._link!r} leads nowhere")
        try:
            found = self._links.open(self._link)
        except KeyError:
            raise InvalidEntity(
                f"{self._store.path}: the {self._words} {self._link!r} was deleted or renamed"
            ) from None
        return self._checked(found)

    def _checked(self, found: Any) -> Any:
        """Refuse an object that is no group."""
        if not isinstance(found, h5g.GroupID):
            raise InvalidEntity(
                f"{self._store.path}: {self._link!r} should be a {self._words} but is no group"
            )
        return found

    def _child_links(self, key: bytes) -> Links | None:
        """Give the links of a container of this entity; None if it is not there."""
        found = self._children.get(key)
        if found is None:
            made = child_links(self._store, self._gid, key)
            if made is None:
                return None
            found = self._children[key] = made
        elif not self._store.is_open:
            self._store.check_open()
        return found

    def _made_links(self, key: bytes) -> Links:
        """Give the links of a container of this entity, which is made if need be."""
        found = self._children.get(key)
        if found is None:
            is_new = bool(self._stamp) and not self._children
            found = made_links(self._store, self._gid, key, is_new=is_new)
            self._children[key] = found
        return found

    def _changing(self) -> Any:
        """Give the object for a change; writes the time of the update, at most once a second."""
        store = self._store
        store.check_writable()
        gid = self._gid
        if store.stamps:
            now = store.now()
            if now != self._stamp:
                storage.replace_text(gid, b"updated_at", now)
                self._stamp = now
        return gid

    def _is_new(self) -> Self:
        """Note that the entity was just made: its time is that of the update."""
        self._stamp = self._store.now()
        return self

    def _get_text(self, name: bytes) -> str | None:
        return storage.text_of(self._gid, name)

    def _set_text(self, name: bytes, value: Any, what: str) -> None:
        """Write an attribute of text; None removes it."""
        if value is not None and not isinstance(value, str):
            raise InvalidAttrType(f"the {what} as text or None", value)
        gid = self._changing()
        if value is None:
            storage.remove_attribute(gid, name)
        else:
            storage.replace_text(gid, name, value)

    def _get_number(self, name: bytes) -> float | None:
        value = storage.attribute_of(self._gid, name)
        if value is None or isinstance(value, str):
            return None
        return float(value.ravel()[0]) if hasattr(value, "ravel") else float(value)

    def _set_number(self, name: bytes, value: Any, what: str) -> None:
        """Write an attribute that is a float64; None removes it."""
        number = None if value is None else as_number(value, what)
        gid = self._changing()
        if number is None:
            storage.remove_attribute(gid, name)
        else:
            storage.put_number(gid, name, number)

    # --- what everybody sees ---

    @property
    def file(self) -> File:
        """The file in which the entity is."""
        self._store.check_open()
        return self._file

    @property
    def id(self) -> str:
        """UUID of the entity."""
        store = self._store
        if not store.is_open:
            store.check_open()
        if self._id is None:
            self._id = storage.text_of(self._gid, b"entity_id") or ""
        return self._id

    @property
    def created_at(self) -> int:
        """Time of creation in whole POSIX seconds; 0 where the file has none."""
        return stored_time(self._gid, b"created_at") or 0

    @property
    def updated_at(self) -> int:
        """Time of the last change in whole POSIX seconds; 0 where the file has none."""
        return stored_time(self._gid, b"updated_at") or 0

    def force_created_at(self, t: int | None = None) -> None:
        """Set the time of creation.

        Parameters
        ----------
        t : int, optional
            POSIX seconds; default now.

        Raises
        ------
        InvalidAttrType
            If it is no integer.
        """
        self._force_time(b"created_at", t)

    def force_updated_at(self, t: int | None = None) -> None:
        """Set the time of the last change, as :meth:`force_created_at`."""
        self._force_time(b"updated_at", t)

    def _force_time(self, name: bytes, seconds: int | None) -> None:
        text = forced_time(self._store, seconds)
        self._store.check_writable()
        storage.replace_text(self._gid, name, text)
        if name == b"updated_at":
            self._stamp = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entity) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return f"{type(self).__name__}: {{id = {self.id}}}"

    def __repr__(self) -> str:
        if not self._store.is_open:
            return f"<{type(self).__name__} of a closed file>"
        return str(self)


def forced_time(store: Store, seconds: Any) -> str:
    """Give the text of a time that the user sets."""
    if seconds is None:
        return store.now()
    if isinstance(seconds, bool) or not hasattr(seconds, "__index__"):
        raise InvalidAttrType("whole POSIX seconds or None", seconds)
    return time_to_str(int(seconds))


def as_number(value: Any, what: str) -> float:
    """Give a number as float.

    Raises
    ------
    InvalidAttrType
        If it is none.
    """
    if isinstance(value, str | bytes | bool):
        raise InvalidAttrType(f"the {what} as a number or None", value)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidAttrType(f"the {what} as a number or None", value) from None


class NamedEntity(Entity):
    """An entity with a name, a type and a definition."""

    @property
    def name(self) -> str:
        """Name, unique in the container; see :meth:`rename`."""
        store = self._store
        if not store.is_open:
            store.check_open()
        if self._name is None or self._renames != store.renames:
            self._name = self._get_text(b"name") or self._link
            self._renames = store.renames
        return self._name

    def rename(self, name: str) -> None:
        """Give the entity another name; id, content and links to it stay.

        HDF5 orders by the making of links, so the entity comes last in its container afterwards.

        Raises
        ------
        DuplicateName
            If the name is taken.
        ValueError
            If it cannot be a name.
        """
        names.checked(name, self._words)
        old = self.name
        if name == old:
            return
        home = self._home()
        if name in home:
            raise DuplicateName(f"there is already a {self._words} named {name!r}")
        gid = self._changing()
        home.move(old, name)
        storage.replace_text(gid, b"name", name)
        self._store.renames += 1
        if self._links is home:
            self._link = name

    def _home(self) -> Links:
        """Give the container in which the entity has its name."""
        if self._links is None:
            raise InvalidEntity(f"{self._words} {self.name!r}: its container is not known")
        return self._links

    @property
    def type(self) -> str:
        """Type: a text that tells what the entity means."""
        return self._get_text(b"type") or ""

    @type.setter
    def type(self, value: str) -> None:
        if value is None:
            raise AttributeError(f"the type of a {self._words} cannot be removed")
        self._set_text(b"type", value, "type")

    @property
    def definition(self) -> str | None:
        """Text that explains the entity; None removes it."""
        return self._get_text(b"definition")

    @definition.setter
    def definition(self, value: str | None) -> None:
        self._set_text(b"definition", value, "definition")

    @definition.deleter
    def definition(self) -> None:
        self._set_text(b"definition", None, "definition")

    def __str__(self) -> str:
        return f"{type(self).__name__}: {{name = {self.name}, type = {self.type}}}"


class EntityWithMetadata(NamedEntity):
    """An entity that may refer to a section of metadata."""

    @property
    def metadata(self) -> Section | None:
        """Section with the metadata of the entity; None removes the reference, nothing else."""
        from ephyrus.nix.section import section_at

        return section_at(self, b"metadata")

    @metadata.setter
    def metadata(self, value: Section | None) -> None:
        from ephyrus.nix.section import link_section

        link_section(self, b"metadata", value)

    @metadata.deleter
    def metadata(self) -> None:
        self.metadata = None


def new_entity_attributes(
    gid: Any, store: Store, name: str, type_: str, entity_id: str | None = None
) -> str:
    """Write name, type, id and times of a new entity; gives the id."""
    made = create_id() if entity_id is None else entity_id
    storage.put_text(gid, b"name", name)
    storage.put_text(gid, b"type", type_)
    stamp_new(gid, store, made)
    return made


def checked_type(value: Any, what: str) -> str:
    """Give the type of a new entity.

    Raises
    ------
    ValueError
        If it is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"the type of a {what} must be a text that is not empty, got {value!r}")
    return value


def checked_id(value: Any) -> str | None:
    """Give the id that a user wants for a new entity.

    Raises
    ------
    ValueError
        If it is no UUID.
    """
    if value is not None and not is_uuid(value):
        raise ValueError(f"an id must be a UUID, got {value!r}")
    return None if value is None else str(value)
