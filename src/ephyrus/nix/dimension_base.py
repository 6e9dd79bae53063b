"""What all dimensions have in common, and checks of what they are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ephyrus.nix import storage
from ephyrus.nix.axes import Axis
from ephyrus.nix.dimension_link import (
    DimensionLink,
    checked_vector,
    find_link,
    make_link,
    remove_link,
)
from ephyrus.nix.entity import as_number
from ephyrus.nix.enums import DimensionType, SliceMode
from ephyrus.nix.exceptions import InvalidAttrType, OutOfBounds

if TYPE_CHECKING:
    from ephyrus.nix.data_array import DataArray
    from ephyrus.nix.data_frame import DataFrame

__all__ = ["Dimension", "OwnLabel", "checked_labels", "checked_ticks", "replace_data"]


class Dimension:
    """Description of one axis of a data array."""

    _kind: ClassVar[DimensionType]
    label: Any  # text or None: own, or that of linked data

    def __init__(self, array: DataArray, gid: Any, index: int) -> None:
        self._array = array
        self._object = gid
        self._number = index

    @property
    def _gid(self) -> Any:
        self._array._store.check_open()
        return self._object

    def _changing(self) -> Any:
        """Give the group for a change."""
        self._array._changing()
        return self._gid

    def _stored_type(self) -> str:
        return storage.text_of(self._gid, b"dimension_type") or ""

    def _get_number(self, name: bytes) -> float | None:
        value = storage.attribute_of(self._gid, name)
        return float(value) if isinstance(value, int | float) else None

    def _set_number(self, name: bytes, value: Any, what: str) -> None:
        number = None if value is None else as_number(value, what)
        gid = self._changing()
        if number is None:
            storage.remove_attribute(gid, name)
        else:
            storage.put_number(gid, name, number)

    def _set_text(self, name: bytes, value: Any, what: str) -> None:
        if value is not None and not isinstance(value, str):
            raise InvalidAttrType(f"the {what} as text or None", value)
        gid = self._changing()
        if value is None:
            storage.remove_attribute(gid, name)
        else:
            storage.replace_text(gid, name, value)

    @property
    def index(self) -> int:
        """Number of the dimension; the first is 1."""
        return self._number

    @property
    def dimension_type(self) -> DimensionType:
        """Kind of the dimension."""
        return self._kind

    @property
    def has_link(self) -> bool:
        """Whether the dimension gets its values from other data."""
        return find_link(self) is not None

    @property
    def dimension_link(self) -> DimensionLink | None:
        """Where the dimension gets its values from; None if it has its own."""
        return find_link(self)

    def link_data_array(self, data_array: DataArray, index: Sequence[int]) -> None:
        """Take the values from a vector of a data array of the same block.

        Parameters
        ----------
        data_array : DataArray
            With the values; unit and label are its own.
        index : sequence of int
            One number for each of its axes: -1 for the axis to take, else an index.

        Raises
        ------
        ValueError
            If not exactly one is -1, or another is negative.
        IncompatibleDimensions
            If there is not one for each axis.
        """
        make_link(self, data_array, checked_vector(data_array, index))
        self._linked()

    def link_data_frame(self, data_frame: DataFrame, index: int) -> None:
        """Take the values from a column of a data frame of the same block.

        Raises
        ------
        OutOfBounds
            If there is no such column.
        """
        columns = len(data_frame.column_names)
        if not 0 <= index < columns:
            raise OutOfBounds(f"the data frame has {columns} columns, there is none", index)
        make_link(self, data_frame, int(index))
        self._linked()

    def _linked(self) -> None:
        """Drop own values after a link was made."""
        gid = self._changing()
        for name in (b"ticks", b"labels"):
            if gid.links.exists(name):
                gid.unlink(name)

    def remove_link(self) -> None:
        """Remove the link to other data.

        Raises
        ------
        RuntimeError
            If there is none.
        """
        if find_link(self) is None:
            raise RuntimeError(f"dimension {self.index} has no link")
        remove_link(self)
        self._changing()

    def _axis(self) -> Axis:
        """Read all that positions and indices need."""
        raise NotImplementedError  # pragma: no cover - each kind has its own

    def range_indices(
        self, start_position: float, end_position: float, mode: SliceMode = SliceMode.Exclusive
    ) -> tuple[int, int] | None:
        """Find the first and the last index between two positions.

        Parameters
        ----------
        start_position, end_position : float
            In the unit of the dimension.
        mode : SliceMode
            Whether what lies exactly at the end belongs to it.

        Returns
        -------
        tuple of int or None
            Indices of the first and the last member; None if there is none.
        """
        return self._axis().range_indices(float(start_position), float(end_position), mode)

    def __str__(self) -> str:
        return f"{type(self).__name__}: {{index = {self.index}}}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Dimension)
            and self._array == other._array
            and self.index == other.index
        )

    def __hash__(self) -> int:
        return hash((self._array.id, self.index))


class OwnLabel(Dimension):
    """A dimension whose label is its own."""

    @property
    def label(self) -> str | None:
        """What the dimension is; None removes it."""
        return storage.text_of(self._gid, b"label")

    @label.setter
    def label(self, value: str | None) -> None:
        self._set_text(b"label", value, "label")


def checked_ticks(ticks: Any) -> np.ndarray[Any, Any]:
    """Give ticks as float64.

    Raises
    ------
    ValueError
        If they descend, or are no list of numbers.
    """
    array = np.asarray(ticks, np.float64)
    if array.ndim != 1:
        raise ValueError(f"ticks form a list, not an array of the shape {array.shape}")
    if np.any(np.diff(array) < 0):
        raise ValueError("ticks must not descend")
    return array


def checked_labels(labels: Any) -> np.ndarray[Any, Any]:
    """Give labels as an array of text.

    Raises
    ------
    ValueError
        If it is no list, or one is no text.
    """
    if isinstance(labels, str | bytes) or not hasattr(labels, "__len__"):
        raise ValueError(f"labels must be a list of texts, got {labels!r}")
    for each in labels:
        if not isinstance(each, str):
            kind = type(each).__name__
            raise ValueError(f"labels must be texts, got {each!r} ({kind})")  # noqa: TRY004
    return storage.text_array(list(labels)) if len(labels) else np.empty(0, storage.TEXT_DTYPE)


def replace_data(gid: Any, name: bytes, array: np.ndarray[Any, Any]) -> None:
    """Write a data set over one that may exist."""
    did = storage.data_child(gid, name)
    if did is not None:
        is_alike = storage.memory_dtype(did) == array.dtype and did.rank == array.ndim
        if is_alike and storage.can_grow(did):
            storage.write_all(did, array)
            return
        gid.unlink(name)
    storage.create_data_set(gid, name, array.dtype, array.shape, data=array)
