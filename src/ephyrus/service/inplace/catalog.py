"""Table ``recording``: which recordings are served, and how they are opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ephyrus.service.db.engine import Database
from ephyrus.service.db.schema import ARRAYS, RECORDINGS
from ephyrus.service.inplace.files import State
from ephyrus.service.inplace.pool import Recipe, RecordingPool

__all__ = [
    "Entry",
    "add_entry",
    "all_entries",
    "change_entry",
    "level_keys",
    "recipes",
    "recordings",
    "remove_entry",
    "summary",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of table ``recording``.

    Attributes
    ----------
    recipe : Recipe
        How it is opened.
    root : str
        The folder that is served.
    status : {"waiting", "ready", "failed"}
        Whether its objects are there.
    message : str
        Why it failed.
    """

    recipe: Recipe
    root: str
    status: str
    message: str = ""


def recipes(database: Database) -> Callable[[int], Recipe | None]:
    """Give the function that looks up recipes of recordings that are served."""

    def recipe_of(recording_id: int) -> Recipe | None:
        with database.reading() as connection:
            row = connection.execute(
                select(RECORDINGS).where(RECORDINGS.c.id == recording_id)
            ).one_or_none()
        return None if row is None or row.state != "ready" else _entry(row).recipe

    return recipe_of


def recordings(database: Database) -> RecordingPool:
    """Make the pool of open recordings of a process."""
    return RecordingPool(recipes(database))


def all_entries(connection: Connection) -> dict[str, Entry]:
    """Give all recordings by path."""
    rows = connection.execute(select(RECORDINGS).order_by(RECORDINGS.c.id))
    return {row.path: _entry(row) for row in rows}


def add_entry(connection: Connection, path: str, root: str) -> int:
    """Note a recording that is to be opened; gives its id."""
    statement = insert(RECORDINGS).values(path=path, root=root, state="waiting", message="")
    key = connection.execute(statement).inserted_primary_key
    assert key is not None  # noqa: S101 - an insert of one row has one
    return int(key[0])


def change_entry(connection: Connection, entry: Entry, block_ids: Iterable[int] = ()) -> None:
    """Write what is known of a recording now."""
    recipe = entry.recipe
    connection.execute(
        update(RECORDINGS)
        .where(RECORDINGS.c.id == recipe.id)
        .values(
            format=recipe.format,
            options=dict(recipe.options),
            size=recipe.state.size,
            modified_ns=recipe.state.modified_ns,
            state=entry.status,
            message=entry.message,
            root=entry.root,
            block_ids=list(block_ids),
            files=list(recipe.files),
        )
    )


def remove_entry(connection: Connection, recording_id: int) -> None:
    """Forget a recording; its objects must be gone."""
    connection.execute(delete(RECORDINGS).where(RECORDINGS.c.id == recording_id))


def level_keys(connection: Connection, recording_id: int) -> list[str]:
    """Give the keys of the files with levels of a recording's arrays."""
    statement = select(ARRAYS.c.levels_key).where(
        ARRAYS.c.recording_id == recording_id, ARRAYS.c.levels_key.is_not(None)
    )
    return list(connection.execute(statement).scalars())


def summary(connection: Connection) -> Mapping[str, Any]:
    """Tell how many recordings there are in which state, and what is wrong with those that failed.

    Returns
    -------
    mapping
        ``ready``, ``waiting``, ``failed``: counts; ``failures``: list of (path, message), at most
        100.
    """
    rows = connection.execute(
        select(RECORDINGS.c.path, RECORDINGS.c.state, RECORDINGS.c.message).order_by(
            RECORDINGS.c.id
        )
    ).all()
    counts = dict.fromkeys(("ready", "waiting", "failed"), 0)
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    failures = [(row.path, row.message) for row in rows if row.state == "failed"]
    return {**counts, "failures": failures[:100]}


def _entry(row: Row[Any]) -> Entry:
    recipe = Recipe(
        row.id,
        row.path,
        row.format or "",
        row.options or {},
        tuple(row.files or ()),
        State(row.size or 0, row.modified_ns or 0),
    )
    return Entry(recipe, row.root or "", row.state, row.message or "")
