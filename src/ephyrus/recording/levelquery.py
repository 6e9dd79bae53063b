"""What the bins of a question have to do with the blocks of a level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_BLOCKS", "RATIO", "Blocks", "coarsest", "cut_borders"]

RATIO = 4  # blocks of a level that make a block of the next one
LEAST_BLOCKS = 4  # blocks that every bin has in the level that is read whole


class Window(Protocol):
    """Entries near to each other, around each of many places."""

    def take(self, entries: NDArray[np.int64], rows: Any = slice(None)) -> NDArray[Any]:
        """Give entries near some of the places, (*entries.shape, ...).

        Parameters
        ----------
        entries : ndarray of int64, shape (..., places)
            Which ones, counted from the beginning of the level.
        rows : index, optional
            Which places they lie near (default: all).
        """


class Blocks(Protocol):
    """A level: one entry for each block of `factor` samples; the last may have fewer."""

    factor: int
    count: int
    dtype: np.dtype[Any]

    @property
    def is_held(self) -> bool:
        """Entries cost no reading."""

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Read entries [first, last)."""

    def window(self, starts: NDArray[np.int64], count: int) -> Window:
        """Read `count` entries from each of the starts, which do not decrease."""

    def ranges(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[Any]:
        """Read ranges of entries, and lay them end to end; the starts do not decrease."""


def coarsest(levels: Sequence[Blocks], edges: NDArray[np.int64]) -> int | None:
    """Find the coarsest level with enough whole blocks in each bin; None: there is none."""
    shortest = int(np.diff(edges).min())
    fitting = [
        place for place, level in enumerate(levels) if level.factor * LEAST_BLOCKS <= shortest
    ]
    return fitting[-1] if fitting else None


def cut_borders(edges: NDArray[np.int64], factor: int, length: int) -> NDArray[np.int64]:
    """Give the borders of bins that lie inside a block."""
    return np.flatnonzero((edges % factor != 0) & (edges != length))
