"""Plain values: reading what is sent, and writing what is kept."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from ephyrus.service.errors import ServiceError
from ephyrus.service.types import Attribute

__all__ = ["LONGEST_NAME", "end_of_second", "is_whole_second", "parse_moment", "read_attribute"]

_LARGEST = 2**63
_LONGEST = 2**20  # characters of one attribute
LONGEST_NAME = 500
"""Characters of a name: names have an index, and PostgreSQL's takes 2,704 bytes."""


def parse_moment(text: str) -> datetime:
    """Read a time.

    Parameters
    ----------
    text : str
        ``YYYY-MM-DD``, and behind it ``HH:MM[:SS[.ffffff]]`` after a space or a T, and a zone.

    Returns
    -------
    datetime
        In UTC, without a zone.

    Raises
    ------
    ValueError
        It is no time.
    """
    stripped = text.strip()
    if not stripped[:4].isdigit() or "-" not in stripped:
        raise ValueError(f"{text[:40]!r} is no time")
    moment = datetime.fromisoformat(stripped)
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        except OverflowError as error:
            raise ValueError(f"{text[:40]!r} is no time") from error
    return moment


def is_whole_second(text: str) -> bool:
    """Tell whether a time was given without a fraction."""
    return "." not in text and "," not in text


def end_of_second(text: str) -> datetime:
    """Read a time that includes the second which it names.

    Times are printed in seconds: the state "at" the printed time of a change has the change.
    """
    moment = parse_moment(text)
    return moment.replace(microsecond=999_999) if is_whole_second(text) else moment


def _bad(name: str, value: object, wanted: str) -> ServiceError:
    return ServiceError(
        "bad_parameter",
        f"{name!r} must be {wanted}, not {str(value)[:60]!r}.",
        details=name,
    )


def read_attribute(attribute: Attribute, value: object) -> Any:
    """Check a plain value that was sent.

    Parameters
    ----------
    attribute : Attribute
        What is set.
    value : object
        Value of the JSON body; None unsets it.

    Returns
    -------
    object
        The value to keep.

    Raises
    ------
    ServiceError
        ``bad_parameter``: it is of another kind. ``missing_parameter``: it must not be unset.
    """
    if value is None:
        if attribute.required:
            raise missing([attribute.name])
        return None
    return {
        "text": _text,
        "int": _int,
        "float": _float,
        "bool": _bool,
        "datetime": _moment,
        "text or int": _text_or_int,
    }[attribute.value](attribute.name, value)


def missing(names: list[str]) -> ServiceError:
    """Make the error of names that must be given."""
    return ServiceError(
        "missing_parameter",
        f"Missing: {', '.join(names)}.",
        details=", ".join(names),
        extra={"missing": names},
    )


def _text(name: str, value: object) -> str:
    """Take text; numbers are accepted and kept as text."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _bad(name, value, "text")
    text = str(value)
    longest = LONGEST_NAME if name == "name" else _LONGEST
    if len(text) > longest:
        raise _bad(name, text, f"of at most {longest} characters")
    if "\0" in text or any(0xD800 <= ord(each) <= 0xDFFF for each in _suspects(text)):
        raise _bad(name, text, "text without zeros and lone surrogates")
    return text


def _suspects(text: str) -> str:
    """Give the text if it may hold surrogates, quickly."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text
    return ""


def _int(name: str, value: object) -> int:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise _bad(name, value, "a whole number") from None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad(name, value, "a whole number")
    if not -_LARGEST <= value < _LARGEST:
        raise _bad(name, value, "a number of 64 bits")
    return value


def _float(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _bad(name, value, "a number")
    return float(value)


def _bool(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    raise _bad(name, value, "true or false")


def _moment(name: str, value: object) -> datetime:
    if not isinstance(value, str):
        raise _bad(name, value, "a time such as 2026-11-21 18:00:00")
    try:
        return parse_moment(value)
    except ValueError:
        raise _bad(name, value, "a time such as 2026-11-21 18:00:00") from None


def _text_or_int(name: str, value: object) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool):
        return _int(name, value)
    return _text(name, value)
