"""The elements of a ``.nsn`` file: heads known before or filled in after the items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ephyrus.errors import NeoReadWriteError
from ephyrus.formats.nsn.layout import ELEMENT, ENTITY, INFO, SOURCE, Kind

__all__ = ["MOST_BYTES", "Texts", "head_bytes", "write_head"]

MOST_BYTES = 2**32 - 1  # of an element


class Texts:
    """Makes texts for fields of fixed length, and counts those that had to be cut."""

    def __init__(self) -> None:
        self.cut = 0

    def record(self, dtype: np.dtype[Any], values: Mapping[str, Any]) -> Any:
        """Fill a record; texts that are too long are cut between two characters."""
        record = np.zeros((), dtype)
        for name, value in values.items():
            kind = dtype[name]
            record[name] = self._bytes(value, kind.itemsize) if kind.kind == "S" else value
        return record

    def _bytes(self, text: str, room: int) -> bytes:
        encoded = text.replace("\0", " ").encode("utf-8", "replace")
        if len(encoded) <= room:
            return encoded
        self.cut += 1
        return encoded[:room].decode("utf-8", "ignore").encode("utf-8")


def head_bytes(kind: Kind, sources: int = 0) -> int:
    """Give the bytes of an element before its items, without type and length."""
    return int(ENTITY.itemsize + INFO[kind][1].itemsize + SOURCE.itemsize * sources)


def write_head(
    file: BinaryIO,
    place: int,
    texts: Texts,
    kind: Kind,
    label: str,
    count: int,
    info: Mapping[str, Any],
    data_bytes: int,
    sources: tuple[Mapping[str, Any], ...] = (),
) -> None:
    """Write the head of an element at a place.

    Raises
    ------
    NeoReadWriteError
        If the element has more bytes than its length can say.
    """
    length = head_bytes(kind, len(sources)) + data_bytes
    if length > MOST_BYTES:
        raise NeoReadWriteError(
            f"{label!r} takes {length:,} bytes; an entity of a Neuroshare native file has at most "
            f"{MOST_BYTES:,}. Write a part of the recording, or another format"
        )
    file.seek(place)
    element = np.array((int(kind), length), ELEMENT)
    entity = {"label": label, "entity_type": int(kind), "item_count": count}
    parts = [element, texts.record(ENTITY, entity), texts.record(INFO[kind][1], info)]
    parts += [texts.record(SOURCE, source) for source in sources]
    file.write(b"".join(part.tobytes() for part in parts))
