"""Data arrays: values with unit, label and a description of each axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.nix import interchange, storage
from ephyrus.nix.data_set import DataSet
from ephyrus.nix.data_view import DataView
from ephyrus.nix.dimension_base import checked_labels, checked_ticks, replace_data
from ephyrus.nix.dimension_link import checked_vector, self_vector
from ephyrus.nix.dimensions import (
    Dimension,
    DimensionContainer,
    RangeDimension,
    SampledDimension,
    SetDimension,
)
from ephyrus.nix.entity import as_number
from ephyrus.nix.enums import DataSliceMode, IndexMode
from ephyrus.nix.exceptions import IncompatibleDimensions, InvalidAttrType
from ephyrus.nix.source import SourceLinks
from ephyrus.nix.store import Creation, Links
from ephyrus.nix.util import units

if TYPE_CHECKING:
    from ephyrus.nix.data_frame import DataFrame

__all__ = ["DataArray", "DataSliceMode"]


class DataArray(DataSet):
    """Values of any rank with unit and label; each axis has a dimension that describes it.

    Made by :meth:`Block.create_data_array`. Indexing, iteration and ``numpy.asarray`` read from the
    file and apply the polynomial; assignment writes to the file and does not invert it.
    """

    _words = "data array"

    def _home(self) -> Links:
        return self._parent._made_links(b"data_arrays")  # type: ignore[no-any-return]  # of a block

    # --- attributes ---

    @property
    def unit(self) -> str | None:
        """Unit of the values, written without blanks and with ``u`` for micro; None removes it."""
        return self._get_text(b"unit")

    @unit.setter
    def unit(self, value: str | None) -> None:
        if isinstance(value, str):
            value = units.sanitizer(value) or None
        self._set_text(b"unit", value, "unit")

    @property
    def label(self) -> str | None:
        """What the values are; None removes it."""
        return self._get_text(b"label")

    @label.setter
    def label(self, value: str | None) -> None:
        self._set_text(b"label", value, "label")

    @property
    def expansion_origin(self) -> float | None:
        """Origin of the polynomial; None removes it."""
        return self._get_number(b"expansion_origin")

    @expansion_origin.setter
    def expansion_origin(self, value: float | None) -> None:
        self._set_number(b"expansion_origin", value, "expansion origin")

    @property
    def polynom_coefficients(self) -> tuple[float, ...]:
        """Coefficients c0, c1, ... of the polynomial applied on reading; () removes them."""
        did = storage.data_child(self._gid, b"polynom_coefficients")
        if did is None:
            return ()
        return tuple(storage.read_all(did).reshape(-1).astype(np.float64).tolist())

    @polynom_coefficients.setter
    def polynom_coefficients(self, coefficients: Sequence[float] | None) -> None:
        array = np.asarray(() if coefficients is None else coefficients)
        if array.ndim != 1 or array.dtype.kind not in "iuf":
            raise InvalidAttrType("the coefficients as a list of numbers", coefficients)
        gid = self._changing()
        if array.size:
            replace_data(gid, b"polynom_coefficients", array.astype(np.float64))
        elif gid.links.exists(b"polynom_coefficients"):
            gid.unlink(b"polynom_coefficients")

    def _terms(self) -> tuple[tuple[float, ...], float] | None:
        coefficients, origin = self.polynom_coefficients, self.expansion_origin or 0.0
        if not coefficients and not origin:
            return None
        if storage.memory_dtype(self._did) is storage.TEXT_DTYPE:
            return None
        return coefficients, origin

    @property
    def sources(self) -> SourceLinks:
        """Where the values come from."""
        return SourceLinks(self)

    @property
    def data(self) -> DataArray:
        """The data array itself: older name of what is indexed."""
        return self

    # --- dimensions ---

    @property
    def dimensions(self) -> DimensionContainer:
        """The dimensions, one for each axis."""
        return DimensionContainer(self)

    def iter_dimensions(self) -> Iterator[tuple[int, Dimension]]:
        """Give the pairs of number (the first is 1) and dimension."""
        for dimension in self.dimensions:
            yield dimension.index, dimension

    def delete_dimensions(self) -> bool:
        """Remove all dimensions; gives True."""
        links = self._child_links(b"dimensions")
        if links is not None:
            self._changing()
            for name in list(links.names):
                links.unlink(name)
        return True

    def _new_dimension(self) -> tuple[Creation, int]:
        """Begin to make one more dimension; gives its number too."""
        self._changing()
        links = self._made_links(b"dimensions")
        number = len(links) + 1
        return links.creating(str(number)), number

    def append_sampled_dimension(
        self,
        sampling_interval: float,
        label: str | None = None,
        unit: str | None = None,
        offset: float | None = None,
    ) -> SampledDimension:
        """Describe the next axis: regular samples.

        Parameters
        ----------
        sampling_interval : float
            Distance of two samples, in `unit`.
        label : str, optional
            What the axis is ("time").
        unit : str, optional
            Unit of its positions.
        offset : float, optional
            Position of the first sample, in `unit`; default 0.

        Raises
        ------
        InvalidAttrType
            If the interval or offset is no number, or the label or unit no text.
        """
        interval = as_number(sampling_interval, "sampling interval")
        start = None if offset is None else as_number(offset, "offset")
        texts = _checked_texts(label=label, unit=unit)
        new, number = self._new_dimension()
        with new as gid:
            storage.put_text(gid, b"dimension_type", "sample")
            storage.put_new_number(gid, b"sampling_interval", interval)
            _put_texts(gid, texts)
            if start is not None:
                storage.put_new_number(gid, b"offset", start)
        return SampledDimension(self, gid, number)

    def append_range_dimension(
        self,
        ticks: Sequence[float] | None = None,
        label: str | None = None,
        unit: str | None = None,
    ) -> RangeDimension:
        """Describe the next axis: samples at given positions.

        Parameters
        ----------
        ticks : sequence of float, optional
            Positions in `unit`, not descending.
        label : str, optional
            What the axis is.
        unit : str, optional
            Unit of its positions.

        Raises
        ------
        ValueError
            If the ticks descend.
        """
        array = None if ticks is None else checked_ticks(ticks)
        texts = _checked_texts(label=label, unit=unit)
        new, number = self._new_dimension()
        with new as gid:
            storage.put_text(gid, b"dimension_type", "range")
            if array is not None:
                storage.create_data_set(gid, b"ticks", array.dtype, array.shape, data=array)
            _put_texts(gid, texts)
        return RangeDimension(self, gid, number)

    def append_set_dimension(self, labels: Sequence[str] | None = None) -> SetDimension:
        """Describe the next axis: items with or without labels.

        Raises
        ------
        ValueError
            If a label is no text.
        """
        array = checked_labels(() if labels is None else labels)
        new, number = self._new_dimension()
        with new as gid:
            storage.put_text(gid, b"dimension_type", "set")
            if len(array):
                storage.create_data_set(gid, b"labels", array.dtype, array.shape, data=array)
        return SetDimension(self, gid, number)

    def append_range_dimension_using_self(
        self, index: Sequence[int] | None = None
    ) -> RangeDimension:
        """Describe the next axis by a vector of the values themselves.

        Parameters
        ----------
        index : sequence of int, optional
            One number for each axis: -1 for the axis to take, else an index. Default: the first
            vector along the first axis.

        Raises
        ------
        ValueError
            If not exactly one is -1, or another is negative.
        IncompatibleDimensions
            If there is not one for each axis.
        """
        vector = checked_vector(self, self_vector(len(self.shape)) if index is None else index)
        dimension = self.append_range_dimension()
        dimension.link_data_array(self, vector)
        return dimension

    def append_alias_range_dimension(self) -> RangeDimension:
        """Older name of :meth:`append_range_dimension_using_self`."""
        return self.append_range_dimension_using_self()

    def append_data_frame_dimension(
        self, data_frame: DataFrame, column_idx: int | None = None
    ) -> SetDimension:
        """Describe the next axis by a column of a data frame (default: the first)."""
        dimension = self.append_set_dimension()
        dimension.link_data_frame(data_frame, column_idx or 0)
        return dimension

    # --- parts ---

    def get_slice(
        self,
        positions: Sequence[float],
        extents: Sequence[float] | None = None,
        mode: DataSliceMode = DataSliceMode.Index,
    ) -> DataView:
        """Give a part of the values.

        Parameters
        ----------
        positions : sequence of number
            Start on each axis.
        extents : sequence of number, optional
            Length on each axis; default: the rest of it.
        mode : DataSliceMode
            Whether these are indices or positions in the units of the dimensions.

        Raises
        ------
        IncompatibleDimensions
            If there is not one number for each axis.
        OutOfBounds
            If indices lie outside of the data.
        ValueError
            If the mode is none.
        """
        if mode not in (DataSliceMode.Index, DataSliceMode.Data):
            raise ValueError(f"unknown mode {mode!r}; expected DataSliceMode.Index or .Data")
        rank = len(self.shape)
        for numbers in (positions, extents):
            if numbers is not None and len(numbers) != rank:
                raise IncompatibleDimensions(
                    f"{len(numbers)} numbers for data of rank {rank}", "get_slice"
                )
        if mode is DataSliceMode.Data:
            return self._slice_by_data(positions, extents)
        slices = []
        for number, length in enumerate(self.shape):
            start = int(positions[number])
            stop = length if extents is None else start + int(extents[number])
            slices.append(slice(start, stop))
        return DataView(self, slices)

    def _slice_by_data(
        self, positions: Sequence[float], extents: Sequence[float] | None
    ) -> DataView:
        """Give the part between positions in the units of the dimensions."""
        slices = []
        axes = [dimension._axis() for dimension in self.dimensions]
        if len(axes) < len(self.shape):
            return DataView(self, None, "there are fewer dimensions than axes of the data")
        for number, (axis, length) in enumerate(zip(axes, self.shape, strict=False)):
            position = float(positions[number])
            try:
                start = axis.index_of(position, IndexMode.GreaterOrEqual)
                stop = length
                if extents is not None:
                    stop = axis.index_of(position + float(extents[number]))
            except IndexError as error:
                return DataView(self, None, f"axis {number + 1}: {error}")
            if stop <= start:
                return DataView(self, None, f"axis {number + 1}: no sample in the part")
            slices.append(slice(start, stop))
        return DataView(self, slices)

    def sel(self, *, inclusive: bool = False, **selection: Any) -> DataView:
        """Give a part by positions on named axes.

        Parameters
        ----------
        inclusive : bool
            Whether a sample exactly at a stop belongs to the part.
        **selection : slice or number
            For the label of a dimension (``time``) or ``dim_<number>``: a slice of positions in its
            unit, or one position (the sample at or before it).

        Raises
        ------
        KeyError
            If no dimension has such a label.
        OutOfBounds
            If nothing lies there.

        Examples
        --------
        ``array.sel(time=slice(0.5, 1.5))``
        """
        return interchange.selected(self, selection, inclusive=inclusive)

    def to_xarray(self) -> Any:
        """Give the values (polynomial applied) as an ``xarray.DataArray``.

        Coordinates are the positions of the dimensions; unit, label and ids are attributes. Needs
        the extra ``xarray``.
        """
        return interchange.to_xarray(self)

    def pprint(
        self, indent: int = 2, max_length: int = 120, extra: bool = True, start_depth: int = 0
    ) -> None:
        """Print name, type, shape and, with `extra`, unit and dimensions."""
        from ephyrus.nix.printing import print_data_array

        print_data_array(self, indent, max_length, start_depth, extra=extra)


def _checked_texts(**texts: str | None) -> dict[str, str]:
    """Give the texts that are set, sanitized; refuse what is none."""
    for value in texts.values():
        if value is not None and not isinstance(value, str):
            raise InvalidAttrType("text or None", value)
    if texts.get("unit"):
        texts["unit"] = units.sanitizer(texts["unit"] or "")
    return {name: value for name, value in texts.items() if value}


def _put_texts(gid: Any, texts: dict[str, str]) -> None:
    for name, value in texts.items():
        storage.put_text(gid, name.encode(), value)
