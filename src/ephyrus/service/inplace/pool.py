"""The recordings that are open: a few at a time, opened again from what the catalog keeps."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import EphyrusError
from ephyrus.recording import Recording
from ephyrus.recording.opened import most_open
from ephyrus.recording.rowsource import Counts
from ephyrus.service.arrays.recorded import Channels, RecordedArray, recorded_array
from ephyrus.service.errors import ServiceError
from ephyrus.service.inplace.files import State, is_unchanged, opened

__all__ = ["Recipe", "RecordingPool"]

MOST_OPEN = 64
WATCHED_ALWAYS = 8  # of so many files the state is looked at with every read
PATIENCE = 0.25  # seconds for which the state of more files than that is believed
RETRY = {"Retry-After": "3"}

log = logging.getLogger(__name__)

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a recording is opened again.

    Attributes
    ----------
    id : int
        Its row in table ``recording``.
    path, format : str
        The main file or folder, and the name of the format.
    options : mapping
        Options of the format.
    files : tuple of str
        Paths of all its files.
    state : State
        Their size and time when the recording was registered.
    """

    id: int
    path: str
    format: str
    options: Mapping[str, Any]
    files: tuple[str, ...]
    state: State


@dataclass(slots=True)
class _Watch:
    """The files of an open recording, and when they were last looked at."""

    recipe: Recipe
    looked: float = 0.0

    def is_stale(self) -> bool:
        """Tell whether the files are others than those that were registered."""
        if len(self.recipe.files) > WATCHED_ALWAYS:
            now = time.monotonic()
            if now - self.looked < PATIENCE:
                return False
            self.looked = now
        return not is_unchanged(self.recipe.files, self.recipe.state)


@dataclass(slots=True)
class _Held:
    """An open recording and the arrays of it that were asked for.

    Attributes
    ----------
    inner : dict
        Arrays that read from the recording.
    arrays : dict
        Arrays as they are handed out: they hold no recording open.
    """

    recipe: Recipe
    recording: Recording
    watch: _Watch
    inner: dict[Key, RecordedArray] = field(default_factory=dict)
    arrays: dict[Key, RecordedArray] = field(default_factory=dict)

    def array(self, key: Key, location: Mapping[str, Any]) -> RecordedArray:
        """Give the array at a place."""
        found = self.inner.get(key)
        if found is None:
            found = self.inner[key] = recorded_array(self.recording, location)
        return found


class RecordingPool:
    """Opens recordings when an array of them is read, and keeps those used last.

    Parameters
    ----------
    recipe_of : callable
        ``recipe_of(recording id)`` gives the recipe, or None where there is no such recording.
    most : int
        How many recordings are kept open; fewer where they have many files.

    Attributes
    ----------
    on_change : callable or None
        Called with the id of a recording whose files were found to have changed.
    """

    def __init__(self, recipe_of: Callable[[int], Recipe | None], *, most: int = MOST_OPEN) -> None:
        self._recipe_of = recipe_of
        self._most = most
        self._held: OrderedDict[int, _Held] = OrderedDict()
        self._opening: dict[int, threading.Lock] = {}
        self._lock = threading.Lock()
        self.on_change: Callable[[int], None] | None = None

    def array(self, location: Mapping[str, Any]) -> RecordedArray:
        """Give the array at a location of kind ``"recorded"``.

        Its values are checked against a change of the files with every read.

        Raises
        ------
        ServiceError
            ``does_not_exist``: the recording is not served any more. ``unavailable``: it changed,
            is gone, or cannot be read.
        """
        held, key = self.held(location), _key(location)
        found = held.arrays.get(key)
        if found is None:
            read, inner = _Checked(self, location, key), held.array(key, location)
            gather = None if inner.gather is None else read.gather
            found = held.arrays[key] = replace(inner, _read=read, gather=gather)
        return found

    def held(self, location: Mapping[str, Any]) -> _Held:
        """Give the recording of a location, opened if need be."""
        number, version = int(location["recording"]), location.get("version", 0)
        with self._lock:
            held = self._held.get(number)
            if held is not None and version in (0, held.recipe.state.modified_ns):
                self._held.move_to_end(number)
                return held
            lock = self._opening.setdefault(number, threading.Lock())
        with lock:
            held = self._opened(number)
        if version not in (0, held.recipe.state.modified_ns):
            raise self.changed(held.recipe, forget=False)
        return held

    def last_used(self) -> list[int]:
        """Give the ids of the recordings that are open, the one used last comes first."""
        with self._lock:
            return list(self._held)[::-1]

    def forget(self, recording_id: int) -> None:
        """Let go of a recording; reads under way end in peace."""
        with self._lock:
            self._held.pop(recording_id, None)

    def close(self) -> None:
        """Let go of all recordings."""
        with self._lock:
            self._held.clear()

    def changed(self, recipe: Recipe, *, forget: bool = True) -> ServiceError:
        """Let go of a recording whose files changed, and give the error that says so."""
        if forget:
            self._forget_version(recipe)
        log.info("%s changed while it was served", recipe.path)
        if self.on_change is not None:
            self.on_change(recipe.id)
        return ServiceError(
            "unavailable",
            f"the recording {_name(recipe)} changed on disk since it was listed; it is being "
            "read again: ask for the list of objects in a few seconds",
            details={"recording": recipe.id},
            headers=RETRY,
        )

    def _forget_version(self, recipe: Recipe) -> None:
        """Let go of a recording, unless a newer version of it is held."""
        with self._lock:
            held = self._held.get(recipe.id)
            if held is not None and held.recipe.state == recipe.state:
                del self._held[recipe.id]

    def _opened(self, number: int) -> _Held:
        """Give a recording as the catalog has it now; others wait who ask for the same."""
        recipe = self._recipe_of(number)
        if recipe is None:
            raise ServiceError(
                "does_not_exist",
                "the recording of this array is not served any more",
                details={"recording": number},
            )
        with self._lock:
            held = self._held.get(number)
        if held is not None and held.recipe.state == recipe.state:
            return held
        try:
            recording, _ = opened(recipe.path, recipe.format, recipe.options)
        except (EphyrusError, OSError, ValueError, MemoryError) as error:
            raise _unreadable(recipe, error) from error
        if not is_unchanged(recipe.files, recipe.state):
            raise self.changed(recipe)
        held = _Held(recipe, recording, _Watch(recipe))
        with self._lock:
            self._held[number] = held
            self._held.move_to_end(number)
            self._opening.pop(number, None)
            files = sum(each.recording.reading.files.descriptors for each in self._held.values())
            while len(self._held) > 1 and (len(self._held) > self._most or files > most_open()):
                _, oldest = self._held.popitem(last=False)  # closed when its last read has ended
                files -= oldest.recording.reading.files.descriptors
        return held


class _Checked:
    """Reads an array, and then looks whether the files are still those that were registered."""

    __slots__ = ("_key", "_location", "_pool")

    def __init__(self, pool: RecordingPool, location: Mapping[str, Any], key: Key) -> None:
        self._pool, self._location, self._key = pool, location, key

    def __call__(self, start: int, stop: int, channels: Channels, scale: bool) -> Any:
        return self._made(lambda array: array._read(start, stop, channels, scale))

    def gather(self, starts: NDArray[np.int64], counts: Counts, channels: Channels) -> Any:
        """Read stored numbers from many places, and then look once."""
        return self._made(lambda array: array.gather(starts, counts, channels))  # type: ignore[misc]

    def _made(self, read: Callable[[RecordedArray], Any]) -> Any:
        held = self._pool.held(self._location)
        recipe = held.recipe
        try:
            values = read(held.array(self._key, self._location))
        except ServiceError:
            raise
        except (EphyrusError, OSError, ValueError) as error:
            if not is_unchanged(recipe.files, recipe.state):
                raise self._pool.changed(recipe) from error
            raise _unreadable(recipe, error) from error
        if held.watch.is_stale():
            raise self._pool.changed(recipe)
        return values


def _unreadable(recipe: Recipe, error: BaseException) -> ServiceError:
    """Say that a recording cannot be read, without the path of the server."""
    reason = str(error).replace(recipe.path, _name(recipe))
    return ServiceError(
        "unavailable",
        f"the recording {_name(recipe)} cannot be read: {reason}",
        details={"recording": recipe.id},
        headers=RETRY,
    )


def _name(recipe: Recipe) -> str:
    return recipe.path.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _key(location: Mapping[str, Any]) -> Key:
    """Give a location as the key of a dictionary."""
    address = location["address"]
    chosen = address.get("channels")
    return (
        location["field"],
        address.get("table", False),
        address["stream"],
        address["run"],
        address.get("unit"),
        None if chosen is None else tuple(chosen),
    )
