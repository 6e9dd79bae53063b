"""Bringing files of older versions up to date (`file_upgrade`).

The work is done on a copy that takes the place of the file when it is complete: an interrupted
upgrade leaves the old file. Ids, times and order are kept.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5g, h5o

from ephyrus.errors import EphyrusError, WrongFormatError
from ephyrus.nix import storage
from ephyrus.nix.entity import stamp_new
from ephyrus.nix.enums import FileMode
from ephyrus.nix.exceptions import InvalidFile, VersionError
from ephyrus.nix.file import FILE_FORMAT, HDF_FF_VERSION
from ephyrus.nix.opening import open_session
from ephyrus.nix.store import Store
from ephyrus.nix.util import create_id, is_uuid

__all__ = ["file_upgrade", "upgrade"]

_BESIDE = (b"reference", b"filename", b"encoder", b"checksum")  # text kept beside old values


def file_upgrade(path: str | os.PathLike[str], quiet: bool = True) -> bool:
    """Bring a file to the version that this library writes.

    Parameters
    ----------
    path : str or Path
        A local file.
    quiet : bool
        Whether to print nothing; else what was done.

    Returns
    -------
    bool
        False if that failed, with the cause on standard error; the file is as it was then.
    """
    try:
        was = upgrade(path)
    except (EphyrusError, OSError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"{os.fspath(path)}: not upgraded: {error}\n")
        return False
    if not quiet:
        now = ".".join(map(str, HDF_FF_VERSION))
        sys.stdout.write(f"{os.fspath(path)}: {'.'.join(map(str, was))} -> {now}\n")
    return True


def upgrade(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """Bring a file to the version that this library writes; gives the version that it had.

    Raises
    ------
    InvalidFile
        If it is no NIX file.
    VersionError
        If it is of a version that is not known.
    OSError
        If it cannot be read or written.
    """
    looking = open_session(path, FileMode.ReadOnly, safe=None)
    try:
        was = _version_of(looking.store.root, os.fspath(path))
    finally:
        looking.close()
    session = open_session(path, FileMode.ReadWrite, safe=True)
    try:
        _upgrade_root(session.store)
    except BaseException:
        session.discard()
        raise
    session.close()
    return was


def _version_of(gid: Any, path: str) -> tuple[int, ...]:
    if storage.text_of(gid, b"format") != FILE_FORMAT:
        raise InvalidFile(path, "this is no NIX file: it has no attribute format = nix")
    value = storage.attribute_of(gid, b"version")
    if not isinstance(value, np.ndarray) or value.shape != (3,) or value.dtype.kind not in "iu":
        raise VersionError(path, f"the attribute version should be three integers, got {value!r}")
    version = tuple(map(int, value))
    if not (1, 0, 0) <= version <= HDF_FF_VERSION:
        raise VersionError(path, f"version {version} cannot be upgraded to {HDF_FF_VERSION}")
    return version


def _upgrade_root(store: Store) -> None:
    root = store.root
    if not is_uuid(storage.text_of(root, b"id")):
        storage.replace_text(root, b"id", create_id())
    for key in (b"data", b"metadata"):
        if not root.links.exists(key):
            storage.make_group(root, key)
    visited: set[int] = set()
    for gid in _groups(storage.group_child(root, b"metadata"), visited):
        _upgrade_properties(gid)
    for gid in _groups(storage.group_child(root, b"data"), visited):
        _upgrade_dimension(store, gid)
        _upgrade_frame(gid)
        _upgrade_group(gid)
    storage.put_int32(root, b"version", HDF_FF_VERSION)


def _groups(gid: Any, visited: set[int]) -> Iterator[Any]:
    """Walk all groups below (and including) one; each once."""
    waiting = [gid]
    while waiting:
        group = waiting.pop()
        address = storage.address_of(group)
        if address in visited:
            continue
        visited.add(address)
        for name in storage.link_names(group):
            child = storage.open_child(group, name)
            if isinstance(child, h5g.GroupID):
                waiting.append(child)
        yield group


def _upgrade_properties(section: Any) -> None:
    """Rewrite the properties of a section that are compounds; all are moved to keep their order."""
    container = storage.group_child(section, b"properties")
    if container is None:
        return
    names = storage.link_names(container)
    old = {name: storage.data_child(container, name) for name in names}
    if all(did.dtype.names is None for did in old.values()):
        return
    for name in names:
        container.links.move(name, container, b"~" + name, lcpl=storage.LINK_LIST)
    for name in names:
        if old[name].dtype.names is None:
            container.links.move(b"~" + name, container, name, lcpl=storage.LINK_LIST)
        else:
            _rewrite(container, name, old[name])
            container.unlink(b"~" + name)


def _rewrite(container: Any, name: bytes, old: Any) -> None:
    """Make a plain property of a compound one."""
    table = storage.read_all(old).reshape(-1)
    values = storage.decoded_column(table["value"])
    kind = old.get_type()
    members = table.dtype.names or ()
    if "value" in members and _is_bits(kind, "value"):
        values = values.astype(bool)
    new = _new_property(container, name, values)
    _copy_attributes(old, new)
    if "uncertainty" in members and len(table):
        _keep_uncertainty(container, name, new, table["uncertainty"])
    for member in _BESIDE:
        if storage.decode(member) in members and len(table):
            _keep_beside(container, name, new, member, table[storage.decode(member)])


def _is_bits(kind: Any, member: str) -> bool:
    """Tell whether a member of a compound is a bit field: a bool of version 1.0.0."""
    for number in range(kind.get_nmembers()):
        if storage.decode(kind.get_member_name(number)) == member:
            return bool(kind.get_member_class(number) == h5py.h5t.BITFIELD)
    return False


def _new_property(container: Any, name: bytes, values: Any) -> Any:
    dtype = storage.TEXT_DTYPE if values.dtype.kind == "O" else values.dtype
    return storage.create_data_set(container, name, dtype, values.shape, data=values, least=128)


def _copy_attributes(old: Any, new: Any) -> None:
    for number in range(h5a.get_num_attrs(old)):
        name = h5a.open(old, index=number).name
        name = name if isinstance(name, bytes) else name.encode()
        value = storage.attribute_of(old, name)
        if isinstance(value, str):
            storage.replace_text(new, name, value)
        elif value is not None and not isinstance(value, np.ndarray):
            storage.put_number(new, name, float(value))


def _keep_uncertainty(container: Any, name: bytes, new: Any, column: Any) -> None:
    """Keep one uncertainty as an attribute, several in a property beside."""
    column = np.asarray(column, np.float64)
    if not np.any(column):
        return
    if np.all(column == column[0]):
        storage.put_number(new, b"uncertainty", float(column[0]))
    else:
        _beside(container, name + b".uncertainty", new, column)


def _keep_beside(container: Any, name: bytes, new: Any, member: bytes, column: Any) -> None:
    """Keep a text that stood beside each value: one as the attribute, several in a property."""
    texts = storage.decoded_column(column)
    if not any(texts.tolist()):
        return
    if member == b"reference" and len(set(texts.tolist())) == 1:
        storage.replace_text(new, member, texts[0])
    else:
        _beside(container, name + b"." + member, new, texts)


def _beside(container: Any, name: bytes, new: Any, values: Any) -> None:
    made = _new_property(container, name, values)
    storage.put_text(made, b"name", storage.decode(name))
    storage.put_text(made, b"entity_id", create_id())
    for time in (b"created_at", b"updated_at"):
        text = storage.text_of(new, time)
        if text is not None:
            storage.put_text(made, time, text)


def _upgrade_dimension(store: Store, gid: Any) -> None:
    """Make links of 1.2.1 of the alias and data frame dimensions of a data array."""
    dimensions = storage.group_child(gid, b"dimensions")
    if dimensions is None:
        return
    for name in storage.link_names(dimensions):
        group = storage.group_child(dimensions, name)
        kind = storage.text_of(group, b"dimension_type")
        if kind == "data_frame":
            _link_frame(store, group)
        elif kind == "range" and not any(map(group.links.exists, (b"ticks", b"link"))):
            _link_alias(store, group)


def _link_alias(store: Store, group: Any) -> None:
    for name in storage.link_names(group):
        target = storage.open_child(group, name)
        if isinstance(target, h5g.GroupID):
            _make_link(store, group, target, "DataArray", [-1])
            group.unlink(name)
            return


def _link_frame(store: Store, group: Any) -> None:
    target = storage.group_child(group, b"data_frame")
    if target is None:
        return
    column = storage.attribute_of(group, b"column_index")
    _make_link(store, group, target, "DataFrame", 0 if column is None else int(column))
    group.unlink(b"data_frame")
    storage.remove_attribute(group, b"column_index")
    storage.replace_text(group, b"dimension_type", "set")


def _make_link(store: Store, group: Any, target: Any, kind: str, index: Any) -> None:
    link = storage.make_group(group, b"link")
    stamp_new(link, store, create_id())
    storage.put_text(link, b"data_object_type", kind)
    storage.put_integers(link, b"index", index)
    entity_id = storage.text_of(target, b"entity_id")
    if entity_id is None:
        raise WrongFormatError(store.path, "a dimension leads to data without an id")
    storage.hard_link(link, storage.encode(entity_id), target)


def _upgrade_frame(gid: Any) -> None:
    """Write the units of the columns of a data frame to both places where they are looked for."""
    if not gid.links.exists(b"data") or not isinstance(gid, h5g.GroupID):
        return
    did = storage.open_child(gid, b"data")
    if not isinstance(did, h5py.h5d.DatasetID) or did.dtype.names is None:
        return
    for one, other in ((gid, did), (did, gid)):
        found = storage.attribute_of(one, b"units")
        if found is not None and storage.attribute_of(other, b"units") is None:
            storage.put_texts(other, b"units", [str(each) for each in np.atleast_1d(found)])


def _upgrade_group(gid: Any) -> None:
    """Give the data frames of a group the name that the Python library looks for."""
    if not gid.links.exists(b"data_frame"):
        return
    members = storage.group_child(gid, b"data_frame")
    if storage.text_of(members, b"entity_id") is not None:
        return  # the frame of a dimension, not a container
    if not gid.links.exists(b"data_frames"):
        gid.links.move(b"data_frame", gid, b"data_frames", lcpl=storage.LINK_LIST)
        return
    target = storage.group_child(gid, b"data_frames")
    for name in storage.link_names(members):
        if not target.links.exists(name):
            storage.hard_link(target, name, h5o.open(members, name))
    gid.unlink(b"data_frame")
