"""Units of NIX: SI units with prefixes and powers, joined by ``*`` and ``/``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from ephyrus.nix.exceptions import InvalidUnit

__all__ = [
    "is_atomic",
    "is_compound",
    "is_si",
    "sanitizer",
    "scalable",
    "scaling",
    "split",
    "split_compound",
]

_EXPONENTS = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
_UNITS = (
    "mol", "rad", "Ohm", "cd", "Hz", "Pa", "Wb", "lm", "lx", "Bq", "Gy", "Sv", "kat", "dB",
    "m", "g", "s", "A", "K", "N", "J", "W", "C", "V", "F", "S", "T", "H", "l", "L", "%",
)  # fmt: skip
# Longest unit first and the whole text: so "mmol" is milli-mol and not m, "min" is nothing.
_ALTERNATIVES = "|".join(re.escape(each) for each in sorted(_UNITS, key=len, reverse=True))
_PREFIXES = "|".join(sorted(_EXPONENTS, key=len, reverse=True))
_POWER = r"(?:\^(?P<power>[+-]?[1-9]\d{0,5}))?"
_BARE = re.compile(rf"(?P<prefix>)(?P<unit>{_ALTERNATIVES}){_POWER}")
_PREFIXED = re.compile(rf"(?P<prefix>{_PREFIXES})(?P<unit>{_ALTERNATIVES}){_POWER}")


@lru_cache(maxsize=4096)
def sanitizer(unit: str) -> str:
    """Drop blanks and write micro as ``u``.

    Examples
    --------
    >>> sanitizer("µ V"), sanitizer("mul")
    ('uV', 'ul')
    """
    text = unit.replace(" ", "")
    for micro in ("mu", "µ", "μ"):
        text = text.replace(micro, "u")
    return text


@lru_cache(maxsize=4096)
def _match(unit: str) -> tuple[str, str, str] | None:
    """Give prefix, unit and power of an atomic unit, or None."""
    found = _BARE.fullmatch(unit) or _PREFIXED.fullmatch(unit)
    return None if found is None else (found["prefix"], found["unit"], found["power"] or "")


def is_atomic(unit: str) -> bool:
    """Tell whether a text is one SI unit with an optional prefix and power."""
    return _match(unit) is not None


def _atoms(unit: str) -> list[tuple[str, str]]:
    """Give the parts of a compound unit, each with the operator before it."""
    parts = re.split(r"([*/])", unit)
    return [("*", parts[0]), *zip(parts[1::2], parts[2::2], strict=True)]


def is_compound(unit: str) -> bool:
    """Tell whether a text is several SI units joined by ``*`` or ``/``."""
    atoms = _atoms(unit)
    return len(atoms) > 1 and all(is_atomic(text) for _, text in atoms)


def is_si(unit: str) -> bool:
    """Tell whether a text is an atomic or compound SI unit."""
    return is_atomic(unit) or is_compound(unit)


def split(unit: str) -> tuple[str, str, str]:
    """Take an atomic unit apart.

    Returns
    -------
    tuple of str
        Prefix, unit and power; what is not there is empty.

    Raises
    ------
    InvalidUnit
        If it is no atomic SI unit.

    Examples
    --------
    >>> split("mV^2"), split("mmol")
    (('m', 'V', '2'), ('m', 'mol', ''))
    """
    found = _match(unit)
    if found is None:
        raise InvalidUnit(f"{unit!r} is no atomic SI unit", "split")
    return found


def split_compound(unit: str) -> list[str]:
    """Give the atomic units of a compound one; a ``/`` inverts the power.

    Examples
    --------
    >>> split_compound("mV*cm/s^2")
    ['mV', 'cm', 's^-2']
    """
    atoms = []
    for operator, text in _atoms(unit):
        prefix, base, power = split(text)
        exponent = int(power or 1) * (1 if operator == "*" else -1)
        atoms.append(f"{prefix}{base}" if exponent == 1 else f"{prefix}{base}^{exponent}")
    return atoms


@lru_cache(maxsize=4096)
def _ten_power(unit: str) -> tuple[int, dict[str, int]]:
    """Give the power of ten of a unit, and the powers of the bare units in it."""
    ten = 0
    powers: dict[str, int] = {}
    for atom in split_compound(unit):
        prefix, base, power = split(atom)
        exponent = int(power or 1)
        base = "l" if base == "L" else base
        ten += _EXPONENTS.get(prefix, 0) * exponent
        powers[base] = powers.get(base, 0) + exponent
    return ten, {base: power for base, power in powers.items() if power}


def scalable(origin: str | Sequence[str | None], destination: str | Sequence[str | None]) -> bool:
    """Tell whether values in one unit can be given in another; also for two lists of units."""
    if not isinstance(origin, str) and not isinstance(destination, str):
        return len(origin) == len(destination) and all(
            bool(one) and bool(other) and scalable(str(one), str(other))
            for one, other in zip(origin, destination, strict=True)
        )
    if not isinstance(origin, str) or not isinstance(destination, str):
        return False
    if not (is_si(origin) and is_si(destination)):
        return False
    return _ten_power(origin)[1] == _ten_power(destination)[1]


def scaling(origin: str, destination: str) -> float:
    """Give the factor that takes values from one unit to another.

    Raises
    ------
    InvalidUnit
        If the units are unlike, or one is no SI unit.

    Examples
    --------
    >>> scaling("mV", "uV"), scaling("ms", "s"), scaling("mV^2", "uV^2")
    (1000.0, 0.001, 1000000.0)
    """
    if not scalable(origin, destination):
        raise InvalidUnit(f"values in {origin!r} cannot be given in {destination!r}", "scaling")
    return float(Decimal(10) ** (_ten_power(origin)[0] - _ten_power(destination)[0]))
