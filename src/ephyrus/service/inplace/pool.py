"""The recordings that are open: a few at a time, opened again from what the catalog keeps."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ephyrus.errors import EphyrusError
from ephyrus.recording import Recording
from ephyrus.service.arrays.recorded import Channels, RecordedArray, recorded_array
from ephyrus.service.errors import ServiceError
from ephyrus.service.inplace.files import State, is_unchanged, opened

__all__ = ["Recipe", "RecordingPool"]

MOST_OPEN = 16
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
class _Held:
    """An open recording and the arrays of it that were asked for."""

    recipe: Recipe
    recording: Recording
    arrays: dict[Key, RecordedArray] = field(default_factory=dict)
    looked: float = 0.0


class RecordingPool:
    """Opens recordings when an array of them is read, and keeps those used last.

    Parameters
    ----------
    recipe_of : callable
        ``recipe_of(recording id)`` gives the recipe, or None where there is no such recording.
    most : int
        How many recordings are kept open.

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
        held = self._known(int(location["recording"]), location.get("version", 0))
        key = _key(location)
        found = held.arrays.get(key)
        if found is None:
            inner = recorded_array(held.recording, location)
            found = held.arrays[key] = replace(inner, _read=_Checked(self, held, inner))
        return found

    def forget(self, recording_id: int) -> None:
        """Let go of a recording; reads under way end in peace."""
        with self._lock:
            self._held.pop(recording_id, None)

    def close(self) -> None:
        """Let go of all recordings."""
        with self._lock:
            self._held.clear()

    def changed(self, held: _Held) -> ServiceError:
        """Let go of a recording whose files changed, and give the error that says so."""
        self.forget(held.recipe.id)
        log.warning("%s changed while it was served", held.recipe.path)
        if self.on_change is not None:
            self.on_change(held.recipe.id)
        return ServiceError(
            "unavailable",
            f"the recording {_name(held.recipe)} changed on disk since it was listed; it is being "
            "read again: ask for the list of objects in a few seconds",
            details={"recording": held.recipe.id},
            headers=RETRY,
        )

    def _known(self, recording_id: int, version: int) -> _Held:
        with self._lock:
            held = self._held.get(recording_id)
            if held is not None and version in (0, held.recipe.state.modified_ns):
                self._held.move_to_end(recording_id)
                return held
            lock = self._opening.setdefault(recording_id, threading.Lock())
        with lock:
            with self._lock:
                held = self._held.get(recording_id)
            if held is None or version not in (0, held.recipe.state.modified_ns):
                held = self._open(recording_id)
                self._keep(held)
        return held

    def _keep(self, held: _Held) -> None:
        with self._lock:
            self._held[held.recipe.id] = held
            self._opening.pop(held.recipe.id, None)
            while len(self._held) > self._most:
                self._held.popitem(last=False)  # closed when the last read of it has ended

    def _open(self, recording_id: int) -> _Held:
        recipe = self._recipe_of(recording_id)
        if recipe is None:
            raise ServiceError(
                "does_not_exist",
                "the recording of this array is not served any more",
                details={"recording": recording_id},
            )
        try:
            recording, _ = opened(recipe.path, recipe.format, recipe.options)
        except (EphyrusError, OSError, ValueError, MemoryError) as error:
            raise _unreadable(recipe, error) from error
        held = _Held(recipe, recording)
        if not is_unchanged(recipe.files, recipe.state):
            raise self.changed(held)
        return held


class _Checked:
    """Reads an array, and then looks whether the files are still those that were registered."""

    def __init__(self, pool: RecordingPool, held: _Held, array: RecordedArray) -> None:
        self._pool, self._held, self._read = pool, held, array._read

    def __call__(self, start: int, stop: int, channels: Channels, scale: bool) -> Any:
        held = self._held
        try:
            values = self._read(start, stop, channels, scale)
        except ServiceError:
            raise
        except (EphyrusError, OSError, ValueError) as error:
            if not is_unchanged(held.recipe.files, held.recipe.state):
                raise self._pool.changed(held) from error
            raise _unreadable(held.recipe, error) from error
        if self._is_stale():
            raise self._pool.changed(held)
        return values

    def _is_stale(self) -> bool:
        held = self._held
        if len(held.recipe.files) > WATCHED_ALWAYS:
            now = time.monotonic()
            if now - held.looked < PATIENCE:
                return False
            held.looked = now
        return not is_unchanged(held.recipe.files, held.recipe.state)


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
