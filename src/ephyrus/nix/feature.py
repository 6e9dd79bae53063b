"""Features: further data that belong to a tag or to each of its regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ephyrus.nix import storage
from ephyrus.nix.containers import Container
from ephyrus.nix.entity import Entity, stamp_new
from ephyrus.nix.enums import LinkType, member_of
from ephyrus.nix.exceptions import MissingTargetError, OutOfBounds, UnsupportedLinkType
from ephyrus.nix.store import Links
from ephyrus.nix.util import create_id

if TYPE_CHECKING:
    from ephyrus.nix.data_array import DataArray
    from ephyrus.nix.data_frame import DataFrame

__all__ = ["Feature", "FeatureContainer", "LinkType", "create_feature"]


class Feature(Entity):
    """Further data of a tag. Made by ``create_feature`` of a tag or multi tag."""

    _words = "feature"

    @property
    def link_type(self) -> LinkType:
        """How the data belong to the regions of the tag."""
        found: LinkType = member_of(LinkType, self._get_text(b"link_type"))
        return found

    @link_type.setter
    def link_type(self, value: LinkType | str) -> None:
        kind = member_of(LinkType, value)
        _check_kind(self.data, kind)
        self._set_text(b"link_type", kind.value, "link type")

    @property
    def data(self) -> DataArray | DataFrame:
        """The data.

        Raises
        ------
        MissingTargetError
            A RuntimeError: they were deleted.
        """
        found: DataArray | DataFrame | None = feature_data_of(self)
        if found is None:
            raise MissingTargetError(
                f"the data of feature {self.id} of {self._parent} were deleted; set others, or "
                "delete the feature"
            )
        return found

    @data.setter
    def data(self, value: DataArray | DataFrame) -> None:
        target, target_type = _checked_data(self._parent, value)
        _check_kind(target, self.link_type)
        gid = self._changing()
        if gid.links.exists(b"data"):
            gid.unlink(b"data")
        storage.hard_link(gid, b"data", target._gid)
        storage.replace_text(gid, b"target_type", target_type)

    def __str__(self) -> str:
        data = feature_data_of(self)
        name = "deleted" if data is None else data.name
        return f"Feature: {{data = {name}, link_type = {self.link_type}}}"


def feature_data_of(feature: Feature) -> Any:
    """Give the data of a feature; None if they were deleted."""
    from ephyrus.nix.data_array import DataArray
    from ephyrus.nix.data_frame import DataFrame

    gid = storage.group_child(feature._gid, b"data")
    if gid is None:
        return None
    is_frame = feature._get_text(b"target_type") == "DataFrame"
    kind = DataFrame if is_frame else DataArray
    return kind(feature._parent._parent, None, "", gid=gid)


def _checked_data(tag: Any, value: Any) -> tuple[Any, str]:
    """Give the data array or frame of the tag's block that is meant, and its kind."""
    from ephyrus.nix.data_array import DataArray
    from ephyrus.nix.data_frame import DataFrame

    block = tag._parent
    if isinstance(value, str):
        arrays, frames = block.data_arrays, block.data_frames
        value = arrays[value] if value in arrays or value not in frames else frames[value]
    if not isinstance(value, DataArray | DataFrame):
        raise TypeError(f"a feature holds a DataArray or a DataFrame, got {type(value).__name__}")
    kind = "DataArray" if isinstance(value, DataArray) else "DataFrame"
    container = block.data_arrays if kind == "DataArray" else block.data_frames
    if value._store is not tag._store or value not in container:
        raise RuntimeError(f"{value} does not belong to the block of {tag}")
    return value, kind


def _check_kind(data: Any, link_type: LinkType) -> None:
    """Refuse a tagged feature on a data frame: it has no dimensions."""
    if data._words == "data frame" and link_type is LinkType.Tagged:
        raise UnsupportedLinkType("DataFrame", link_type.value)


def create_feature(tag: Any, data: Any, link_type: Any) -> Feature:
    """Make a feature of a tag."""
    kind = member_of(LinkType, link_type)
    target, target_type = _checked_data(tag, data)
    _check_kind(target, kind)
    store = tag._store
    store.check_writable()
    links = tag._made_links(b"features")
    entity_id = create_id()
    with links.creating(entity_id, entity_id) as gid:
        stamp_new(gid, store, entity_id)
        storage.put_text(gid, b"link_type", kind.value)
        storage.put_text(gid, b"target_type", target_type)
        storage.hard_link(gid, b"data", target._gid)
    return Feature(tag, links, entity_id, gid=gid, entity_id=entity_id)


class FeatureContainer(Container[Feature]):
    """The features of a tag: by index, by id, and by the name or id of their data."""

    def __init__(self, owner: Any) -> None:
        super().__init__(owner, b"features", Feature)

    def _link_of_id(self, links: Links, key: str) -> str | None:
        for link in links.names:
            gid = links.open(link)
            data = storage.group_child(gid, b"data")
            if data is None:
                continue
            if key in (storage.text_of(data, b"name"), storage.text_of(data, b"entity_id")):
                return link
        return None

    def _wrap(self, links: Links, link: str, gid: Any = None) -> Feature:
        return Feature(self._owner, links, link, gid=gid, entity_id=link)


def feature_at(features: FeatureContainer, key: Any) -> Feature:
    """Give a feature of a tag by index, id, or the name or id of its data.

    Raises
    ------
    OutOfBounds
        If there are no features, or not so many.
    KeyError
        If none has this id or name.
    """
    if isinstance(key, str):
        return features[key]
    count = len(features)
    if not count:
        raise OutOfBounds("the tag has no features")
    if not -count <= key < count:
        raise OutOfBounds(f"the tag has {count} features, none has this index", key)
    found: Feature = features[key]
    return found
