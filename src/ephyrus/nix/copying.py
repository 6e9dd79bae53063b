"""Deep copies of entities, within a file or into another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
from h5py import h5a, h5g, h5o, h5p

from ephyrus.nix import storage
from ephyrus.nix.exceptions import DuplicateName
from ephyrus.nix.util import create_id, is_uuid, names

if TYPE_CHECKING:
    from ephyrus.nix.file import File
    from ephyrus.nix.property import Property
    from ephyrus.nix.section import Section

__all__ = ["copy_entity", "copy_property", "copy_section", "renew_ids"]


def copy_entity(
    owner: Any, key: bytes, kind: Any, original: Any, name: str, *, keep_id: bool
) -> Any:
    """Copy an entity, with all that it refers to, into a container.

    What it refers to is copied with it and becomes its own: hard links inside the copy lead to
    copies.

    Raises
    ------
    TypeError
        If it is no entity of this kind.
    DuplicateName
        If the name is taken.
    """
    if not isinstance(original, kind):
        raise TypeError(f"expected a {kind.__name__} to copy, got {type(original).__name__}")
    new_name = names.checked(name or original.name, original._words)
    owner._store.check_writable()
    links = owner._made_links(key)
    if new_name in links:
        raise DuplicateName(f"there is already a {original._words} named {new_name!r}")
    link = storage.encode(new_name)
    plist = h5p.create(h5p.OBJECT_COPY)
    h5o.copy(original._gid, b".", links.gid, link, plist, storage.LINK_LIST)
    try:
        copied = h5o.open(links.gid, link)
        _refuse_escapes(copied)
        if new_name != original.name:
            storage.replace_text(copied, b"name", new_name)
        if not keep_id:
            renew_ids(copied)
    except BaseException:
        links.gid.unlink(link)
        raise
    entity_id = storage.text_of(copied, b"entity_id") or ""
    links.added(new_name, entity_id)
    return kind(owner, links, new_name, gid=copied, name=new_name, entity_id=entity_id)


def copy_property(section: Section, original: Property, name: str, *, keep_id: bool) -> Property:
    """Copy a property into a section."""
    from ephyrus.nix.property import Property

    made: Property = copy_entity(section, b"properties", Property, original, name, keep_id=keep_id)
    return made


def copy_section(
    owner: File | Section, original: Section, *, children: bool, keep_id: bool, name: str
) -> Section:
    """Copy a section into a file or another section."""
    from ephyrus.nix.section import Section

    made: Section = copy_entity(owner, owner._section_key, Section, original, name, keep_id=keep_id)
    if not children:
        made._children.clear()
        if made._gid.links.exists(b"sections"):
            made._gid.unlink(b"sections")
    return made


def renew_ids(root: Any) -> None:
    """Give every object below (and including) `root` a new id, also in the links that bear it."""
    fresh: dict[str, str] = {}
    groups = [root]
    visited: set[int] = set()
    while groups:
        loc = groups.pop()
        address = storage.address_of(loc)
        if address in visited:
            continue
        visited.add(address)
        _renew_id(loc, fresh)
        if isinstance(loc, h5g.GroupID):
            groups.extend(h5o.open(loc, name) for name in storage.link_names(loc))
            _rename_links(loc, fresh)


def _renew_id(loc: Any, fresh: dict[str, str]) -> None:
    old = storage.text_of(loc, b"entity_id")
    if old is not None:
        storage.replace_text(loc, b"entity_id", fresh.setdefault(old, create_id()))


def _rename_links(gid: Any, fresh: dict[str, str]) -> None:
    """Rename the links that bear the id of what they lead to; they keep their order."""
    for name in storage.link_names(gid):
        if _is_named_by_id(gid, name):
            new = fresh.setdefault(storage.decode(name), create_id())
            gid.links.move(name, gid, storage.encode(new), lcpl=storage.LINK_LIST)


def _is_named_by_id(gid: Any, name: bytes) -> bool:
    """Tell whether a link is a reference: its name is an id, and not the name of its target."""
    text = storage.decode(name)
    if not is_uuid(text) or not h5a.exists(gid, b"entity_id", obj_name=name):
        return False
    return storage.text_of(gid, b"name", obj_name=name) != text


def _refuse_escapes(copied: Any) -> None:
    """Refuse a copy whose data lie in other files."""

    def visit(name: bytes) -> None:
        child = h5o.open(copied, name)
        if isinstance(child, h5py.h5d.DatasetID):
            storage.check_data_set(child)

    if isinstance(copied, h5g.GroupID):
        h5o.visit(copied, visit)
