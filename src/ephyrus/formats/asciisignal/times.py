"""Whether the times of a column are equally spaced, and then their rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.asciisignal.layout import number

__all__ = ["Times", "examined"]

EVEN = 0.01  # steps by which a time of an equally spaced column may lie off the straight line
SNAP = Fraction(1, 1000)  # steps by which the last may move where a rate is made a whole number
SHORTEST_STEP, LONGEST_STEP = 1e-15, 1e15  # time units


@dataclass(frozen=True, slots=True)
class Times:
    """What was found out about a time column, in the file's time units.

    Attributes
    ----------
    low, high : float
        Smallest and largest time.
    is_sorted : bool
        Times never decrease.
    t_start, rate : Fraction or None
        First time and rows per time unit, where times are equally spaced.
    """

    low: float
    high: float
    is_sorted: bool
    t_start: Fraction | None = None
    rate: Fraction | None = None


def examined(
    first: bytes, last: bytes, count: int, pieces: Iterable[tuple[int, NDArray[np.float64]]]
) -> Times | int:
    """Find out whether times are equally spaced.

    Equally spaced means: every time lies within 1 % of a step of the straight line from the first
    to the last, because the digits printed in a file limit how equal steps can be.

    Parameters
    ----------
    first, last : bytes
        The first and the last time as they are printed.
    count : int
        Number of times.
    pieces : iterable of (int, ndarray of float64)
        All times in order, with the row of the first one of each piece.

    Returns
    -------
    Times or int
        What was found, or the row of the first time that is missing or not finite.
    """
    begin, end = (np.nan if number(cell) is None else float(cell) for cell in (first, last))
    step = (end - begin) / (count - 1) if count > 1 else 0.0
    is_even, is_sorted = SHORTEST_STEP < step < LONGEST_STEP, True
    low, high, previous = np.inf, -np.inf, -np.inf
    for row, times in pieces:
        wrong = np.flatnonzero(~np.isfinite(times))
        if wrong.size:
            return row + int(wrong[0])
        if not times.size:
            continue
        low, high = min(low, float(times.min())), max(high, float(times.max()))
        is_sorted = is_sorted and times[0] >= previous and bool(np.all(times[1:] >= times[:-1]))
        previous = float(times[-1])
        if is_even:
            line = begin + step * np.arange(row, row + times.size)
            is_even = bool(np.all(np.abs(times - line) <= EVEN * step))
    if not is_even:
        return Times(low, high, is_sorted)
    return Times(low, high, is_sorted, _decimal(begin), _rate(first, last, count))


def _decimal(value: float) -> Fraction:
    """Give the decimal number that was meant by a float."""
    return Fraction(repr(value))


def _rate(first: bytes, last: bytes, count: int) -> Fraction:
    """Give rows per time unit: (count - 1) / (last - first).

    A whole number is taken where it fits the printed digits as well, so that 44100 Hz printed with
    nine digits is 44100 Hz.
    """
    end = float(last)
    span = _decimal(end) - _decimal(float(first))
    rate = Fraction(count - 1) / span
    whole = round(rate)
    digit = max(_last_digit(first), _last_digit(last), Fraction(float(np.spacing(abs(end)))))
    if whole and abs(Fraction(count - 1, whole) - span) <= min(digit, SNAP / rate):
        return Fraction(whole)
    return rate


def _last_digit(cell: bytes) -> Fraction:
    """Give the value of one unit in the last printed digit."""
    mantissa, _, exponent = cell.lower().partition(b"e")
    decimals = len(mantissa.partition(b".")[2])
    return Fraction(10) ** (int(exponent or 0) - decimals)
