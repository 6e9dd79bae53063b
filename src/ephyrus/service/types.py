"""The types of objects that the service keeps, as data.

Everything that depends on a type is derived from these tables: columns of the database, routes,
checks of what is sent, filters, and the description of the interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

__all__ = [
    "CATEGORIES",
    "TYPES",
    "ArrayField",
    "Attribute",
    "ObjectType",
    "Parent",
    "Quantity",
    "find",
]

Dimension = Literal["time", "rate", "signal", "any"]
Value = Literal["text", "int", "float", "bool", "datetime", "text or int"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A plain value of an object.

    Attributes
    ----------
    name : str
        Name in ``fields``.
    value : {"text", "int", "float", "bool", "datetime", "text or int"}
        What it holds.
    required : bool
        It must be given when an object is created.
    alias : str
        Another name that is accepted.
    default : object
        Value where none is given.
    """

    name: str
    value: Value = "text"
    required: bool = False
    alias: str = ""
    default: object = None


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit."""

    name: str
    dimension: Dimension
    required: bool = False


@dataclass(frozen=True, slots=True)
class ArrayField:
    """Numbers (or text) that lie in a datafile.

    Attributes
    ----------
    name : str
        Name in ``fields``.
    dimension : {"time", "rate", "signal", "any"}
        Dimension of the unit.
    ndims : tuple of int
        Numbers of dimensions that are accepted.
    required : bool
        It must be given when an object is created.
    is_text : bool
        The array holds text and has no unit.
    """

    name: str
    dimension: Dimension
    ndims: tuple[int, ...]
    required: bool = False
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Parent:
    """A relation to an object above.

    Attributes
    ----------
    name : str
        Name of the field.
    type : str
        Type of the parent.
    many : bool
        There may be several: the field is a list.
    required : bool
        It must be given when an object is created.
    owns : bool
        Objects that lie below in the tree go with the parent when it is deleted. False: the
        relation is a link and is only taken away.
    """

    name: str
    type: str
    many: bool = False
    required: bool = False
    owns: bool = True


@dataclass(frozen=True)
class ObjectType:
    """A type of object.

    Attributes
    ----------
    name : str
        Name in addresses.
    category : {"electrophysiology", "metadata", "datafiles"}
        First part of the address.
    attributes, quantities, arrays, parents : tuple
        Its fields.
    aliases : tuple of str
        Other names in addresses.
    rights_from : str
        Name of the parent whose rights hold for the object; empty: it has rights of its own.
    aligned : tuple of tuple of str
        Arrays that must have equal length along axis 0.
    """

    name: str
    category: str
    attributes: tuple[Attribute, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    arrays: tuple[ArrayField, ...] = ()
    parents: tuple[Parent, ...] = ()
    aliases: tuple[str, ...] = ()
    rights_from: str = ""
    aligned: tuple[tuple[str, ...], ...] = ()

    @property
    def model(self) -> str:
        """Name of the model as clients know it."""
        prefix = {"electrophysiology": "neo_api"}.get(self.category, self.category)
        return f"{prefix}.{self.name}"

    @cached_property
    def children(self) -> tuple[tuple[ObjectType, Parent], ...]:
        """Types that name this one as a parent, with the relation, in the order of `TYPES`."""
        return tuple(
            (other, parent)
            for other in TYPES.values()
            for parent in other.parents
            if parent.type == self.name
        )

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Names that must be given when an object is created."""
        return tuple(
            field.name
            for group in (self.attributes, self.quantities, self.arrays, self.parents)
            for field in group
            if field.required
        )


_NAME = Attribute("name")
_NAMED = Attribute("name", required=True)
_DESCRIPTION = Attribute("description")
_SECTION = Parent("section", "section", owns=False)


def _data_type(
    name: str,
    *parents: Parent,
    quantities: tuple[Quantity, ...] = (),
    arrays: tuple[ArrayField, ...] = (),
    label: bool = False,
    aligned: tuple[tuple[str, ...], ...] = (),
    aliases: tuple[str, ...] = (),
) -> ObjectType:
    """Make a type of object that lies in a segment."""
    attributes = (_NAME, _DESCRIPTION, *((Attribute("label", required=True),) if label else ()))
    return ObjectType(
        name,
        "electrophysiology",
        attributes,
        quantities,
        arrays,
        (Parent("segment", "segment"), *parents),
        aliases,
        aligned=aligned,
    )


def _time(name: str, *, required: bool = True) -> Quantity:
    return Quantity(name, "time", required)


def _rate(*, required: bool = True) -> Quantity:
    return Quantity("sampling_rate", "rate", required)


def _signal(*ndims: int, name: str = "signal", required: bool = True) -> ArrayField:
    return ArrayField(name, "signal", ndims, required)


def _times(name: str = "times") -> ArrayField:
    return ArrayField(name, "time", (1,), required=True)


_LABELS = ArrayField("labels", "any", (1,), required=True, is_text=True)
_CONTAINER = (
    _NAMED,
    _DESCRIPTION,
    Attribute("filedatetime", "datetime"),
    Attribute("index", "int"),
)

_ELECTROPHYSIOLOGY = (
    ObjectType("block", "electrophysiology", _CONTAINER, parents=(_SECTION,)),
    ObjectType("segment", "electrophysiology", _CONTAINER, parents=(Parent("block", "block"),)),
    _data_type(
        "analogsignal",
        Parent("recordingchannel", "recordingchannel", owns=False),
        Parent("analogsignalarray", "analogsignalarray", owns=False),
        quantities=(_rate(), _time("t_start")),
        arrays=(_signal(1),),
    ),
    _data_type(
        "irsaanalogsignal",
        Parent("recordingchannel", "recordingchannel", owns=False),
        quantities=(_time("t_start"),),
        arrays=(_signal(1, 2), _times()),
        aligned=(("times", "signal"),),
        aliases=("irregularlysampledsignal",),
    ),
    _data_type(
        "analogsignalarray",
        Parent("recordingchannelgroup", "recordingchannelgroup", owns=False),
        quantities=(_rate(), _time("t_start")),
        arrays=(_signal(2),),
    ),
    _data_type(
        "spiketrain",
        Parent("unit", "unit", owns=False),
        quantities=(_time("t_start"), _time("t_stop")),
        arrays=(_times(), _signal(3, name="waveforms", required=False)),
        aligned=(("times", "waveforms"),),
    ),
    _data_type(
        "spike",
        Parent("unit", "unit", owns=False),
        quantities=(_time("time"), _rate(required=False), _time("left_sweep", required=False)),
        arrays=(_signal(2, name="waveform", required=False),),
    ),
    _data_type(
        "event", Parent("eventarray", "eventarray"), quantities=(_time("time"),), label=True
    ),
    _data_type("eventarray", arrays=(_LABELS, _times()), aligned=(("times", "labels"),)),
    _data_type(
        "epoch",
        Parent("epocharray", "epocharray"),
        quantities=(_time("time"), _time("duration")),
        label=True,
    ),
    _data_type(
        "epocharray",
        arrays=(_LABELS, _times(), _times("durations")),
        aligned=(("times", "labels", "durations"),),
    ),
    ObjectType(
        "recordingchannelgroup",
        "electrophysiology",
        (_NAMED, _DESCRIPTION),
        parents=(Parent("block", "block"),),
    ),
    ObjectType(
        "recordingchannel",
        "electrophysiology",
        (_NAMED, _DESCRIPTION, Attribute("index", "int")),
        parents=(Parent("recordingchannelgroup", "recordingchannelgroup", many=True),),
    ),
    ObjectType(
        "unit",
        "electrophysiology",
        (_NAMED, _DESCRIPTION),
        parents=(
            Parent("recordingchannel", "recordingchannel", many=True),
            Parent("recordingchannelgroup", "recordingchannelgroup"),
        ),
    ),
)

_METADATA = (
    ObjectType(
        "section",
        "metadata",
        (
            _NAMED,
            Attribute("description"),
            Attribute("odml_type", "text or int"),
            Attribute("tree_position", "int"),
            Attribute("is_template", "bool"),
            Attribute("user_custom"),
            Attribute("type"),
            Attribute("reference"),
            Attribute("definition"),
            Attribute("link"),
            Attribute("include"),
            Attribute("repository"),
            Attribute("mapping"),
        ),
        parents=(
            Parent("parent_section", "section"),
            Parent("document", "document"),
        ),
        aliases=("sections",),
    ),
    ObjectType(
        "property",
        "metadata",
        (
            _NAMED,
            Attribute("definition"),
            Attribute("dependency"),
            Attribute("dependency_value"),
            Attribute("mapping"),
            Attribute("unit"),
            Attribute("dtype"),
            Attribute("uncertainty"),
            Attribute("comment"),
        ),
        parents=(Parent("section", "section", required=True),),
        aliases=("properties",),
        rights_from="section",
    ),
    ObjectType(
        "value",
        "metadata",
        (
            Attribute("data", required=True),
            Attribute("uncertainty"),
            Attribute("unit"),
            Attribute("reference"),
            Attribute("definition"),
            Attribute("filename"),
            Attribute("encoder"),
            Attribute("checksum"),
        ),
        parents=(Parent("parent_property", "property", required=True),),
        aliases=("values",),
        rights_from="parent_property",
    ),
    ObjectType(
        "document",
        "metadata",
        (
            Attribute("author"),
            Attribute("date", "datetime"),
            Attribute("version"),
            Attribute("repository"),
        ),
    ),
)

_DATAFILES = (
    ObjectType(
        "datafile",
        "datafiles",
        (
            Attribute("name", required=True, alias="title"),
            Attribute("caption"),
            Attribute("tags"),
        ),
        parents=(_SECTION,),
    ),
)

TYPES: Mapping[str, ObjectType] = {
    each.name: each for each in (*_ELECTROPHYSIOLOGY, *_METADATA, *_DATAFILES)
}
"""All types by name, parents and children alike."""

CATEGORIES: Mapping[str, Mapping[str, ObjectType]] = {
    category: {
        name: each
        for each in TYPES.values()
        if each.category == category
        for name in (each.name, *each.aliases)
    }
    for category in ("electrophysiology", "metadata", "datafiles")
}
"""Types by category and by each name that an address may have."""


def find(category: str, name: str) -> ObjectType | None:
    """Find the type of an address, or None."""
    return CATEGORIES.get(category, {}).get(name)
