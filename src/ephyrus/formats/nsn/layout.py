"""Layout of ``.nsn`` files: structures of the Neuroshare interface packed to 4 bytes."""

from __future__ import annotations

import csv
import io
from enum import IntEnum
from typing import Any

import numpy as np

from ephyrus.dll import structures
from ephyrus.dll.structures import Table, packed_dtype, values_of
from ephyrus.dll.texts import decoded

__all__ = [
    "ANALOG",
    "ELEMENT",
    "ENTITY",
    "EPOCH_FIELDS",
    "EVENT",
    "FILE",
    "INFO",
    "ITEM",
    "MAGIC",
    "NEURAL",
    "SEGMENT",
    "SIGNATURE",
    "SIGNATURE_BYTES",
    "SOURCE",
    "Kind",
    "epoch_text",
    "facts_of",
]

MAGIC = b"NSN ver"
SIGNATURE = b"NSN ver00000010\0"
SIGNATURE_BYTES = len(SIGNATURE)

FILE = packed_dtype(structures.FILE_INFO)
ENTITY = packed_dtype(structures.ENTITY_INFO)
EVENT = packed_dtype(structures.EVENT_INFO)
ANALOG = packed_dtype(structures.ANALOG_INFO)
SEGMENT = packed_dtype(structures.SEGMENT_INFO)
SOURCE = packed_dtype(structures.SOURCE_INFO)
NEURAL = packed_dtype(structures.NEURAL_INFO)

ELEMENT = np.dtype([("kind", "<u4"), ("length", "<u4")])  # length: of what follows

EPOCH_FIELDS = "label,duration (s)"  # fields of the comma-separated values that are epochs


class Kind(IntEnum):
    """Types of elements."""

    EVENT = 1
    ANALOG = 2
    SEGMENT = 3
    NEURAL = 4
    INFORMATION = 5


INFO: dict[int, tuple[Table, np.dtype[Any]]] = {
    Kind.EVENT: (structures.EVENT_INFO, EVENT),
    Kind.ANALOG: (structures.ANALOG_INFO, ANALOG),
    Kind.SEGMENT: (structures.SEGMENT_INFO, SEGMENT),
    Kind.NEURAL: (structures.NEURAL_INFO, NEURAL),
}

ITEM = {
    Kind.EVENT: np.dtype([("time", "<f8"), ("bytes", "<u4")]),  # then the bytes
    Kind.ANALOG: np.dtype([("time", "<f8"), ("samples", "<u4")]),  # a run; then the samples
    Kind.SEGMENT: np.dtype([("samples", "<u4"), ("time", "<f8"), ("unit", "<u4")]),
    Kind.NEURAL: np.dtype("<f8"),
}


def facts_of(table: Table, record: np.void) -> dict[str, Any]:
    """Give the values of a record, texts decoded and without the blanks that some writers add."""
    sizes = {name: int(kind[1:]) for name, kind in table if kind[0] == "S"}
    return {
        name: decoded(value, sizes[name]).rstrip() if isinstance(value, bytes) else value
        for name, value in values_of(table, record).items()
    }


def epoch_text(label: str, duration: float) -> bytes:
    """Give an epoch as comma-separated values, without a line's end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([label, repr(duration)])
    return line.getvalue().encode("utf-8", "replace")
