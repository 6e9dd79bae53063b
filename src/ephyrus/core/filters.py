"""Conditions for `Container.filter`: what an attribute or an annotation must fulfil.

>>> from ephyrus.core.filters import Between, GreaterThan, Not
>>> GreaterThan(2).evaluate(3)
True
>>> Not(Between(0, 1)).evaluate(0.5)
False

One rule holds for values that are lists, tuples or arrays, array annotations among them: a
condition holds if it holds for **at least one** of the elements. Values that cannot be compared
(text with numbers, seconds with volts, None) do not fulfil a condition, and never raise an error.
A bare number is compared with the number of a quantity, in whatever units that is; quantities are
converted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from numbers import Integral, Number
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ephyrus.core._equality import equal_mask, equal_values, is_many, is_one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "And",
    "Between",
    "Equals",
    "FilterCondition",
    "GreaterThan",
    "GreaterThanOrEquals",
    "InRange",
    "IsIn",
    "IsNot",
    "LessThan",
    "LessThanOrEquals",
    "Not",
    "Or",
]

Inclusive = Literal["both", "left", "right", "neither"]


def fulfils(condition: FilterCondition, value: Any) -> bool:
    """Tell whether a value, or one element of it, fulfils any condition, a user's own also."""
    try:
        result = condition.evaluate(value)
    except (TypeError, ValueError):  # the truth of an array, by a condition that knows of none
        if not is_many(value):
            raise
        return condition._any(value)
    return result if type(result) is bool else bool(np.any(result))


class FilterCondition(ABC):
    """A condition on one value.

    Subclasses define `evaluate`; they need not know about arrays.

    Parameters
    ----------
    control : object
        What values are compared with.

    Attributes
    ----------
    control
        As given.
    """

    def __init__(self, control: Any) -> None:
        self.control = control

    @abstractmethod
    def evaluate(self, value: Any) -> bool:
        """Tell whether a value fulfils the condition.

        Parameters
        ----------
        value : object
            For the conditions of this module, of a list or an array one element suffices.

        Returns
        -------
        bool
        """

    def mask(self, values: Iterable[Any]) -> NDArray[np.bool_]:
        """Tell which of several values fulfil the condition.

        Parameters
        ----------
        values : array_like, shape (value,)

        Returns
        -------
        ndarray of bool, shape (value,)
        """
        return np.array([bool(self.evaluate(value)) for value in values], dtype=np.bool_)

    def _any(self, value: Any) -> bool:
        """Tell whether one element of a list or array fulfils the condition."""
        values = np.ravel(value) if isinstance(value, np.ndarray) else value
        return bool(np.any(self.mask(values)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.control!r})"


class _ElementCondition(FilterCondition):
    """A condition that knows about elements: one of them suffices."""

    def evaluate(self, value: Any) -> bool:
        if is_many(value):
            return self._any(value)
        try:
            return bool(self._test(value))
        except (TypeError, ValueError):
            return False

    def mask(self, values: Iterable[Any]) -> NDArray[np.bool_]:
        if not isinstance(values, np.ndarray):
            return super().mask(values)
        try:
            return np.broadcast_to(np.asarray(self._test(values), dtype=np.bool_), values.shape)
        except (TypeError, ValueError):
            return np.zeros(values.shape, dtype=np.bool_)

    @abstractmethod
    def _test(self, value: Any) -> Any:
        """Compare one value, or all of an array at once; may raise TypeError or ValueError."""


class Equals(FilterCondition):
    """The value, or one of its elements, equals `control`.

    Parameters
    ----------
    control : object
        If it is a list or array itself, it is compared with the value as a whole.
    """

    def evaluate(self, value: Any) -> bool:
        """Tell whether a value, or one element of it, is equal."""
        return equal_values(value, self.control) or (is_many(value) and self._any(value))

    def mask(self, values: Iterable[Any]) -> NDArray[np.bool_]:
        """Tell which values are equal."""
        return equal_mask(values, self.control)


class IsNot(FilterCondition):
    """The value, or one of its elements, differs from `control`.

    Objects that have no such attribute or annotation are not found: there is no value.

    Parameters
    ----------
    control : object
        If it is a list or array itself, it is compared with the value as a whole.
    """

    def evaluate(self, value: Any) -> bool:
        """Tell whether a value, or one element of it, is different."""
        if is_many(value) and not is_many(self.control):
            return self._any(value)
        return not equal_values(value, self.control)

    def mask(self, values: Iterable[Any]) -> NDArray[np.bool_]:
        """Tell which values are different."""
        return ~equal_mask(values, self.control)


class LessThan(_ElementCondition):
    """The value, or one of its elements, is less than `control`.

    Parameters
    ----------
    control : number, Quantity, str, datetime, ...
    """

    def _test(self, value: Any) -> Any:
        return value < self.control


class LessThanOrEquals(_ElementCondition):
    """The value, or one of its elements, is less than `control` or equals it.

    Parameters
    ----------
    control : number, Quantity, str, datetime, ...
    """

    def _test(self, value: Any) -> Any:
        return value <= self.control


class GreaterThan(_ElementCondition):
    """The value, or one of its elements, is greater than `control`.

    Parameters
    ----------
    control : number, Quantity, str, datetime, ...
    """

    def _test(self, value: Any) -> Any:
        return value > self.control


class GreaterThanOrEquals(_ElementCondition):
    """The value, or one of its elements, is greater than `control` or equals it.

    Parameters
    ----------
    control : number, Quantity, str, datetime, ...
    """

    def _test(self, value: Any) -> Any:
        return value >= self.control


class IsIn(FilterCondition):
    """The value, or one of its elements, is one of several.

    Parameters
    ----------
    control : list, tuple, set or int
        The values; an int stands for itself. Anything else is a SyntaxError when a value is
        evaluated.
    """

    def _choices(self) -> Collection[Any]:
        if isinstance(self.control, (list, tuple, set, frozenset)):
            return self.control
        if isinstance(self.control, Integral):
            return (self.control,)
        raise SyntaxError(
            f"IsIn needs a list, tuple, set or int, not {type(self.control).__name__}: "
            f"{self.control!r}"
        )

    def evaluate(self, value: Any) -> bool:
        """Tell whether a value, or one element of it, is among those given.

        Raises
        ------
        SyntaxError
            If `control` is not a list, tuple, set or int.
        """
        return is_one_of(value, self._choices()) or (is_many(value) and self._any(value))

    def mask(self, values: Iterable[Any]) -> NDArray[np.bool_]:
        """Tell which values are among those given.

        Raises
        ------
        SyntaxError
            If `control` is not a list, tuple, set or int.
        """
        choices = self._choices()
        return np.array([is_one_of(value, choices) for value in values], dtype=np.bool_)


class InRange(_ElementCondition):
    """The value, or one of its elements, lies between two numbers.

    .. warning::
       The flags work **the other way round** from what their names say, as they do in Neo:
       False includes that end, True leaves it out. `Between` says what it does.

    Parameters
    ----------
    lower_bound, upper_bound : number
    left_closed : bool, default False
        True leaves `lower_bound` itself out.
    right_closed : bool, default False
        True leaves `upper_bound` itself out.

    Raises
    ------
    ValueError
        If a bound is not a number.
    """

    def __init__(
        self,
        lower_bound: Any,
        upper_bound: Any,
        left_closed: bool = False,
        right_closed: bool = False,
    ) -> None:
        for bound in (lower_bound, upper_bound):
            if not isinstance(bound, Number):
                raise ValueError(  # noqa: TRY004 - as Neo
                    f"the bounds of InRange must be numbers, not {bound!r}; Between takes other "
                    "values too"
                )
        super().__init__((lower_bound, upper_bound))
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound
        self.left_closed = left_closed
        self.right_closed = right_closed

    def _test(self, value: Any) -> Any:
        above = value > self.lower_bound if self.left_closed else value >= self.lower_bound
        below = value < self.upper_bound if self.right_closed else value <= self.upper_bound
        return above & below

    def __repr__(self) -> str:
        return (
            f"InRange({self.lower_bound!r}, {self.upper_bound!r}, "
            f"left_closed={self.left_closed}, right_closed={self.right_closed})"
        )


class Between(_ElementCondition):
    """The value, or one of its elements, lies between two others.

    Parameters
    ----------
    lower, upper : number, Quantity, str, datetime, ...
    inclusive : {"both", "left", "right", "neither"}, default "both"
        Which of the two ends belong to the range themselves.

    Raises
    ------
    ValueError
        If `lower` is greater than `upper`, or `inclusive` is another word.

    Examples
    --------
    >>> [Between(1, 3, inclusive="left").evaluate(value) for value in (1, 2, 3)]
    [True, True, False]
    """

    _WORDS: ClassVar[tuple[str, ...]] = ("both", "left", "right", "neither")

    def __init__(self, lower: Any, upper: Any, inclusive: Inclusive = "both") -> None:
        if inclusive not in self._WORDS:
            raise ValueError(f"inclusive must be one of {self._WORDS}, not {inclusive!r}")
        if lower > upper:
            raise ValueError(f"the lower end of the range ({lower}) is above the upper ({upper})")
        super().__init__((lower, upper))
        self.lower = lower
        self.upper = upper
        self.inclusive = inclusive

    def _test(self, value: Any) -> Any:
        left = self.inclusive in ("both", "left")
        right = self.inclusive in ("both", "right")
        above = value >= self.lower if left else value > self.lower
        below = value <= self.upper if right else value < self.upper
        return above & below

    def __repr__(self) -> str:
        return f"Between({self.lower!r}, {self.upper!r}, inclusive={self.inclusive!r})"


class _Combination(FilterCondition):
    """Several conditions as one; of a list or array, each element is judged by all of them."""

    def __init__(self, *conditions: FilterCondition) -> None:
        if not conditions:
            raise ValueError(f"{type(self).__name__} needs at least one condition")
        for condition in conditions:
            _check_condition(condition, type(self).__name__)
        super().__init__(conditions)

    def evaluate(self, value: Any) -> bool:
        if is_many(value):
            return self._any(value)
        return self._joined(condition.evaluate(value) for condition in self.control)

    def mask(self, values: Iterable[Any]) -> NDArray[np.bool_]:
        masks = np.array([condition.mask(values) for condition in self.control])
        return np.array([self._joined(column) for column in masks.T], dtype=np.bool_)

    @abstractmethod
    def _joined(self, results: Iterable[Any]) -> bool:
        """Make one answer of those of the conditions."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.control))})"


class And(_Combination):
    """All of the conditions hold; of a list or array, all for the same element.

    Parameters
    ----------
    *conditions : FilterCondition

    Raises
    ------
    ValueError
        If there is none.
    TypeError
        If one is not a condition.
    """

    def _joined(self, results: Iterable[Any]) -> bool:
        return all(results)


class Or(_Combination):
    """At least one of the conditions holds.

    Parameters
    ----------
    *conditions : FilterCondition

    Raises
    ------
    ValueError
        If there is none.
    TypeError
        If one is not a condition.
    """

    def _joined(self, results: Iterable[Any]) -> bool:
        return any(results)


class Not(FilterCondition):
    """The condition does not hold for the value, or for one of its elements.

    Objects that have no such attribute or annotation are not found: there is no value.

    Parameters
    ----------
    condition : FilterCondition

    Raises
    ------
    TypeError
        If it is not a condition.
    """

    def __init__(self, condition: FilterCondition) -> None:
        _check_condition(condition, "Not")
        super().__init__(condition)

    def evaluate(self, value: Any) -> bool:
        """Tell whether the condition fails for a value, or for one element of it."""
        if is_many(value):
            return self._any(value)
        return not self.control.evaluate(value)

    def mask(self, values: Iterable[Any]) -> NDArray[np.bool_]:
        """Tell for which values the condition fails."""
        return ~np.asarray(self.control.mask(values), dtype=np.bool_)


def _check_condition(condition: Any, name: str) -> None:
    """Raise TypeError unless `condition` is one."""
    if not isinstance(condition, FilterCondition):
        raise TypeError(
            f"{name} combines conditions such as Equals({condition!r}), not "
            f"{type(condition).__name__}"
        )
