"""An open file, and the links of its groups: listed once, then kept up to date by our writes."""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

from h5py import h5f, h5o

from ephyrus.errors import CorruptError
from ephyrus.nix import storage
from ephyrus.nix.exceptions import ClosedFileError, ReadOnlyFileError
from ephyrus.nix.util import time_to_str

__all__ = ["Creation", "Links", "Store", "child_links", "made_links"]

_KEPT = 64  # long listings that are kept although nobody holds them
INDEXED_FROM = 64  # links of a group from which on our index of ids is worth its place


class Store:
    """What all entities of one open file share.

    Parameters
    ----------
    fid : h5py.h5f.FileID
        The open file.
    path : str
        As messages show it.
    writable : bool
        Whether it may be changed.

    Attributes
    ----------
    edits : int
        Counts our changes; what is kept from the file is valid as long as it stays the same.
    renames : int
        Counts our renamings of entities.
    stamps : bool
        Whether setters write the time of the update.
    """

    def __init__(self, fid: Any, path: str, *, writable: bool) -> None:
        self.fid = fid
        self.root = storage.root_group(fid, path)
        self.path = path
        self.is_writable = writable
        self.is_open = True
        self.stamps = True
        self.edits = 0
        self.renames = 0
        self._links: WeakValueDictionary[int, Links] = WeakValueDictionary()
        self._recent: OrderedDict[int, Links] = OrderedDict()
        self.with_new_ids: dict[int, Links] = {}
        self._second = -1
        self._now = ""

    def check_open(self) -> None:
        """Refuse work on a closed file."""
        if not self.is_open:
            raise ClosedFileError(f"{self.path} is closed; open it again to use what is in it")

    def check_writable(self) -> None:
        """Refuse changes of a file that is closed or open for reading; count the change."""
        self.check_open()
        if not self.is_writable:
            raise ReadOnlyFileError(
                f"{self.path} is open for reading only; to change it use FileMode.ReadWrite"
            )
        self.edits += 1

    def now(self) -> str:
        """Give the time (UTC) as the file has it."""
        second = int(time.time())
        if second != self._second:
            self._second, self._now = second, time_to_str(second)
        return self._now

    def links_of(self, gid: Any) -> Links:
        """Give the links of an open group: one object for each group, however it was reached.

        A `Links` holds its group open, so HDF5 cannot give the address to another meanwhile.
        """
        address = storage.address_of(gid)
        found = self._links.get(address)
        if found is None:
            found = self._links[address] = Links(self, gid)
        return found

    def keep(self, links: Links) -> None:
        """Keep a listing that took long although nobody holds it."""
        key = id(links)
        self._recent[key] = links
        self._recent.move_to_end(key)
        if len(self._recent) > _KEPT:
            self._recent.popitem(last=False)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self.check_open()
        if self.is_writable:
            h5f.flush(self.fid)

    def close(self) -> None:
        """Note that the file is closed; who opened it closes it."""
        if not self.is_open:
            return
        if self.is_writable:
            for links in self.with_new_ids.values():
                links.save_ids()
        self.with_new_ids.clear()
        self.is_open = False
        self._recent.clear()
        self._links.clear()


class Links:
    """The links of one group.

    Parameters
    ----------
    store : Store
        The file.
    gid : h5py.h5g.GroupID
        The group, open.
    """

    __slots__ = (
        "__weakref__",
        "_has_twins",
        "_ids",
        "_names",
        "_order",
        "_was_asked",
        "gid",
        "store",
    )

    def __init__(self, store: Store, gid: Any) -> None:
        self.store = store
        self.gid = gid
        self._names: dict[str, None] | None = None
        self._order: list[str] | None = None
        self._ids: dict[str, str] | None = None
        self._was_asked = False  # for a link by its number
        self._has_twins = False  # two entities with one id: a copy that kept it

    def __len__(self) -> int:
        return int(self.gid.get_num_objs()) if self._names is None else len(self._names)

    @property
    def names(self) -> dict[str, None]:
        """Names of the links in the order of their creation (name order if that is not kept)."""
        if self._names is None:
            self._names = dict.fromkeys(self._listed())
            if len(self._names) >= INDEXED_FROM:
                self.store.keep(self)
        return self._names

    def _listed(self) -> list[str]:
        try:
            return [storage.decode(name) for name in storage.link_names(self.gid)]
        except storage.FAULTS as error:
            raise CorruptError(
                self.store.path, f"the links of a group cannot be listed: {error}"
            ) from error

    @property
    def order(self) -> list[str]:
        """Names of the links, for access by index."""
        if self._order is None:
            self._order = list(self.names)
        return self._order

    def __contains__(self, name: str) -> bool:
        if self._names is not None:
            return name in self._names
        return bool(name) and self.gid.links.exists(storage.encode(name))

    def open(self, name: str) -> Any:
        """Open what a link leads to.

        Raises
        ------
        KeyError
            If there is no such link.
        CorruptError
            If it is not a hard link, or leads nowhere.
        """
        child = storage.open_child(self.gid, storage.encode(name))
        if child is None:
            raise KeyError(name)
        return child

    # --- ids ---

    @property
    def ids(self) -> dict[str, str]:
        """Names of the links by the id of the entity to which they lead."""
        if self._ids is None:
            self._ids = {}
            self._has_twins = False
            for name in self.names:
                found = storage.text_of(self.gid, b"entity_id", obj_name=storage.encode(name))
                if found is not None:
                    self._note_id(found, name)
        return self._ids

    def _note_id(self, entity_id: str, name: str) -> None:
        """Put an id into the index; the older of two with one id counts."""
        if self._ids is not None and self._ids.setdefault(entity_id, name) != name:
            self._has_twins = True

    def has_listed_ids(self) -> bool:
        """Tell whether the ids were already read."""
        return self._ids is not None

    def id_link(self, entity_id: str) -> str | None:
        """Find the link to the entity with an id.

        Large containers that we made have the ids of their entities in an attribute. Others may
        have changed them since, so what it tells is checked, and all are read where it is wrong.
        """
        if self._ids is None and len(self) >= INDEXED_FROM:
            place = storage.place_of_id(self.gid, entity_id)
            name = None if place is None else self.name_at(place)
            if name is not None and self._id_at(name) == entity_id:
                return name
        return self.ids.get(entity_id)

    def _id_at(self, name: str) -> str | None:
        return storage.text_of(self.gid, b"entity_id", obj_name=storage.encode(name))

    def name_at(self, index: int) -> str | None:
        """Give the name of a link by its number, from 0; None if there are not so many.

        The first time only that one is looked for; from the second on all are listed.
        """
        if self._names is None and not self._was_asked and len(self) >= INDEXED_FROM:
            self._was_asked = True
            found = storage.link_name_at(self.gid, index)
            if found is not None:
                return storage.decode(found)
        order = self.order
        return order[index] if index < len(order) else None

    # --- changes ---

    def begin(self) -> None:
        """Note that the group was just made: it is empty."""
        self._names, self._ids = {}, {}

    def save_ids(self) -> None:
        """Write the ids of the entities, in the order of the links, for :meth:`id_link`."""
        if self._ids is None or self._names is None or len(self._ids) != len(self._names):
            return
        by_name = {name: entity_id for entity_id, name in self._ids.items()}
        if len(by_name) == len(self._names):
            storage.put_ids(self.gid, [by_name[name] for name in self._names])

    def creating(self, name: str, entity_id: str | None = None) -> Creation:
        """Make a group in a ``with`` block; what fails inside of it leaves nothing behind."""
        return Creation(self, name, entity_id)

    def added(self, name: str, entity_id: str | None) -> None:
        """Note a link that was made."""
        if self._names is not None:
            self._names[name] = None
            if self._order is not None:
                self._order.append(name)
        if self._ids is not None:
            if entity_id is None:
                self._ids = None
            else:
                self._note_id(entity_id, name)
                if len(self._ids) == INDEXED_FROM:
                    self.store.keep(self)
                if len(self._ids) >= INDEXED_FROM:
                    self.store.with_new_ids[id(self)] = self

    def link(self, name: str, target: Any, entity_id: str | None = None) -> None:
        """Make a hard link to an open object."""
        h5o.link(target, self.gid, storage.encode(name), lcpl=storage.LINK_LIST)
        self.added(name, entity_id)

    def unlink(self, name: str, entity_id: str | None = None) -> None:
        """Remove a link; `entity_id` is what it leads to, if that is known."""
        self.gid.unlink(storage.encode(name))
        if self._names is not None:
            self._names.pop(name, None)
        self._drop_order(name)
        if self._ids is not None:
            if entity_id is None or self._has_twins:
                self._ids = None
            else:
                self._ids.pop(entity_id, None)

    def _drop_order(self, name: str) -> None:
        """Forget a name in the list; the last is cheap, else the list is made anew when needed."""
        if self._order and self._order[-1] == name:
            self._order.pop()
        else:
            self._order = None

    def move(self, old: str, new: str) -> None:
        """Rename a link; HDF5 orders by the making of links, so it comes last."""
        self.gid.links.move(
            storage.encode(old), self.gid, storage.encode(new), lcpl=storage.LINK_LIST
        )
        self._names = self._order = self._ids = None


class Creation:
    """A group that is being made: given by ``with``, and removed again if the block fails.

    Parameters
    ----------
    links : Links
        Where it is made.
    name : str
        Of the link to it.
    entity_id : str or None
        Of the entity that it becomes.
    """

    __slots__ = ("entity_id", "gid", "links", "name")

    def __init__(self, links: Links, name: str, entity_id: str | None) -> None:
        self.links = links
        self.name = name
        self.entity_id = entity_id
        self.gid: Any = None

    def __enter__(self) -> Any:
        self.gid = storage.make_group(self.links.gid, storage.encode(self.name))
        return self.gid

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.links.added(self.name, self.entity_id)
        else:
            self.gid.close()
            self.links.gid.unlink(storage.encode(self.name))


def child_links(store: Store, gid: Any, name: bytes) -> Links | None:
    """Give the links of a child group; None if there is no such group."""
    child = storage.group_child(gid, name)
    return None if child is None else store.links_of(child)


def made_links(store: Store, gid: Any, name: bytes, *, is_new: bool = False) -> Links:
    """Give the links of a child group, which is made if it is not there.

    With `is_new` it probably is not: making is tried at once.
    """
    found = None
    if is_new:
        with suppress(ValueError):
            found = store.links_of(storage.make_group(gid, name))
            found.begin()
            return found
    found = child_links(store, gid, name)
    if found is None:
        found = store.links_of(storage.make_group(gid, name))
        found.begin()
    return found
