"""A read-only Zarr v3 view of an array: its description and its chunks, made when asked for."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders.body import Body, Buffer, array_bytes, bytes_body, checked, streamed
from ephyrus.service.encoders.columns import texts
from ephyrus.service.errors import ServiceError

__all__ = ["CHUNK_MEDIA_TYPE", "ZIP_MEDIA_TYPE", "chunk", "entry", "metadata", "zarr_zip_body"]

CHUNK_MEDIA_TYPE = "application/octet-stream"
ZIP_MEDIA_TYPE = "application/zip"
_CHUNK_PATH = re.compile(r"c((?:/(?:0|[1-9][0-9]{0,17}))+)", re.ASCII)


def _chunk_rows(part: ArrayPart) -> int:
    """Rows of a chunk: about 1 MiB, no more than the array has."""
    return max(1, min(part.rows_per_block, part.shape[0]))


def metadata(part: ArrayPart) -> bytes:
    """Return the array's ``zarr.json``.

    Parameters
    ----------
    part : ArrayPart
        The array. Chunks are cut along axis 0 alone; numbers are little-endian and uncompressed,
        texts have variable length.

    Returns
    -------
    bytes
        JSON. The attributes of the part are those of the Zarr array.
    """
    text = part.dtype.kind == "S"
    fill: Any = {"S": "", "f": 0.0, "b": False}.get(part.dtype.kind, 0)
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    chunk_shape = [_chunk_rows(part), *(max(1, size) for size in part.shape[1:])]
    return orjson.dumps(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": part.shape,
            "data_type": "string" if text else part.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk_shape}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": fill,
            "codecs": [{"name": "vlen-utf8"} if text else little],
            "attributes": {
                "name": part.name,
                **{key: value for key, value in part.attributes.items() if value is not None},
            },
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def chunk(part: ArrayPart, number: int) -> bytes:
    """Return a chunk as its codecs leave it; the last one is filled up with zeros (empty texts).

    Parameters
    ----------
    part : ArrayPart
        The array.
    number : int
        Place of the chunk along axis 0.

    Returns
    -------
    bytes
        The chunk.

    Raises
    ------
    IndexError
        There is no such chunk.
    """
    size = _chunk_rows(part)
    first = number * size
    last = min(first + size, part.shape[0])
    if not 0 <= first < last or not part.nbytes:
        msg = f"array {part.name} has no chunk {number}"
        raise IndexError(msg)
    block = checked(part, part.read(first, last), last - first)
    missing = size - (last - first)
    if part.dtype.kind == "S":
        return _variable_texts(block.reshape(-1), missing * (block.size // len(block)))
    little = block.astype(part.dtype.newbyteorder("<"), copy=False)
    return b"".join((array_bytes(little), bytes(missing * part.row_bytes)))


def _variable_texts(block: NDArray[Any], missing: int) -> bytes:
    """Encode texts the way of ``vlen-utf8``: their number, then each with its length in front."""
    encoded: NDArray[np.bytes_] = np.char.encode(texts(block), "utf-8")
    lengths = np.char.str_len(encoded).astype("<u4")
    count = np.array([len(block) + missing], dtype="<u4").tobytes()
    width = max(1, encoded.dtype.itemsize)
    # a matrix with a row per text, of which the bytes behind the end of each text are left out
    matrix = np.empty((len(block), 4 + width), dtype=np.uint8)
    matrix[:, :4] = lengths.view(np.uint8).reshape(-1, 4)
    matrix[:, 4:] = encoded.astype(f"S{width}").view(np.uint8).reshape(-1, width)
    used = np.arange(4 + width) < 4 + lengths[:, None]
    return b"".join((count, matrix[used].tobytes(), bytes(4 * missing)))


def entry(part: ArrayPart, path: str) -> Body:
    """Return what lies at a path of the view.

    Parameters
    ----------
    part : ArrayPart
        The array.
    path : str
        Path below the view: ``zarr.json``, or ``c/0/0`` with a number for each axis.

    Returns
    -------
    Body
        The description or the chunk.

    Raises
    ------
    ServiceError
        404 ``does_not_exist``: there is nothing at this path, which tells a reader of Zarr that it
        need not look for older versions or for groups.
    """
    if path == "zarr.json":
        return bytes_body(metadata(part), "application/json")
    match = _CHUNK_PATH.fullmatch(path)
    if match is not None:
        first, *others = (int(number) for number in match[1][1:].split("/"))
        if len(others) == len(part.shape) - 1 and not any(others):
            try:
                return bytes_body(chunk(part, first), CHUNK_MEDIA_TYPE)
            except IndexError:
                pass
    msg = f"the Zarr array has no entry {path[:80]}"
    raise ServiceError("does_not_exist", msg, details={"path": path[:80]})


def zarr_zip_body(part: ArrayPart) -> Body:
    """Make a zip archive of the whole view, which readers of Zarr open as a store."""
    make = streamed(partial(_zip_blocks, part))
    return Body(ZIP_MEDIA_TYPE, make, extension=".zarr.zip")


class _Pipe(io.RawIOBase):
    """A file that can only be written, and whose bytes are taken out at the other end."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._blocks.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last call."""
        blocks, self._blocks = self._blocks, []
        return b"".join(blocks)


def _zip_blocks(part: ArrayPart) -> Iterator[Buffer]:
    """Write the archive entry by entry."""
    pipe = _Pipe()
    chunks = -(-part.shape[0] // _chunk_rows(part)) if part.nbytes else 0
    end = "/0" * (len(part.shape) - 1)
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.writestr(zipfile.ZipInfo("zarr.json"), metadata(part))
        for number in range(chunks):
            archive.writestr(zipfile.ZipInfo(f"c/{number}{end}"), chunk(part, number))
            yield pipe.take()
    yield pipe.take()
