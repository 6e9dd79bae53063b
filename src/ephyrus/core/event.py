"""Event: points in time with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import quantities as pq

from ephyrus.core._labels import LabelledPoints, label_array
from ephyrus.core._times import time_values
from ephyrus.core.baseneo import copy_annotations
from ephyrus.core.units import as_unit, quantity

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ephyrus.core.epoch import Epoch
    from ephyrus.core.lazy import PointSource

__all__ = ["Event"]


class Event(LabelledPoints):
    """Points in time with labels: triggers, stimuli, comments.

    Parameters
    ----------
    times : array_like or Quantity, shape (event,), optional
        Copied; integers become float64. None for an empty Event.
    labels : array_like of str, shape (event,), optional
        May be empty.
    units : str or unit, optional
        Needed unless `times` is a Quantity, which is converted to them.
    name, description, file_origin : str, optional
        What it is called, what it is, which file it comes from.
    array_annotations : dict, optional
        Arrays with one value per event.
    **annotations
        Further metadata of simple types.

    Raises
    ------
    ValueError
        If units are missing or not of time, `times` is not one-dimensional, or the number of
        labels differs from that of the times.

    Examples
    --------
    >>> import quantities as pq
    >>> from ephyrus.core import Event
    >>> Event([1, 2] * pq.s, labels=["a", "b"])
    <Event: a@1.0 s, b@2.0 s>
    """

    _necessary_attrs = (("times", pq.Quantity, 1), ("labels", np.ndarray, 1, np.dtype("U")))
    _item_attrs = ("_labels",)
    _items_name = "events"

    def __new__(
        cls,
        times: ArrayLike | pq.Quantity | None = None,
        labels: ArrayLike | None = None,
        units: Any = None,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        array_annotations: dict[str, Any] | None = None,
        **annotations: Any,
    ) -> Self:
        """Check the arguments and make the Event; see the class."""
        if times is None:
            times, units = (), units or pq.s
        values, unit = time_values(times, units)
        new = cls._wrap(values, unit)
        new._labels = label_array(labels, len(values))
        new._set_checked(name, description, file_origin, annotations, array_annotations)
        return new

    @classmethod
    def _create(
        cls,
        times: NDArray[Any],
        labels: NDArray[np.str_],
        *,
        unit: Any = pq.s,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        annotations: dict[str, Any] | None = None,
        array_annotations: dict[str, NDArray[Any]] | None = None,
        t_start: float | None = None,
        t_stop: float | None = None,
        source: PointSource | None = None,
    ) -> Self:
        """Make an Event without copies or checks; dicts are taken over.

        With a `source` it is lazy, `times` and `labels` are empty, and `t_start` and `t_stop`
        (in `unit`) are the window it covers.
        """
        new = cls._wrap(times, as_unit(unit))
        new._labels = labels
        new._set_common(name, description, file_origin, annotations, array_annotations)
        if source is not None:
            new._t_start, new._t_stop = t_start, t_stop
            new._set_source(source)
        return new

    @classmethod
    def from_pandas(cls, frame: Any, *, units: Any = None) -> Self:
        """Make an Event of a ``pandas.DataFrame``, such as `to_pandas` gives.

        Parameters
        ----------
        frame : pandas.DataFrame
            Column ``time``; ``label`` is optional. All other columns become array
            annotations. Rows may have been chosen or sorted since.
        units : str or unit, optional
            Of the times; by default what the frame tells (``attrs["units"]``).

        Returns
        -------
        Event

        Raises
        ------
        ValueError
            If there is no column ``time``, or units are not told or not known.
        """
        from ephyrus.core._frames import event_from

        return event_from(cls, frame, units)  # type: ignore[no-any-return] # of this class

    # --- representation -------------------------------------------------------------------

    def _pretty_lines(self) -> list[str]:
        labels = " with labels" if len(self._labels) else ""
        return [
            f"{type(self).__name__} containing {self._item_count()} events{labels}; "
            f"time units {self._unit}; datatype {self.dtype} "
        ]

    def _item(self, index: Any, time: pq.Quantity) -> pq.Quantity:
        time.times = time.copy()
        time.labels = self._labels[index] if len(self._labels) else ""
        return time

    # --- windows --------------------------------------------------------------------------

    def time_slice(
        self, t_start: pq.Quantity | float | None, t_stop: pq.Quantity | float | None
    ) -> Self:
        """Return the events of a window of time.

        Parameters
        ----------
        t_start, t_stop : Quantity or float or None
            The window, both ends included; None is open, a bare number is in the units of
            this object.

        Returns
        -------
        Event
            An independent copy without segment, empty if there is none in the window. A lazy
            Event is loaded for it.

        Raises
        ------
        ValueError
            If an end is not a time.
        """
        first, last = self._window(t_start, t_stop)
        if self._source is not None:
            return self._from_points(self._read(*self._in_seconds(first, last)))
        return self._taken(self._window_index(first, last))

    def load(self, time_slice: tuple[Any, Any] | None = None, strict_slicing: bool = True) -> Self:
        """Read a lazy Event, whole or for a window of time.

        Parameters
        ----------
        time_slice : tuple of (t_start, t_stop), optional
            Quantities, or floats in seconds; None is open. Both ends are included.
        strict_slicing : bool, default True
            Refuse a window that reaches outside what the object covers; False cuts it.

        Returns
        -------
        Event
            In memory, without segment. One that is in memory already is returned as it is,
            or cut.

        Raises
        ------
        ValueError
            If the window is refused.
        """
        first, last = self._bounds(time_slice, strict=strict_slicing)
        if self._source is not None:
            return self._from_points(self._read(first, last))
        if time_slice is None:
            return self
        return self.time_slice(
            None if first is None else first * pq.s, None if last is None else last * pq.s
        )

    # --- making others --------------------------------------------------------------------

    def merge(self, *others: Event) -> Self:  # type: ignore[override]  # returns an Event
        """Return the events of this and other Events, in that order.

        Parameters
        ----------
        *others : Event
            Times are converted to the units of this Event.

        Returns
        -------
        Event
            Without segment. Names, descriptions and origins that differ become ``merge(a, b)``;
            annotations are merged and array annotations joined.

        Raises
        ------
        MergeError
            If one is not a loaded Event.

        Warns
        -----
        UserWarning
            Naming the array annotations that are not in all of them and are left out.
        """
        self._check_mergeable(Event, others)
        return self._joined(others)

    def duplicate_with_new_data(
        self, times: ArrayLike | pq.Quantity, labels: ArrayLike | None, units: Any = None
    ) -> Self:
        """Return an Event with the metadata of this one and other data.

        Parameters
        ----------
        times : array_like or Quantity, shape (event,)
        labels : array_like of str, shape (event,)
        units : str or unit, optional
            By default those of `times`, or of this Event.

        Returns
        -------
        Event
            Without array annotations and segment.

        Raises
        ------
        ValueError
            As for the constructor.
        """
        if units is None and not isinstance(times, pq.Quantity):
            units = self._unit
        values, unit = time_values(times, units)
        new = self._like(values, unit)
        new._array_annotations = new.segment = None
        new._labels = label_array(labels, len(values))
        if new._annotations is not None:
            new._annotations = copy_annotations(new._annotations)
        return new

    def to_epoch(self, pairwise: bool = False, durations: Any = None) -> Epoch:
        """Make epochs of events.

        Parameters
        ----------
        pairwise : bool, default False
            One epoch from the first event to the second, one from the third to the fourth...
            By default, one from each event to the next.
        durations : Quantity or float or array_like, optional
            One epoch per event of this duration (each); bare numbers are in the units of this
            object.

        Returns
        -------
        Epoch
            Labels are those of the events, ``a-b`` where an epoch reaches from a to b. With
            `durations`, the array annotations of the events are kept.

        Raises
        ------
        ValueError
            For an odd number of events with `pairwise`, or `pairwise` with `durations`.
        """
        from ephyrus.core.epoch import Epoch

        events = self._loaded()
        if durations is not None:
            if pairwise:
                raise ValueError("Inconsistent arguments: give pairwise or durations, not both")
            return Epoch(
                events.times,
                durations=durations,
                labels=events._labels,
                array_annotations=dict(events.array_annotations),
            )
        if pairwise and len(events) % 2:
            raise ValueError(
                "Pairwise conversion of events to epochs requires an even number of events, "
                f"there are {len(events)}"
            )
        step = 2 if pairwise else 1
        times, labels = events.view(np.ndarray), events._labels
        starts, stops = times[:-1:step], times[1::step]
        pairs = zip(labels[:-1:step], labels[1::step], strict=True)
        return Epoch(
            quantity(starts, self._unit),
            durations=quantity(stops - starts, self._unit),
            labels=[f"{first}-{second}" for first, second in pairs],
        )
