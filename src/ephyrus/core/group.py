"""Group: objects that belong together, across segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.baseneo import BaseNeo
from ephyrus.core.container import ChildList, Container, list_name
from ephyrus.core.epoch import Epoch
from ephyrus.core.event import Event
from ephyrus.core.imagesequence import ImageSequence
from ephyrus.core.irregularlysampledsignal import IrregularlySampledSignal
from ephyrus.core.objectlist import ObjectList
from ephyrus.core.regionofinterest import RegionOfInterest
from ephyrus.core.segment import Segment
from ephyrus.core.spiketrainlist import SpikeTrainList
from ephyrus.core.view import ChannelView

__all__ = ["Group"]


class Group(Container):
    """A set of objects that belong together: the signals and spikes of one electrode, ...

    Members stay where they are: their `segment` is untouched, and the same object may be
    in several groups.

    Parameters
    ----------
    objects : iterable of BaseNeo, optional
        First members, sorted into the lists by their classes.
    name, description, file_origin : str, optional
        What it is called, what it is, where it comes from.
    allowed_types : type or iterable of type, optional
        Classes to which `add` is to be limited.
    **annotations
        Further metadata of simple types.

    Attributes
    ----------
    analogsignals, irregularlysampledsignals, events, epochs : ObjectList
        Members by class; so also `channelviews`, `imagesequences`, `segments`.
    spiketrains : SpikeTrainList
    regionsofinterest : ObjectList
        Rectangles, circles and polygons.
    groups : ObjectList of Group
        Groups within this one.

    Raises
    ------
    TypeError
        If `allowed_types` names a class that cannot be in a group, or one of `objects`
        is of a class that is not allowed.
    """

    _parent_objects = ("Block",)
    _parent_attrs = ("block",)
    _container_child_objects = ("Group",)
    _data_child_objects = (
        "AnalogSignal",
        "IrregularlySampledSignal",
        "SpikeTrain",
        "Event",
        "Epoch",
        "ChannelView",
        "ImageSequence",
        "CircularRegionOfInterest",
        "RectangularRegionOfInterest",
        "PolygonRegionOfInterest",
    )
    allowed_types: tuple[type[BaseNeo], ...] | None
    _repr_pretty_containers: ClassVar[tuple[str, ...]] = ()

    analogsignals = ChildList(lambda _: ObjectList(AnalogSignal))
    irregularlysampledsignals = ChildList(lambda _: ObjectList(IrregularlySampledSignal))
    spiketrains = ChildList(lambda _: SpikeTrainList())
    events = ChildList(lambda _: ObjectList(Event))
    epochs = ChildList(lambda _: ObjectList(Epoch))
    channelviews = ChildList(lambda _: ObjectList(ChannelView))
    imagesequences = ChildList(lambda _: ObjectList(ImageSequence))
    regionsofinterest = ChildList(lambda _: ObjectList(RegionOfInterest))
    segments = ChildList(lambda _: ObjectList(Segment))
    groups = ChildList(lambda _: ObjectList(Group))

    def __init__(
        self,
        objects: Iterable[BaseNeo] | None = None,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        allowed_types: type[BaseNeo] | Iterable[type[BaseNeo]] | None = None,
        **annotations: Any,
    ) -> None:
        super().__init__(name=name, description=description, file_origin=file_origin, **annotations)
        self.block: Any = None
        self.allowed_types = None if allowed_types is None else self._checked_types(allowed_types)
        if objects is not None:
            self.add(*objects)

    def _checked_types(
        self, allowed_types: type[BaseNeo] | Iterable[type[BaseNeo]]
    ) -> tuple[type[BaseNeo], ...]:
        types = (allowed_types,) if isinstance(allowed_types, type) else tuple(allowed_types)
        lists = set(self._all_lists)
        for cls in types:
            bases = cls.__mro__ if isinstance(cls, type) else ()
            if not any(list_name(base.__name__) in lists for base in bases):
                name = cls.__name__ if isinstance(cls, type) else repr(cls)
                raise TypeError(f"a Group cannot contain objects of type {name} (allowed_types)")
        return types

    def _list_for(self, obj: Any) -> ObjectList[Any]:
        found = super()._list_for(obj)
        stands_for = getattr(obj, "proxy_for", None) or type(obj)
        if self.allowed_types is not None and not issubclass(stands_for, self.allowed_types):
            allowed = ", ".join(cls.__name__ for cls in self.allowed_types)
            raise TypeError(
                f"this Group can only contain {allowed} (allowed_types), not {type(obj).__name__}"
            )
        return found

    def _merge_data(self, *_: Any) -> bool:
        """Members belong to their segments: a group lists them and never joins them."""
        return False

    def walk(self) -> Iterator[Group]:
        """Yield this group, then depth first the groups in it.

        Yields
        ------
        Group
        """
        yield self
        for group in self.groups:
            yield from group.walk()
