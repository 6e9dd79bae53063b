"""The words of the layout: types of entities, names of sections, reserved properties."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "DATE",
    "KINDS",
    "NEO_VERSION",
    "NO_DATE",
    "NO_RATE",
    "RESERVED",
    "SUBGROUP",
    "VERSION_SECTION",
    "VERSION_TYPE",
    "Kind",
]

NEO_VERSION = "0.14.6"  # of the Neo whose layout this is
VERSION_SECTION, VERSION_TYPE = "neo", "neo.metadata"

# Properties of a section that are no annotations.
RESERVED = frozenset(
    {
        "neo_name",
        "t_start",
        "t_stop",
        "sampling_rate",
        "spatial_scale",
        "neo_parent",
        "file_datetime",
    }
)


class Kind(NamedTuple):
    """How objects of a class are kept.

    Attributes
    ----------
    type : str
        Type of the entity.
    is_tag : bool
        A multi tag; else data arrays, or for containers a group or block.
    """

    type: str
    is_tag: bool = False

    @property
    def section_type(self) -> str:
        """Type of the section with its metadata."""
        return f"{self.type}.metadata"

    @property
    def word(self) -> str:
        """Its part in names."""
        return self.type.removeprefix("neo.")


KINDS: dict[str, Kind] = {
    "Block": Kind("neo.block"),
    "Segment": Kind("neo.segment"),
    "Group": Kind("neo.group"),
    "AnalogSignal": Kind("neo.analogsignal"),
    "IrregularlySampledSignal": Kind("neo.irregularlysampledsignal"),
    "ImageSequence": Kind("neo.imagesequence"),
    "Event": Kind("neo.event", is_tag=True),
    "Epoch": Kind("neo.epoch", is_tag=True),
    "SpikeTrain": Kind("neo.spiketrain", is_tag=True),
    "ChannelView": Kind("neo.channelview", is_tag=True),
}
SUBGROUP = Kind("neo.subgroup")

# What other readers have no place for stands in the definition of a section.
NO_DATE, DATE, NO_RATE = "no rec_datetime", "rec_datetime ", "no sampling_rate"
