"""Layout of .nex and .nex5 files: headers as structured types, kinds of variables."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np

__all__ = [
    "FIELD_NAME_BYTES",
    "INDEX_TYPES",
    "NEX5_FILE",
    "NEX5_VARIABLE",
    "NEX_FILE",
    "NEX_VARIABLE",
    "TEXT_TYPES",
    "TICK_TYPES",
    "VALUE_TYPES",
    "WEIGHT",
    "Kind",
    "Types",
]

Types: TypeAlias = Mapping[int, np.dtype[Any]]


class Kind(IntEnum):
    """What a variable is."""

    NEURON = 0
    EVENT = 1
    INTERVAL = 2
    WAVEFORM = 3
    POPULATION = 4
    CONTINUOUS = 5
    MARKER = 6


NEX_FILE = np.dtype(
    [
        ("magic", "S4"),
        ("version", "<i4"),
        ("comment", "S256"),
        ("frequency", "<f8"),  # ticks per second
        ("first_tick", "<i4"),
        ("end_tick", "<i4"),  # largest time stamp + 1
        ("variables", "<i4"),
        ("next_header", "<i4"),  # not used
        ("padding", "V256"),
    ]
)
NEX_VARIABLE = np.dtype(
    [
        ("kind", "<i4"),
        ("version", "<i4"),  # 101: wire and unit are valid; 102: the prethreshold too
        ("name", "S64"),
        ("offset", "<u4"),  # declared signed; the low 32 bits of the offset
        ("count", "<i4"),
        ("wire", "<i4"),
        ("unit", "<i4"),
        ("gain", "<i4"),  # not used
        ("filter", "<i4"),  # not used
        ("x", "<f8"),  # 0 to 100
        ("y", "<f8"),
        ("rate", "<f8"),  # Hz
        ("coefficient", "<f8"),  # mV per count
        ("points", "<i4"),  # of each waveform, or of the whole continuous variable
        ("fields", "<i4"),  # of each marker
        ("text_bytes", "<i4"),  # of each value of a marker
        ("shift", "<f8"),  # mV; since version 105
        ("prethreshold", "<f8"),  # s; since version 106
        ("padding", "V52"),
    ]
)
NEX5_FILE = np.dtype(
    [
        ("magic", "S4"),
        ("version", "<i4"),
        ("comment", "S256"),  # UTF-8
        ("frequency", "<f8"),  # ticks per second
        ("first_tick", "<i8"),
        ("variables", "<i4"),
        ("metadata", "<i8"),  # offset of the JSON text, 0: none
        ("end_tick", "<i8"),  # since version 501
        ("padding", "V56"),
    ]
)
NEX5_VARIABLE = np.dtype(
    [
        ("kind", "<i4"),
        ("version", "<i4"),
        ("name", "S64"),
        ("offset", "<u8"),
        ("count", "<u8"),
        ("tick_type", "<i4"),
        ("value_type", "<i4"),
        ("rate", "<f8"),  # Hz
        ("units", "S32"),
        ("coefficient", "<f8"),  # units per count
        ("shift", "<f8"),  # units
        ("points", "<u8"),  # of each waveform, or of the whole continuous variable
        ("prethreshold", "<f8"),  # s
        ("text_type", "<i4"),  # of the values of a marker: 0 text, 1 u4
        ("fields", "<i4"),
        ("text_bytes", "<i4"),
        ("index_type", "<i4"),
        ("padding", "V60"),
    ]
)
FIELD_NAME_BYTES = 64
WEIGHT = np.dtype("<f8")  # of population vectors
TICK_TYPES: Types = {0: np.dtype("<i4"), 1: np.dtype("<i8")}
VALUE_TYPES: Types = {0: np.dtype("<i2"), 1: np.dtype("<f4")}  # floats are in units already
INDEX_TYPES: Types = {0: np.dtype("<u4"), 1: np.dtype("<u8")}
TEXT_TYPES: Types = {0: np.dtype("S1"), 1: np.dtype("<u4")}
