"""Keeps the catalog in step with the files that are served.

One pass of `Registrar.sync` opens what is new, opens again what changed, and forgets what is gone
or not served any more. Recordings that did not change keep their objects, with their ids, from one
start to the next.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ephyrus.errors import Cancelled, EphyrusError
from ephyrus.recording import Progress
from ephyrus.service.catalog.bulk import insert_tree
from ephyrus.service.catalog.recordings import remove_recording, replace_recording
from ephyrus.service.errors import ServiceError
from ephyrus.service.inplace.catalog import (
    Entry,
    add_entry,
    all_entries,
    change_entry,
    level_keys,
    remove_entry,
)
from ephyrus.service.inplace.discover import Found, Scan, Scanner, is_inside
from ephyrus.service.inplace.files import State, files_of, is_unchanged, opened, state_of
from ephyrus.service.inplace.mapping import rows_of
from ephyrus.service.inplace.pool import Recipe, RecordingPool

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.store import ArrayStore

__all__ = ["Event", "Registrar"]

SETTLED_NS = 1_500_000_000  # a file that changes all the time is read again when it rests so long
NOTHING = State(0, 0)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """What was done with a recording.

    Attributes
    ----------
    kind : {"found", "ready", "failed", "gone", "listed"}
        What it is now. "found": recordings are about to be opened; "listed": all of them have been,
        for the first time.
    name : str
        Its path below the folder that is served.
    message : str
        Why it failed.
    objects : int
        How many objects it has (found, listed: how many recordings there are).
    again : bool
        It was known before, and changed.
    """

    kind: Literal["found", "ready", "failed", "gone", "listed"]
    name: str
    message: str = ""
    objects: int = 0
    again: bool = False


class Registrar:
    """Registers recordings.

    Parameters
    ----------
    database : Database
        The catalog.
    scanner : Scanner
        What is served.
    owner_id : int
        Who owns the objects.
    store : ArrayStore
        Holds the levels of arrays, which go with their recording.
    pool : RecordingPool, optional
        Recordings that are open in this process.
    tell : callable, optional
        Is told of each `Event`.
    progress : Progress, optional
        Is told of long walks through files; may cancel them.
    """

    def __init__(
        self,
        database: Database,
        scanner: Scanner,
        owner_id: int,
        store: ArrayStore,
        *,
        pool: RecordingPool | None = None,
        tell: Callable[[Event], None] = lambda event: None,
        progress: Progress | None = None,
    ) -> None:
        self.database = database
        self.scanner = scanner
        self.owner_id = owner_id
        self.store = store
        self.pool = pool
        self.tell = tell
        self.progress = progress
        self._problems: set[tuple[str, str]] = set()
        self._entries: dict[str, Entry] | None = None

    def sync(self) -> bool:
        """Make one pass; tells whether any recording was opened.

        Raises
        ------
        ServiceError
            If the database does not answer.
        Cancelled
            If the progress says so.
        """
        is_first = self._entries is None
        scan = self.scanner.scan()
        self._tell_problems(scan.problems)
        try:
            known = self._known()
            todo = self._compared(scan, known)
            for found in todo:
                self._register(found, known)
        except BaseException:
            self._entries = None  # what was written is not certain: it is looked at again
            raise
        if is_first:
            self._tell_first(known, {found.path for found in todo})
        return bool(todo)

    def _compared(self, scan: Scan, known: dict[str, Entry]) -> list[Found]:
        """Forget what is gone, note what is new, and give what is to be opened."""
        for path in [each for each in known if scan.is_gone(each)]:
            self._forget(known.pop(path))
        new = [found for path, found in scan.found.items() if path not in known]
        self._announce(new, known)
        todo = [
            found for path, found in scan.found.items() if self._is_to_be_read(found, known[path])
        ]
        if todo:
            self.tell(Event("found", "", objects=len(todo)))
        return todo

    def _tell_first(self, known: dict[str, Entry], done: set[str]) -> None:
        """Say what was left out at an earlier start already, and that the first pass has ended."""
        for path, entry in known.items():
            if entry.status == "failed" and path not in done:
                self.tell(Event("failed", _name(entry), entry.message))
        count = sum(entry.status == "ready" for entry in known.values())
        self.tell(Event("listed", "", objects=count))

    def _tell_problems(self, problems: list[tuple[str, str]]) -> None:
        """Say what could not be looked at, once."""
        for path, message in problems:
            if (path, message) not in self._problems:
                self.tell(Event("failed", path, message))
        self._problems = set(problems)

    def _known(self) -> dict[str, Entry]:
        """Give what the catalog has (read once: nobody else writes it)."""
        if self._entries is None:
            with self.database.reading() as connection:
                self._entries = all_entries(connection)
        return self._entries

    def _is_to_be_read(self, found: Found, entry: Entry) -> bool:
        """Tell whether a recording changed, and rests."""
        recipe = entry.recipe
        if entry.status == "waiting" or recipe.options != self.scanner.options:
            return True
        if entry.status == "ready" and recipe.format != found.format:
            return True
        if is_unchanged(recipe.files, recipe.state):
            return False
        try:
            latest = state_of([found.path]).modified_ns
        except OSError:
            return True  # what is wrong will be told
        return abs(time.time_ns() - latest) > SETTLED_NS

    def _announce(self, new: list[Found], known: dict[str, Entry]) -> None:
        """Note new recordings, so that one can see how many wait to be opened."""
        if not new:
            return
        with self.database.writing() as connection:
            for found in new:
                number = add_entry(connection, found.path, found.root)
                recipe = Recipe(number, found.path, found.format, {}, (), NOTHING)
                known[found.path] = Entry(recipe, found.root, "waiting")

    def _register(self, found: Found, known: dict[str, Entry]) -> None:
        """Open a recording and put its objects into the catalog, or note why that fails."""
        before = known[found.path]
        try:
            entry, objects = self._opened(found, before)
        except Cancelled:
            raise
        except ServiceError:
            raise  # of the database, not of the recording
        except Exception as error:
            if not isinstance(error, EphyrusError | OSError | ValueError | MemoryError):
                log.exception("a fault while %s was read", found.path)
            self._failed(found, known, error)
            return
        known[found.path] = entry
        if self.pool is not None:
            self.pool.forget(entry.recipe.id)
        again = before.status == "ready"
        self.tell(Event("ready", found.name, objects=objects, again=again))

    def _opened(self, found: Found, before: Entry) -> tuple[Entry, int]:
        """Open a recording and write its objects."""
        if not found.format:
            raise ValueError("none of the formats recognises it (`ephyrus formats` lists them)")
        options = self.scanner.options
        recording, files = opened(found.path, found.format, options, progress=self.progress)
        with recording:
            paths = files_of(files, recording.format)
            self._check_inside(found, paths)
            state = state_of(paths)
            number = before.recipe.id
            recipe = Recipe(number, found.path, found.format, options, tuple(paths), state)
            entry = Entry(recipe, found.root, "ready")
            rows = list(
                rows_of(recording, recording_id=number, name=found.name, version=state.modified_ns)
            )
        with self.database.writing() as connection:
            levels = level_keys(connection, number)
            if before.status == "ready":
                ids = replace_recording(connection, self.owner_id, number, rows)
            else:
                ids = insert_tree(connection, self.owner_id, rows, recording_id=number)
            blocks = [ids[row.key] for row in rows if row.type == "block"]
            change_entry(connection, entry, blocks)
        self._delete(levels)
        return entry, len(rows)

    def _check_inside(self, found: Found, paths: list[str]) -> None:
        """Refuse a recording whose files are links that lead out of the folder."""
        folders = {found.root}
        if found.path in {str(path) for path in self.scanner.paths}:
            folders.add(os.path.dirname(os.path.realpath(found.path)))  # noqa: PTH120
        for path in paths:
            if not any(is_inside(path, folder) for folder in folders):
                raise ValueError(f"{os.path.basename(path)} is a link out of the folder")  # noqa: PTH119

    def _failed(self, found: Found, known: dict[str, Entry], error: BaseException) -> None:
        """Note that a recording cannot be read."""
        before = known[found.path]
        message = str(error) or type(error).__name__
        try:
            state = state_of([found.path])
        except OSError:
            state = NOTHING
        recipe = replace(
            before.recipe,
            format=found.format,
            options=self.scanner.options,
            files=(found.path,),
            state=state,
        )
        known[found.path] = entry = Entry(recipe, found.root, "failed", message)
        with self.database.writing() as connection:
            levels = level_keys(connection, recipe.id)
            if before.status == "ready":
                remove_recording(connection, recipe.id)
            change_entry(connection, entry)
        self._delete(levels)
        if self.pool is not None:
            self.pool.forget(recipe.id)
        log.debug("%s", found.path, exc_info=error)
        self.tell(Event("failed", found.name, message))

    def _forget(self, entry: Entry) -> None:
        """Take a recording out of the catalog that is not there any more."""
        with self.database.writing() as connection:
            levels = level_keys(connection, entry.recipe.id)
            remove_recording(connection, entry.recipe.id)
            remove_entry(connection, entry.recipe.id)
        self._delete(levels)
        if self.pool is not None:
            self.pool.forget(entry.recipe.id)
        self.tell(Event("gone", _name(entry)))

    def _delete(self, keys: list[str]) -> None:
        for key in keys:
            self.store.delete(key)


def _name(entry: Entry) -> str:
    return Found(entry.recipe.path, entry.root, entry.recipe.format).name
