"""The item at, before or after a time: against looking at all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.dll.constants import Search
from ephyrus.dll.search import checked_index, first_index, found_index, is_right
from ephyrus.errors import NeuroshareError

SOME_TIMES = st.lists(st.integers(-20, 20), max_size=12).map(
    lambda each: sorted(float(t) / 4 for t in each)
)


def among(times: list[float], time: float, search: int) -> list[int]:
    """All items that may be meant."""
    if search == Search.CLOSEST:
        distances = [abs(each - time) for each in times]
        return [k for k, each in enumerate(distances) if each == min(distances)]
    if search == Search.BEFORE:
        return [k for k, each in enumerate(times) if each <= time][-1:]
    return [k for k, each in enumerate(times) if each >= time][:1]


@settings(deadline=None)
@given(SOME_TIMES, st.integers(-50, 50), st.sampled_from(Search), st.integers(-2, 14) | st.none())
def test_any_answer_is_made_right(times, eighths, search, answer):
    time = eighths / 8
    expected = among(times, time, search)
    if not expected:
        with pytest.raises(NeuroshareError) as caught:
            checked_index(answer, times.__getitem__, len(times), time, search)
        assert caught.value.code == -7
        return
    found = checked_index(answer, times.__getitem__, len(times), time, search)
    assert found in expected
    assert found_index(times.__getitem__, len(times), time, search) in expected
    if expected == [answer]:
        assert found == answer
        assert is_right(answer, times.__getitem__, len(times), time, search)


def test_ties_go_to_the_earlier_item():
    times = [1.0, 1.0, 2.0]
    assert checked_index(0, times.__getitem__, 3, 1.9, Search.CLOSEST) == 2
    assert checked_index(0, times.__getitem__, 3, 1.0, Search.CLOSEST) == 0
    assert found_index([1.0, 2.0].__getitem__, 2, 1.5, Search.CLOSEST) == 0


@pytest.mark.parametrize("search", Search)
def test_rounding_is_no_wrong_answer(search):
    """Times that were computed in two ways may differ in their last place."""
    times = np.arange(100) * 4e-5
    for index in range(1, 99):
        time = math.nextafter(times[index], math.inf if index % 2 else -math.inf)
        assert checked_index(index, times.__getitem__, 100, time, search) == index


def test_messages():
    for search, text in ((Search.AFTER, "at or after 5 s"), (Search.BEFORE, "at or before -5 s")):
        with pytest.raises(NeuroshareError, match=f"there is no item {text}"):
            found_index([1.0, 2.0].__getitem__, 2, 5.0 * search, search)
    with pytest.raises(NeuroshareError, match="no item of 0 is at 1 s"):
        found_index([].__getitem__, 0, 1.0, Search.CLOSEST)


def test_few_questions():
    asked = []

    def time_of(index: int) -> float:
        asked.append(index)
        return float(index)

    assert found_index(time_of, 2**32 - 1, 3e9 + 0.25, Search.CLOSEST) == 3_000_000_000
    assert len(asked) <= 34
    assert first_index(lambda index: index >= 77, 100) == 77
    assert first_index(lambda index: False, 100) == 100
