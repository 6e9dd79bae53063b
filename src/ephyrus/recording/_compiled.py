"""Compiled loops; imported only for large files, and where `numba` is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ephyrus.recording.walk import Found, Loop, PacketLayout, WalkEnd

__all__ = ["loop_of", "order_of"]

REASONS: tuple[WalkEnd | None, ...] = (None, "blank", "sentinel", "short", "cut")
NONE = -1  # a second factor or a sentinel that is not there


def loop_of(layout: PacketLayout) -> Loop:
    """Give a function that walks packets, as :mod:`ephyrus.recording.walk` has it in Python."""
    first, *more = layout.factors
    second = more[0] if more else NONE
    sentinel = NONE if layout.sentinel is None else layout.sentinel
    sizes = layout.head, layout.base, layout.unit

    def loop(window: NDArray[np.uint8], at: int, left: int, turns: int) -> Found:
        offsets = np.empty(turns, np.int64)
        count, at, code = _walk(window, at, left, *sizes, first, second, sentinel, offsets)
        return offsets[:count], at, REASONS[code]

    return loop


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _walk(window, at, left, head, base, unit, first, second, sentinel, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the number of packets found, the place after them, and the position in `REASONS`."""
    last = window.size - head
    for count in range(offsets.size):
        if at > last:
            return count, at, 0
        factor = np.int64(window[at + first]) | (np.int64(window[at + first + 1]) << 8)
        product = factor
        if second >= 0:
            product *= np.int64(window[at + second]) | (np.int64(window[at + second + 1]) << 8)
        length = base + unit * product
        if window[at] == 0 and window[at + 1] == 0:
            return count, at, 1
        if factor == sentinel:
            return count, at, 2
        if length < head:
            return count, at, 3
        if at + length > left:
            return count, at, 4
        offsets[count] = at
        at += length
    return offsets.size, at, 0


def order_of(keys: NDArray[np.uint16]) -> NDArray[np.intp]:
    """Give the stable order that sorts 16-bit keys."""
    order = np.empty(keys.size, np.intp)
    _place(keys, np.bincount(keys, minlength=2**16).cumsum(), order)
    return order


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _place(keys, ends, order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put each item before those of its key that come later; `ends` is used up."""
    for item in range(keys.size - 1, -1, -1):
        ends[keys[item]] -= 1
        order[ends[keys[item]]] = item
