"""Multi tags: many regions in data arrays."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index as as_index
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.nix import storage
from ephyrus.nix.base_tag import BaseTag, old_name, whole_view
from ephyrus.nix.data_view import DataView
from ephyrus.nix.enums import LinkType, SliceMode
from ephyrus.nix.exceptions import IncompatibleDimensions, MissingTargetError, OutOfBounds
from ephyrus.nix.feature import feature_at
from ephyrus.nix.tagging import Regions, checked_rule, find_regions, region_view, rows_of

if TYPE_CHECKING:
    from ephyrus.nix.data_array import DataArray

__all__ = ["MultiTag"]

Selection = slice | Iterable[int] | None


class MultiTag(BaseTag):
    """Many points or regions in the data arrays to which it refers.

    Made by :meth:`Block.create_multi_tag`.
    """

    _words = "multi tag"
    _key = b"multi_tags"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rows: tuple[NDArray[Any], NDArray[Any] | None] | None = None
        self._rows_at = -1

    # --- positions and extents ---

    def _linked_array(self, name: bytes) -> DataArray | None:
        from ephyrus.nix.data_array import DataArray

        gid = storage.group_child(self._gid, name)
        return None if gid is None else DataArray(self._parent, None, "", gid=gid)

    def _link_array(self, name: str, value: Any) -> None:
        """Set a link to a data array of the block."""
        array = checked_array(self._parent, value, name)
        gid = self._changing()
        if gid.links.exists(name.encode()):
            gid.unlink(name.encode())
        storage.hard_link(gid, name.encode(), array._gid)

    @property
    def positions(self) -> DataArray:
        """Data array with the starts of the regions: (n,), or (n, d) for d coordinates.

        Raises
        ------
        MissingTargetError
            A RuntimeError: it was deleted.
        """
        found = self._linked_array(b"positions")
        if found is None:
            raise MissingTargetError(
                f"the positions of multi tag {self.name!r} were deleted; set others"
            )
        return found

    @positions.setter
    def positions(self, value: DataArray) -> None:
        self._link_array("positions", value)

    @property
    def extents(self) -> DataArray | None:
        """Data array with the lengths of the regions, of the same shape; None removes it."""
        return self._linked_array(b"extents")

    @extents.setter
    def extents(self, value: DataArray | None) -> None:
        if value is not None:
            self._link_array("extents", value)
            return
        gid = self._changing()
        if gid.links.exists(b"extents"):
            gid.unlink(b"extents")

    def _regions(self) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Read all positions and extents; kept until something in the file is changed by us."""
        if self._rows is None or self._rows_at != self._store.edits:
            positions, extents = self._checked_arrays()
            rows = rows_of(positions[()], 1)
            self._rows = rows, None if extents is None else rows_of(extents[()], 1)
            self._rows_at = self._store.edits
        return self._rows

    def _checked_arrays(self) -> tuple[DataArray, DataArray | None]:
        positions, extents = self.positions, self.extents
        if extents is not None and extents.shape != positions.shape:
            raise IncompatibleDimensions(
                f"positions have the shape {positions.shape}, extents {extents.shape}",
                f"multi tag {self.name!r}",
            )
        return positions, extents

    def _region(self, posidx: int) -> tuple[list[float], list[float] | None]:
        """Give position and extent of one region.

        The first time after a change only that row is read: else writing and reading in turn would
        read everything each time.
        """
        if self._rows is not None and self._rows_at == self._store.edits:
            rows, lengths = self._rows
            place = _row_number(posidx, len(rows), self.name)
            return rows[place].tolist(), None if lengths is None else lengths[place].tolist()
        if self._rows_at != self._store.edits:
            self._rows, self._rows_at = None, self._store.edits
            positions, extents = self._checked_arrays()
            place = _row_number(posidx, len(positions), self.name)
            row = positions[place : place + 1].reshape(-1).tolist()
            if extents is None:
                return row, None
            return row, extents[place : place + 1].reshape(-1).tolist()
        self._regions()
        return self._region(posidx)

    # --- regions ---

    def _view(self, refidx: int | str, posidx: int, stop_rule: SliceMode) -> DataView:
        """Give the part of a reference that a region covers."""
        position, extent = self._region(posidx)
        target = self._reference_target(refidx, len(position))
        return region_view(target, position, extent, stop_rule, is_strict=False)

    def tagged_data(
        self,
        posidx: int | slice | Iterable[int] | None,
        refidx: int | str,
        stop_rule: SliceMode = SliceMode.Exclusive,
    ) -> Any:
        """Give the part of a referenced array that a region covers, or the parts of many.

        Parameters
        ----------
        posidx : int, or slice, list of int or None
            Index of the region; a slice, list or mask for several, None for all.
        refidx : int or str
            Index, name or id of the reference.
        stop_rule : SliceMode
            Whether a sample exactly at the end belongs to the region.

        Returns
        -------
        DataView or list of DataView
            Not `valid` where the region holds no sample or passes the end of the data.

        Raises
        ------
        OutOfBounds
            If there is no such region or reference.
        IncompatibleDimensions
            If extents and positions differ in shape, or units do not fit.
        """
        if isinstance(posidx, int | np.integer):
            return self._view(refidx, int(posidx), stop_rule)
        return self._many(refidx, posidx, stop_rule).views()

    def read_tagged(
        self,
        refidx: int | str,
        selection: Selection = None,
        *,
        stop_rule: SliceMode = SliceMode.Exclusive,
    ) -> list[NDArray[Any]]:
        """Read many regions of a referenced array in one call.

        Positions, extents, units and dimensions are read once, and regions that lie close to each
        other with one read of the file.

        Parameters
        ----------
        refidx : int or str
            Index, name or id of the reference.
        selection : slice or list of int, optional
            Which regions; a mask of bools chooses those where it is true. Default all.
        stop_rule : SliceMode
            Whether a sample exactly at the end belongs to the region.

        Returns
        -------
        list of ndarray
            The values of each region, polynomial applied; empty where it holds no sample. To
            change one changes no other; short ones of one read keep each other in memory.
        """
        return self._many(refidx, selection, stop_rule).read()

    def _many(self, refidx: Any, selection: Selection, stop_rule: SliceMode) -> Regions:
        """Find several regions in a reference."""
        checked_rule(stop_rule)
        rows, lengths = self._regions()
        target = self._reference_target(refidx, rows.shape[1])
        if isinstance(selection, slice):
            rows = rows[selection]
            lengths = None if lengths is None else lengths[selection]
        elif selection is not None:
            numbers = _row_numbers(selection, len(rows), self.name)
            rows = rows[numbers]
            lengths = None if lengths is None else lengths[numbers]
        return find_regions(target, rows, lengths, stop_rule)

    def feature_data(
        self, posidx: int, featidx: int | str, stop_rule: SliceMode = SliceMode.Exclusive
    ) -> DataView:
        """Give the data of a feature for one region.

        Parameters
        ----------
        posidx : int
            Index of the region.
        featidx : int or str
            Index or id of the feature, or name or id of its data.
        stop_rule : SliceMode
            Whether a sample exactly at the end belongs to the region.

        Returns
        -------
        DataView
            Of a tagged feature what the region covers, of an indexed one its item `posidx` (of
            length 1 on the first axis), of an untagged one all.

        Raises
        ------
        OutOfBounds
            If there is no such region or feature, or no data for the region.
        """
        feature = feature_at(self.features, featidx)
        data: Any = feature.data
        if feature.link_type is LinkType.Tagged:
            position, extent = self._region(posidx)
            target = self._target(data, len(position))
            view = region_view(target, position, extent, stop_rule, is_strict=False)
            if not view.valid and "passes the end" in view.debug_message:
                raise OutOfBounds(view.debug_message)
            return view
        if feature.link_type is LinkType.Untagged:
            return whole_view(data)
        count = len(data)
        if not -count <= posidx < count:
            raise OutOfBounds(f"the data of the feature have {count} items, none for", posidx)
        place = posidx % count
        rest = [slice(0, length) for length in data.shape[1:]]
        return DataView(data, [slice(place, place + 1), *rest])

    def retrieve_data(self, posidx: int, refidx: int | str) -> Any:
        """Older name of :meth:`tagged_data`."""
        old_name("retrieve_data", "tagged_data")
        return self.tagged_data(posidx, refidx)

    def retrieve_feature_data(self, posidx: int, featidx: int | str) -> Any:
        """Older name of :meth:`feature_data`."""
        old_name("retrieve_feature_data", "feature_data")
        return self.feature_data(posidx, featidx)


def checked_array(block: Any, value: Any, what: str) -> DataArray:
    """Give a data array of the block, or the one with this name or id.

    Raises
    ------
    TypeError
        If it is none.
    RuntimeError
        If it is in another block or file.
    """
    from ephyrus.nix.data_array import DataArray

    if isinstance(value, str):
        value = block.data_arrays[value]
    if not isinstance(value, DataArray):
        raise TypeError(f"{what} must be a DataArray, got {type(value).__name__}")
    if value._store is not block._store or value not in block.data_arrays:
        raise RuntimeError(f"data array {value.name!r} does not belong to the block {block.name!r}")
    return value


def _row_numbers(selection: Any, count: int, name: str) -> list[int]:
    """Give the numbers of the regions that are chosen by a list of indices, or by a mask."""
    if isinstance(selection, str) or not isinstance(selection, Iterable):
        raise TypeError(
            "regions are chosen by an index, a list of indices, a mask, a slice or None, "
            f"not by {selection!r}"
        )
    chosen = list(selection)
    if not chosen or not all(isinstance(each, bool | np.bool_) for each in chosen):
        return [_row_number(as_index(each), count, name) for each in chosen]
    if len(chosen) != count:
        raise OutOfBounds(f"multi tag {name!r} has {count} regions, the mask {len(chosen)} items")
    return [number for number, is_chosen in enumerate(chosen) if is_chosen]


def _row_number(posidx: int, count: int, name: str) -> int:
    if not -count <= posidx < count:
        raise OutOfBounds(f"multi tag {name!r} has {count} regions, none has this index", posidx)
    return posidx % count
