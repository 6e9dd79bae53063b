"""How a backup is laid out: the same for every database and every store of arrays.

A backup is a tar file, written and read from its beginning to its end::

    ephyrus-backup.json        form, version, style of ids
    files/<key>                files of the array store, as they are
    tables/<name>/<n>.jsonl    rows in batches: one JSON list per line, columns as in the first line
    end.json                   counts, last ids given, and the checksum of everything before

Sessions and what guards logins are left out: after a restore one logs in again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, LargeBinary, Table

from ephyrus.service.accounts import tables as accounts
from ephyrus.service.arrays.pieces import keys_of, with_keys
from ephyrus.service.db.base import METADATA
from ephyrus.service.db.schema import ARRAYS, CHANGE, DISCARDED, META, TABLES

__all__ = [
    "END",
    "FORMAT",
    "HEAD_NAME",
    "as_json",
    "from_json",
    "kept_tables",
    "keys_of_row",
    "postponed",
    "row_with_keys",
]

FORMAT = 1
HEAD_NAME = "ephyrus-backup.json"
END = "end.json"
LEFT_OUT = {
    accounts.SESSION.name,
    accounts.LOGIN_ATTEMPT.name,
    accounts.OIDC_LOGIN.name,
    META.name,
    CHANGE.name,
    DISCARDED.name,
}


def kept_tables() -> list[Table]:
    """Give the tables that are kept, each after those that it refers to."""
    return [table for table in METADATA.sorted_tables if table.name not in LEFT_OUT]


def postponed(table: Table) -> list[str]:
    """Name the columns that refer to rows which may come later: they are filled in at the end."""
    later = [each.name for each in kept_tables()]
    place = later.index(table.name)
    return [
        column.name
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table.name in later[place:]
    ]


def as_json(value: Any) -> Any:
    """Give a value of a column in the types of JSON."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    return value


def from_json(column: Column[Any], value: Any) -> Any:
    """Give back what `as_json` was given."""
    if value is None:
        return None
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat(value)
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(value)
    return value


def keys_of_row(table: Table, row: dict[str, Any]) -> Iterator[str]:
    """Give the keys of the array store in a row."""
    if table is ARRAYS:
        location = row["location"]
        location = json.loads(location) if isinstance(location, str) else location
        yield from keys_of(location)
        if row["levels_key"]:
            yield row["levels_key"]
    elif table is TABLES["datafile"] and row["store_key"]:
        yield row["store_key"]


def row_with_keys(table: Table, row: dict[str, Any], new: dict[str, str]) -> dict[str, Any]:
    """Give a row with the keys that its files have in another store; lost ones keep theirs."""
    if table is ARRAYS:
        location = with_keys(row["location"], new)
        levels = row["levels_key"]
        return {**row, "location": location, "levels_key": new.get(levels, levels)}
    if table is TABLES["datafile"] and row["store_key"]:
        return {**row, "store_key": new.get(row["store_key"], row["store_key"])}
    return row
