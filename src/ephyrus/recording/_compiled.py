"""The compiled form of the walk; imported only for large files where `numba` is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ephyrus.recording.walk import PacketLayout, Step, WalkEnd

__all__ = ["step"]

CAPACITY = 2**18  # packets found by one call
REASONS: tuple[WalkEnd | None, ...] = (None, "blank", "sentinel", "short", "cut")
ONE = -1  # place of a second factor that is not there


def step(window: NDArray[np.uint8], base: int, end: int, layout: PacketLayout) -> Step:
    """Walk through one window; the same as the loop in :mod:`ephyrus.recording.walk`."""
    offsets = np.empty(min(CAPACITY, len(window) // layout.head + 1), np.int64)
    second = layout.factors[1] if len(layout.factors) > 1 else ONE
    count, at, code = _walk(
        window,
        end - base,
        layout.head,
        layout.base,
        layout.unit,
        layout.factors[0],
        second,
        -1 if layout.sentinel is None else layout.sentinel,
        offsets,
    )
    reason = REASONS[code]
    whole_window = len(window) - at < layout.head
    if reason is None and whole_window and len(window) == end - base:
        reason = "whole" if at == len(window) else "cut"
    return offsets[:count] + base, base + at, reason


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]  # numba has no types
def _walk(window, left, head, base, unit, first, second, sentinel, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the number of packets found, the place after them, and the position in `REASONS`."""
    at = np.int64(0)
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
