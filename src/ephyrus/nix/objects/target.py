"""Where objects are written, and the steps that all kinds of objects share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
import quantities as pq
from h5py import h5d, h5p, h5s
from numpy.typing import NDArray

from ephyrus.core.dataobject import DataObject
from ephyrus.nix.block import Block as NixBlock
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.file import File
from ephyrus.nix.objects.annotations import Stored, put_annotations, put_value
from ephyrus.nix.objects.kinds import KINDS, Kind
from ephyrus.nix.objects.texts import kept_text
from ephyrus.nix.section import Section, link_section

__all__ = [
    "PIECE_BYTES",
    "Advance",
    "Target",
    "Written",
    "bytes_of",
    "class_name",
    "is_name",
    "link_all",
    "object_bytes",
    "put_name",
    "put_quantity",
    "uncached",
    "unit_text",
    "write_last",
]

PIECE_BYTES = 16 * 2**20

Advance = Callable[[int], None]


@dataclass(slots=True)
class Written:
    """What came of writing a block.

    Attributes
    ----------
    name : str
        Name of the NIX block.
    losses : list of str
        What the layout cannot hold, a sentence each.
    """

    name: str
    losses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Target:
    """Where objects are written, and what stands for those that have been.

    Attributes
    ----------
    block : nix.Block
        The NIX block.
    written : Written
        What came of it.
    advance : callable
        Told the bytes of data that were written.
    made : dict of int to list
        By the identity of an object: its data arrays, or its multi tag.
    kept : list
        The objects, so that their identities stay theirs.
    names : set of str
        Names of entities that were given.
    """

    block: NixBlock
    written: Written
    advance: Advance
    made: dict[int, list[Any]] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def note(self, loss: str) -> None:
        """Note what is lost."""
        self.written.losses.append(loss)

    def name_of(self, obj: Any, kind: Kind) -> str:
        """Give the name under which an object is kept, noted as its annotation ``nix_name``.

        Copies of an object have its annotations, so the second one gets a name of its own.
        """
        name = obj.annotations.get("nix_name")
        if not isinstance(name, str) or not is_name(name) or name in self.names:
            name = obj.annotations["nix_name"] = f"neo.{kind.word}.{uuid4().hex}"
        self.names.add(name)
        return name

    def once(
        self, section: Section, obj: Any, write: Callable[[Target, Section, Any], list[Any]]
    ) -> list[Any]:
        """Write an object, or give what it became where it stands elsewhere too."""
        known = self.made.get(id(obj))
        if known is None:
            known = self.made[id(obj)] = write(self, section, obj)
            self.kept.append(obj)
        return known

    def section(self, parent: Section | File, obj: Any, kind: Kind, name: str) -> Section:
        """Make the section of an object, with its name and annotations."""
        section = parent.create_section(name, kind.section_type)
        put_name(section, obj, self.note)
        put_annotations(section, obj.annotations, self.note)
        return section

    def described(self, entity: Any, section: Section, obj: Any) -> None:
        """Link an entity to its section and write its description."""
        link_section(entity, b"metadata", section)
        if obj.description:
            entity.definition = kept_text(obj.description)

    def array(
        self,
        name: str,
        type_: str,
        shape: tuple[int, ...],
        dtype: Any,
        unit: str | None,
        data: NDArray[Any] | None = None,
    ) -> DataArray:
        """Make a data array, with its values or empty."""
        if data is not None:
            return self.block.create_data_array(name, type_, data=data, dtype=dtype, unit=unit)
        return self.block.create_data_array(name, type_, dtype, shape, unit=unit)


def is_name(name: str) -> bool:
    """Tell whether an entity can have a name."""
    return bool(name) and "/" not in name and "\0" not in name and name != "."


def put_name(section: Section, obj: Any, note: Callable[[str], None]) -> None:
    """Write the name of an object."""
    name = kept_text(obj.name or "")
    if name != (obj.name or ""):
        note(f"the name {obj.name!r} is kept as {name!r}")
    put_value(section, "neo_name", Stored(name or str))


def put_quantity(section: Section, name: str, value: pq.Quantity) -> None:
    """Write a quantity as a property."""
    magnitude = np.asarray(value.magnitude, np.float64)
    stored = float(magnitude) if magnitude.ndim == 0 else magnitude.reshape(-1)
    put_value(section, name, Stored(stored, value.dimensionality.string))


def link_all(entity: Any, key: bytes, items: Iterable[Any]) -> None:
    """Refer to entities that were made in the same block, each once."""
    links = None
    for item in items:
        links = links or entity._made_links(key)
        if item.id not in links:
            links.link(item.id, item._gid, item.id)


def unit_text(obj: Any) -> str:
    """Give the text of the unit of an object or a quantity."""
    return str(obj.dimensionality.string)


def class_name(obj: Any) -> str:
    """Name the class of the object model that an object is of."""
    return next(each.__name__ for each in type(obj).__mro__ if each.__name__ in KINDS)


def bytes_of(block: Any) -> int:
    """Give the bytes of data in a tree, for progress."""
    return sum(object_bytes(obj) for obj in block.data_children_recur)


def object_bytes(obj: Any) -> int:
    """Give the bytes of data of an object or a piece of one."""
    if not isinstance(obj, DataObject):
        return 0
    shape = obj.true_shape
    size = int(np.prod(shape, dtype=np.int64)) * int(obj.dtype.itemsize)
    waveforms = getattr(obj, "waveforms", None)
    if waveforms is None or waveforms.ndim != 3:
        return size
    return size + int(shape[0]) * int(np.prod(waveforms.shape[1:]) * waveforms.dtype.itemsize)


_NO_CACHE = h5p.create(h5p.DATASET_ACCESS)
_NO_CACHE.set_chunk_cache(1, 0, 1.0)


def uncached(array: DataArray) -> Any:
    """Open the data of an array so that what is written goes to the file at once.

    Else HDF5 keeps up to 1 MiB of each data set, which for thousands of channels is much.
    """
    array._did_kept = None
    return h5d.open(array._gid, b"data", _NO_CACHE)


def write_last(did: Any, start: int, values: NDArray[Any]) -> None:
    """Write an array at a place on the last axis."""
    if values.size:
        space = did.get_space()
        space.select_hyperslab((0,) * (values.ndim - 1) + (start,), values.shape)
        did.write(h5s.create_simple(values.shape), space, np.ascontiguousarray(values))
