"""Text files that tell nothing of themselves: marks, line ends, delimiters, units of time."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import WrongFormatError
from ephyrus.recording.files import ByteSource

__all__ = [
    "NUMBER_BYTES",
    "TIME_UNITS",
    "UTF8_MARK",
    "UTF16_MARKS",
    "byte_flags",
    "delimiter_named",
    "text_start",
    "units_per_second",
]

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
NUMBER_BYTES = b"0123456789+-.eE"

# Units per second.
TIME_UNITS: Mapping[str, Fraction] = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), Fraction(1)),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), Fraction(10**3)),
    **dict.fromkeys(("us", "µs", "μs", "usec", "microsecond", "microseconds"), Fraction(10**6)),
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), Fraction(10**9)),
    **dict.fromkeys(("min", "minute", "minutes"), Fraction(1, 60)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), Fraction(1, 3600)),
}
_DELIMITERS = {"\\t": "\t", "tab": "\t", "space": " ", "comma": ",", "semicolon": ";"}


def units_per_second(unit: str, option: str) -> Fraction:
    """Give how many of a unit of time make a second.

    Parameters
    ----------
    unit : str
        Its name.
    option : str
        What tells it, for the message.

    Raises
    ------
    ValueError
        If it is not a unit of time that is known.
    """
    found = TIME_UNITS.get(unit)
    if found is None:
        raise ValueError(f"{option}={unit!r}: expected one of {', '.join(TIME_UNITS)}")
    return found


def delimiter_named(text: str, *, refused: str) -> bytes:
    r"""Give the delimiter that a user means: a character, or its name.

    Parameters
    ----------
    text : str
        ``"tab"``, ``"\\t"``, ``"space"``, ``"comma"``, ``"semicolon"`` or one character of ASCII
        (spaces around it do not matter).
    refused : str
        Characters that cannot be it, besides letters and digits.

    Raises
    ------
    ValueError
        If it is neither.
    """
    character = _DELIMITERS.get(text, text.strip(" ") or " ")
    is_one = len(character) == 1 and character.isascii()
    if not is_one or character.isalnum() or character in refused:
        raise ValueError(
            f"delimiter={text!r}: expected one character, or tab, space, comma or semicolon"
        )
    return character.encode("ascii")


def text_start(source: ByteSource, head: bytes) -> tuple[int, bytes]:
    r"""Tell where a text begins and what ends its lines.

    Parameters
    ----------
    source : ByteSource
        The file.
    head : bytes
        Its first bytes.

    Returns
    -------
    offset : int
        First byte behind a mark of UTF-8.
    newline : bytes
        ``b"\n"``, or ``b"\r"`` in files of old Macintosh programs.

    Raises
    ------
    WrongFormatError
        If it is text in UTF-16.
    """
    if head.startswith(UTF16_MARKS):
        raise WrongFormatError(source.name, "this is text in UTF-16; save it as plain text (UTF-8)")
    newline = b"\r" if b"\r" in head and b"\n" not in head else b"\n"
    return (len(UTF8_MARK) if head.startswith(UTF8_MARK) else 0), newline


def byte_flags(members: bytes) -> NDArray[np.bool_]:
    """Give, for each of the 256 byte values, whether it is among `members`."""
    flags = np.zeros(256, np.bool_)
    flags[np.frombuffer(members, np.uint8)] = True
    return flags
