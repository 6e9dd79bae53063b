"""Recordings in a service where they lie: objects without a copy of the data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ephyrus.recording import Progress
from ephyrus.service.catalog.bulk import insert_tree
from ephyrus.service.catalog.recordings import remove_recording, replace_recording
from ephyrus.service.inplace.catalog import (
    Entry,
    add_entry,
    all_entries,
    change_entry,
    level_keys,
    remove_entry,
)
from ephyrus.service.inplace.files import files_of, opened, state_of
from ephyrus.service.inplace.mapping import rows_of
from ephyrus.service.inplace.pool import Recipe
from ephyrus.service.upkeep.importing import Imported

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.store import ArrayStore

__all__ = ["link_recording", "unlink_recording"]


def link_recording(
    database: Database,
    store: ArrayStore,
    path: str,
    format: str,
    options: Mapping[str, Any],
    *,
    owner_id: int,
    name: str,
    safety_level: int = 3,
    progress: Progress | None = None,
) -> Imported:
    """Register a recording where it lies; one that is registered already is read again.

    Parameters
    ----------
    database : Database
        The catalog.
    store : ArrayStore
        Holds levels of arrays, which are made anew.
    path : str
        Its main file or folder; every process that answers must find it there.
    format : str
        Name of the format.
    options : mapping
        Options of the format, in the types of JSON.
    owner_id : int
        Whose it is.
    name : str
        What it is called.
    safety_level : int
        Who may read it: 1 everybody, 2 friends, 3 nobody else.
    progress : Progress, optional
        Told of a long walk through the file.

    Raises
    ------
    FormatError, OSError
        If it cannot be read.
    """
    place = os.path.abspath(path)  # noqa: PTH100 - a link stays a link
    root = str(Path(place).parent)
    recording, files = opened(place, format, options, progress=progress)
    with recording, database.writing() as connection:
        before = all_entries(connection).get(place)
        number = before.recipe.id if before else add_entry(connection, place, root)
        paths = tuple(files_of(files, recording.format))
        state = state_of(paths)
        made = rows_of(recording, recording_id=number, name=name, version=state.modified_ns)
        rows = [replace(row, safety_level=safety_level) for row in made]
        levels = level_keys(connection, number)
        if before is not None and before.status == "ready":
            ids = replace_recording(connection, owner_id, number, rows)
        else:
            ids = insert_tree(connection, owner_id, rows, recording_id=number, user_id=owner_id)
        blocks = tuple(ids[row.key] for row in rows if row.type == "block")
        recipe = Recipe(number, place, recording.format.name, dict(options), paths, state)
        change_entry(connection, Entry(recipe, root, "ready"), blocks)
    for key in levels:
        store.delete(key)
    return Imported(blocks, len(rows), 0)


def unlink_recording(database: Database, store: ArrayStore, path: str) -> bool:
    """Take a recording out of the catalog; its files stay. Tells whether it was there."""
    with database.writing() as connection:
        entry = all_entries(connection).get(os.path.abspath(path))  # noqa: PTH100
        if entry is None:
            return False
        levels = level_keys(connection, entry.recipe.id)
        remove_recording(connection, entry.recipe.id)
        remove_entry(connection, entry.recipe.id)
    for key in levels:
        store.delete(key)
    return True
