"""Many objects, and many arrays, in one request: all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ephyrus.service.catalog import permalinks
from ephyrus.service.catalog.creating import MOST_NEW, Made, NewItem, about_item, create_many
from ephyrus.service.catalog.ids import format_id
from ephyrus.service.errors import ServiceError
from ephyrus.service.files.arrayuploads import keep_arrays
from ephyrus.service.files.hands import hands_of
from ephyrus.service.files.intake import Intake
from ephyrus.service.files.receiving import FILE_FIELD, Form, receive_form
from ephyrus.service.files.uploads import check_section
from ephyrus.service.files.workshop import workshop_of
from ephyrus.service.routes.answers import Answer
from ephyrus.service.routes.envelope import selection
from ephyrus.service.routes.table import Parameter, Route
from ephyrus.service.types import TYPES

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call

__all__ = ["ROUTES"]

CREATED_TEXT = "Objects were created."
_MODELS = {
    name: kind.name
    for kind in TYPES.values()
    if kind.category != "datafiles"
    for name in (kind.model, kind.name, *kind.aliases)
}
_FIELDS = frozenset({"section_id", "section"})


def create_objects(call: Call) -> Answer:
    """Create objects that may refer to one another."""
    call.query.check_names(frozenset())
    items = _items(call.document)
    with call.service.database.writing() as connection:
        made = create_many(connection, call.principal, items)
    return _answer(call, [_shown(call, each) for each in made])


def _items(document: Any) -> list[NewItem]:
    """Read the list of objects.

    Raises
    ------
    ServiceError
        It is no list (``not_iterable``), or an item is no object (``dict_required``), or not of a
        type that is created so (``bad_parameter``).
    """
    if not isinstance(document, list) or not document:
        raise ServiceError(
            "not_iterable",
            "Send a list of objects, each with its model, and its fields in fields.",
        )
    items = []
    for place, each in enumerate(document):
        with about_item(place):
            items.append(_item(each))
    return items


def _item(given: Any) -> NewItem:
    if not isinstance(given, Mapping):
        raise ServiceError("dict_required", "it is no object.")
    model = given.get("model")
    kind = _MODELS.get(model) if isinstance(model, str) else None
    if kind is None:
        raise ServiceError(
            "bad_parameter",
            f"its model is {str(model)[:60]!r}; it is one of {', '.join(sorted(TYPES))} but "
            'datafile, as "neo_api.segment" or "metadata.section".',
            details="model",
        )
    name = given.get("id")
    if not (name is None or isinstance(name, str)):
        raise ServiceError(
            "bad_parameter",
            f"its id is {str(name)[:60]!r}; new objects have names that begin with #.",
            details="id",
        )
    return NewItem(kind, given, name or "")


async def upload_arrays(call: Call) -> Answer:
    """Receive arrays."""
    call.query.check_names(_FIELDS)
    workshop, hands = workshop_of(call.service), hands_of(call.service)
    section = _section(call, dict(call.query.pairs))
    if section is not None:
        await call.thread(check_section, workshop, call.principal, section)
    intake = Intake(workshop.store, workshop.settings.max_array_bytes)
    try:
        form = await receive_form(
            call.stream(),
            call.header("content-type"),
            intake,
            hands.receive,
            most_files=workshop.settings.upload_files,
        )
        section = _place_of(call, form, section)
    except BaseException:  # also when the request is cancelled: nothing is left behind
        await hands.receive(intake.discard)
        raise
    made = await call.thread(keep_arrays, workshop, call.principal, form.files, intake, section)
    items = []
    for each, array in zip(made, intake.arrays, strict=True):
        facts = {"dtype": array.info.dtype, "shape": list(array.info.shape)}
        items.append({**_shown(call, each), "arrays": {"data": facts}})
    return _answer(call, items)


def _place_of(call: Call, form: Form, section: int | None) -> int | None:
    """Understand the fields of the form."""
    if not form.files:
        raise ServiceError(
            "missing_parameter",
            f"The form holds no array under the key {FILE_FIELD}.",
            details=FILE_FIELD,
            extra={"missing": [FILE_FIELD]},
        )
    unknown = sorted(set(form.fields) - _FIELDS)
    if unknown:
        raise ServiceError(
            "post_data_invalid",
            f"The form has no {unknown[0][:60]!r}; it has {FILE_FIELD} and section_id.",
            details=unknown[0][:60],
        )
    return _section(call, form.fields) if section is None else section


def _section(call: Call, sent: Mapping[str, str]) -> int | None:
    """Understand the id or permalink of a section."""
    text = sent.get("section_id") or sent.get("section")
    if not text:
        return None
    return permalinks.parse(text, kind="section", style=call.service.settings.id_style).id


def _shown(call: Call, made: Made) -> dict[str, Any]:
    """Show as much of a new object as is needed to go on."""
    kind, style = TYPES[made.type], call.service.settings.id_style
    number = format_id(made.id, style)
    return {
        "id": str(number),
        "model": kind.model,
        "permalink": permalinks.permalink(made.type, made.id, style),
        "location": f"/{kind.category}/{kind.name}/{number}",
        "fields": {"id": number, "guid": made.guid},
    }


def _answer(call: Call, items: list[dict[str, Any]]) -> Answer:
    return selection(
        call,
        items,
        message_type="object_created",
        text=CREATED_TEXT,
        status=201,
        headers={"Cache-Control": "no-store"},
        total=len(items),
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="bulk.create",
        method="POST",
        path="/bulk",
        handler=create_objects,
        summary="Create many objects, which may refer to one another: all or none.",
        description="The body is a list of objects as they are shown: model, and fields (or the "
        "fields at the top). An id that begins with # names a new object, so that parents and "
        "metadata of others can refer to it. The answer names the new objects in the same order.",
        access="user",
        scope="write",
        body="json",
        document={
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_NEW,
            "items": {
                "type": "object",
                "required": ["model"],
                "properties": {
                    "model": {"type": "string", "enum": sorted(_MODELS)},
                    "id": {"type": "string", "pattern": "^#.{1,99}$"},
                    "fields": {"type": "object"},
                },
            },
        },
        responses={201: "The new objects: id, guid and addresses."},
        answer="any",
        tag="bulk",
    ),
    Route(
        name="datafile.arrays",
        method="POST",
        path="/datafiles/arrays",
        handler=upload_arrays,
        summary="Upload many arrays: a multipart form with .npy files as raw_file.",
        description="Each file becomes a datafile that holds an array (type 5): numbers, truth "
        "values or text of one to three dimensions in C order. If one is refused none is kept.",
        access="user",
        scope="write",
        body="stream",
        document={
            "type": "object",
            "properties": {
                FILE_FIELD: {
                    "description": "The arrays, each a .npy file.",
                    "type": "array",
                    "items": {"type": "string", "format": "binary"},
                },
                "section_id": {"type": "string"},
            },
            "required": [FILE_FIELD],
        },
        query=(
            Parameter(
                name="section_id",
                schema={"type": "string"},
                description="Section of the datafiles.",
            ),
        ),
        responses={201: "The new datafiles: id, guid, addresses, type and shape."},
        answer="any",
        tag="datafiles",
    ),
)
"""Routes of bulk creation."""
