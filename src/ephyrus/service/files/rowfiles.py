"""Rows that are sent as an HDF5 file: a child takes the array out of it, as out of an upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ephyrus.service.arrays.pieces import Piece
from ephyrus.service.errors import ServiceError
from ephyrus.service.files.looking import Looked, StoredName, look
from ephyrus.service.files.nursery import ChildLost
from ephyrus.service.files.rows import Rows, Shape

if TYPE_CHECKING:
    from ephyrus.service.files.workshop import Workshop

__all__ = ["rows_of_file"]


def rows_of_file(workshop: Workshop, key: str, size: int, shape: Shape) -> Rows:
    """Take the rows out of an HDF5 file in the store, which is removed.

    Parameters
    ----------
    workshop : Workshop
        What is needed for it.
    key : str
        Key of the file.
    size : int
        Its bytes.
    shape : Shape
        What the rows must be.

    Returns
    -------
    Rows
        They are in the store, and nothing names them yet.

    Raises
    ------
    ServiceError
        ``data_parsing_error``: the file does not hold one array. ``data_inconsistency``,
        ``data_missing``: not such rows, or none. ``unavailable``: nobody can look at it now.
    """
    try:
        (looked,) = look(workshop, [StoredName("rows.h5", key, size)])
    except ChildLost as error:
        raise ServiceError("unavailable", str(error), headers={"Retry-After": "10"}) from error
    finally:
        workshop.store.delete(key)
    try:
        return _rows(workshop, looked, shape)
    except BaseException:
        if looked.array is not None:
            workshop.store.delete(looked.array.key)
        raise


def _rows(workshop: Workshop, looked: Looked, shape: Shape) -> Rows:
    array = looked.array
    if array is None:
        raise ServiceError(
            "data_parsing_error",
            f"The body is no HDF5 file with one array. {looked.note}".strip(),
        )
    shape.check_sent(array.dtype, array.shape)
    if not array.shape[0]:
        raise ServiceError("data_missing", "The file holds no rows; send one at least.")
    first = None
    if shape.is_ordered:
        source = workshop.store.source(array.key)
        try:
            first = source.array(array.offset, shape.dtype, 1)[0]
        finally:
            source.close()
    piece = Piece(array.key, array.offset, array.shape[0], array.digest)
    is_ascending = array.sorted is True
    return Rows(array.shape[0], array.digest, is_ascending, first, None, piece)
