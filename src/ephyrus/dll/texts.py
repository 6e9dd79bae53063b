"""Texts of the C interface: 8-bit characters of no declared encoding."""

from __future__ import annotations

import os
import sys

__all__ = ["decoded", "encoded_name"]


def decoded(raw: bytes, size: int = 0) -> str:
    """Give a text up to its NUL: as UTF-8 where it is valid, else as Latin-1.

    Parameters
    ----------
    raw : bytes
        The text, or the field that it stands in.
    size : int
        Bytes of the field, where they are known: a text that fills them may have been cut within
        its last character.
    """
    text = raw.split(b"\0", 1)[0]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        whole = text[: error.start]
        is_cut = len(text) == size and error.reason == "unexpected end of data"
        # One character of several bytes before it shows that the text is UTF-8.
        if is_cut and not whole.isascii():
            return whole.decode("utf-8")
        return text.decode("latin-1")


def encoded_name(filename: str | os.PathLike[str]) -> bytes:
    """Give a file's name as a library takes it: in the encoding of the file system.

    Raises
    ------
    ValueError
        If there is a NUL in it, at which a library would stop reading.
    """
    name = os.fspath(filename)
    if "\0" in name:
        raise ValueError(f"{name!r}: a file's name has no NUL character in it")
    return name.encode("mbcs") if sys.platform == "win32" else os.fsencode(name)
