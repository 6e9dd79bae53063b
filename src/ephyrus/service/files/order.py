"""Whether the values of an array never decrease, found out while it comes piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Order", "has_order"]


def has_order(dtype: np.dtype[Any], items: Sequence[int]) -> bool:
    """Tell whether an array whose rows have the shape `items` can be in ascending order."""
    return not items and dtype.kind in "iuf"


class Order:
    """Looks at the values of an array.

    Parameters
    ----------
    dtype : numpy.dtype
        Their type.
    items : sequence of int
        Shape of a row.

    Attributes
    ----------
    first : numpy scalar or None
        The first value of an array that can be in order.
    """

    def __init__(self, dtype: np.dtype[Any], items: Sequence[int]) -> None:
        self.first: Any = None
        self._last: Any = None
        self._rises = True if has_order(dtype, items) else None

    @property
    def is_sorted(self) -> bool | None:
        """The values so far never decrease; None: they have no order. NaN is out of order."""
        return self._rises

    def add(self, values: NDArray[Any]) -> None:
        """Look at the next values."""
        if self._rises is None or not len(values):
            return
        if self.first is None:
            self.first = values[0]
        elif not self._last <= values[0]:
            self._rises = False
        self._last = values[-1]
        if self._rises:
            is_a_number = bool(self._last == self._last)
            self._rises = is_a_number and bool(np.all(values[:-1] <= values[1:]))
