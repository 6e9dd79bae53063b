"""Rows of an array by the times of another one, and counts of times in bins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.times import Times, rows_within

__all__ = ["MOST_PLACES", "counts", "rows_in_window"]

MOST_PLACES = 2**23  # rows that are found one by one, and held
MOST_BINS = 2**22

Window = tuple[float | None, float | None]


def rows_in_window(times: Times, window: Window) -> slice | NDArray[np.int64]:
    """Find the rows whose time lies in a closed window.

    Parameters
    ----------
    times : Times
        Times of the rows.
    window : tuple of (float or None, float or None)
        Ends of the window, which belong to it, in the unit of the times; None: open.

    Returns
    -------
    slice or ndarray of int64
        A range where the times are sorted, else positions in ascending order.

    Raises
    ------
    ServiceError
        ``too_large``: the times are not sorted, and more than `MOST_PLACES` lie in the window.
    """
    if times.is_sorted:
        return times.window(*window)
    found, total = [np.empty(0, np.int64)], 0
    for first, block in times.blocks():
        found.append(first + np.flatnonzero(rows_within(block, *window)))
        total += len(found[-1])
        if total > MOST_PLACES:
            raise ServiceError(
                "too_large",
                f"More than {MOST_PLACES:,} rows of an array that is not sorted lie in the window; "
                "ask for a shorter window.",
                details={"limit": MOST_PLACES},
            )
    return np.concatenate(found).astype(np.int64, copy=False)


def counts(times: Times, bins: int, window: Window, *, name: str) -> ArrayPart:
    """Count times in even bins.

    Parameters
    ----------
    times : Times
        What is counted.
    bins : int
        Number of bins.
    window : tuple of (float or None, float or None)
        Where the first bin begins and the last one ends; a time at an inner border belongs to the
        bin behind it, one at the end of the window to the last bin. None: the earliest, or the
        latest, of the times.
    name : str
        Name of the part.

    Returns
    -------
    ArrayPart
        Of int64 and shape (bins,); its attributes tell where the bins are.

    Raises
    ------
    ServiceError
        ``wrong_params``: there are too many bins.
    """
    if bins > MOST_BINS:
        raise ServiceError(
            "wrong_params", f"Ask for at most {MOST_BINS:,} bins, not {bins:,}.", details="bins"
        )
    low, high = _ends(times, window)
    result = np.zeros(bins, np.int64)
    width = (high - low) / bins
    borders = low + np.arange(bins + 1) * width
    for _, block in _blocks_within(times, low, high):
        within = block[rows_within(block, low, high)]
        place = np.searchsorted(borders, within, "right") - 1
        result += np.bincount(np.clip(place, 0, bins - 1), minlength=bins)
    facts: dict[str, str | int | float | None] = {
        "kind": "counts",
        "bin_start": low,
        "bin_width": width,
    }
    return ArrayPart(name, result.dtype, (bins,), lambda first, last: result[first:last], facts)


def _blocks_within(
    times: Times, low: float, high: float
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Read the times, of sorted ones only those of the window."""
    rows = times.window(low, high) if times.is_sorted else slice(0, times.n)
    if isinstance(rows, slice):
        yield from times.blocks(rows.start, rows.stop)


def _ends(times: Times, window: Window) -> tuple[float, float]:
    """Give the ends of a window, those that are open from the times."""
    low, high = window
    if low is None or high is None:
        least, largest = np.inf, -np.inf
        for _, block in times.blocks():
            known = block[np.isfinite(block)]
            if len(known):
                least, largest = min(least, known.min()), max(largest, known.max())
        if least > largest:
            least = largest = 0.0
        low = min(least, largest if high is None else high) if low is None else low
        high = max(largest, low) if high is None else high
    return float(low), float(high)
