"""What a dimension gets from another data array or data frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from h5py import h5g
from numpy.typing import NDArray

from ephyrus.nix import storage
from ephyrus.nix.entity import stamp_new
from ephyrus.nix.exceptions import IncompatibleDimensions, MissingTargetError, OutOfBounds
from ephyrus.nix.util import create_id

if TYPE_CHECKING:
    from ephyrus.nix.data_array import DataArray
    from ephyrus.nix.data_frame import DataFrame
    from ephyrus.nix.dimension_base import Dimension
    from ephyrus.nix.file import File

__all__ = ["DimensionLink", "checked_vector", "find_link", "make_link", "self_vector"]


class DimensionLink:
    """The vector of a data array, or the column of a data frame, that a dimension takes.

    Parameters
    ----------
    dimension : Dimension
        Whose link it is.
    group : h5py.h5g.GroupID
        Where the link to the target is.
    target : str or None
        Name of the link to the target; None if the target was deleted.
    index : tuple of int, int or None
        For a data array one number for each axis, -1 for the axis that is taken; for a data frame
        the number of the column (None: the row numbers).
    """

    def __init__(self, dimension: Dimension, group: Any, target: bytes | None, index: Any) -> None:
        self._dimension = dimension
        self._group = group
        self._target = target
        self._index = index

    @property
    def id(self) -> str | None:
        """UUID of the link; dimensions of files before 1.2.1 have none."""
        return storage.text_of(self._group, b"entity_id")

    @property
    def file(self) -> File:
        """The file in which the link is."""
        return self._dimension._array.file

    @property
    def index(self) -> tuple[int, ...] | int | None:
        """Which vector or column is taken."""
        if self._index is None and self.is_array():
            rank = len(self.linked_data.shape)
            return (-1, *(0 for _ in range(rank - 1)))
        found: tuple[int, ...] | int | None = self._index
        return found

    def is_array(self) -> bool:
        """Tell whether the target is a data array (else a data frame)."""
        from ephyrus.nix.data_array import DataArray

        return isinstance(self.linked_data, DataArray)

    @property
    def linked_data(self) -> DataArray | DataFrame:
        """The data array or data frame.

        Raises
        ------
        MissingTargetError
            A RuntimeError: it was deleted.
        """
        from ephyrus.nix.data_array import DataArray
        from ephyrus.nix.data_frame import DataFrame

        gid = None if self._target is None else storage.group_child(self._group, self._target)
        if gid is None:
            array = self._dimension._array
            raise MissingTargetError(
                f"dimension {self._dimension.index} of data array {array.name!r} is linked to data "
                "that were deleted; remove the link (remove_link) or link it to others"
            )
        did = storage.data_child(gid, b"data")
        is_frame = did is not None and did.dtype.names is not None
        kind = DataFrame if is_frame else DataArray
        return kind(self._dimension._array._parent, None, "", gid=gid)

    @property
    def values(self) -> NDArray[Any]:
        """The vector or column, as stored (without the polynomial of the array)."""
        from ephyrus.nix.data_array import DataArray

        target, index = self.linked_data, self.index
        if isinstance(target, DataArray):
            vector: Any = index
            return target._read_raw(tuple(slice(None) if each == -1 else each for each in vector))
        if index is None:
            return np.arange(len(target))
        return target.read_columns(index=[index])  # type: ignore[list-item]  # an int for frames

    @property
    def unit(self) -> str | None:
        """Unit of the target."""
        from ephyrus.nix.data_array import DataArray

        target = self.linked_data
        if isinstance(target, DataArray):
            return target.unit
        units = target.units
        return None if units is None or self._index is None else units[self._index] or None

    @property
    def label(self) -> str | None:
        """Label of the target; of a column its name."""
        from ephyrus.nix.data_array import DataArray

        target = self.linked_data
        if isinstance(target, DataArray):
            return target.label
        return target.name if self._index is None else target.column_names[self._index]


def find_link(dimension: Dimension) -> DimensionLink | None:
    """Find the link of a dimension, in all the forms that versions of the format had."""
    gid = dimension._gid
    group = storage.group_child(gid, b"link")
    if group is not None:
        stored = storage.attribute_of(group, b"index")
        index = tuple(map(int, stored)) if isinstance(stored, np.ndarray) else stored
        return DimensionLink(dimension, group, _only_child(group), index)
    if dimension._stored_type() == "data_frame":
        column = storage.attribute_of(gid, b"column_index")
        target = b"data_frame" if gid.links.exists(b"data_frame") else None
        return DimensionLink(dimension, gid, target, None if column is None else int(column))
    if dimension._stored_type() == "range" and not gid.links.exists(b"ticks"):
        alias = _only_child(gid)
        return None if alias is None else DimensionLink(dimension, gid, alias, None)
    return None


def _only_child(group: Any) -> bytes | None:
    """Give the name of the link to a group."""
    found: list[bytes] = []
    group.links.iterate(found.append)
    for name in found:
        if isinstance(storage.open_child(group, name), h5g.GroupID):
            return name
    return None


def make_link(dimension: Dimension, target: DataArray | DataFrame, index: Any) -> None:
    """Write a link, in the form of 1.2.1, in place of what the dimension has."""
    array = dimension._array
    if target._store is not array._store:
        raise RuntimeError(f"{target} is in another file; a dimension links to data of its block")
    store = array._store
    store.check_writable()
    remove_link(dimension)
    kind = "DataArray" if target._words == "data array" else "DataFrame"
    gid = dimension._gid
    links = store.links_of(gid)
    with links.creating("link") as group:
        stamp_new(group, store, create_id())
        storage.put_text(group, b"data_object_type", kind)
        storage.put_integers(group, b"index", index)
        storage.hard_link(group, storage.encode(target.id), target._gid)


def remove_link(dimension: Dimension) -> None:
    """Remove the link of a dimension if there is one, in whatever form."""
    link = find_link(dimension)
    if link is None:
        return
    store, gid = dimension._array._store, dimension._gid
    store.check_writable()
    if gid.links.exists(b"link"):
        store.links_of(gid).unlink("link")
    elif link._target is not None:
        store.links_of(gid).unlink(storage.decode(link._target))
    if dimension._stored_type() == "data_frame":
        storage.replace_text(gid, b"dimension_type", "set")
        storage.remove_attribute(gid, b"column_index")


def self_vector(rank: int) -> tuple[int, ...]:
    """Give the vector along the first axis."""
    return (-1, *(0 for _ in range(rank - 1)))


def checked_vector(target: DataArray, index: Any) -> list[int]:
    """Give the numbers that select a vector of a data array.

    Raises
    ------
    ValueError
        If not exactly one is -1, or another is negative.
    IncompatibleDimensions
        If there is not one for each axis.
    OutOfBounds
        If one is past the end of its axis.
    """
    numbers = [int(each) for each in index]
    shape = target.shape
    if numbers.count(-1) != 1 or any(each < -1 for each in numbers):
        raise ValueError(
            f"index {numbers} must have exactly one -1, for the axis that is taken, and no other "
            "negative number"
        )
    if len(numbers) != len(shape):
        raise IncompatibleDimensions(
            f"index {numbers} has {len(numbers)} numbers, the data array {len(shape)} axes",
            "link_data_array",
        )
    for each, length in zip(numbers, shape, strict=True):
        if each >= length:
            raise OutOfBounds(f"index {numbers} is outside of data of the shape {shape}")
    return numbers
