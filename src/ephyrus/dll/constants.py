"""Numbers of the Neuroshare C interface, revision 1.3."""

from __future__ import annotations

from enum import IntEnum, IntFlag

__all__ = ["EntityType", "EventType", "LibraryFlags", "Result", "Search"]


class Result(IntEnum):
    """What a call answers."""

    OK = 0
    LIBERROR = -1  # general failure
    TYPEERROR = -2  # not a file of this library
    FILEERROR = -3  # access or reading failed
    BADFILE = -4  # handle
    BADENTITY = -5  # number out of range, or an entity of another type
    BADSOURCE = -6
    BADINDEX = -7  # item number or range


class EntityType(IntEnum):
    """Kinds of entities."""

    Unknown = 0
    Unkown = 0  # as it was spelled once
    Event = 1
    Analog = 2
    Segment = 3
    Neural = 4


class EventType(IntEnum):
    """What the items of an event entity are."""

    TEXT = 0
    CSV = 1
    BYTE = 2
    WORD = 3
    DWORD = 4


class Search(IntEnum):
    """Which item is meant by a time."""

    BEFORE = -1  # the last at or before it
    CLOSEST = 0
    AFTER = 1  # the first at or after it


class LibraryFlags(IntFlag):
    """What a library says of itself."""

    DEBUG = 0x01
    MODIFIED = 0x02
    PRERELEASE = 0x04
    SPECIAL = 0x08
    MULTITHREADED = 0x10  # calls may come from several threads at once
