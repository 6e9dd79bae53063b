"""A part of an array, ready to be sent: what lies between reading and encoding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK_BYTES", "ArrayPart"]

BLOCK_BYTES = 2**20  # bytes that are read and encoded at a time


@dataclass(frozen=True, slots=True)
class ArrayPart:
    """A part of an array that can be read in rows.

    Attributes
    ----------
    name : str
        Name of the array in a body that names it: the guid of the object that owns it.
    dtype : dtype
        Type of the values: numbers, or text (kind ``"S"``: UTF-8 padded with zeros).
    shape : tuple of int
        Shape of the part, axis 0 first.
    read : callable
        ``read(start, stop)`` gives rows [start, stop) of the part: a C-contiguous array of `dtype`
        and shape ``(stop - start, *shape[1:])``. May be called from any thread, rows in any order.
    attributes : mapping of str to str, int or float
        Facts of the array: units, t_start, sampling_rate and so on. None is left out.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read: Callable[[int, int], NDArray[Any]]
    attributes: Mapping[str, str | int | float | None] = field(default_factory=dict)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.dtype.itemsize * math.prod(self.shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes of the whole part."""
        return self.row_bytes * self.shape[0]

    @property
    def rows_per_block(self) -> int:
        """Rows that make a block of about `BLOCK_BYTES`."""
        return max(1, BLOCK_BYTES // max(1, self.row_bytes))

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[NDArray[Any]]:
        """Read rows [start, stop) in blocks of about `BLOCK_BYTES`, one after the other."""
        end = self.shape[0] if stop is None else stop
        step = self.rows_per_block
        for first in range(start, end, step):
            yield self.read(first, min(first + step, end))
