"""What a request for objects asks to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ephyrus.service.catalog.query import parse_at_time
from ephyrus.service.catalog.records import Detail
from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.params import OBJECT_NAMES, RangeRequest
from ephyrus.service.routes.envelope import LEVELS, Level, Shown
from ephyrus.service.types import ObjectType

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call

__all__ = ["COMMON_FIELDS", "SHOWN_NAMES", "Options", "field_names", "read_options"]

COMMON_FIELDS = (
    "id",
    "guid",
    "current_state",
    "safety_level",
    "owner",
    "date_created",
    "last_modified",
    "shared_with",
    "metadata",
)
"""Fields of every object."""

FILE_FIELDS = (
    "size",
    "mime",
    "file_type",
    "conversion_type",
    "extracted_info",
    "operations_log",
    "last_task_id",
    "title",
)
"""Fields that only datafiles have, beside those of their type."""

SHOWN_NAMES = frozenset({"q", "show_kids", "cascade", "fields", "at_time"})
"""Parameters that say what is shown."""

_SINGLE_NAMES = OBJECT_NAMES | SHOWN_NAMES


@dataclass(frozen=True, slots=True)
class Options:
    """What a request for objects asks to be shown.

    Attributes
    ----------
    shown : Shown
        Level of detail and names of fields.
    request : RangeRequest
        Part of the arrays.
    cascade : bool
        Children are shown as objects.
    at_time : datetime or None
        State at that time, UTC; None: the present one.
    """

    shown: Shown
    request: RangeRequest
    cascade: bool
    at_time: datetime | None

    @property
    def detail(self) -> Detail:
        """What must be read beside the objects themselves."""
        level = self.shown.level
        if level == "link":
            return Detail(children=False, metadata=False, shares=False)
        return Detail(children=level in ("beard", "full") and self.shown.children)

    @property
    def is_inline(self) -> bool:
        """The values of arrays are shown in place of their links."""
        return self.request.format == "json" and self.shown.level in ("data", "full")

    @property
    def normal(self) -> str:
        """Everything that changes the answer, always written alike; empty: nothing does."""
        shown = self.shown
        parts = [
            self.request.normal,
            f"q={shown.level}" if shown.level != "beard" else "",
            "" if shown.children else "show_kids=0",
            "cascade=1" if self.cascade else "",
            f"fields={','.join(sorted(shown.only))}" if shown.only is not None else "",
            f"at_time={self.at_time.isoformat()}" if self.at_time is not None else "",
        ]
        return "&".join(part for part in parts if part)


def read_options(call: Call, kind: ObjectType, *, listed: bool) -> Options:
    """Read the parameters that say what is shown.

    Parameters
    ----------
    call : Call
        The request.
    kind : ObjectType
        Type of the objects.
    listed : bool
        A list is asked for: other names are filters.

    Raises
    ------
    ServiceError
        A value is wrong, or, for a single object, a name is unknown (400 ``wrong_params``).
    """
    query = call.query
    if not listed:
        query.check_names(_SINGLE_NAMES)
    level = query.one("q", "beard")
    if level not in LEVELS:
        raise ServiceError(
            "wrong_params",
            f"q is {level[:40]!r}; it must be one of {', '.join(LEVELS)}.",
            details="q",
        )
    cascade = query.flag("cascade")
    if cascade and listed:
        raise ServiceError(
            "wrong_params",
            "cascade=1 is possible for single objects only; ask for them one by one.",
            details="cascade",
        )
    text = query.one("at_time")
    at_time = None if text is None else parse_at_time(text)
    return Options(
        shown=Shown(
            level=_LEVEL[level],
            children=query.flag("show_kids", default=True),
            only=_only(query.one("fields"), kind),
            style=call.service.settings.id_style,
            at_time=at_time,
        ),
        request=RangeRequest.from_query(query.pairs, prefer=call.header("prefer")),
        cascade=cascade,
        at_time=at_time,
    )


_LEVEL: dict[str, Level] = {level: level for level in LEVELS}


def field_names(kind: ObjectType) -> tuple[str, ...]:
    """Names of all fields of a type, in the order in which they are shown."""
    own = [
        field.name
        for group in (kind.attributes, kind.quantities, kind.arrays, kind.parents)
        for field in group
    ]
    children = dict.fromkeys(f"{child.name}_set" for child, _ in kind.children)
    extra = FILE_FIELDS if kind.name == "datafile" else ()
    return (*COMMON_FIELDS, *own, *extra, *children)


def _only(text: str | None, kind: ObjectType) -> frozenset[str] | None:
    """Read the names of the fields that are wanted."""
    if text is None:
        return None
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    known = field_names(kind)
    for name in sorted(names - set(known)):
        near = get_close_matches(name, known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ServiceError(
            "wrong_params", f"A {kind.name} has no field {name[:60]!r}.{hint}", details="fields"
        )
    return names
