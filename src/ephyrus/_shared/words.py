"""Numbers and names as people read them, and as a terminal may show them."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

__all__ = ["counted", "free_name", "frequency_text", "one_line_text", "seconds_text"]


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Give a number with its noun.

    Examples
    --------
    >>> counted(1, "channel"), counted(1200, "channel"), counted(2, "unit of time")
    ('1 channel', '1,200 channels', '2 units of time')
    """
    if plural is not None and count != 1:
        return f"{count:,} {plural}"
    first, space, rest = noun.partition(" of ")
    return f"{count:,} {first}{'' if count == 1 else 's'}{space}{rest}"


def seconds_text(duration: Any) -> str:
    """Give a duration for people."""
    if isinstance(duration, str) or duration < 120:
        return f"{float(duration):.4g} s"
    minutes, rest = divmod(round(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min {rest} s" if hours else f"{minutes} min {rest} s"


def free_name(name: str, taken: Container[str]) -> str:
    """Give `name`, with underscores while it is taken."""
    while name in taken:
        name += "_"
    return name


def frequency_text(rate: float) -> str:
    """Give a rate in Hz for people."""
    return f"{rate / 1000:.6g} kHz" if rate >= 1000 else f"{rate:.6g} Hz"


def one_line_text(text: str) -> str:
    """Show what a terminal or a log could take for a command as an escape."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
