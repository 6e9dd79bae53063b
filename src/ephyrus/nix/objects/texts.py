"""Text that HDF5 can keep: UTF-8 without NUL."""

from __future__ import annotations

__all__ = ["is_text", "kept_text"]


def is_text(text: str) -> bool:
    """Tell whether a text can be kept as it is."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
    return True


def kept_text(text: object) -> str:
    """Give the nearest text that can be kept."""
    plain = str(text)
    return plain if is_text(plain) else plain.replace("\0", "").encode("utf-8", "replace").decode()
