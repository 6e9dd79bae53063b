"""To and from xarray and pandas, and parts by positions on named axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus._shared.extras import optional_module
from ephyrus._shared.words import free_name
from ephyrus.nix.axes import Axis, SetAxis
from ephyrus.nix.data_view import DataView
from ephyrus.nix.enums import IndexMode, SliceMode
from ephyrus.nix.exceptions import DuplicateColumnName, OutOfBounds

if TYPE_CHECKING:
    from ephyrus.nix.block import Block
    from ephyrus.nix.data_array import DataArray
    from ephyrus.nix.data_frame import DataFrame

__all__ = ["axis_names", "from_pandas", "selected", "to_pandas", "to_xarray"]


def axis_names(array: DataArray) -> list[str]:
    """Name the axes: by the labels of their dimensions, else ``dim_<number>``."""
    labels = [dimension.label for dimension in array.dimensions]
    labels += [None] * (len(array.shape) - len(labels))
    names: list[str] = []
    for number, label in enumerate(labels[: len(array.shape)], 1):
        names.append(free_name(label or f"dim_{number}", names))
    return names


def selected(array: DataArray, selection: Mapping[str, Any], *, inclusive: bool) -> DataView:
    """Give the part of an array between positions on named axes."""
    names = axis_names(array)
    slices = [slice(0, length) for length in array.shape]
    dimensions = list(array.dimensions)
    for name, wanted in selection.items():
        number = _axis_number(names, name)
        if number >= len(dimensions):
            raise KeyError(f"axis {name!r} has no dimension that would tell its positions")
        axis, length = dimensions[number]._axis(), array.shape[number]
        slices[number] = _part(axis, wanted, length, name, inclusive=inclusive)
    return DataView(array, slices)


def _axis_number(names: list[str], name: str) -> int:
    if name in names:
        return names.index(name)
    numbered = [f"dim_{number}" for number in range(1, len(names) + 1)]
    if name in numbered:
        return numbered.index(name)
    raise KeyError(f"no axis {name!r}; the axes are {', '.join(names)}")


def _part(axis: Axis, wanted: Any, length: int, name: str, *, inclusive: bool) -> slice:
    """Give the slice of an axis between two positions, or at one."""
    if isinstance(axis, SetAxis) and isinstance(wanted, str):
        if wanted not in axis.labels:
            raise KeyError(f"axis {name!r} has no label {wanted!r}")
        wanted = axis.labels.index(wanted)
    if not isinstance(wanted, slice):
        start = _index(axis, wanted, IndexMode.LessOrEqual, name)
        stop = start + 1
    else:
        if wanted.step is not None:
            raise ValueError("a slice of positions cannot have a step")
        start, stop = 0, length
        rule = SliceMode.Inclusive if inclusive else SliceMode.Exclusive
        if wanted.start is not None:
            start = _index(axis, wanted.start, IndexMode.GreaterOrEqual, name)
        if wanted.stop is not None:
            stop = min(_index(axis, wanted.stop, rule.to_index_mode(), name) + 1, length)
    if not start < stop <= length:
        raise OutOfBounds(f"axis {name!r} has no sample at {wanted}")
    return slice(start, stop)


def _index(axis: Axis, position: Any, mode: IndexMode, name: str) -> int:
    try:
        return axis.index_of(float(position), mode)
    except IndexError as error:
        raise OutOfBounds(f"axis {name!r}: {error}") from error


def to_xarray(array: DataArray) -> Any:
    """Give a data array as an ``xarray.DataArray``."""
    xarray = optional_module("xarray", "xarray", "to_xarray")
    names, shape = axis_names(array), array.shape
    coordinates: dict[str, Any] = {}
    for name, dimension, length in zip(names, array.dimensions, shape, strict=False):
        axis = dimension._axis()
        if isinstance(axis, SetAxis):
            if len(axis.labels) == length:
                coordinates[name] = (name, np.array(axis.labels, object))
            continue
        positions = axis.positions(0, length)
        if len(positions) == length:
            units = {} if axis.unit is None else {"units": axis.unit}
            coordinates[name] = (name, positions, units)
    facts = {
        "units": array.unit,
        "long_name": array.label,
        "type": array.type,
        "definition": array.definition,
        "id": array.id,
    }
    return xarray.DataArray(
        array[()],
        dims=names,
        coords=coordinates,
        name=array.name,
        attrs={key: value for key, value in facts.items() if value is not None},
    )


def to_pandas(frame: DataFrame) -> Any:
    """Give a data frame as a ``pandas.DataFrame``; its units are in ``attrs["units"]``."""
    pandas = optional_module("pandas", "pandas", "to_pandas")
    table = frame[:]
    made = pandas.DataFrame({name: table[name] for name in frame.column_names})
    units = frame.units
    if units is not None:
        pairs = zip(frame.column_names, units, strict=True)
        made.attrs["units"] = {name: unit for name, unit in pairs if unit}
    return made


def from_pandas(
    block: Block, name: str, type_: str, table: Any, units: Mapping[str, str] | None
) -> DataFrame:
    """Make a data frame of a ``pandas.DataFrame``."""
    if any(each is not None for each in table.index.names):
        table = table.reset_index()
    names = [str(key) for key in table.columns]
    if len(set(names)) < len(names):
        raise DuplicateColumnName(f"two columns of the table have one name: {', '.join(names)}")
    columns = {str(key): _plain_column(table[key], str(key)) for key in table.columns}
    types = {
        key: str if column.dtype.kind == "O" else column.dtype for key, column in columns.items()
    }
    rows = list(zip(*(column.tolist() for column in columns.values()), strict=True))
    frame = block.create_data_frame(name, type_, col_dict=types, data=rows)
    found = units if units is not None else table.attrs.get("units", {})
    if found:
        frame.units = [found.get(key) for key in columns]
    return frame


def _plain_column(column: Any, name: str) -> np.ndarray[Any, Any]:
    """Give the cells of a column of pandas.

    Raises
    ------
    TypeError
        If they are no bools, numbers or texts, or some are missing where that cannot be kept.
    """
    if column.dtype.kind in "biuf" and column.dtype == column.to_numpy().dtype:
        values: np.ndarray[Any, Any] = column.to_numpy()
        return values
    cells = column.tolist()
    if all(isinstance(cell, str) for cell in cells):
        result = np.empty(len(cells), object)
        result[:] = cells
        return result
    array = np.array(cells)
    if array.dtype.kind in "biuf":
        return array
    raise TypeError(
        f"column {name!r} has cells that are missing, or no bools, numbers or texts; convert it"
    )
