"""The item at, before or after a time: an answer checked, or found by bisection.

Libraries are wrong about this (one answers with numbers of samples for segments, and refuses times
in gaps), and times of items can be asked for one at a time, so that every answer can be checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ephyrus.dll.constants import Result, Search
from ephyrus.dll.failures import failure

__all__ = ["checked_index", "first_index", "found_index", "is_right"]

TimeOf = Callable[[int], float]

_ROUNDING = 4  # units in the last place by which times of the same item may differ


def checked_index(answer: int | None, time_of: TimeOf, count: int, time: float, search: int) -> int:
    """Give the answer of a library if it is right, else the one found by bisection.

    Parameters
    ----------
    answer : int or None
        The library's answer; None where it refuses.
    time_of : callable
        Gives the time of an item in seconds; times never decrease from item to item.
    count : int
        Number of items.
    time : float
        Seconds.
    search : int
        A `Search`.

    Raises
    ------
    NeuroshareError
        If there is no such item (``ns_BADINDEX``).
    """
    if answer is not None and is_right(answer, time_of, count, time, search):
        return answer
    return found_index(time_of, count, time, search)


def is_right(answer: int, time_of: TimeOf, count: int, time: float, search: int) -> bool:
    """Tell whether an item is the one meant by a time.

    It may lie on the wrong side by rounding; an item that lies nearer on the right side may not.
    """
    if not 0 <= answer < count:
        return False
    at = time_of(answer)
    spare = _ROUNDING * math.ulp(max(abs(at), abs(time)))
    if search == Search.BEFORE:
        return at <= time + spare and (answer + 1 == count or time_of(answer + 1) > time)
    if search == Search.AFTER:
        return at >= time - spare and (answer == 0 or time_of(answer - 1) < time)
    neighbours = [time_of(index) for index in (answer - 1, answer + 1) if 0 <= index < count]
    if at in neighbours and at != time:
        return False  # a nearer item may lie behind those of the same time
    distance = abs(at - time) - spare
    return all(distance <= abs(neighbour - time) for neighbour in neighbours)


def found_index(time_of: TimeOf, count: int, time: float, search: int) -> int:
    """Find the item meant by a time by bisection; see `checked_index`."""
    if math.isnan(time) or count <= 0:
        raise failure(Result.BADINDEX, f"no item of {count} is at {time:g} s")
    if search == Search.AFTER:
        found = first_index(lambda index: time_of(index) >= time, count)
        if found == count:
            raise failure(Result.BADINDEX, f"there is no item at or after {time:g} s")
        return found
    later = first_index(lambda index: time_of(index) > time, count)
    if search == Search.BEFORE:
        if later == 0:
            raise failure(Result.BADINDEX, f"there is no item at or before {time:g} s")
        return later - 1
    if later in (0, count):
        return min(later, count - 1)
    is_nearer = time_of(later) - time < time - time_of(later - 1)
    return later if is_nearer else later - 1


def first_index(is_so: Callable[[int], bool], count: int) -> int:
    """Give the first index of which something is so, as of all after it; `count` if of none."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if is_so(middle):
            high = middle
        else:
            low = middle + 1
    return low
