"""The JSON text of a .nex5 file: facts of the file and of its variables.

Programs may write there what they like. NeuroExplorer and its example programs write
``{"file": {"writerSoftware": {"name": ..., "version": ...}}, "variables": [{"name": ...,
"unitNumber": ..., "probe": {"wireNumber": ..., "position": {"x": ..., "y": ...}}}, ...]}``.
"""

from __future__ import annotations

import json
from typing import Any

from ephyrus.recording import HEADER_BYTES, ByteSource, Opening, decode

__all__ = ["facts_by_name", "read", "software"]

LARGEST = 2**31  # of numbers of wires and units


def read(opening: Opening, source: ByteSource, place: int, least: int) -> Any:
    """Read the text from byte `place` to the end of the file; None where there is none.

    Parameters
    ----------
    opening : Opening
        Told about texts that cannot be read.
    source : ByteSource
        The file.
    place : int
        Offset as the file gives it; 0: there is no text.
    least : int
        Smallest offset that can be true.
    """
    if place == 0:
        return None
    size = source.size - place
    if place < least or not 0 < size <= HEADER_BYTES:
        opening.note(
            f"a text of {size:,} bytes, up to the end of the file, is not read",
            offset=place,
            field="metadata",
        )
        return None
    text = decode(source.read_at(place, size, field="metadata")).rstrip("\0 \r\n\t")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        opening.note(f"no JSON text: {error}", offset=place, field="metadata")
        return None


def software(metadata: Any) -> str | None:
    """Give name and version of the program that wrote the file, if the metadata tell them."""
    writer = _mapping(_mapping(_mapping(metadata).get("file")).get("writerSoftware"))
    words = [str(writer[key]) for key in ("name", "version") if writer.get(key)]
    return " ".join(words) or None


def facts_by_name(metadata: Any) -> dict[str, dict[str, Any]]:
    """Give wire, unit and position of each variable that the metadata describe."""
    described = _mapping(metadata).get("variables")
    found = {}
    for each in map(_mapping, described if isinstance(described, list) else ()):
        probe = _mapping(each.get("probe"))
        position = _mapping(probe.get("position"))
        numbers = {"wire": probe.get("wireNumber"), "unit": each.get("unitNumber")}
        facts: dict[str, Any] = {
            axis: float(position[axis])
            for axis in ("x", "y")
            if _is_number(position.get(axis), float)
        }
        facts |= {key: value for key, value in numbers.items() if _is_number(value)}
        found[str(each.get("name"))] = facts
    return found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_number(value: Any, *kinds: type) -> bool:
    """Tell whole numbers of 32 bits, and numbers of other kinds."""
    if type(value) in kinds:
        return True
    return type(value) is int and -LARGEST <= value < LARGEST
