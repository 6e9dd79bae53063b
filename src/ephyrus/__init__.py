"""Open any electrophysiology recording, and work with it in physical units.

>>> import ephyrus
>>> recording = ephyrus.open("made-up.fake")  # streams: read any part of them
>>> recording.read_scaled("stream 0", 0, 1000).shape
(1000, 8)
>>> block = ephyrus.read("made-up.fake")[0]  # objects: Block, Segment, AnalogSignal, ...
>>> block.segments[0].analogsignals[0].sampling_rate
array(10000.) * Hz

Everything is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ephyrus._version import __version__

if TYPE_CHECKING:
    from ephyrus._logging import logging_handler
    from ephyrus.core import (
        AnalogSignal,
        Block,
        ChannelView,
        CircularRegionOfInterest,
        Epoch,
        Event,
        Group,
        ImageSequence,
        IrregularlySampledSignal,
        PolygonRegionOfInterest,
        RectangularRegionOfInterest,
        Segment,
        SpikeTrain,
        class_by_name,
        filters,
        objectlist,
        objectnames,
    )
    from ephyrus.errors import (
        Cancelled,
        CorruptError,
        EphyrusError,
        FormatError,
        LimitError,
        MergeError,
        MissingExtraError,
        NeoReadWriteError,
        TruncatedError,
        UnsupportedVersionError,
        WrongFormatError,
    )
    from ephyrus.io import BaseIO, get_io, list_candidate_ios, read
    from ephyrus.recording import FileSet, Limits, Recording
    from ephyrus.registry import identify
    from ephyrus.registry import open_recording as open

_CORE = (
    "AnalogSignal",
    "Block",
    "ChannelView",
    "CircularRegionOfInterest",
    "Epoch",
    "Event",
    "Group",
    "ImageSequence",
    "IrregularlySampledSignal",
    "PolygonRegionOfInterest",
    "RectangularRegionOfInterest",
    "Segment",
    "SpikeTrain",
    "class_by_name",
    "filters",
    "objectlist",
    "objectnames",
)
_ERRORS = (
    "Cancelled",
    "CorruptError",
    "EphyrusError",
    "FormatError",
    "LimitError",
    "MergeError",
    "MissingExtraError",
    "NeoReadWriteError",
    "TruncatedError",
    "UnsupportedVersionError",
    "WrongFormatError",
)
_LAZY = {
    **dict.fromkeys(_CORE, "ephyrus.core"),
    **dict.fromkeys(_ERRORS, "ephyrus.errors"),
    **dict.fromkeys(("BaseIO", "get_io", "list_candidate_ios", "read"), "ephyrus.io"),
    **dict.fromkeys(("FileSet", "Limits", "Recording"), "ephyrus.recording"),
    "identify": "ephyrus.registry",
    "logging_handler": "ephyrus._logging",
    "open": "ephyrus.registry",
}
_RENAMED = {"open": "open_recording"}

__all__ = [
    "AnalogSignal",
    "BaseIO",
    "Block",
    "Cancelled",
    "ChannelView",
    "CircularRegionOfInterest",
    "CorruptError",
    "EphyrusError",
    "Epoch",
    "Event",
    "FileSet",
    "FormatError",
    "Group",
    "ImageSequence",
    "IrregularlySampledSignal",
    "LimitError",
    "Limits",
    "MergeError",
    "MissingExtraError",
    "NeoReadWriteError",
    "PolygonRegionOfInterest",
    "Recording",
    "RectangularRegionOfInterest",
    "Segment",
    "SpikeTrain",
    "TruncatedError",
    "UnsupportedVersionError",
    "WrongFormatError",
    "__version__",
    "class_by_name",
    "filters",
    "get_io",
    "identify",
    "list_candidate_ios",
    "logging_handler",
    "objectlist",
    "objectnames",
    "open",
    "read",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used; IO classes come from :mod:`ephyrus.io`."""
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), _RENAMED.get(name, name))
    elif name.endswith("IO") or name in ("iolist", "io_by_extension"):
        value = getattr(importlib.import_module("ephyrus.io"), name)
    elif name in ("core", "export", "io", "neuroshare", "recording", "registry", "utils"):
        return importlib.import_module(f"ephyrus.{name}")
    else:
        raise AttributeError(f"module 'ephyrus' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
