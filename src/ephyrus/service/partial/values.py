"""Single values of a query: numbers, choices and flags, each refused with its name."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping

from ephyrus.service.errors import ServiceError

__all__ = ["LARGEST", "Values", "single_values", "wrong"]

LARGEST = 2**62  # indices beyond it are this one: no array is as long

_INTEGER = re.compile(r"-?[0-9]{1,400}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_FLAGS: Mapping[str, bool] = {"0": False, "1": True, "false": False, "true": True}


def wrong(name: str, message: str) -> ServiceError:
    """Make the error of a parameter that cannot be used; its details name the parameter."""
    return ServiceError("wrong_params", message, details=name)


def single_values(items: Iterable[tuple[str, str]], names: Collection[str]) -> dict[str, str]:
    """Take the parameters that are known here out of a query.

    Parameters
    ----------
    items : iterable of (str, str)
        The query; a name may come more than once.
    names : collection of str
        Names to take; others are left alone.

    Returns
    -------
    dict of str to str
        Value by name.

    Raises
    ------
    ServiceError
        If one of them comes twice or is empty.
    """
    found: dict[str, str] = {}
    for name, value in items:
        if name not in names:
            continue
        if name in found:
            raise wrong(name, f"{name} is given more than once: send it once.")
        if not value:
            raise wrong(name, f"{name} is empty: give it a value or leave it out.")
        found[name] = value
    return found


class Values:
    """Reads single values of a query.

    Parameters
    ----------
    found : mapping of str to str
        Value by name, see `single_values`.
    """

    def __init__(self, found: Mapping[str, str]) -> None:
        self._found = found

    def integer(self, name: str, least: int) -> int | None:
        """Read a whole number of at least `least`; None: not given.

        Raises
        ------
        ServiceError
            If it is not a plain whole number (``10.0`` is none), or smaller.
        """
        text = self._found.get(name)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text):
            raise wrong(name, f"{name} must be a whole number in plain digits, not {_shown(text)}.")
        value = int(text)
        if value < least:
            raise wrong(name, f"{name} must be {least} or more, not {_shown(text)}.")
        return min(value, LARGEST)

    def number(self, name: str, least: float = -math.inf) -> float | None:
        """Read a finite number of at least `least`; None: not given.

        Raises
        ------
        ServiceError
            If it is not a finite decimal number, or smaller.
        """
        text = self._found.get(name)
        if text is None:
            return None
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(value):
            raise wrong(name, f"{name} must be a finite decimal number, not {_shown(text)}.")
        if value < least:
            raise wrong(name, f"{name} must be {least:g} or more, not {_shown(text)}.")
        return value

    def choice(self, name: str, choices: Mapping[str, str]) -> str | None:
        """Read one of a few words, as the canonical one that it stands for; None: not given.

        Raises
        ------
        ServiceError
            If it is none of them.
        """
        text = self._found.get(name)
        if text is None:
            return None
        if text not in choices:
            raise wrong(name, f"{name} must be one of {', '.join(choices)}, not {_shown(text)}.")
        return choices[text]

    def flag(self, name: str) -> bool | None:
        """Read 0 or 1 (false or true); None: not given.

        Raises
        ------
        ServiceError
            If it is something else.
        """
        text = self._found.get(name)
        if text is None:
            return None
        if text not in _FLAGS:
            raise wrong(name, f"{name} must be 0 or 1, not {_shown(text)}.")
        return _FLAGS[text]

    def __getitem__(self, name: str) -> str:
        """Give the text of a parameter that was sent."""
        return self._found[name]


def _shown(text: str) -> str:
    """Quote what was sent, shortened."""
    return repr(text if len(text) <= 40 else text[:40] + "...")
