"""An index of the ids in large containers, kept as an attribute beside what the format asks for.

Other libraries ignore it. What it tells is checked by who uses it: others may have changed the
container since it was written.
"""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from h5py import h5a, h5s, h5t

from ephyrus.nix.storage.attributes import remove_attribute
from ephyrus.nix.storage.types import FAULTS

__all__ = [
    "place_of_id",
    "put_ids",
]

_IDS = b"ephyrus.ids"  # on containers: ids as 16 bytes each, in the order of the links


def put_ids(gid: Any, ids: list[str]) -> None:
    """Write the ids of the entities of a container beside it."""
    try:
        packed = b"".join(uuid.UUID(each).bytes for each in ids)
    except ValueError:
        return
    remove_attribute(gid, _IDS)
    values = np.frombuffer(packed, np.uint8)
    try:
        h5a.create(gid, _IDS, h5t.STD_U8LE, h5s.create_simple(values.shape)).write(values)
    except FAULTS:  # a group of the oldest kind has no room for so long an attribute
        return


def place_of_id(gid: Any, entity_id: str) -> int | None:
    """Find an id among those beside a container; None if it is not there."""
    if not h5a.exists(gid, _IDS):
        return None
    try:
        attribute = h5a.open(gid, _IDS)
        length = attribute.shape[0] if len(attribute.shape) == 1 else 0
        if attribute.get_storage_size() != length or length % 16:
            return None
        values = np.empty(length, np.uint8)
        attribute.read(values)
    except FAULTS:
        return None
    packed, wanted = values.tobytes(), uuid.UUID(entity_id).bytes
    place = packed.find(wanted)
    while place >= 0 and place % 16:
        place = packed.find(wanted, place + 1)
    return None if place < 0 else place // 16
