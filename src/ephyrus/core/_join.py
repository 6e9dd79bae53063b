"""Joining AnalogSignals: beside each other, one after another, one into another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import quantities as pq

from ephyrus.core._arraydict import intersect_array_annotations
from ephyrus.core._regular import TOLERANCE
from ephyrus.core.baseneo import intersect_annotations, merge_text
from ephyrus.core.units import convert, unit_of
from ephyrus.errors import MergeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ephyrus.core.analogsignal import AnalogSignal

__all__ = ["concatenate", "merge_channels", "splice"]


def splice(target: AnalogSignal, signal: AnalogSignal, *, copy: bool) -> AnalogSignal:
    """Overwrite samples of one signal by another; see `AnalogSignal.splice`."""
    if not target._same_rate(signal):
        raise ValueError(
            f"sampling rates differ: {target.sampling_rate} and {signal.sampling_rate}"
        )
    if signal.shape[1] != target.shape[1]:
        raise ValueError(f"{signal.shape[1]} channels cannot go into {target.shape[1]}")
    values = convert(signal.view(np.ndarray), signal._unit, target._unit)
    start = _splice_start(target, signal)
    result = target._independent() if copy else target
    result.view(np.ndarray)[start : start + len(values)] = values
    return result


def _splice_start(target: AnalogSignal, signal: AnalogSignal) -> int:
    """Return the sample at which a signal begins within another; raises ValueError outside."""
    first = float(convert(signal._t0, signal._time_unit, target._time_unit))
    rate = target._rate_per_time
    offset = (first - target._t0) * rate
    slack = max(TOLERANCE, 4 * math.ulp(max(abs(first), abs(target._t0))) * rate)
    if offset < -slack or offset + len(signal) > len(target) + slack:
        raise ValueError(
            f"cannot splice a signal from {signal.t_start} to {signal.t_stop} into one from "
            f"{target.t_start} to {target.t_stop}"
        )
    return round(offset)


def merge_channels(first: AnalogSignal, other: AnalogSignal) -> AnalogSignal:
    """Put the channels of two signals side by side; see `AnalogSignal.merge`."""
    if not isinstance(other, type(first)) and not isinstance(first, type(other)):
        raise MergeError(f"Cannot merge AnalogSignal with {type(other).__name__}")
    _check_mergeable(first, other)
    lazy = first.lazy_shape is not None
    if (other.lazy_shape is not None) != lazy:
        raise MergeError("Cannot merge a lazy object with a loaded one; load it first")
    try:
        values = convert(other.view(np.ndarray), other._unit, first._unit)
    except ValueError as error:
        raise MergeError(f"Cannot merge: {error}") from None
    arrays = first._merge_array_annotations(other)
    new = first._like(np.hstack([first.view(np.ndarray), values]))
    new._array_annotations = arrays
    new._annotations = first._merged_annotations(other)
    for attribute in ("name", "description", "file_origin"):
        texts = [getattr(first, attribute), getattr(other, attribute)]
        setattr(new, attribute, merge_text(texts))
    if lazy:
        new._source = MergedSource((first._source, other._source), _factors(first, other))
        new.lazy_shape = new._source.shape
    return new


def _check_mergeable(first: AnalogSignal, other: AnalogSignal) -> None:
    """Check what must agree before channels are put side by side."""
    for attribute, same in (
        ("t_start", first._same_start(other)),
        ("sampling_rate", first._same_rate(other)),
    ):
        if not same:
            raise MergeError(
                f"Cannot merge these two signals as the {attribute} differ: "
                f"{getattr(first, attribute)} and {getattr(other, attribute)}"
            )
    if first.segment is not other.segment:
        raise MergeError("Cannot merge these two signals as they belong to different segments")
    if first._samples != other._samples:
        raise MergeError(
            f"Cannot merge these two signals as their lengths differ: {first._samples} and "
            f"{other._samples} samples"
        )


def _factors(first: AnalogSignal, other: AnalogSignal) -> tuple[float, float]:
    """Return what the samples of two lazy signals are multiplied with after reading."""
    return 1.0, float(convert(1.0, other._unit, first._unit))


class MergedSource:
    """The channels of two lazy signals side by side, as a source.

    Parameters
    ----------
    sources : tuple of SignalSource
        Of the same length.
    factors : tuple of float
        What the samples of each are multiplied with.
    """

    def __init__(self, sources: tuple[Any, Any], factors: tuple[float, float]) -> None:
        self.sources = sources
        self.factors = factors
        self.shape = (sources[0].shape[0], sum(source.shape[1] for source in sources))
        self.dtype = np.result_type(*[source.dtype for source in sources])

    def read(self, start: int, stop: int, channels: NDArray[np.intp] | None) -> NDArray[Any]:
        """Read samples in physical units; see `SignalSource.read`."""
        wanted = np.arange(self.shape[1], dtype=np.intp) if channels is None else channels
        data = np.empty((stop - start, len(wanted)), dtype=self.dtype)
        first = 0
        for source, factor in zip(self.sources, self.factors, strict=True):
            mine = (wanted >= first) & (wanted < first + source.shape[1])
            if mine.any():
                part = source.read(start, stop, wanted[mine] - first)
                data[:, mine] = part if factor == 1.0 else part * factor
            first += source.shape[1]
        return data

    def read_raw(
        self, start: int, stop: int, channels: NDArray[np.intp] | None
    ) -> tuple[NDArray[Any], float]:
        """Refuse: the channels come from two places with scales of their own."""
        raise ValueError("merged lazy signals have no common gain; load them before merging")


def concatenate(
    first: AnalogSignal, *others: AnalogSignal, overwrite: bool, padding: Any
) -> AnalogSignal:
    """Join signals along time; see `AnalogSignal.concatenate`."""
    from ephyrus.core.analogsignal import AnalogSignal

    for other in others:
        if not isinstance(other, AnalogSignal):
            raise TypeError(f"an AnalogSignal is needed, not {type(other).__name__}")
    if not others:
        return first
    signals = [signal.load() for signal in (first, *others)]
    _check_joinable(signals)
    starts = _start_samples(signals)
    stops = [start + len(signal) for start, signal in zip(starts, signals, strict=True)]
    covered = _covered(starts, stops)
    shape = (max(stops) - min(starts), first.shape[1])
    data = np.empty(shape, dtype=first.dtype)
    if not covered:
        data = _filled(shape, signals[0], padding)
    order = range(len(signals)) if overwrite else reversed(range(len(signals)))
    for number in order:
        begin = starts[number] - min(starts)
        data[begin : begin + len(signals[number])] = signals[number].view(np.ndarray)
    return _joined(signals, data, starts.index(min(starts)))


def _check_joinable(signals: list[AnalogSignal]) -> None:
    """Check that units, rate and number of channels agree."""
    first = signals[0]
    for other in signals[1:]:
        for attribute, same in (
            ("units", other._unit is first._unit),
            ("sampling_rate", first._same_rate(other)),
        ):
            if not same:
                raise MergeError(
                    f"Cannot concatenate signals of different {attribute}: "
                    f"{getattr(first, attribute)} and {getattr(other, attribute)}"
                )
        if other.shape[1] != first.shape[1]:
            raise MergeError(
                f"Cannot concatenate signals of {first.shape[1]} and {other.shape[1]} channels"
            )


def _start_samples(signals: list[AnalogSignal]) -> list[int]:
    """Return the sample at which each signal starts, counted from the start of the first."""
    first = signals[0]
    return [int(first.time_index(signal.t_start)) for signal in signals]


def _covered(starts: list[int], stops: list[int]) -> bool:
    """Tell whether the ranges cover everything between them."""
    end = min(starts)
    for start, stop in sorted(zip(starts, stops, strict=True)):
        if start > end:
            return False
        end = max(end, stop)
    return True


def _filled(shape: tuple[int, int], first: AnalogSignal, padding: Any) -> NDArray[Any]:
    """Return an array of the padding value."""
    if isinstance(padding, pq.Quantity):
        value = float(convert(padding.magnitude.item(), unit_of(padding), first._unit))
    elif padding is True:
        value = np.nan
    elif padding is False:
        raise MergeError("Signals are not continuous; pass padding=True or a value for the gaps")
    else:
        raise MergeError(f"padding must be a bool or a Quantity, not {type(padding).__name__}")
    if first.dtype.kind in "iub" and value != np.rint(value):
        raise MergeError(f"padding {value} does not fit into samples of dtype {first.dtype}")
    return np.full(shape, value, dtype=first.dtype)


def _joined(signals: list[AnalogSignal], data: NDArray[Any], earliest: int) -> AnalogSignal:
    """Make the result of a concatenation: what all have in common."""
    first = signals[0]
    new = first._like(data)
    new.segment = None
    new._t0 = float(convert(signals[earliest]._t0, signals[earliest]._time_unit, first._time_unit))
    common = dict(first.annotations)
    for other in signals[1:]:
        common = intersect_annotations(common, other.annotations)
    new._annotations = common
    new._array_annotations = intersect_array_annotations(
        [signal.array_annotations for signal in signals]
    )
    for attribute in ("name", "description", "file_origin"):
        texts = [getattr(signal, attribute) for signal in signals]
        if any(text != texts[0] for text in texts):
            setattr(new, attribute, f"concatenation ({[str(text) for text in texts]})")
    return new
