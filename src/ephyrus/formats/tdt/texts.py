"""The texts of a block: description of the stores (.Tbk), notes, logs of gaps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ephyrus.recording import FileSet, decode

__all__ = ["gaps_of", "read_notes", "read_stores"]

STORES_BYTES = 256 * 2**10  # of a .Tbk: behind the list of stores follows an index
NOTES_BYTES = 2**16
LOG_BYTES = 2**20
_DELIMITER, _ITEM = "[USERNOTEDELIMITER]", "[STOREHDRITEM]"
_LINE = re.compile(r"NAME=([^;\r\n]*);TYPE=([^;\r\n]*);VALUE=([^;\r\n]*);")
_GAP = re.compile(r"last saved sample:\s*(\d{1,18})\D+?new saved sample:\s*(\d{1,18})", re.I)


def read_stores(files: FileSet, name: str | None) -> Mapping[str, Mapping[str, str]]:
    """Read the list of stores of a .Tbk; items without a name are left out.

    Returns
    -------
    mapping
        Name of a store to its keys and values, as text.
    """
    if name is None:
        return {}
    text = files.source(name).head(STORES_BYTES).decode("cp437")
    parts = text.split(_DELIMITER)
    listing = next((part for part in parts if "NAME=StoreName" in part), "")
    items = [{key: value for key, _, value in _LINE.findall(item)} for item in listing.split(_ITEM)]
    return {item["StoreName"].rstrip("\0 "): item for item in items if item.get("StoreName")}


def read_notes(files: FileSet, names: Sequence[str]) -> str:
    """Read what the user wrote; control characters of old programs are dropped."""
    texts = [_text(files, name, NOTES_BYTES) for name in names]
    return "\n".join(text for text in texts if text)


def _text(files: FileSet, name: str, most: int) -> str:
    text = decode(files.source(name).head(most)).replace("\r\n", "\n")
    return "".join(each for each in text if each.isprintable() or each in "\n\t").strip()


def gaps_of(files: FileSet, name: str) -> list[tuple[int, int]]:
    """Read the gaps of a log: number of the last sample saved before, and of the first after."""
    text = decode(files.source(name).head(LOG_BYTES))
    return [(int(last), int(new)) for last, new in _GAP.findall(text)]
