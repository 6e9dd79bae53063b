"""What objects hold, in a few words each; the tree below a container as text.

Nothing is loaded: deferred items are counted, lazy objects tell their metadata, and trains in
multiplexed form stay so. Trees are cut where they get long.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np
import quantities as pq

from ephyrus._shared.words import counted, one_line_text
from ephyrus.core._deferred import Deferred
from ephyrus.core._labels import LabelledPoints
from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.baseneo import BaseNeo
from ephyrus.core.container import Container
from ephyrus.core.epoch import Epoch
from ephyrus.core.imagesequence import ImageSequence
from ephyrus.core.irregularlysampledsignal import IrregularlySampledSignal
from ephyrus.core.objectlist import ObjectList
from ephyrus.core.regionofinterest import RegionOfInterest
from ephyrus.core.segment import Segment
from ephyrus.core.spiketrain import SpikeTrain
from ephyrus.core.spiketrainlist import SpikeTrainList
from ephyrus.core.units import quantity, seconds
from ephyrus.core.view import ChannelView

__all__ = ["Node", "annotation_text", "describe", "facts", "heading", "limits_of", "tree"]

Facts = list[tuple[str, str]]

#: facts that are named where they are told in a line
WORDED = frozenset({"Labels", "Recorded", "Waveforms"})
#: what the objects of each child list are called
NOUNS = {
    "segments": "Segment",
    "groups": "Group",
    "analogsignals": "AnalogSignal",
    "irregularlysampledsignals": "IrregularlySampledSignal",
    "spiketrains": "SpikeTrain",
    "events": "Event",
    "epochs": "Epoch",
    "imagesequences": "ImageSequence",
    "channelviews": "ChannelView",
    "regionsofinterest": "region of interest",
}
LONGEST_NAME = 60  # letters of a name, a label or an annotation
MOST_LABELS = 3  # labels that are named
MOST_LOOKED_AT = 10_000  # labels that are looked at for these
MOST_CHANNELS = 8  # channels of a view that are named


@dataclass(slots=True)
class Node:
    """One line of a tree.

    Attributes
    ----------
    title : str
        Class and name, or what is said in place of objects.
    facts : list of (str, str)
        What is told about it: names and texts.
    annotations : list of (str, str)
        Those of the object, where they are asked for.
    children : list of Node
    """

    title: str
    facts: Facts = field(default_factory=list)
    annotations: Facts = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def told(self) -> str:
        """The facts in a line; those that do not speak for themselves with their names."""
        return ", ".join(
            f"{name.lower()} {text}" if name in WORDED else text for name, text in self.facts
        )


class _Budget:
    """How much of a tree may still be told."""

    def __init__(self, most_items: int, most_lines: int, *, annotations: bool) -> None:
        for name, value in (("max_items", most_items), ("max_lines", most_lines)):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, not {value}")
        self.most_items = most_items
        self.left = most_lines
        self.annotations = annotations
        self.above: list[Container] = []  # from the top down to what is told now

    def spend(self) -> bool:
        """Take one line, and tell whether there was one."""
        self.left -= 1
        return self.left >= 0


def describe(container: Container, max_items: int, max_lines: int, annotations: bool) -> str:
    """Give the tree below a container as text; see `Container.describe`."""
    top = tree(container, max_items, max_lines, annotations=annotations)
    return "\n".join(_lines(top, "", ""))


def _lines(node: Node, first: str, rest: str) -> Iterator[str]:
    """Yield the lines of a node and of those below it, with the branches of the tree."""
    yield f"{first}{node.title}{': ' if node.facts else ''}{node.told}"
    inner = "│    " if node.children else "     "
    for name, value in node.annotations:
        yield f"{rest}{inner}{name} = {value}"
    for child in node.children:
        is_last = child is node.children[-1]
        yield from _lines(
            child, rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  ")
        )


def tree(container: Container, max_items: int, max_lines: int, *, annotations: bool) -> Node:
    """Give the tree below a container.

    Parameters
    ----------
    container : Container
    max_items : int
        Most objects of each list that are told one by one.
    max_lines : int
        Most nodes.
    annotations : bool
        Whether to give the annotations of each object.

    Raises
    ------
    ValueError
        If a number is below 1.
    """
    budget = _Budget(max_items, max_lines, annotations=annotations)
    budget.spend()
    return _node(container, budget)


def _node(obj: BaseNeo, budget: _Budget) -> Node:
    """Describe an object and what is below it, while the budget lasts."""
    node = Node(heading(obj), facts(obj), _annotations(obj, budget) if budget.annotations else [])
    if not isinstance(obj, Container):
        return node
    if any(obj is each for each in budget.above):
        node.facts.append(("Note", "see above"))
        return node
    budget.above.append(obj)
    for name in obj._all_lists:
        own = obj._lists.get(name)
        if own:
            _add_list(node, own, name, budget)
    budget.above.pop()
    return node


def _annotations(obj: BaseNeo, budget: _Budget) -> Facts:
    """Give the first annotations of an object, and the names of its array annotations."""
    most = budget.most_items
    items = list(obj.annotations.items())
    told = [(_short(name), annotation_text(value)) for name, value in items[:most]]
    if len(items) > most:
        told.append(("…", f"{len(items) - most:,} more"))
    arrays = list(getattr(obj, "_array_annotations", None) or ())  # of lazy objects: what is known
    if arrays:
        more = ", …" if len(arrays) > most else ""
        told.append(("array annotations", ", ".join(map(_short, arrays[:most])) + more))
    return told


def _add_list(node: Node, own: ObjectList[Any], name: str, budget: _Budget) -> None:
    """Add the first objects of a child list, and the number of those that are not told."""
    if isinstance(own, SpikeTrainList) and own._untouched() is not None:
        _add_note(node, _multiplexed_text(own), budget)
        return
    shown = own._items[: budget.most_items]
    unread = sum(type(item) is Deferred for item in shown)
    for item in shown:
        if type(item) is Deferred:
            continue
        if not budget.spend():
            _end(node, budget)
            return
        node.children.append(_node(item, budget))
    if unread:
        _add_note(node, f"{counted(unread, NOUNS[name])} not loaded", budget)
    more = len(own) - len(shown)
    if more:
        _add_note(node, f"and {counted(more, f'more {NOUNS[name]}')}", budget)


def _add_note(node: Node, text: str, budget: _Budget) -> None:
    if budget.spend():
        node.children.append(Node(text))
    else:
        _end(node, budget)


def _end(node: Node, budget: _Budget) -> None:
    """Say once that the tree goes on."""
    if budget.left == -1:
        node.children.append(Node("and more: raise max_lines, or describe a part"))


def _multiplexed_text(trains: SpikeTrainList) -> str:
    """Count trains that are all in two arrays."""
    origin: Any = trains._untouched()
    start, stop = (_number_text(limit) for limit in origin.extent)
    return (
        f"{counted(len(origin.channels), 'spike train')} with {counted(len(origin.times), 'spike')}"
        f" in multiplexed form, {start} to {stop} {origin.unit.symbol}"
    )


# --- texts ----------------------------------------------------------------------------------


def _short(text: Any, most: int = LONGEST_NAME) -> str:
    """Give a text on one line, not too long, without what a terminal takes for a command."""
    clean = one_line_text(str(text)[: most + 1])
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def heading(obj: BaseNeo) -> str:
    """Give class and name of an object."""
    return type(obj).__name__ + (f" '{_short(obj.name)}'" if obj.name else "")


def annotation_text(value: Any) -> str:
    """Give an annotation in a few letters; of long arrays and lists, what they are."""
    if isinstance(value, np.ndarray) and value.size > MOST_CHANNELS:
        unit = f" in {value.dimensionality.string}" if isinstance(value, pq.Quantity) else ""
        return f"array of {_shape_text(value.shape)} {value.dtype}{unit}"
    if isinstance(value, list | tuple | dict) and len(value) > MOST_CHANNELS:
        return f"{type(value).__name__} of {len(value):,} items"
    if isinstance(value, str):
        return f"'{_short(value)}'"
    return _short(value)


def _number_text(value: float) -> str:
    return f"{value:.6g}"


def _quantity_text(value: pq.Quantity) -> str:
    return f"{_number_text(float(value.magnitude))} {value.dimensionality.string}"


def _shape_text(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{size:,}" for size in shape)


def _time_fact(start: pq.Quantity | None, stop: pq.Quantity | None) -> Facts:
    """Tell from when to when."""
    if start is None or stop is None:
        return []
    return [("Time", f"{_quantity_text(start)} to {_quantity_text(stop)}")]


def _lazy_fact(obj: Any) -> Facts:
    return [] if obj.lazy_shape is None else [("Data", "not loaded")]


# --- what there is to tell of each class ----------------------------------------------------


@singledispatch
def facts(obj: Any) -> Facts:
    """Tell what an object holds: names of facts with texts; nothing is loaded.

    Parameters
    ----------
    obj : BaseNeo

    Returns
    -------
    list of (str, str)
    """
    return []


@facts.register
def _(obj: Container) -> Facts:
    counts = [
        counted(len(own), NOUNS[name]) for name in obj._all_lists if (own := obj._lists.get(name))
    ]
    found = [("Holds", ", ".join(counts) or "nothing")]
    recorded = getattr(obj, "rec_datetime", None)
    if recorded is not None:
        found.append(("Recorded", recorded.isoformat(sep=" ")))
    return found


@facts.register
def _(obj: Segment) -> Facts:
    extent = _extent(obj)
    return facts.dispatch(Container)(obj) + ([] if extent is None else _time_fact(*extent))


def _extent(segment: Segment) -> tuple[pq.Quantity, pq.Quantity] | None:
    """Find first and last time of a segment's objects, leaving deferred ones aside."""
    first: tuple[float, Any] = (math.inf, None)
    last: tuple[float, Any] = (-math.inf, None)
    for item in _timed(segment):
        if isinstance(item, SpikeTrain):  # there may be very many
            factor = item._unit.factor
            start, stop = item._t_start * factor, item._t_stop * factor
        else:
            limits = limits_of(item)
            if limits is None:
                continue
            start, stop = seconds(limits[0]), seconds(limits[1])
        first = (start, item) if start < first[0] else first
        last = (stop, item) if stop > last[0] else last
    starts, stops = limits_of(first[1]), limits_of(last[1])
    return None if starts is None or stops is None else (starts[0], stops[1])


def _timed(segment: Segment) -> Iterator[Any]:
    """Yield what is in memory of a segment's objects."""
    for own in segment._lists.values():
        origin = own._untouched() if isinstance(own, SpikeTrainList) else None
        if origin is not None and len(origin.channels):
            yield origin.load_lazy_cascade(0, lazy=False)  # all have the same limits
        elif own.parent is not None:  # else they are views of signals
            yield from (item for item in own._items if type(item) is not Deferred)


def limits_of(obj: Any) -> tuple[pq.Quantity, pq.Quantity] | None:
    """Return first and last time of a data object; None if it has none."""
    if obj is None:
        return None
    if isinstance(obj, LabelledPoints):
        limits = obj._extent()
        if limits is None or not isinstance(obj, Epoch) or obj.lazy_shape is not None:
            return limits
        last = (obj.view(np.ndarray) + obj._own_durations()).max()
        return limits[0], quantity(max(last, float(limits[1].magnitude)), obj._unit)
    return None if obj.t_start is None else (obj.t_start, obj.t_stop)


def _signal_facts(obj: Any) -> Facts:
    """Tell size, unit and type of a signal."""
    samples, channels = obj.true_shape
    size = f"{counted(samples, 'sample')} × {counted(channels, 'channel')}"
    return [("Size", size), ("Unit", obj._unit.symbol), ("Type", str(obj.dtype))]


@facts.register
def _(obj: AnalogSignal) -> Facts:
    rate = [("Rate", _quantity_text(obj.sampling_rate))]
    return _signal_facts(obj) + rate + _time_fact(obj.t_start, obj.t_stop) + _lazy_fact(obj)


@facts.register
def _(obj: IrregularlySampledSignal) -> Facts:
    return _signal_facts(obj) + _time_fact(*(limits_of(obj) or (None, None))) + _lazy_fact(obj)


@facts.register
def _(obj: ImageSequence) -> Facts:
    frames, rows, columns = obj.true_shape
    return [
        ("Size", f"{counted(frames, 'frame')} of {rows:,} × {columns:,} pixels"),
        ("Unit", obj._unit.symbol),
        ("Type", str(obj.dtype)),
        ("Rate", _quantity_text(obj.sampling_rate)),
        ("Scale", f"{_quantity_text(obj.spatial_scale)} per pixel"),
        *_time_fact(obj.t_start, obj.t_stop),
        *_lazy_fact(obj),
    ]


@facts.register
def _(obj: SpikeTrain) -> Facts:
    found = [("Size", counted(obj._item_count(), "spike"))]
    found += _time_fact(obj.t_start, obj.t_stop)
    if obj.waveforms is not None and np.ndim(obj.waveforms) == 3:
        channels, samples = obj.waveforms.shape[1:]
        size = f"{counted(channels, 'channel')} × {counted(samples, 'sample')}"
        found.append(("Waveforms", size))
    return found + _lazy_fact(obj)


@facts.register
def _(obj: LabelledPoints) -> Facts:
    noun = obj._items_name.removesuffix("s")
    found = [("Size", counted(obj._item_count(), noun))]
    found += _time_fact(*(limits_of(obj) or (None, None)))
    labels = list(dict.fromkeys(obj._labels[:MOST_LOOKED_AT].tolist()))
    if labels:
        named = ", ".join(f"'{_short(label, 20)}'" for label in labels[:MOST_LABELS])
        more = ", …" if len(labels) > MOST_LABELS or len(obj._labels) > MOST_LOOKED_AT else ""
        found.append(("Labels", f"{named}{more}"))
    return found + _lazy_fact(obj)


@facts.register
def _(obj: ChannelView) -> Facts:
    numbers = ", ".join(map(str, obj.index[:MOST_CHANNELS].tolist()))
    more = ", …" if len(obj.index) > MOST_CHANNELS else ""
    noun = "channel" if len(obj.index) == 1 else "channels"
    return [("Channels", f"{noun} {numbers}{more} of {heading(obj.obj)}")]


@facts.register
def _(obj: RegionOfInterest) -> Facts:
    return [("Region", _short(repr(obj).partition("(")[2].removesuffix(")>"), 100))]
