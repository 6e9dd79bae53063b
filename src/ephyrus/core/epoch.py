"""Epoch: stretches of time with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import quantities as pq

from ephyrus.core._labels import LabelledPoints, label_array
from ephyrus.core._times import check_time_unit, time_values
from ephyrus.core.baseneo import copy_annotations
from ephyrus.core.event import Event
from ephyrus.core.units import SECOND, UnitInfo, as_unit, convert, quantity, unit_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ephyrus.core.lazy import Points, PointSource

__all__ = ["Epoch"]

Overlap = Literal["start", "any", "inside", "crop"]


class Epoch(LabelledPoints):
    """Stretches of time with labels: stimuli, sleep stages, artefacts.

    The data are the starting times.

    Parameters
    ----------
    times : array_like or Quantity, shape (epoch,), optional
        Starting times. Copied; integers become float64. None for an empty Epoch.
    durations : Quantity, float or array_like, shape (epoch,), optional
        A single value is that of every epoch; bare numbers are in the units of `times`.
        Missing durations are 0.
    labels : array_like of str, shape (epoch,), optional
        May be empty.
    units : str or unit, optional
        Needed unless `times` is a Quantity, which is converted to them.
    name, description, file_origin : str, optional
        What it is called, what it is, which file it comes from.
    array_annotations : dict, optional
        Arrays with one value per epoch.
    **annotations
        Further metadata of simple types.

    Raises
    ------
    ValueError
        If units are missing or not of time, `times` is not one-dimensional, or the number of
        durations or labels differs from that of the times.

    Examples
    --------
    >>> import quantities as pq
    >>> from ephyrus.core import Epoch
    >>> Epoch([1, 2] * pq.s, durations=20 * pq.ms, labels=["on", "off"])
    <Epoch: on@1.0 s for 20.0 ms, off@2.0 s for 20.0 ms>
    """

    _necessary_attrs = (
        ("times", pq.Quantity, 1),
        ("durations", pq.Quantity, 1),
        ("labels", np.ndarray, 1, np.dtype("U")),
    )
    _item_attrs = ("_durations", "_labels")
    _items_name = "epochs"

    _durations: NDArray[Any] = np.empty(0)
    _durations_unit: UnitInfo = SECOND

    def __new__(
        cls,
        times: ArrayLike | pq.Quantity | None = None,
        durations: Any = None,
        labels: ArrayLike | None = None,
        units: Any = None,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        array_annotations: dict[str, Any] | None = None,
        **annotations: Any,
    ) -> Self:
        """Check the arguments and make the Epoch; see the class."""
        if times is None:
            times, units = (), units or pq.s
        values, unit = time_values(times, units)
        new = cls._wrap(values, unit)
        new._durations, new._durations_unit = _checked_durations(durations, unit, len(values))
        new._labels = label_array(labels, len(values))
        new._set_checked(name, description, file_origin, annotations, array_annotations)
        return new

    @classmethod
    def _create(
        cls,
        times: NDArray[Any],
        durations: NDArray[Any],
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
        """Make an Epoch without copies or checks; dicts are taken over.

        `durations` are plain numbers in `unit`, or a Quantity. With a `source` it is lazy, the
        arrays are empty, and `t_start` and `t_stop` (in `unit`) are the window it covers.
        """
        info = as_unit(unit)
        new = cls._wrap(times, info)
        new._durations_unit = unit_of(durations) if isinstance(durations, pq.Quantity) else info
        new._durations = durations.view(np.ndarray)
        new._labels = labels
        new._set_common(name, description, file_origin, annotations, array_annotations)
        if source is not None:
            new._t_start, new._t_stop = t_start, t_stop
            new._set_source(source)
        return new

    @classmethod
    def from_pandas(cls, frame: Any, *, units: Any = None) -> Self:
        """Make an Epoch of a ``pandas.DataFrame``, such as `to_pandas` gives.

        Parameters
        ----------
        frame : pandas.DataFrame
            Column ``time``; ``duration`` (by default 0) and ``label`` are optional. All
            other columns become array annotations. Rows may have been chosen or sorted since.
        units : str or unit, optional
            Of the times; by default what the frame tells (``attrs["units"]``).

        Returns
        -------
        Epoch

        Raises
        ------
        ValueError
            If there is no column ``time``, or units are not told or not known.
        """
        from ephyrus.core._frames import epoch_from

        return epoch_from(cls, frame, units)  # type: ignore[no-any-return] # of this class

    # --- representation -------------------------------------------------------------------

    def _entries(self) -> list[str]:
        unit = self._durations_unit.symbol
        return [
            f"{start} for {duration} {unit}"
            for start, duration in zip(self._named_times(), self._durations, strict=True)
        ]

    def _pretty_lines(self) -> list[str]:
        labels = " with labels" if len(self._labels) else ""
        return [
            f"{type(self).__name__} containing {self._item_count()} epochs{labels}; "
            f"time units {self._unit}; datatype {self.dtype} "
        ]

    def _item(self, index: Any, time: pq.Quantity) -> pq.Quantity:
        time.times = time.copy()
        time.durations = quantity(self._durations[index], self._durations_unit)
        time.labels = self._labels[index] if len(self._labels) else ""
        return time

    # --- durations ------------------------------------------------------------------------

    @property
    def durations(self) -> pq.Quantity:
        """Durations, one per epoch, in units of their own.

        Raises
        ------
        ValueError
            When set to another number of durations than there are epochs, or not to times.
        """
        return quantity(self._durations, self._durations_unit)

    @durations.setter
    def durations(self, durations: Any) -> None:
        self._durations, self._durations_unit = _checked_durations(durations, self._unit, len(self))

    def set_durations(self, durations: Any) -> None:
        """Replace the durations.

        Parameters
        ----------
        durations : Quantity, float or array_like, shape (epoch,)
            A single value is that of every epoch; bare numbers are in the units of this object.

        Raises
        ------
        ValueError
            If the number differs from that of the epochs.
        """
        self.durations = durations

    def get_durations(self) -> pq.Quantity:
        """Return the durations, a Quantity."""
        return self.durations

    def _own_durations(self) -> NDArray[Any]:
        """Return the durations in the units of the times."""
        return np.asarray(convert(self._durations, self._durations_unit, self._unit))

    def _rescale_more(self, new: Self, source: UnitInfo, target: UnitInfo) -> None:
        super()._rescale_more(new, source, target)
        new._durations = np.array(convert(self._durations, self._durations_unit, target))
        new._durations_unit = target

    # --- windows --------------------------------------------------------------------------

    def time_slice(
        self,
        t_start: pq.Quantity | float | None,
        t_stop: pq.Quantity | float | None,
        *,
        overlap: Overlap = "start",
    ) -> Self:
        """Return the epochs of a window of time.

        Parameters
        ----------
        t_start, t_stop : Quantity or float or None
            The window, both ends included; None is open, a bare number is in the units of
            this object.
        overlap : {"start", "any", "inside", "crop"}, default "start"
            Which epochs: those that start in the window, those of which any part is in it,
            or those that are wholly inside. "crop" cuts those of "any" to the window.

        Returns
        -------
        Epoch
            An independent copy without segment, empty if there is none in the window. A lazy
            Epoch is loaded for it.

        Raises
        ------
        ValueError
            If an end is not a time, or `overlap` is another word.
        """
        if overlap not in ("start", "any", "inside", "crop"):
            raise ValueError(f"overlap must be 'start', 'any', 'inside' or 'crop', not {overlap!r}")
        first, last = self._window(t_start, t_stop)
        epochs = self
        if self._source is not None:
            # an epoch that reaches into the window may begin any time before it
            begin = None if overlap in ("any", "crop") else first
            epochs = self._from_points(self._read(*self._in_seconds(begin, last)))
        if overlap == "start":
            return epochs._taken(epochs._window_index(first, last))
        return epochs._overlapping(first, last, overlap)

    def _overlapping(self, first: float | None, last: float | None, overlap: Overlap) -> Self:
        """Return the epochs chosen by more than their start."""
        starts = self.view(np.ndarray)
        stops = starts + self._own_durations()
        low = -np.inf if first is None else first
        high = np.inf if last is None else last
        if overlap == "inside":
            return self._taken((starts >= low) & (stops <= high))
        keep = (starts <= high) & (stops >= low)
        new = self._taken(keep)
        if overlap == "crop":
            begins = np.maximum(starts[keep], low)
            new.view(np.ndarray)[...] = begins
            lengths = np.minimum(stops[keep], high) - begins
            new._durations = np.array(convert(lengths, self._unit, self._durations_unit))
        return new

    def load(self, time_slice: tuple[Any, Any] | None = None, strict_slicing: bool = True) -> Self:
        """Read a lazy Epoch, whole or those that start in a window of time.

        Parameters
        ----------
        time_slice : tuple of (t_start, t_stop), optional
            Quantities, or floats in seconds; None is open. Both ends are included.
        strict_slicing : bool, default True
            Refuse a window that reaches outside what the object covers; False cuts it.

        Returns
        -------
        Epoch
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

    def _take_items(self, new: Self, points: Points) -> None:
        super()._take_items(new, points)
        new._durations = points.durations_in(self._durations_unit)

    # --- making others --------------------------------------------------------------------

    def merge(self, *others: Epoch) -> Self:  # type: ignore[override]  # returns an Epoch
        """Return the epochs of this and other Epochs, in that order.

        Parameters
        ----------
        *others : Epoch
            Times and durations are converted to the units of this Epoch's.

        Returns
        -------
        Epoch
            Without segment. Names, descriptions and origins that differ become ``merge(a, b)``;
            annotations are merged and array annotations joined.

        Raises
        ------
        MergeError
            If one is not a loaded Epoch.

        Warns
        -----
        UserWarning
            Naming the array annotations that are not in all of them and are left out.
        """
        self._check_mergeable(Epoch, others)
        new = self._joined(others)
        unit = self._durations_unit
        parts: tuple[Epoch, ...] = (self, *others)
        durations = [convert(part._durations, part._durations_unit, unit) for part in parts]
        new._durations = np.concatenate(durations)
        return new

    def duplicate_with_new_data(
        self,
        times: ArrayLike | pq.Quantity,
        durations: Any,
        labels: ArrayLike | None,
        units: Any = None,
    ) -> Self:
        """Return an Epoch with the metadata of this one and other data.

        Parameters
        ----------
        times : array_like or Quantity, shape (epoch,)
        durations : Quantity, float or array_like, shape (epoch,)
        labels : array_like of str, shape (epoch,)
        units : str or unit, optional
            By default those of `times`, or of this Epoch.

        Returns
        -------
        Epoch
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
        new._durations, new._durations_unit = _checked_durations(durations, unit, len(values))
        new._labels = label_array(labels, len(values))
        if new._annotations is not None:
            new._annotations = copy_annotations(new._annotations)
        return new

    def to_event(self, which: Literal["start", "stop", "both"] = "start") -> Event:
        """Make events of the limits of the epochs.

        Parameters
        ----------
        which : {"start", "stop", "both"}, default "start"
            The limits to take; of "both", the events are sorted by time.

        Returns
        -------
        Event
            With the labels and array annotations of the epochs. The array annotation ``edge``
            says "start" or "stop".

        Raises
        ------
        ValueError
            If `which` is another word.
        """
        if which not in ("start", "stop", "both"):
            raise ValueError(f"which must be 'start', 'stop' or 'both', not {which!r}")
        epochs = self._loaded()
        starts = epochs.view(np.ndarray)
        edges = {"start": starts, "stop": starts + epochs._own_durations()}
        chosen = [edge for edge in edges if which in (edge, "both")]
        order = np.tile(np.arange(len(epochs)), len(chosen))
        event = Event(
            quantity(np.concatenate([edges[edge] for edge in chosen]), epochs._unit),
            labels=epochs._labels[order] if len(epochs._labels) else None,
            array_annotations={
                **epochs.array_annotations_at_index(order),
                "edge": np.repeat(chosen, len(epochs)),
            },
        )
        if which == "both":
            event.sort()
        return event


def _checked_durations(durations: Any, unit: UnitInfo, count: int) -> tuple[NDArray[Any], UnitInfo]:
    """Return durations given by a user as a new array, one per epoch, and their unit."""
    if durations is None:
        return np.zeros(count), unit
    if isinstance(durations, (list, tuple)) and any(isinstance(d, pq.Quantity) for d in durations):
        values, own = time_values(durations, name="durations")
    elif isinstance(durations, pq.Quantity):
        own = check_time_unit(unit_of(durations), "durations")
        values = durations.view(np.ndarray)
    else:
        own, values = unit, np.asarray(durations)
    if values.dtype.kind not in "biuf" and values.size:
        raise ValueError(f"durations must be real numbers, not of dtype {values.dtype}")
    made = values.astype(values.dtype if values.dtype.kind == "f" else np.float64)
    if made.size == 1:
        return np.repeat(made.ravel(), count), own
    if made.ndim != 1 or len(made) != count:
        raise ValueError(
            f"Durations array has different length to times: {made.size} durations, {count} times"
        )
    return made, own
