"""Bodies of samples as they lie in memory: ``.npy`` files and bare samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders.body import Body, fixed_body

__all__ = ["NPY_MEDIA_TYPE", "RAW_MEDIA_TYPE", "npy_body", "raw_body"]

NPY_MEDIA_TYPE = "application/x-npy"
RAW_MEDIA_TYPE = "application/octet-stream"
_NPY_MAGIC = b"\x93NUMPY\1\0"
_NPY_ALIGNMENT = 64


def npy_body(part: ArrayPart) -> Body:
    """Make a NumPy file (format version 1.0, C order, byte order as stored)."""
    facts = f"{{'descr': {part.dtype.str!r}, 'fortran_order': False, 'shape': {part.shape!r}, }}"
    fixed = len(_NPY_MAGIC) + 2 + 1  # two bytes of length, the line's end
    padding = -(fixed + len(facts)) % _NPY_ALIGNMENT
    text = f"{facts}{' ' * padding}\n".encode("ascii")
    head = _NPY_MAGIC + len(text).to_bytes(2, "little") + text
    return fixed_body(part, head, NPY_MEDIA_TYPE, ".npy")


def raw_body(part: ArrayPart) -> Body:
    """Make a body of the samples alone, little-endian in C order.

    Shape and dtype are in the headers ``X-Array-Shape`` (numbers with commas) and
    ``X-Array-Dtype`` (NumPy's short name, such as ``<i2``).
    """
    stored = part.dtype
    wanted = stored.newbyteorder("<")
    headers = {"X-Array-Shape": ",".join(map(str, part.shape)), "X-Array-Dtype": wanted.str}

    def swapped(block: NDArray[Any]) -> NDArray[Any]:
        return block.astype(wanted)

    convert = None if np.dtype(stored.str) == wanted else swapped
    return fixed_body(part, b"", RAW_MEDIA_TYPE, ".bin", convert=convert, headers=headers)
