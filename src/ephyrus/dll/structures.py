"""The structures of the Neuroshare C interface, as tables.

Each table names the fields of one structure in their order. The C structures of both alignments,
the packed numpy layouts of ``.nsn`` files, and the values that Python code sees are made from them.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "ANALOG_INFO",
    "ENTITY_INFO",
    "EVENT_INFO",
    "FILE_DESCRIPTION",
    "FILE_INFO",
    "LIBRARY_INFO",
    "MOST_DESCRIPTIONS",
    "NEURAL_INFO",
    "PACKED",
    "SEGMENT_INFO",
    "SOURCE_INFO",
    "Field",
    "Table",
    "packed_dtype",
    "structure",
    "values_of",
]

MOST_DESCRIPTIONS = 16  # file descriptions in a library information
PACKED = 4  # alignment of members where a library was built with ``pack(4)``


class Field(NamedTuple):
    """One member: its name, and ``"u4"``, ``"f8"`` or ``"S<bytes>"``."""

    name: str
    kind: str


Table = tuple[Field, ...]


def _table(text: str) -> Table:
    """Read a table from its lines: kind, then the names of the fields of that kind."""
    lines = (line.split() for line in text.strip().splitlines())
    return tuple(Field(name, kind) for kind, *names in lines for name in names)


_PLACE_AND_FILTERS = """
f8 location_x location_y location_z location_user
f8 high_freq_corner
u4 high_freq_order
S16 high_filter_type
f8 low_freq_corner
u4 low_freq_order
S16 low_filter_type
S128 probe_info
"""

FILE_DESCRIPTION = _table("""
S32 description
S8 extension mac_codes
S16 magic_code
""")

LIBRARY_INFO = _table("""
u4 version_major version_minor api_version_major api_version_minor
S64 description creator
u4 year month day flags max_files file_type_count
""")  # 16 file descriptions follow

FILE_INFO = _table("""
S32 file_type
u4 entity_count
f8 time_stamp_resolution time_span
S64 app_name
u4 year month reserved day hour minute second millisecond
S256 comment
""")

ENTITY_INFO = _table("""
S32 label
u4 entity_type item_count
""")

EVENT_INFO = _table("""
u4 event_type min_data_length max_data_length
S128 csv_desc
""")

ANALOG_INFO = _table(
    """
f8 sample_rate min_value max_value
S16 units
f8 resolution
"""
    + _PLACE_AND_FILTERS.lstrip()
)

SEGMENT_INFO = _table("""
u4 source_count min_sample_count max_sample_count
f8 sample_rate
S32 units
""")

SOURCE_INFO = _table(
    """
f8 min_value max_value resolution sub_sample_shift
"""
    + _PLACE_AND_FILTERS.lstrip()
)

NEURAL_INFO = _table("""
u4 source_entity_id source_unit_id
S128 probe_info
""")

_C_TYPES: dict[str, Any] = {"u4": ctypes.c_uint32, "f8": ctypes.c_double}


@cache
def structure(table: Table, pack: int | None = None) -> type[ctypes.Structure]:
    """Make the C structure of a table.

    Parameters
    ----------
    table : Table
        One of this module.
    pack : int, optional
        Greatest alignment of a member; None: the platform's own.
    """
    members: list[tuple[str, Any]] = [
        (name, _C_TYPES.get(kind) or ctypes.c_ubyte * int(kind[1:])) for name, kind in table
    ]
    if table is LIBRARY_INFO:
        members.append(("descriptions", structure(FILE_DESCRIPTION) * MOST_DESCRIPTIONS))
    body: dict[str, Any] = {"_fields_": members}
    if pack is not None:
        body = {"_pack_": pack, "_layout_": "ms", **body}
    return type("Structure", (ctypes.Structure,), body)


@cache
def packed_dtype(table: Table) -> np.dtype[Any]:
    """Give the little-endian layout of a table packed to 4 bytes, as ``.nsn`` files have it."""
    kinds = [(name, kind if kind[0] == "S" else "<" + kind) for name, kind in table]
    return np.dtype(kinds)


def values_of(table: Table, filled: Any) -> dict[str, Any]:
    """Give the values of a C structure or a numpy record: int, float, or bytes up to a NUL."""
    values: dict[str, Any] = {}
    for name, kind in table:
        value = getattr(filled, name) if isinstance(filled, ctypes.Structure) else filled[name]
        if kind[0] == "S":
            values[name] = bytes(value).split(b"\0", 1)[0]
        else:
            values[name] = float(value) if kind == "f8" else int(value)
    return values
