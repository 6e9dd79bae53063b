"""Reading lazy signals of constant rate: all of them, a part, or piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ephyrus.core._channelsignal import ChannelSignal
from ephyrus.core._regular import RegularSampling
from ephyrus.core.lazy import ChannelSelection, ScaledSource
from ephyrus.core.units import UnitInfo, as_unit, scalar_in, scaled_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LoadableSignal"]


class LoadableSignal(RegularSampling, ChannelSignal):
    """Base of AnalogSignal: how a signal of shape (time, channel) is read from its source."""

    def _channel_source(self, channels: NDArray[np.intp]) -> ChannelSelection:
        """Return a source of some channels of a lazy signal."""
        return ChannelSelection(self._source, channels)

    def _converted_source(self, source: UnitInfo, target: UnitInfo) -> Any:
        """Return the source of a lazy signal in another unit."""
        return ScaledSource(self._source, source, target)

    # --- loading --------------------------------------------------------------------------

    def load(
        self,
        time_slice: tuple[Any, Any] | None = None,
        strict_slicing: bool = True,
        channel_indexes: Any = None,
        magnitude_mode: str = "rescaled",
        *,
        channel_names: Sequence[str] | None = None,
    ) -> Self:
        """Read a lazy signal, all of it or a part.

        Parameters
        ----------
        time_slice : (t_start, t_stop), optional
            Window as for `time_slice`; either end may be None.
        strict_slicing : bool, optional
            False clips the window to the signal instead of refusing one that reaches outside.
        channel_indexes : slice, list of int or mask, optional
            Channels to read, relative to this signal.
        magnitude_mode : {"rescaled", "raw"}, optional
            "raw" gives the integers of the file, with the gain in the unit.
        channel_names : list of str, optional
            Channels by their array annotation ``channel_names``.

        Returns
        -------
        same class
            In memory and without a segment. A signal that is in memory already is cut alike,
            and returned as it is if nothing is to be cut.

        Raises
        ------
        ValueError
            If the window is outside (with `strict_slicing`), a name is not known, the mode is
            not known, or raw integers are asked for where there are none.
        """
        if magnitude_mode not in ("rescaled", "raw"):
            raise ValueError(f"magnitude_mode must be 'rescaled' or 'raw', not {magnitude_mode!r}")
        channel_indexes = self._channels_chosen(channel_indexes, channel_names)
        t_start, t_stop = (None, None) if time_slice is None else time_slice
        start, stop = self._window(t_start, t_stop, strict=strict_slicing)
        if self._source is not None:
            return self._read(start, stop, channel_indexes, raw=magnitude_mode == "raw")
        if magnitude_mode == "raw":
            raise ValueError("magnitude_mode='raw' needs a lazy signal; this one is in memory")
        if time_slice is None and channel_indexes is None:
            return self
        part = self[start:stop] if channel_indexes is None else self[start:stop, channel_indexes]
        return part._independent()

    def _read(self, start: int, stop: int, index: Any, *, raw: bool = False) -> Self:
        """Read samples from the source into a signal of the same metadata."""
        channels = self._channel_numbers(index)
        unit = self._unit
        if raw:
            data, gain = self._source.read_raw(start, stop, channels)
            unit = scaled_unit(gain, unit)
        else:
            data = self._source.read(start, stop, channels)
        new = self._like(data, unit)
        new.segment = None
        new._t0 = self._time_of(start)
        if channels is not None:
            new._mark_channels(channels, self)
        return new

    def _piece(self, start: int, stop: int) -> Self:
        """Return the samples ``[start, stop)``, loaded; a view where they are in memory."""
        if self._source is None:
            return self[start:stop]
        return self._read(start, stop, None)

    def iter_chunks(
        self,
        samples: int | None = None,
        seconds: Any = None,
        overlap: int = 0,
        *,
        progress: Callable[[int, int], object] | None = None,
    ) -> Iterator[Self]:
        """Go through the signal in pieces of equal length (the last may be shorter).

        Parameters
        ----------
        samples : int, optional
            Samples per piece; this or `seconds` is needed.
        seconds : float or Quantity, optional
            Duration of a piece; bare numbers are seconds.
        overlap : int, optional
            Samples that each piece shares with the one before it.
        progress : callable, optional
            ``progress(done, total)`` is called with sample counts after each piece is used.

        Yields
        ------
        same class
            Loaded pieces; views where the signal is in memory.

        Raises
        ------
        ValueError
            If not exactly one of `samples` and `seconds` is given, a piece would be empty, or
            the overlap is not below the length of a piece.
        """
        if (samples is None) == (seconds is None):
            raise ValueError("give either samples or seconds")
        if samples is None:
            duration = scalar_in(seconds, as_unit("s"), "seconds")
            samples = round(duration * self._rate * self._rate_unit.factor)
        if samples < 1:
            raise ValueError(f"a piece must have at least 1 sample, not {samples}")
        if not 0 <= overlap < samples:
            raise ValueError(f"overlap must be from 0 to {samples - 1} samples, not {overlap}")
        return self._pieces(samples, samples - overlap, progress)

    def _pieces(
        self, samples: int, step: int, progress: Callable[[int, int], object] | None
    ) -> Iterator[Self]:
        """Yield the pieces of `iter_chunks`."""
        length, start, stop = self._samples, 0, 0
        while stop < length:
            stop = min(start + samples, length)
            yield self._piece(start, stop)
            if progress is not None:
                progress(stop, length)
            start += step
