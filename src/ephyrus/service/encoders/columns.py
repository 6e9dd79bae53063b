"""Columns of an array for formats that are tables, and indices beside values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.arrays.part import ArrayPart

__all__ = ["Table", "native", "paired", "texts"]


def native(block: NDArray[Any]) -> NDArray[Any]:
    """Return a block in this machine's byte order."""
    return block if block.dtype.isnative else block.astype(block.dtype.newbyteorder("="))


def texts(block: NDArray[Any]) -> NDArray[np.str_]:
    """Decode texts as UTF-8; what is not UTF-8 becomes U+FFFD, so that one label spoils no body."""
    return np.char.decode(block, "utf-8", "replace")


def paired(part: ArrayPart, indices: NDArray[np.int64]) -> ArrayPart:
    """Return a part of pairs (index, value).

    Parameters
    ----------
    part : ArrayPart
        The values, numbers.
    indices : ndarray of int64
        Index of each row, shape ``(rows,)``, or of each value, shape of the part.

    Returns
    -------
    ArrayPart
        float64 of shape ``(*part.shape, 2)``: ``[..., 0]`` the index (exact below 2**53),
        ``[..., 1]`` the value.
    """
    wide = _wide(part, indices)

    def read(start: int, stop: int) -> NDArray[Any]:
        pairs = np.empty((stop - start, *part.shape[1:], 2))
        pairs[..., 0] = wide[start:stop]
        pairs[..., 1] = part.read(start, stop)
        return pairs

    return replace(part, dtype=np.dtype(np.float64), shape=(*part.shape, 2), read=read)


def _wide(part: ArrayPart, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return indices that go with the values of a part: one to each, or one to each row.

    Raises
    ------
    ValueError
        They go with neither.
    """
    if indices.shape == part.shape:
        return indices
    if indices.shape != part.shape[:1]:
        msg = f"indices of shape {indices.shape} go neither with rows nor values of {part.shape}"
        raise ValueError(msg)
    return indices.reshape(-1, *(1 for _ in part.shape[1:]))


@dataclass(frozen=True)
class Table:
    """An array as a table: a row per row, a column per place in the other axes.

    Attributes
    ----------
    part : ArrayPart
        The values.
    names : sequence of str or None
        Names along axis 1 (channels); None: ``ch0``, ``ch1`` and so on.
    indices : ndarray of int64 or None
        Index of each row (one column in front) or of each value (a column before each other).
    """

    part: ArrayPart
    names: Sequence[str] | None = None
    indices: NDArray[np.int64] | None = None

    @cached_property
    def value_names(self) -> list[str]:
        """Names of the columns of values, all different."""
        shape = self.part.shape
        if len(shape) == 1:
            named = self.names is not None and len(self.names) == 1
            return [str(self.names[0] if named and self.names else self._field)]
        names = list(self.names) if self.names is not None else []
        if len(names) != shape[1]:
            names = [f"ch{number}" for number in range(shape[1])]
        names = _different(names)
        places = product(*(range(size) for size in shape[2:]))
        ends = ["".join(f"[{number}]" for number in place) for place in places]
        return [name + end for name in names for end in ends]

    @cached_property
    def column_names(self) -> list[str]:
        """Names of all columns."""
        if self.indices is None:
            return self.value_names
        if not self.index_per_value:
            return _different(["index", *self.value_names])
        return [name for value in self.value_names for name in (f"index:{value}", value)]

    @property
    def index_per_value(self) -> bool:
        """Whether each column of values has indices of its own."""
        return self.indices is not None and self.indices.ndim > 1

    @property
    def _field(self) -> Any:
        return self.part.attributes.get("field") or "value"

    def index_columns(self, start: int, stop: int) -> NDArray[np.int64] | None:
        """Return the indices of rows [start, stop): ``(rows, 1)``, or ``(rows, columns)``."""
        if self.indices is None:
            return None
        _wide(self.part, self.indices)
        return self.indices[start:stop].reshape(stop - start, -1)


def _different(names: Sequence[str]) -> list[str]:
    """Return names where repetitions are numbered, so that no column hides another."""
    taken: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        result.append(unique)
    return result
