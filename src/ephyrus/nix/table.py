"""Tables of data frames: types of columns, rows as they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ephyrus.nix import storage
from ephyrus.nix.exceptions import DuplicateColumnName

__all__ = ["column_types", "create_table", "encoded", "stored_type", "table_of"]

_TEXT_KINDS = "USO"


def encoded(cells: Any, kind: Any) -> Any:
    """Give cells as they are written."""
    if kind.kind == "O":
        return storage.text_array(list(cells))
    return np.asarray(cells)


def stored_type(kind: Any) -> np.dtype[Any]:
    """Give the type in which a column is kept."""
    if kind in (str, bytes, np.str_) or np.dtype(kind).kind in _TEXT_KINDS:
        text: np.dtype[Any] = storage.TEXT_DTYPE
        return text
    plain: np.dtype[Any] = np.dtype(kind)
    if plain.kind not in "biufc":
        raise TypeError(f"a column cannot have cells of type {kind}")
    return plain


def column_types(
    columns: Mapping[str, Any] | None, names: Sequence[str] | None, types: Any, data: Any
) -> np.dtype[Any]:
    """Give the type of the rows of a new data frame.

    Raises
    ------
    ValueError
        If there are no names, or no types.
    DuplicateColumnName
        If a name is there twice.
    """
    if columns is not None:
        names, types = list(columns), list(columns.values())
    elif names is None and isinstance(data, np.ndarray) and data.dtype.names:
        names = data.dtype.names
        types = [data.dtype[each] for each in names]
    elif names is not None and types is None and data is not None and len(data):
        types = [type(cell) for cell in data[0]]
    if not names:
        raise ValueError("give the columns: names and types, or a structured array as data")
    if types is None or len(types) != len(names):
        raise ValueError(f"give a type for each of the {len(names)} columns, or data to tell them")
    if len(set(names)) != len(names):
        raise DuplicateColumnName(f"a column name is there twice in {list(names)}")
    return np.dtype(
        [(str(name), stored_type(kind)) for name, kind in zip(names, types, strict=True)]
    )


def table_of(rows: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give rows (tuples, or a structured array) as a table of a type."""
    if isinstance(rows, np.ndarray) and rows.dtype.names:
        columns = [rows[name] for name in rows.dtype.names]
    else:
        columns = list(zip(*rows, strict=True)) if len(rows) else [[] for _ in dtype.names or ()]
    names = dtype.names or ()
    if len(columns) != len(names):
        raise ValueError(f"a row has {len(names)} cells, got {len(columns)}")
    table = np.empty(len(rows), dtype)
    for name, cells in zip(names, columns, strict=True):
        table[name] = encoded(cells, dtype[name])
    return table


def create_table(
    gid: Any, table: NDArray[Any], *, compress: bool = False, name: bytes = b"data"
) -> None:
    """Make the data set of a data frame; its columns may have text."""
    h5py.Group(gid).create_dataset(
        storage.decode(name),
        data=table,
        maxshape=(None,),
        chunks=storage.chunk_shape(table.shape, table.dtype.itemsize),
        compression="gzip" if compress else None,
        compression_opts=6 if compress else None,
    )
