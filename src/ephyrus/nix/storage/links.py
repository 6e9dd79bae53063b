"""Links: hard ones only, in the order of their creation."""

from __future__ import annotations

from typing import Any

import h5py
from h5py import h5d, h5g, h5p

from ephyrus.errors import CorruptError
from ephyrus.nix.storage.text import decode
from ephyrus.nix.storage.types import FAULTS, GROUP_LIST, LINK_LIST, broken, object_path

__all__ = [
    "address_of",
    "check_data_set",
    "child_address",
    "data_child",
    "group_child",
    "hard_link",
    "link_count",
    "link_name_at",
    "link_names",
    "make_group",
    "open_child",
    "root_group",
]


def address_of(loc: Any) -> int:
    """Give the address of an object: the same for every link to it."""
    return int(h5g.get_objinfo(loc, b".").objno[0])


def child_address(loc: Any, name: bytes) -> int | None:
    """Give the address of what a hard link leads to; None if there is no such link."""
    if not loc.links.exists(name) or loc.links.get_info(name).type != h5py.h5l.TYPE_HARD:
        return None
    return int(h5g.get_objinfo(loc, name).objno[0])


def link_count(loc: Any) -> int:
    """Give the number of hard links to an object."""
    return int(h5py.h5o.get_info(loc).rc)


def open_child(gid: Any, name: bytes) -> Any:
    """Open what a hard link leads to; None if there is no such link.

    Raises
    ------
    CorruptError
        If the link is soft or external, or what it leads to cannot be opened.
    """
    try:
        if not gid.links.exists(name):
            return None
        if gid.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise broken(
                gid,
                f"{decode(name)!r} is a soft or external link; NIX has hard links only, and others "
                "are not followed",
            )
        return h5py.h5o.open(gid, name)
    except CorruptError:
        raise
    except FAULTS as error:
        raise broken(gid, f"{decode(name)!r} cannot be opened: {error}") from error


def root_group(fid: Any, path: str) -> Any:
    """Open the root of a file."""
    try:
        return h5g.open(fid, b"/")
    except FAULTS as error:
        raise CorruptError(path, f"the root of the file cannot be opened: {error}") from error


def make_group(gid: Any, name: bytes) -> Any:
    """Create a group with tracked creation order."""
    return h5g.create(gid, name, LINK_LIST, GROUP_LIST)


def group_child(gid: Any, name: bytes) -> Any:
    """Open a child that must be a group; None if there is none."""
    child = open_child(gid, name)
    if child is not None and not isinstance(child, h5g.GroupID):
        raise broken(gid, f"{decode(name)!r} should be a group")
    return child


def data_child(gid: Any, name: bytes) -> Any:
    """Open a child that must be a data set of this file; None if there is none."""
    child = open_child(gid, name)
    return None if child is None else check_data_set(child)


def check_data_set(did: Any) -> Any:
    """Give a data set back.

    Raises
    ------
    CorruptError
        If it is none, or its data lie outside of the file.
    """
    if not isinstance(did, h5d.DatasetID):
        raise broken(did, "an object that should be a data set is none")
    plist = did.get_create_plist()
    if plist.get_layout() == h5d.VIRTUAL or plist.get_external_count():
        raise broken(did, f"the data of {object_path(did)} lie in other files, which is refused")
    return did


def hard_link(gid: Any, name: bytes, target: Any) -> None:
    """Make a hard link to an open object."""
    h5py.h5o.link(target, gid, name, lcpl=LINK_LIST)


def link_names(gid: Any) -> list[bytes]:
    """List the links of a group in the order of their creation (by name if that is not kept)."""
    found: list[bytes] = []
    tracked = gid.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_TRACKED
    index = h5py.h5.INDEX_CRT_ORDER if tracked else h5py.h5.INDEX_NAME
    gid.links.iterate(found.append, idx_type=index)
    return found


def link_name_at(gid: Any, index: int) -> bytes | None:
    """Give the name of a link by its number in the order of creation, without listing all.

    None if the group has no index of that order.
    """
    if not gid.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_INDEXED:
        return None
    found: list[bytes] = []

    def take(name: bytes) -> bool:
        found.append(name)
        return len(found) == 2

    try:
        # In native order HDF5 walks its index and passes over links without reading them.
        gid.links.iterate(
            take, idx=index, idx_type=h5py.h5.INDEX_CRT_ORDER, order=h5py.h5.ITER_NATIVE
        )
        numbers = [gid.links.get_info(name).corder for name in found]
    except FAULTS:
        return None
    # Small groups have no such index, and their native order may be another one.
    return found[0] if numbers and index <= numbers[0] and numbers == sorted(numbers) else None
