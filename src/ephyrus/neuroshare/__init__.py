"""Neuroshare: recordings as files of entities, read by vendors' libraries or by our own readers.

>>> from ephyrus import neuroshare
>>> with neuroshare.File("recording.fake") as file:
...     for entity in file.list_entities(0, 2):
...         print(entity.label, entity.entity_type, entity.item_count)
ch0 2 500000
ch1 2 500000

Names and arguments are those of the package of G-Node, so that programs written for that one run
with ``from ephyrus import neuroshare``.
"""

from ephyrus._version import __version__
from ephyrus.dll.constants import EntityType, EventType, LibraryFlags
from ephyrus.errors import (
    ArgumentError,
    DLLException,
    DLLNotFound,
    DLLTypeUnknown,
    DLLUnusable,
    LibraryCrashed,
    LibraryHung,
    NeuroshareError,
)
from ephyrus.neuroshare.entities import (
    AnalogEntity,
    Entity,
    EntityTime,
    EventEntity,
    NeuralEntity,
    SegmentEntity,
    SegmentSource,
)
from ephyrus.neuroshare.file import File
from ephyrus.neuroshare.library import (
    Library,
    find_library_for_file,
    load_library_for_file,
)
from ephyrus.neuroshare.recordinglibrary import RecordingLibrary

error = NeuroshareError
"""What libraries' failures are called in the package of G-Node."""

__all__ = [
    "AnalogEntity",
    "ArgumentError",
    "DLLException",
    "DLLNotFound",
    "DLLTypeUnknown",
    "DLLUnusable",
    "Entity",
    "EntityTime",
    "EntityType",
    "EventEntity",
    "EventType",
    "File",
    "Library",
    "LibraryCrashed",
    "LibraryFlags",
    "LibraryHung",
    "NeuralEntity",
    "NeuroshareError",
    "RecordingLibrary",
    "SegmentEntity",
    "SegmentSource",
    "__version__",
    "error",
    "find_library_for_file",
    "load_library_for_file",
]
