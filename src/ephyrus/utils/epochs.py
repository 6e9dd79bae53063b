"""Make epochs of events, and pair events with those that follow them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.core.epoch import Epoch
from ephyrus.core.event import Event
from ephyrus.core.segment import Segment
from ephyrus.core.units import convert, quantity, scalar_in
from ephyrus.utils.selection import loaded

if TYPE_CHECKING:
    import quantities as pq
    from numpy.typing import NDArray

__all__ = ["add_epoch", "match_events"]


def add_epoch(
    segment: Segment,
    event1: Event,
    event2: Event | None = None,
    pre: pq.Quantity | float = 0.0,
    post: pq.Quantity | float = 0.0,
    attach_result: bool = True,
    **kwargs: Any,
) -> Epoch:
    """Make epochs around events, or from the events of one object to those of another.

    Parameters
    ----------
    segment : Segment
        Gets the result, if `attach_result` is True.
    event1 : Event
        One epoch per event is made, from ``t + pre`` to ``t + post``. Loaded if lazy.
    event2 : Event, optional
        Epoch number i then reaches from ``event1[i] + pre`` to ``event2[i] + post``; see
        `match_events` for making pairs.
    pre, post : Quantity or float, default 0
        Added to the beginning and to the end, so `pre` is negative for an epoch that begins
        before the event. Bare numbers are in the units of `event1`.
    attach_result : bool, default True
        Append the result to ``segment.epochs``.
    **kwargs
        Attributes and annotations of the result. By default its `name` is "epoch", and its
        `labels` are those of the events: of pairs with different labels, ``a-b``.

    Returns
    -------
    Epoch
        In the units of `event1`, with its array annotations (those in `kwargs` take precedence).

    Raises
    ------
    TypeError
        If `segment` or an event is of another class.
    ValueError
        If the numbers of events differ, or a duration is not positive.

    Examples
    --------
    >>> import quantities as pq
    >>> go = Event([1, 4] * pq.s, labels=["go 1", "go 2"])
    >>> add_epoch(Segment(), go, pre=-100 * pq.ms, post=500 * pq.ms)
    <Epoch: go 1@0.9 s for 0.6 s, go 2@3.9 s for 0.6 s>
    """
    if not isinstance(segment, Segment):
        raise TypeError(f"epochs are added to a Segment, not to a {type(segment).__name__}")
    first = _loaded_event(event1, "event1")
    second = first if event2 is None else _loaded_event(event2, "event2")
    if len(first) != len(second):
        raise ValueError(
            f"event1 and event2 must have the same length, not {len(first)} and {len(second)}; "
            "match_events makes pairs"
        )
    unit = first._unit
    before, after = scalar_in(pre, unit, "pre"), scalar_in(post, unit, "post")
    times = first.view(np.ndarray)
    durations = _positive((_times_like(second, first) - times) + (after - before), first)
    kwargs.setdefault("name", "epoch")
    if "labels" not in kwargs:
        kwargs["labels"] = _pair_labels(first, second)
    arrays = {key: value.copy() for key, value in first.array_annotations.items()}
    kwargs["array_annotations"] = arrays | dict(kwargs.get("array_annotations") or {})
    epoch = Epoch(quantity(times + before, unit), durations=quantity(durations, unit), **kwargs)
    if attach_result:
        segment.epochs.append(epoch)
    return epoch


def match_events(event1: Event, event2: Event) -> tuple[Event, Event]:
    """Pair events with those of another object that directly follow them.

    Parameters
    ----------
    event1, event2 : Event
        Need not be sorted; loaded if lazy.

    Returns
    -------
    event1, event2 : Event
        Cut to the pairs, in the order of time: each event of the first is before its partner,
        and no other event of the two is between them.

    Raises
    ------
    TypeError
        If one is not an Event.

    Warns
    -----
    UserWarning
        If events are left out because they have no partner.

    Examples
    --------
    >>> import quantities as pq
    >>> go, reward = Event([1, 4, 7] * pq.s), Event([2, 9] * pq.s)
    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     match_events(go, reward)
    (<Event: 1.0 s, 7.0 s>, <Event: 2.0 s, 9.0 s>)
    """
    first, second = _loaded_event(event1, "event1"), _loaded_event(event2, "event2")
    one, two = _pairs(first.view(np.ndarray), _times_like(second, first))
    alone = len(first) - len(one), len(second) - len(two)
    if any(alone):
        warnings.warn(
            f"{alone[0]} of {len(first)} events of event1 and {alone[1]} of {len(second)} of "
            "event2 have no partner and are left out",
            UserWarning,
            stacklevel=2,
        )
    return first[one], second[two]


def _pairs(
    one: NDArray[np.float64], two: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of pairs in two arrays of times."""
    order1, order2 = np.argsort(one, kind="stable"), np.argsort(two, kind="stable")
    sorted1, sorted2 = one[order1], two[order2]
    before = np.searchsorted(sorted1, sorted2, side="left") - 1  # last that is earlier
    after = np.searchsorted(sorted2, sorted1, side="right")  # first that is later
    follows = np.arange(len(sorted2))
    has = before >= 0
    paired = np.zeros(len(sorted2), dtype=np.bool_)
    paired[has] = after[before[has]] == follows[has]
    return order1[before[paired]], order2[follows[paired]]


def _loaded_event(event: Any, name: str) -> Event:
    """Return an Event in memory."""
    if not isinstance(event, Event):
        raise TypeError(f"{name} must be an Event, not a {type(event).__name__}")
    return loaded(event)


def _times_like(event: Event, model: Event) -> NDArray[np.float64]:
    """Return the times of one Event in the units of another."""
    return np.asarray(convert(event.view(np.ndarray), event._unit, model._unit))


def _positive(durations: NDArray[np.float64], event: Event) -> NDArray[np.float64]:
    """Return durations, checked."""
    wrong = np.flatnonzero(~(durations > 0))
    if len(wrong):
        place = int(wrong[0])
        raise ValueError(
            f"the duration of epoch {place} would be {durations[place]} {event._unit}, but it must "
            "be positive: event2 + post must be after event1 + pre"
        )
    return durations


def _pair_labels(first: Event, second: Event) -> list[str]:
    """Return the labels of the epochs from one event to another."""
    labels = [event.labels.tolist() for event in (first, second) if len(event.labels)]
    if len(labels) < 2:
        return labels[0] if labels else []
    return [a if a == b else f"{a}-{b}" for a, b in zip(*labels, strict=True)]
