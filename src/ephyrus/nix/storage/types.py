"""Types, spaces and property lists of HDF5, prepared once; and errors that name the file."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from h5py import h5f, h5i, h5p, h5s, h5t

from ephyrus.errors import CorruptError
from ephyrus.nix.storage.text import decode

__all__ = [
    "BOOL",
    "DOUBLE",
    "FAULTS",
    "GROUP_LIST",
    "INT64",
    "LINK_LIST",
    "SCALAR",
    "TEXT",
    "TEXT_DTYPE",
    "TEXT_MEMORY",
    "broken",
    "file_name",
    "object_path",
]

# What h5py raises when the bytes of a file make no sense to HDF5.
FAULTS = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, SystemError)

TEXT_DTYPE: Any = h5py.string_dtype()  # object array of str
TEXT_MEMORY = h5t.py_create(TEXT_DTYPE)


def _text_type() -> Any:
    made = h5t.C_S1.copy()
    made.set_size(h5t.VARIABLE)
    made.set_cset(h5t.CSET_UTF8)
    return made


def _bool_type() -> Any:
    """Make the enum {FALSE = 0, TRUE = 1} over int8."""
    return h5t.py_create(np.dtype(bool), logical=True)


TEXT = _text_type()
SCALAR = h5s.create(h5s.SCALAR)
DOUBLE = h5t.IEEE_F64LE
INT64 = h5t.STD_I64LE
BOOL = _bool_type()
LINK_LIST = h5p.create(h5p.LINK_CREATE)
LINK_LIST.set_char_encoding(h5t.CSET_UTF8)
GROUP_LIST = h5p.create(h5p.GROUP_CREATE)
GROUP_LIST.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)


def file_name(loc: Any) -> str:
    """Give the path of the file in which an object is, for messages."""
    try:
        return decode(h5f.get_name(loc))
    except FAULTS:
        return "NIX file"


def object_path(loc: Any) -> str:
    """Give the path of an object inside its file, for messages."""
    name = h5i.get_name(loc)
    return "an object" if name is None else decode(name)


def broken(loc: Any, reason: str) -> CorruptError:
    """Make the error for an object that makes no sense."""
    return CorruptError(file_name(loc), reason)
