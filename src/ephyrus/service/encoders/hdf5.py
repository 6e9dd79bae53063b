"""HDF5 bodies: one dataset in the root, plain or compressed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import IO, Any

from ephyrus.service.arrays.part import BLOCK_BYTES, ArrayPart
from ephyrus.service.encoders.body import Body, Buffer, checked_blocks, fixed_body, streamed
from ephyrus.service.encoders.hdf5_head import hdf5_head
from ephyrus.service.errors import ServiceError

__all__ = ["COMPRESSIONS", "MEDIA_TYPE", "hdf5_body"]

MEDIA_TYPE = "application/x-hdf"
COMPRESSIONS = ("gzip", "lzf", "blosc")
_EXTENSION = ".h5"
_GZIP_LEVEL = 4


def hdf5_body(part: ArrayPart, compression: str | None = None) -> Body:
    """Make an HDF5 file whose root holds one dataset with the name of the part.

    Parameters
    ----------
    part : ArrayPart
        What the dataset holds; its attributes become those of the dataset.
    compression : {"gzip", "lzf", "blosc"}, optional
        None: contiguous, of known length, sent while it is read. Otherwise the dataset is chunked
        along axis 0 and compressed into a file on the server's disk, which is then sent.

    Returns
    -------
    Body
        The file. An empty array is never compressed: there is nothing to chunk.

    Raises
    ------
    ServiceError
        400 ``wrong_params``: an unknown compression, or one that this server does not have.
    """
    if compression is not None:
        filters = _filters(compression)
        if part.nbytes:
            return Body(
                MEDIA_TYPE, streamed(partial(_compressed, part, filters)), extension=_EXTENSION
            )
    return fixed_body(part, hdf5_head(part), MEDIA_TYPE, _EXTENSION)


def _filters(compression: str) -> dict[str, Any]:
    """Return what h5py is told to compress with."""
    if compression == "gzip":
        return {"compression": "gzip", "compression_opts": _GZIP_LEVEL, "shuffle": True}
    if compression == "lzf":
        return {"compression": "lzf", "shuffle": True}
    if compression != "blosc":
        msg = f"compression={compression} is unknown: use one of {', '.join(COMPRESSIONS)}"
        raise ServiceError("wrong_params", msg, details={"parameter": "compression"})
    if find_spec("hdf5plugin") is None:
        msg = "this server has no blosc (ephyrus[blosc]): use compression=gzip or lzf"
        raise ServiceError("wrong_params", msg, details={"parameter": "compression"})
    import hdf5plugin

    return dict(hdf5plugin.Blosc(cname="zstd", clevel=5, shuffle=hdf5plugin.Blosc.SHUFFLE))


def _compressed(part: ArrayPart, filters: dict[str, Any]) -> Iterator[Buffer]:
    """Write a compressed file block by block into a nameless file, then send that.

    A nameless file is gone with the last of its users, however the process ends.
    """
    with tempfile.TemporaryFile(prefix="ephyrus-", suffix=_EXTENSION) as file:
        _write_compressed(part, filters, file)
        file.seek(0)
        while block := file.read(BLOCK_BYTES):
            yield block


def _write_compressed(part: ArrayPart, filters: dict[str, Any], file: IO[bytes]) -> None:
    """Write the dataset, one chunk at a time."""
    import h5py

    rows = min(part.rows_per_block, part.shape[0])
    dtype = part.dtype
    if dtype.kind == "S":
        dtype = h5py.string_dtype("utf-8", dtype.itemsize)
    with h5py.File(file, "w") as root:
        dataset = root.create_dataset(
            part.name, part.shape, dtype, chunks=(rows, *part.shape[1:]), **filters
        )
        for name, value in part.attributes.items():
            if value is not None:
                dataset.attrs[name] = value
        first = 0
        for block in checked_blocks(part, rows=rows):
            # the view has h5py's tag of UTF-8, without which it refuses to write texts
            dataset[first : first + len(block)] = block.view(dtype)
            first += len(block)
