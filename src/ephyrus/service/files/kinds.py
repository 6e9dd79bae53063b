"""The kinds of uploaded files, as clients know them by number."""

from __future__ import annotations

__all__ = [
    "ARCHIVES",
    "ARRAY",
    "CONVERTIBLE",
    "CSV",
    "NAMES",
    "NEUROSHARE",
    "ODML",
    "READABLE",
    "TAR",
    "UNKNOWN",
    "ZIP",
]

UNKNOWN, NEUROSHARE, READABLE, CSV, ODML, ARRAY, ZIP, TAR = range(8)

NAMES = {
    UNKNOWN: "unknown",
    NEUROSHARE: "Neuroshare",
    READABLE: "recording",
    CSV: "CSV, each line a signal",
    ODML: "odML",
    ARRAY: "array",
    ZIP: "ZIP archive",
    TAR: "TAR archive",
}
"""What people are told."""

CONVERTIBLE = frozenset({NEUROSHARE, READABLE, CSV, ODML})
"""Kinds that become objects."""

ARCHIVES = frozenset({ZIP, TAR})
"""Kinds that are unpacked."""
