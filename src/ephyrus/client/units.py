"""Units as a service writes them, spelled as the object model reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["spelled"]

_TIME = {"s": "s", "ms": "ms", "us": "us", "mcs": "us", "µs": "us", "μs": "us"}
_SIGNAL = {"v": "V", "mv": "mV", "uv": "uV", "mcv": "uV", "µv": "uV", "μv": "uV"}
_RATE = {"hz": "Hz", "khz": "kHz", "mhz": "MHz", "1/s": "1/s"}
_SPELLINGS: Mapping[str, Mapping[str, str]] = {"time": _TIME, "signal": _SIGNAL, "rate": _RATE}


def spelled(units: str | None, dimension: Literal["time", "signal", "rate"]) -> str:
    """Spell a unit as the object model does; a service takes upper and lower case alike.

    Examples
    --------
    >>> spelled("mcv", "signal"), spelled("mhz", "rate"), spelled("nA", "signal")
    ('uV', 'MHz', 'nA')
    """
    text = units or (
        "dimensionless" if dimension == "signal" else {"time": "s", "rate": "Hz"}[dimension]
    )
    return _SPELLINGS[dimension].get(text.lower(), text)
