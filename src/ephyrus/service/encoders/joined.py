"""Many parts of arrays in one body: one after the other, or as rows of one table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders.arrow import MEDIA_TYPE
from ephyrus.service.encoders.body import Body, Buffer
from ephyrus.service.encoders.columns import native, texts
from ephyrus.service.errors import ServiceError

__all__ = ["BATCH_BYTES", "MEDIA_TYPE", "arrow_rows", "multipart", "need_arrow"]

BATCH_BYTES = 2**20  # values of rows that go into one batch
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


def multipart(items: Iterable[tuple[Mapping[str, str], Body]], boundary: str) -> Iterator[Buffer]:
    """Write bodies one after the other, as ``multipart/mixed`` (RFC 2046).

    Parameters
    ----------
    items : iterable of (mapping, Body)
        Headers of each body beside those that it has itself, and the body.
    boundary : str
        What stands between them; it must not occur in any of them.
    """
    return _gathered(_parts(items, boundary))


def _parts(items: Iterable[tuple[Mapping[str, str], Body]], boundary: str) -> Iterator[Buffer]:
    for headers, body in items:
        lines = {"Content-Type": body.media_type, **headers, **body.headers}
        if body.length is not None:
            lines["Content-Length"] = str(body.length)
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        yield f"--{boundary}\r\n{head}\r\n".encode("latin-1", "replace")
        yield from body.blocks()
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode("ascii")


def _gathered(pieces: Iterator[Buffer]) -> Iterator[Buffer]:
    """Join small pieces: each block that is sent costs something, however small it is."""
    kept: list[Buffer] = []
    size = 0
    for piece in pieces:
        if size and size + len(piece) > BATCH_BYTES:
            yield b"".join(kept)
            kept, size = [], 0
        kept.append(piece)
        size += len(piece)
    yield b"".join(kept)


def need_arrow() -> None:
    """Refuse Arrow where it cannot be written.

    Raises
    ------
    ServiceError
        400 ``wrong_params``: this server has no pyarrow.
    """
    if find_spec("pyarrow") is None:
        msg = "this server has no Arrow (ephyrus[arrow]): leave format out, or use another one"
        raise ServiceError("wrong_params", msg, details={"parameter": "format"})


def arrow_rows(items: Iterable[tuple[str, ArrayPart]], dtype: np.dtype[Any]) -> Iterator[Buffer]:
    """Write parts as rows of a table: an Arrow IPC stream.

    Parameters
    ----------
    items : iterable of (str, ArrayPart)
        Permalink of each datafile, and the part of its array.
    dtype : numpy.dtype
        Type that the values of all parts are given.

    Yields
    ------
    bytes
        Columns ``datafile`` and ``name`` (texts), ``shape`` (list of int64) and ``values`` (list of
        `dtype`, rows of the part one after the other).
    """
    import pyarrow as pa

    is_text = dtype.kind == "S"
    kind = pa.string() if is_text else pa.from_numpy_dtype(dtype.newbyteorder("="))
    schema = pa.schema(
        [
            pa.field("datafile", pa.string(), nullable=False),
            pa.field("name", pa.string(), nullable=False),
            pa.field("shape", pa.list_(pa.int64()), nullable=False),
            pa.field("values", pa.large_list(kind), nullable=False),
        ]
    )
    yield schema.serialize().to_pybytes()
    for rows in _batches(items):
        values = [part.read(0, part.shape[0]).reshape(-1) for _, part in rows]
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in values])])
        flat = [
            texts(each) if is_text else native(each).astype(dtype.newbyteorder("="))
            for each in values
        ]
        columns = [
            pa.array([permalink for permalink, _ in rows], pa.string()),
            pa.array([part.name for _, part in rows], pa.string()),
            pa.array([list(part.shape) for _, part in rows], pa.list_(pa.int64())),
            pa.LargeListArray.from_arrays(
                pa.array(offsets, pa.int64()), pa.array(np.concatenate(flat), type=kind)
            ).cast(schema.field("values").type),
        ]
        yield pa.record_batch(columns, schema=schema).serialize().to_pybytes()
    yield _END_OF_STREAM


def _batches(
    items: Iterable[tuple[str, ArrayPart]],
) -> Iterator[list[tuple[str, ArrayPart]]]:
    """Put small parts together, large ones alone."""
    batch: list[tuple[str, ArrayPart]] = []
    size = 0
    for permalink, part in items:
        if batch and size + part.nbytes > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append((permalink, part))
        size += part.nbytes
    if batch:
        yield batch
