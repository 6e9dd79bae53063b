"""Values as people write them: sizes, times, rates."""

from __future__ import annotations

import math
from fractions import Fraction

__all__ = ["duration", "number", "rate", "seconds", "size"]

_SIZES = ("kB", "MB", "GB", "TB", "PB")
_RATES = ((Fraction(10**6), "MHz"), (Fraction(1000), "kHz"), (Fraction(1), "Hz"))


def size(nbytes: float) -> str:
    """Give a number of bytes.

    Examples
    --------
    >>> size(999), size(1500), size(2_345_678_901)
    ('999 B', '1.5 kB', '2.3 GB')
    """
    if nbytes < 1000:
        return f"{nbytes:.0f} B"
    value, power = nbytes / 1000, 0
    while value >= 999.95 and power < len(_SIZES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.1f} {_SIZES[power]}"


def seconds(value: float, *, digits: int = 6) -> str:
    """Give a time in seconds, without needless zeros.

    Examples
    --------
    >>> seconds(0.5), seconds(12.0), seconds(1e-05)
    ('0.5', '12', '0.00001')
    """
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(value: float | None) -> str:
    """Give a duration.

    Examples
    --------
    >>> duration(0.25), duration(75.5), duration(7384)
    ('250 ms', '1 min 15.5 s', '2 h 3 min 4 s')
    """
    if value is None or not math.isfinite(value):
        return "not known"
    if 0 < abs(value) < 1:
        return f"{seconds(value * 1000, digits=3)} ms"
    if abs(value) < 60:
        return f"{seconds(value, digits=3)} s"
    minutes, rest = divmod(round(value, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours:,} h"] if hours else []
    return " ".join([*parts, f"{minutes} min", f"{seconds(rest, digits=1)} s"])


def rate(value: Fraction | float) -> str:
    """Give a sampling rate.

    Examples
    --------
    >>> rate(Fraction(30000)), rate(Fraction(1, 2)), rate(24414.0625)
    ('30 kHz', '0.5 Hz', '24.4140625 kHz')
    """
    exact = Fraction(value)
    scale, unit = next((pair for pair in _RATES if exact >= pair[0]), _RATES[-1])
    return f"{float(exact / scale):.10g} {unit}"


def number(value: float) -> str:
    """Give a measured value with six digits.

    Examples
    --------
    >>> number(-0.0152587890625), number(12.0)
    ('-0.0152588', '12')
    """
    return f"{value:.6g}"
