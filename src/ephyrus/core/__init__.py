"""The object model: containers and data objects in physical units.

A `Block` holds `Segment` objects, a segment holds data on one time axis, a `Group` ties
objects together across segments. Data objects are arrays with units (`quantities`), and may be
lazy: complete but for the data, which `load()` reads.

`objectlist` is the list of all classes (the module of that name holds `ObjectList`),
`objectnames` are their names, `class_by_name` finds one.
"""

from __future__ import annotations

from ephyrus.core import filters
from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.baseneo import BaseNeo
from ephyrus.core.block import Block
from ephyrus.core.epoch import Epoch
from ephyrus.core.event import Event
from ephyrus.core.group import Group
from ephyrus.core.imagesequence import ImageSequence
from ephyrus.core.irregularlysampledsignal import IrregularlySampledSignal
from ephyrus.core.regionofinterest import (
    CircularRegionOfInterest,
    PolygonRegionOfInterest,
    RectangularRegionOfInterest,
)
from ephyrus.core.segment import Segment
from ephyrus.core.spiketrain import SpikeTrain
from ephyrus.core.view import ChannelView
from ephyrus.errors import NeoReadWriteError

__all__ = [
    "AnalogSignal",
    "Block",
    "ChannelView",
    "CircularRegionOfInterest",
    "Epoch",
    "Event",
    "Group",
    "ImageSequence",
    "IrregularlySampledSignal",
    "NeoReadWriteError",
    "PolygonRegionOfInterest",
    "RectangularRegionOfInterest",
    "Segment",
    "SpikeTrain",
    "class_by_name",
    "filters",
    "objectlist",
    "objectnames",
]

# This name is also that of a submodule, which the imports above have loaded: the list wins.
objectlist: list[type[BaseNeo]] = [
    Block,
    Segment,
    Group,
    AnalogSignal,
    IrregularlySampledSignal,
    ChannelView,
    Event,
    Epoch,
    SpikeTrain,
    ImageSequence,
    RectangularRegionOfInterest,
    CircularRegionOfInterest,
    PolygonRegionOfInterest,
]
objectnames: list[str] = [cls.__name__ for cls in objectlist]
class_by_name: dict[str, type[BaseNeo]] = dict(zip(objectnames, objectlist, strict=True))
