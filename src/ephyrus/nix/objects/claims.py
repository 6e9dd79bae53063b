"""What files claim is not believed before it is checked against their bytes."""

from __future__ import annotations

import math
from typing import Any

from ephyrus.errors import CorruptError
from ephyrus.nix import storage

__all__ = ["check_data_set", "check_size"]

_FREE_ITEMS = 2**17  # so many may be claimed whatever is there
_DEFLATE = 1100  # deflate makes at most 1032 bytes of one


def check_size(path: str, array: Any) -> None:
    """Refuse a data array that claims far more values than its bytes can hold.

    Parameters
    ----------
    path : str
        The file, for the message.
    array : DataArray
        The data array.

    Raises
    ------
    CorruptError
        If it does.
    """
    check_data_set(array._did, path, f"data array {array.name}")


def check_data_set(did: Any, path: str | None, what: str) -> None:
    """Refuse a data set of HDF5 that claims far more values than its bytes can hold."""
    shape = did.shape
    count = math.prod(shape)
    if count <= _FREE_ITEMS:
        return
    claimed = count * did.dtype.itemsize
    there = did.get_storage_size()
    if claimed > there * _DEFLATE:
        raise CorruptError(
            storage.file_name(did) if path is None else path,
            f"it claims to have the shape {shape}, but has {there:,} bytes",
            field=what,
        )
