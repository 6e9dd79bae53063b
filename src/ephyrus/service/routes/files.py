"""Routes of files: upload, download, conversion, unpacking, and the tasks that these begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ephyrus.service.accounts.cross_site import check_site
from ephyrus.service.catalog import permalinks, rights
from ephyrus.service.catalog.facts import set_facts
from ephyrus.service.catalog.ids import parse_id
from ephyrus.service.catalog.permalinks import permalink
from ephyrus.service.errors import ServiceError
from ephyrus.service.files import jobs
from ephyrus.service.files.hands import hands_of
from ephyrus.service.files.kinds import ARCHIVES, CONVERTIBLE, NAMES
from ephyrus.service.files.receiving import FILE_FIELD, receive_form
from ephyrus.service.files.records import FileRow, file_row, live_objects
from ephyrus.service.files.uploads import Wanted, check_section, keep_upload
from ephyrus.service.files.work import CSV_DEFAULTS
from ephyrus.service.files.workshop import workshop_of
from ephyrus.service.partial.units import check_unit
from ephyrus.service.routes.answers import Answer
from ephyrus.service.routes.bodies import parse_json
from ephyrus.service.routes.changes import bulk_update_datafiles
from ephyrus.service.routes.downloads import HDF5, download
from ephyrus.service.routes.envelope import created, message, moment_text
from ephyrus.service.routes.table import Parameter, Route
from ephyrus.service.types import Dimension

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call

__all__ = ["ROUTES"]

_UNITS: Mapping[str, Dimension] = {
    "sampling_rate_units": "rate",
    "t_start_units": "time",
    "units": "signal",
}
_FIELDS = frozenset(
    {"section_id", "section", "convert", "bulk_update", "caption", "tags", "title", "name"}
) | frozenset(CSV_DEFAULTS)
_FORM: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        FILE_FIELD: {
            "description": "The files; the key may come several times.",
            "type": "array",
            "items": {"type": "string", "format": "binary"},
        },
        "section_id": {"type": "string"},
        "convert": {"type": "string", "enum": ["0", "1"]},
        "caption": {"type": "string"},
        "tags": {"type": "string"},
    },
    "required": [FILE_FIELD],
}
_FLAGS: Mapping[str, bool] = {"0": False, "false": False, "1": True, "true": True, "": True}


async def upload(call: Call) -> Answer:
    """Receive files."""
    if call.query.flag("bulk_update"):
        limit = call.service.settings.max_json_bytes
        body = b"".join([piece async for piece in call.stream(limit=limit)])
        call.document = await call.thread(parse_json, body)
        return await call.thread(bulk_update_datafiles, call)
    call.query.check_names(_FIELDS)
    workshop, hands = workshop_of(call.service), hands_of(call.service)
    sent = dict(call.query.pairs)
    if sent.get("section_id"):
        section = _section(call, sent["section_id"])
        await call.thread(check_section, workshop, call.principal, section)
    form = await receive_form(
        call.stream(),
        call.header("content-type"),
        workshop.store,
        hands.receive,
        most_files=workshop.settings.upload_files,
    )
    try:
        wanted = _wanted(call, {**form.fields, **sent}, len(form.files))
    except ServiceError:
        for received in form.files:
            await hands.receive(workshop.store.delete, received.key)
        raise
    records = await hands.look(keep_upload, workshop, call.principal, form.files, wanted)
    return created(call, records)


def _wanted(call: Call, sent: Mapping[str, str], count: int) -> Wanted:
    """Understand the fields of an upload, from the query or from the form."""
    if not count:
        raise ServiceError(
            "missing_parameter",
            f"The form holds no file under the key {FILE_FIELD}.",
            details=FILE_FIELD,
            extra={"missing": [FILE_FIELD]},
        )
    convert = _FLAGS.get(sent.get("convert", "1").lower())
    if convert is None:
        raise ServiceError("wrong_params", "convert must be 0 or 1.", details="convert")
    section = sent.get("section_id") or sent.get("section")
    attributes = {
        name: sent[given]
        for given, name in (
            ("caption", "caption"),
            ("tags", "tags"),
            ("title", "name"),
            ("name", "name"),
        )
        if sent.get(given)
    }
    return Wanted(
        _section(call, section) if section else None,
        convert,
        _csv_options(sent),
        attributes,
    )


def _section(call: Call, text: str) -> int:
    """Understand the id or permalink of a section."""
    style = call.service.settings.id_style
    return permalinks.parse(text, kind="section", style=style).id


def _csv_options(sent: Mapping[str, str]) -> dict[str, Any]:
    """Understand what is told of the signals of a CSV file."""
    options: dict[str, Any] = {}
    for name in ("sampling_rate", "t_start"):
        if sent.get(name):
            options[name] = _number(name, sent[name])
    for name, dimension in _UNITS.items():
        if sent.get(name):
            check_unit(dimension, sent[name], name=name)
            options[name] = sent[name]
    if options.get("sampling_rate", 1.0) <= 0:
        raise ServiceError(
            "wrong_params", "sampling_rate must be positive.", details="sampling_rate"
        )
    return options


def _number(name: str, text: str) -> float:
    """Understand a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise ServiceError("wrong_params", f"{name} must be a number.", details=name)
    return value


def convert(call: Call) -> Answer:
    """Begin the conversion of a file."""
    call.query.check_names(frozenset({*CSV_DEFAULTS, "again"}))
    options = _csv_options(dict(call.query.pairs))
    return _begun(call, "convert", CONVERTIBLE, "non_convertible", "be converted", options)


def extract(call: Call) -> Answer:
    """Begin the unpacking of an archive."""
    call.query.check_names(frozenset({"again"}))
    return _begun(call, "extract", ARCHIVES, "not_an_archive", "be unpacked", {})


def _begun(
    call: Call,
    kind: str,
    types: frozenset[int],
    refusal: str,
    what: str,
    options: Mapping[str, Any],
) -> Answer:
    """Begin a task for a file, unless it has been done or is under way."""
    # A link on a foreign page is followed with the cookie: what begins work asks as POST does.
    check_site(
        "POST",
        call.headers,
        by_cookie=call.principal.by_cookie,
        allowed_origins=call.service.settings.allowed_origins,
    )
    with call.service.database.writing() as connection:
        rights.require(connection, call.principal, "datafile", call.id, 2)
        row = file_row(connection, call.id)
        if row is None or row.key is None or row.file_type not in types:
            found = NAMES[row.file_type if row is not None else 0]
            raise ServiceError(
                refusal, f"A file of this kind ({found}) cannot {what}.", details={"kind": found}
            )
        task = _known_task(connection, kind, row, again=call.query.flag("again"))
        if task is None:
            payload = {"datafile": row.id, "options": dict(options)}
            task = jobs.enqueue(connection, kind, payload, user_id=call.principal.user_id)
            set_facts(connection, row.id, last_task_id=task)
    return message(
        call,
        "task_started",
        "The task was started; its address tells how it stands.",
        task_id=task,
        location=f"/tasks/{task}",
    )


def _known_task(connection: Any, kind: str, row: FileRow, *, again: bool) -> int | None:
    """Give the task that does, or (unless it is to be done again) has done, what is wanted."""
    known = None if row.task_id is None else jobs.status(connection, row.task_id)
    if known is None or known.kind != kind or known.state == jobs.FAILED:
        return None
    if not known.is_over:
        return known.id
    is_there = not again and live_objects(connection, known.result.get("objects", {}))
    return known.id if is_there else None


def show_task(call: Call) -> Answer:
    """Tell how a task stands."""
    call.query.check_names(frozenset())
    with call.service.database.reading() as connection:
        task = jobs.status(connection, parse_id(call.path["id"]))
    principal = call.principal
    if task is None or (task.user_id != principal.user_id and not principal.is_admin):
        raise ServiceError("does_not_exist", "There is no such task of yours.")
    style = call.service.settings.id_style
    objects = {
        kind: [permalink(kind, each, style) for each in ids]
        for kind, ids in (task.result.get("objects") or {}).items()
    }
    return message(
        call,
        "processed",
        f"The task {'has' if task.state == 'failed' else 'is'} {task.state}.",
        task_id=task.id,
        kind=task.kind,
        state=task.state,
        attempts=task.attempts,
        details=task.message,
        objects=objects,
        problems=task.result.get("problems", []),
        started=moment_text(task.started),
        heartbeat=moment_text(task.heartbeat),
    )


_DATAFILE: dict[str, Any] = {"tag": "datafiles", "kind": "datafile"}
_TEXT: Mapping[str, Any] = {"type": "string"}
_SWITCH: Mapping[str, Any] = {"type": "string", "enum": ["0", "1"]}
_AGAIN = Parameter(
    name="again", schema=_SWITCH, description="Do it once more although it has been done."
)
_CSV = tuple(
    Parameter(
        name=name,
        schema={"type": "number" if isinstance(default, float) else "string", "default": default},
        description="Of the signals of a CSV file, which does not tell it.",
    )
    for name, default in CSV_DEFAULTS.items()
)
_CONVERT = Route(
    name="datafile.convert",
    method="POST",
    path="/datafiles/{id}/convert",
    handler=convert,
    summary="Turn a recording, a CSV file or an odML document into objects, in the background.",
    access="user",
    scope="write",
    query=(*_CSV, _AGAIN),
    responses={200: "The task was started, or had been already."},
    needs="edit",
    **_DATAFILE,
)
_EXTRACT = replace(
    _CONVERT,
    name="datafile.extract",
    path="/datafiles/{id}/extract",
    handler=extract,
    summary="Unpack an archive into sections with files, in the background.",
    query=(_AGAIN,),
)

ROUTES: tuple[Route, ...] = (
    Route(
        name="datafile.upload",
        method="POST",
        path="/datafiles",
        handler=upload,
        summary="Upload files: a multipart form with one or several raw_file.",
        description=(
            "With bulk_update=1 the body is a JSON object, which all datafiles that the filters "
            "select are changed by."
        ),
        access="user",
        scope="write",
        body="stream",
        document=_FORM,
        query=(
            Parameter(name="section_id", schema=_TEXT, description="Section of the files."),
            Parameter(
                name="convert",
                schema=_SWITCH,
                description="Convert what can be converted in the background (default 1).",
            ),
            Parameter(
                name="bulk_update", schema=_SWITCH, description="Change datafiles, upload none."
            ),
        ),
        responses={201: "The new datafiles.", 200: "The datafiles that were changed."},
        answer="selection",
        **_DATAFILE,
    ),
    Route(
        name="datafile.download",
        method="GET",
        path="/datafiles/{id}/download",
        handler=download,
        summary="Download a file as it was uploaded; format=hdf5: a recording as NIX.",
        query=(
            Parameter(
                name="format",
                schema={"type": "string", "enum": ["hdf5", "h5"]},
                description="The recording as one NIX file (HDF5).",
            ),
            Parameter(name="at_time", schema=_TEXT, description="The state at this time."),
        ),
        responses={
            200: "The file.",
            206: "The range of it that was asked for.",
            304: "It has not been changed.",
            416: "The range lies behind its end.",
        },
        media=("application/octet-stream", HDF5),
        needs="view",
        **_DATAFILE,
    ),
    _CONVERT,
    replace(_CONVERT, name="datafile.convert_by_get", method="GET", hidden=True),
    _EXTRACT,
    replace(_EXTRACT, name="datafile.extract_by_get", method="GET", hidden=True),
    Route(
        name="task.get",
        method="GET",
        path="/tasks/{id}",
        handler=show_task,
        summary="Tell how a task in the background stands.",
        access="user",
        responses={200: "How it stands."},
        tag="tasks",
    ),
)
"""Routes of files and tasks."""
