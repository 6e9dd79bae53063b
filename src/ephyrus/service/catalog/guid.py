"""Guids: digests of what a version of an object holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ephyrus.service.types import ObjectType

__all__ = ["guid_of"]

_FACTS = ("size", "mime", "file_type", "content")  # what makes another datafile of a datafile


def guid_of(
    kind: ObjectType,
    row: Mapping[str, Any],
    *,
    links: Mapping[str, Sequence[int]] | None = None,
    metadata: Iterable[int] = (),
    datafiles: Mapping[int, str] | None = None,
) -> str:
    """Compute the guid of an object.

    Parameters
    ----------
    kind : ObjectType
        Its type.
    row : mapping
        Its columns.
    links : mapping of str to sequence of int, optional
        Relations to several parents.
    metadata : iterable of int
        Values that it is annotated with.
    datafiles : mapping of int to str, optional
        Guids of the datafiles of its arrays.

    Returns
    -------
    str
        40 lower-case hexadecimal digits: SHA-1 over type, id, attributes, quantities, parents,
        metadata and guids of datafiles. It does not depend on children, rights and times.
    """
    known, linked = datafiles or {}, links or {}
    arrays = {}
    for array in kind.arrays:
        datafile = row[f"{array.name}_id"]
        guid = None if datafile is None else known.get(datafile, "")
        arrays[array.name] = [guid, row[f"{array.name}__units"]]
    parents = {
        parent.name: sorted(linked.get(parent.name, ()))
        if parent.many
        else row[f"{parent.name}_id"]
        for parent in kind.parents
    }
    content = [
        kind.name,
        row["id"],
        {each.name: _plain(row[each.name]) for each in kind.attributes},
        {each.name: [row[each.name], row[f"{each.name}__units"]] for each in kind.quantities},
        arrays,
        parents,
        sorted(metadata),
    ]
    if kind.name == "datafile":
        content.append({name: row[name] for name in _FACTS})
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _plain(value: Any) -> Any:
    """Make a value that JSON can hold."""
    return value.isoformat() if isinstance(value, datetime) else value
