"""Signals of shape (time, channel): indexing and the choice of channels."""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import quantities as pq

from ephyrus.core._arraydict import index_arrays
from ephyrus.core.basesignal import BaseSignal, as_quantity

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ChannelSignal", "channel_index"]

_WRONG_INDEX = "{} is indexed by ints, slices, [time, channel] or a mask, not by {!r}"


def channel_index(index: Any) -> Any:
    """Return an index of channels that keeps the channel axis: an int becomes a slice.

    Raises
    ------
    IndexError
        If the index is None, a bool, or of another kind.
    """
    if isinstance(index, slice):
        return index
    if isinstance(index, int | np.integer) and not isinstance(index, bool):
        number = operator.index(index)
        return slice(number, number + 1 or None)
    if isinstance(index, list | tuple | range):
        index = np.asarray(index, dtype=np.intp if len(index) == 0 else None)
    if isinstance(index, np.ndarray) and index.ndim == 1 and index.dtype.kind in "biu":
        return np.asarray(index)
    raise IndexError(f"channels are chosen by an int, a slice, a list or a mask, not by {index!r}")


class ChannelSignal(BaseSignal):
    """Base of AnalogSignal and IrregularlySampledSignal: shape (time, channel)."""

    def _rows(self, key: Any, time: slice) -> Any:
        """Return the part of some samples; `key` may also choose channels."""
        raise NotImplementedError

    def _channel_source(self, channels: NDArray[np.intp]) -> Any:
        """Return a source of some channels of a lazy signal."""
        raise NotImplementedError

    # --- other packages -------------------------------------------------------------------

    def to_pandas(self) -> Any:
        """Give the samples as a ``pandas.DataFrame``; a lazy signal is loaded.

        Returns
        -------
        pandas.DataFrame
            A copy with one row per sample and one column per channel. The index is the time;
            columns are called by the array annotation ``channel_names`` (with an underscore if
            a name is taken) or by numbers. ``attrs["units"]`` gives units by column and of
            ``time``, ``attrs["ephyrus"]`` all other metadata as plain lists and numbers, so
            that `from_pandas` gives the same signal.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        from ephyrus.core._frames import signal_frame

        return signal_frame(self)

    def plot(
        self,
        *,
        t_start: pq.Quantity | float | None = None,
        t_stop: pq.Quantity | float | None = None,
        channels: Any = None,
        width: int = 1600,
        figure: Any = None,
        path: str | os.PathLike[str] | None = None,
    ) -> Any:
        """Draw the channels over time, one below the other.

        Many samples are drawn as the lowest and highest value of each column, so that nothing
        that stands out is lost; lazy signals are read piece by piece.

        Parameters
        ----------
        t_start, t_stop : Quantity or float, optional
            Stretch of time; bare numbers are in the units of this signal's times (default: all).
        channels : int, slice, list or mask, optional
            Which channels (default: all; at most 32 are drawn).
        width : int, default 1600
            Columns over the stretch of time.
        figure : matplotlib.figure.Figure or SubFigure, optional
            Where to draw (default: a new figure; pyplot is not used).
        path : path-like, optional
            Save the figure there; the suffix tells the format (``.png``, ``.svg``, ``.pdf``).

        Returns
        -------
        matplotlib.figure.Figure
            One axes per channel, in the units of the signal over seconds.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        ValueError
            If the stretch of time is empty or not of times, `width` is below 1, or the samples
            are complex.
        IndexError
            If there is no such channel.
        """
        from ephyrus.core._plotting import plot_object

        chosen = self if channels is None else self[:, channels]
        return plot_object(chosen, t_start, t_stop, width, figure, path)

    # --- indexing -------------------------------------------------------------------------

    # A reversed slice is a Quantity at run time; editors are better served by the common case.
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    @overload
    def __getitem__(self, index: Any) -> Any: ...
    def __getitem__(self, index: Any) -> Any:
        if type(index) is slice:
            return self._rows(index, index)
        if isinstance(index, int | np.integer) and not isinstance(index, bool):
            return as_quantity(self.view(np.ndarray)[index], self._unit)
        if isinstance(index, tuple):
            return self._item_at(index)
        if isinstance(index, np.ndarray):
            return self._picked(index)
        raise IndexError(_WRONG_INDEX.format(type(self).__name__, index))

    def _item_at(self, index: tuple[Any, ...]) -> Any:
        """Return what ``signal[time, channel]`` means."""
        if any(item is Ellipsis for item in index):
            index = _without_ellipsis(index)
        if len(index) == 1:
            return self[index[0]]
        if len(index) != 2:
            raise IndexError(f"{type(self).__name__} has 2 dimensions, not {len(index)}")
        time, channel = index
        if isinstance(time, slice):
            return self._part(time, channel)
        if isinstance(time, int | np.integer) and not isinstance(time, bool):
            if channel is None:
                raise IndexError(_WRONG_INDEX.format(type(self).__name__, index))
            return as_quantity(self.view(np.ndarray)[time, channel], self._unit)
        if isinstance(time, np.ndarray):
            raise NotImplementedError(
                "choosing samples by an array is not possible; use a slice, or as_quantity()"
            )
        if isinstance(time, list):
            raise TypeError("choosing samples by a list is not possible; use a slice")
        raise IndexError(_WRONG_INDEX.format(type(self).__name__, index))

    def _part(self, time: slice, channel: Any) -> Any:
        """Return some samples of some channels."""
        index = channel_index(channel)
        if isinstance(channel, int | np.integer) and not -self.shape[1] <= channel < self.shape[1]:
            raise IndexError(f"channel {channel} is out of range: there are {self.shape[1]}")
        if self._source is not None and time == slice(None):
            return self._lazy_part(index)
        new = self._rows((time, index), time)
        if isinstance(new, ChannelSignal):
            new._array_annotations = self._indexed_arrays(index)
        return new

    def _lazy_part(self, index: Any) -> Self:
        """Return some channels of a lazy signal, lazy too."""
        channels = np.arange(self.shape[1], dtype=np.intp)[index]
        new = self._like(np.empty((0, len(channels)), dtype=self.dtype))
        new._array_annotations = index_arrays(self.array_annotations, index)
        new._source = self._channel_source(channels)
        new.lazy_shape = (self._item_count(), len(channels))
        return new

    def _picked(self, index: NDArray[Any]) -> pq.Quantity:
        """Return samples chosen by a mask or by their numbers, as a plain Quantity."""
        values = self.view(np.ndarray)
        index = index.view(np.ndarray)
        if index.ndim == 1 and index.dtype.kind in "biu":
            return as_quantity(values[index], self._unit)
        if index.dtype.kind != "b" or index.shape != self.shape:
            raise IndexError(_WRONG_INDEX.format(type(self).__name__, index))
        counts = index.sum(axis=0)
        if len(set(counts.tolist())) > 1:
            raise IndexError(
                f"indexing of {type(self).__name__} needs to keep the same number of samples for "
                f"each channel; this mask keeps {counts.tolist()}"
            )
        kept = values.T[index.T].reshape(self.shape[1], -1).T
        return as_quantity(kept, self._unit)

    # --- loading --------------------------------------------------------------------------

    def _channels_chosen(self, indexes: Any, names: Sequence[str] | None) -> Any:
        """Return the index of channels that are chosen by index or by name (None: all)."""
        if names is None:
            return indexes
        if indexes is not None:
            raise ValueError("give channel_indexes or channel_names, not both")
        known = [str(name) for name in self.array_annotations.get("channel_names", ())]
        missing = [name for name in names if name not in known]
        if missing:
            raise ValueError(f"no channel is named {missing}; there are {known}")
        return np.array([known.index(name) for name in names], dtype=np.intp)

    def _channel_numbers(self, index: Any) -> NDArray[np.intp] | None:
        """Return the numbers of the channels of an index (None: all)."""
        if index is None:
            return None
        numbers: NDArray[np.intp] = np.arange(self.shape[1], dtype=np.intp)[channel_index(index)]
        return numbers

    def _mark_channels(self, channels: NDArray[np.intp], whole: ChannelSignal) -> None:
        """Give a loaded part the array annotations and the name of its channels."""
        self._array_annotations = index_arrays(whole.array_annotations, channels)
        if len(channels) < whole.shape[1]:
            self.name = f"slice of  {whole.name}"


def _without_ellipsis(index: tuple[Any, ...]) -> tuple[Any, ...]:
    """Replace ``...`` in an index of a two-dimensional array by what it stands for."""
    position = next(number for number, item in enumerate(index) if item is Ellipsis)
    missing = 2 - (len(index) - 1)
    return (*index[:position], *[slice(None)] * missing, *index[position + 1 :])
