"""The words and modes of the NIX model."""

from __future__ import annotations

import datetime
from enum import Enum
from numbers import Integral, Real
from typing import Any

import numpy as np

__all__ = [
    "Compression",
    "DataSliceMode",
    "DataType",
    "DimensionType",
    "FileMode",
    "IndexMode",
    "LinkType",
    "OdmlType",
    "SliceMode",
    "member_of",
]


class FileMode:
    """How a file is opened."""

    ReadOnly = "r"
    ReadWrite = "a"
    Overwrite = "w"


class LinkType(Enum):
    """How the data of a feature belong to the regions of its tag."""

    Tagged = "tagged"
    Untagged = "untagged"
    Indexed = "indexed"


class DimensionType(Enum):
    """Kinds of dimensions, as the file spells them."""

    Sample = "sample"
    Range = "range"
    Set = "set"


class Compression(Enum):
    """Whether data are compressed (gzip, level 6)."""

    No = "None"
    DeflateNormal = "DeflateNormal"
    Auto = "Auto"


class DataSliceMode(Enum):
    """Whether a slice is given in indices or in the units of the dimensions."""

    Index = 1
    Data = 2


class IndexMode(Enum):
    """Which sample an index search takes where the position is between two."""

    Less = "less"
    LessOrEqual = "leq"
    LEQ = "leq"  # noqa: PIE796 - another name of it
    GreaterOrEqual = "geq"
    GEQ = "geq"  # noqa: PIE796 - another name of it


class SliceMode(Enum):
    """Whether a sample exactly at the end of a region belongs to it."""

    Exclusive = "exclusive"
    Inclusive = "inclusive"

    def to_index_mode(self) -> IndexMode:
        """Give the search that finds the last sample of a region."""
        return IndexMode.Less if self is SliceMode.Exclusive else IndexMode.LessOrEqual


def member_of(kind: type[Enum], value: Any) -> Any:
    """Give the member for a member, its value or (in any case) its name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if isinstance(value, kind):
        return value
    text = str(value).lower()
    for name, member in kind.__members__.items():
        if text in (name.lower(), str(member.value).lower()):
            return member
    choices = ", ".join(kind.__members__)
    raise ValueError(f"{value!r} is not a {kind.__name__}; choose one of {choices}")


class DataType:
    """The element types of data arrays, as numpy types."""

    UInt8 = np.uint8
    UInt16 = np.uint16
    UInt32 = np.uint32
    UInt64 = np.uint64
    Int8 = np.int8
    Int16 = np.int16
    Int32 = np.int32
    Int64 = np.int64
    Float = np.float32
    Double = np.float64
    String = np.str_
    Bool = np.bool_

    @classmethod
    def get_dtype(cls, value: Any) -> type[np.generic]:
        """Give the type in which a property keeps a value.

        Raises
        ------
        ValueError
            If it is no bool, number or text.
        """
        if isinstance(value, bool | np.bool_):
            return cls.Bool
        if isinstance(value, Integral):
            return cls.Int64
        if isinstance(value, Real):
            return cls.Double
        if isinstance(value, str | bytes):
            return cls.String
        raise ValueError(
            f"a value must be a bool, a number or a text, got {value!r} ({type(value).__name__})"
        )

    @classmethod
    def is_numeric_dtype(cls, dtype: Any) -> bool:
        """Tell whether a type is one of numbers (bool is not)."""
        return np.dtype(dtype).kind in "iufc"


_TEMPORAL = {"datetime": datetime.datetime, "date": datetime.date, "time": datetime.time}


class OdmlType(Enum):
    """The types of odML that a property can have."""

    Boolean = "boolean"
    Int = "int"
    Float = "float"
    String = "string"
    Text = "text"
    URL = "url"
    Person = "person"
    Datetime = "datetime"
    Date = "date"
    Time = "time"

    def __str__(self) -> str:
        return self.value

    def compatible(self, value: Any) -> bool:
        """Tell whether a value can have this type."""
        if self is OdmlType.Boolean:
            return isinstance(value, bool | np.bool_)
        if self is OdmlType.Int:
            return isinstance(value, Integral) and not isinstance(value, bool)
        if self is OdmlType.Float:
            return isinstance(value, Real) and not isinstance(value, bool)
        temporal = _TEMPORAL.get(self.value)
        return isinstance(value, str) or (temporal is not None and isinstance(value, temporal))

    @classmethod
    def get_odml_type(cls, dtype: Any) -> OdmlType:
        """Give the type of odML for a numpy type.

        Raises
        ------
        ValueError
            If there is none.
        """
        kinds = {"b": cls.Boolean, "i": cls.Int, "u": cls.Int, "f": cls.Float}
        kinds |= dict.fromkeys("USOT", cls.String)
        kind = np.dtype(dtype).kind
        if kind not in kinds:
            raise ValueError(f"no odML type for values of type {dtype!r}")
        return kinds[kind]
