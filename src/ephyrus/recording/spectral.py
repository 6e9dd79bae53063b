"""Fewer points through filters: by Fourier transform, and by a zero-phase low-pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ephyrus._shared.bins import even_edges
from ephyrus.recording.rowsource import Rows, pieces_of

__all__ = ["MAX_TAPS", "MAX_TRANSFORMED", "decimated", "resampled"]

MAX_TRANSFORMED = 2**22  # samples x channels: some 200 MB with the spectrum
MAX_TAPS = 2**20
TAPS_PER_POINT = 10  # taps on each side, in spacings of the points that come out
WINDOW_VALUES = 2**19  # numbers under the filter at a time


def resampled(part: Rows, points: int) -> NDArray[np.float64]:
    """Resample a whole range by Fourier transform.

    Parameters
    ----------
    part : Rows
        The array, longer than `points`.
    points : int
        How many points.

    Returns
    -------
    ndarray of float64, shape (points, *item_shape)
        The band-limited periodic signal through the samples, at ``points`` even steps: what
        ``scipy.signal.resample`` gives. It rings where the ends of the range do not meet.

    Raises
    ------
    ValueError
        If the range has more than `MAX_TRANSFORMED` samples.
    """
    if part.length * part.width > MAX_TRANSFORMED:
        raise ValueError(
            f"kind=resample transforms the whole range at once: {part.length:,} samples of "
            f"{part.width:,} channels are more than {MAX_TRANSFORMED:,} in all; ask for a shorter "
            "range or fewer channels, or for decimate or mean"
        )
    values = part.read(0, part.length).reshape(part.length, -1)
    result = np.empty((points, values.shape[1]))
    for channel in range(values.shape[1]):
        with np.errstate(invalid="ignore"):  # of infinities there is none: all becomes NaN
            spectrum = np.fft.rfft(values[:, channel].astype(np.float64))[: points // 2 + 1]
            if points % 2 == 0:
                spectrum[-1] *= 2  # both halves of the highest frequency fall together
            result[:, channel] = np.fft.irfft(spectrum, points) * (points / part.length)
    return result.reshape(points, *part.item_shape)


def decimated(part: Rows, points: int) -> Callable[[int, int], NDArray[np.float64]]:
    """Filter a range and take every so many samples of what comes out.

    Parameters
    ----------
    part : Rows
        The array, longer than `points`.
    points : int
        How many points.

    Returns
    -------
    callable
        ``read(first, last)`` gives points [first, last). Point j stands at sample
        ``j * length // points``. The filter is symmetric (it moves nothing in time): a sinc with a
        Hamming window, cut off at half the rate of the points. At the ends of the range the part
        of it that has samples is used, so that a constant stays what it is.

    Raises
    ------
    ValueError
        If the filter would be longer than `MAX_TAPS`.
    """
    ratio = part.length / points
    reach = int(np.ceil(TAPS_PER_POINT * ratio))
    if 2 * reach + 1 > MAX_TAPS:
        raise ValueError(
            f"kind=decimate would need a filter of {2 * reach + 1:,} samples, of which "
            f"{MAX_TAPS:,} are allowed; ask for more points or a shorter range, or for mean"
        )
    taps = np.sinc(np.arange(-reach, reach + 1) / ratio) * np.hamming(2 * reach + 1)
    taps /= taps.sum()

    def read(first: int, last: int) -> NDArray[np.float64]:
        result = np.empty((last - first, *part.item_shape))
        at = first
        step = WINDOW_VALUES // (len(taps) * max(1, part.width))
        while at < last:
            end = min(last, at + max(1, step))
            places = even_edges(part.length, points, at, end)[:-1]
            with np.errstate(invalid="ignore"):  # infinities under taps of both signs have no sum
                if step < 1:
                    result[at - first] = _filtered_in_pieces(part, int(places[0]), taps)
                else:
                    result[at - first : end - first] = _filtered(part, places, taps)
            at = end
        return result

    return read


def _filtered(
    part: Rows, places: NDArray[np.int64], taps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Put the filter over samples, each point for itself: shape (points, *item_shape)."""
    reach = len(taps) // 2
    start, stop = int(places[0]) - reach, int(places[-1]) + reach + 1
    inside = max(0, start), min(part.length, stop)
    read = part.read(*inside).reshape(inside[1] - inside[0], -1)
    values = np.zeros((stop - start, read.shape[1]))
    values[inside[0] - start : inside[1] - start] = read
    under: NDArray[Any] = sliding_window_view(values, len(taps), axis=0)[places - places[0]]
    result = under @ taps
    if inside != (start, stop):
        sums = np.concatenate([[0.0], np.cumsum(taps)])
        begin = np.maximum(reach - places, 0)
        end = np.minimum(part.length - places + reach, len(taps))
        result /= (sums[end] - sums[begin])[:, None]
    return result.reshape(len(places), *part.item_shape)


def _filtered_in_pieces(part: Rows, place: int, taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put a long filter over the samples around one point, shape (*item_shape)."""
    begin = place - len(taps) // 2
    total, weight = np.zeros(part.width), 0.0
    stop = min(part.length, begin + len(taps))
    for first, values in pieces_of(part, max(0, begin), stop):
        used = taps[first - begin : first - begin + len(values)]
        total += used @ values.reshape(len(values), -1)
        weight += used.sum()
    return (total / weight).reshape(part.item_shape)
