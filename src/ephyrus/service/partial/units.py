"""Units of quantities and arrays: which are accepted, and factors between them.

A unit is stored and returned exactly as it was sent; only the comparison ignores case.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from ephyrus.service.errors import ServiceError
from ephyrus.service.types import Dimension

__all__ = [
    "UNIT_LENGTH",
    "check_unit",
    "convert",
    "factor",
    "find_unit",
    "finite",
    "samples_per_unit",
]

UNIT_LENGTH = 64  # characters of a unit that is stored

_MILLI = Fraction(1, 1000)
_MICRO = Fraction(1, 1_000_000)
_KILO = Fraction(1000)
_MEGA = Fraction(1_000_000)
_MU = "\N{GREEK SMALL LETTER MU}"  # the micro sign folds to it

_SIZES: Mapping[Dimension, Mapping[str, Fraction]] = {
    "time": {
        "s": Fraction(1),
        "ms": _MILLI,
        "us": _MICRO,
        "mcs": _MICRO,
        f"{_MU}s": _MICRO,
    },
    "rate": {"hz": Fraction(1), "khz": _KILO, "mhz": _MEGA, "1/s": Fraction(1)},
    "signal": {
        "v": Fraction(1),
        "mv": _MILLI,
        "uv": _MICRO,
        "mcv": _MICRO,
        f"{_MU}v": _MICRO,
    },
    "any": {},
}
_ACCEPTED: Mapping[Dimension, str] = {
    "time": "s, ms, us (or mcs, µs)",
    "rate": "Hz, kHz, MHz, 1/s",
}


@lru_cache(maxsize=1024)
def find_unit(dimension: Dimension, units: str) -> Fraction | None:
    """Find the size of a unit, whatever its case.

    Parameters
    ----------
    dimension : {"time", "rate", "signal", "any"}
        What is measured.
    units : str
        The unit as it was sent.

    Returns
    -------
    Fraction or None
        Size in seconds, hertz or volts. None: not a unit of this dimension that has a known size
        (signals may have any unit).
    """
    return _SIZES[dimension].get(units.casefold())


def check_unit(dimension: Dimension, units: object, *, name: str) -> None:
    """Refuse a unit that a field cannot have.

    Parameters
    ----------
    dimension : {"time", "rate", "signal", "any"}
        Dimension of the field. Signals may have any unit; ``"any"`` is for text, whose unit is
        not looked at.
    units : object
        What was sent.
    name : str
        Name of the field, for the message.

    Raises
    ------
    ServiceError
        ``units_missing`` if there is none, ``bad_parameter`` if it has another dimension or is no
        text.
    """
    if units is None or (isinstance(units, str) and not units.strip()):
        if dimension == "any":
            return
        raise ServiceError("units_missing", f"{name} has no units: send them too.", details=name)
    if not isinstance(units, str) or not units.isprintable() or len(units) > UNIT_LENGTH:
        raise ServiceError(
            "bad_parameter",
            f"The units of {name} must be text of at most {UNIT_LENGTH} characters.",
            details=name,
        )
    if dimension in _ACCEPTED and find_unit(dimension, units) is None:
        raise ServiceError(
            "bad_parameter",
            f"{units!r} is not a unit of {name}: send one of {_ACCEPTED[dimension]}.",
            details=name,
        )


@lru_cache(maxsize=1024)
def factor(dimension: Dimension, source: str, target: str) -> Fraction:
    """Give the number by which values are multiplied to convert them.

    Parameters
    ----------
    dimension : {"time", "rate", "signal", "any"}
        Dimension of both units.
    source, target : str
        Unit of the values, and unit wanted.

    Returns
    -------
    Fraction
        The exact factor.

    Raises
    ------
    ValueError
        If one of the units has no known size and they differ.

    Examples
    --------
    >>> factor("time", "s", "ms")
    Fraction(1000, 1)
    """
    have, want = find_unit(dimension, source), find_unit(dimension, target)
    if have is None or want is None:
        if source == target:
            return Fraction(1)
        raise ValueError(f"no factor is known from {source!r} to {target!r}")
    return have / want


def convert(dimension: Dimension, value: float, source: str, target: str) -> float:
    """Convert a number that was written in decimal.

    0.07 s is 70.0 ms and not 70.00000000000001: the decimal is converted exactly and rounded once,
    so that a window in one unit meets times in another where it should.

    Raises
    ------
    ValueError
        If one of the units has no known size and they differ.
    """
    by = factor(dimension, source, target)
    if by == 1:
        return value
    return finite(Fraction(repr(value)) * by)


def finite(exact: Fraction) -> float:
    """Round to the nearest float; what is too large for one is the largest."""
    try:
        return float(exact)
    except OverflowError:
        return sys.float_info.max if exact > 0 else -sys.float_info.max


@lru_cache(maxsize=4096)
def samples_per_unit(rate: float, rate_units: str, time_units: str) -> float:
    """Give the number of samples in one unit of time.

    Raises
    ------
    ValueError
        If the units are not a rate and a time.

    Examples
    --------
    >>> samples_per_unit(20000, "hz", "ms")
    20.0
    """
    hertz, seconds = find_unit("rate", rate_units), find_unit("time", time_units)
    if hertz is None or seconds is None:
        raise ValueError(f"{rate_units!r} and {time_units!r} are not a rate and a time")
    return finite(Fraction(repr(float(rate))) * hertz * seconds)
