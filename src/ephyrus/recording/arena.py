"""Room for many arrays of middling size: parts of few large blocks of memory.

A recording of hundreds of sweeps becomes hundreds of arrays. The system hands out fresh memory in
small pages where such an array is made, and that costs more than to compute its values; large
blocks come in large pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Allocate", "Arena"]

Allocate: TypeAlias = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]

LARGEST_BLOCK = 16 * 2**20  # bytes that one array can keep from being freed
FIRST_BLOCK = 2**20
ALIGNMENT = 64  # bytes: cache lines


class Arena:
    """Hands out uninitialised arrays that are parts of blocks; each array keeps its block alive.

    Blocks grow with what is asked for, up to 16 MiB; arrays above a quarter of that are made on
    their own.
    """

    def __init__(self) -> None:
        self._block = np.empty(0, np.uint8)
        self._used = 0
        self._next = FIRST_BLOCK

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Make an array in C order, as `numpy.empty` does."""
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes > LARGEST_BLOCK // 4 or dtype.hasobject:
            return np.empty(shape, dtype)
        if self._used + nbytes > self._block.size:
            size = max(self._next, nbytes)
            self._block, self._used = np.empty(size, np.uint8), 0
            self._next = min(2 * self._next, LARGEST_BLOCK)
        part = self._block[self._used : self._used + nbytes]
        self._used += -(-nbytes // ALIGNMENT) * ALIGNMENT
        return part.view(dtype).reshape(shape)
