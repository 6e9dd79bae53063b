"""Parameters of queries, as they are documented."""

from __future__ import annotations

from ephyrus.service.partial.params import FORMATS, KINDS, OBJECT_NAMES
from ephyrus.service.routes.envelope import LEVELS
from ephyrus.service.routes.table import Parameter
from ephyrus.service.types import ObjectType

__all__ = [
    "ACL_SWITCHES",
    "AT_TIME",
    "BULK_SWITCHES",
    "DELETE_SWITCHES",
    "LIST",
    "PAGE",
    "RANGE",
    "SELECTION",
    "SHOWN",
    "SPAN",
    "UPDATE_SWITCHES",
    "filters_of",
]

_NUMBER = {"type": "number"}
_INDEX = {"type": "integer", "minimum": 0}
_COUNT = {"type": "integer", "minimum": 1}
_FLAG = {"type": "string", "enum": ["0", "1"]}
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "examples": ["2026-01-31 12:00:00"]}


def _flag(name: str, text: str) -> Parameter:
    return Parameter(name=name, schema=_FLAG, description=text)


def _text(name: str, text: str) -> Parameter:
    return Parameter(name=name, schema=_TEXT, description=text)


AT_TIME = Parameter(
    name="at_time", schema=_MOMENT, description="Show the state at that time (UTC)."
)

RANGE = (
    Parameter(
        name="start_time",
        schema=_NUMBER,
        description="Time of the first sample, in the unit of t_start.",
    ),
    Parameter(
        name="end_time", schema=_NUMBER, description="Time of the last sample, which is included."
    ),
    Parameter(
        name="duration",
        schema={"type": "number", "minimum": 0},
        description="Length of the window; both its ends are included.",
    ),
    Parameter(name="start_index", schema=_INDEX, description="Index of the first sample."),
    Parameter(name="end_index", schema=_INDEX, description="Index of the last sample, included."),
    Parameter(name="samples_count", schema=_COUNT, description="Number of samples."),
    Parameter(name="downsample", schema=_COUNT, description="Number of points to return."),
    Parameter(
        name="kind",
        schema={"type": "string", "enum": list(KINDS)},
        description="Kind of downsampling.",
    ),
    _text("channels", "Channels by index, range or name: 0,3,5-9."),
    Parameter(
        name="format",
        schema={"type": "string", "enum": list(FORMATS)},
        description="Format of the bodies that the links lead to; json with q=data or q=full puts "
        "the values of a single object into it.",
    ),
    _flag("strict", "Answer 400 where the window reaches beyond the recording."),
    _flag("overlap", "Epochs that began before the window and reach into it belong to it."),
    Parameter(
        name="bins", schema=_COUNT, description="Counts in so many bins, of spikes and events."
    ),
)
"""Parts of arrays, on an object or a list."""

_LEVEL = Parameter(
    name="q",
    schema={"type": "string", "enum": list(LEVELS), "default": "beard"},
    description="How much is shown.",
)
_FIELDS = _text("fields", "Only these fields: names, separated by commas.")

SHOWN = (
    _LEVEL,
    _flag("show_kids", "0: no lists of children."),
    _flag("cascade", "1: children as objects in place of their permalinks."),
    _FIELDS,
    AT_TIME,
)
"""What is shown of one object."""

PAGE = (
    Parameter(name="offset", schema=_INDEX, description="Objects to pass over."),
    Parameter(
        name="max_results",
        schema={"type": "integer", "minimum": 0, "maximum": 1000, "default": 100},
        description="Most objects in one answer.",
    ),
    Parameter(
        name="limit",
        schema={"type": "integer", "minimum": 0, "maximum": 1000},
        description="The same as max_results.",
    ),
    _text("cursor", "Continue behind the last object of a page: its next_cursor."),
    _text("order_by", "Fields to order by, separated by commas; - before one: descending."),
    _text("search", "Words in names, descriptions, labels and metadata."),
    _flag(
        "count",
        "1: the total is counted, which takes long for large selections. 0: it is not. If nothing "
        "is said it is counted as long as there are at most 10,000 objects of the type. Where the "
        "list ends on the page it is known without counting.",
    ),
)
"""Which part of a list is shown."""

LIST = (*PAGE, _LEVEL, _flag("show_kids", "0: no lists of children."), _FIELDS, AT_TIME)
"""What is shown of a list."""

SELECTION = Parameter(
    name="selection",
    schema={"type": "string"},
    description="Only what is in this saved selection of the same type: its id.",
    repeated=True,
)

BULK_SWITCHES = (
    _flag("bulk_update", "1: change all objects that the filters select."),
    _flag("m2m_append", "0: the metadata that is sent replaces the old; else it is added."),
    _flag("cascade", "0: metadata is not given to the objects below."),
    Parameter(
        name="mode",
        schema={"type": "string", "enum": ["ignore"]},
        description="Pass over objects that may not be changed, in place of 403.",
    ),
)
UPDATE_SWITCHES = BULK_SWITCHES[1:3]
SPAN = (
    Parameter(name="start_date", schema=_MOMENT, description="Versions that held then or later."),
    Parameter(name="end_date", schema=_MOMENT, description="Versions that held then or before."),
)
ACL_SWITCHES = (
    _flag("cascade", "1: the objects below get the same rights."),
    _flag("notify", "Accepted; no mail is sent."),
)
DELETE_SWITCHES = (_flag("force", "1: also when others hold write access."),)


def filters_of(kind: ObjectType) -> tuple[Parameter, ...]:
    """Give the filters of a type: its fields, and what all types have."""
    names = [each.name for each in kind.attributes] + [each.name for each in kind.quantities]
    names = [name for name in names if name not in OBJECT_NAMES]
    own = [_text(name, f"{name} is this; add a lookup, e.g. {name}__gt.") for name in names]
    own += [_text(each.name, f"Below this {each.type}: id or permalink.") for each in kind.parents]
    return (*own, *_COMMON_FILTERS)


_COMMON_FILTERS = (
    _text("owner", "Owner: name or id."),
    Parameter(
        name="safety_level",
        schema={"type": "string", "enum": ["1", "2", "3"]},
        description="1 public, 2 friends, 3 private.",
    ),
    Parameter(
        name="visibility",
        schema={"type": "string", "enum": ["private", "public", "shared", "all"]},
        description="Own private objects, public ones, those shared with you, or all.",
    ),
    Parameter(name="created_min", schema=_MOMENT, description="Created then or later."),
    Parameter(name="created_max", schema=_MOMENT, description="Created then or before."),
    _text("metadata", "Tagged with this value: its permalink."),
    SELECTION,
)
