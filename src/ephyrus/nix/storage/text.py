"""Text: names of links, and arrays of text."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "as_text",
    "checked_text",
    "decode",
    "decoded_column",
    "encode",
    "text_array",
]


def encode(name: str) -> bytes:
    """Give a name as HDF5 takes it."""
    return name.encode("utf-8", "surrogateescape")


def decode(name: bytes) -> str:
    """Give a name of HDF5 as text."""
    return name.decode("utf-8", "surrogateescape")


def checked_text(text: str) -> str:
    """Refuse text that HDF5 cannot keep, before anything is made."""
    if "\0" in text:
        raise ValueError(f"text with a NUL character cannot be kept in HDF5: {text!r}")
    text.encode()
    return text


def as_text(values: NDArray[Any]) -> NDArray[Any]:
    """Decode the bytes of an array of text."""
    flat = [_decoded(each) for each in values.ravel()]
    result = np.empty(len(flat), object)
    result[:] = flat
    return result.reshape(values.shape)


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None or (isinstance(value, int) and value == 0) else value


def text_array(values: Any) -> NDArray[Any]:
    """Make an object array of text, as variable-length strings are written.

    Raises
    ------
    ValueError
        If one has a NUL character.
    TypeError
        If one is no text.
    """
    array = np.asarray(values)
    flat = [checked_text(_plain_text(each)) for each in array.ravel()]
    result = np.empty(len(flat), h5py.string_dtype())
    result[:] = flat
    return result.reshape(array.shape)


def _plain_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r} ({type(value).__name__})")
    return str(value)


def decoded_column(values: NDArray[Any]) -> NDArray[Any]:
    """Give one member of a compound, text as str and bit fields as they are."""
    return as_text(values) if values.dtype.kind in "SO" else values
