"""What tags and multi tags have in common."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.nix import storage
from ephyrus.nix.containers import LinkContainer
from ephyrus.nix.data_view import DataView
from ephyrus.nix.dimension_base import replace_data
from ephyrus.nix.entity import EntityWithMetadata
from ephyrus.nix.exceptions import InvalidAttrType
from ephyrus.nix.feature import Feature, FeatureContainer, create_feature
from ephyrus.nix.source import SourceLinks
from ephyrus.nix.store import Links
from ephyrus.nix.tagging import Target, reference_at, target_of
from ephyrus.nix.util import units

if TYPE_CHECKING:
    from ephyrus.nix.data_array import DataArray

__all__ = ["BaseTag", "whole_view"]


class BaseTag(EntityWithMetadata):
    """Regions in data arrays, with units and features."""

    _key: bytes  # of the container in the block

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._targets: dict[tuple[int | str, int], Target] = {}
        self._targets_at = -1

    def _home(self) -> Links:
        return self._parent._made_links(self._key)  # type: ignore[no-any-return]  # of a block

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the coordinates; None or an empty list removes them."""
        did = storage.data_child(self._gid, b"units")
        return () if did is None else tuple(storage.read_all(did).reshape(-1).tolist())

    @units.setter
    def units(self, value: Sequence[str] | None) -> None:
        if isinstance(value, str) or (value is not None and not hasattr(value, "__iter__")):
            raise InvalidAttrType("the units as a list of texts or None", value)
        clean = []
        for unit in value or ():
            if not isinstance(unit, str):
                raise InvalidAttrType("a unit as text", unit)
            clean.append(units.sanitizer(unit))
        gid = self._changing()
        if clean:
            replace_data(gid, b"units", storage.text_array(clean))
        elif gid.links.exists(b"units"):
            gid.unlink(b"units")

    @property
    def references(self) -> LinkContainer[DataArray]:
        """The data arrays in which the regions are."""
        from ephyrus.nix.data_array import DataArray

        block = self._parent
        return LinkContainer(
            self,
            b"references",
            DataArray,
            lambda key: find_in(block.data_arrays, key),
            lambda: block,
        )

    @property
    def features(self) -> FeatureContainer:
        """Further data of the regions."""
        return FeatureContainer(self)

    @property
    def sources(self) -> SourceLinks:
        """Where the regions come from."""
        return SourceLinks(self)

    def create_feature(self, data: Any, link_type: Any) -> Feature:
        """Add further data to the regions.

        Parameters
        ----------
        data : DataArray, DataFrame or str
            Of the same block; a name or id is looked up there.
        link_type : LinkType or str
            How they belong to the regions.

        Raises
        ------
        RuntimeError
            If the data are not in the block.
        TypeError
            If they are no data.
        ValueError
            If there is no such link type.
        UnsupportedLinkType
            If a data frame is to be tagged: it has no dimensions.
        """
        return create_feature(self, data, link_type)

    def _target(self, array: DataArray, rank: int) -> Target:
        """Read the axes of an array; kept until something in the file is changed by us."""
        if self._targets_at != self._store.edits:
            self._targets.clear()
            self._targets_at = self._store.edits
        key = array.id, rank
        found = self._targets.get(key)
        if found is None:
            found = self._targets[key] = target_of(array, self.units, rank)
        return found

    def _reference_target(self, refidx: int | str, rank: int) -> Target:
        """Read the axes of a reference; kept as :meth:`_target` keeps them."""
        key = refidx, rank
        if self._targets_at == self._store.edits and key in self._targets:
            self._store.check_open()
            return self._targets[key]
        found = self._target(reference_at(self.references, refidx), rank)
        self._targets[key] = found
        return found


def find_in(container: Any, key: str) -> Any:
    """Give an entity of a container by name or id, or None."""
    try:
        return container[key]
    except KeyError:
        return None


def whole_view(array: Any) -> DataView:
    """Give all values of a data array, or all rows of a data frame, as a view."""
    return DataView(array, [slice(0, length) for length in array.shape])


def old_name(old: str, new: str) -> None:
    """Warn of a name of the published tutorials that has a successor."""
    warnings.warn(f"{old} is the older name of {new}", DeprecationWarning, stacklevel=3)


def numbers_of(value: Any, what: str) -> np.ndarray[Any, Any]:
    """Give a position or extent as a list of float64; a single number as a list of one.

    Raises
    ------
    InvalidAttrType
        If it is no number or list of numbers.
    """
    array = np.asarray(value)
    if array.ndim > 1 or array.dtype.kind not in "biuf":
        raise InvalidAttrType(f"the {what} as a number or a list of numbers", value)
    return array.astype(np.float64).reshape(-1)
