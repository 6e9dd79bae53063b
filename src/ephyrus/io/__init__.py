"""One class per format, derived from the format's declaration, and functions that find them.

``ephyrus.io.AxonIO`` and the like are made when they are first asked for; each costs the import of
its own format only. `iolist` holds all classes, `io_by_extension` maps name endings to them.
"""

from __future__ import annotations

from typing import Any

from ephyrus.io.basefromrawio import BaseFromRaw as BaseFromRaw
from ephyrus.io.baseio import BaseIO as BaseIO
from ephyrus.io.candidates import get_io as get_io
from ephyrus.io.candidates import list_candidate_ios as list_candidate_ios
from ephyrus.io.candidates import read as read
from ephyrus.io.derive import io_class
from ephyrus.registry import all_formats, format_names

_FUNCTIONS = ("BaseFromRaw", "BaseIO", "get_io", "list_candidate_ios", "read")


def __getattr__(name: str) -> Any:
    """Make IO classes and the lists of them when they are asked for."""
    if name.endswith("IO") and name[:-2].lower() in format_names():
        found = io_class(name[:-2].lower())
        if found.__name__ == name:
            return found
    if name == "iolist":
        return [io_class(format_name) for format_name in format_names()]
    if name == "io_by_extension":
        from ephyrus.io.candidates import io_by_extension

        return io_by_extension()
    if name == "__all__":
        classes = [declared.io_class for declared in all_formats()]
        return sorted([*_FUNCTIONS, "io_by_extension", "iolist", *classes])
    raise AttributeError(f"module 'ephyrus.io' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__getattr__("__all__"))
