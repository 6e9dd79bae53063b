"""Sections: the tree of metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ephyrus.nix import storage
from ephyrus.nix.containers import Container
from ephyrus.nix.copying import copy_property, copy_section
from ephyrus.nix.entity import (
    Entity,
    NamedEntity,
    checked_id,
    checked_type,
    new_entity_attributes,
)
from ephyrus.nix.exceptions import DuplicateName
from ephyrus.nix.finding import (
    all_sections,
    all_sources,
    breadth_first,
    entities_with_metadata,
    everything,
    linking_to,
    parent_of_section,
)
from ephyrus.nix.printing import cut, emit
from ephyrus.nix.property import Property, PropertyContainer, create_property
from ephyrus.nix.removal import delete_section
from ephyrus.nix.store import Links
from ephyrus.nix.util import create_id, names

if TYPE_CHECKING:
    from ephyrus.nix.file import File

__all__ = ["S", "Section", "create_section", "link_section", "section_at"]

SectionFilter = Callable[["Section"], bool]


class S:
    """A section to be made by ``section["name"] = S("type")``; filled then, it passes all through.

    Parameters
    ----------
    section_type : str
        Type of the section to be made.
    section : Section, optional
        The section, once it is made.
    """

    section_type: str
    section: Section | None

    def __init__(self, section_type: str, section: Section | None = None) -> None:
        object.__setattr__(self, "section_type", section_type)
        object.__setattr__(self, "section", section)

    def _made(self) -> Section:
        if self.section is None:
            raise AttributeError("this S was not yet assigned: parent['name'] = S('type') makes it")
        return self.section

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("section", "section_type"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._made(), name, value)

    def __getitem__(self, key: str) -> Any:
        return self._made()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._made()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._made()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._made()

    def __len__(self) -> int:
        return len(self._made())

    def __iter__(self) -> Iterator[Property | Section]:
        return iter(self._made())


class Section(NamedEntity):
    """A node of the tree of metadata: properties, sub-sections, and links to other sections.

    It works as a dictionary: ``section["key"] = value`` makes or changes a property,
    ``section["key"]`` is its value (a list where there are several), or the sub-section of that
    name. Iterating gives the properties, then the sub-sections; `len` counts the properties.
    """

    _words = "section"
    _section_key = b"sections"

    @property
    def sections(self) -> Container[Section]:
        """The sub-sections."""
        return Container(self, b"sections", Section, delete_section)

    @property
    def props(self) -> Container[Property]:
        """The properties."""
        return PropertyContainer(self)

    # --- making ---

    def create_section(
        self, name: str, type_: str = "undefined", oid: str | None = None
    ) -> Section:
        """Make a sub-section.

        Parameters
        ----------
        name : str
            Unique among the sub-sections.
        type_ : str
            What it describes.
        oid : str, optional
            UUID to use as its id.

        Raises
        ------
        DuplicateName
            If the name is taken.
        ValueError
            If the name, type or id cannot be one.
        """
        return create_section(self, name, type_, oid)

    def create_property(
        self,
        name: str = "",
        values_or_dtype: Any = 0,
        oid: str | None = None,
        copy_from: Property | None = None,
        keep_copy_id: bool = True,
    ) -> Property:
        """Make a property.

        Parameters
        ----------
        name : str
            Unique among the properties.
        values_or_dtype : scalar, list, ndarray or type
            Its values, all of one type; or the type of a property without values.
        oid : str, optional
            UUID to use as its id.
        copy_from : Property, optional
            Copy this one, under its own name unless `name` is given.
        keep_copy_id : bool
            Whether the copy has the id of the original.

        Raises
        ------
        DuplicateName
            If the name is taken.
        TypeError
            If values are missing, of several types, or of a type that a property cannot have.
        """
        if copy_from is not None:
            return copy_property(self, copy_from, name, keep_id=keep_copy_id)
        return create_property(self, name, values_or_dtype, oid)

    def copy_section(
        self, obj: Section, children: bool = True, keep_id: bool = True, name: str = ""
    ) -> Section:
        """Copy a section into this one.

        Parameters
        ----------
        obj : Section
            Of this or another file.
        children : bool
            Whether its sub-sections are copied too.
        keep_id : bool
            Whether the copies have the ids of the originals.
        name : str, optional
            Name of the copy.

        Raises
        ------
        TypeError
            If `obj` is no section.
        DuplicateName
            A NameError: the name is taken.
        """
        return copy_section(self, obj, children=children, keep_id=keep_id, name=name)

    # --- attributes ---

    @property
    def repository(self) -> str | None:
        """Address of the terminology that the section follows; None removes it."""
        return self._get_text(b"repository")

    @repository.setter
    def repository(self, value: str | None) -> None:
        self._set_text(b"repository", value, "repository")

    @property
    def reference(self) -> str | None:
        """Where else this is described; None removes it."""
        return self._get_text(b"reference")

    @reference.setter
    def reference(self, value: str | None) -> None:
        self._set_text(b"reference", value, "reference")

    @property
    def parent(self) -> Section | None:
        """The section above; None at the root."""
        owner = self._owner()
        return owner if isinstance(owner, Section) else None

    def _owner(self) -> Any:
        """Give the section or the file that owns this one, however this handle was reached."""
        if self._links is None:
            self._parent = parent_of_section(self)
            links = self._parent._child_links(self._parent._section_key)
            self._links, self._link = links, self.name
        return self._parent

    def _home(self) -> Links:
        self._owner()
        return super()._home()

    @property
    def link(self) -> Section | None:
        """Another section whose properties this one has too; set a section, an id, or None."""
        return section_at(self, b"link")

    @link.setter
    def link(self, value: Section | str | None) -> None:
        link_section(self, b"link", value)

    def inherited_properties(self) -> list[Property]:
        """Give the properties of this section, then those of the linked one, and so on."""
        found: list[Property] = []
        seen: set[int] = set()
        section: Section | None = self
        while section is not None:
            address = storage.address_of(section._gid)
            if address in seen:
                break
            seen.add(address)
            found.extend(section.props)
            section = section.link
        return found

    # --- finding ---

    def find_sections(
        self, filtr: SectionFilter = everything, limit: int | None = None
    ) -> list[Section]:
        """List this section and those below it, level by level.

        Parameters
        ----------
        filtr : callable
            Tells of a section whether to list it.
        limit : int, optional
            How many levels to go down; 0 looks at this section only.
        """
        return breadth_first([self], lambda each: each.sections, filtr, limit, 0)

    def find_related(self, filtr: SectionFilter = everything) -> list[Section]:
        """List the parent and its other sub-sections, then this section and its sub-sections."""
        parent = self.parent
        around = [] if parent is None else parent.find_sections(filtr, limit=1)
        return [each for each in around if each != self] + self.find_sections(filtr, limit=1)

    @property
    def referring_objects(self) -> list[Any]:
        """All entities whose metadata this section is."""
        return linking_to(self, entities_with_metadata(self._file), b"metadata")

    @property
    def referring_blocks(self) -> list[Any]:
        """The blocks whose metadata this section is."""
        return linking_to(self, self._file.blocks, b"metadata")

    def _referring(self, kind: str) -> list[Any]:
        candidates = (each for block in self._file.blocks for each in getattr(block, kind))
        return linking_to(self, candidates, b"metadata")

    @property
    def referring_groups(self) -> list[Any]:
        """The groups whose metadata this section is."""
        return self._referring("groups")

    @property
    def referring_data_arrays(self) -> list[Any]:
        """The data arrays whose metadata this section is."""
        return self._referring("data_arrays")

    @property
    def referring_data_frames(self) -> list[Any]:
        """The data frames whose metadata this section is."""
        return self._referring("data_frames")

    @property
    def referring_tags(self) -> list[Any]:
        """The tags whose metadata this section is."""
        return self._referring("tags")

    @property
    def referring_multi_tags(self) -> list[Any]:
        """The multi tags whose metadata this section is."""
        return self._referring("multi_tags")

    @property
    def referring_sources(self) -> list[Any]:
        """The sources, at any depth, whose metadata this section is."""
        sources = (each for block in self._file.blocks for each in all_sources(block))
        return linking_to(self, sources, b"metadata")

    def has_property_by_name(self, name: str) -> bool:
        """Tell whether there is a property of that name."""
        return name in self.props

    def get_property_by_name(self, name: str) -> Property | None:
        """Give the property of that name, or None."""
        return self.props[name] if self.has_property_by_name(name) else None

    # --- dictionary ---

    def __len__(self) -> int:
        return len(self.props)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: str) -> Any:
        links = self._child_links(b"properties")
        if links is not None and isinstance(key, str) and key in links:
            values = list(self.props[key].values)
            return values[0] if len(values) == 1 else values
        if isinstance(key, str) and key in self.sections:
            return self.sections[key]
        raise KeyError(f"section {self.name!r} has no property or sub-section {key!r}")

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, S):
            value.section = self.create_section(key, value.section_type)
            return
        links = self._child_links(b"properties")
        if links is not None and key in links:
            self.props[key].values = value
        else:
            self.create_property(key, value)

    def __delitem__(self, key: str) -> None:
        del self.props[key]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and (key in self.props or key in self.sections)

    def __iter__(self) -> Iterator[Property | Section]:
        yield from self.props
        yield from self.sections

    def items(self) -> Iterator[tuple[str, Property | Section]]:
        """Give the pairs of name and property, then of name and sub-section."""
        for each in self:
            yield each.name, each

    def keys(self) -> Iterator[str]:
        """Give the names of the properties, then of the sub-sections."""
        for each in self:
            yield each.name

    # --- display ---

    def pprint(
        self, indent: int = 2, max_depth: int = -1, max_length: int = 80, current_depth: int = 0
    ) -> None:
        """Print the tree below this section.

        Parameters
        ----------
        indent : int
            Blanks for each level.
        max_depth : int
            Last level, -1 for all.
        max_length : int
            Length of a line.
        current_depth : int
            Level of this section.
        """
        blanks = " " * indent * current_depth
        emit(f"{blanks}{cut(f'{self.name} [{self.type}]', max_length)}")
        for prop in self.props:
            prop.pprint(indent, max_length, current_depth)
        if max_depth == -1 or current_depth < max_depth:
            for section in self.sections:
                section.pprint(indent, max_depth, max_length, current_depth + 1)


def create_section(owner: File | Section, name: str, type_: str, oid: str | None = None) -> Section:
    """Make a section in a file or in another section."""
    names.checked(name, "section")
    checked_type(type_, "section")
    entity_id = checked_id(oid) or create_id()
    store = owner._store
    store.check_writable()
    links = owner._made_links(owner._section_key)
    if name in links:
        raise DuplicateName(f"there is already a section named {name!r}")
    with links.creating(name, entity_id) as gid:
        new_entity_attributes(gid, store, name, type_, entity_id)
    return Section(owner, links, name, gid=gid, name=name, entity_id=entity_id)._is_new()


def section_at(entity: Entity, key: bytes) -> Section | None:
    """Give the section to which a link of an entity leads, or None."""
    gid = storage.group_child(entity._gid, key)
    return None if gid is None else Section(entity._file, None, "", gid=gid)


def link_section(entity: Entity, key: bytes, value: Section | str | None) -> None:
    """Set a link of an entity to a section of the same file, or remove it."""
    if isinstance(value, S):
        value = value.section
    section = _section_of_id(entity, value) if isinstance(value, str) else value
    if section is not None and not isinstance(section, Section):
        raise TypeError(f"expected a Section, got {type(section).__name__}")
    if section is not None and section._store is not entity._store:
        raise RuntimeError(f"section {section.name!r} is in another file; copy it first")
    gid = entity._changing()
    if gid.links.exists(key):
        gid.unlink(key)
    if section is not None:
        storage.hard_link(gid, key, section._gid)


def _section_of_id(entity: Entity, wanted: str) -> Section:
    """Find a section of the file by its id."""
    for section in all_sections(entity._file):
        if section.id == wanted:
            return section
    raise KeyError(f"no section with the id {wanted!r} in {entity._store.path}")
