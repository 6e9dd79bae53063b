"""What events and epochs have in common: points in time with labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import quantities as pq

from ephyrus.core._arraydict import join_array_annotations
from ephyrus.core._points import PointObject
from ephyrus.core.baseneo import merge_text
from ephyrus.core.lazy import Points
from ephyrus.core.units import SECOND, convert, quantity

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LabelArray", "LabelledPoints", "label_array"]


def label_array(labels: ArrayLike | None, count: int) -> NDArray[np.str_]:
    """Return labels as a new string array.

    Parameters
    ----------
    labels : array_like or None, shape (count,)
        None and an empty list mean "no labels"; None among the labels is an empty one.
    count : int
        Number of times.

    Returns
    -------
    ndarray of str, shape (count,) or (0,)

    Raises
    ------
    ValueError
        If the number of labels differs from `count`.
    """
    if labels is None:
        return np.empty(0, dtype="U1")
    made = np.asarray(labels)
    if made.dtype.kind == "S":
        made = np.char.decode(made, "utf-8", "backslashreplace")
    elif made.dtype.kind == "O":
        made = np.array(["" if label is None else str(label) for label in made.ravel()], dtype="U")
    made = np.atleast_1d(made).astype("U")
    if made.ndim != 1 or len(made) not in (0, count):
        raise ValueError(
            f"Labels array has different length to times: {made.size} labels, {count} times"
        )
    return made if len(made) else np.empty(0, dtype="U1")


class LabelArray(np.ndarray[Any, np.dtype[np.str_]]):
    """Labels of an Event or Epoch; a label that is assigned is never cut to the old width."""

    _owner: LabelledPoints | None = None

    def __setitem__(self, index: Any, value: Any) -> None:
        if self._owner is not None:
            self._owner._set_label(index, value)
        np.ndarray.__setitem__(self, index, value)

    def __array_finalize__(self, obj: Any) -> None:
        """Let views of the labels be arrays without an owner."""


class LabelledPoints(PointObject):
    """Base of Event and Epoch."""

    _items_name: ClassVar[str] = "times"
    _labels: NDArray[np.str_] = np.empty(0, dtype="U1")

    # --- labels ---------------------------------------------------------------------------

    @property
    def labels(self) -> NDArray[np.str_]:
        """One label per time, or an empty array; an array of str.

        Raises
        ------
        ValueError
            When set to another number of labels than there are times.
        """
        made = self._labels.view(LabelArray)
        made._owner = self
        return made

    @labels.setter
    def labels(self, labels: ArrayLike | None) -> None:
        self._labels = label_array(labels, len(self))

    def set_labels(self, labels: ArrayLike | None) -> None:
        """Replace the labels.

        Parameters
        ----------
        labels : array_like of str, shape (item,)
            Empty or None for no labels.

        Raises
        ------
        ValueError
            If the number differs from that of the times.
        """
        self.labels = labels

    def get_labels(self) -> NDArray[np.str_]:
        """Return the labels, an array of str."""
        return self.labels

    def _set_label(self, index: Any, value: Any) -> None:
        """Assign labels, widening the array where they need more room."""
        new = np.asarray(value, dtype="U")
        if new.dtype.itemsize > self._labels.dtype.itemsize:
            self._labels = self._labels.astype(new.dtype)
        self._labels[index] = new

    def _labels_or_blanks(self) -> NDArray[np.str_]:
        """Return one label per time, empty ones where there are none."""
        return self._labels if len(self._labels) else np.full(len(self), "", dtype="U1")

    # --- times ----------------------------------------------------------------------------

    def _extent(self) -> tuple[pq.Quantity, pq.Quantity] | None:
        """Return the first and last time (of lazy objects, their window); None if empty."""
        if self._source is not None:
            if self._item_count() == 0 or self._t_start is None or self._t_stop is None:
                return None
            return quantity(self._t_start, self._unit), quantity(self._t_stop, self._unit)
        if len(self) == 0:
            return None
        data = self.view(np.ndarray)
        return quantity(data.min(), self._unit), quantity(data.max(), self._unit)

    def _limit(self, name: str) -> pq.Quantity:
        if self._source is None or getattr(self, f"_{name}") is None:
            raise AttributeError(
                f"{name}: only a lazy {type(self).__name__} has it, the window it was found in"
            )
        return quantity(getattr(self, f"_{name}"), self._unit)

    @property
    def t_start(self) -> pq.Quantity:
        """Beginning of the window that a lazy object covers.

        Raises
        ------
        AttributeError
            On objects in memory.
        """
        return self._limit("t_start")

    @property
    def t_stop(self) -> pq.Quantity:
        """End of the window that a lazy object covers.

        Raises
        ------
        AttributeError
            On objects in memory.
        """
        return self._limit("t_stop")

    def _window(self, t_start: Any, t_stop: Any) -> tuple[float | None, float | None]:
        """Return a window as numbers in the units of this object."""
        first = None if t_start is None else self._own_time(t_start, "t_start")
        last = None if t_stop is None else self._own_time(t_stop, "t_stop")
        return first, last

    def _in_seconds(self, *times: float | None) -> list[float | None]:
        unit = self._unit
        return [None if time is None else convert(time, unit, SECOND) for time in times]

    def _take_items(self, new: Self, points: Points) -> None:
        labels = points.labels
        new._labels = label_array(labels, len(new))
        new._t_start = new._t_stop = None

    # --- representation -------------------------------------------------------------------

    def _entries(self) -> list[str]:
        """Return the text of each item for `repr`."""
        return self._named_times()

    def __repr__(self) -> str:
        if self._source is not None:
            count = self._item_count()
            return f"<{type(self).__name__}: {count} {self._items_name} not loaded, {self._unit}>"
        return f"<{type(self).__name__}: {', '.join(self._entries())}>"

    def _named_times(self) -> list[str]:
        unit = self._unit.symbol
        times = [f"{time} {unit}" for time in self.view(np.ndarray)]
        if not len(self._labels):
            return times
        return [f"{label}@{time}" for label, time in zip(self._labels, times, strict=True)]

    # --- merging --------------------------------------------------------------------------

    def _joined(self, others: tuple[Any, ...]) -> Self:
        """Return the items of all, in that order, without the parts of a subclass."""
        unit = self._unit
        parts = (self, *others)
        times = [convert(part.view(np.ndarray), part._unit, unit) for part in parts]
        new = self._like(np.concatenate(times))
        new.segment = None
        if any(len(part._labels) for part in parts):
            new._labels = np.concatenate([part._labels_or_blanks() for part in parts])
        for name in ("name", "description", "file_origin"):
            setattr(new, name, merge_text([getattr(part, name) for part in parts]))
        new._annotations = self._merged_annotations(*others)
        new._array_annotations = join_array_annotations(
            *[part.array_annotations for part in parts], stacklevel=3
        )
        return new
