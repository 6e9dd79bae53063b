"""Arrow bodies: an IPC stream with a column per channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders.body import Body, Buffer, checked_blocks, streamed
from ephyrus.service.encoders.columns import Table, native, texts
from ephyrus.service.errors import ServiceError

__all__ = ["MEDIA_TYPE", "arrow_body"]

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


def arrow_body(
    part: ArrayPart,
    *,
    columns: Sequence[str] | None = None,
    indices: NDArray[np.int64] | None = None,
) -> Body:
    """Make an Arrow IPC stream: one record batch per block of rows, a column per channel.

    Parameters
    ----------
    part : ArrayPart
        The values; its attributes become metadata of the schema (texts).
    columns, indices
        As in :func:`~ephyrus.service.encoders.text.csv_body`.

    Returns
    -------
    Body
        Columns keep the dtype of the array; texts are ``string`` columns.

    Raises
    ------
    ServiceError
        400 ``wrong_params``: this server has no pyarrow.
    """
    if find_spec("pyarrow") is None:
        msg = "this server has no Arrow (ephyrus[arrow]): use format=hdf5, npy, raw, csv or json"
        raise ServiceError("wrong_params", msg, details={"parameter": "format"})
    make = streamed(partial(_messages, Table(part, columns, indices)))
    return Body(MEDIA_TYPE, make, extension=".arrows")


def _messages(table: Table) -> Iterator[Buffer]:
    """Make the messages of the stream: schema, batches, end."""
    import pyarrow as pa

    part = table.part
    kind = (
        pa.string() if part.dtype.kind == "S" else pa.from_numpy_dtype(native(_sample(part)).dtype)
    )
    is_index = _is_index(table)
    fields = [
        pa.field(name, pa.int64() if index else kind, nullable=False)
        for name, index in zip(table.column_names, is_index, strict=True)
    ]
    facts = {name: str(value) for name, value in part.attributes.items() if value is not None}
    schema = pa.schema(fields, metadata={"name": part.name, "shape": _shape(part), **facts})
    yield schema.serialize().to_pybytes()
    first = 0
    for block in checked_blocks(part):
        last = first + len(block)
        values = block.reshape(len(block), len(table.value_names))
        arrays = _columns(values, table.index_columns(first, last), kind)
        yield pa.record_batch(arrays, schema=schema).serialize().to_pybytes()
        first = last
    yield _END_OF_STREAM


def _sample(part: ArrayPart) -> NDArray[Any]:
    return np.empty(0, part.dtype)


def _shape(part: ArrayPart) -> str:
    return ",".join(map(str, part.shape))


def _is_index(table: Table) -> list[bool]:
    """Tell of each column whether it holds indices."""
    values = len(table.value_names)
    if table.indices is None:
        return [False] * values
    return [True, False] * values if table.index_per_value else [True] + [False] * values


def _columns(values: NDArray[Any], indices: NDArray[np.int64] | None, kind: Any) -> list[Any]:
    """Turn a block of rows into Arrow columns."""
    import pyarrow as pa

    by_column = np.ascontiguousarray((texts(values) if kind == pa.string() else native(values)).T)
    arrays = [pa.array(column, type=kind) for column in by_column]
    if indices is None:
        return arrays
    by_index = [pa.array(column) for column in np.ascontiguousarray(indices.T)]
    if len(by_index) == len(arrays):
        return [array for pair in zip(by_index, arrays, strict=True) for array in pair]
    return by_index + arrays
