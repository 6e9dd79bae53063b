"""Block: the top of the object tree, one recording session for instance."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from ephyrus.core.container import ChildList, Container
from ephyrus.core.group import Group
from ephyrus.core.objectlist import ObjectList
from ephyrus.core.segment import Segment

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Block"]


class Block(Container):
    """The top container: segments, and groups of objects across them.

    Parameters
    ----------
    name, description, file_origin : str, optional
        What it is called, what it is, which file it comes from.
    file_datetime : datetime.datetime, optional
        When the file was made.
    rec_datetime : datetime.datetime, optional
        When the recording was made.
    index : int, optional
        Position among other blocks, for instance of the same file.
    **annotations
        Further metadata of simple types.

    Attributes
    ----------
    segments : ObjectList of Segment
        Stretches of the recording; their `block` is this one.
    groups : ObjectList of Group
        Groups of objects that belong together across segments.

    Examples
    --------
    >>> from ephyrus.core import Block, Segment
    >>> block = Block(name="session 1", subject="m07")
    >>> block.segments.append(Segment(name="baseline"))
    >>> block
    <Block 'session 1' with 1 segments>
    """

    _container_child_objects = ("Segment", "Group")
    _recommended_attrs: ClassVar[tuple[Any, ...]] = Segment._recommended_attrs
    _repr_pretty_attrs_keys_ = Segment._repr_pretty_attrs_keys_
    _repr_pretty_containers = ("segments",)

    segments = ChildList(lambda block: ObjectList(Segment, parent=block))
    groups = ChildList(lambda block: ObjectList(Group, parent=block))

    def __init__(
        self,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        file_datetime: datetime | None = None,
        rec_datetime: datetime | None = None,
        index: int | None = None,
        **annotations: Any,
    ) -> None:
        super().__init__(name=name, description=description, file_origin=file_origin, **annotations)
        self.file_datetime = file_datetime
        self.rec_datetime = rec_datetime
        self.index = index

    @property
    def recordingchannelgroups(self) -> list[Group]:
        """Groups that hold signals or views of their channels; use `groups`."""
        _warn_old_name("recordingchannelgroups")
        return [
            group
            for group in self._all_groups()
            if group.analogsignals or group.irregularlysampledsignals or group.channelviews
        ]

    @property
    def units(self) -> list[Group]:
        """Groups that hold spike trains; use `groups`."""
        _warn_old_name("units")
        return [group for group in self._all_groups() if group.spiketrains]

    def _all_groups(self) -> list[Group]:
        return [group for top in self.groups for group in top.walk()]


def _warn_old_name(name: str) -> None:
    warnings.warn(
        f"Block.{name} is an old name: use Block.groups", DeprecationWarning, stacklevel=3
    )
