"""What work on files needs in a process: settings, catalog, store, child processes, scratch."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from ephyrus.service.db.engine import Database
from ephyrus.service.files.nursery import ChildLimits, Nursery
from ephyrus.service.files.scratch import Scratch
from ephyrus.service.files.store import ArrayStore, open_store
from ephyrus.service.settings import Settings

__all__ = ["Workshop", "open_workshop", "workshop_of"]

BYTES_PER_SECOND = 20e6  # what a slow machine unpacks; the time for looking grows with the file

_nurseries: dict[int, Nursery] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Workshop:
    """What work on files needs.

    Attributes
    ----------
    settings : Settings
        Limits.
    database : Database
        The catalog.
    store : ArrayStore
        Where files lie.
    nursery : Nursery
        Makes the processes that open files.
    scratch : Scratch
        Makes folders for files that are being worked on.
    stopping : Event
        Set when work that goes on is to be given up, since the process stops.
    """

    settings: Settings
    database: Database
    store: ArrayStore
    nursery: Nursery
    scratch: Scratch
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def room(self) -> dict[str, int]:
        """What children are told of the room that content may need, unpacked."""
        return {"most": self.settings.max_array_bytes, "ratio": self.settings.max_unpack_ratio}

    def look_limits(self, size: int) -> ChildLimits:
        """Give what looking at a file of `size` bytes may use."""
        settings = self.settings
        return ChildLimits(
            settings.child_memory_bytes,
            settings.child_seconds + size / BYTES_PER_SECOND,
            settings.max_array_bytes + 2**20,
        )

    def export_limits(self, size: int) -> ChildLimits:
        """Give what writing a file of `size` bytes in another form for a request may use."""
        settings = self.settings
        return ChildLimits(
            settings.convert_memory_bytes,
            settings.child_seconds + size / BYTES_PER_SECOND,
            settings.max_array_bytes + 2**20,
        )

    def convert_limits(self) -> ChildLimits:
        """Give what converting a file may use."""
        settings = self.settings
        return ChildLimits(
            settings.convert_memory_bytes,
            settings.convert_seconds,
            max(settings.max_array_bytes, settings.archive_max_bytes) + 2**20,
            niceness=10,
        )


def _nursery(most: int) -> Nursery:
    """Give the nursery of this process: all that is served from it shares one."""
    with _lock:
        return _nurseries.setdefault(most, Nursery(most))


def open_workshop(
    settings: Settings, *, database: Database | None = None, store: ArrayStore | None = None
) -> Workshop:
    """Make a workshop.

    Parameters
    ----------
    settings : Settings
        The settings of the service.
    database, store : optional
        Those that are open already.
    """
    return Workshop(
        settings,
        Database(settings) if database is None else database,
        open_store(settings) if store is None else store,
        _nursery(settings.child_processes),
        Scratch(settings.data_folder / "scratch"),
    )


def workshop_of(service: Any) -> Workshop:
    """Give the workshop of a process that serves requests (a `Service` of the routes)."""
    workshop: Workshop = service.part(
        "workshop",
        lambda each: open_workshop(each.settings, database=each.database, store=each.store),
    )
    return workshop
