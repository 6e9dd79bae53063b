"""Filter conditions: values, elements of arrays, and what cannot be compared."""

from datetime import datetime

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

import ephyrus
from ephyrus.core import filters
from ephyrus.core._equality import equal_values
from ephyrus.core.filters import (
    And,
    Between,
    Equals,
    FilterCondition,
    GreaterThan,
    GreaterThanOrEquals,
    InRange,
    IsIn,
    IsNot,
    LessThan,
    LessThanOrEquals,
    Not,
    Or,
    fulfils,
)


def answers(condition, values):
    return [condition.evaluate(value) for value in values]


def test_module_is_exported():
    assert ephyrus.filters is filters
    assert ephyrus.core.filters is filters


def test_base_class_is_abstract():
    with pytest.raises(TypeError, match="evaluate"):
        FilterCondition(1)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Equals(2), [False, True, False]),
        (IsNot(2), [True, False, True]),
        (LessThan(2), [True, False, False]),
        (LessThanOrEquals(2), [True, True, False]),
        (GreaterThan(2), [False, False, True]),
        (GreaterThanOrEquals(2), [False, True, True]),
        (IsIn([1, 3]), [True, False, True]),
        (IsIn((2,)), [False, True, False]),
        (IsIn({2, 3}), [False, True, True]),
        (IsIn(2), [False, True, False]),
        (And(GreaterThan(1), LessThan(3)), [False, True, False]),
        (Or(Equals(1), Equals(3)), [True, False, True]),
        (Not(Equals(2)), [True, False, True]),
    ],
    ids=repr,
)
def test_values(condition, expected):
    assert answers(condition, [1, 2, 3]) == expected
    assert answers(condition, [np.float32(1), np.int8(2), np.array(3.0)]) == expected
    assert condition.mask(np.array([1, 2, 3])).tolist() == expected
    assert condition.mask([1, 2, 3]).tolist() == expected
    assert all(type(answer) is bool for answer in answers(condition, np.array([1, 2, 3])))


def test_flags_of_in_range_leave_the_ends_out():
    values = [0, 1, 2, 3, 4]
    assert answers(InRange(1, 3), values) == [False, True, True, True, False]
    assert answers(InRange(1, 3, True), values) == [False, False, True, True, False]
    assert answers(InRange(1, 3, False, True), values) == [False, True, True, False, False]
    assert answers(InRange(1, 3, True, True), values) == [False, False, True, False, False]
    closed = InRange(1, 3, left_closed=True, right_closed=True)
    assert closed.mask(np.array(values)).tolist() == [False, False, True, False, False]
    for bounds in (("a", 3), (1, None), (1 * pq.s, 2 * pq.s)):
        with pytest.raises(ValueError, match="must be numbers"):
            InRange(*bounds)


def test_between_says_what_it_does():
    values = [0, 1, 2, 3, 4]
    assert answers(Between(1, 3), values) == [False, True, True, True, False]
    assert answers(Between(1, 3, "both"), values) == [False, True, True, True, False]
    assert answers(Between(1, 3, inclusive="left"), values) == [False, True, True, False, False]
    assert answers(Between(1, 3, inclusive="right"), values) == [False, False, True, True, False]
    assert answers(Between(1, 3, inclusive="neither"), values) == [False, False, True, False, False]
    assert answers(Between("a", "c"), ["a", "b", "d", 3]) == [True, True, False, False]
    day = Between(datetime(2020, 1, 1), datetime(2020, 12, 31))
    assert answers(day, [datetime(2020, 5, 5), datetime(2021, 1, 1), None]) == [True, False, False]
    with pytest.raises(ValueError, match=r"inclusive must be one of .*'all'"):
        Between(1, 3, inclusive="all")
    with pytest.raises(ValueError, match=r"lower end of the range \(3\) is above the upper \(1\)"):
        Between(3, 1)


@pytest.mark.parametrize("value", [[1, 5], (1, 5), np.array([1, 5]), np.array([[1], [5]])])
def test_one_element_suffices(value):
    expected = {
        Equals(5): True, Equals(3): False, IsNot(5): True, LessThan(1): False,
        LessThanOrEquals(1): True, GreaterThan(4): True, GreaterThanOrEquals(6): False,
        IsIn([5, 6]): True, IsIn([2]): False, InRange(2, 4): False, Between(4, 6): True,
        And(GreaterThan(1), LessThan(5)): False, And(GreaterThan(1), LessThan(6)): True,
        Or(Equals(3), Equals(1)): True, Not(GreaterThan(0)): False, Not(Equals(1)): True,
    }  # fmt: skip
    assert {condition: condition.evaluate(value) for condition in expected} == expected


def test_nothing_is_raised_by_what_cannot_be_compared():
    odd = [None, "a", {"a": 1}, [], np.array([]), np.array(["x"]), ["b", ["c", 3]], b"x", 3 * pq.V]
    for condition in (LessThan(2 * pq.s), GreaterThan(5 * pq.s), Between(1 * pq.s, 2 * pq.s)):
        assert answers(condition, odd) == [False] * len(odd)
    assert answers(Equals(2), odd) == [False] * len(odd)
    assert answers(IsIn([2, np.array([1, 2])]), odd) == [False] * len(odd)
    assert answers(LessThan("b"), [3, "a", None, np.array(["c", "a"])]) == [
        False, True, False, True,
    ]  # fmt: skip
    assert LessThan(2).evaluate(["x", 1]) is True
    assert LessThan(2).mask(np.array(["x"])).tolist() == [False]


def test_equality_as_a_whole():
    assert Equals([1, 2]).evaluate([1, 2]) is True
    assert Equals([1, 2]).evaluate(np.array([1, 2])) is True
    assert Equals([1, 2]).evaluate([1, 3]) is False
    assert Equals([1, 2]).evaluate([[1, 2], [3, 4]]) is True
    assert IsNot([1, 2]).evaluate([1, 2]) is False
    assert IsNot([1, 2]).evaluate([1, 2, 3]) is True
    assert equal_values({"a": np.array([1, 2])}, {"a": [1, 2]})
    assert not equal_values({"a": 1}, {"b": 1})
    assert equal_values([np.array([1, 2]), "x"], (np.array([1, 2]), "x"))
    assert equal_values(np.array([3]), 3)
    assert not equal_values(np.array([3, 3]), 3)
    assert not equal_values(np.array([1, 2]), [1, [2, 3]])
    assert equal_values(None, None)


def test_surprise_19_units_are_converted():
    assert equal_values(1 * pq.s, 1000 * pq.ms)
    assert equal_values(0.0033 * pq.s, 3.3 * pq.ms)
    assert not equal_values(1 * pq.s, 1 * pq.V)
    assert equal_values(3 * pq.mV, 3)
    assert LessThan(1 * pq.s).evaluate(999 * pq.ms) is True
    assert LessThan(1 * pq.s).evaluate([1.0, 2.0] * pq.s) is False
    assert Between(1 * pq.ms, 2 * pq.ms).evaluate([1500.0, 9000.0] * pq.us) is True
    assert LessThan(5).evaluate(3 * pq.mV) is True


def test_is_in_of_another_type_is_a_syntax_error_on_evaluation():
    condition = IsIn("abc")
    with pytest.raises(SyntaxError, match="IsIn needs a list, tuple, set or int, not str: 'abc'"):
        condition.evaluate("a")
    with pytest.raises(SyntaxError, match="IsIn"):
        IsIn(1.5).mask([1.5])


def test_conditions_of_users():
    class Even(FilterCondition):
        def evaluate(self, value):
            return value % 2 == 0

    class Long(FilterCondition):
        def evaluate(self, value):
            return len(value) > self.control

    even = Even(None)
    assert even.mask([1, 2]).tolist() == [False, True]
    assert fulfils(even, np.array([1, 2])) is True
    assert fulfils(even, np.array([1, 3])) is False
    assert fulfils(Long(2), [1, 2, 3]) is True
    assert And(even, GreaterThan(2)).evaluate([2, 3]) is False
    assert And(even, GreaterThan(2)).evaluate([2, 4]) is True
    assert repr(Long(2)) == "Long(2)"

    class Strict(FilterCondition):
        def evaluate(self, value):
            return bool(value > self.control)  # the truth of an array is refused by numpy

    assert fulfils(Strict(1), np.array([1, 2])) is True
    assert fulfils(Strict(2), np.array([1, 2])) is False
    with pytest.raises(TypeError):
        fulfils(Strict(2), "a")


def test_combinations_need_conditions():
    with pytest.raises(TypeError, match=r"And combines conditions such as Equals\(3\), not int"):
        And(Equals(2), 3)
    with pytest.raises(TypeError, match="Not combines"):
        Not("a")
    with pytest.raises(ValueError, match="Or needs at least one condition"):
        Or()


def test_repr():
    assert repr(And(Equals(1), Not(IsIn([2])))) == "And(Equals(1), Not(IsIn([2])))"
    assert repr(InRange(1, 2)) == "InRange(1, 2, left_closed=False, right_closed=False)"
    assert repr(Between(1, 2, "left")) == "Between(1, 2, inclusive='left')"


numbers = st.integers(-3, 3)


@given(st.lists(numbers, max_size=8), numbers, numbers)
@settings(deadline=None)
def test_elements_law(values, a, b):
    """`evaluate` of many is `any` of the elements, `mask` is one answer per element."""
    low, high = sorted((a, b))
    for condition, plain in (
        (LessThan(a), lambda v: v < a),
        (IsNot(a), lambda v: v != a),
        (InRange(low, high, True, False), lambda v: low < v <= high),
        (Between(low, high, "left"), lambda v: low <= v < high),
        (And(GreaterThan(a), Not(Equals(b))), lambda v: v > a and v != b),
        (Or(IsIn([a]), LessThanOrEquals(b)), lambda v: v == a or v <= b),
    ):
        expected = [plain(value) for value in values]
        array = np.array(values, dtype=np.int64)
        assert [condition.evaluate(value) for value in values] == expected
        assert condition.mask(values).tolist() == expected
        assert condition.mask(array).tolist() == expected
        assert condition.evaluate(values) == condition.evaluate(array) == any(expected)
