"""The dimensions of data arrays: sampled, range and set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import index as as_index
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.errors import CorruptError
from ephyrus.nix import storage
from ephyrus.nix.axes import RangeAxis, SampledAxis, SetAxis
from ephyrus.nix.dimension_base import (
    Dimension,
    OwnLabel,
    checked_labels,
    checked_ticks,
    replace_data,
)
from ephyrus.nix.dimension_link import find_link, remove_link
from ephyrus.nix.enums import DimensionType, IndexMode, SliceMode
from ephyrus.nix.exceptions import InvalidAttrType
from ephyrus.nix.util import units

if TYPE_CHECKING:
    from ephyrus.nix.data_array import DataArray
    from ephyrus.nix.data_frame import DataFrame

__all__ = [
    "Dimension",
    "DimensionContainer",
    "IndexMode",
    "RangeDimension",
    "SampleDimension",
    "SampledDimension",
    "SetDimension",
    "SliceMode",
]


class SampledDimension(OwnLabel):
    """Regular samples: made by :meth:`DataArray.append_sampled_dimension`."""

    _kind = DimensionType.Sample

    @property
    def sampling_interval(self) -> float:
        """Distance of two samples, in `unit`."""
        found = self._get_number(b"sampling_interval")
        if found is None:
            raise CorruptError(
                self._array._store.path,
                f"dimension {self.index} of data array {self._array.name!r} has no "
                "sampling_interval",
            )
        return found

    @sampling_interval.setter
    def sampling_interval(self, value: float) -> None:
        if value is None:
            raise InvalidAttrType("the sampling interval as a number", value)
        self._set_number(b"sampling_interval", value, "sampling interval")

    @property
    def unit(self) -> str | None:
        """Unit of the positions; None removes it."""
        return storage.text_of(self._gid, b"unit")

    @unit.setter
    def unit(self, value: str | None) -> None:
        if isinstance(value, str):
            value = units.sanitizer(value) or None
        self._set_text(b"unit", value, "unit")

    @property
    def offset(self) -> float | None:
        """Position of the first sample, in `unit`; None (removes it) counts as 0."""
        return self._get_number(b"offset")

    @offset.setter
    def offset(self, value: float | None) -> None:
        self._set_number(b"offset", value, "offset")

    def link_data_array(self, data_array: DataArray, index: Sequence[int]) -> None:
        """Refuse: regular samples need no other data."""
        raise RuntimeError("a SampledDimension cannot be linked to other data")

    def link_data_frame(self, data_frame: DataFrame, index: int) -> None:
        """Refuse: regular samples need no other data."""
        raise RuntimeError("a SampledDimension cannot be linked to other data")

    def _axis(self) -> SampledAxis:
        return SampledAxis(self.sampling_interval, self.offset or 0.0, self.unit, self.label)

    def position_at(self, index: int) -> float:
        """Give the position of a sample: ``index * sampling_interval + offset``."""
        return index * self.sampling_interval + (self.offset or 0.0)

    def index_of(self, position: float, mode: IndexMode = IndexMode.LessOrEqual) -> int:
        """Find the sample for a position.

        A position within 1e-9 samples (and the rounding of the arithmetic) of a sample counts as
        exactly on it.

        Raises
        ------
        IndexError
            If the position lies before the axis (but not for ``GreaterOrEqual``, which gives 0).
        ValueError
            If the mode is none.
        """
        return self._axis().index_of(float(position), mode)

    def axis(
        self, count: int, start: int | None = None, start_position: float | None = None
    ) -> tuple[float, ...]:
        """Give positions of samples.

        Parameters
        ----------
        count : int
            How many.
        start : int, optional
            Index of the first; default 0.
        start_position : float, optional
            Position of the first, in place of `start`.

        Raises
        ------
        ValueError
            If the start is negative, or lies before the offset.
        """
        axis = self._axis()
        if start_position is not None:
            if start_position < axis.offset:
                raise ValueError(
                    f"start position {start_position} lies before the offset {axis.offset}"
                )
            positions = np.arange(count) * axis.interval + start_position
            return tuple(positions.tolist())
        first = 0 if start is None else start
        if first < 0:
            raise ValueError(f"an axis cannot start at index {first}")
        return tuple(axis.positions(first, first + count).tolist())


SampleDimension = SampledDimension


class RangeDimension(Dimension):
    """Samples at given positions: made by :meth:`DataArray.append_range_dimension`."""

    _kind = DimensionType.Range

    @property
    def ticks(self) -> tuple[float, ...]:
        """Positions of the samples, ascending; setting them drops a link."""
        return tuple(self._ticks().tolist())

    @ticks.setter
    def ticks(self, ticks: Sequence[float]) -> None:
        array = checked_ticks(ticks)
        remove_link(self)
        replace_data(self._changing(), b"ticks", array)

    def _ticks(self) -> np.ndarray[Any, Any]:
        link = find_link(self)
        if link is not None:
            return np.asarray(link.values)
        did = storage.data_child(self._gid, b"ticks")
        if did is None:
            return np.empty(0)
        return storage.read_all(did).reshape(-1)

    @property
    def is_alias(self) -> bool:
        """Whether the ticks are values of a data array."""
        link = find_link(self)
        return link is not None and link.is_array()

    def _through(self, name: str) -> str | None:
        """Read unit or label: own, or those of the linked data."""
        link = find_link(self)
        if link is None:
            return storage.text_of(self._gid, name.encode())
        value: str | None = getattr(link, name)
        return value

    def _set_through(self, name: str, value: Any) -> None:
        link = find_link(self)
        if link is None:
            self._set_text(name.encode(), value, name)
        elif link.is_array():
            setattr(link.linked_data, name, value)
        else:
            raise RuntimeError(
                f"the {name} of a dimension that is linked to a data frame is that of the column"
            )

    @property
    def unit(self) -> str | None:
        """Unit of the ticks; of a linked dimension that of the data. None removes it."""
        return self._through("unit")

    @unit.setter
    def unit(self, value: str | None) -> None:
        if isinstance(value, str):
            value = units.sanitizer(value) or None
        self._set_through("unit", value)

    @property
    def label(self) -> str | None:
        """What the dimension is; of a linked dimension that of the data. None removes it."""
        return self._through("label")

    @label.setter
    def label(self, value: str | None) -> None:
        self._set_through("label", value)

    def _axis(self) -> RangeAxis:
        return RangeAxis(self._ticks(), self.unit, self.label)

    def index_of(
        self,
        position: float,
        mode: IndexMode = IndexMode.LessOrEqual,
        ticks: Sequence[float] | None = None,
    ) -> int:
        """Find the tick for a position.

        Parameters
        ----------
        position : float
            In `unit`.
        mode : IndexMode
            Which tick to take where it lies between two.
        ticks : sequence of float, optional
            The ticks, if they were read already.

        Raises
        ------
        IndexError
            If there is no such tick.
        """
        values = self._ticks() if ticks is None else np.asarray(ticks)
        return RangeAxis(values).index_of(position, mode)

    def tick_at(self, index: int) -> float:
        """Give one tick.

        Raises
        ------
        IndexError
            If there is none.
        """
        values = self._ticks()
        if not -len(values) <= index < len(values):
            raise IndexError(f"there are {len(values)} ticks, none has the index {index}")
        return float(values[index])

    def axis(self, count: int, start: int = 0) -> tuple[float, ...]:
        """Give `count` ticks from index `start` on.

        Raises
        ------
        IndexError
            If there are not so many.
        """
        values = self._ticks()
        if start < 0 or start + count > len(values):
            raise IndexError(f"there are {len(values)} ticks, not {count} from index {start} on")
        return tuple(values[start : start + count].tolist())


class SetDimension(OwnLabel):
    """Items with or without labels: made by :meth:`DataArray.append_set_dimension`."""

    _kind = DimensionType.Set

    @property
    def label(self) -> str | None:
        """What the dimension is; of a linked dimension that of the data. None removes it."""
        link = find_link(self)
        return storage.text_of(self._gid, b"label") if link is None else link.label

    @label.setter
    def label(self, value: str | None) -> None:
        self._set_text(b"label", value, "label")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the items; None or an empty list removes them."""
        link = find_link(self)
        if link is not None:
            return tuple(str(each) for each in np.asarray(link.values).reshape(-1).tolist())
        did = storage.data_child(self._gid, b"labels")
        return () if did is None else tuple(storage.read_all(did).reshape(-1).tolist())

    @labels.setter
    def labels(self, labels: Sequence[str] | None) -> None:
        if find_link(self) is not None:
            raise RuntimeError(
                f"the labels of dimension {self.index} come from its link; remove it first"
            )
        array = checked_labels(() if labels is None else labels)
        gid = self._changing()
        if len(array):
            replace_data(gid, b"labels", array)
        elif gid.links.exists(b"labels"):
            gid.unlink(b"labels")

    def _axis(self) -> SetAxis:
        return SetAxis(self.labels, self.label)

    def index_of(
        self,
        position: float,
        mode: IndexMode = IndexMode.LessOrEqual,
        dim_labels: Sequence[str] | None = None,
    ) -> int:
        """Find the item for a position, which is its index; `dim_labels` if they were read already.

        Raises
        ------
        IndexError
            If there is no such item; without labels the axis has no upper end.
        """
        labels = self.labels if dim_labels is None else tuple(dim_labels)
        return SetAxis(labels).index_of(position, mode)


_KINDS: dict[str, type[Dimension]] = {
    "sample": SampledDimension,
    "range": RangeDimension,
    "set": SetDimension,
    "data_frame": SetDimension,
}


class DimensionContainer:
    """The dimensions of a data array, in their order."""

    def __init__(self, array: DataArray) -> None:
        self._array = array

    def _names(self) -> list[str]:
        links = self._array._child_links(b"dimensions")
        if links is None:
            return []
        return sorted(
            (name for name in links.names if name.isascii() and name.isdecimal()), key=int
        )

    def _wrap(self, name: str) -> Dimension:
        links = self._array._child_links(b"dimensions")
        if links is None:
            raise KeyError(name)
        gid = links.open(name)
        stored = storage.text_of(gid, b"dimension_type")
        if stored not in _KINDS:
            raise CorruptError(
                self._array._store.path,
                f"dimension {name} of data array {self._array.name!r} has the unknown type "
                f"{stored!r}; expected one of {', '.join(_KINDS)}",
            )
        return _KINDS[stored](self._array, gid, int(name))

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[Dimension]:
        for name in self._names():
            yield self._wrap(name)

    def __getitem__(self, key: Any) -> Any:
        names = self._names()
        if isinstance(key, slice):
            return [self._wrap(name) for name in names[key]]
        try:
            position = as_index(key)
        except TypeError:
            raise TypeError(f"a dimension is found by its index, not by {key!r}") from None
        if not -len(names) <= position < len(names):
            raise IndexError(f"there are {len(names)} dimensions, none has the index {position}")
        return self._wrap(names[position])

    def __contains__(self, key: object) -> bool:
        return any(each == key for each in self)

    def __str__(self) -> str:
        return "[" + ", ".join(map(str, self)) + "]"

    __repr__ = __str__
