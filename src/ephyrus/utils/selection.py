"""Find events and epochs by their attributes, annotations and array annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ephyrus.core._equality import equal_mask, equal_values
from ephyrus.core.block import Block
from ephyrus.core.epoch import Epoch
from ephyrus.core.event import Event
from ephyrus.core.filters import FilterCondition, fulfils
from ephyrus.core.segment import Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["get_epochs", "get_events", "loaded"]

T = TypeVar("T", Event, Epoch)

# Attributes that have one value per event or epoch: they choose some, as array annotations do.
_PER_ITEM = frozenset({"labels", "durations", "times"})


def get_events(container: Segment | Block, **properties: Any) -> list[Event]:
    """Return the events of a segment or block that have certain properties.

    Parameters
    ----------
    container : Segment or Block
        Of a block, all segments are searched.
    **properties
        Names of attributes, annotations or array annotations, and what they must be: a single
        value, a list of values of which one must be met, or a condition (see
        `ephyrus.core.filters`). All of them must be fulfilled. Without any, all events are
        returned. `labels`, `times` and `durations` are compared one by one, as array annotations
        are.

    Returns
    -------
    list of Event
        Where attributes and annotations match, the objects of the container; where some values
        of array annotations match, Events cut to those, with their metadata and array annotations.
        Events of which nothing is left are left out. Lazy ones are loaded.

    Raises
    ------
    TypeError
        If `container` is neither a Segment nor a Block.

    Examples
    --------
    >>> from ephyrus.core import Segment
    >>> segment = Segment()
    >>> trials = {"trial": [1, 2, 3]}
    >>> segment.events.append(
    ...     Event([1, 2, 3], ["a", "b", "c"], "s", name="go", array_annotations=trials)
    ... )
    >>> get_events(segment, name="go", trial=[1, 3])
    [<Event: a@1.0 s, c@3.0 s>]
    """
    return [
        part
        for segment in _segments(container)
        for event in segment.events
        if (part := _matching_part(event, properties)) is not None
    ]


def get_epochs(container: Segment | Block, **properties: Any) -> list[Epoch]:
    """Return the epochs of a segment or block that have certain properties.

    Parameters
    ----------
    container : Segment or Block
        Of a block, all segments are searched.
    **properties
        As for `get_events`.

    Returns
    -------
    list of Epoch
        As for `get_events`.

    Raises
    ------
    TypeError
        If `container` is neither a Segment nor a Block.
    """
    return [
        part
        for segment in _segments(container)
        for epoch in segment.epochs
        if (part := _matching_part(epoch, properties)) is not None
    ]


def loaded(obj: T) -> T:
    """Return an event or epoch in memory; one that was lazy still knows its segment."""
    if obj.lazy_shape is None:
        return obj
    full = obj.load()
    full.segment = obj.segment
    return full


def _segments(container: Any) -> list[Segment]:
    """Return the segments to search."""
    if isinstance(container, Segment):
        return [container]
    if isinstance(container, Block):
        return list(container.segments)
    raise TypeError(
        f"events and epochs are looked for in a Segment or a Block, not in {container!r}"
    )


def _matching_part(obj: T, properties: dict[str, Any]) -> T | None:
    """Return the part of an object that has all properties, None if nothing has."""
    per_item = {
        name: wanted for name, wanted in properties.items() if not _matches_whole(obj, name, wanted)
    }
    # what can only match item by item needs the items
    if any(name not in _PER_ITEM and name not in obj.array_annotations for name in per_item):
        return None
    full = loaded(obj)
    keep = np.ones(len(full), dtype=np.bool_)
    for name, wanted in per_item.items():
        keep &= _matching_items(full, name, wanted)
    if keep.all():
        return full
    return full[keep] if keep.any() else None


def _matches_whole(obj: Event | Epoch, name: str, wanted: Any) -> bool:
    """Tell whether an attribute or annotation of the object is what is wanted."""
    values = [obj.annotations[name]] if name in obj.annotations else []
    if name not in _PER_ITEM and hasattr(obj, name):
        values.append(getattr(obj, name))
    if isinstance(wanted, FilterCondition):
        return any(fulfils(wanted, value) for value in values)
    return any(
        equal_values(value, choice) for value in values for choice in (wanted, *_choices(wanted))
    )


def _matching_items(obj: Event | Epoch, name: str, wanted: Any) -> NDArray[np.bool_]:
    """Tell which items have a value that is wanted, as attribute or in an array annotation."""
    sources = [getattr(obj, name)] if name in _PER_ITEM and hasattr(obj, name) else []
    if name in obj.array_annotations:
        sources.append(obj.array_annotations[name])
    keep = np.zeros(len(obj), dtype=np.bool_)
    for values in sources:
        if len(values) == len(obj):  # no labels, and array annotations that are to be filled later
            keep |= _mask(values, wanted)
    return keep


def _mask(values: Any, wanted: Any) -> NDArray[np.bool_]:
    """Tell which values are wanted."""
    if isinstance(wanted, FilterCondition):
        return np.asarray(wanted.mask(values), dtype=np.bool_)
    keep = np.zeros(len(values), dtype=np.bool_)
    for choice in _choices(wanted) or [wanted]:
        keep |= equal_mask(values, choice)
    return keep


def _choices(wanted: Any) -> list[Any]:
    """Return the values of a list, an array, ...; nothing for a single value."""
    if isinstance(wanted, np.ndarray) and wanted.ndim == 0:
        return []
    return list(wanted) if isinstance(wanted, (list, tuple, set, frozenset, np.ndarray)) else []
