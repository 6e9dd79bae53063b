"""Pickle: objects of this package, kept as Python stores them.

A ``.pkl`` or ``.pickle`` file holds one pickled object: a Block, a list of Blocks, a Segment, or a
data object. It is quick to write and complete, but not portable between versions of this package,
numpy or quantities: use it for short-term storage only.

**Unpickling is restricted.** A pickle can name any function and have it called. Only the classes of
the object model, numpy arrays and scalars, quantities, and plain containers and dates are admitted
here (:mod:`ephyrus.core.unpickling`); a file that names anything else is refused, and the error
names it.

Not read: pickles of Neo's own classes (their constructors' arguments changed between versions; read
them with Neo and convert them there), pickles of Python 2.

Source: the documentation of the standard library's ``pickle`` and ``pickletools``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ephyrus.core import Block, Segment
from ephyrus.core.dataobject import DataObject
from ephyrus.core.unpickling import DAMAGE, DamagedPickleError, RefusedPickleError, loads
from ephyrus.errors import CorruptError, UnsupportedVersionError, WrongFormatError
from ephyrus.recording import (
    ByteSource,
    FileSet,
    Format,
    Opening,
    Option,
    blocks,
)

PROTOCOL_MARK = b"\x80"
PROTOCOLS = range(2, 6)

FORMAT = Format(
    name="pickle",
    label="Python pickle",
    io_class="PickleIO",
    extensions=("pkl", "pickle"),
    holds=(
        "Block",
        "Segment",
        "Group",
        "AnalogSignal",
        "IrregularlySampledSignal",
        "SpikeTrain",
        "Event",
        "Epoch",
        "ImageSequence",
        "ChannelView",
        "RectangularRegionOfInterest",
        "CircularRegionOfInterest",
        "PolygonRegionOfInterest",
    ),
    writes=("Block", "Segment"),
    signal_group_modes=("as-stored",),
    write_options=(Option("protocol", 5, "Protocol of the pickle.", "int", choices=(4, 5)),),
)


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes tell.

    Attributes
    ----------
    protocol : int
        Protocol of the pickle.
    """

    protocol: int


def sniff(files: FileSet, head: bytes) -> float:
    """Tell a pickle of protocol 2 to 5 by its first bytes and its module names."""
    if len(head) < 2 or head[:1] != PROTOCOL_MARK or head[1] not in PROTOCOLS:
        return 0.0
    return 1.0 if b"ephyrus.core" in head or files.suffix in FORMAT.extensions else 0.3


def parse_header(opening: Opening) -> Header:
    """Check the protocol."""
    source = opening.files.main
    head = source.read_at(0, 2, field="protocol")
    if head[:1] != PROTOCOL_MARK or head[1] not in PROTOCOLS:
        raise UnsupportedVersionError(
            source.name,
            f"found {head!r}, expected a pickle of protocol {PROTOCOLS[0]} to {PROTOCOLS[-1]}",
            offset=0,
            field="protocol",
        )
    return Header(head[1])


def index(opening: Opening, header: Header) -> blocks.TreeIndex:
    """Unpickle the objects and sort them into streams."""
    source = opening.files.main
    try:
        obj = loads(source.read_at(0, source.size))
    except RefusedPickleError as error:
        raise UnsupportedVersionError(
            source.name,
            f"it names {error}, which is not part of the object model; a pickle can run any code, "
            "so only Blocks, Segments, data objects, numpy arrays and quantities are read",
        ) from error
    except DamagedPickleError as error:
        raise CorruptError(source.name, f"the pickle is cut or damaged: {error}") from error
    try:
        tree = blocks.index_blocks(_as_blocks(source, obj))
        blocks.check_sound(tree)
    except WrongFormatError:
        raise
    except DAMAGE as error:
        reason = f"the objects in it contradict themselves: {type(error).__name__}: {error}"
        raise CorruptError(source.name, reason) from error
    return tree


def _as_blocks(source: ByteSource, obj: Any) -> list[Block]:
    """Put whatever was pickled into Blocks."""
    if isinstance(obj, Block):
        return [obj]
    if isinstance(obj, list | tuple) and obj and all(isinstance(item, Block) for item in obj):
        return list(obj)
    if isinstance(obj, Segment) and obj.block is not None:
        return [obj.block]
    block = Block()
    segment = obj if isinstance(obj, Segment) else Segment()
    block.segments.append(segment)
    if isinstance(obj, DataObject):
        segment.add(obj)
    elif not isinstance(obj, Segment):
        found = type(obj).__name__
        reason = (
            f"it holds a {found}; expected a Block, a list of Blocks, a Segment or a data object"
        )
        raise WrongFormatError(source.name, reason)
    return [block]


# what is in the objects is read as from any tree of objects
describe = blocks.describe
read_signal = blocks.read_signal
read_table = blocks.read_table
read_blocks = blocks.read_blocks
