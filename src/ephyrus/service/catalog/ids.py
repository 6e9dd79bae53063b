"""Ids as they are printed and read.

Inside the service an id is a number. The style ``int`` prints it as such; the style ``base32``
prints ten characters of 0-9 and A-V, the first of which is not 0.
"""

from __future__ import annotations

from ephyrus.service.errors import ServiceError

__all__ = ["MOST", "format_id", "parse_id"]

MOST = 2**63 - 1
"""Largest id."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_LENGTH = 10
_BASE: int = 32 ** (_LENGTH - 1)  # the smallest number of ten characters


def format_id(number: int, style: str = "int") -> int | str:
    """Print an id.

    Parameters
    ----------
    number : int
        The id, at least 0.
    style : {"int", "base32"}
        Style of the database.

    Returns
    -------
    int or str
        The id as clients see it.
    """
    if style == "int":
        return number
    shifted, digits = number + _BASE, ""
    while shifted:
        shifted, digit = divmod(shifted, 32)
        digits = _DIGITS[digit] + digits
    return digits


def parse_id(text: str | int, style: str = "int") -> int:
    """Read an id.

    Parameters
    ----------
    text : str or int
        The id as clients know it.
    style : {"int", "base32"}
        Style of the database.

    Returns
    -------
    int
        The id.

    Raises
    ------
    ServiceError
        ``does_not_exist``: nothing can have this id.
    """
    number = _number(str(text), style)
    if number is None or not 0 < number <= MOST:
        raise ServiceError("does_not_exist", f"There is no object with the id {str(text)[:40]!r}.")
    return number


def _number(text: str, style: str) -> int | None:
    """Read a number in a style; None: it is none."""
    if not text.isascii():
        return None
    if style == "int":
        return int(text) if text.isdigit() and len(text) < 20 else None
    upper = text.upper()
    if len(upper) != _LENGTH or upper[0] == "0" or not set(upper) <= set(_DIGITS):
        return None
    return int(upper, 32) - int(_BASE)
