"""Attributes: text as variable-length UTF-8, numbers, and reading whatever is there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from h5py import h5a, h5s, h5t

from ephyrus.nix.storage.text import as_text, checked_text, decode, text_array
from ephyrus.nix.storage.types import (
    DOUBLE,
    FAULTS,
    INT64,
    SCALAR,
    TEXT,
    TEXT_DTYPE,
    TEXT_MEMORY,
    broken,
)

__all__ = [
    "attribute_of",
    "put_int32",
    "put_integers",
    "put_new_number",
    "put_number",
    "put_text",
    "put_texts",
    "remove_attribute",
    "replace_text",
    "text_of",
]

_MOST_ATTRIBUTE_ITEMS = 10**6


def put_text(loc: Any, name: bytes, text: str) -> None:
    """Write a new attribute of text, in an object that is removed again if that fails."""
    attribute = h5a.create(loc, name, TEXT, SCALAR)
    attribute.write(np.array(text, TEXT_DTYPE), mtype=TEXT_MEMORY)


def replace_text(loc: Any, name: bytes, text: str) -> None:
    """Write an attribute of text over one that may exist."""
    checked_text(text)
    remove_attribute(loc, name)
    put_text(loc, name, text)


def put_texts(loc: Any, name: bytes, texts: Any) -> None:
    """Write an attribute that is a list of texts over one that may exist."""
    values = text_array([checked_text(each) for each in texts])
    remove_attribute(loc, name)
    attribute = h5a.create(loc, name, TEXT, h5s.create_simple(values.shape))
    attribute.write(values, mtype=TEXT_MEMORY)


def put_number(loc: Any, name: bytes, number: float) -> None:
    """Write an attribute that is a float64 over one that may exist."""
    value = np.array(number, np.float64)
    if h5a.exists(loc, name):
        h5a.delete(loc, name)
    h5a.create(loc, name, DOUBLE, SCALAR).write(value)


def put_new_number(loc: Any, name: bytes, number: float) -> None:
    """Write a new attribute that is a float64."""
    h5a.create(loc, name, DOUBLE, SCALAR).write(np.array(number, np.float64))


def put_integers(loc: Any, name: bytes, numbers: Any) -> None:
    """Write an attribute of int64, a scalar or a list."""
    values = np.array(numbers, np.int64)
    remove_attribute(loc, name)
    space = h5s.create_simple(values.shape) if values.ndim else SCALAR
    h5a.create(loc, name, INT64, space).write(values)


def put_int32(loc: Any, name: bytes, numbers: Any) -> None:
    """Write an attribute that is a list of int32 over one that may exist."""
    values = np.array(numbers, np.int32)
    remove_attribute(loc, name)
    h5a.create(loc, name, h5t.STD_I32LE, h5s.create_simple(values.shape)).write(values)


def remove_attribute(loc: Any, name: bytes) -> None:
    """Remove an attribute if there is one."""
    if h5a.exists(loc, name):
        h5a.delete(loc, name)


def attribute_of(loc: Any, name: bytes, *, obj_name: bytes = b".") -> Any:
    """Read an attribute.

    Returns
    -------
    str, number, bool, ndarray or None
        None if there is none.

    Raises
    ------
    CorruptError
        If the bytes make no sense.
    """
    try:
        if not h5a.exists(loc, name, obj_name=obj_name):
            return None
        attribute = h5a.open(loc, name, obj_name=obj_name)
        return _value_of(attribute)
    except FAULTS as error:
        raise broken(loc, f"attribute {decode(name)!r} cannot be read: {error}") from error


def _value_of(attribute: Any) -> Any:
    """Read an open attribute."""
    shape = attribute.shape
    if math.prod(shape) > _MOST_ATTRIBUTE_ITEMS:
        raise ValueError(f"it claims to have the shape {shape}")
    kind = attribute.get_type()
    if isinstance(kind, h5t.TypeStringID) and kind.is_variable_str():
        values = np.empty(shape, TEXT_DTYPE)
        attribute.read(values, mtype=TEXT_MEMORY)
    else:
        values = np.empty(shape, kind.dtype)
        attribute.read(values)
    if values.dtype.kind in "OS":
        values = as_text(values)
    return values[()].item() if values.ndim == 0 and hasattr(values[()], "item") else values[()]


def text_of(loc: Any, name: bytes, *, obj_name: bytes = b".") -> str | None:
    """Read an attribute that is text; None if there is none or it is something else."""
    value = attribute_of(loc, name, obj_name=obj_name)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    return value if isinstance(value, str) else None
