"""What may be a name of an entity."""

from __future__ import annotations

from typing import Any

__all__ = ["check", "checked", "sanitizer"]


def sanitizer(name: str) -> str:
    """Replace what no name may have: a slash by an underscore."""
    return name.replace("/", "_")


def check(name: str) -> bool:
    """Tell whether a text can be a name."""
    return bool(name) and "/" not in name and name != "." and "\0" not in name


def checked(name: Any, what: str) -> str:
    """Give a name back.

    Raises
    ------
    ValueError
        If it cannot be a name, with the reason.
    """
    if not isinstance(name, str):
        text = f"the name of a {what} must be a text, got {name!r}"
        raise ValueError(text)  # noqa: TRY004 - as published
    if not check(name):
        raise ValueError(
            f"{name!r} cannot be the name of a {what}: "
            "a name has at least one character, no '/' and is not '.'"
        )
    return name
