"""Data frames: tables whose columns have names, types and units."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from operator import index as as_index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ephyrus.nix import interchange, storage
from ephyrus.nix.data_set import grow, unreadable
from ephyrus.nix.entity import EntityWithMetadata
from ephyrus.nix.exceptions import (
    DuplicateColumnName,
    InvalidAttrType,
    OutOfBounds,
    UninitializedEntity,
)
from ephyrus.nix.printing import emit
from ephyrus.nix.source import SourceLinks
from ephyrus.nix.store import Links
from ephyrus.nix.table import create_table, encoded, stored_type, table_of
from ephyrus.nix.util import units

if TYPE_CHECKING:
    from ephyrus.nix.block import Block

__all__ = ["DataFrame"]


class DataFrame(EntityWithMetadata):
    """A table: rows of named columns. Made by :meth:`Block.create_data_frame`."""

    _words = "data frame"
    _did_kept: Any = None

    def _home(self) -> Links:
        return self._parent._made_links(b"data_frames")  # type: ignore[no-any-return]  # of a block

    @property
    def _did(self) -> Any:
        self._store.check_open()
        if self._did_kept is None:
            did = storage.data_child(self._gid, b"data")
            if did is None:
                raise UninitializedEntity(f"data frame {self.name!r} has no data")
            if did.dtype.names is None or len(did.shape) != 1:
                raise UninitializedEntity(f"data frame {self.name!r}: its data are no table")
            self._did_kept = did
        return self._did_kept

    @property
    def sources(self) -> SourceLinks:
        """Where the values come from."""
        return SourceLinks(self)

    # --- facts ---

    @property
    def data_type(self) -> np.dtype[Any]:
        """Type of a row: a structured dtype."""
        return np.dtype([(name, _plain_type(kind)) for name, kind in self._stored_columns()])

    def _stored_columns(self) -> list[tuple[str, Any]]:
        dtype = self._did.dtype
        return [(name, dtype[name]) for name in dtype.names]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns."""
        found: tuple[str, ...] = self._did.dtype.names
        return found

    @property
    def dtype(self) -> tuple[np.dtype[Any], ...]:
        """Types of the columns (object for text)."""
        return tuple(_plain_type(kind) for _, kind in self._stored_columns())

    @property
    def columns(self) -> list[tuple[str, np.dtype[Any], str | None]]:
        """Name, type and unit of each column."""
        found = self.units
        texts = [None] * len(self.column_names) if found is None else found
        return list(zip(self.column_names, self.dtype, texts, strict=True))

    @property
    def units(self) -> NDArray[Any] | None:
        """Unit of each column, None where it has none; None if no column has one."""
        width = len(self.column_names)
        found = storage.attribute_of(self._gid, b"units")
        if found is None:
            found = storage.attribute_of(self._did, b"units")
        if found is None:
            return None
        texts = [str(each) or None for each in np.atleast_1d(found).tolist()][:width]
        if not any(texts):
            return None
        return np.array(texts + [None] * (width - len(texts)), object)

    @units.setter
    def units(self, value: Sequence[str | None] | None) -> None:
        width = len(self.column_names)
        if value is not None and (isinstance(value, str) or len(value) != width):
            raise ValueError(f"a unit (or None) for each of the {width} columns is needed")
        clean = []
        for unit in () if value is None else value:
            if unit is not None and not isinstance(unit, str):
                raise InvalidAttrType("a unit as text or None", unit)
            clean.append(units.sanitizer(unit or ""))
        gid = self._changing()
        # The C++ library keeps units at the data set, the Python library at the group.
        for loc in (gid, self._did):
            if value is None:
                storage.remove_attribute(loc, b"units")
            else:
                storage.put_texts(loc, b"units", clean)

    @property
    def shape(self) -> tuple[int]:
        """Number of rows, as a tuple."""
        found: tuple[int] = self._did.shape
        return found

    @property
    def df_shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.shape[0], len(self.column_names)

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.shape[0]

    def row_count(self) -> int:
        """Give the number of rows."""
        return self.shape[0]

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        return True

    # --- reading ---

    def _stored(self, index: Any) -> Any:
        """Read rows as they are stored."""
        did = self._did
        try:
            return h5py.Dataset(did)[index]
        except OSError as error:
            raise unreadable(did, error) from error

    def _table(self, index: Any = ()) -> Any:
        """Read rows, text as str."""
        rows = self._stored(index)
        result = np.empty(rows.shape, self.data_type)
        for name, kind in self._stored_columns():
            result[name] = _decoded(rows[name]) if kind.kind in "SO" else rows[name]
        return result[()] if result.ndim == 0 else result

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple) and len(key) == 1:
            key = key[0]
        if isinstance(key, str):
            return self._table()[self._checked_name(key)]
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step < 1:
                return self._table()[key]
            return self._table(slice(start, max(start, stop), step))
        if key is Ellipsis or isinstance(key, tuple):
            return self._table()
        return self.read_rows(key)

    def __iter__(self) -> Any:
        return iter(self._table())

    def _checked_name(self, name: str) -> str:
        if name not in self.column_names:
            raise KeyError(f"no column {name!r}; there are {', '.join(self.column_names)}")
        return name

    def _row(self, row: Any) -> int:
        count = len(self)
        number = as_index(row)
        if not -count <= number < count:
            raise OutOfBounds(f"the data frame has {count} rows, none has this index", number)
        return number % count

    def _column(self, column: Any) -> str:
        names = self.column_names
        number = as_index(column)
        if not -len(names) <= number < len(names):
            raise OutOfBounds(f"the data frame has {len(names)} columns, none is", number)
        return names[number]

    def read_rows(self, index: int | Sequence[int]) -> Any:
        """Read a row, or several.

        Parameters
        ----------
        index : int or list of int
            Which; several in any order.

        Returns
        -------
        numpy.void or structured ndarray

        Raises
        ------
        OutOfBounds
            If there is no such row.
        """
        if hasattr(index, "__iter__"):
            return self._table()[[self._row(each) for each in index]]
        return self._table(self._row(index))

    def read_columns(
        self,
        index: Sequence[int] | int | None = None,
        name: Sequence[str] | str | None = None,
        slc: slice | None = None,
        group_by_cols: bool = False,
    ) -> NDArray[Any]:
        """Read columns.

        Parameters
        ----------
        index : list of int, optional
            Which columns.
        name : list of str, optional
            Which columns, by their names, in place of `index`.
        slc : slice, optional
            Which rows.
        group_by_cols : bool
            Whether to give one plain array with a row for each column.

        Returns
        -------
        ndarray
            Of one column its values; of several a structured array.

        Raises
        ------
        ValueError
            If neither index nor name is given.
        """
        if index is None and name is None:
            raise ValueError("give the columns to read by index or by name")
        if name is not None:
            wanted = [self._checked_name(each) for each in _listed(name)]
        else:
            wanted = [self._column(each) for each in _listed(index)]
        table = self[slice(None) if slc is None else slc]
        if len(wanted) == 1:
            column: NDArray[Any] = table[wanted[0]]
            return column
        if group_by_cols:
            return np.array([table[each].tolist() for each in wanted])
        selected: NDArray[Any] = table[wanted]
        return selected

    def read_cell(
        self,
        position: Sequence[int] | None = None,
        col_name: str | Sequence[str] | None = None,
        row_idx: int | Sequence[int] | None = None,
    ) -> Any:
        """Read one cell.

        Parameters
        ----------
        position : (int, int), optional
            Row and column.
        col_name, row_idx : str, int, optional
            Column by name, and row, in place of `position`.

        Raises
        ------
        ValueError
            If neither is given.
        """
        row, name = self._cell(position, col_name, row_idx)
        return self._table(row)[name]

    def _cell(self, position: Any, col_name: Any, row_idx: Any) -> tuple[int, str]:
        """Give row and column name of a cell."""
        if position is not None:
            row, column = position
            return self._row(row), self._column(column)
        if col_name is None or row_idx is None:
            raise ValueError("give the cell by position=(row, column), or by col_name and row_idx")
        name, row = _listed(col_name)[0], _listed(row_idx)[0]
        return self._row(row), self._checked_name(name)

    # --- writing ---

    def _write(self, index: Any, rows: Any) -> None:
        self._changing()
        h5py.Dataset(self._did)[index] = rows

    def _as_rows(self, rows: Any) -> NDArray[Any]:
        return table_of(rows, self._did.dtype)

    def write_rows(self, rows: Sequence[Any], index: Sequence[int]) -> None:
        """Write rows over those that are there.

        Parameters
        ----------
        rows : sequence of tuple
            A tuple of cells for each row.
        index : list of int
            Which rows.

        Raises
        ------
        OutOfBounds
            If there is no such row.
        IndexError
            If there is not one index for each row.
        """
        numbers = [self._row(each) for each in index]
        if len(numbers) != len(rows):
            raise IndexError(f"{len(rows)} rows cannot be written to {len(numbers)} indices")
        table = self._as_rows(rows)
        for number, row in zip(numbers, table, strict=True):
            self._write(number, row)

    def write_column(
        self, column: Sequence[Any], index: int | None = None, name: str | None = None
    ) -> None:
        """Write a whole column, given by index or name.

        Raises
        ------
        ValueError
            If there is not one cell for each row, or the column is not given.
        """
        if index is None and name is None:
            raise ValueError("give the column to write by index or by name")
        target = self._checked_name(name) if name is not None else self._column(index)
        if len(column) != len(self):
            raise ValueError(f"a column has {len(self)} cells, got {len(column)}")
        table = self._stored(())
        table[target] = encoded(column, table.dtype[target])
        self._write((), table)

    def write_cell(
        self,
        cell: Any,
        position: Sequence[int] | None = None,
        col_name: str | Sequence[str] | None = None,
        row_idx: int | Sequence[int] | None = None,
    ) -> None:
        """Write one cell, given as in :meth:`read_cell`."""
        row, name = self._cell(position, col_name, row_idx)
        table = self._stored(slice(row, row + 1))
        table[name] = encoded([cell], table.dtype[name])
        self._write(slice(row, row + 1), table)

    def append_rows(self, data: Sequence[Any]) -> None:
        """Add rows: a sequence of tuples, or a structured array."""
        table = self._as_rows(data)
        self._changing()
        grow(self._did, table)

    def append_column(self, column: Sequence[Any], name: str, datatype: Any = None) -> None:
        """Add a column; the table is written anew.

        Parameters
        ----------
        column : sequence
            A cell for each row.
        name : str
            Not yet taken.
        datatype : type, optional
            Of the cells; default: that of the first.

        Raises
        ------
        ValueError
            If there is not one cell for each row.
        DuplicateColumnName
            If the name is taken.
        """
        if name in self.column_names:
            raise DuplicateColumnName(f"there is already a column {name!r}")
        if len(column) != len(self):
            raise ValueError(f"a column has {len(self)} cells, got {len(column)}")
        kind = stored_type(type(column[0]) if datatype is None else datatype)
        old = self._stored(())
        table = np.empty(old.shape, np.dtype([*self._stored_columns(), (name, kind)]))
        for each in self.column_names:
            table[each] = old[each]
        table[name] = encoded(column, kind)
        texts = self.units
        self._replace(table)
        if texts is not None:
            self.units = [*texts, None]

    def _replace(self, table: NDArray[Any]) -> None:
        """Write the table anew beside the old one, then let it take its place."""
        gid = self._changing()
        create_table(gid, table, name=b"data~")
        gid.unlink(b"data")
        gid.links.move(b"data~", gid, b"data", lcpl=storage.LINK_LIST)
        self._did_kept = None

    # --- display and interchange ---

    def print_table(self, row_sl: slice | None = None, col_sl: slice | None = None) -> None:
        """Print the table, or the given rows and columns of it."""
        names = self.column_names[slice(None) if col_sl is None else col_sl]
        table = self[slice(None) if row_sl is None else row_sl]
        texts = [names, *[tuple(str(row[name]) for name in names) for row in table]]
        widths = [max(len(row[number]) for row in texts) for number in range(len(names))]
        for row in texts:
            emit("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))

    def write_to_csv(self, filename: str, mode: str = "w") -> None:
        """Write the table to a text file with commas; the first line has the names."""
        with Path(filename).open(mode, newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.column_names)
            writer.writerows(self._table().tolist())

    @classmethod
    def from_pandas(
        cls,
        block: Block,
        name: str,
        type_: str,
        table: Any,
        *,
        units: Mapping[str, str] | None = None,
    ) -> DataFrame:
        """Make a data frame of a ``pandas.DataFrame``.

        Parameters
        ----------
        block : Block
            Where to make it.
        name, type_ : str
            Its name and type.
        table : pandas.DataFrame
            Its columns must be of bools, numbers or texts; an index with a name becomes a column
            (one of several levels, several).
        units : dict, optional
            Units of columns by their names; default those in ``table.attrs["units"]``.

        Raises
        ------
        TypeError
            If a column has cells that are missing, or of another type.
        DuplicateName
            If the name is taken.
        DuplicateColumnName
            If two columns have one name.
        """
        return interchange.from_pandas(block, name, type_, table, units)

    def to_pandas(self) -> Any:
        """Give the table as a ``pandas.DataFrame``; units are in its ``attrs``.

        Needs the extra ``pandas``.
        """
        return interchange.to_pandas(self)

    def pprint(self, indent: int = 2, max_length: int = 120, start_depth: int = 0) -> None:
        """Print name, type, shape and columns."""
        from ephyrus.nix.printing import print_data_frame

        print_data_frame(self, indent, max_length, start_depth)


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def _plain_type(kind: Any) -> np.dtype[Any]:
    return np.dtype(object) if kind.kind in "SO" else np.dtype(kind)


def _decoded(column: Any) -> Any:
    if isinstance(column, bytes):
        return column.decode("utf-8", "replace")
    return storage.decoded_column(np.asarray(column)) if isinstance(column, np.ndarray) else column
