"""Samples in blocks of millions, and how far they go on without a gap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "clipped", "count_in_blocks", "read_in_blocks"]

BLOCK = 4_194_304  # samples a call: 32 MiB, so that other threads can call in between

# Reads samples from an index on into the array, and tells how many of them have no gap.
ReadInto = Callable[[int, NDArray[np.float64]], int]


def clipped(continuous: int, count: int) -> int:
    """Give a continuous count that can be true: a sample goes on at least to itself."""
    return min(max(continuous, 1), count)


def read_in_blocks(
    read_into: ReadInto, start: int, count: int, block: int = BLOCK
) -> tuple[NDArray[np.float64], int]:
    """Read samples in blocks.

    Parameters
    ----------
    read_into : callable
        ``read_into(start, out)`` fills an array and gives the continuous count.
    start, count : int
        Which samples.
    block : int
        Samples a call.

    Returns
    -------
    data : ndarray of float64, shape (count,)
    continuous : int
        How many samples from `start` on have no gap between them.
    """
    data = np.empty(count)
    across = np.empty(2)
    continuous = read_into(start, data[:block])
    for at in range(block, count, block):
        together = read_into(start + at, data[at : at + block])
        # A gap between two blocks shows only to a call that has samples of both.
        if continuous == at and read_into(start + at - 1, across) == 2:
            continuous += together
    return data, continuous


def count_in_blocks(read_into: ReadInto, start: int, count: int, block: int = BLOCK) -> int:
    """Tell how many samples have no gap by reading them; see `read_in_blocks`."""
    scratch, across = np.empty(min(block, count)), np.empty(2)
    done = 0
    while done < count:
        size = min(block, count - done)
        if done and read_into(start + done - 1, across) < 2:
            break
        together = read_into(start + done, scratch[:size])
        done += together
        if together < size:
            break
    return done
