"""Recordings on a data service (:mod:`ephyrus.service`), read over HTTP.

The address of a block, ``http://host:8420/electrophysiology/block/3``, opens that block; the
address of the service alone opens all blocks that the user may see. Opening fetches what describes
the objects, and no numbers; what is read is fetched, window by window, and kept in a cache on the
disk. The token is that of ``token=`` or of the variable ``EPHYRUS_TOKEN``; without one, public
blocks are seen.

Signals, irregular signals, spike trains with waveforms, events and epochs are read, single spikes
as trains; metadata are annotations, units are groups of spike trains. Needs the extra ``client``.

Not read: the channels of a signal as signals of their own. Source: the interface of the data
service, in its own words at ``/docs``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ephyrus.errors import WrongFormatError
from ephyrus.recording import (
    FileSet,
    Format,
    Opening,
    Option,
    Reading,
    blocks,
)

if TYPE_CHECKING:
    from ephyrus.client import Client
    from ephyrus.core import Block

ADDRESS = re.compile(
    r"(?P<service>https?://[^/?#]+(?:(?:/[^/?#]+)*(?=/electrophysiology/block/))?)"
    r"(?P<permalink>/electrophysiology/block/\w+)?/?",
    re.ASCII,
)

FORMAT = Format(
    name="service",
    label="Data service",
    io_class="ServiceIO",
    extensions=(),
    mode="database",
    holds=(
        "Block",
        "Segment",
        "Group",
        "AnalogSignal",
        "IrregularlySampledSignal",
        "SpikeTrain",
        "Event",
        "Epoch",
    ),
    options=(Option("token", "", "Bearer token; default: the variable EPHYRUS_TOKEN.", "text"),),
    signal_group_modes=("as-stored",),
    extras=(("httpx2", "client"),),
)


@dataclass(frozen=True, slots=True)
class Header:
    """Where the blocks are.

    Attributes
    ----------
    client : Client
        The service.
    permalinks : tuple of str
        Of the blocks.
    """

    client: Client
    permalinks: tuple[str, ...]


def sniff(files: FileSet, head: bytes) -> float:
    """Tell the address of a service or of a block on one."""
    return 1.0 if ADDRESS.fullmatch(files.address) else 0.0


def parse_header(opening: Opening) -> Header:
    """Find the blocks."""
    from ephyrus.client import Client

    address = opening.files.address
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise WrongFormatError(
            address,
            "this is neither the address of a service (http://host:port) nor of a block on one "
            "(http://host:port/electrophysiology/block/3)",
        )
    client = Client(match["service"], token=opening.options["token"])
    if match["permalink"]:
        return Header(client, (match["permalink"],))
    found = tuple(each.permalink for each in client.iterate("block", q="link", order_by="id"))
    if not found:
        raise WrongFormatError(
            address, "there are no blocks that may be seen; a token (token=...) may show more"
        )
    return Header(client, found)


def index(opening: Opening, header: Header) -> blocks.TreeIndex:
    """Make the lazy objects and sort them into streams."""
    return blocks.index_blocks(_blocks(header, lazy=True))


def _blocks(header: Header, *, lazy: bool) -> list[Block]:
    return [header.client.block(each, lazy=lazy) for each in header.permalinks]


# what is in the objects is read as from any tree of objects
describe = blocks.describe
read_signal = blocks.read_signal
read_table = blocks.read_table


def read_blocks(reading: Reading[Header, blocks.TreeIndex], *, lazy: bool = False) -> list[Block]:
    """Give the objects."""
    return _blocks(reading.header, lazy=lazy)
