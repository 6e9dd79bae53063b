"""Units of measurement: looked up once, converted by plain floats.

The objects of quantities are exact but slow to make and to compare. Here each unit is interned as
one `UnitInfo`, so that two data objects of the same unit share it, conversion factors are cached
floats, and a `quantities.Quantity` is only made where a user looks at a value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray
from quantities.dimensionality import Dimensionality
from quantities.unitquantity import UnitQuantity

from ephyrus.core._unittext import parse_scaled, parse_text, registered_unit

__all__ = [
    "DIMENSIONLESS",
    "HERTZ",
    "SECOND",
    "UnitInfo",
    "as_unit",
    "conversion_factor",
    "convert",
    "dimension_of",
    "inverse_unit",
    "is_frequency",
    "is_time",
    "parse_unit",
    "quantity",
    "scalar_in",
    "scaled_unit",
    "seconds",
    "unit_from_text",
    "unit_of",
    "values_in",
]


class UnitInfo:
    """A unit of measurement with what is needed to convert it; one object per unit.

    Unpacks into the pair ``unit, dimensionality``. Never made directly: see `as_unit`.

    Attributes
    ----------
    unit : UnitQuantity or Quantity
        The unit object of quantities; for composed units a Quantity of magnitude 1.
    dimensionality : Dimensionality
        Shared by all data in this unit; must not be changed in place.
    factor : float
        Size of the unit in SI base units.
    base : Dimensionality
        The dimension in SI base units, one object per dimension.
    """

    __slots__ = ("base", "dimensionality", "factor", "unit")

    def __init__(self, unit: Any, dimensionality: Dimensionality) -> None:
        self.unit = unit
        self.dimensionality = dimensionality
        reference = pq.Quantity(1.0, dimensionality)._reference
        self.factor = float(reference.magnitude)
        base = reference.dimensionality
        self.base = _BASE.setdefault(base, base)

    def __iter__(self) -> Iterator[Any]:
        yield self.unit
        yield self.dimensionality

    def __copy__(self) -> UnitInfo:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> UnitInfo:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        text = _text_of(self)
        return (_intern, (self.dimensionality,)) if text is None else (as_unit, (text,))

    def __str__(self) -> str:
        return self.symbol

    def __repr__(self) -> str:
        return f"UnitInfo({self.symbol!r})"

    @property
    def symbol(self) -> str:
        """The unit as plain text, such as ``"mV"`` or ``"pA/V"``."""
        return str(self.dimensionality.string)


_BASE: dict[Dimensionality, Dimensionality] = {}
_BY_DIMENSIONALITY: dict[Dimensionality, UnitInfo] = {}
# Keyed by the identities of the unit objects; the values keep those objects alive.
_BY_IDENTITY: dict[tuple[Any, ...], tuple[UnitInfo, Dimensionality]] = {}
_BY_UNIT: dict[UnitQuantity, UnitInfo] = {}
_BY_TEXT: dict[str, UnitInfo] = {}
_MOST_CACHED = 4096


def _intern(dimensionality: Dimensionality) -> UnitInfo:
    """Return the one UnitInfo of a dimensionality."""
    key = tuple([(id(unit), power) for unit, power in dimensionality.items()])
    known = _BY_IDENTITY.get(key)
    if known is not None:
        return known[0]
    info = _BY_DIMENSIONALITY.get(dimensionality)
    if info is None:
        own = dimensionality.copy()
        info = UnitInfo(_unit_object(own), own)
        _keep(_BY_DIMENSIONALITY, own, info)
    _keep(_BY_IDENTITY, key, (info, dimensionality.copy()))
    return info


def _keep(cache: dict[Any, Any], key: Any, value: Any) -> None:
    """Put into a cache that user-made units cannot grow without end."""
    if len(cache) >= _MOST_CACHED:
        cache.clear()
    cache[key] = value


def _unit_object(dimensionality: Dimensionality) -> Any:
    """Return the unit object of a single symbol, else a Quantity of magnitude 1."""
    if not dimensionality:
        return pq.dimensionless
    if len(dimensionality) == 1:
        unit, power = next(iter(dimensionality.items()))
        if power == 1:
            return unit
    return pq.Quantity(1.0, dimensionality)


@lru_cache(maxsize=1024)
def _text_of(info: UnitInfo) -> str | None:
    """Return a text that leads back to the unit; None for units that only this process knows."""
    text = info.symbol
    parsed = parse_text(text)
    found = _scaled_unit(text) if parsed is None else _from_parsed(parsed)
    return text if found is info else None


def _from_parsed(parsed: UnitQuantity | Dimensionality) -> UnitInfo:
    """Return the UnitInfo of what `parse_text` gave."""
    return _intern(parsed if isinstance(parsed, Dimensionality) else parsed.dimensionality)


def as_unit(value: Any) -> UnitInfo:
    """Look up the unit that a caller named.

    Parameters
    ----------
    value : str, UnitQuantity, Quantity of magnitude 1, Dimensionality or UnitInfo
        ``"mV"``, ``pq.mV``, ``pq.V / pq.um``, ``signal.units``, ``signal.dimensionality``,
        a ``pq.CompoundUnit``.

    Returns
    -------
    UnitInfo
        Always the same object for the same unit.

    Raises
    ------
    ValueError
        If the text is not a unit, or a Quantity has another magnitude than 1.
    TypeError
        If the value is of another type.
    """
    if type(value) is UnitInfo:
        return value
    if isinstance(value, str):
        info = _BY_TEXT.get(value)
        if info is None:
            info = _from_user_text(value)
            _keep(_BY_TEXT, value, info)
        return info
    if isinstance(value, UnitQuantity):
        info = _BY_UNIT.get(value)
        if info is None:
            info = _intern(value.dimensionality)
            _keep(_BY_UNIT, value, info)
        return info
    if isinstance(value, pq.Quantity):
        if value.size != 1 or value.ndim > 1 or value.magnitude != 1:
            raise ValueError(f"units must be a single unit of magnitude 1, not {value}")
        return _intern(value._dimensionality)
    if isinstance(value, Dimensionality):
        return _intern(value)
    raise TypeError(f"units must be a str or a unit of quantities, not {type(value).__name__}")


def _from_user_text(text: str) -> UnitInfo:
    """Read a unit that a user typed: our own reader first, then the symbols of quantities."""
    parsed = parse_text(text)
    found: Any = _scaled_unit(text) if parsed is None else _from_parsed(parsed)
    if found is not None:
        return found  # type: ignore[no-any-return] # both give a UnitInfo
    found = registered_unit(text)
    if found is not None:
        return _intern(found.dimensionality)
    raise ValueError(f"unit {text!r} is not known; give a unit such as 'mV', 'pA/V' or pq.mV")


def _scaled_unit(text: str) -> UnitInfo | None:
    """Read a number times a unit, such as ``"0.25*uV"`` of raw samples; None if it is not one."""
    scaled = parse_scaled(text)
    return None if scaled is None else scaled_unit(scaled[0], _from_parsed(scaled[1]))


def scaled_unit(gain: float, unit: UnitInfo) -> UnitInfo:
    """Return the unit of integers that times `gain` are values in `unit`.

    Parameters
    ----------
    gain : float
    unit : UnitInfo

    Returns
    -------
    UnitInfo
        Of a ``pq.CompoundUnit``, whose text is made here and never comes from outside.
    """
    if gain == 1.0:
        return unit
    return _compound(float(gain), unit)


@lru_cache(maxsize=1024)
def _compound(gain: float, unit: UnitInfo) -> UnitInfo:
    """Make the compound unit of a gain times a unit."""
    return _intern(pq.CompoundUnit(f"{gain!r}*{unit.symbol}").dimensionality)


def parse_unit(text: str) -> Any:
    """Read the text of a unit from a file; nothing in it is evaluated.

    Parameters
    ----------
    text : str
        ``"mV"``, ``"µV"`` (either micro sign), ``"microV"``, ``"Volts"``, ``"pA/V"``, ``"1/kHz"``.
        Texts that mean "no unit" (``""``, ``"au"``, ``"n/a"``) are dimensionless.

    Returns
    -------
    UnitQuantity or Quantity
        The unit object; a Quantity of magnitude 1 for a composed unit.

    Raises
    ------
    ValueError
        If the text is not understood.
    """
    unit, known = unit_from_text(text)
    if not known:
        raise ValueError(f"unit {text!r} is not known")
    return unit


def unit_from_text(text: str) -> tuple[Any, bool]:
    """Read the text of a unit from a file, falling back to dimensionless.

    Parameters
    ----------
    text : str
        As for `parse_unit`.

    Returns
    -------
    unit : UnitQuantity or Quantity
        ``pq.dimensionless`` where the text is not understood.
    known : bool
        False where the text is not understood. The caller warns once and keeps the text in the
        annotation ``units_string``.
    """
    parsed = parse_text(text)
    if parsed is None:
        return pq.dimensionless, False
    return _from_parsed(parsed).unit, True


def unit_of(value: pq.Quantity) -> UnitInfo:
    """Return the unit of a Quantity, whatever its magnitude."""
    return _intern(value._dimensionality)


def inverse_unit(unit: Any) -> UnitInfo:
    """Return the unit of 1/x, by its usual name for times and frequencies (Hz, s, kHz, ms)."""
    return _inverse(as_unit(unit))


@lru_cache(maxsize=256)
def _inverse(info: UnitInfo) -> UnitInfo:
    """Find the inverse among the usual pairs, else compose it."""
    for frequency, time in (("Hz", "s"), ("kHz", "ms"), ("MHz", "us"), ("GHz", "ns")):
        if info is as_unit(frequency):
            return as_unit(time)
        if info is as_unit(time):
            return as_unit(frequency)
    return _intern(info.dimensionality**-1)


def dimension_of(unit: Any) -> Dimensionality:
    """Return the dimension of a unit in SI base units (the same object for equal dimensions)."""
    return as_unit(unit).base


def conversion_factor(from_unit: Any, to_unit: Any) -> float:
    """Return the number of `to_unit` in one `from_unit`.

    Parameters
    ----------
    from_unit, to_unit : as for `as_unit`

    Returns
    -------
    float
        Whole numbers and their inverses are exact: mV to uV is 1000.0.

    Raises
    ------
    ValueError
        If the dimensions differ.
    """
    multiplier, divisor = _ratio(as_unit(from_unit), as_unit(to_unit))
    return multiplier / divisor


@lru_cache(maxsize=4096)
def _ratio(source: UnitInfo, target: UnitInfo) -> tuple[float, float]:
    """Return what to multiply with and what to divide by; one of them is 1.

    Dividing by 1000 is correctly rounded, multiplying with 0.001 is not.
    """
    if source.base is not target.base:
        raise ValueError(
            f'Unable to convert between units of "{source.symbol}" and "{target.symbol}"'
        )
    factor, inverse = source.factor / target.factor, target.factor / source.factor
    for number, whole in ((factor, round(factor)), (inverse, round(inverse))):
        if whole and math.isclose(number, whole, rel_tol=_ROUNDING):
            return (float(whole), 1.0) if number is factor else (1.0, float(whole))
    return factor, 1.0


_ROUNDING = 4e-15


def convert(values: Any, source: UnitInfo, target: UnitInfo) -> Any:
    """Convert numbers from one unit to another.

    Parameters
    ----------
    values : float or ndarray
        A float array keeps its dtype; integers become float64.
    source, target : UnitInfo

    Returns
    -------
    float or ndarray
        New, unless the units are the same.

    Raises
    ------
    ValueError
        If the dimensions differ.
    """
    if source is target:
        return values
    multiplier, divisor = _ratio(source, target)
    return values / divisor if multiplier == 1.0 else values * multiplier


def is_time(unit: Any) -> bool:
    """Tell whether a unit measures time."""
    return as_unit(unit).base is SECOND.base


def is_frequency(unit: Any) -> bool:
    """Tell whether a unit measures frequency (1/time)."""
    return as_unit(unit).base is HERTZ.base


def quantity(value: Any, unit: UnitInfo) -> pq.Quantity:
    """Make a fresh Quantity (an array is not copied)."""
    made = np.asarray(value).view(pq.Quantity)
    made._dimensionality = unit.dimensionality
    return made


def scalar_in(value: Any, unit: UnitInfo, name: str) -> float:
    """Return a scalar as a float in a given unit.

    Parameters
    ----------
    value : Quantity or number
        A bare number is taken to be in `unit` already.
    unit : UnitInfo
        The unit of the result.
    name : str
        What the value is, for the error message.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the value is not a scalar or has another dimension.
    TypeError
        If it is not a number.
    """
    if isinstance(value, pq.Quantity):
        if value.size != 1:
            raise ValueError(f"{name} must be a single value, not an array of shape {value.shape}")
        own = _intern(value._dimensionality)
        number = float(value.magnitude.item())
        if own is unit:
            return number
        if own.base is not unit.base:
            raise ValueError(f"{name} must be in units like {unit}, not {own.symbol or 'none'}")
        return float(convert(number, own, unit))
    if isinstance(value, (str, bytes)) or np.ndim(value) > 0:
        raise TypeError(f"{name} must be a number or a Quantity, not {value!r}")
    try:
        return float(value)
    except TypeError:
        raise TypeError(f"{name} must be a number or a Quantity, not {value!r}") from None


def values_in(value: Any, unit: UnitInfo, name: str) -> NDArray[np.float64]:
    """Return an array (or scalar) as float64 in a given unit; bare numbers are in it already.

    Parameters
    ----------
    value : Quantity or array_like
    unit : UnitInfo
        The unit of the result.
    name : str
        What the value is, for the error message.

    Returns
    -------
    ndarray of float64, shape of `value`

    Raises
    ------
    ValueError
        If the value has another dimension.
    """
    if not isinstance(value, pq.Quantity):
        return np.asarray(value, dtype=np.float64)
    own = _intern(value._dimensionality)
    numbers: NDArray[np.float64] = value.magnitude.astype(np.float64, copy=False)
    if own is unit:
        return numbers
    if own.base is not unit.base:
        raise ValueError(f"{name} must be in units like {unit}, not {own.symbol or 'none'}")
    return np.asarray(convert(numbers, own, unit))


def seconds(value: Any, default_unit: Any = "s") -> Any:
    """Return a time, or an array of times, as plain seconds.

    Parameters
    ----------
    value : Quantity, number or array_like
    default_unit : as for `as_unit`, optional
        The unit of bare numbers.

    Returns
    -------
    float or ndarray of float64
        A float for a scalar.

    Raises
    ------
    ValueError
        If the value is not a time.
    """
    unit = unit_of(value) if isinstance(value, pq.Quantity) else as_unit(default_unit)
    if unit.base is not SECOND.base:
        raise ValueError(f"a time is needed, not a value in {unit.symbol or 'no unit'}")
    numbers = convert(values_in(value, unit, "time"), unit, SECOND)
    return float(numbers) if np.ndim(numbers) == 0 else numbers


SECOND = as_unit(pq.s)
HERTZ = as_unit(pq.Hz)
DIMENSIONLESS = as_unit(pq.dimensionless)
