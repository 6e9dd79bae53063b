"""Tags: one region in data arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ephyrus.nix import storage
from ephyrus.nix.base_tag import BaseTag, numbers_of, old_name, whole_view
from ephyrus.nix.data_view import DataView
from ephyrus.nix.dimension_base import replace_data
from ephyrus.nix.enums import LinkType, SliceMode
from ephyrus.nix.exceptions import IncompatibleDimensions
from ephyrus.nix.feature import feature_at
from ephyrus.nix.tagging import reference_at, region_view

__all__ = ["Tag"]


class Tag(BaseTag):
    """One point or region in the data arrays to which it refers: see :meth:`Block.create_tag`."""

    _words = "tag"
    _key = b"tags"

    def _numbers(self, name: bytes) -> tuple[float, ...]:
        did = storage.data_child(self._gid, name)
        return () if did is None else tuple(storage.read_all(did).reshape(-1).tolist())

    def _set_numbers(self, name: bytes, value: Any) -> None:
        array = None if value is None else numbers_of(value, name.decode())
        gid = self._changing()
        if array is not None and array.size:
            replace_data(gid, name, array)
        elif gid.links.exists(name):
            gid.unlink(name)

    @property
    def position(self) -> tuple[float, ...]:
        """Start of the region, one coordinate for each axis; None or () removes it."""
        return self._numbers(b"position")

    @position.setter
    def position(self, value: Sequence[float] | float | None) -> None:
        self._set_numbers(b"position", value)

    @property
    def extent(self) -> tuple[float, ...]:
        """Length of the region on each axis; None or () removes it: the tag is a point."""
        return self._numbers(b"extent")

    @extent.setter
    def extent(self, value: Sequence[float] | float | None) -> None:
        self._set_numbers(b"extent", value)

    def _view(self, array: Any, stop_rule: SliceMode) -> DataView:
        """Give the part of an array that the region covers."""
        position, extent = self.position, self.extent
        if extent and len(extent) != len(position):
            raise IncompatibleDimensions(
                f"the position has {len(position)} coordinates, the extent {len(extent)}",
                f"tag {self.name!r}",
            )
        target = self._target(array, len(position))
        return region_view(target, position, extent or None, stop_rule, is_strict=True)

    def tagged_data(
        self, refidx: int | str, stop_rule: SliceMode = SliceMode.Exclusive
    ) -> DataView:
        """Give the part of a referenced array that the region covers.

        Parameters
        ----------
        refidx : int or str
            Index, name or id of the reference.
        stop_rule : SliceMode
            Whether a sample exactly at the end belongs to it.

        Returns
        -------
        DataView
            Not `valid` if the region holds no sample.

        Raises
        ------
        OutOfBounds
            If there is no such reference, or the region passes the end of the data.
        IncompatibleDimensions
            If extent and position differ in length, or units do not fit.
        """
        return self._view(reference_at(self.references, refidx), stop_rule)

    def feature_data(
        self, featidx: int | str, stop_rule: SliceMode = SliceMode.Exclusive
    ) -> DataView:
        """Give the data of a feature: of a tagged one what the region covers, else all.

        Parameters
        ----------
        featidx : int or str
            Index or id of the feature, or name or id of its data.
        stop_rule : SliceMode
            Whether a sample exactly at the end belongs to the region.

        Returns
        -------
        DataView

        Raises
        ------
        OutOfBounds
            If there is no such feature, or the region passes the end of the data.
        """
        feature = feature_at(self.features, featidx)
        data = feature.data
        if feature.link_type is LinkType.Tagged:
            return self._view(data, stop_rule)
        return whole_view(data)

    def retrieve_data(self, refidx: int | str) -> DataView:
        """Older name of :meth:`tagged_data`."""
        old_name("retrieve_data", "tagged_data")
        return self.tagged_data(refidx)

    def retrieve_feature_data(self, featidx: int | str) -> Any:
        """Older name of :meth:`feature_data`."""
        old_name("retrieve_feature_data", "feature_data")
        return self.feature_data(featidx)
