"""The table of formats, and the one door to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders import arrow, binary, hdf5, text, zarr_view
from ephyrus.service.encoders.body import Body
from ephyrus.service.encoders.columns import paired
from ephyrus.service.encoders.negotiation import format_of
from ephyrus.service.errors import ServiceError

__all__ = ["FORMATS", "Format", "encode"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of bodies.

    Attributes
    ----------
    name : str
        Its name in the parameter ``format``.
    media_type : str
        Its ``Content-Type``.
    extension : str
        Ending of the names of its files, with the dot.
    make : callable
        ``make(part)``, or ``make(part, columns=, indices=)`` of a table, gives the body.
    table : bool
        Whether it has named columns (and so a place for indices).
    description : str
        What it is, for the list of formats.
    """

    name: str
    media_type: str
    extension: str
    make: Callable[..., Body]
    description: str
    table: bool = False


FORMATS: Mapping[str, Format] = {
    entry.name: entry
    for entry in (
        Format("hdf5", hdf5.MEDIA_TYPE, ".h5", hdf5.hdf5_body, "HDF5 file with one dataset"),
        Format("json", text.JSON_MEDIA_TYPE, ".json", text.json_body, "JSON list of numbers"),
        Format("npy", binary.NPY_MEDIA_TYPE, ".npy", binary.npy_body, "NumPy file"),
        Format("raw", binary.RAW_MEDIA_TYPE, ".bin", binary.raw_body, "little-endian samples"),
        Format(
            "arrow", arrow.MEDIA_TYPE, ".arrows", arrow.arrow_body, "Arrow IPC stream", table=True
        ),
        Format("csv", text.CSV_MEDIA_TYPE, ".csv", text.csv_body, "table of text", table=True),
        Format(
            "zarr",
            zarr_view.ZIP_MEDIA_TYPE,
            ".zarr.zip",
            zarr_view.zarr_zip_body,
            "zip archive of a Zarr v3 array",
        ),
    )
}
"""Every format by its name; ``h5`` is another name of ``hdf5``."""

_MAX_ITEM = 8  # bytes of the largest number that all formats know


def encode(
    part: ArrayPart,
    format: str = "hdf5",
    *,
    compression: str | None = None,
    columns: Sequence[str] | None = None,
    indices: NDArray[np.int64] | None = None,
) -> Body:
    """Make the body of an answer that carries a part of an array.

    Nothing is read before the body is asked for its bytes.

    Parameters
    ----------
    part : ArrayPart
        What is sent.
    format : str
        ``hdf5`` (or ``h5``), ``json``, ``npy``, ``raw``, ``arrow``, ``csv`` or ``zarr``.
    compression : {"gzip", "lzf", "blosc"}, optional
        Compression inside an HDF5 file.
    columns : sequence of str, optional
        Names along axis 1 (channels), for tables.
    indices : ndarray of int64, optional
        Index in the range of each row (shape ``(rows,)``) or of each value (shape of the part), to
        be sent along: columns of a table, otherwise pairs (index, value) in float64 along a new
        last axis.

    Returns
    -------
    Body
        The body.

    Raises
    ------
    ServiceError
        400 ``wrong_params``: no such format or compression, a compression of another format than
        HDF5, or one that this server lacks; 400 ``non_convertible``: values that no format holds.
    """
    entry = FORMATS.get(format)
    if entry is None:
        entry = FORMATS[format_of(format)]
    _check_dtype(part.dtype)
    if compression is not None and entry.name != "hdf5":
        msg = f"compression={compression} is for format=hdf5, not {entry.name}; leave it out"
        raise ServiceError("wrong_params", msg, details={"parameter": "compression"})
    if entry.table:
        return entry.make(part, columns=columns, indices=indices)
    if indices is not None:
        part = paired(part, indices)
    if compression is not None:
        return entry.make(part, compression)
    return entry.make(part)


def _check_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse values that are neither numbers of up to 64 bits, truth values nor bytes of text."""
    numeric = dtype.kind in "biuf" and dtype.itemsize <= _MAX_ITEM
    if not numeric and not (dtype.kind == "S" and dtype.itemsize > 0):
        msg = f"values of type {dtype} cannot be sent: numbers of up to 64 bits and text can"
        raise ServiceError("non_convertible", msg, details={"dtype": str(dtype)})
