"""SpikeTrainList: spike trains as a list, or multiplexed in two arrays until one is touched."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, overload

import numpy as np
import quantities as pq

from ephyrus.core._deferred import Deferred
from ephyrus.core._multiplexed import Multiplexed, plain, shared_out
from ephyrus.core._times import check_range, time_values
from ephyrus.core.objectlist import ObjectList
from ephyrus.core.spiketrain import SpikeTrain
from ephyrus.core.units import SECOND, convert, quantity, scalar_in, seconds

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ephyrus.core.segment import Segment

__all__ = ["SpikeTrainList"]

_ZERO = quantity(0.0, SECOND)
_ZERO.flags.writeable = False


class SpikeTrainList(ObjectList[SpikeTrain]):
    """A list of spike trains, which it may also hold in *multiplexed* form.

    In multiplexed form (see `from_spike_time_array`) all spikes are in one array, with the
    channel of each in another; trains are made when they are touched.

    Parameters
    ----------
    items : iterable of SpikeTrain, optional
    parent : Segment, optional
        Becomes the `segment` of every train.

    Raises
    ------
    AttributeError
        If `parent` is not a Segment.
    ValueError
        If an item is not a SpikeTrain, here and wherever one is added.

    Examples
    --------
    >>> import quantities as pq
    >>> from ephyrus.core.spiketrainlist import SpikeTrainList
    >>> trains = SpikeTrainList.from_spike_time_array(
    ...     [1.0, 1.5, 2.0], [7, 3, 7], all_channel_ids=[3, 7], t_stop=5.0, units="s"
    ... )
    >>> print(trains)
    SpikeTrainList containing 3 spikes from 2 neurons
    >>> trains[1]
    <SpikeTrain(array([1., 2.]) * s, [0.0 s, 5.0 s])>
    """

    __slots__ = ("_made", "_origin")

    _wrong_type = ValueError

    def __init__(
        self, items: Iterable[SpikeTrain] | None = None, parent: Segment | None = None
    ) -> None:
        if parent is not None and not any(c.__name__ == "Segment" for c in type(parent).__mro__):
            raise AttributeError(
                f"the parent of a SpikeTrainList must be a Segment, not {type(parent).__name__}"
            )
        super().__init__(SpikeTrain, parent=parent)
        self._origin: Multiplexed | None = None
        self._made: set[int] | None = None
        if items is not None:
            self.extend(items)

    @classmethod
    def from_spike_time_array(
        cls,
        spike_time_array: ArrayLike | pq.Quantity,
        channel_id_array: ArrayLike,
        all_channel_ids: Sequence[Any] | NDArray[Any],
        t_stop: pq.Quantity | float,
        units: Any = None,
        t_start: pq.Quantity | float = _ZERO,
        **annotations: Any,
    ) -> Self:
        """Make a list of all spikes of all channels in one array.

        Parameters
        ----------
        spike_time_array : array_like or Quantity, shape (spike,)
            Times of all spikes; copied.
        channel_id_array : array_like, shape (spike,)
            Channel of each spike; copied.
        all_channel_ids : sequence
            All channels, also those without spikes: one train each, in this order. Each train
            has its channel as annotation ``channel_id``.
        t_stop : Quantity or float
            End of the trains; bare numbers are in the units of the times.
        units : str or unit, optional
            Needed unless the times are a Quantity, which is converted to them.
        t_start : Quantity or float, default 0 s
            Beginning of the trains.
        **annotations
            A str or a single value goes to every train; a sequence has one value per channel.

        Returns
        -------
        SpikeTrainList

        Raises
        ------
        ValueError
            If the arrays differ in length, a channel is not in `all_channel_ids` or twice in
            it, a spike is outside the limits, units are missing, or an annotation has another
            number of values than there are channels.
        """
        times, unit = time_values(spike_time_array, units, np.float64, name="spike_time_array")
        ids = np.array(channel_id_array)
        if ids.shape != times.shape:
            raise ValueError(
                "spike_time_array and channel_id_array must have the same length, not "
                f"{times.size} and {ids.size}"
            )
        extent = scalar_in(t_start, unit, "t_start"), scalar_in(t_stop, unit, "t_stop")
        check_range(times, *extent, unit, clip=True)
        channels = [plain(channel) for channel in all_channel_ids]
        shared = shared_out(annotations, channels)
        new = cls()
        new._adopt_origin(Multiplexed(times, ids, channels, unit, extent, shared))
        return new

    def _adopt_origin(self, origin: Multiplexed) -> None:
        """Become the list of trains of `origin`, none of which is made yet."""
        self.clear()
        self._defer(range(len(origin.channels)), origin)
        self._origin = origin
        self._made = set()

    # --- multiplexed form -----------------------------------------------------------------

    # `_made` tells where trains have been made; the others are as they were. It is None when
    # items may have left or changed their places: then each of them is looked at.

    def _resolve(self, index: int) -> Any:
        if self._made is not None and type(self._items[index]) is Deferred:
            self._made.add(index)
        return super()._resolve(index)

    def _rearranged(self) -> None:
        self._made = None

    def _intact(self) -> Multiplexed | None:
        """Return the arrays that the list was made of, while they still are its contents."""
        origin = self._origin
        if origin is None or len(self._items) != len(origin.channels):
            return None
        places = range(len(self._items)) if self._made is None else sorted(self._made)
        return origin if origin.agrees(self._items, places) else None

    def _untouched(self) -> Multiplexed | None:
        """Return the arrays that the list was made of, while no train has been made."""
        origin = self._intact()
        return origin if origin is not None and self._pending == len(self._items) else None

    @property
    def multiplexed(self) -> tuple[NDArray[Any], pq.Quantity]:
        """All spikes in one array: channel of each spike, and times.

        Times are in the units of the first train, channels are the trains' annotation
        ``channel_id`` where that is an integer, else their position in the list. Spikes are
        in the order of the trains, or as given to `from_spike_time_array`. Lazy trains are
        loaded.
        """
        origin = self._intact()
        if origin is not None:
            return origin.ids.copy(), quantity(origin.times.copy(), origin.unit)
        trains = [train if train._source is None else train.load() for train in self]
        if not trains:
            return np.empty(0, dtype=np.int64), quantity(np.empty(0), SECOND)
        unit, shared = trains[0]._unit, trains[0]._dimensionality
        times = [train.view(np.ndarray) for train in trains]
        for place, train in enumerate(trains):
            if train._dimensionality is not shared:
                times[place] = convert(times[place], train._unit, unit)
        ids = np.repeat(_train_ids(trains), list(map(len, times)))
        return ids, quantity(np.concatenate(times), unit)

    @property
    def all_channel_ids(self) -> list[Any]:
        """Channel of each train, as in `multiplexed`."""
        origin = self._intact()
        return list(origin.channels) if origin is not None else _train_ids(list(self))

    @property
    def t_start(self) -> pq.Quantity | None:
        """Beginning of the trains; the earliest, with a warning, if they differ.

        None for an empty list.
        """
        return self._limit("t_start", min)

    @property
    def t_stop(self) -> pq.Quantity | None:
        """End of the trains; the latest, with a warning, if they differ.

        None for an empty list.
        """
        return self._limit("t_stop", max)

    def _limit(self, name: str, choose: Any) -> pq.Quantity | None:
        origin = self._untouched()
        if origin is not None and origin.channels:
            return quantity(origin.extent[name == "t_stop"], origin.unit)
        limits = [getattr(train, name) for train in self]
        if not limits:
            return None
        numbers = [seconds(limit) for limit in limits]
        if not np.allclose(numbers, numbers[0], rtol=1e-12, atol=0.0):
            word = "earliest" if name == "t_start" else "latest"
            warnings.warn(
                f"the spike trains have different {name}: this is the {word}", stacklevel=3
            )
        return choose(limits, key=seconds)

    # --- list interface -------------------------------------------------------------------

    # Parts and sums are of this class, where those of other child lists are plain lists.
    @overload  # type: ignore[override]
    def __getitem__(self, index: SupportsIndex) -> SpikeTrain: ...
    @overload
    def __getitem__(self, index: slice) -> SpikeTrainList: ...
    def __getitem__(self, index: SupportsIndex | slice) -> SpikeTrain | SpikeTrainList:
        found = super().__getitem__(index)
        return SpikeTrainList(found) if isinstance(found, list) else found

    def __add__(self, other: Iterable[Any]) -> SpikeTrainList:  # type: ignore[override]
        return _gathered(self, other)

    def __radd__(self, other: Iterable[Any]) -> SpikeTrainList:  # type: ignore[override]
        return _gathered(other, self)

    def __iadd__(self, other: Iterable[Any]) -> Self:  # type: ignore[override]
        joined = self._joined_origin(other) if isinstance(other, SpikeTrainList) else None
        if joined is not None:
            self._adopt_origin(joined)
        else:
            self.extend(other)
        return self

    def _replace(self, values: Iterable[Any]) -> None:
        """Make `values` the whole contents; what is multiplexed stays so."""
        origin = values._untouched() if isinstance(values, SpikeTrainList) else None
        if origin is None:
            super()._replace(values)
        else:
            self._adopt_origin(origin)

    def _joined_origin(self, other: SpikeTrainList) -> Multiplexed | None:
        """Return the arrays of both lists; None unless both are multiplexed and untouched."""
        mine, theirs = self._intact(), other._intact()
        if theirs is None or (mine is None and self._items):
            return None
        joined = theirs if mine is None else mine.joined(theirs)
        untouched = other._untouched() and (mine is None or self._untouched())
        return joined if untouched else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __str__(self) -> str:
        origin = self._untouched()
        if origin is None:
            return str(self._resolve_all())
        return (
            f"{type(self).__name__} containing {len(origin.times)} spikes from "
            f"{len(origin.channels)} neurons"
        )

    # --- drawing --------------------------------------------------------------------------

    def plot(
        self,
        *,
        t_start: pq.Quantity | float | None = None,
        t_stop: pq.Quantity | float | None = None,
        width: int = 1600,
        figure: Any = None,
        path: str | os.PathLike[str] | None = None,
    ) -> Any:
        """Draw the trains below each other, the first at the top; at most 100 of them.

        Parameters
        ----------
        t_start, t_stop : Quantity or float, optional
            Stretch of time; bare numbers are in the units of the first train (default: all).
        width : int, default 1600
            Columns over that stretch.
        figure : matplotlib.figure.Figure or SubFigure, optional
            Where to draw (default: a new figure; pyplot is not used).
        path : path-like, optional
            Save the figure there; the suffix tells the format (``.png``, ``.svg``, ``.pdf``).

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        ValueError
            If the stretch of time is empty or not of times, or `width` is below 1.
        """
        from ephyrus.core._plotting import plot_trains

        return plot_trains(self, t_start, t_stop, width, figure, path)

    # --- copying --------------------------------------------------------------------------

    @classmethod
    def _adopt(cls, allowed: tuple[type[Any], ...], items: list[Any], parent: Any) -> Self:
        new = super()._adopt(allowed, items, parent)
        new._origin = new._made = None
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a list of copies without parent; what is multiplexed stays so."""
        origin = self._untouched()
        if origin is None:
            return super().__deepcopy__(memo)
        new = type(self)()
        memo[id(self)] = new
        new._adopt_origin(origin)  # never changed: trains are made of copies
        return new

    def _packed(self) -> Any:
        """Return the trains as a list, or the arguments of the multiplexed form as a tuple."""
        origin = self._untouched()
        return self._resolve_all() if origin is None else origin.arguments

    def _unpack(self, packed: Any) -> None:
        self._origin = self._made = None
        multiplexed = isinstance(packed, tuple)
        super()._unpack([] if multiplexed else packed)
        if multiplexed:
            self._adopt_origin(Multiplexed(*packed))


def _gathered(first: Iterable[Any], second: Iterable[Any]) -> SpikeTrainList:
    """Return a new list of the trains of two, without parent."""
    new = SpikeTrainList()
    new += first
    new += second
    return new


def _train_ids(trains: list[SpikeTrain]) -> list[int]:
    """Return the channel of each train: its annotation if that is an integer, else its place."""
    ids = list(range(len(trains)))
    for place, train in enumerate(trains):
        found = train._annotations.get("channel_id") if train._annotations else None
        if isinstance(found, Integral) and not isinstance(found, bool):
            ids[place] = int(found)
    return ids
